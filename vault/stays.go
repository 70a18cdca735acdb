package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// staysOf returns what an erasure leaves of somebody: for each purpose that a law
// demands and whose ground stands for them, the values that it still has to have
// (Art. 17(3)(b)). A contract alone keeps nothing.
func staysOf(reg *register.Register, s *consent.Standing, now time.Time) (stays []Stay) {
	for i := range reg.Purposes {
		p := &reg.Purposes[i]
		if p.Basis != privacy.LegalObligation || !s.GroundStands(p, now) {
			continue
		}
		stay, forever := Stay{Purpose: p.ID, Basis: p.Basis}, false
		for _, f := range p.Fields {
			fact := s.Value(f)
			if fact == nil {
				continue
			}
			if p.Retention.IsZero() {
				forever = true
			} else if end := p.Retention.After(fact.Observed); end.After(now) {
				stay.Until = latest(stay.Until, end)
			} else {
				continue
			}
			stay.Fields = append(stay.Fields, f)
		}
		if forever {
			stay.Until = time.Time{}
		}
		if len(stay.Fields) > 0 {
			stays = append(stays, stay)
		}
	}
	return stays
}

func purposesOf(stays []Stay) (purposes []privacy.PurposeID) {
	for _, s := range stays {
		purposes = append(purposes, s.Purpose)
	}
	return purposes
}

// stays reports whether a field is among what stays.
func staysField(stays []Stay, f privacy.FieldName) bool {
	return slices.ContainsFunc(stays, func(s Stay) bool { return slices.Contains(s.Fields, f) })
}

// opened is what opens of somebody's values, in the order of their standing, which
// names no other after it was made.
type opened struct {
	plain     map[privacy.FieldName]privacy.Sensitive
	envelopes [][]byte
	// lost: some did not open. They were removed from here after the copy was made that
	// a restore brought up, or they are damaged. Nobody can say by which rows of
	// the index they found the person.
	lost bool
}

// openAll opens all values of a person, and takes from the standing those that do
// not open.
func (v *Vault) openAll(r store.Reader, p *person) (*opened, error) {
	o := &opened{plain: map[privacy.FieldName]privacy.Sensitive{}}
	values, err := v.valuesOf(r, p)
	if errors.Is(err, keys.ErrIntegrity) {
		o.lost, p.standing.Values = len(p.standing.Values) > 0, nil
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	var facts []consent.Value
	for i := range p.standing.Values {
		fact := &p.standing.Values[i]
		value, err := values.open(fact)
		if errors.Is(err, keys.ErrIntegrity) {
			o.lost = true
			continue
		}
		if err != nil {
			return nil, err
		}
		o.plain[fact.Field] = value
		facts, o.envelopes = append(facts, *fact), append(o.envelopes, values.sealed.Envelope(i))
	}
	p.standing.Values = facts
	return o, nil
}

// keepOnly makes a person somebody of whom only so much is known as a law demands:
// these values, which nobody finds them by any more, and the grounds of these
// purposes. Until their values key is replaced, nobody seals anything with it.
func (v *Vault) keepOnly(tx store.Tx, reg *register.Register, p *person, values *opened, stays []Stay, removed map[string]uint64) error {
	s := p.standing
	var facts []consent.Value
	var sealed [][]byte
	for i, fact := range s.Values {
		if !staysField(stays, fact.Field) {
			removed["values"]++
			delete(values.plain, fact.Field)
			continue
		}
		fact.Kept = true
		fact.Index, fact.Holds, fact.Channels = [16]byte{}, false, nil
		facts, sealed = append(facts, fact), append(sealed, values.envelopes[i])
	}
	purposes := purposesOf(stays)
	s.Values, s.Captured, s.Consents = facts, nil, nil
	s.Contests = slices.DeleteFunc(s.Contests, func(c consent.Contest) bool { return !staysField(stays, c.Field) })
	s.Grounds = slices.DeleteFunc(s.Grounds, func(g consent.Ground) bool { return !slices.Contains(purposes, g.Purpose) })
	now, _, _ := v.clock.now()
	derive(s, values.plain, reg, now)
	if err := bucketRekeying.put(tx, p.at, []byte{1}); err != nil {
		return err
	}
	row, err := keys.PackList(sealed)
	if err != nil {
		return err
	}
	return bucketProfiles.put(tx, p.at, row)
}

// endDealings ends what the channels had to do with somebody; what stays of them
// does not need it. Their row goes with the rest of a person who does.
func (v *Vault) endDealings(tx store.Tx, reg *register.Register, p *person, values *opened, partly bool) error {
	if !partly { // of what stays, what is of the moment still ends
		if err := v.planMoment(tx, p, momentOver(reg, p.standing), time.Time{}); err != nil {
			return err
		}
	}
	d, err := v.dealings(tx, p)
	if errors.Is(err, keys.ErrIntegrity) {
		values.lost = true
		return nil
	}
	if err != nil || d.Version == 0 {
		return err
	}
	if partly {
		now, _, _ := v.clock.now()
		d.Touches, d.Leases, d.Refusals = nil, nil, nil
		return v.saveDealings(tx, reg, p, d, now, touchRecord{Format: 1, At: now, Recorded: now, Kind: dealtOver})
	}
	if d.Due.IsZero() {
		return nil
	}
	return tx.Delete(bucketDue, dueKey(d.Due, p.at))
}

// release lets go of every identifier of somebody: nobody is found by it any more,
// or whoever else has it. It returns the names under which references by them
// were counted.
func (v *Vault) release(ctx context.Context, tx store.Tx, reg *register.Register, p *person, values *opened, removed map[string]uint64) (names [][32]byte, err error) {
	for i := range p.standing.Values {
		fact := &p.standing.Values[i]
		if fact.Index == [16]byte{} {
			continue
		}
		value := values.plain[fact.Field]
		f, declared := reg.Field(fact.Field)
		if !declared {
			f = &register.Field{Name: fact.Field}
		}
		for _, lookup := range lookupForms(fact.Field, f.Type, value) {
			names = append(names, v.keyring().MAC("asked", []byte(fact.Field), []byte(lookup)))
		}
		n, err := v.dropIndex(tx, fact.Field, value, p.id)
		if err != nil {
			return nil, err
		}
		removed["index_rows"] += n
		if declared {
			if err := v.bequeath(ctx, tx, p, f, *fact, value, ""); err != nil {
				return nil, err
			}
		}
	}
	return names, nil
}
