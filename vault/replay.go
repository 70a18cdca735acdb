package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/policy/replay"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
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
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := v.checkModules(ctx, now, set.Modules); err != nil {
		return nil, err
	}
	report, err := v.replay(ctx, by, &replaying{now: now, modules: set.Modules}, req, progress)
	if err != nil {
		return nil, err
	}
	out := &PolicyReplay{Policy: set.ID, Report: *report}
	out.Status, err = v.step(ctx, by, set.ID, PolicyStep{Act: actReplayed, Replay: summaryOf(req, report)})
	return out, err
}

// replay runs what is tried over what really happened.
func (v *Vault) replay(ctx context.Context, by Caller, r *replaying, req ReplayRequest, progress func(done, of uint64)) (*replay.Report, error) {
	if !req.From.IsZero() && !req.To.IsZero() && !req.From.Before(req.To) {
		return nil, invalid("to", "invalid_value", "expected a time after from")
	}
	r.v, r.regimes, r.tallies = v, map[inForceAt]*both{}, make([]replay.Tally, runtime.GOMAXPROCS(0))
	walk := &peopleWalk{v: v, by: by, span: ExportRequest{From: req.From, To: req.To}, kinds: []log.Kind{log.Access}, workers: len(r.tallies),
		nobody: r.nobody, person: r.person, progress: progress}
	r.tallies[0].Person(false)
	if err := walk.run(ctx); err != nil {
		return nil, v.refusal(err)
	}
	for i := range r.tallies[1:] {
		r.tallies[0].Merge(&r.tallies[1+i])
	}
	report := r.tallies[0].Report()
	return &report, nil
}

func summaryOf(req ReplayRequest, r *replay.Report) *ReplaySummary {
	return &ReplaySummary{From: req.From, To: req.To, Decisions: r.Decisions, Changed: r.Changed, People: r.People, NotReplayable: r.NotReplayable}
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

// mostFailures is how often rules may give no decision before a replay ends.
const mostFailures = 64

// replaying is a replay on its way.
type replaying struct {
	v   *Vault
	now *regime
	// One of the two is tried, the other is as it was.
	modules  map[string]string
	register *register.Register

	tallies []replay.Tally // one a worker

	failures atomic.Int64

	mu      sync.Mutex // guards regimes
	regimes map[inForceAt]*both
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
	tried  *regime
	more   []privacy.PurposeID // that the rules tried may look at and the register of then lacks
	reason error
}

// nobody decides again what was decided about nobody, before anybody else's turn.
func (r *replaying) nobody(ctx context.Context, e entry) error {
	return r.decision(ctx, r.v.nobody, nil, e, &r.tallies[0])
}

// person decides again what was decided about one person.
func (r *replaying) person(ctx context.Context, worker int, of []ref, rest func() error) error {
	t := &r.tallies[worker]
	p, standings, err := r.standings(ctx, of[0].subject)
	if err != nil {
		return err
	}
	t.Person(true)
	if p == nil {
		t.Lost(len(of))
		return nil
	}
	for _, x := range of {
		e, err := r.v.follower.Entry(ctx, x.index)
		if err == nil {
			err = r.decision(ctx, p, standings, entry{Entry: e, index: x.index}, t)
		}
		if err == nil {
			err = rest()
		}
		if err != nil {
			return err
		}
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
	q, ok := b.then.asked(record)
	if !ok {
		return d, errNotReplayable
	}
	if record.Touches == nil && b.tried.rules.LooksAt("touches") {
		return d, errNotReplayable
	}
	was := q.recorded(p, record)
	before, err := b.then.rules.Decide(ctx, was)
	if err != nil {
		return d, r.or(ctx, errNotReplayable)
	}
	if !record.says(before) {
		return d, errNotReplayable
	}
	tried, ok := b.tried.asked(record)
	if r.register != nil && ok && slices.Equal(record.Asked, q.asked.Fields) { // as if all of the purpose's were asked for
		tried.fields = union(slices.Clone(record.Asked), tried.asked.Fields, func(f privacy.FieldName) privacy.FieldName { return f })
	}
	d = replay.Decision{ID: record.Decision, Channel: record.Channel, Purpose: record.Purpose, Before: before.Outcomes}
	if !ok { // the channel does not hold the purpose then
		d.After = withheldAll(record.Asked)
	} else if d.After, err = r.tries(ctx, b, tried, p, record); err != nil {
		return d, err
	}
	r.exposes(&d, q, tried, ok, p, record.At)
	return d, nil
}

// tries decides under what is tried; nil if the rules give no decision.
func (r *replaying) tries(ctx context.Context, b *both, q *question, p *person, record *accessRecord) ([]policy.Outcome, error) {
	in := q.recorded(p, record)
	for _, name := range b.tried.rules.ContextKeys() {
		if _, told := in.Context[name]; !told {
			return nil, errNotReplayable
		}
	}
	for _, id := range b.more {
		in.Consents[id], in.Objected[id] = p.standing.Status(id, record.At), p.standing.Objected(id)
	}
	if record.Touches != nil { // there was no other purpose to be contacted for
		in.Touches.ByPurpose = maps.Clone(in.Touches.ByPurpose)
		for id := range in.Consents {
			in.Touches.ByPurpose[id] = record.Touches.ByPurpose[id]
		}
	}
	after, err := b.tried.rules.Decide(ctx, in)
	switch {
	case err == nil:
		return after.Outcomes, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case r.failures.Add(1) > mostFailures:
		return nil, invalid("modules", "no_decision", "the rules gave no decision on %d recorded reads, the last is %s: those would be denied", mostFailures, record.Decision)
	}
	return nil, nil
}

// exposes makes of decisions what they show: a field without a value shows
// nothing, whatever is decided of it, and another register may end values sooner
// or later. Both get the same fields.
func (r *replaying) exposes(d *replay.Decision, q, tried *question, granted bool, p *person, at time.Time) {
	for _, f := range tried.fields[min(len(d.Before), len(tried.fields)):] {
		d.Before = append(d.Before, policy.Outcome{Field: f, Action: policy.Withhold})
	}
	there := func(q *question, name privacy.FieldName) bool {
		f, declared := q.regime.register.Field(name)
		return declared && r.v.present(q, p, f, moments{at}) != nil
	}
	nothing := map[privacy.FieldName]bool{}
	for i := range d.Before {
		name := d.Before[i].Field
		was := there(q, name)
		is := was
		if r.register != nil && granted {
			is = there(tried, name)
		}
		switch {
		case !was && !is:
			nothing[name] = true
		case !was:
			d.Before[i] = policy.Outcome{Field: name, Action: policy.Withhold}
		case !is && d.After != nil:
			d.After[i] = policy.Outcome{Field: name, Action: policy.Withhold}
		}
	}
	d.Nothing = func(f privacy.FieldName) bool { return nothing[f] }
}

func withheldAll(fields []privacy.FieldName) []policy.Outcome {
	all := make([]policy.Outcome, len(fields))
	for i, f := range fields {
		all[i] = policy.Outcome{Field: f, Action: policy.Withhold}
	}
	return all
}

// asked is the recorded question as it is in a regime; it is false if it could not
// be asked there.
func (r *regime) asked(record *accessRecord) (*question, bool) {
	channel, ok := r.register.Channel(record.Channel)
	purpose, ok2 := r.register.Purpose(record.Purpose)
	q := &question{channel: channel, regime: r, purpose: record.Purpose, fields: record.Asked, context: record.Context, asked: purpose}
	return q, ok && ok2 && contains(channel.Purposes, record.Purpose)
}

// recorded gathers the facts of a recorded question.
func (q *question) recorded(p *person, record *accessRecord) *policy.Input {
	in := q.input(p, record.At)
	if record.Touches != nil { // which are not kept in all versions, as standings are
		in.Touches = *record.Touches
	}
	return in
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

// make compiles what is tried: other rules against the register of then and what
// has been declared since, for they may name it, and it was not there to be read;
// or another register with the rules of then.
func (r *replaying) make(ctx context.Context, at inForceAt, b *both) error {
	modules := r.modules
	err := r.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		then, err := r.v.regimeAt(ctx, s, at.register, at.policy)
		if err != nil {
			return err
		}
		// What reads remember of their decisions is not for a replay to push out.
		b.then = &regime{gov: then.gov, register: then.register, rules: then.rules.WithDeadline(r.v.cfg.DecisionDeadline)}
		if r.register != nil {
			modules, err = r.v.modules(s, at.policy)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.tried = &regime{gov: b.then.gov, register: b.then.register}
	schema := schemaOf(b.then.register)
	if r.register != nil {
		b.tried.register, schema = r.register, schemaOf(r.register)
	} else {
		later := schemaOf(r.now.register)
		schema.Fields = union(schema.Fields, later.Fields, func(f policy.Field) privacy.FieldName { return f.Name })
		schema.Context = union(schema.Context, later.Context, func(k policy.ContextKey) string { return k.Name })
		schema.Channels = union(schema.Channels, later.Channels, func(c privacy.ChannelID) privacy.ChannelID { return c })
		had := len(schema.Purposes)
		schema.Purposes = union(schema.Purposes, later.Purposes, func(p privacy.PurposeID) privacy.PurposeID { return p })
		b.more = schema.Purposes[had:]
	}
	rules, err := policy.Compile(ctx, schema, modules)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: the rules do not compile with register revision %d: %w", errNotReplayable, at.register, err)
	}
	b.tried.rules = rules.WithDeadline(r.v.cfg.DecisionDeadline)
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
