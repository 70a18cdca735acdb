package vault

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// AudienceRequest asks whom a channel may use a purpose for. With Fields it is told
// what may be released of them, without only who they are.
type AudienceRequest struct {
	Purpose privacy.PurposeID
	Fields  []privacy.FieldName
	Context map[string]any
	// After goes on behind a person of an answer that broke off.
	After privacy.SubjectID
}

// audiencePeople is how many people an answer knows ahead, at 16 bytes each.
const audiencePeople = 1 << 16

// errNotAmong is the outcome for somebody of whom nothing may be released: that
// they were looked at is told nobody, and not recorded.
var errNotAmong = errors.New("not among the audience")

// audience is the answer to one such question on its way.
type audience struct {
	v     *Vault
	by    Caller
	ask   ReadRequest
	want  look
	after privacy.SubjectID
	ahead []privacy.SubjectID // who comes next, in order
}

// Audience gives everybody whom the purpose may be used of now, to a channel that
// the register lets ask so. What is wrong with the question is told before anybody
// is looked at.
//
// It goes through everybody there is in the order of their IDs, which look random:
// in the order of their rows it would tell who came after whom. It holds a bounded
// part of them, and makes as many passes over the rows as that part goes into the
// whole.
//
// Some of them at a time are decided about through the door, each by themselves, and
// given to some when the records of those who may be used are durable: Result is nil
// for all others, of whom nothing is recorded. some is told when the first of them
// began to be decided about. It says how many it has used, from the first on, and how
// many are to be decided about next; those it did not use, because they had become
// old, are decided about again.
func (v *Vault) Audience(ctx context.Context, by Caller, req AudienceRequest, some func(asked time.Time, people []ReadOutcome) (used, next int, err error)) error {
	a := &audience{v: v, by: by, want: whether, after: req.After,
		ask: ReadRequest{Purpose: req.Purpose, Fields: req.Fields, Context: req.Context, listing: true}}
	if len(req.Fields) > 0 {
		a.want = values
	}
	if err := a.mayAsk(ctx); err != nil {
		return err
	}
	done, err := v.listing(by)
	if err != nil {
		return err
	}
	defer done()
	for next := audienceFirst; ; {
		if len(a.ahead) == 0 {
			if err := a.find(ctx); err != nil {
				return v.refusal(err)
			}
		}
		people := a.ahead[:min(max(next, 1), len(a.ahead))]
		if len(people) == 0 {
			return nil
		}
		asked := time.Now()
		outcomes, failed := a.decide(ctx, people)
		used, more, err := some(asked, outcomes)
		if err != nil {
			return err
		}
		if used == len(outcomes) && failed != nil {
			return failed
		}
		if next = more; used > 0 {
			a.after, a.ahead = people[used-1], a.ahead[used:]
		}
	}
}

// audienceFirst is how many people are decided about first.
const audienceFirst = 16

// listing counts an audience of the caller's channel until done is called.
func (v *Vault) listing(by Caller) (done func(), err error) {
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	channel, err := now.channelOf(by)
	if err != nil {
		return nil, v.refusal(err)
	}
	return v.limits.list(channel)
}

// mayAsk asks of nobody: what is refused then would be of everybody.
func (a *audience) mayAsk(ctx context.Context) error {
	ask := a.ask
	ask.Subject.ID = privacy.NewSubjectID()
	decided, err := a.v.decide(ctx, a.by, ask, a.want)
	if err == nil {
		decided, err = a.v.keepRecord(ctx, a.by, ask, a.want, decided, nil)
	}
	if err == nil {
		err = decided.refused
	}
	if errors.Is(err, errNotAmong) {
		return nil
	}
	return a.v.refusal(err)
}

// find finds the first people behind the last one.
func (a *audience) find(ctx context.Context) error {
	most := a.v.audiencePeople
	ids := make([]privacy.SubjectID, 0, 2*most)
	var furthest *privacy.SubjectID // of as many as are wanted
	nearest := func() {
		slices.SortFunc(ids, byID)
		if len(ids) >= most {
			ids = ids[:most]
			furthest = &ids[most-1]
		}
	}
	var last []byte
	for more := true; more; {
		began, n := time.Now(), 0
		more = false
		err := a.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			return s.Scan(bucketStanding.all(), last, nil, func(key, _ []byte) error {
				if n++; n > pageRows || n%64 == 0 && time.Since(began) > pageTime {
					last, more = slices.Clone(key), true
					return store.ErrStop
				}
				id, err := a.v.personAt(key)
				if err != nil {
					return err
				}
				if id == privacy.Nobody || byID(id, a.after) <= 0 || furthest != nil && byID(id, *furthest) > 0 {
					return nil
				}
				if ids = append(ids, id); len(ids) == 2*most {
					nearest()
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	nearest()
	a.ahead = ids
	return nil
}

func byID(a, b privacy.SubjectID) int { return slices.Compare(a[:], b[:]) }

// decide decides about people, as of now, and makes the records durable. With an
// error, nobody behind the last of the outcomes was decided about.
//
// Outcomes leave on a beat, as silent denials do: to decide about one person more
// who is not among the audience takes less time than that.
func (a *audience) decide(ctx context.Context, people []privacy.SubjectID) (outcomes []ReadOutcome, failed error) {
	began := time.Now()
	answers, asks := make([]*answer, len(people)), make([]ReadRequest, len(people))
	for i, id := range people {
		asks[i] = a.ask
		asks[i].Subject.ID = id
		decided, err := a.v.decide(ctx, a.by, asks[i], a.want)
		if failed = a.among(err); failed != nil {
			answers = answers[:i]
			break
		}
		if err == nil {
			answers[i] = decided
		}
	}
	outcomes = make([]ReadOutcome, len(answers))
	var recording sync.WaitGroup
	var broke breakage
	for i, decided := range answers {
		if decided == nil {
			continue
		}
		recording.Go(func() {
			defer broke.note()
			decided.watch.resume()
			kept, err := a.v.keepRecord(ctx, a.by, asks[i], a.want, decided, nil)
			var refused *Error
			switch {
			case err != nil:
				outcomes[i].Err = a.among(err)
			case !errors.As(kept.refused, &refused):
				outcomes[i].Result = kept.result
			case refused.Code != CodeUnavailable: // else the rules gave no decision about this one
				outcomes[i].Err = refused
			}
		})
	}
	recording.Wait()
	broke.tell()
	onTheBeat(began)
	if i := slices.IndexFunc(outcomes, func(o ReadOutcome) bool { return o.Err != nil }); i >= 0 {
		return outcomes[:i], outcomes[i].Err
	}
	return outcomes, failed
}

// among returns why an answer cannot go on; nil if it is one person's matter: of
// whom nothing may be released, or something is damaged, of which the operators are
// told.
func (a *audience) among(err error) error {
	if err == nil || errors.Is(err, errNotAmong) {
		return nil
	}
	refused := a.v.refusal(err)
	if errors.Is(err, keys.ErrIntegrity) {
		return nil
	}
	return refused
}
