package vault

import (
	"context"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Restriction says whether the processing of a person's data is restricted (Art.
// 18): then nothing of them is released to anybody, for no purpose, and all of it
// stays.
type Restriction struct {
	Restricted bool
	Since      time.Time
}

// restrictionRecord is the log's record of a restriction.
type restrictionRecord struct {
	Format   int               `json:"v"`
	At       time.Time         `json:"at"`
	Act      string            `json:"act"` // restricted, lifted
	Officer  string            `json:"officer,omitempty"`
	Channel  privacy.ChannelID `json:"channel,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	By       privacy.Actor     `json:"by,omitzero"` // who acted in the person's session
	Standing rowDigest         `json:"standing"`
}

// events of a restriction tell channels that they may see nothing any more, or
// again.
func (r restrictionRecord) events() []event.Event {
	t := privacy.EventSubjectRestricted
	if r.Act == actLifted {
		t = privacy.EventSubjectUnrestricted
	}
	return []event.Event{{Type: t, Time: r.At, Before: r.Standing.before()}}
}

const (
	actRestricted = "restricted"
	actLifted     = "lifted"
)

// RestrictOwn restricts the processing of the person's data. It lets out less, so
// that every session may. When it returns, no read that begins releases anything of
// them. In a session of nobody it is answered the same, and there is nothing to
// restrict.
func (v *Vault) RestrictOwn(ctx context.Context, by Caller, reason string, who *privacy.Actor) (*Restriction, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	if err := checkWords(reason, who); err != nil {
		return nil, err
	}
	now, _, _ := v.clock.now()
	if s.Subject == privacy.Nobody {
		return &Restriction{Restricted: true, Since: now}, nil
	}
	return v.restrict(ctx, by, s.Subject, restrictionRecord{Act: actRestricted, Channel: s.Channel, Reason: reason, By: s.actor(who)})
}

// LiftOwn ends a restriction, whoever made it. That widens, so it needs a session
// of the person's own.
func (v *Vault) LiftOwn(ctx context.Context, by Caller, who *privacy.Actor) (*Restriction, error) {
	s, err := v.mustFull(by)
	if err != nil {
		return nil, err
	}
	if err := checkWords("", who); err != nil {
		return nil, err
	}
	if s.Subject == privacy.Nobody {
		return nil, errNothingKnown
	}
	return v.restrict(ctx, by, s.Subject, restrictionRecord{Act: actLifted, By: s.actor(who)})
}

// Restrict restricts the processing of a person's data for an officer, with a
// reason that stands in the person's record.
func (v *Vault) Restrict(ctx context.Context, by Caller, id privacy.SubjectID, reason string) (*Restriction, error) {
	return v.restrictFor(ctx, by, id, reason, actRestricted)
}

// Lift ends a restriction for an officer, who has told the person before (Art.
// 18(3)) and says why.
func (v *Vault) Lift(ctx context.Context, by Caller, id privacy.SubjectID, reason string) (*Restriction, error) {
	return v.restrictFor(ctx, by, id, reason, actLifted)
}

func (v *Vault) restrictFor(ctx context.Context, by Caller, id privacy.SubjectID, reason, act string) (*Restriction, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	reason, err := reasonOf(reason)
	if err != nil {
		return nil, err
	}
	return v.restrict(ctx, by, id, restrictionRecord{Act: act, Officer: by.Client.Officer, Reason: reason})
}

// restrict restricts somebody or lifts it: ledger first, then the state with its
// record. Done twice it changes nothing.
func (v *Vault) restrict(ctx context.Context, by Caller, id privacy.SubjectID, record restrictionRecord) (*Restriction, error) {
	now, believed, _ := v.clock.now()
	kind := ledgerRestricted
	if record.Act == actLifted {
		if kind = ledgerLifted; !believed {
			return nil, unavailable("the clock is not believed, so no restriction is lifted until an officer confirms it")
		}
	}
	note := privacy.NewID(now)
	if err := v.ledger.add(ctx, kind, note, id, "", now); err != nil {
		return nil, v.refusal(err)
	}
	var done *Restriction
	err := v.update(ctx, func(tx store.Tx) error {
		p, err := v.load(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := v.ledger.kept(tx, note); err != nil {
			return err
		}
		if there(p) == nil {
			done = nil
			return nil
		}
		since := p.standing.Restricted
		switch {
		case record.Act == actRestricted && since.IsZero():
			since = now
		case record.Act == actLifted:
			since = time.Time{}
		}
		done = &Restriction{Restricted: !since.IsZero(), Since: since}
		if since != p.standing.Restricted {
			p.standing.Restricted = since
			record.Format, record.At = 1, now
			if record.Standing, err = v.saveDigest(tx, p); err != nil {
				return err
			}
			if err := v.noteOf(tx, p, log.Request, note, record); err != nil {
				return err
			}
		}
		return by.Once.keep(tx, done, id)
	})
	if err = v.ledger.done(ctx, err); err != nil {
		return nil, v.refusal(err)
	}
	if done == nil {
		if by.session != nil {
			return nil, ErrInvalidClient
		}
		return nil, refuse(CodeUnknownSubject, "nobody is known by this reference")
	}
	return done, nil
}

// checkWords checks what somebody in a session says of why, and of who they are.
func checkWords(reason string, who *privacy.Actor) error {
	if len(reason) > maxReason || !privacy.Plain(reason) {
		return invalid("reason", "too_long", "expected a plain text of at most %d bytes", maxReason)
	}
	if who == nil {
		return nil
	}
	switch who.Role {
	case privacy.BySubject, privacy.ByGuardian, privacy.ByAgent:
	default:
		return invalid("by.role", "invalid_value", "expected subject, guardian or agent")
	}
	if len(who.Ref) > 200 {
		return invalid("by.ref", "too_long", "expected at most 200 bytes")
	}
	return nil
}
