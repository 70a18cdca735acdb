package vault

import (
	"context"
	"slices"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Objection is what became of an objection (Art. 21).
type Objection struct {
	ConsentResult
	// Absolute says that it is to direct marketing: nobody may weigh it (Art. 21(3)).
	// Any other stands until an officer decided otherwise, with reasons.
	Absolute bool
	// Request is the one that an officer decides; nil if it is absolute, or the
	// session is a channel's, which is not told.
	Request *privacy.RequestID
}

// ObjectOwn records that the person objects to a purpose that rests on an interest
// or a task, or is direct marketing. Nothing is released for it from the answer on.
// Every session may; in one of nobody it is recorded as the channel could.
func (v *Vault) ObjectOwn(ctx context.Context, by Caller, purpose privacy.PurposeID, reason string, who *privacy.Actor) (*Objection, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	if err := checkWords(reason, who); err != nil {
		return nil, err
	}
	if err := v.checkObjection(RequestObjection, purpose); err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	p, _ := now.register.Purpose(purpose)
	made := &Objection{Absolute: p.DirectMarketing()}
	req := ConsentRequest{Purpose: purpose, Status: privacy.StatusObjected, Method: "privacy_centre", By: who}
	if s.Subject != privacy.Nobody {
		req.also = func(tx store.Tx, p *person) error {
			id, err := v.openObjection(tx, p, purpose, made.Absolute, reason, s.actor(who))
			if err == nil && !made.Absolute && s.full(now) {
				made.Request = id
			}
			return err
		}
	}
	once := by.Once
	by.Once = nil
	req.answered = func(tx store.Tx, res *ConsentResult) error {
		made.ConsentResult = *res
		return once.keep(tx, made, s.Subject)
	}
	res, err := v.ActOwn(ctx, by, req)
	if err != nil {
		return nil, err
	}
	made.ConsentResult = *res
	return made, nil
}

// openObjection makes the request of an objection, unless one to the same purpose
// is open. One that is absolute is completed.
func (v *Vault) openObjection(tx store.Tx, p *person, purpose privacy.PurposeID, absolute bool, reason string, who privacy.Actor) (*privacy.RequestID, error) {
	all, err := v.requestsAbout(tx, p.id)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(q *requestRecord) bool { return q.Kind == RequestObjection && q.Purpose == purpose && q.open() }); i >= 0 {
		return &all[i].ID, nil
	}
	now, _, _ := v.clock.now()
	q := &requestRecord{ID: privacy.NewRequestID(now), Kind: RequestObjection, Status: RequestInProgress, Own: &who, Received: now,
		Due: answerWithin.After(now), Subject: p.id, Purpose: purpose}
	if absolute {
		q.Status, q.Done = RequestCompleted, now
	}
	if reason != "" {
		if q.Reason, err = p.sealReason(v, q, reason); err != nil {
			return nil, err
		}
	}
	if err := v.noteRight(tx, p, q, "entered", "", reason, rowDigest{}); err != nil {
		return nil, err
	}
	return &q.ID, v.saveRequest(tx, q)
}

// takeObjectionBack ends the request of an objection that stands no more, because who
// made it said yes.
func (v *Vault) takeObjectionBack(tx store.Tx, p *person, purpose privacy.PurposeID, who privacy.Actor) error {
	if p.standing.Objected(purpose) { // the yes came too late
		return nil
	}
	all, err := v.requestsAbout(tx, p.id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(q *requestRecord) bool { return q.Kind == RequestObjection && q.Purpose == purpose && q.open() })
	if i < 0 {
		return nil
	}
	now, _, _ := v.clock.now()
	all[i].EndedBy = &who
	return v.saveTakenBack(tx, p, all[i], now)
}

// objectFor records the objection of a request that came by letter, whose person
// is known. One that is absolute is done with it.
func (v *Vault) objectFor(ctx context.Context, id privacy.RequestID, q *requestRecord) (*Request, error) {
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	at, _, _ := v.clock.now()
	them := Caller{Client: Client{Role: RoleSubject}, acts: true,
		session: &ownSession{Subject: q.Subject, Assurance: AssuranceVerified, Opened: at, Expires: at.Add(SubjectSessionLasts)}}
	_, err = v.RecordConsent(ctx, them, ConsentRequest{Subject: SubjectRef{ID: q.Subject}, Purpose: q.Purpose, Status: privacy.StatusObjected, Method: "letter", By: q.Own,
		also: func(tx store.Tx, _ *person) error {
			q, err := v.requestOf(tx, id)
			if err != nil || q == nil || !q.open() {
				return err
			}
			if purpose, ok := now.register.Purpose(q.Purpose); ok && purpose.DirectMarketing() {
				q.Status, q.Done = RequestCompleted, at
			}
			return v.saveRequest(tx, q)
		}})
	if err != nil {
		return nil, err
	}
	var after *requestRecord
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		after, err = v.requestOf(s, id)
		return err
	})
	if err != nil || after == nil {
		return nil, v.refusal(err)
	}
	view := v.viewRequest(ctx, after)
	return &view, nil
}
