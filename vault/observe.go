package vault

import (
	"context"
	"errors"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Observer is told of every question about a person, when it is answered: reads,
// and those that ask only whether. It is called on the way of each, so it must
// be quick and safe for concurrent use.
type Observer interface {
	// Observe is given the context the question came with. It keeps nothing of
	// the observation but copies.
	Observe(context.Context, Observation)
}

// Observation is one question as metrics and traces may know it: no person, no
// value, and nothing a client made up.
//
// What it says of an answer that released nothing is for the operators alone:
// where a purpose is silent, the way to that answer can tell somebody known
// from nobody, even if the answer does not.
type Observation struct {
	Purpose  privacy.PurposeID // empty: not one of the register's
	Decision privacy.DecisionID
	Outcome  Outcome
	Withheld []Withheld // as the channel was told
	Peek     bool       // asked only whether, so no value was opened
	Reused   bool       // all of it was decided before, for an equal input
	Attempts int        // more than one: what it was decided on changed meanwhile

	Began time.Time
	Took  [Stages]time.Duration // by Stage, all attempts together
}

// Outcome is what became of a question.
type Outcome byte

// The outcomes.
const (
	Released Outcome = iota // everything that came out, came out in full
	Masked                  // some of it masked
	Denied                  // nothing may be released
	Refused                 // by a code: the request was not one to be decided
	Failed                  // the vault could not answer, or who asked did not wait
	Outcomes                // how many there are
)

func (o Outcome) String() string {
	return [Outcomes]string{"released", "masked", "denied", "refused", "failed"}[o]
}

// Stage is a part of a read.
type Stage byte

// The stages, in the order they come in.
const (
	StageSnapshot Stage = iota // what is in force, and who it is about
	StageDecide                // the rules
	StageOpen                  // of the values that come out
	StageRecord                // the access record, made and synced
	Stages                     // how many there are
)

func (s Stage) String() string {
	return [Stages]string{"snapshot", "decide", "open", "record"}[s]
}

// watch follows one question for the observer. Where there is none it looks at
// no clock.
type watch struct {
	began time.Time     // zero: nobody observes
	until time.Duration // since began, of the last mark

	seen Observation
}

func (v *Vault) watch(want look) (w watch) {
	if v.cfg.Observer != nil {
		w.began = time.Now()
		w.seen = Observation{Peek: want != values, Reused: true, Attempts: 1, Began: w.began}
	}
	return w
}

// asks notes the purpose, as the register has it.
func (w *watch) asks(q *question) {
	if p, ok := q.regime.register.Purpose(q.purpose); ok {
		w.seen.Purpose = p.ID
	}
	w.mark(StageSnapshot)
}

func (w *watch) decided(q *question) {
	w.seen.Reused = !q.evaluated
	w.mark(StageDecide)
}

// mark ends a stage.
func (w *watch) mark(s Stage) {
	if w.began.IsZero() {
		return
	}
	now := time.Since(w.began)
	w.seen.Took[s] += now - w.until
	w.until = now
}

// resume leaves out the time since the last mark: others were decided meanwhile.
func (w *watch) resume() {
	if !w.began.IsZero() {
		w.until = time.Since(w.began)
	}
}

// again goes on from an attempt whose state changed meanwhile.
func (w *watch) again(before watch) {
	w.seen.Began = before.seen.Began
	w.seen.Attempts += before.seen.Attempts
	for i, took := range before.seen.Took {
		w.seen.Took[i] += took
	}
}

// tell tells the observer what became of a question.
func (v *Vault) tell(ctx context.Context, a *answer, err error) {
	if v.cfg.Observer == nil {
		return
	}
	if err == nil {
		err = a.refused // who only asks whether gets no error
	}
	o := a.watch.seen
	var denied *DeniedError
	var refused *Error
	switch {
	case errors.As(err, &denied):
		o.Outcome, o.Decision, o.Withheld = Denied, denied.Decision, denied.Withheld
	case errors.As(err, &refused) && refused.Code != CodeUnavailable:
		o.Outcome = Refused
	case err != nil:
		o.Outcome = Failed
	case len(a.result.Masked) > 0:
		o.Outcome, o.Decision, o.Withheld = Masked, a.result.Decision, a.result.Withheld
	default:
		o.Outcome, o.Decision, o.Withheld = Released, a.result.Decision, a.result.Withheld
	}
	v.cfg.Observer.Observe(ctx, o)
}

// Stats are the vault in numbers, none of them about a person. Asking costs
// little.
type Stats struct {
	Records    uint64        // durable in the log
	Checkpoint uint64        // of them, those under its signed head
	Behind     time.Duration // since all that was durable was under it
	KEKEpoch   uint32
	IndexEpoch uint32
	Register   uint64 // the revision in force
	Purposes   []privacy.PurposeID
	Believed   bool // the clock
}

// Stats returns the numbers as they stand.
func (v *Vault) Stats() Stats {
	head, looked := v.follower.Progress()
	ring := v.keyring()
	s := Stats{Records: v.cfg.Store.Size(), Checkpoint: head.Size, KEKEpoch: ring.KEKEpoch(), IndexEpoch: ring.IndexEpoch()}
	if !looked.IsZero() {
		s.Behind = time.Since(looked)
	}
	_, s.Believed, _ = v.clock.now()
	if now := v.inForce.Load(); now != nil {
		s.Register = now.register.Revision
		for i := range now.register.Purposes {
			s.Purposes = append(s.Purposes, now.register.Purposes[i].ID)
		}
	}
	return s
}
