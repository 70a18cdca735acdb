package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Scope is by which right somebody takes their data.
type Scope string

// The scopes of a person's export.
const (
	// ScopeAccess: a copy of all, with where it comes from, what for, and who was
	// shown it (Art. 15).
	ScopeAccess Scope = "access"
	// ScopePortable: what the person provided themselves and is held by consent or
	// contract, to take it elsewhere (Art. 20). What was seen of them counts as
	// provided, what a model made of it does not.
	ScopePortable Scope = "portable"
)

// Takeout is a person's data, as they take it. The same state gives the same
// takeout: it does not say when it was made.
type Takeout struct {
	Scope      Scope
	Subject    privacy.SubjectID
	Controller Controller
	Register   uint64
	Restricted time.Time
	Values     []OwnValue
	// All below are of ScopeAccess alone.
	Past       []PastValue
	Purposes   []OwnPurpose // those that hold a value, or that the person said something to
	Consents   []OwnConsent // the oldest first
	Grounds    []OwnGround
	Recipients []Recipient

	Decision privacy.DecisionID // of the record that it was taken; no part of it
}

// PastValue is a value that lost to another and is kept still.
type PastValue struct {
	Field     privacy.FieldName
	Value     privacy.Sensitive
	Observed  time.Time
	Recorded  time.Time
	Channel   privacy.ChannelID
	Origin    privacy.Origin
	Inference *privacy.Inference
	By        *privacy.Actor
}

// OwnGround is what makes a purpose true for a person that rests on no consent.
type OwnGround struct {
	Purpose privacy.PurposeID
	Ref     string
	Since   time.Time
	Until   time.Time
}

// Export gives a person their data, in a session of their own. That it was taken
// is an access record, durable before it is answered.
func (v *Vault) Export(ctx context.Context, by Caller, scope Scope) (*Takeout, error) {
	s, err := v.mustFull(by)
	if err != nil {
		return nil, err
	}
	if s.Subject == privacy.Nobody {
		return nil, errNothingKnown
	}
	if err := checkWords("", by.For); err != nil {
		return nil, err
	}
	return v.takeout(ctx, scope, func(snap store.Snapshot) (*regime, *person, error) { return v.self(ctx, snap, s) },
		func(r *regime, p *person, shown *shownValues) ([]byte, error) {
			shown.by = by.For
			return v.entryOfSession(r, p, s, SessionExported, shown)
		}, s)
}

// ExportFor gives an officer a person's data, who wrote or came for it, for a
// reason. The person sees that it was done and why.
func (v *Vault) ExportFor(ctx context.Context, by Caller, id privacy.SubjectID, scope Scope, reason string) (*Takeout, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	reason, err := reasonOf(reason)
	if err != nil {
		return nil, err
	}
	if err := checkWords("", by.For); err != nil {
		return nil, err
	}
	var asked *privacy.Actor
	if by.For != nil {
		asked = another(*by.For)
	}
	whose := &ownSession{Subject: id, Assurance: AssuranceVerified}
	load := func(snap store.Snapshot) (*regime, *person, error) {
		r, err := v.regime(ctx, snap)
		if err != nil {
			return nil, nil, err
		}
		p, err := v.load(ctx, snap, id)
		if err == nil && there(p) == nil {
			err = refuse(CodeUnknownSubject, "nobody is known by this reference")
		}
		return r, p, err
	}
	now, _, _ := v.clock.now()
	whose.Opened, whose.Expires = now, now.Add(SubjectSessionLasts)
	return v.takeout(ctx, scope, load, func(r *regime, p *person, shown *shownValues) ([]byte, error) {
		at, _, _ := v.clock.now()
		shown.decision = privacy.NewDecisionID(at)
		return v.entry(p, log.Lookup, privacy.ID(shown.decision), accessRecord{Format: 1, At: at, Decision: shown.decision, Officer: by.Client.Officer, Reason: reason, By: asked,
			Policy: r.gov.Policy, Register: r.register.Revision, Standing: p.standing.Version, Released: shown.released})
	}, whose)
}

func (v *Vault) takeout(ctx context.Context, scope Scope, load func(store.Snapshot) (*regime, *person, error),
	note func(*regime, *person, *shownValues) ([]byte, error), s *ownSession) (*Takeout, error) {
	if scope != ScopeAccess && scope != ScopePortable {
		return nil, invalid("scope", "invalid_value", "expected access or portable")
	}
	for range attempts {
		out, err := v.takeoutOnce(ctx, scope, load, note, s)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return out, nil
	}
	return nil, unavailable("what is known of the person kept changing; try again")
}

func (v *Vault) takeoutOnce(ctx context.Context, scope Scope, load func(store.Snapshot) (*regime, *person, error),
	note func(*regime, *person, *shownValues) ([]byte, error), s *ownSession) (*Takeout, error) {
	out := &Takeout{Scope: scope, Subject: s.Subject}
	var entry []byte
	var on []store.Condition
	err := v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		r, p, err := load(snap)
		if err != nil {
			return err
		}
		on = []store.Condition{snap.Unchanged(bucketGovernance, keyCurrent), snap.Unchanged(bucketStanding.all(), p.at.key)}
		out.Controller, out.Register, out.Restricted = Controller(r.register.Controller), r.register.Revision, p.standing.Restricted
		if out.Values, err = v.ownValues(ctx, snap, r, s, p); err != nil {
			return err
		}
		if scope == ScopePortable {
			out.Values = slices.DeleteFunc(out.Values, func(v OwnValue) bool { return !portable(v) })
		} else if err := v.fillAccess(snap, r, s, p, out); err != nil {
			return err
		}
		shown := &shownValues{}
		for _, value := range out.Values {
			shown.released = append(shown.released, value.Field)
		}
		entry, err = note(r, p, shown)
		out.Decision = shown.decision
		return err
	})
	if err != nil {
		return nil, err
	}
	if scope == ScopeAccess {
		if out.Recipients, err = v.recipients(ctx, s); err != nil {
			return nil, err
		}
	}
	if _, err := v.cfg.Store.Append(ctx, entry, on...); err != nil {
		return nil, fmt.Errorf("recording what was taken: %w", err)
	}
	return out, nil
}

// portable reports whether a value is among those that one takes elsewhere.
func portable(v OwnValue) bool {
	return v.Origin != privacy.Inferred && slices.ContainsFunc(v.For, func(h Holding) bool { return h.Basis == privacy.Consent || h.Basis == privacy.Contract })
}

// fillAccess adds what a copy by Art. 15 has beside values and recipients.
func (v *Vault) fillAccess(snap store.Snapshot, r *regime, s *ownSession, p *person, out *Takeout) error {
	now, _, _ := v.clock.now()
	values, err := v.valuesOf(snap, p)
	if err != nil {
		return err
	}
	err = bucketHistory.scan(snap, p.at, func(rest, envelope []byte) error {
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
	if err != nil {
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
		out.Consents = append(out.Consents, ownConsent(record))
		return nil
	})
}

func ownConsent(r *consentRecord) OwnConsent {
	return OwnConsent{Consent: r.ID, Purpose: r.Purpose, Status: r.Status, Effective: r.Effective, At: r.At, Recorded: r.Recorded,
		Until: r.Until, Channel: r.Channel, Method: r.Method, Language: r.Language, Jurisdiction: r.Jurisdiction, Notice: r.Notice,
		Register: r.Register, Fields: r.Fields, Recipients: r.Recipients, By: r.By}
}
