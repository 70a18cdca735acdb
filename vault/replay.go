package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/policy/replay"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ReplayRequest says over which recorded decisions rules are run: From is in it,
// To is not. Zero is no bound.
type ReplayRequest struct{ From, To time.Time }

// PolicyReplay is what a rule set would have made of what really happened.
type PolicyReplay struct {
	Policy string
	Status string
	replay.Report
}

// ReplayPolicy decides every recorded read of a period again: with the facts of
// its moment – standing, register, request – and under a rule set in the place of
// the one that was in force. It opens no value, and changes nothing but that the
// rule set's life says so. progress, which may be nil, is told how many decisions
// of how many were looked at.
//
// What cannot be decided again – of people erased since, or where the facts are
// not on record – is counted and not guessed; questions that were refused before
// anybody was looked up, and questions that asked only whether, are left out.
//
// It takes all processors while nobody reads and a twentieth of one while
// somebody does, and ends with ctx. A rule set that gives no decision too often
// is refused: it would deny those reads.
func (v *Vault) ReplayPolicy(ctx context.Context, by Caller, id string, req ReplayRequest, progress func(done, of uint64)) (*PolicyReplay, error) {
	set, err := v.PolicyByID(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if !req.From.IsZero() && !req.To.IsZero() && !req.From.Before(req.To) {
		return nil, invalid("to", "invalid_value", "expected a time after from")
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := v.checkModules(ctx, now, set.Modules); err != nil {
		return nil, err
	}
	r := &replaying{v: v, by: by, now: now, modules: set.Modules, span: ExportRequest{From: req.From, To: req.To}, end: v.cfg.Store.Size(),
		most: replayRefs, regimes: map[inForceAt]*both{}, progress: progress}
	if r.progress == nil {
		r.progress = func(uint64, uint64) {}
	}
	report, err := r.run(ctx)
	if err != nil {
		return nil, v.refusal(err)
	}
	out := &PolicyReplay{Policy: set.ID, Report: report}
	out.Status, err = v.step(ctx, by, set.ID, PolicyStep{Act: actReplayed, Replay: &ReplaySummary{From: req.From, To: req.To,
		Decisions: report.Decisions, Changed: report.Changed, People: report.People, NotReplayable: report.NotReplayable}})
	return out, err
}

// ReplaySummary is what a rule set's life keeps of a replay.
type ReplaySummary struct {
	From          time.Time `json:"from,omitzero"`
	To            time.Time `json:"to,omitzero"`
	Decisions     int       `json:"decisions"`
	Changed       int       `json:"changed"`
	People        int       `json:"people"`
	NotReplayable int       `json:"not_replayable"`
}

// replayRefs bounds how many decisions a replay holds in memory at once, at 24
// bytes each.
const replayRefs = 2 << 20

// mostFailures is how often rules may give no decision before a replay ends.
const mostFailures = 64

// replaying is a replay on its way.
type replaying struct {
	v        *Vault
	by       Caller
	now      *regime
	modules  map[string]string
	span     ExportRequest
	end      uint64
	most     int
	progress func(done, of uint64)

	seen     atomic.Uint64 // decisions looked at
	of       atomic.Uint64 // of how many, as far as that is known
	failures atomic.Int64

	mu      sync.Mutex // guards regimes and progress
	regimes map[inForceAt]*both
	told    time.Time
}

type inForceAt struct {
	register uint64
	policy   string
}

// both is what was in force at a moment, and what is tried in its place. Where
// either cannot be made, its decisions cannot be decided again.
type both struct {
	once   sync.Once
	then   *regime
	tried  *policy.Revision
	more   []privacy.PurposeID // that the rules tried may look at and the register of then lacks
	reason error
}

// ref is where a decision about somebody stands in the log.
type ref struct {
	subject privacy.SubjectID
	index   uint64
}

// run goes through the log person by person, so that nobody has to be remembered:
// once over it to find the decisions of as many people as memory holds, then on to
// the next people.
func (r *replaying) run(ctx context.Context) (replay.Report, error) {
	var total replay.Tally
	from := privacy.SubjectID{}
	for first := true; ; first = false {
		refs, next, err := r.find(ctx, from, first, &total)
		if err != nil {
			return replay.Report{}, err
		}
		slices.SortFunc(refs, func(a, b ref) int {
			if c := slices.Compare(a.subject[:], b.subject[:]); c != 0 {
				return c
			}
			return int(min(max(int64(a.index)-int64(b.index), -1), 1))
		})
		r.of.Store(r.seen.Load() + uint64(len(refs)))
		if err := r.people(ctx, refs, &total); err != nil {
			return replay.Report{}, err
		}
		if next == nil {
			r.progress(r.seen.Load(), r.of.Load())
			return total.Report(), nil
		}
		from = *next
	}
}

// find scans the log for the decisions about people from one on. If there are too
// many it keeps those of the first of them, and says who is next. What nobody was
// found for is decided on the way, the first time: it needs no memory.
func (r *replaying) find(ctx context.Context, from privacy.SubjectID, first bool, total *replay.Tally) (refs []ref, next *privacy.SubjectID, err error) {
	if first {
		total.Person(false)
	}
	pace := r.pace(0)
	for at := uint64(0); at < r.end; {
		began := time.Now()
		page, after, err := r.v.exportPage(ctx, r.span, at, r.end, []log.Kind{log.Access})
		if err != nil {
			return nil, nil, err
		}
		for _, e := range page {
			switch {
			case e.Subject == privacy.Nobody:
				if first {
					if err := r.decision(ctx, r.v.nobody, nil, e, total); err != nil {
						return nil, nil, err
					}
					r.looked(1)
				}
			case slices.Compare(e.Subject[:], from[:]) >= 0 && (next == nil || slices.Compare(e.Subject[:], next[:]) < 0):
				refs = append(refs, ref{e.Subject, e.index})
			}
		}
		r.looked(0)
		if len(refs) > r.most {
			refs, next = halve(refs, next)
		}
		at = after
		if err := pace.rest(ctx, time.Since(began)); err != nil {
			return nil, nil, err
		}
	}
	return refs, next, nil
}

// halve keeps the decisions of the first half of the people, and says who is the
// first of the others. One person alone is kept whole.
func halve(refs []ref, next *privacy.SubjectID) ([]ref, *privacy.SubjectID) {
	slices.SortFunc(refs, func(a, b ref) int { return slices.Compare(a.subject[:], b.subject[:]) })
	middle := refs[len(refs)/2].subject
	cut := slices.IndexFunc(refs, func(x ref) bool { return x.subject == middle })
	if cut == 0 { // the first person has half of all
		if cut = slices.IndexFunc(refs, func(x ref) bool { return x.subject != middle }); cut < 0 {
			return refs, next
		}
	}
	return refs[:cut:cut], &refs[cut].subject
}

// people decides again what was decided about people, several at a time.
func (r *replaying) people(ctx context.Context, refs []ref, total *replay.Tally) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	workers := runtime.GOMAXPROCS(0)
	work := make(chan []ref)
	tallies, failed := make([]replay.Tally, workers), make([]error, workers)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() {
			pace := r.pace(i)
			for of := range work {
				if failed[i] == nil {
					if failed[i] = r.person(ctx, of, &tallies[i], pace); failed[i] != nil {
						stop()
					}
				}
			}
		})
	}
	for len(refs) > 0 {
		n := slices.IndexFunc(refs, func(x ref) bool { return x.subject != refs[0].subject })
		if n < 0 {
			n = len(refs)
		}
		work <- refs[:n]
		refs = refs[n:]
	}
	close(work)
	wait.Wait()
	for i := range tallies {
		total.Merge(&tallies[i])
	}
	for _, err := range failed { // the first to fail stopped the others
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(failed...)
}

// person decides again what was decided about one person.
func (r *replaying) person(ctx context.Context, of []ref, t *replay.Tally, pace *pace) error {
	began := time.Now()
	if err := r.v.stillOfficer(r.by); err != nil {
		return err
	}
	p, standings, err := r.standings(ctx, of[0].subject)
	if err != nil {
		return err
	}
	t.Person(true)
	if p == nil {
		t.Lost(len(of))
		r.looked(len(of))
		return pace.rest(ctx, time.Since(began))
	}
	for _, x := range of {
		e, err := r.v.follower.Entry(ctx, x.index)
		if err == nil {
			err = r.decision(ctx, p, standings, entry{Entry: e, index: x.index}, t)
		}
		if err != nil {
			return err
		}
		r.looked(1)
		if err := pace.rest(ctx, time.Since(began)); err != nil {
			return err
		}
		began = time.Now()
	}
	return nil
}

// standings returns a person and what opens their standing at a version; no person
// if they were erased, or if what there is of them does not verify.
func (r *replaying) standings(ctx context.Context, id privacy.SubjectID) (p *person, of standings, err error) {
	err = r.v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		p, err = r.v.load(ctx, s, id)
		return err
	})
	if errors.Is(err, errIntegrity) {
		return nil, nil, nil
	}
	if err != nil || p == nil {
		return nil, nil, err
	}
	type moment struct {
		version uint64
		lapsed  bool
	}
	known := map[moment]*consent.Standing{}
	return p, func(version uint64, at time.Time) (*consent.Standing, error) {
		m := moment{version, at.After(r.v.lapsed)}
		if known[m] == nil {
			err := r.v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
				known[m], err = r.v.standingAt(ctx, s, p, version, at)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		return known[m], nil
	}, nil
}

// standings opens a person's standing as it was for a decision made at a time.
type standings func(version uint64, at time.Time) (*consent.Standing, error)

// decision decides one recorded read again, both ways.
func (r *replaying) decision(ctx context.Context, p *person, of standings, e entry, t *replay.Tally) error {
	opening, err := e.Open(p.history, r.v.id)
	if err != nil {
		t.Lost(1)
		return nil //nolint:nilerr // not what was written: counted
	}
	var record accessRecord
	if err := json.Unmarshal(opening.Record, &record); err != nil {
		t.Lost(1)
		return nil //nolint:nilerr // likewise
	}
	if record.Peek || record.Refused != "" && record.Refused != CodeUnavailable {
		return nil // nobody was shown anything
	}
	if record.Refused != "" { // the rules of then gave no decision, and on what facts is not recorded
		t.Lost(1)
		return nil
	}
	at := *p
	if of != nil {
		if at.standing, err = of(record.Standing, record.At); errors.Is(err, errIntegrity) {
			t.Lost(1)
			return nil
		}
		if err != nil {
			return err
		}
		if seen := at.seenFor(record.Purpose); seen != nil {
			at = *seen
		}
	}
	var d replay.Decision
	if seen := at.seenFor(record.Purpose); seen != nil {
		d, err = r.again(ctx, seen, &record)
	} else {
		err = errNotReplayable
	}
	switch {
	case err == nil:
		t.Add(d)
		return nil
	case errors.Is(err, errNotReplayable):
		t.Lost(1)
		return nil
	}
	return err
}

// errNotReplayable: a decision cannot be made again.
var errNotReplayable = errors.New("the facts of a decision are not on record")

func (r *replaying) again(ctx context.Context, p *person, record *accessRecord) (d replay.Decision, err error) {
	b, err := r.regimesAt(ctx, inForceAt{record.Register, record.Policy})
	if err != nil {
		return d, err
	}
	channel, ok := b.then.register.Channel(record.Channel)
	purpose, ok2 := b.then.register.Purpose(record.Purpose)
	if !ok || !ok2 {
		return d, errNotReplayable
	}
	q := question{channel: channel, regime: b.then, purpose: record.Purpose, fields: record.Asked, context: record.Context, asked: purpose}
	in := q.input(p, record.At)
	switch {
	case record.Touches != nil: // which are not kept in all versions, as standings are
		in.Touches = *record.Touches
	case b.tried.LooksAt("touches"):
		return d, errNotReplayable
	}
	before, err := b.then.rules.Decide(ctx, in)
	if err != nil {
		return d, r.or(ctx, errNotReplayable)
	}
	if !record.says(before) {
		return d, errNotReplayable
	}
	for _, name := range b.tried.ContextKeys() {
		if _, told := in.Context[name]; !told {
			return d, errNotReplayable
		}
	}
	for _, id := range b.more {
		in.Consents[id], in.Objected[id] = p.standing.Status(id, record.At), p.standing.Objected(id)
		if record.Touches != nil {
			in.Touches.ByPurpose[id] = policy.Counts{} // there was no such purpose to be contacted for
		}
	}
	d = replay.Decision{ID: record.Decision, Channel: record.Channel, Purpose: record.Purpose, Before: before.Outcomes,
		Nothing: func(name privacy.FieldName) bool {
			f, declared := b.then.register.Field(name)
			return !declared || r.v.present(&q, p, f, moments{record.At}) == nil
		}}
	after, err := b.tried.Decide(ctx, in)
	switch {
	case err == nil:
		d.After = after.Outcomes
	case ctx.Err() != nil:
		return d, ctx.Err()
	case r.failures.Add(1) > mostFailures:
		return d, invalid("modules", "no_decision", "the rules gave no decision on %d recorded reads, the last is %s: those would be denied", mostFailures, record.Decision)
	}
	return d, nil
}

// or returns why ctx ended, or else the error.
func (r *replaying) or(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// says reports whether the outcomes are those that were recorded. They are not
// where a read was decided for two times, because the clock was in doubt.
func (r *accessRecord) says(d policy.Decision) bool {
	for _, o := range d.Outcomes {
		_, withheld := r.Withheld[o.Field]
		mask, masked := r.Masked[o.Field]
		missing := slices.Contains(r.Missing, o.Field)
		switch o.Action {
		case policy.Withhold:
			if !withheld {
				return false
			}
		case policy.Mask:
			if !missing && (!masked || mask != o.Mask) {
				return false
			}
		default:
			if !missing && !slices.Contains(r.Released, o.Field) {
				return false
			}
		}
	}
	return len(d.Outcomes) == len(r.Withheld)+len(r.Masked)+len(r.Missing)+len(r.Released)
}

// regimesAt makes what was in force at a moment, and what is tried in its place.
func (r *replaying) regimesAt(ctx context.Context, at inForceAt) (*both, error) {
	r.mu.Lock()
	b := r.regimes[at]
	if b == nil {
		b = &both{}
		r.regimes[at] = b
	}
	r.mu.Unlock()
	b.once.Do(func() { b.reason = r.make(ctx, at, b) })
	return b, b.reason
}

// make compiles the rules that are tried against the register of then and what
// has been declared since: they may name it, and it was not there to be read.
func (r *replaying) make(ctx context.Context, at inForceAt, b *both) error {
	err := r.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		then, err := r.v.regimeAt(ctx, s, at.register, at.policy)
		if err == nil { // what reads remember of their decisions is not for a replay to push out
			b.then = &regime{gov: then.gov, register: then.register, rules: then.rules.WithDeadline(r.v.cfg.DecisionDeadline)}
		}
		return err
	})
	if errors.Is(err, errIntegrity) { // a restore from an older copy undid it
		return fmt.Errorf("%w: register revision %d, rules %s: %w", errNotReplayable, at.register, at.policy, err)
	}
	if err != nil {
		return err
	}
	schema, later := schemaOf(b.then.register), schemaOf(r.now.register)
	schema.Fields = union(schema.Fields, later.Fields, func(f policy.Field) privacy.FieldName { return f.Name })
	schema.Context = union(schema.Context, later.Context, func(k policy.ContextKey) string { return k.Name })
	schema.Channels = union(schema.Channels, later.Channels, func(c privacy.ChannelID) privacy.ChannelID { return c })
	had := len(schema.Purposes)
	schema.Purposes = union(schema.Purposes, later.Purposes, func(p privacy.PurposeID) privacy.PurposeID { return p })
	b.more = schema.Purposes[had:]
	tried, err := policy.Compile(ctx, schema, r.modules)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: the rules do not compile with register revision %d: %w", errNotReplayable, at.register, err)
	}
	b.tried = tried.WithDeadline(r.v.cfg.DecisionDeadline)
	return nil
}

// union returns what is in a, and what is in b alone, by its name.
func union[T any, N comparable](a, b []T, name func(T) N) []T {
	has := map[N]bool{}
	for _, x := range a {
		has[name(x)] = true
	}
	for _, x := range b {
		if !has[name(x)] {
			a = append(a, x)
		}
	}
	return a
}

// looked tells how far the replay is, a few times a second.
func (r *replaying) looked(n int) {
	seen := r.seen.Add(uint64(n))
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.told) > 100*time.Millisecond {
		r.told = time.Now()
		r.progress(seen, max(seen, r.of.Load()))
	}
}
