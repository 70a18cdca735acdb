package vault

import (
	"context"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// What a model worked out of a person may be wrong, and they need not know what is
// right to say so (Arts. 16, 18(1)(a), 22(3)). From their word on what it made of the
// field is released to nobody, nor is what it makes of it later, until an officer
// decides with reasons: the contest is overruled, and the value is released again,
// or upheld, and the value goes. Whoever tells what is right ends the matter.

// RequestContest is the request of a contest.
const RequestContest RequestKind = "contest"

// The outcomes of a contest.
const (
	ContestUpheld    = "upheld"    // the value went
	ContestOverruled = "overruled" // it is released again
	ContestReplaced  = "replaced"  // somebody told what is right
)

// Contest is what became of a contest.
type Contest struct {
	Field  privacy.FieldName
	Status RequestStatus
	// The rest is told to the person alone: in a session of a channel it is zero, so
	// that this learns of no value that it may not see.
	Request *privacy.RequestID
	Since   time.Time
	Due     time.Time
}

var errNotInferred = invalid("field", "not_inferred", "no model worked this out; what was told or seen is corrected, with PATCH /v1/me")

// ContestOwn records that the person contests what a model made of a field. When it
// returns, no read that begins releases it. It lets out less, so that every session
// may. What was told or seen is refused as not_inferred, in a session of a channel
// only if that shows the value: of what it does not show it answers the same, whether
// there is anything or not, and what it records waits for an officer likewise. In a
// session of nobody there is nothing to contest, and it is answered the same.
func (v *Vault) ContestOwn(ctx context.Context, by Caller, field privacy.FieldName, reason string, who *privacy.Actor) (*Contest, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	if err := checkWords(reason, who); err != nil {
		return nil, err
	}
	if err := v.checkContested(RequestContest, field); err != nil {
		return nil, err
	}
	made := &Contest{Field: field, Status: RequestInProgress}
	if s.Subject == privacy.Nobody {
		return made, nil
	}
	var full bool
	err = v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		r, p, err := v.self(ctx, snap, s)
		if err != nil {
			return err
		}
		if full = s.full(r); full {
			return v.mustInfer(r, p, field)
		}
		shown, err := v.wouldShow(ctx, snap, r, s, p)
		if err == nil && shown[field] {
			err = v.mustInfer(r, p, field)
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	had := v.whoHad(ctx, s.Subject)
	now, _, _ := v.clock.now()
	id := privacy.NewRequestID(now)
	if err := v.ledger.append(ctx, v.ledger.contest(ledgerContested, privacy.ID(id), s.Subject, field, now)); err != nil {
		return nil, v.refusal(err)
	}
	gone := false
	err = v.update(ctx, func(tx store.Tx) error {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		p, err := v.load(ctx, tx, s.Subject)
		if err != nil {
			return err
		}
		if err := v.ledger.kept(tx, privacy.ID(id)); err != nil {
			return err
		}
		if gone = there(p) == nil || full && v.mustInfer(r, p, field) != nil; gone {
			return nil // since it was looked at
		}
		q, err := v.contested(tx, p, &requestRecord{ID: id, Kind: RequestContest, Status: RequestInProgress, Own: new(s.actor(who)), Received: now,
			Due: answerWithin.After(now), Subject: p.id, Field: field, had: had}, reason)
		if err != nil {
			return err
		}
		if full {
			made.Request, made.Since, made.Due = &q.ID, p.standing.Contest(field).Since, q.Due
		}
		return by.Once.keep(tx, made, s.Subject)
	})
	if err = v.ledger.done(ctx, err); err != nil {
		return nil, v.refusal(err)
	}
	if gone {
		return nil, errNotInferred
	}
	return made, nil
}

// checkContested refuses a contest of what the register does not declare.
func (v *Vault) checkContested(kind RequestKind, field privacy.FieldName) error {
	if kind != RequestContest {
		if field != "" {
			return invalid("field", "unknown_member", "goes with a contest only")
		}
		return nil
	}
	now, err := v.current()
	if err != nil {
		return err
	}
	if _, ok := now.register.Field(field); !ok {
		return invalid("field", "unknown_field", "expected a field of the register")
	}
	return nil
}

// mustInfer refuses a field of which there is nothing that a model made.
func (v *Vault) mustInfer(r *regime, p *person, field privacy.FieldName) error {
	now, _, _ := v.clock.now()
	f, _ := r.register.Field(field)
	fact := p.standing.Value(field)
	if f == nil || fact == nil || fact.Kept || fact.Origin != privacy.Inferred || p.standing.Ended(r.register, f, fact.Observed, now) {
		return errNotInferred
	}
	return nil
}

// wouldShow returns the fields of which a session of a channel would show a value if
// the person contested none.
func (v *Vault) wouldShow(ctx context.Context, snap store.Snapshot, r *regime, s *ownSession, p *person) (map[privacy.FieldName]bool, error) {
	asIf, standing := *p, *p.standing
	standing.Contests = nil
	asIf.standing = &standing
	seen, err := v.sightOf(ctx, snap, r, s, &asIf)
	if err != nil {
		return nil, err
	}
	now, _, _ := v.clock.now()
	shown := map[privacy.FieldName]bool{}
	for i := range p.standing.Values {
		fact := &p.standing.Values[i]
		if f, ok := r.register.Field(fact.Field); ok && !fact.Kept && seen.shows(fact.Field) && !p.standing.Ended(r.register, f, fact.Observed, now) {
			shown[fact.Field] = true
		}
	}
	return shown, nil
}

// withoutHidden leaves of somebody's requests those that a session of a channel may
// show: of a contest, or of a correction, it would tell that there is a value.
func (v *Vault) withoutHidden(ctx context.Context, snap store.Snapshot, r *regime, s *ownSession, p *person, all []*requestRecord) ([]*requestRecord, error) {
	if !slices.ContainsFunc(all, func(q *requestRecord) bool { return q.Kind == RequestContest || len(q.Fields) > 0 }) {
		return all, nil
	}
	shown, err := v.wouldShow(ctx, snap, r, s, p)
	return slices.DeleteFunc(all, func(q *requestRecord) bool {
		return q.Kind == RequestContest && !shown[q.Field] || slices.ContainsFunc(q.Fields, func(f privacy.FieldName) bool { return !shown[f] })
	}), err
}

// contested has what a model made of a field withheld from now on, and makes the
// request that an officer decides, unless one waits. It returns the one that does.
func (v *Vault) contested(tx store.Tx, p *person, q *requestRecord, reason string) (_ *requestRecord, err error) {
	all, err := v.contestsOf(tx, p, q.Field)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 && p.standing.Contest(q.Field) != nil {
		return all[0], nil
	}
	digest, err := v.beginContest(tx, p, q, q.Received)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		if q.Reason, err = p.sealReason(v, q, reason); err != nil {
			return nil, err
		}
	}
	if err := v.noteRight(tx, p, q, "entered", "", reason, digest); err != nil {
		return nil, err
	}
	return q, v.saveRequest(tx, q)
}

// beginContest puts a contest into the person's standing, unless it is there.
func (v *Vault) beginContest(tx store.Tx, p *person, q *requestRecord, at time.Time) (digest rowDigest, err error) {
	if !p.standing.BeginContest(q.Field, at) {
		return digest, nil
	}
	if p.standing.Contested(q.Field) {
		q.told = privacy.EventProfileRestricted
	}
	return v.saveDigest(tx, p)
}

// contestsOf are the requests of somebody that an officer is to decide about a field,
// the oldest first.
func (v *Vault) contestsOf(r store.Reader, p *person, field privacy.FieldName) ([]*requestRecord, error) {
	all, err := v.requestsAbout(r, p.id)
	return slices.DeleteFunc(all, func(q *requestRecord) bool {
		return q.Kind != RequestContest || q.Field != field || q.Status != RequestInProgress
	}), err
}

// contestFor lets a contest go on that came by letter, of which it is known that it
// is the person's.
func (v *Vault) contestFor(ctx context.Context, by Caller, q *requestRecord, how string) (*Request, error) {
	if _, err := reasonOf(how); err != nil {
		return nil, err
	}
	had := v.whoHad(ctx, q.Subject)
	now, _, _ := v.clock.now()
	if err := v.ledger.append(ctx, v.ledger.contest(ledgerContested, privacy.ID(q.ID), q.Subject, q.Field, now)); err != nil {
		return nil, v.refusal(err)
	}
	out, err := v.answering(ctx, by, q.ID, how, "identified", func(tx store.Tx, p *person, q *requestRecord, now time.Time) (digest rowDigest, err error) {
		if q.Status != RequestAwaiting {
			return digest, refuse(CodeWrongState, "this request waits for nobody's identity")
		}
		if err := v.ledger.kept(tx, privacy.ID(q.ID)); err != nil {
			return digest, err
		}
		q.Status, q.had = RequestInProgress, had
		if err := p.say(v, q, func(w *requestWords) { w.Identity = how }); err != nil {
			return digest, err
		}
		return v.beginContest(tx, p, q, now)
	})
	if err != nil {
		return nil, err
	}
	return out, v.ledger.noteHead(ctx)
}

// overruleContest releases again what a model made of a field: an officer weighed it.
func (v *Vault) overruleContest(tx store.Tx, p *person, q *requestRecord, words string, now time.Time) (digest rowDigest, err error) {
	if p.standing.Contested(q.Field) {
		q.told = privacy.EventProfileUnrestricted
	}
	return v.endContest(tx, p, q, ContestOverruled, words, now)
}

// upholdContest removes what a model made of a field: to history, as far as the
// register keeps one, where it is the person's alone to see. A model may make another
// of it later, which they may contest again.
func (v *Vault) upholdContest(ctx context.Context, tx store.Tx, p *person, q *requestRecord, words string, now time.Time) (digest rowDigest, err error) {
	if p.standing.Contested(q.Field) {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return digest, err
		}
		if err := v.dropInferred(tx, r.register, p, q.Field); err != nil {
			return digest, err
		}
		q.told = privacy.EventProfileUpdated
	}
	return v.endContest(tx, p, q, ContestUpheld, words, now)
}

// inferenceOf returns what made the value that an open contest is about: all that an
// officer sees of it without another reason.
func (v *Vault) inferenceOf(ctx context.Context, q *requestRecord) (by *privacy.Inference, err error) {
	if q.Kind != RequestContest || !q.open() {
		return nil, nil
	}
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		p, err := v.load(ctx, s, q.Subject)
		if there(p) == nil || err != nil {
			return err
		}
		if fact := p.standing.Value(q.Field); fact != nil {
			by = fact.Inference
		}
		return nil
	})
	return by, err
}

// endContest takes a contest from the person's standing, and answers their other
// requests that are about it like the one at hand.
func (v *Vault) endContest(tx store.Tx, p *person, q *requestRecord, outcome, words string, now time.Time) (digest rowDigest, err error) {
	q.Outcome = outcome
	if !p.standing.EndContest(q.Field) {
		return digest, nil
	}
	if digest, err = v.saveDigest(tx, p); err != nil {
		return digest, err
	}
	others, err := v.contestsOf(tx, p, q.Field)
	for _, o := range others {
		if err == nil && o.ID != q.ID {
			err = v.closeContest(tx, p, o, outcome, words, now, rowDigest{})
		}
	}
	return digest, err
}

// closeContest answers the request of a contest that is over.
func (v *Vault) closeContest(tx store.Tx, p *person, q *requestRecord, outcome, words string, now time.Time, digest rowDigest) error {
	act := "completed"
	if q.Status, q.Outcome, q.Done = RequestCompleted, outcome, now; outcome == ContestOverruled {
		q.Status, act = RequestRefused, "refused"
	}
	if words != "" {
		if err := p.say(v, q, func(w *requestWords) { w.Answer = words }); err != nil {
			return err
		}
	}
	if err := v.noteRight(tx, p, q, act, "", words, digest); err != nil {
		return err
	}
	return v.saveRequest(tx, q)
}

// settleContested has somebody's values settled before one of them goes.
func (v *Vault) settleContested(ctx context.Context, id privacy.RequestID) error {
	var q *requestRecord
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		q, err = v.requestOf(s, id)
		return err
	})
	if err == nil && q != nil && q.Kind == RequestContest && q.open() {
		err = v.finishRekeying(ctx, q.Subject)
	}
	if err != nil {
		return v.refusal(err)
	}
	return nil
}

// dropInferred removes what a model made of a field.
func (v *Vault) dropInferred(tx store.Tx, reg *register.Register, p *person, field privacy.FieldName) error {
	if err := v.mustSettle(tx, p.at, p.id); err != nil {
		return err
	}
	values, err := v.valuesOf(tx, p)
	if err != nil {
		return err
	}
	over := momentOver(reg, p.standing)
	sealed := map[privacy.FieldName][]byte{}
	var stay []consent.Value
	for i := range p.standing.Values {
		fact := &p.standing.Values[i]
		if fact.Field != field {
			stay, sealed[fact.Field] = append(stay, *fact), values.sealed.Envelope(i)
			continue
		}
		if f, ok := reg.Field(field); ok && !f.TTL.IsZero() {
			continue // of the moment
		}
		value, err := values.open(fact)
		if err != nil {
			return err
		}
		if err := v.putPast(tx, values, *fact, value); err != nil {
			return err
		}
	}
	p.standing.Values = stay
	if err := v.planMoment(tx, p, over, momentOver(reg, p.standing)); err != nil {
		return err
	}
	return values.put(tx, sealed, nil)
}

// settles reports whether a captured value ends the contest of its field: the person
// says what is right, or told a channel something else. That a channel now says it was
// told the very value does not.
func (k *captured) settles(s *consent.Standing, c *capture, same bool) bool {
	return k.origin != privacy.Inferred && s.Contest(k.field.Name) != nil && (c.by.acts || !same)
}

func (c *capture) endContest(s *consent.Standing, field privacy.FieldName) {
	s.EndContest(field)
	c.ended = append(c.ended, field)
}

// settled answers the requests of contests that a capture ended. Channels hear of
// what it changed anyway; of a value that only is not contested any more they hear
// here.
func (c *capture) settled(tx store.Tx, p *person, res *CaptureResult, digest rowDigest) error {
	for _, field := range c.ended {
		all, err := c.v.contestsOf(tx, p, field)
		if err != nil {
			return err
		}
		for i, q := range all {
			if i == 0 && !contains(res.Accepted, field) {
				q.told = privacy.EventProfileUnrestricted
			}
			if err := c.v.closeContest(tx, p, q, ContestReplaced, "", c.now, digest); err != nil {
				return err
			}
		}
	}
	return nil
}

// events of a request are what channels are told of a field of which less, or more,
// may be let out (Art. 19).
func (r rightRecord) events() []event.Event {
	if r.told == "" {
		return nil
	}
	return []event.Event{r.tells.tells(event.Event{Type: r.told, Time: r.At, Fields: r.about, Before: r.Standing.before()}, true)}
}

// contest is the entry of a contest, or of the end of one.
func (l *ledger) contest(kind ledgerKind, id privacy.ID, subject privacy.SubjectID, field privacy.FieldName, at time.Time) ledgerEntry {
	e := l.entry(kind, id, subject, "", at)
	e.Purpose = l.field(field)
	return e
}

func (l *ledger) field(name privacy.FieldName) [16]byte {
	sum := l.v.keyring().MAC("ledger field", []byte(name))
	return [16]byte(sum[:16])
}

// foldContest does a promised contest, or the end of one, to a standing.
func (l *ledger) foldContest(s *consent.Standing, reg *register.Register, e ledgerEntry) (told event.Event) {
	names := map[privacy.FieldName]bool{}
	for i := range reg.Fields {
		names[reg.Fields[i].Name] = true
	}
	for i := range s.Values {
		names[s.Values[i].Field] = true
	}
	for i := range s.Contests {
		names[s.Contests[i].Field] = true
	}
	for name := range names {
		if l.field(name) != e.Purpose {
			continue
		}
		was := s.Contested(name)
		switch c := s.Contest(name); {
		case e.Kind == ledgerContested:
			s.BeginContest(name, e.At)
		case c != nil && !c.Since.After(e.Written): // one that came later was not weighed
			s.EndContest(name)
		}
		if is := s.Contested(name); is != was {
			told = event.Event{Type: privacy.EventProfileRestricted, Fields: []privacy.FieldName{name}}
			if was {
				told.Type = privacy.EventProfileUnrestricted
			}
		}
	}
	return told
}

// contestedAgain puts back from the ledger the request of a contest that the state
// does not know. The words with which it was made are gone.
func (v *Vault) contestedAgain(tx store.Tx, p *person, e ledgerEntry) error {
	i := slices.IndexFunc(p.standing.Contests, func(c consent.Contest) bool { return v.ledger.field(c.Field) == e.Purpose })
	if i < 0 || there(p) == nil {
		return nil // it was overruled since
	}
	id, field := privacy.RequestID(e.ID), p.standing.Contests[i].Field
	open, err := v.contestsOf(tx, p, field)
	if err != nil || len(open) > 0 {
		return err
	}
	q, err := v.requestOf(tx, id)
	switch {
	case err != nil:
		return err
	case q == nil:
		q = &requestRecord{ID: id, Kind: RequestContest, Own: &privacy.Actor{Role: privacy.BySubject}, Received: e.At, Due: answerWithin.After(e.At), Subject: p.id, Field: field}
	case q.Subject != p.id || q.Status != RequestAwaiting:
		return nil
	}
	q.Status = RequestInProgress
	if err := v.noteRight(tx, p, q, "entered", "", "", rowDigest{}); err != nil {
		return err
	}
	return v.saveRequest(tx, q)
}

// overruledAgain answers the requests of which the ledger says that the contest was
// overruled, and the state still that they wait. The reasons are gone.
func (v *Vault) overruledAgain(tx store.Tx, p *person, e ledgerEntry) error {
	all, err := v.requestsAbout(tx, p.id)
	for _, q := range all {
		if err == nil && q.Kind == RequestContest && q.Status == RequestInProgress && v.ledger.field(q.Field) == e.Purpose && p.standing.Contest(q.Field) == nil {
			err = v.closeContest(tx, p, q, ContestOverruled, "", e.At, rowDigest{})
		}
	}
	return err
}
