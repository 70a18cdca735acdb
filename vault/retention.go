package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// The limits of the register are kept by a run that looks at everybody and
// removes what is past its end: current values, past ones, and people of whom
// nothing is left that anybody may act on. What is past its end is never read,
// removed or not. Nothing of a run needs to be remembered: one that was cut off is
// made again, and what it had marked is finished first.

const (
	retentionEvery = 10 * time.Second
	retentionShare = 100 // a run takes at most so much of the time: one part in …
	askAgain       = 24 * time.Hour
	retentionPage  = 64 // people in one transaction, which others wait for
	mostTouched    = 20 // one in so many people may be touched without asking
)

// followRetention makes a run after another.
func (v *Vault) followRetention(ctx context.Context) {
	wait := time.NewTimer(retentionEvery)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		case <-v.runs:
		}
		began := time.Now()
		if _, err := v.keepLimits(ctx); err != nil && ctx.Err() == nil {
			v.cfg.Logger.Error("removing what is past its end", "err", err)
		}
		wait.Reset(max(retentionEvery, retentionShare*time.Since(began)))
	}
}

// retentionReason is why people are erased of whom nothing is left.
const retentionReason = "nothing of this person may be kept any longer: its time was over"

// runAgain has the next run begin now.
func (v *Vault) runAgain() {
	select {
	case v.runs <- struct{}{}:
	default: // it is about to
	}
}

// overdue is what of one person is past its end.
type overdue struct {
	values []privacy.FieldName
	past   []privacy.ID
	// all says that nothing would be left that anybody may act on.
	all bool
}

func (o *overdue) any() bool { return len(o.values) > 0 || len(o.past) > 0 || o.all }

// overdueOf says what of a person is past its end. Of whom a hold is on, whose data is
// only to be stored (Art. 18), and who is being erased, nothing is. p's past values are
// opened for it, if there are any.
func (v *Vault) overdueOf(r store.Reader, reg *register.Register, p *person, now time.Time) (o overdue, err error) {
	s := p.standing
	if !p.known() || s.Phase != consent.Active || len(s.Holds) > 0 || !s.Restricted.IsZero() {
		return o, nil
	}
	stays := keptOf(reg, s, now)
	for i := range s.Values {
		fact := &s.Values[i]
		switch f, declared := reg.Field(fact.Field); {
		case fact.Kept && !staysField(stays, fact.Field),
			!fact.Kept && declared && f.TTL.IsZero() && s.Ended(reg, f, fact.Observed, now): // momentary.go has the others
			o.values = append(o.values, fact.Field)
		}
	}
	if o.past, err = v.overduePast(r, reg, p, now); err != nil {
		return o, err
	}
	if len(o.values) < len(s.Values) {
		return o, nil
	}
	switch {
	case len(s.Kept) > 0 && !s.CameBack():
		o.all = true
	case len(s.Values) > 0:
		o.all = !awaited(reg, s, now)
	default: // by ID they can still be named, and a no of theirs be asked for
		o.all = !awaited(reg, s, now) && !slices.ContainsFunc(s.Consents, func(c consent.Consent) bool { return c.Status.Narrows() })
	}
	return o, nil
}

// awaited reports whether somebody of whom no value is left is there for anything: a
// contract that runs, a consent in force. They may tell the rest again. A law has
// nothing to demand of them, and that they did not opt out tells nothing.
func awaited(reg *register.Register, s *consent.Standing, now time.Time) bool {
	return slices.ContainsFunc(reg.Purposes, func(p register.Purpose) bool {
		return p.Basis != privacy.LegalObligation && p.Basis != privacy.OptOut && s.Live(reg, &p, now)
	})
}

// keptOf returns what still stays of an erased life: for the purposes it was kept
// for, and no others.
func keptOf(reg *register.Register, s *consent.Standing, now time.Time) []Stay {
	if len(s.Kept) == 0 {
		return nil
	}
	return slices.DeleteFunc(staysOf(reg, s, now), func(stay Stay) bool { return !slices.Contains(s.Kept, stay.Purpose) })
}

// overduePast returns the past values of a person that are past their end: as any
// value is, or because the register keeps past values of the field no longer.
func (v *Vault) overduePast(r store.Reader, reg *register.Register, p *person, now time.Time) (ids []privacy.ID, err error) {
	var values *valuesOf
	err = bucketHistory.scan(r, p.at, func(rest, envelope []byte) error {
		if len(rest) != len(privacy.ID{}) {
			return fmt.Errorf("a past value of %s: %w", p.id, errIntegrity)
		}
		if values == nil {
			values = &valuesOf{v: v, p: p}
		}
		id := privacy.ID(rest)
		plain, err := values.unsealPast(id, envelope)
		if err != nil {
			return fmt.Errorf("opening a past value of %s: %w", p.id, err)
		}
		var past pastValue
		if err := json.Unmarshal(plain, &past); err != nil {
			return fmt.Errorf("reading a past value of %s: %w", p.id, errIntegrity)
		}
		if v.pastEnded(reg, p.standing, &past, madeAt(id), now) {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

func (v *Vault) pastEnded(reg *register.Register, s *consent.Standing, past *pastValue, lost, now time.Time) bool {
	f, declared := reg.Field(past.Field)
	if !declared {
		return false
	}
	if past.Kept {
		as := &consent.Standing{Values: []consent.Value{{Field: past.Field, Observed: past.Observed}}, Grounds: s.Grounds, Kept: s.Kept}
		return !staysField(keptOf(reg, as, now), past.Field)
	}
	if !f.History.IsZero() && !now.Before(f.History.After(lost)) {
		return true
	}
	return s.Ended(reg, f, past.Observed, now)
}

// kept is what a run did.
type kept struct {
	People  uint64 // who are known
	Touched uint64 // of whom something was past its end
	Asked   bool   // they are too many: an officer is asked
	Values  uint64
	Past    uint64
	Erased  uint64 // people
}

// keepLimits makes one run. While the clock is not believed it does nothing.
func (v *Vault) keepLimits(ctx context.Context) (k kept, err error) {
	v.limiting.Lock()
	defer v.limiting.Unlock()
	if err := v.finishMarked(ctx); err != nil {
		return k, err
	}
	if _, believed, _ := v.clock.now(); !believed {
		return k, nil
	}
	var touched []privacy.SubjectID
	now, _, _ := v.clock.now()
	err = v.eachOverdue(ctx, now, func(id privacy.SubjectID, o overdue) {
		k.People++
		if o.any() {
			touched = append(touched, id)
		}
	})
	if err != nil {
		return k, err
	}
	k.Touched = uint64(len(touched))
	approved, err := v.mayTouch(ctx, k.People, k.Touched)
	if err != nil {
		return k, err
	}
	if approved == nil && k.Touched*mostTouched > k.People {
		k.Asked = true
		return k, nil
	}
	for page := range slices.Chunk(touched, retentionPage) {
		if err := v.removeOverdue(ctx, page, &k); err != nil {
			return k, err
		}
	}
	if approved != nil {
		err = v.doneTouching(ctx, approved.ID, &k)
	}
	if k.Touched > 0 {
		v.cfg.Logger.Info("what is past its end was removed", "people", k.Touched, "values", k.Values, "past_values", k.Past, "erased", k.Erased)
		v.erasures.look()
	}
	return k, err
}

// finishMarked replaces the keys of people of whom a run that was cut off had
// removed something.
func (v *Vault) finishMarked(ctx context.Context) error {
	return pages(ctx, v.cfg.Store, bucketRekeying.all(), func(rows []row) error {
		var ids []privacy.SubjectID
		for _, row := range rows {
			id, err := v.personAt(row.key)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return v.finishRekeying(ctx, ids...)
	})
}

// eachOverdue calls fn with everybody and what of them is past its end at a time.
// Who cannot be read is damage, which others find.
func (v *Vault) eachOverdue(ctx context.Context, now time.Time, fn func(privacy.SubjectID, overdue)) error {
	return pages(ctx, v.cfg.Store, bucketStanding.all(), func(rows []row) error {
		return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			r, err := v.regime(ctx, s)
			if err != nil {
				return err
			}
			for _, row := range rows {
				id, err := v.personAt(row.key)
				if err != nil {
					return err
				}
				if id == privacy.Nobody {
					continue
				}
				o, err := v.overdueNow(ctx, s, r.register, id, now)
				if errors.Is(err, keys.ErrIntegrity) {
					v.cfg.Logger.Warn("whether anything is past its end cannot be told of somebody", "subject", id, "err", err)
				} else if err != nil {
					return err
				}
				fn(id, o)
			}
			return nil
		})
	})
}

func (v *Vault) overdueNow(ctx context.Context, r store.Reader, reg *register.Register, id privacy.SubjectID, now time.Time) (overdue, error) {
	p, err := v.load(ctx, r, id)
	if p == nil || err != nil {
		return overdue{}, err
	}
	return v.overdueOf(r, reg, p, now)
}

// removeOverdue removes of some people what is past its end, and replaces their
// values keys, so that old copies do not open it either.
func (v *Vault) removeOverdue(ctx context.Context, ids []privacy.SubjectID, k *kept) error {
	var rekeyed, gone []privacy.SubjectID
	var done kept
	if err := v.erasures.at("values to remove"); err != nil {
		return err
	}
	err := v.update(ctx, func(tx store.Tx) error {
		rekeyed, gone, done = nil, nil, kept{}
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		now, believed, _ := v.clock.now()
		if !believed {
			return errUnchanged
		}
		for _, id := range ids {
			p, err := v.load(ctx, tx, id)
			if err != nil {
				return err
			}
			if p == nil {
				continue
			}
			o, err := v.overdueOf(tx, r.register, p, now)
			switch {
			case err != nil:
				return err
			case o.all:
				gone = append(gone, id)
			case o.any():
				switch err := v.removeOf(ctx, tx, r.register, p, &o, now); {
				case errors.Is(err, keys.ErrIntegrity):
					v.cfg.Logger.Warn("what is past its end is not removed of somebody", "subject", id, "err", err)
					continue
				case err != nil:
					return fmt.Errorf("removing what is past its end: %w", err)
				}
				done.Values, done.Past = done.Values+uint64(len(o.values)), done.Past+uint64(len(o.past))
				rekeyed = append(rekeyed, id)
			}
		}
		if len(rekeyed) == 0 {
			return errUnchanged
		}
		return v.markSwept(tx)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return err
	}
	if err := v.erasures.at("values removed"); err != nil {
		return err
	}
	if err := v.finishRekeying(ctx, rekeyed...); err != nil {
		return err
	}
	k.Values, k.Past = k.Values+done.Values, k.Past+done.Past
	for _, id := range gone {
		now, _, _ := v.clock.now()
		q, err := v.beginErasure(ctx, eraser{reason: retentionReason}, id, privacy.NewRequestID(now), now)
		if err != nil {
			return err
		}
		if err := v.erasures.advanceNow(ctx, v, q.ID); err != nil {
			return err
		}
		k.Erased++
	}
	return nil
}

// removeOf removes of one person what is past its end, and marks them.
func (v *Vault) removeOf(ctx context.Context, tx store.Tx, reg *register.Register, p *person, o *overdue, now time.Time) error {
	values, err := v.openAll(tx, p)
	if err != nil {
		return err
	}
	if values.lost {
		return fmt.Errorf("a value does not open: %w", errIntegrity)
	}
	whole := *p.standing
	removed := map[string]uint64{}
	dropped, stay := &consent.Standing{}, []consent.Value{}
	var envelopes [][]byte
	for i, fact := range p.standing.Values {
		if slices.Contains(o.values, fact.Field) {
			dropped.Values = append(dropped.Values, fact)
			continue
		}
		stay, envelopes = append(stay, fact), append(envelopes, values.envelopes[i])
	}
	theirs := *p
	theirs.standing = dropped
	names, err := v.release(ctx, tx, reg, &theirs, values, removed)
	if err != nil {
		return err
	}
	*p.standing = whole
	p.standing.Values = stay
	plain := maps.Clone(values.plain)
	for _, f := range o.values {
		delete(plain, f)
	}
	derive(p.standing, plain, reg, now)
	if len(p.standing.Kept) > 0 {
		p.standing.Kept = purposesOf(keptOf(reg, p.standing, now))
	}
	row, err := keys.PackList(envelopes)
	if err != nil {
		return err
	}
	if err := bucketProfiles.put(tx, p.at, row); err != nil {
		return err
	}
	for _, id := range o.past {
		if err := bucketHistory.delete(tx, p.at.with(id[:]...)); err != nil {
			return err
		}
	}
	if err := bucketRekeying.put(tx, p.at, []byte{1}); err != nil {
		return err
	}
	digest, err := v.saveDigest(tx, p)
	if err != nil {
		return err
	}
	v.limits.forget(p.id, names) // whether or not this is kept: a count is no more than that
	return v.noteOf(tx, p, log.Erasure, privacy.NewID(now), retentionNote{Format: 1, At: now, Act: "retention", Fields: o.values, Past: len(o.past), Standing: digest})
}

// retentionNote is the log's record that values of a person were removed because
// their time was over.
type retentionNote struct {
	Format   int                 `json:"v"`
	At       time.Time           `json:"at"`
	Act      string              `json:"act"`
	Fields   []privacy.FieldName `json:"fields,omitempty"`
	Past     int                 `json:"past_values,omitempty"`
	Standing rowDigest           `json:"standing"`
}
