package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// sessionNote is what the record of a session, or of something done in one, has
// beside an access record's members. What was shown stands in released and
// masked.
type sessionNote struct {
	ID        privacy.SessionID `json:"session"`
	Act       string            `json:"act"`
	Assurance Assurance         `json:"assurance"`
	How       string            `json:"how,omitempty"`
	By        *privacy.Actor    `json:"by,omitempty"` // who acted for the person
}

// What is done in sessions, as their records name it.
const (
	SessionOpened   = "opened"   // by a channel
	SessionEntered  = "entered"  // through a channel's link
	SessionLogin    = "login"    // by the person
	SessionViewed   = "viewed"   // the person was shown their values
	SessionExported = "exported" // the person took their data
	SessionEnded    = "ended"
)

// OpenSession opens a session of a person for a channel whose register entry has
// sessions. It asks nothing about the person, so it takes no purpose; what it
// answers is the same for somebody known or not. It leads to a person only if this
// channel could know them without it: it captured them, or may be released
// something of them now. Any other session is of nobody: it shows nothing, and
// what is said in it is recorded as the channel could record it.
//
// That it was opened is an access record of the person, in the same commit.
func (v *Vault) OpenSession(ctx context.Context, by Caller, who SubjectRef) (*OpenedSession, error) {
	began := time.Now()
	if err := checkWords("", by.For); err != nil {
		return nil, err
	}
	for range attempts {
		opened, err := v.openOwnSession(ctx, by, who)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		onTheBeat(began)
		return opened, nil
	}
	return nil, unavailable("the person kept changing; try again")
}

func (v *Vault) openOwnSession(ctx context.Context, by Caller, who SubjectRef) (*OpenedSession, error) {
	now, believed, _ := v.clock.now()
	if !believed {
		return nil, unavailable("the clock is not believed, so no session is opened until an officer confirms it")
	}
	if by.Client.Role != RoleChannel {
		return nil, refuse(CodeForbidden, "this is for channels")
	}
	var s *ownSession
	var r *regime
	var version uint64
	err := v.cfg.Store.View(ctx, func(snap store.Snapshot) (err error) {
		if r, err = v.regime(ctx, snap); err != nil {
			return err
		}
		channel, err := r.channelOf(by)
		if err != nil {
			return err
		}
		if channel.Sessions == register.NoSessions {
			return refuse(CodeForbidden, "the register lets this channel open no sessions: it has no sessions of its own")
		}
		ref, err := v.reference(r.register, channel, who)
		if err != nil {
			return err
		}
		if err := v.limits.ask(channel, func() [32]byte { return ref.hash(v) }); err != nil {
			return err
		}
		p, err := v.find(ctx, snap, ref)
		if err != nil {
			return err
		}
		known := there(p) != nil
		if !known {
			if p, err = v.loadOwn(ctx, snap, ref); err != nil {
				return err
			}
		}
		knows, err := v.couldKnow(ctx, snap, by, r, channel, p)
		if err != nil {
			return err
		}
		s = &ownSession{ID: privacy.NewSessionID(now), Channel: channel.ID, Secret: by.Client.SecretID, Granted: by.Purposes,
			Assurance: AssuranceChannel, How: "token", Opened: now, Expires: now.Add(SubjectSessionLasts)}
		if by.For != nil {
			s.For = another(*by.For)
		}
		if known && knows {
			s.Subject, version = p.id, p.standing.Version
		} else {
			s.Ref = &sessionRef{ID: who.ID, Field: who.Field, Value: who.Value.Reveal()}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return v.begin(ctx, s, r, version, SessionOpened, by.Once)
}

// couldKnow reports whether a channel could know somebody without a session: it
// captured them, or something of them may be released to it for one of its
// purposes now. Rules that look at context are asked without any, and so say no.
func (v *Vault) couldKnow(ctx context.Context, snap store.Snapshot, by Caller, r *regime, ch *register.Channel, p *person) (bool, error) {
	knows := p.standing.HasCaptured(ch.ID)
	err := v.readable(ctx, snap, by, r, ch, p, func(_ *question, _ *person, outcomes []policy.Outcome) error {
		if slices.ContainsFunc(outcomes, func(o policy.Outcome) bool { return o.Action != policy.Withhold }) {
			knows = true
		}
		return nil
	})
	return knows, err
}

// readable decides for each purpose of a channel what it may be released of a
// person now.
func (v *Vault) readable(ctx context.Context, snap store.Snapshot, by Caller, r *regime, ch *register.Channel, p *person, each func(*question, *person, []policy.Outcome) error) (err error) {
	if r.touches && p.dealings == nil {
		seen := *p
		if seen.dealings, err = v.dealings(snap, p); err != nil {
			return err
		}
		p = &seen
	}
	for _, id := range ch.Purposes {
		q := &question{by: by, channel: ch, regime: r, purpose: id}
		if q.mayAsk() != nil || q.checkContext() != nil {
			continue
		}
		seen := p.seenFor(id)
		if seen == nil {
			continue
		}
		outcomes, err := v.outcomesAt(ctx, q, seen, v.moments())
		if noDecision(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := each(q, seen, outcomes); err != nil {
			return err
		}
	}
	return nil
}

// moments are the times that something is decided at now.
func (v *Vault) moments() moments {
	now, believed, other := v.clock.now()
	if believed {
		return moments{now}
	}
	return moments{now, other}
}

// begin keeps a session, with a code for the person's browser if a channel opened
// it, and records that it was opened.
func (v *Vault) begin(ctx context.Context, s *ownSession, r *regime, version uint64, act string, once *Once) (*OpenedSession, error) {
	opened := &OpenedSession{SubjectSession: s.view(), Token: sessionSecret(TokenPrefix)}
	var link *ownSession
	if act == SessionOpened {
		copied := *s
		link, opened.Code = &copied, sessionSecret("")
		link.Code, link.Expires = true, s.Opened.Add(CodeLasts)
	}
	err := v.update(ctx, func(tx store.Tx) error {
		if err := r.stillInForce(tx); err != nil {
			return err
		}
		p := v.nobody
		if s.Subject != privacy.Nobody {
			var err error
			if p, err = v.load(ctx, tx, s.Subject); err != nil {
				return err
			}
			if there(p) == nil || version != 0 && p.standing.Version != version {
				return errAgain
			}
		}
		if err := v.putOwnSession(tx, s, opened.Token); err != nil {
			return err
		}
		if link != nil {
			if err := v.putOwnSession(tx, link, opened.Code); err != nil {
				return err
			}
		}
		if err := v.noteSession(tx, r, p, s, act); err != nil {
			return err
		}
		return once.keepSecret(tx)
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// noteSession records what is done with a session in its own commit.
func (v *Vault) noteSession(tx store.Tx, r *regime, p *person, s *ownSession, act string) error {
	entry, err := v.entryOfSession(r, p, s, act, nil)
	if err != nil {
		return err
	}
	return tx.Record(entry)
}

// entryOfSession is the access record of something done in a session.
func (v *Vault) entryOfSession(r *regime, p *person, s *ownSession, act string, shown *shownValues) ([]byte, error) {
	now, _, _ := v.clock.now()
	id := privacy.NewDecisionID(now)
	record := accessRecord{Format: 1, At: now, Decision: id, Channel: s.Channel, Granted: s.Granted, Policy: r.gov.Policy, Register: r.register.Revision,
		Standing: p.standing.Version, Session: &sessionNote{ID: s.ID, Act: act, Assurance: s.Assurance, How: s.How}}
	record.Session.By = another(s.actor(nil))
	if shown != nil {
		record.Released, record.Masked, shown.decision = shown.released, shown.masked, id
		if shown.by != nil {
			record.Session.By = another(*shown.by)
		}
	}
	return v.entry(p, log.Session, privacy.ID(id), record)
}

// shownValues are the fields that a session was shown.
type shownValues struct {
	decision privacy.DecisionID
	released []privacy.FieldName
	masked   map[privacy.FieldName]privacy.Mask
	by       *privacy.Actor // who was, if it was said
}

// EnterByCode opens a session for the person's browser by the code of a channel's
// link: once, and within CodeLasts. It has the assurance of the channel's session
// and is one of its own: neither ends with the other. It returns ErrInvalidClient
// for any other code.
func (v *Vault) EnterByCode(ctx context.Context, code string) (*OpenedSession, error) {
	opened := &OpenedSession{Token: sessionSecret(TokenPrefix)}
	err := v.cfg.Store.View(ctx, func(r store.Snapshot) error { // who guesses keeps nobody from writing
		link, err := v.sessionAt(r, v.ownSessionKey(code))
		if err == nil && link == nil {
			err = ErrInvalidClient
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	err = v.update(ctx, func(tx store.Tx) error {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		now, believed, _ := v.clock.now()
		link, err := v.sessionAt(tx, v.ownSessionKey(code))
		if err != nil {
			return err
		}
		if link == nil || !link.Code || !believed || !link.stands(r, now) {
			return ErrInvalidClient
		}
		if err := v.dropSession(tx, link); err != nil {
			return err
		}
		p := v.nobody
		if link.Subject != privacy.Nobody {
			if p, err = v.load(ctx, tx, link.Subject); err != nil {
				return err
			}
			if there(p) == nil {
				return ErrInvalidClient
			}
		}
		s := *link
		s.ID, s.Code, s.How, s.Opened, s.Expires = privacy.NewSessionID(now), false, "link", now, now.Add(SubjectSessionLasts)
		if err := v.putOwnSession(tx, &s, opened.Token); err != nil {
			return err
		}
		opened.SubjectSession = s.view()
		return v.noteSession(tx, r, p, &s, SessionEntered)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return opened, nil
}

// mine returns the session of a caller, and refuses everybody else.
func mine(by Caller) (*ownSession, error) {
	if by.session == nil {
		return nil, refuse(CodeForbidden, "this is for people, in a session of their own")
	}
	return by.session, nil
}

// OwnSessions lists the person's sessions, the latest first. One of nobody's shows
// itself alone.
func (v *Vault) OwnSessions(ctx context.Context, by Caller) ([]SubjectSession, error) {
	me, err := mine(by)
	if err != nil {
		return nil, err
	}
	self := me.view()
	self.Current = true
	if me.Subject == privacy.Nobody {
		return []SubjectSession{self}, nil
	}
	all := []SubjectSession{}
	err = v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		r, err := v.regime(ctx, snap)
		if err != nil {
			return err
		}
		return bucketOwnSessionsOf.scan(snap, v.place(me.Subject), func(rest, _ []byte) error {
			s, err := v.sessionAt(snap, [32]byte(rest))
			if err != nil || s == nil || s.Code || !s.stands(r, v.latestNow()) {
				return err
			}
			one := s.view()
			one.Current = s.ID == me.ID
			all = append(all, one)
			return nil
		})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	slices.SortFunc(all, func(a, b SubjectSession) int { return slices.Compare(b.ID[:], a.ID[:]) })
	return all, nil
}

// EndOwnSession ends a session of the person: the one that asks, or another one of
// theirs. Codes that were opened with it end too. One that is not theirs is
// not_found.
func (v *Vault) EndOwnSession(ctx context.Context, by Caller, id privacy.SessionID) error {
	me, err := mine(by)
	if err != nil {
		return err
	}
	err = v.update(ctx, func(tx store.Tx) error {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		ends := []*ownSession{}
		p := v.nobody
		switch {
		case me.Subject == privacy.Nobody && me.ID == id:
			ends = append(ends, me)
		case me.Subject != privacy.Nobody:
			if p, err = v.load(ctx, tx, me.Subject); err != nil {
				return err
			}
			if there(p) == nil {
				return ErrInvalidClient
			}
			err := bucketOwnSessionsOf.scan(tx, p.at, func(rest, _ []byte) error {
				s, err := v.sessionAt(tx, [32]byte(rest))
				if err == nil && s != nil && s.ID == id {
					ends = append(ends, s)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		if len(ends) == 0 {
			return refuse(CodeNotFound, "no session of yours of this ID")
		}
		for _, s := range ends {
			if err := v.dropSession(tx, s); err != nil {
				return err
			}
		}
		if err := v.noteSession(tx, r, p, ends[0], SessionEnded); err != nil {
			return err
		}
		return by.Once.keep(tx, nil)
	})
	if err != nil {
		return v.refusal(err)
	}
	return nil
}
