package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// To erase some of somebody's values, their values key is replaced: the state
// names what stays, then keys.db gets a fresh key with the shares of it, then the
// state says that this is done. In between nobody seals a value with a key that
// they read before: who would, finds the mark that the first step leaves.
//
//	rekeying    place → 0x01

// busyError is returned for somebody of whom something is being erased: a moment
// later it is done.
type busyError struct{ id privacy.SubjectID }

// Error names them.
func (e *busyError) Error() string { return fmt.Sprintf("%s is being erased, or a part of it", e.id) }

// mustSettle refuses to seal values of somebody whose key is about to
// be replaced, or to make somebody of an ID that is being erased.
func (v *Vault) mustSettle(r store.Reader, at place, id privacy.SubjectID) error {
	mark, err := bucketRekeying.get(r, at)
	if err == nil && mark != nil {
		err = &busyError{id}
	}
	return err
}

// waitFor does what a busyError waits for.
func (v *Vault) waitFor(ctx context.Context, id privacy.SubjectID) error {
	q, err := v.runningNow(ctx, id)
	switch {
	case err != nil:
		return err
	case q != nil && q.Step > stepAsked:
		return v.erasures.advanceNow(ctx, v, q.ID)
	}
	return v.finishRekeying(ctx, id)
}

// waited reports whether an error said to wait and it was waited for: then the
// caller begins again.
func (v *Vault) waited(ctx context.Context, err error) (bool, error) {
	var busy *busyError
	if !errors.As(err, &busy) {
		return false, err
	}
	if err := v.waitFor(ctx, busy.id); err != nil {
		return false, err
	}
	return true, nil
}

// finishRekeying replaces the values keys of people who are marked, and takes the
// marks away. Of those of whom somebody else did it nothing is left to do.
func (v *Vault) finishRekeying(ctx context.Context, ids ...privacy.SubjectID) error {
	v.rekeys.Lock()
	defer v.rekeys.Unlock()
	var marked []privacy.SubjectID
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		for _, id := range ids {
			mark, err := bucketRekeying.get(s, v.place(id))
			if err != nil {
				return err
			}
			if mark == nil {
				continue
			}
			p, err := v.load(ctx, s, id)
			if err != nil {
				return err
			}
			if living(p) != nil { // else an erasure does it
				marked = append(marked, id)
			}
		}
		return nil
	})
	if err != nil || len(marked) == 0 {
		return err
	}
	if err := v.replaceKeys(ctx, marked, true); err != nil {
		return err
	}
	return v.update(ctx, func(tx store.Tx) error {
		for _, id := range marked {
			if err := bucketRekeying.delete(tx, v.place(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// rekey replaces the values key of somebody who is marked, of whom no past value
// stays, and leaves the mark.
func (v *Vault) rekey(ctx context.Context, id privacy.SubjectID) error {
	v.rekeys.Lock()
	defer v.rekeys.Unlock()
	return v.replaceKeys(ctx, []privacy.SubjectID{id}, false)
}

// sealedValue is a value of somebody's as it lies in the store.
type sealedValue struct {
	as       keys.Binding
	envelope []byte
}

// replaceKeys gives people fresh values keys, with the shares of what they have
// now, and of past values if they stay. The caller holds rekeys, and the people are marked.
func (v *Vault) replaceKeys(ctx context.Context, ids []privacy.SubjectID, past bool) error {
	stay := make([][]sealedValue, len(ids))
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		for i, id := range ids {
			p, err := v.load(ctx, s, id)
			if err == nil && p == nil {
				err = missing(p, id)
			}
			if err == nil {
				stay[i], err = v.sealedOf(s, p, past)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = v.cfg.Keys.Update(ctx, func(tx store.Tx) error {
		under, err := keysEpoch(tx)
		if err != nil {
			return err
		}
		ring := v.keyring()
		if under > ring.KEKEpoch() {
			return ErrOlderKeyring
		}
		for i, id := range ids {
			if err := v.replaceKey(tx, ring, id, stay[i]); err != nil {
				return fmt.Errorf("replacing the values key of %s: %w", id, err)
			}
		}
		return nil
	})
	return err
}

func (v *Vault) replaceKey(tx store.Tx, ring *keys.Keyring, id privacy.SubjectID, stay []sealedValue) error {
	at := v.place(id)
	row, err := bucketDEKs.get(tx, at)
	if err != nil {
		return err
	}
	if row == nil {
		return fmt.Errorf("there is none: %w", errIntegrity)
	}
	d, err := unpackDEKs(row)
	if err != nil {
		return err
	}
	values, err := ring.Unwrap(d.wrapped, id, keys.Values)
	if err != nil {
		return err
	}
	history, err := ring.Unwrap(d.wrapped, id, keys.History)
	if err != nil {
		return err
	}
	before, err := keys.OpenKept(values, v.id, id, d.kept)
	if err != nil {
		return err
	}
	var kept keys.Kept
	for _, s := range stay {
		if err := kept.Keep(before, values, s.as, s.envelope); err != nil {
			return err
		}
	}
	next, err := ring.NewDEK()
	if err != nil {
		return err
	}
	if d.kept, err = kept.Seal(next, v.id, id); err != nil {
		return err
	}
	if d.wrapped, err = ring.Wrap(id, next, history); err != nil {
		return err
	}
	return bucketDEKs.put(tx, at, d.pack())
}

// sealedOf returns the values of a person, and past ones if they are wanted.
func (v *Vault) sealedOf(r store.Reader, p *person, past bool) (all []sealedValue, err error) {
	values, err := v.valuesOf(r, p)
	if err != nil {
		return nil, err
	}
	for i := range p.standing.Values {
		all = append(all, sealedValue{v.bindValue(p.id, &p.standing.Values[i]), values.sealed.Envelope(i)})
	}
	if !past {
		return all, nil
	}
	err = bucketHistory.scan(r, p.at, func(rest, envelope []byte) error {
		if len(rest) != len(privacy.ID{}) {
			return fmt.Errorf("a past value of %s: %w", p.id, errIntegrity)
		}
		all = append(all, sealedValue{v.bind(p.id, pastField(privacy.ID(rest)), 1), append([]byte(nil), envelope...)})
		return nil
	})
	return all, err
}
