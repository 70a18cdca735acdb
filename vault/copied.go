package vault

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// OwnTouch is what a channel had to do with a person.
type OwnTouch struct {
	Kind     TouchKind
	Topic    string
	Medium   string
	Purpose  privacy.PurposeID
	Ref      string
	Channel  privacy.ChannelID
	At       time.Time
	Recorded time.Time
	Expires  time.Time
	Ended    time.Time
}

// OwnRefusal is that a person would not tell a field when they were asked.
type OwnRefusal struct {
	Field   privacy.FieldName
	Purpose privacy.PurposeID
	At      time.Time
}

// copyRest adds what a copy by Art. 15 has beside values, requests and recipients.
func (v *Vault) copyRest(snap store.Snapshot, r *regime, s *ownSession, p *person, out *Takeout) error {
	now, _, _ := v.clock.now()
	if err := v.copyPast(snap, r, p, out, now); err != nil {
		return err
	}
	if err := v.copyDealings(snap, r, p, out, now); err != nil {
		return err
	}
	holds := map[privacy.PurposeID]bool{}
	for _, value := range out.Values {
		for _, h := range value.For {
			holds[h.Purpose] = true
		}
	}
	for i := range r.register.Purposes {
		own := ownPurpose(r, s, p.standing, &r.register.Purposes[i], now)
		if holds[own.Purpose] || own.Consent != nil || !own.Since.IsZero() {
			out.Purposes = append(out.Purposes, own)
		}
	}
	for _, g := range p.standing.Grounds {
		out.Grounds = append(out.Grounds, OwnGround(g))
	}
	return v.consentRecords(snap, p, func(record *consentRecord) error {
		said := ownConsent(record)
		said.Evidence = record.Evidence
		out.Consents = append(out.Consents, said)
		return nil
	})
}

// copyPast adds the values that lost to others and are kept still.
func (v *Vault) copyPast(snap store.Snapshot, r *regime, p *person, out *Takeout, now time.Time) error {
	values, err := v.valuesOf(snap, p)
	if err != nil {
		return err
	}
	return bucketHistory.scan(snap, p.at, func(rest, envelope []byte) error {
		if len(rest) != len(privacy.ID{}) {
			return fmt.Errorf("a past value of %s: %w", p.id, errIntegrity)
		}
		plain, err := values.unsealPast(privacy.ID(rest), envelope)
		if err != nil {
			return fmt.Errorf("opening a past value of %s: %w", p.id, err)
		}
		var past pastValue
		if err := json.Unmarshal(plain, &past); err != nil {
			return fmt.Errorf("reading a past value of %s: %w", p.id, errIntegrity)
		}
		if !past.Kept && !v.pastEnded(r.register, p.standing, &past, madeAt(privacy.ID(rest)), now) {
			out.Past = append(out.Past, PastValue{Field: past.Field, Value: privacy.NewSensitive(past.Value), Observed: past.Observed,
				Recorded: past.Recorded, Channel: past.Channel, Origin: past.Origin, Inference: past.Inference, By: past.By})
		}
		return nil
	})
}

// copyDealings adds what channels had to do with the person and what they would not
// tell. What is to be confidential for a while is counted until then (Art. 23), as
// accesses are.
func (v *Vault) copyDealings(snap store.Snapshot, r *regime, p *person, out *Takeout, now time.Time) error {
	d, err := v.dealings(snap, p)
	if err != nil {
		return err
	}
	for i := range d.Touches {
		t := &d.Touches[i]
		if purpose, ok := r.register.Purpose(t.Purpose); ok && !purpose.ConfidentialFor.IsZero() && now.Before(purpose.ConfidentialFor.After(t.Recorded)) {
			out.TouchesLater++
			continue
		}
		out.Touches = append(out.Touches, ownTouch(t))
	}
	for _, f := range d.Refusals {
		out.Refusals = append(out.Refusals, OwnRefusal{Field: f.Field, Purpose: f.Purpose, At: f.At})
	}
	return nil
}

func ownTouch(t *contact.Touch) OwnTouch {
	return OwnTouch{Kind: t.Kind, Topic: t.Topic, Medium: t.Medium, Purpose: t.Purpose, Ref: t.Ref, Channel: t.Channel,
		At: t.At, Recorded: t.Recorded, Expires: t.Expires, Ended: t.Ended}
}

func ownConsent(r *consentRecord) OwnConsent {
	return OwnConsent{Consent: r.ID, Purpose: r.Purpose, Status: r.Status, Effective: r.Effective, At: r.At, Recorded: r.Recorded,
		Until: r.Until, Channel: r.Channel, Method: r.Method, Language: r.Language, Jurisdiction: r.Jurisdiction, Notice: r.Notice,
		Register: r.Register, Fields: r.Fields, Recipients: r.Recipients, By: r.By}
}
