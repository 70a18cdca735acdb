package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// When a value's time is over, the key of all the person's values is replaced by one
// that opens only those that stay (rekey.go). Data from before then names values that
// nothing opens any more: those whose time was over, and those that others took the
// place of before the key was replaced. They are taken from the standing, or whoever
// captures, erases or turns keys later would take them for damage.

// replaced removes what the data has of people whose values key was replaced since it
// was copied, and what it does not open.
func (r *restore) replaced(ctx context.Context) error {
	v := r.v
	lost := map[privacy.SubjectID]bool{} // of whom values are gone
	var done uint64
	err := pages(ctx, v.cfg.Store, bucketStanding.all(), func(rows []row) error {
		var some []privacy.SubjectID
		err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			for _, row := range rows {
				id, err := v.personAt(row.key)
				if err != nil {
					return err
				}
				if id == privacy.Nobody || v.erasedSince[v.ledger.subject(id)] { // they are erased again
					continue
				}
				opens, err := v.opensAll(ctx, s, id, r.from.OlderKeys)
				if err != nil {
					return err
				}
				if !opens {
					some = append(some, id)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(some) > 0 && r.from.OlderKeys && !r.from.DropUnreadable {
			return fmt.Errorf("%w: values of %s were sealed under a later key", ErrUnreadable, some[0])
		}
		done += uint64(len(rows))
		r.from.Progress("values", done, done)
		for _, id := range some {
			if err := r.shed(ctx, id, lost); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(lost) == 0 {
		return err
	}
	return r.strayRows(ctx, lost)
}

// opensAll reports whether all that is sealed under somebody's values key opens.
// Unless each is to be tried: of what no share is kept for, one thing tells, because
// either all of it is from before the key was replaced, or nothing is.
func (v *Vault) opensAll(ctx context.Context, r store.Reader, id privacy.SubjectID, each bool) (bool, error) {
	p, err := v.load(ctx, r, id)
	if err != nil || living(p) == nil {
		return true, err
	}
	values, err := v.valuesOf(r, p)
	if err == nil {
		err = values.unwrap()
	}
	looked := false
	for i := 0; err == nil && i < len(p.standing.Values); i++ {
		fact := &p.standing.Values[i]
		kept := values.kept.Has(v.bindValue(id, fact))
		if kept || each || !looked {
			_, err = values.open(fact)
		}
		looked = looked || !kept
	}
	if err == nil {
		err = bucketHistory.scan(r, p.at, func(rest, envelope []byte) error {
			if len(rest) != len(privacy.ID{}) {
				return errIntegrity
			}
			past := privacy.ID(rest)
			kept := values.kept.Has(v.bind(id, pastField(past), 1))
			if !kept && looked && !each {
				return nil
			}
			looked = looked || !kept
			_, err := values.unsealPast(past, envelope)
			return err
		})
	}
	if errors.Is(err, keys.ErrIntegrity) {
		return false, nil
	}
	return err == nil, err
}

// shed takes from somebody what does not open, and notes in lost whether it was
// values.
func (r *restore) shed(ctx context.Context, id privacy.SubjectID, lost map[privacy.SubjectID]bool) error {
	v := r.v
	return v.update(ctx, func(tx store.Tx) error {
		now, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		p, err := v.load(ctx, tx, id)
		if err != nil || p == nil {
			return errors.Join(err, missing(p, id))
		}
		named, moment := len(p.standing.Values), momentOver(now.register, p.standing)
		values, err := v.openAll(tx, p)
		if err != nil {
			return err
		}
		past, err := v.closedPast(tx, p)
		if err != nil {
			return err
		}
		for _, id := range past {
			if err := bucketHistory.delete(tx, p.at.with(id[:]...)); err != nil {
				return err
			}
		}
		if r.report.ValuesGone += uint64(len(past)); values.lost {
			r.report.ValuesGone += uint64(named - len(p.standing.Values))
			lost[id] = true
			derive(p.standing, values.plain, now.register, r.report.At)
			if err := v.planMoment(tx, p, moment, momentOver(now.register, p.standing)); err != nil {
				return err
			}
			row, err := keys.PackList(values.envelopes)
			if err == nil {
				err = bucketProfiles.put(tx, p.at, row)
			}
			if err != nil {
				return err
			}
		}
		return r.noteRestored(tx, p)
	})
}

// closedPast returns the past values of a person that do not open.
func (v *Vault) closedPast(r store.Reader, p *person) (ids []privacy.ID, err error) {
	values := &valuesOf{v: v, p: p}
	err = bucketHistory.scan(r, p.at, func(rest, envelope []byte) error {
		if len(rest) != len(privacy.ID{}) {
			return errIntegrity
		}
		id := privacy.ID(rest)
		_, err := values.unsealPast(id, envelope)
		if errors.Is(err, keys.ErrIntegrity) {
			ids = append(ids, id)
			return nil
		}
		return err
	})
	return ids, err
}

// strayRows removes the rows by which values found people of whom they are gone. What
// they were nobody can tell: so whatever row is not of a value that is there goes. An
// epoch whose key is gone is emptied by what follows.
func (r *restore) strayRows(ctx context.Context, lost map[privacy.SubjectID]bool) error {
	v := r.v
	e, err := v.epochsNow(ctx)
	if err != nil {
		return err
	}
	for _, epoch := range e.live() {
		bucket := indexBucket(epoch)
		err := pages(ctx, v.cfg.Store, bucket, func(rows []row) error {
			stray := map[privacy.SubjectID][][]byte{}
			for _, row := range rows {
				if len(row.key) <= blindLen {
					return errIntegrity
				}
				id, err := v.personAt(row.key[blindLen:])
				if err != nil {
					return err
				}
				if lost[id] {
					stray[id] = append(stray[id], row.key)
				}
			}
			if len(stray) == 0 {
				return nil
			}
			return v.update(ctx, func(tx store.Tx) error {
				for id, theirs := range stray {
					if err := v.dropStray(ctx, tx, epoch, id, theirs); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) dropStray(ctx context.Context, tx store.Tx, epoch uint32, id privacy.SubjectID, theirs [][]byte) error {
	p, err := v.load(ctx, tx, id)
	if err != nil || p == nil {
		return errors.Join(err, missing(p, id))
	}
	values, err := v.valuesOf(tx, p)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for i := range p.standing.Values {
		fact := &p.standing.Values[i]
		if fact.Index == [16]byte{} {
			continue
		}
		value, err := values.open(fact)
		if err != nil {
			return err
		}
		for _, lookup := range lookupForms(fact.Field, "", value) {
			index, err := v.blind(epoch, fact.Field, lookup)
			if errors.Is(err, keys.ErrEpoch) {
				return nil
			}
			if err != nil {
				return err
			}
			there[string(indexKey(index, p.at))] = true
		}
	}
	for _, key := range theirs {
		if there[string(key)] {
			continue
		}
		if err := tx.Delete(indexBucket(epoch), key); err != nil {
			return err
		}
	}
	return nil
}
