package vault

import (
	"context"
	"slices"
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

	told *telling // not kept: whom it is told to
}

func (r restrictionRecord) requested() privacy.RequestID { return r.told.requested() }

// events of a restriction tell channels that they may see nothing any more, or
// again.
func (r restrictionRecord) events() []event.Event {
	t := privacy.EventSubjectRestricted
	if r.Act == actLifted {
		t = privacy.EventSubjectUnrestricted
	}
	return []event.Event{r.told.tells(event.Event{Type: t, Time: r.At, Before: r.Standing.before()}, false)}
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

// restrictAsked restricts somebody who asked for it by letter, of whom it is known that
// it is them.
func (v *Vault) restrictAsked(ctx context.Context, by Caller, q *requestRecord) (*Restriction, error) {
	record := restrictionRecord{Act: actRestricted, Officer: by.Client.Officer, Reason: "request " + q.ID.String(), told: &telling{request: q.ID}}
	if q.Own != nil {
		record.By = *q.Own
	}
	return v.restrict(ctx, by, q.Subject, record)
}

// restrict restricts somebody or lifts it: ledger first, then the state with its
// record. Done twice it changes nothing. What restricts is kept as a request, too, where
// it stands who asked for it, and who was shown their data and is told.
func (v *Vault) restrict(ctx context.Context, by Caller, id privacy.SubjectID, record restrictionRecord) (*Restriction, error) {
	now, believed, _ := v.clock.now()
	kind := ledgerRestricted
	if record.Act == actLifted {
		if kind = ledgerLifted; !believed {
			return nil, unavailable("the clock is not believed, so no restriction is lifted until an officer confirms it")
		}
	}
	note := privacy.NewID(now)
	var had []shownTo
	if record.Act == actRestricted {
		had = v.whoHad(ctx, id)
	}
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
		waits, err := v.waitingFor(tx, id)
		if err != nil {
			return err
		}
		switch {
		case record.Act == actRestricted && (since.IsZero() || waits != nil && since.Equal(waits.Restricted)):
			// One that came with an erasure that waits would go if that is taken back.
			since = latest(now, since.Add(time.Microsecond))
		case record.Act == actLifted:
			since = time.Time{}
		}
		done = &Restriction{Restricted: !since.IsZero(), Since: since}
		if since != p.standing.Restricted {
			p.standing.Restricted = since
			record := record // this is not the only attempt
			record.Format, record.At = 1, now
			if record.Standing, err = v.saveDigest(tx, p); err != nil {
				return err
			}
			if record.Act == actRestricted {
				record.told, err = v.saveRestriction(tx, p, record, had)
			} else {
				record.told, err = v.saveLifted(tx, p, record)
			}
			if err != nil {
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

// saveRestriction keeps in a request that somebody is restricted, and who is told: in
// the one that asked for it, else in one that was answered as it was made.
func (v *Vault) saveRestriction(tx store.Tx, p *person, record restrictionRecord, had []shownTo) (*telling, error) {
	t := &telling{request: record.told.requested(), had: had}
	told := tellings(had, privacy.EventSubjectRestricted)
	if t.request != (privacy.RequestID{}) {
		q, err := v.requestOf(tx, t.request)
		if err != nil || q == nil {
			return nil, err
		}
		q.Told = told
		return t, v.saveRequest(tx, q)
	}
	t.request = privacy.NewRequestID(record.At)
	q := &requestRecord{ID: t.request, Kind: RequestRestriction, Status: RequestCompleted, Officer: record.Officer, Received: record.At,
		Due: answerWithin.After(record.At), Done: record.At, Subject: p.id, Told: told}
	if record.By != (privacy.Actor{}) {
		q.Own = &record.By
	}
	if record.Reason != "" {
		var err error
		if q.Reason, err = p.sealReason(v, q, record.Reason); err != nil {
			return nil, err
		}
	}
	if err := v.noteRight(tx, p, q, "completed", record.Officer, record.Reason, rowDigest{}); err != nil {
		return nil, err
	}
	return t, v.saveRequest(tx, q)
}

// saveLifted keeps in the request of a restriction that it was lifted, and by whom. Who
// was told of it is told of that, too.
func (v *Vault) saveLifted(tx store.Tx, p *person, record restrictionRecord) (*telling, error) {
	all, err := v.requestsAbout(tx, p.id)
	if err != nil {
		return nil, err
	}
	slices.Reverse(all) // the latest first
	i := slices.IndexFunc(all, func(q *requestRecord) bool { return q.Lifted.IsZero() && q.restricts() })
	if i < 0 {
		return nil, nil
	}
	q := all[i]
	if q.Lifted = record.At; record.By != (privacy.Actor{}) {
		q.EndedBy = &record.By
	}
	return &telling{had: toldBefore(q.Told)}, v.saveRequest(tx, q)
}

// restricts reports whether somebody is restricted because of a request.
func (r *requestRecord) restricts() bool {
	return slices.ContainsFunc(r.Told, func(t told) bool { return t.Type == privacy.EventSubjectRestricted }) ||
		r.Kind == RequestRestriction && r.Status == RequestCompleted
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
