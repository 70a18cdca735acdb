package vault

import (
	"context"
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
	Past     []PastValue
	Purposes []OwnPurpose // those that hold a value, or that the person said something to
	Consents []OwnConsent // the oldest first
	Grounds  []OwnGround
	Touches  []OwnTouch // what channels had to do with them
	// TouchesLater counts those of a purpose that is confidential_for some time still.
	TouchesLater int
	Refusals     []OwnRefusal
	Requests     []Request // the oldest first, with what was said of them
	Recipients   []Recipient
	Later        *Later // what was shown to recipients and is told later; nil: nothing

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
	var asked []*requestRecord
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
		} else if err := v.copyRest(snap, r, s, p, out); err != nil {
			return err
		} else if asked, err = v.requestsAbout(snap, p.id); err != nil {
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
		for _, q := range asked {
			out.Requests = append(out.Requests, v.ownRequest(ctx, q))
		}
		if out.Recipients, out.Later, err = v.recipients(ctx, s); err != nil {
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
