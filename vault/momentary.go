package vault

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Values of the moment – what somebody is looking for, where they are, what lies
// in their basket – have a time to live. Past it they count as absent; soon after
// they are removed, and they leave nothing in the history.
//
//	values/due   time(8, µs) place → nothing: when a value of the moment is over
const bucketValuesDue store.Bucket = "values/due"

// momentWithin is how exactly it shows when a value of the moment is over.
const momentWithin = time.Minute

// momentOver returns when the first of a person's values of the moment is over;
// zero if there is none.
func momentOver(reg *register.Register, s *consent.Standing) (first time.Time) {
	for i := range s.Values {
		v := &s.Values[i]
		if f, ok := reg.Field(v.Field); ok && !f.TTL.IsZero() {
			if end := f.TTL.After(v.Observed); first.IsZero() || end.Before(first) {
				first = end
			}
		}
	}
	if first.IsZero() {
		return first
	}
	return first.Add(momentWithin - 1).Truncate(momentWithin)
}

// planMoment notes when the person's values of the moment are over, in the place
// of what was noted before.
func (v *Vault) planMoment(tx store.Tx, p *person, before, now time.Time) error {
	if before.Equal(now) {
		return nil
	}
	if !before.IsZero() {
		if err := tx.Delete(bucketValuesDue, dueKey(before, p.at)); err != nil {
			return err
		}
	}
	if now.IsZero() {
		return nil
	}
	return tx.Put(bucketValuesDue, dueKey(now, p.at), []byte{})
}

// sweepMoments removes some of the values whose moment is over, and reports
// whether there may be more.
func (v *Vault) sweepMoments(ctx context.Context) (more bool, err error) {
	now, believed, _ := v.clock.now()
	if !believed {
		return false, nil
	}
	due, err := v.due(ctx, bucketValuesDue, now)
	if err != nil || len(due) == 0 {
		return false, err
	}
	return len(due) == sweepMost, v.update(ctx, func(tx store.Tx) error {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		for _, key := range due {
			if err := v.dropMoments(ctx, tx, r, key, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropMoments removes those of one person.
func (v *Vault) dropMoments(ctx context.Context, tx store.Tx, r *regime, key []byte, now time.Time) error {
	if there, err := tx.Get(bucketValuesDue, key); there == nil || err != nil {
		return err // the person told something newer meanwhile
	}
	if err := tx.Delete(bucketValuesDue, key); err != nil {
		return err
	}
	id, err := v.personAt(key[8:])
	if err != nil {
		return err
	}
	p, err := v.load(ctx, tx, id)
	if living(p) == nil || err != nil {
		return err
	}
	values, err := v.valuesOf(tx, p)
	if err != nil {
		return err
	}
	sealed := map[privacy.FieldName][]byte{}
	var stay []consent.Value
	var over []privacy.FieldName
	for i, fact := range p.standing.Values {
		f, ok := r.register.Field(fact.Field)
		if ok && !f.TTL.IsZero() && !now.Before(f.TTL.After(fact.Observed)) {
			over = append(over, fact.Field)
			continue
		}
		stay = append(stay, fact)
		sealed[fact.Field] = values.sealed.Envelope(i)
	}
	p.standing.Values = stay
	if err := v.planMoment(tx, p, time.UnixMicro(int64(binary.BigEndian.Uint64(key))).UTC(), momentOver(r.register, p.standing)); err != nil || len(over) == 0 {
		return err
	}
	if err := values.put(tx, sealed, nil); err != nil {
		return err
	}
	digest, err := v.saveDigest(tx, p)
	if err != nil {
		return err
	}
	return v.noteOf(tx, p, log.Capture, privacy.NewID(now), captureRecord{Format: 1, At: now, Over: over, Standing: digest})
}
