package vault

import (
	"context"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Where the register grants a period of grace, the erasure that a person asks for
// themselves waits that long before it begins. Meanwhile their data is restricted
// (Art. 18), nothing is destroyed, and they may take it back. What officers begin
// waits for nothing.

// waits reports whether a request is an erasure that has not begun.
func (r *requestRecord) waits() bool {
	return r.Kind == RequestErasure && r.Status == RequestReceived
}

// waitingFor returns the erasure that waits for somebody, nil if there is none.
func (v *Vault) waitingFor(r store.Reader, id privacy.SubjectID) (*requestRecord, error) {
	all, err := v.requestsAbout(r, id)
	for _, q := range all {
		if q.waits() {
			return q, err
		}
	}
	return nil, err
}

// takeGrace makes the request of an erasure that waits, and restricts the person's
// data. The ledger has it first, with the day: who asked is not forgotten by a
// restore.
func (v *Vault) takeGrace(ctx context.Context, who eraser, id privacy.SubjectID, grace privacy.Period) (q *requestRecord, err error) {
	if err := v.erasures.at("to ask for later"); err != nil {
		return nil, err
	}
	asking := &v.erasures.asking[id[0]]
	asking.Lock()
	defer asking.Unlock()
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		if q, err = v.runningFor(s, id); q != nil || err != nil {
			return err
		}
		q, err = v.waitingFor(s, id)
		return err
	})
	if q != nil || err != nil {
		return q, err // of two that ask at once the later one
	}
	now, _, _ := v.clock.now()
	request, note, begins := privacy.NewRequestID(now), privacy.NewID(now), v.graceEnds(now, grace)
	restricted, asked := v.ledger.entry(ledgerRestricted, note, id, "", now), v.ledger.entry(ledgerAsked, privacy.NewID(now), id, "", begins)
	asked.Purpose, asked.Written = request, now
	if who.never { // which hashes, is settled when it begins
		if asked.Sealed, err = v.sealNever(request, &neverNote{Format: 1}); err != nil {
			return nil, err
		}
	}
	had := v.whoHad(ctx, id)
	if err := v.ledger.append(ctx, restricted, asked); err != nil {
		return nil, err
	}
	if err := v.erasures.at("later in the ledger"); err != nil {
		return nil, err
	}
	err = v.update(ctx, func(tx store.Tx) error {
		for _, e := range []privacy.ID{note, asked.ID} {
			if err := v.ledger.kept(tx, e); err != nil {
				return err
			}
		}
		p, err := v.load(ctx, tx, id)
		if err != nil {
			return err
		}
		if there(p) == nil {
			return errAgain
		}
		q = &requestRecord{ID: request, Received: now, Begins: begins, Subject: id, Own: who.own, NeverAgain: who.never}
		if p.standing.Restricted.IsZero() {
			q.Restricted, p.standing.Restricted = now, now
			q.Told = tellings(had, privacy.EventSubjectRestricted)
			record := restrictionRecord{Format: 1, At: now, Act: actRestricted, By: *who.own, told: &telling{request: q.ID, had: had}}
			if record.Standing, err = v.saveDigest(tx, p); err != nil {
				return err
			}
			if err := v.noteOf(tx, p, log.Request, note, record); err != nil {
				return err
			}
		}
		if err := v.saveWaiting(tx, p, q, who.reason); err != nil {
			return err
		}
		view := Request{ID: q.ID, Kind: q.Kind, Status: q.Status, ReceivedAt: q.Received, DueAt: q.Due, BeginsAt: q.Begins}
		return who.once.keep(tx, &view, id)
	})
	if err = v.ledger.done(ctx, err); err != nil {
		return nil, err
	}
	return q, v.erasures.at("asked for later")
}

// graceEnds is when a period of grace ends that begins now. Where the clock is not
// believed it is by whichever time is later, so that nobody has less of it.
func (v *Vault) graceEnds(now time.Time, grace privacy.Period) time.Time {
	if _, believed, other := v.clock.now(); !believed {
		now = latest(now, other)
	}
	return grace.After(now)
}

// saveWaiting saves the request of an erasure that waits, with its record.
func (v *Vault) saveWaiting(tx store.Tx, p *person, q *requestRecord, reason string) (err error) {
	q.Kind, q.Status, q.Due = RequestErasure, RequestReceived, answerWithin.After(q.Received)
	if reason != "" {
		if q.Reason, err = p.sealReason(v, q, reason); err != nil {
			return err
		}
	}
	if err := v.noteRight(tx, p, q, "entered", "", reason, rowDigest{}); err != nil {
		return err
	}
	return v.saveRequest(tx, q)
}

// askedAgain puts back from the ledger an erasure that waits, and which the state
// does not know. The words with which it was asked for are gone.
func (v *Vault) askedAgain(tx store.Tx, p *person, e ledgerEntry) error {
	before, err := v.requestOf(tx, e.Purpose)
	if err != nil || before != nil {
		return err
	}
	if before, err = v.runningFor(tx, p.id); err != nil || before != nil {
		return err
	}
	if before, err = v.waitingFor(tx, p.id); err != nil || before != nil || there(p) == nil {
		return err
	}
	q := &requestRecord{ID: e.Purpose, Received: e.Written, Begins: e.At, Subject: p.id, Own: &privacy.Actor{Role: privacy.BySubject},
		NeverAgain: len(e.Sealed) > 0}
	if p.standing.Restricted.Equal(e.Written) { // by this request
		q.Restricted = e.Written
	}
	return v.saveWaiting(tx, p, q, "")
}

// TakeBackErasure takes back the erasure that the person asked for and that has not
// begun, and lifts the restriction that came with it. That widens, so it needs a
// session of the person's own. While the clock is not believed the restriction stays,
// for the person to lift later. It returns an *Error wrong_state where nothing waits.
func (v *Vault) TakeBackErasure(ctx context.Context, by Caller, who *privacy.Actor) (*Request, error) {
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
	q, err := v.takeBack(ctx, by, s.Subject, s.actor(who))
	if err != nil {
		return nil, v.refusal(err)
	}
	if q == nil {
		return nil, refuse(CodeWrongState, "no erasure waits that could be taken back")
	}
	view := v.viewRequest(ctx, q)
	view.Subject = nil
	return &view, nil
}

func (v *Vault) takeBack(ctx context.Context, by Caller, id privacy.SubjectID, who privacy.Actor) (q *requestRecord, err error) {
	asking := &v.erasures.asking[id[0]] // none begins meanwhile
	asking.Lock()
	defer asking.Unlock()
	var restricted time.Time
	err = v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		_, p, err := v.self(ctx, snap, by.session)
		if err != nil {
			return err
		}
		restricted = p.standing.Restricted
		q, err = v.waitingFor(snap, id)
		return err
	})
	if err != nil || q == nil {
		return nil, err
	}
	now, believed, _ := v.clock.now()
	lifts := believed && !restricted.IsZero() && restricted.Equal(q.Restricted)
	back := v.ledger.entry(ledgerTakenBack, privacy.NewID(now), id, "", now)
	back.Purpose = q.ID
	entries := []ledgerEntry{back}
	if lifts {
		entries = append(entries, v.ledger.entry(ledgerLifted, privacy.NewID(now), id, "", now))
	}
	if err := v.ledger.append(ctx, entries...); err != nil {
		return nil, err
	}
	request := q.ID
	err = v.update(ctx, func(tx store.Tx) error {
		for _, e := range entries {
			if err := v.ledger.kept(tx, e.ID); err != nil {
				return err
			}
		}
		p, err := v.load(ctx, tx, id)
		if err != nil {
			return err
		}
		if q, err = v.requestOf(tx, request); err != nil {
			return err
		}
		if q == nil || !q.waits() || there(p) == nil { // another node began it
			q = nil
			return nil
		}
		if lifts && p.standing.Restricted.Equal(restricted) {
			p.standing.Restricted = time.Time{}
			record := restrictionRecord{Format: 1, At: now, Act: actLifted, By: who, told: &telling{had: toldBefore(q.Told)}}
			if record.Standing, err = v.saveDigest(tx, p); err != nil {
				return err
			}
			if err := v.noteOf(tx, p, log.Request, entries[1].ID, record); err != nil {
				return err
			}
		}
		q.EndedBy = &who
		if err := v.saveTakenBack(tx, p, q, now); err != nil {
			return err
		}
		view := Request{ID: q.ID, Kind: q.Kind, Status: q.Status, ReceivedAt: q.Received, DueAt: q.Due, CompletedAt: q.Done}
		return by.Once.keep(tx, &view, id)
	})
	return q, v.ledger.done(ctx, err)
}

func (v *Vault) saveTakenBack(tx store.Tx, p *person, q *requestRecord, now time.Time) error {
	q.Status, q.Done = RequestWithdrawn, now
	if err := v.noteRight(tx, p, q, "withdrawn", "", "", rowDigest{}); err != nil {
		return err
	}
	return v.saveRequest(tx, q)
}

// takenBackAgain takes back what the ledger says the person took back, and of which
// the state still says that it waits.
func (v *Vault) takenBackAgain(tx store.Tx, p *person, e ledgerEntry) error {
	q, err := v.requestOf(tx, e.Purpose)
	if err != nil || q == nil || !q.waits() || q.Subject != p.id {
		return err
	}
	return v.saveTakenBack(tx, p, q, e.At)
}

// beginDue begins an erasure whose period is over, by a clock that is believed.
func (v *Vault) beginDue(ctx context.Context, q *requestRecord) (began bool, err error) {
	now, believed, _ := v.clock.now()
	if !believed || now.Before(q.Begins) {
		return false, nil
	}
	_, err = v.beginErasure(ctx, eraser{own: q.Own}, q.Subject, q.ID, q.Received)
	return err == nil, err
}

// takenBackNow returns a request that the person took back, nil if they did not.
func (v *Vault) takenBackNow(ctx context.Context, id privacy.RequestID) (q *requestRecord, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		q, err = v.requestOf(s, id)
		if q != nil && q.Status != RequestWithdrawn {
			q = nil
		}
		return err
	})
	return q, err
}

// whyItWaits says what an erasure waits for that has not begun.
func (v *Vault) whyItWaits() string {
	if _, believed, _ := v.clock.now(); !believed {
		return "the clock is not believed, so it does not begin until an officer confirms it; nothing is released meanwhile"
	}
	return "it begins when the period of grace is over; until then the person can take it back, and nothing is released"
}
