package vault

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// The blind index turns in six steps: the keyring gets the next key; from one
// commit on every row is written for both epochs; everybody else's rows are made
// from their values; another commit makes the next epoch the one that is asked;
// the rows of the one before are deleted and the pages where they lay cleared;
// the keyring loses the old key. The epoch that is asked is whole at every
// moment, so what an identifier finds, and that it finds one, never changes.

func (r *rotation) turnIndex(ctx context.Context) error {
	v := r.v
	for r.Index.To = v.keyring().IndexEpoch(); r.Index.To <= r.Index.From || indexBucket(r.Index.To) == indexBucket(r.Index.From); r.Index.To++ {
		if err := r.swap(v.keyring().WithNewIndex(v.cfg.Now())); err != nil {
			return err
		}
	}
	e, err := v.epochsNow(ctx)
	if err != nil {
		return err
	}
	if e.asked != r.Index.To {
		if err := r.fill(ctx, e); err != nil {
			return err
		}
	}
	if err := r.empty(ctx, r.Index.From); err != nil {
		return err
	}
	if err := r.at("old rows deleted"); err != nil {
		return err
	}
	if err := v.cfg.Store.Scrub(ctx, func(done, of uint64) { r.progress("clearing", done, of) }); err != nil {
		return err
	}
	if err := r.at("old rows cleared"); err != nil {
		return err
	}
	// Nobody sees the index as it was before any more, so nobody needs its key.
	for _, epoch := range v.keyring().IndexEpochs() {
		if epoch == r.Index.To {
			break
		}
		if err := r.swap(v.keyring().DropIndex(epoch)); err != nil {
			return err
		}
	}
	r.Index.Done = true
	return r.update(ctx, func(store.Tx) error { return nil })
}

func (v *Vault) epochsNow(ctx context.Context) (e *epochs, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		e, err = v.epochs(s)
		return err
	})
	return e, err
}

// fill makes the next epoch whole and makes it the one that is asked.
func (r *rotation) fill(ctx context.Context, e *epochs) error {
	v := r.v
	if e.filling != r.Index.To {
		if err := r.empty(ctx, r.Index.To); err != nil {
			return err
		}
		r.Index.Cursor = nil
		err := r.update(ctx, func(tx store.Tx) error {
			return tx.Put(bucketMeta, keyIndexEpochs, v.packEpochs(e.asked, r.Index.To))
		})
		if err != nil {
			return err
		}
		if e, err = v.epochsNow(ctx); err != nil {
			return err
		}
	}
	if err := r.at("both indexes written"); err != nil {
		return err
	}
	if err := r.makeRows(ctx, e); err != nil {
		return err
	}
	if err := r.at("rows made"); err != nil {
		return err
	}
	r.Index.Cursor = nil
	err := r.update(ctx, func(tx store.Tx) error {
		if err := v.stillTurning(tx, e); err != nil {
			return err
		}
		return tx.Put(bucketMeta, keyIndexEpochs, v.packEpochs(r.Index.To, 0))
	})
	if err != nil {
		return err
	}
	return r.at("new index asked")
}

// stillTurning refuses to go on if somebody changed the epochs below.
func (v *Vault) stillTurning(tx store.Tx, e *epochs) error {
	now, err := v.epochs(tx)
	if err != nil {
		return err
	}
	if now.asked != e.asked || now.filling != e.filling {
		return fmt.Errorf("the epochs of the index were changed while it turned: %w", errIntegrity)
	}
	return nil
}

type indexRow struct{ key, proof []byte }

// makeRows makes everybody's rows of the next epoch. Values are opened for it in
// here and go nowhere. Who comes meanwhile is not waited for: their rows are
// written for both epochs.
func (r *rotation) makeRows(ctx context.Context, e *epochs) error {
	v := r.v
	var done, of uint64
	var last []byte
	err := pages(ctx, v.cfg.Store, bucketStanding.all(), func(people []row) error {
		of += uint64(len(people))
		last = people[len(people)-1].key
		for _, p := range people {
			if bytes.Compare(p.key, r.Index.Cursor) <= 0 {
				done++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = pagesBehind(ctx, v.cfg.Store, bucketStanding.all(), r.Index.Cursor, func(people []row) error {
		n := 0
		for n < len(people) && bytes.Compare(people[n].key, last) <= 0 {
			n++
		}
		if people = people[:n]; n == 0 {
			return store.ErrStop
		}
		next := make([][]indexRow, len(people))
		err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			for i, p := range people {
				now, err := bucketStanding.get(s, place{p.key})
				if err == nil {
					next[i], err = v.nextRows(ctx, s, p.key, e)
				}
				if err != nil {
					return err
				}
				people[i].value = bytes.Clone(now) // what the rows were made from
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := r.at("page of rows"); err != nil {
			return err
		}
		var made uint64
		r.Index.Cursor = people[len(people)-1].key
		err = r.update(ctx, func(tx store.Tx) error {
			made = 0
			if err := v.stillTurning(tx, e); err != nil {
				return err
			}
			for i, p := range people {
				rows := next[i]
				now, err := bucketStanding.get(tx, place{p.key})
				if err == nil && !bytes.Equal(now, p.value) { // somebody wrote meanwhile
					rows, err = v.nextRows(ctx, tx, p.key, e)
				}
				if err != nil {
					return err
				}
				for _, row := range rows {
					if err := tx.Put(indexBucket(e.filling), row.key, row.proof); err != nil {
						return err
					}
				}
				made += uint64(len(rows))
			}
			return nil
		})
		if err != nil {
			return err
		}
		r.report.Rows += made
		done += uint64(len(people))
		r.progress("index", min(done, of), of)
		return nil
	})
	if errors.Is(err, store.ErrStop) {
		return nil
	}
	return err
}

// nextRows returns the rows that a person needs in the next epoch: of each
// identifier the one for the form under which it stands in the epoch that is
// asked.
func (v *Vault) nextRows(ctx context.Context, r store.Reader, subject []byte, e *epochs) ([]indexRow, error) {
	id, err := v.personAt(subject)
	if err != nil || id == privacy.Nobody {
		return nil, err
	}
	p, err := v.load(ctx, r, id)
	if err != nil || living(p) == nil {
		return nil, err
	}
	reg, err := v.regime(ctx, r)
	if err != nil {
		return nil, err
	}
	values, err := v.valuesOf(r, p)
	if err != nil {
		return nil, err
	}
	var rows []indexRow
	for i := range p.standing.Values {
		fact := &p.standing.Values[i]
		if fact.Index == [16]byte{} {
			continue
		}
		value, err := values.open(fact)
		if errors.Is(err, keys.ErrIntegrity) && v.erasedSince[v.ledger.subject(id)] {
			continue // an older copy: what it was sealed under is gone, and it goes too
		}
		if err != nil {
			return nil, err
		}
		forms, err := v.standsUnder(r, reg.register, p, fact, value, e.asked)
		if err != nil {
			return nil, err
		}
		for _, lookup := range forms {
			index, err := v.blind(e.filling, fact.Field, lookup)
			if err != nil {
				return nil, err
			}
			rows = append(rows, indexRow{indexKey(index, p.at), v.indexProof(fact.Field, index, id, fact.Index)})
		}
	}
	return rows, nil
}

// standsUnder returns the forms under which a value stands in an epoch. One that
// stands under none, because its row was lost or the epoch's key is, gets back
// the row that it should have.
func (v *Vault) standsUnder(r store.Reader, reg *register.Register, p *person, fact *consent.Value, value privacy.Sensitive, epoch uint32) ([]string, error) {
	var now privacy.Type
	if f, ok := reg.Field(fact.Field); ok {
		now = f.Type
	}
	forms := lookupForms(fact.Field, now, value)
	if len(forms) == 0 {
		return nil, fmt.Errorf("the value of %s of %s is no identifier any more: %w", fact.Field, p.id, errIntegrity)
	}
	var found []string
	for _, lookup := range forms {
		index, err := v.blind(epoch, fact.Field, lookup)
		if errors.Is(err, keys.ErrEpoch) {
			break
		}
		if err != nil {
			return nil, err
		}
		proof, err := r.Get(indexBucket(epoch), indexKey(index, p.at))
		if err != nil {
			return nil, err
		}
		if subtle.ConstantTimeCompare(proof, v.indexProof(fact.Field, index, p.id, fact.Index)) == 1 {
			found = append(found, lookup)
		}
	}
	if len(found) == 0 {
		return forms[:1], nil
	}
	return found, nil
}

// empty deletes all rows of an epoch.
func (r *rotation) empty(ctx context.Context, epoch uint32) error {
	of, err := count(ctx, r.v.cfg.Store, indexBucket(epoch))
	if err != nil {
		return err
	}
	var done uint64
	return pages(ctx, r.v.cfg.Store, indexBucket(epoch), func(rows []row) error {
		if err := r.at("page of old rows"); err != nil {
			return err
		}
		err := r.v.update(ctx, func(tx store.Tx) error {
			for _, row := range rows {
				if err := tx.Delete(indexBucket(epoch), row.key); err != nil {
					return err
				}
			}
			return nil
		})
		done += uint64(len(rows))
		r.progress("old index", min(done, of), of)
		return err
	})
}
