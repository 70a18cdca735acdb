package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// The kinds of requests that somebody answers, beside erasures and runs.
const (
	RequestAccess        RequestKind = "access"        // Art. 15
	RequestRectification RequestKind = "rectification" // Art. 16
	RequestRestriction   RequestKind = "restriction"   // Art. 18
	RequestPortability   RequestKind = "portability"   // Art. 20
	RequestObjection     RequestKind = "objection"     // Art. 21
)

// RequestKinds are those that an officer enters for somebody who wrote or called.
var RequestKinds = []RequestKind{RequestAccess, RequestRectification, RequestErasure, RequestRestriction, RequestPortability, RequestObjection, RequestContest}

// longer is by how much an officer may extend the time to answer, once and with a
// reason (Art. 12(3)).
var longer = privacy.Period{Months: 2}

// EnterRequest enters a request that came by letter or phone.
type EnterRequest struct {
	Kind    RequestKind
	Subject SubjectRef
	Reason  string            // what was asked for, in a sentence; gone with the person. May be empty
	Purpose privacy.PurposeID // of an objection
	Field   privacy.FieldName // of a contest
	// Received is when it came: the time to answer runs from then. Zero: now.
	Received time.Time
	// Awaiting says that it is not known yet whether it is the person: nothing is
	// done until ConfirmIdentity.
	Awaiting bool
	// By is who asked, as far as the officer knows: the person, a guardian, an agent.
	By *privacy.Actor
	// NeverContact is an erasure's: see EraseRequest.
	NeverContact bool
}

// rightRecord is the log's record of what came of a request.
type rightRecord struct {
	Format   int               `json:"v"`
	At       time.Time         `json:"at"`
	Request  privacy.RequestID `json:"request"`
	Kind     RequestKind       `json:"kind"`
	Act      string            `json:"act"` // entered, identified, extended, completed, refused
	Officer  string            `json:"officer,omitempty"`
	Own      *privacy.Actor    `json:"own,omitempty"`
	Purpose  privacy.PurposeID `json:"purpose,omitempty"`
	Field    privacy.FieldName `json:"field,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Standing rowDigest         `json:"standing,omitzero"`

	told  privacy.EventType // what channels are told of it, "" if nothing
	about []privacy.FieldName
	tells *telling
}

func (r rightRecord) requested() privacy.RequestID { return r.tells.requested() }

// requestWords are what officers say of a request, sealed with the person's
// history key.
type requestWords struct {
	Identity string `json:"identity,omitempty"` // how it is known that it is the person
	Extended string `json:"extended,omitempty"` // why the time to answer is longer
	Answer   string `json:"answer,omitempty"`   // what was done, or why not
}

// runs reports whether a request is an erasure that has begun: of those a person
// has one at most.
func (r *requestRecord) runs() bool {
	return r.Kind == RequestErasure && r.Status != RequestAwaiting && !r.waits() && (r.open() || r.Step != stepAsked)
}

// linkRequest keeps by whom a request is found, or no longer.
//
//	requests/about   place request(16) → nothing: those that do not run by themselves
func (v *Vault) linkRequest(tx store.Tx, before, q *requestRecord) error {
	if before != nil && before.Subject != privacy.Nobody && (before.Subject != q.Subject || before.runs() != q.runs()) {
		at, bucket := v.place(before.Subject), bucketRequestsOf
		if !before.runs() {
			at, bucket = at.with(before.ID[:]...), bucketRequestsAbout
		}
		if err := bucket.delete(tx, at); err != nil {
			return err
		}
	}
	switch {
	case q.Subject == privacy.Nobody:
		return nil
	case q.runs():
		return bucketRequestsOf.put(tx, v.place(q.Subject), bytes.Clone(q.ID[:]))
	}
	return bucketRequestsAbout.put(tx, v.place(q.Subject).with(q.ID[:]...), []byte{})
}

// requestsAbout are somebody's requests that do not run by themselves, the oldest
// first.
func (v *Vault) requestsAbout(r store.Reader, id privacy.SubjectID) (all []*requestRecord, err error) {
	err = bucketRequestsAbout.scan(r, v.place(id), func(rest, _ []byte) error {
		if len(rest) != len(privacy.RequestID{}) {
			return fmt.Errorf("a key of requests: %w", errIntegrity)
		}
		q, err := v.requestOf(r, privacy.RequestID(rest))
		if err == nil && q != nil {
			all = append(all, q)
		}
		return err
	})
	return all, err
}

// requestsOfErased are somebody's requests, for an erasure: that there were such
// stays, and nothing by which to tell whose.
func requestsOfErased(v *Vault, tx store.Tx, id privacy.SubjectID, max int) (things []func() error, err error) {
	all, err := v.requestsAbout(tx, id)
	for _, q := range all[:min(max, len(all))] {
		things = append(things, func() error {
			if q.open() {
				now, _, _ := v.clock.now()
				q.Status, q.Done = RequestCompleted, now
			}
			q.Subject, q.Reason, q.Words, q.Fields, q.Told = privacy.Nobody, nil, nil, nil, nil
			q.Own, q.EndedBy = withoutRef(q.Own), withoutRef(q.EndedBy)
			return v.saveRequest(tx, q)
		})
	}
	return things, err
}

// withoutRef is who acted, without what could name them: a power, a register, a case.
func withoutRef(who *privacy.Actor) *privacy.Actor {
	if who == nil {
		return nil
	}
	return &privacy.Actor{Role: who.Role}
}

func (p *person) bindWords(v *Vault, q *requestRecord) keys.Binding {
	return v.bind(p.id, "words/"+q.ID.String(), 1)
}

func (p *person) words(v *Vault, q *requestRecord) (w requestWords, err error) {
	if q.Words == nil {
		return w, nil
	}
	plain, err := keys.Unseal(p.history, p.bindWords(v, q), q.Words)
	if err == nil {
		err = json.Unmarshal(plain, &w)
	}
	return w, err
}

// say adds what an officer says of a request.
func (p *person) say(v *Vault, q *requestRecord, add func(*requestWords)) error {
	w, err := p.words(v, q)
	if err != nil {
		return fmt.Errorf("opening what was said of %s: %w", q.ID, err)
	}
	add(&w)
	plain, err := json.Marshal(w)
	if err != nil {
		return err
	}
	q.Words, err = keys.Seal(p.history, p.bindWords(v, q), plain)
	return err
}

// EnterRequest enters a request that came by letter or phone, with its clock: a
// month from when it came. Where it is known that it is the person, an erasure
// begins, a restriction holds and an objection is recorded before it returns; the
// others wait for an officer's answer.
func (v *Vault) EnterRequest(ctx context.Context, by Caller, req EnterRequest) (*Request, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if !slices.Contains(RequestKinds, req.Kind) {
		return nil, invalid("kind", "invalid_value", "expected access, rectification, erasure, restriction, portability, objection or contest")
	}
	reason := strings.TrimSpace(req.Reason)
	if err := checkWords(reason, req.By); err != nil {
		return nil, err
	}
	if req.NeverContact && req.Kind != RequestErasure {
		return nil, invalid("never_contact", "invalid_value", "goes with an erasure only")
	}
	now, _, _ := v.clock.now()
	received := orNow(micro(req.Received), now)
	if req.Received.IsZero() {
		received = now
	}
	if received.After(now.Add(aheadTolerance)) {
		return nil, invalid("received_at", "in_future", "expected a time at most 60 s ahead")
	}
	if err := v.checkObjection(req.Kind, req.Purpose); err != nil {
		return nil, err
	}
	if err := v.checkContested(req.Kind, req.Field); err != nil {
		return nil, err
	}
	if req.Kind == RequestErasure && !req.Awaiting && req.Received.IsZero() {
		return v.Erase(ctx, by, EraseRequest{Subject: req.Subject, Reason: reason, By: req.By, NeverContact: req.NeverContact})
	}
	id, err := v.whoever(ctx, req.Subject)
	if err != nil {
		return nil, v.refusal(err)
	}
	q := &requestRecord{ID: privacy.NewRequestID(now), Kind: req.Kind, Status: RequestAwaiting, Officer: by.Client.Officer, Received: received,
		Due: answerWithin.After(received), Subject: id, Purpose: req.Purpose, Field: req.Field, Own: req.By, NeverAgain: req.NeverContact}
	err = v.onRequest(ctx, id, func(tx store.Tx, p *person) error {
		if reason != "" {
			if q.Reason, err = p.sealReason(v, q, reason); err != nil {
				return err
			}
		}
		if err := v.noteRight(tx, p, q, "entered", by.Client.Officer, reason, rowDigest{}); err != nil {
			return err
		}
		if err := v.saveRequest(tx, q); err != nil {
			return err
		}
		if !req.Awaiting {
			return nil
		}
		view := Request{ID: q.ID, Kind: q.Kind, Status: q.Status, ReceivedAt: q.Received, DueAt: q.Due}
		return by.Once.keep(tx, &view, id)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	if !req.Awaiting {
		return v.goOn(ctx, by, q.ID, "")
	}
	view := v.viewRequest(ctx, q)
	return &view, nil
}

// checkObjection refuses an objection to what nobody objects to.
func (v *Vault) checkObjection(kind RequestKind, purpose privacy.PurposeID) error {
	if kind != RequestObjection {
		if purpose != "" {
			return invalid("purpose", "unknown_member", "goes with an objection only")
		}
		return nil
	}
	now, err := v.current()
	if err != nil {
		return err
	}
	p, ok := now.register.Purpose(purpose)
	if !ok {
		return invalid("purpose", "unknown_purpose", "expected a purpose of the register")
	}
	if !objectable(p) {
		return invalid("purpose", "not_objectable", "one objects to what rests on an interest or a task, and to direct marketing; consent is withdrawn")
	}
	return nil
}

// onRequest changes something about a person and their requests.
func (v *Vault) onRequest(ctx context.Context, id privacy.SubjectID, do func(store.Tx, *person) error) error {
	return v.update(ctx, func(tx store.Tx) error {
		p, err := v.load(ctx, tx, id)
		if err != nil {
			return err
		}
		if there(p) == nil {
			return refuse(CodeUnknownSubject, "nobody is known by this reference")
		}
		return do(tx, p)
	})
}

func (v *Vault) noteRight(tx store.Tx, p *person, q *requestRecord, act, officer, reason string, standing rowDigest) error {
	now, _, _ := v.clock.now()
	who := q.Own
	if q.EndedBy != nil {
		who = q.EndedBy
	}
	record := rightRecord{Format: 1, At: now, Request: q.ID, Kind: q.Kind, Act: act, Officer: officer,
		Own: who, Purpose: q.Purpose, Field: q.Field, Reason: reason, Standing: standing, told: q.told}
	if q.told != "" {
		if record.about = q.Fields; len(record.about) == 0 {
			record.about = []privacy.FieldName{q.Field}
		}
		record.tells = (&telling{request: q.ID, had: q.had, only: q.only}).at(record.about, now)
		q.Told = append(slices.DeleteFunc(q.Told, func(t told) bool { return t.Type == q.told }), tellings(record.tells.had, q.told)...)
	}
	return v.noteOf(tx, p, log.Request, privacy.NewID(now), record)
}

// answering is an officer's word on a request that is open, of a kind that
// somebody answers.
func (v *Vault) answering(ctx context.Context, by Caller, id privacy.RequestID, reason, act string, do func(store.Tx, *person, *requestRecord, time.Time) (rowDigest, error)) (*Request, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	reason, err := reasonOf(reason)
	if err != nil {
		return nil, err
	}
	var q *requestRecord
	err = v.update(ctx, func(tx store.Tx) error {
		if q, err = v.requestOf(tx, id); err != nil {
			return err
		}
		switch {
		case q == nil:
			return refuse(CodeNotFound, "no request of this ID")
		case !q.open() || q.Kind == RequestRetention || q.runs() || q.waits():
			return refuse(CodeWrongState, "this request is answered, or goes on by itself")
		}
		p, err := v.load(ctx, tx, q.Subject)
		if err != nil {
			return err
		}
		if there(p) == nil {
			return refuse(CodeUnknownSubject, "the person of this request is being erased")
		}
		now, _, _ := v.clock.now()
		digest, err := do(tx, p, q, now)
		if err != nil {
			return err
		}
		if err := v.noteRight(tx, p, q, act, by.Client.Officer, reason, digest); err != nil {
			return err
		}
		if err := v.saveRequest(tx, q); err != nil {
			return err
		}
		view := Request{ID: q.ID, Kind: q.Kind, Status: q.Status, ReceivedAt: q.Received, DueAt: q.Due, CompletedAt: q.Done}
		return by.Once.keep(tx, &view, q.Subject)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	view := v.viewRequest(ctx, q)
	return &view, nil
}

// ConfirmIdentity says that a request is the person's, and how that is known. What
// is done by itself is done before it returns.
func (v *Vault) ConfirmIdentity(ctx context.Context, by Caller, id privacy.RequestID, how string) (*Request, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if _, err := reasonOf(how); err != nil {
		return nil, err
	}
	return v.goOn(ctx, by, id, how)
}

// goOn lets a request go on of which it is known that it is the person's.
func (v *Vault) goOn(ctx context.Context, by Caller, id privacy.RequestID, how string) (*Request, error) {
	var q *requestRecord
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		q, err = v.requestOf(s, id)
		return err
	})
	switch {
	case err != nil:
		return nil, v.refusal(err)
	case q == nil:
		return nil, refuse(CodeNotFound, "no request of this ID")
	case q.Status != RequestAwaiting:
		return nil, refuse(CodeWrongState, "this request waits for nobody's identity")
	}
	said := how
	if said == "" {
		said = "known when it was entered"
	}
	later := by
	later.Once = nil
	if q.Kind == RequestContest {
		return v.contestFor(ctx, by, q, said)
	}
	if q.Kind != RequestErasure {
		out, err := v.answering(ctx, by, id, said, "identified", func(_ store.Tx, p *person, q *requestRecord, _ time.Time) (rowDigest, error) {
			if q.Status != RequestAwaiting {
				return rowDigest{}, refuse(CodeWrongState, "this request waits for nobody's identity")
			}
			q.Status = RequestInProgress
			return rowDigest{}, p.say(v, q, func(w *requestWords) { w.Identity = said })
		})
		if err != nil {
			return nil, err
		}
		switch q.Kind {
		case RequestRestriction:
			if _, err := v.restrictAsked(ctx, later, q); err != nil {
				return nil, err
			}
			return v.AnswerRequest(ctx, later, id, "restricted")
		case RequestObjection:
			return v.objectFor(ctx, id, q)
		}
		return out, nil
	}
	who := eraser{officer: by.Client.Officer, once: by.Once, intake: q}
	began, err := v.beginErasure(ctx, who, q.Subject, id, q.Received)
	if err != nil {
		return nil, v.refusal(err)
	}
	v.erasures.advance(ctx, v, began.ID)
	view := v.viewRequest(ctx, began)
	return &view, nil
}

// ExtendRequest gives two more months to answer a request, once, for a reason that
// the person is told (Art. 12(3)).
func (v *Vault) ExtendRequest(ctx context.Context, by Caller, id privacy.RequestID, reason string) (*Request, error) {
	return v.answering(ctx, by, id, reason, "extended", func(_ store.Tx, p *person, q *requestRecord, _ time.Time) (rowDigest, error) {
		if q.Extended {
			return rowDigest{}, refuse(CodeWrongState, "the time to answer was extended before; that is possible once")
		}
		q.Extended, q.Due = true, longer.After(q.Due)
		return rowDigest{}, p.say(v, q, func(w *requestWords) { w.Extended = reason })
	})
}

// AnswerRequest ends a request as done, and says what was. An objection stands
// then; of a contest what the model made goes.
func (v *Vault) AnswerRequest(ctx context.Context, by Caller, id privacy.RequestID, what string) (*Request, error) {
	if err := v.settleContested(ctx, id); err != nil {
		return nil, err
	}
	had, err := v.hadOfRequest(ctx, by, id)
	if err != nil {
		return nil, err
	}
	return v.answering(ctx, by, id, what, "completed", func(tx store.Tx, p *person, q *requestRecord, now time.Time) (digest rowDigest, err error) {
		if q.Status == RequestAwaiting {
			return digest, refuse(CodeWrongState, "it is not known yet whether this request is the person's")
		}
		if q.had = had; q.Kind == RequestRectification {
			q.corrected(p)
		}
		if q.Kind == RequestContest {
			if digest, err = v.upholdContest(ctx, tx, p, q, what, now); err != nil {
				return digest, err
			}
		}
		q.Status, q.Done = RequestCompleted, now
		return digest, p.say(v, q, func(w *requestWords) { w.Answer = what })
	})
}

// hadOfRequest returns who was shown something of the person of a request that is about
// values, for an officer who answers it.
func (v *Vault) hadOfRequest(ctx context.Context, by Caller, id privacy.RequestID) ([]shownTo, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	q, err := v.requestNow(ctx, id)
	if err != nil {
		return nil, v.refusal(err)
	}
	if q == nil || q.Kind != RequestRectification && q.Kind != RequestContest || q.Subject == privacy.Nobody {
		return nil, nil
	}
	return v.whoHad(ctx, q.Subject), nil
}

// corrected finds out what was corrected since a request for it came, through whichever
// channel, and has those told who were shown what was known before. Who sees it now has
// heard already.
func (r *requestRecord) corrected(p *person) {
	changed := map[privacy.FieldName]time.Time{}
	for i := range p.standing.Values {
		if fact := &p.standing.Values[i]; !fact.Recorded.Before(r.Received) && !fact.Kept {
			changed[fact.Field] = fact.Recorded
		}
	}
	if r.had = since(r.had, changed); len(r.had) > 0 {
		r.Fields, r.told, r.only = slices.Sorted(maps.Keys(changed)), privacy.EventProfileUpdated, true
	}
}

// refuseRight refuses a request with the reasons that the person is told (Art.
// 12(4)). An objection is overruled by it: the purpose rests on its ground again. So
// is a contest: what the model made is released again.
func (v *Vault) refuseRight(ctx context.Context, by Caller, q *requestRecord, reason string) (*Request, error) {
	note := privacy.NewID(v.cfg.Now())
	weighed := func(q *requestRecord) bool {
		return (q.Kind == RequestObjection || q.Kind == RequestContest) && q.Status == RequestInProgress
	}
	if weighed(q) {
		now, believed, _ := v.clock.now()
		if !believed {
			return nil, unavailable("the clock is not believed, so nothing is overruled until an officer confirms it")
		}
		if _, err := reasonOf(reason); err != nil {
			return nil, err
		}
		if err := v.mustOfficer(by); err != nil {
			return nil, err
		}
		entry := v.ledger.entry(ledgerLifted, note, q.Subject, q.Purpose, now)
		if q.Kind == RequestContest {
			entry = v.ledger.contest(ledgerOverruled, note, q.Subject, q.Field, now)
		}
		if err := v.ledger.append(ctx, entry); err != nil {
			return nil, v.refusal(err)
		}
	}
	had, err := v.hadOfRequest(ctx, by, q.ID)
	if err != nil {
		return nil, err
	}
	out, err := v.answering(ctx, by, q.ID, reason, "refused", func(tx store.Tx, p *person, q *requestRecord, now time.Time) (digest rowDigest, err error) {
		if weighed(q) {
			if err := v.ledger.kept(tx, note); err != nil {
				return digest, err
			}
			if q.Kind == RequestContest {
				q.had = had
				digest, err = v.overruleContest(tx, p, q, reason, now)
			} else {
				digest, err = v.overrule(tx, p, q.Purpose, now)
			}
			if err != nil {
				return digest, err
			}
		}
		q.Status, q.Done = RequestRefused, now
		return digest, p.say(v, q, func(w *requestWords) { w.Answer = reason })
	})
	if err == nil {
		err = v.ledger.noteHead(ctx)
	}
	return out, err
}

// overrule takes an objection from a person's standing. What else they said no to
// the purpose with stands.
func (v *Vault) overrule(tx store.Tx, p *person, purpose privacy.PurposeID, now time.Time) (rowDigest, error) {
	if !p.standing.Overrule(purpose, now) {
		return rowDigest{}, nil
	}
	err := v.consentRecords(tx, p, func(r *consentRecord) error {
		if r.Purpose == purpose && r.Status.Narrows() && r.Status != privacy.StatusObjected {
			p.standing.Record(consent.Act{ID: r.ID, Purpose: purpose, Status: r.Status, At: r.At, Recorded: r.Recorded, Revision: r.Register})
		}
		return nil
	})
	if err != nil {
		return rowDigest{}, err
	}
	return v.saveDigest(tx, p)
}

// OwnRequests are the person's requests, the latest first, with what they are told
// of them. In a session of nobody there are none.
func (v *Vault) OwnRequests(ctx context.Context, by Caller) ([]Request, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	views := []Request{}
	if s.Subject == privacy.Nobody {
		return views, nil
	}
	var all []*requestRecord
	err = v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		r, p, err := v.self(ctx, snap, s)
		if err != nil {
			return err
		}
		if all, err = v.requestsAbout(snap, s.Subject); err != nil || s.full(r) {
			return err
		}
		all, err = v.withoutHidden(ctx, snap, r, s, p, all)
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	slices.Reverse(all)
	for _, q := range all {
		view := v.ownRequest(ctx, q)
		if err := v.viewTold(ctx, &view, q, true); err != nil {
			return nil, v.refusal(err)
		}
		views = append(views, view)
	}
	return views, nil
}

// ownRequest is a request as the person sees it.
func (v *Vault) ownRequest(ctx context.Context, q *requestRecord) Request {
	view := v.viewRequest(ctx, q)
	view.Subject, view.By = nil, ""
	return view
}
