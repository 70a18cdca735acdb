package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ReadRequest asks for fields of a person for a purpose.
type ReadRequest struct {
	Subject SubjectRef
	Purpose privacy.PurposeID
	Fields  []privacy.FieldName // none: all of the purpose's
	Context map[string]any

	plan *TouchRequest // what is asked about, if it is whether to contact the person
	// listing asks of everybody in turn, for an audience: only who is in it counts
	// and is told.
	listing bool
}

// ReadResult is what was released, with the decision that did.
type ReadResult struct {
	Decision privacy.DecisionID
	Subject  privacy.SubjectID
	Purpose  privacy.PurposeID
	Policy   string
	Register uint64
	Fields   []FieldValue
	Masked   []MaskedValue
	Withheld []Withheld
	Missing  []Missing
	LogIndex uint64
	LogName  string
}

// FieldValue is a released value.
type FieldValue struct {
	Field privacy.FieldName
	Value privacy.Sensitive
	// Inference says which model inferred it; nil: nobody did.
	Inference *privacy.Inference
}

// MaskedValue is what a mask shows of a value.
type MaskedValue struct {
	Field privacy.FieldName
	Value privacy.Sensitive
	Mask  privacy.Mask

	Inference *privacy.Inference // as of a FieldValue
}

// Why an allowed field has nothing to release.
const (
	WhyAbsent = "absent" // there is no value, or one past its retention
	WhyStale  = "stale"  // there is one, older than the register allows
)

// Missing is an allowed field without a value.
type Missing struct {
	Field privacy.FieldName `json:"field"`
	Why   string            `json:"why"`
}

// attempts is how often a read decides again because what it was decided on
// changed before its record was durable.
const attempts = 3

// Read is the door: the only way by which personal data reaches a channel. It
// decides on one snapshot, opens only what is released or masked, and returns
// only after the access record is durable – on the condition that what was
// decided on is still in force, else it decides again.
//
// It returns a *DeniedError when nothing may be released, an *Error when the
// request as a whole is refused, and ErrInvalidClient for a caller whose secret
// was revoked since it was let in. Where the purpose is silent (consent,
// opt-out, legitimate interests) an unknown person is denied like one who gave
// no say-so, by the same steps.
func (v *Vault) Read(ctx context.Context, by Caller, req ReadRequest) (*ReadResult, error) {
	a, err := v.decide(ctx, by, req, values)
	return v.settle(ctx, by, req, a, err)
}

// settle makes a decided read durable and answers it.
func (v *Vault) settle(ctx context.Context, by Caller, req ReadRequest, a *answer, err error) (*ReadResult, error) {
	a, err = v.keepRecord(ctx, by, req, values, a, err)
	if err != nil {
		return nil, err
	}
	if a.refused != nil {
		return nil, a.refused
	}
	return a.result, nil
}

// keepRecord makes what was decided durable, and decides again if what it was
// decided on is no longer in force.
func (v *Vault) keepRecord(ctx context.Context, by Caller, req ReadRequest, want look, a *answer, err error) (*answer, error) {
	began := time.Now()
	if a != nil {
		began = a.began
	}
	for n := 0; n < attempts && err == nil; n++ {
		failed := v.appendRecord(ctx, a, began)
		switch {
		case failed == nil:
			v.spare(a.entry)
			v.tell(ctx, a, nil)
			return a, nil
		case !errors.Is(failed, store.ErrConflict):
			err = fmt.Errorf("recording a read: %w", failed)
		default:
			before := a.watch
			a, err = v.decide(ctx, by, req, want)
			a.watch.again(before)
		}
	}
	if err == nil {
		err = unavailable("what the read was decided on kept changing; try again")
	}
	err = v.refusal(err)
	v.tell(ctx, a, err)
	return nil, err
}

// appendRecord makes the record of what was decided durable. It returns when the
// answer may leave.
func (v *Vault) appendRecord(ctx context.Context, a *answer, began time.Time) error {
	index, err := v.cfg.Store.Append(ctx, a.entry, a.conditions...)
	a.watch.mark(StageRecord)
	if err != nil {
		return err
	}
	if a.result != nil {
		a.result.LogIndex, a.result.LogName = index, v.cfg.LogName
	}
	if a.quiet {
		onTheBeat(began)
	}
	return nil
}

// beat is how often an answer leaves that must not tell a person of whom
// nothing may be released from one unknown: a denial, or that something was
// recorded. They take the same steps, but what is known of a person has a size,
// and to open more takes longer.
const beat = time.Millisecond

// onTheBeat returns on the next beat since a question began: too soon for
// anybody to stop waiting meanwhile.
func onTheBeat(began time.Time) { time.Sleep(beat - time.Since(began)%beat) }

// answer is a decided read that nobody has seen yet: it becomes an answer when
// its entry is durable.
type answer struct {
	entry      []byte
	conditions []store.Condition
	on         [3]store.Condition // where they lie
	result     *ReadResult
	refused    error // instead of a result
	allowed    bool
	quiet      bool      // nothing may be released, and who it is about must not show
	began      time.Time // when it was asked
	until      time.Time // when what allows it ends, as far as that is known
	watch      watch
	dealing    *dealing // of a question that goes on to change the person's dealings
	about      place    // of whom it was decided about, and on which standing
	version    uint64

	// What lies here for the answer's sake alone, in one piece with it.
	made   ReadResult
	at     [2]time.Time
	opened valuesOf
}

// look is what a question about a person wants to know. Only values opens any.
type look byte

const (
	values   look = iota // what may be released
	whether              // whether anything would be released
	gaps                 // which fields would be, if there were a value or a fresher one
	asking               // likewise, by a channel that is going to ask for them
	contacts             // whether the person may be contacted
)

// decide does everything of a read but make it durable. With an error, what it
// returns holds only what is to be told to the observer.
func (v *Vault) decide(ctx context.Context, by Caller, req ReadRequest, want look) (*answer, error) {
	v.asked.Add(1)
	a := &answer{watch: v.watch(want), began: time.Now()}
	err := v.decideOn(ctx, by, req, want, a)
	for n := 1; n < attempts && errors.Is(err, keys.ErrIntegrity) && v.movedOn(ctx, a); n++ {
		// What was read is of before an erasure, and its keys of after it.
		*a = answer{watch: a.watch, began: a.began}
		err = v.decideOn(ctx, by, req, want, a)
	}
	return a, err
}

func (v *Vault) decideOn(ctx context.Context, by Caller, req ReadRequest, want look, a *answer) error {
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		channel, err := now.channelOf(by)
		if err != nil {
			return err
		}
		if req.listing && !channel.Bulk.Audiences {
			return refuse(CodeForbidden, "this channel may not ask for audiences: the register does not say bulk: {audiences: true}")
		}
		a.conditions = append(a.on[:0], s.Unchanged(bucketGovernance, keyCurrent))
		q := question{by: by, channel: channel, regime: now, fields: req.Fields, context: req.Context, purpose: req.Purpose}
		refused := q.mayAsk()
		a.watch.asks(&q)
		if refused != nil {
			// Nobody is looked up, but that it was tried is recorded.
			a.refused = refused
			a.entry, err = v.recordRefusal(&q, v.nobody, refused)
			return err
		}
		if err := errors.Join(q.checkFields(), q.checkContext(), q.checkAsking(want)); err != nil {
			return err
		}
		ref, err := v.reference(now.register, channel, req.Subject)
		if err != nil {
			return err
		}
		if !req.listing {
			if err := v.limits.ask(channel, func() [32]byte { return ref.hash(v) }); err != nil {
				return err
			}
		}
		p, err := v.seek(ctx, s, ref, q.purpose)
		if err != nil {
			return err
		}
		if p == nil && req.listing {
			return errNotAmong
		}
		if p == nil { // the same steps as for somebody
			if p, err = v.loadOwn(ctx, s, ref); err != nil {
				return err
			}
		}
		a.conditions = append(a.conditions, s.Unchanged(bucketStanding.all(), p.at.key))
		if now.touches {
			if err := v.readDealings(s, p, a); err != nil {
				return err
			}
		}
		a.watch.mark(StageSnapshot)
		a.about, a.version = p.at, p.standing.Version
		return v.answer(ctx, s, &q, p, req, want, a)
	})
}

// movedOn reports whether the standing that a read was decided on has changed.
func (v *Vault) movedOn(ctx context.Context, a *answer) bool {
	if a.about.key == nil {
		return false
	}
	moved := false
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		row, err := bucketStanding.get(s, a.about)
		version, _ := binary.Uvarint(row)
		moved = version != a.version
		return err
	})
	return err == nil && moved
}

// answer decides about one person and prepares what to say and to record.
func (v *Vault) answer(ctx context.Context, s store.Snapshot, q *question, p *person, req ReadRequest, want look, a *answer) error {
	t, believed, other := v.clock.now()
	a.at = [...]time.Time{t, other}
	at := moments(a.at[:])
	if believed {
		at = at[:1]
	}
	outcomes, err := v.outcomesAt(ctx, q, p, at)
	a.watch.decided(q)
	if noDecision(err) { // nothing is released, but that it was asked is recorded
		a.refused = v.refusal(err)
		a.entry, err = v.recordRefusal(q, p, a.refused)
		return err
	}
	if err != nil {
		return err
	}
	id := privacy.NewDecisionID(t)
	res := &a.made
	*res = ReadResult{Decision: id, Subject: p.id, Purpose: q.purpose, Policy: q.regime.gov.Policy, Register: q.regime.register.Revision}
	opened := &a.opened
	*opened = valuesOf{v: v, p: p}
	if want == values {
		if err := opened.read(s); err != nil {
			return err
		}
	}
	for _, o := range outcomes {
		if o.Action == policy.Withhold {
			if res.Withheld == nil {
				res.Withheld = make([]Withheld, 0, len(outcomes))
			}
			res.Withheld = append(res.Withheld, Withheld{Field: o.Field, Code: o.Code, Detail: detail(o)})
			continue
		}
		a.allowed = true
		if want != values {
			continue
		}
		field, _ := q.regime.register.Field(o.Field)
		fact := v.present(q, p, field, at)
		if fact == nil {
			res.Missing = append(res.Missing, Missing{Field: o.Field, Why: WhyAbsent})
			continue
		}
		value, err := opened.open(fact)
		if err != nil {
			return err
		}
		if o.Action == policy.Release {
			if res.Fields == nil {
				res.Fields = make([]FieldValue, 0, len(outcomes))
			}
			res.Fields = append(res.Fields, FieldValue{Field: o.Field, Value: value, Inference: fact.Inference})
			continue
		}
		shown, err := profile.Mask(o.Mask, field.Type, value, t)
		if err != nil {
			return fmt.Errorf("masking %s: %w", o.Field, err)
		}
		res.Masked = append(res.Masked, MaskedValue{Field: o.Field, Value: shown, Mask: o.Mask, Inference: fact.Inference})
	}
	if req.listing {
		if !a.allowed {
			return errNotAmong
		}
		if err := v.limits.ask(q.channel, func() [32]byte { return (&reference{id: p.id}).hash(v) }); err != nil {
			return err
		}
	}
	if want >= gaps {
		if err := v.deal(ctx, s, q, p, want, outcomes, at, a, res, req.plan); err != nil {
			return err
		}
	}
	a.watch.mark(StageOpen)
	a.result = res
	a.quiet = !a.allowed && q.silent()
	if !a.allowed {
		if !p.known() && !q.silent() {
			a.refused = refuse(CodeUnknownSubject, "nobody is known by this reference")
		} else {
			a.refused = q.denied(res)
		}
		v.limits.empty(q.channel)
	} else if q.asked.Basis == privacy.Consent {
		a.until = p.standing.Covers(q.regime.register, q.asked, q.channel, t).Until
	}
	a.entry, err = v.recordAccess(q, p, res, t, want != values)
	return err
}

// moments are the times a read is decided at: now, and while the clock is not
// believed the other time it could be.
type moments []time.Time

// outcomesAt decides at each moment and takes what releases less.
func (v *Vault) outcomesAt(ctx context.Context, q *question, p *person, at moments) ([]policy.Outcome, error) {
	outcomes, err := v.outcomes(ctx, q, p, at[0])
	for _, t := range at[1:] {
		if err != nil {
			return nil, err
		}
		var more []policy.Outcome
		if more, err = v.outcomes(ctx, q, p, t); err == nil {
			outcomes = narrower(outcomes, more)
		}
	}
	return outcomes, err
}

// present says what there is of a field, nil if there is no value or one that
// is past its retention at any of the moments.
func (v *Vault) present(q *question, p *person, f *register.Field, at moments) *consent.Value {
	fact := p.standing.Value(f.Name)
	for _, t := range at {
		if fact == nil || p.standing.Ended(q.regime.register, f, fact.Observed, t) {
			return nil
		}
	}
	return fact
}

// question is a read as it was asked, with what is in force.
type question struct {
	by      Caller
	channel *register.Channel
	regime  *regime
	purpose privacy.PurposeID
	fields  []privacy.FieldName
	context map[string]any
	fresh   bool // as if no value were too old

	asked     *register.Purpose // set by mayAsk
	evaluated bool              // set by outcomes: some rule was
	dealt     *dealtRecord      // set by deal: what is recorded of it
}

// mayAsk refuses a purpose that does not come with the credential, before
// anybody is looked up.
func (q *question) mayAsk() error {
	p, ok := q.regime.register.Purpose(q.purpose)
	if !ok {
		return unknownPurpose(q.purpose, q.channel)
	}
	if !contains(q.channel.Purposes, q.purpose) || q.by.Purposes != nil && !contains(q.by.Purposes, q.purpose) {
		return purposeNotGranted()
	}
	q.asked = p
	if len(q.fields) == 0 {
		q.fields = p.Fields
	}
	return nil
}

func (q *question) silent() bool { return q.asked.Basis.Silent() }

// denied tells a channel that nothing may be released. Where the purpose is
// silent, every field says the same, whoever was asked about.
func (q *question) denied(res *ReadResult) *DeniedError {
	d := &DeniedError{Decision: res.Decision, Purpose: res.Purpose, Withheld: res.Withheld}
	if q.silent() {
		d.Withheld = make([]Withheld, len(res.Withheld))
		for i, w := range res.Withheld {
			d.Withheld[i] = Withheld{Field: w.Field, Code: privacy.CodeNoConsent, Detail: details[privacy.CodeNoConsent]}
		}
	}
	return d
}

// details says in words what a code means to a channel. They are the same for
// everybody; only an officer's rule has words of its own.
var details = map[privacy.Code]string{
	privacy.CodeNoConsent:         "no say-so for this purpose",
	privacy.CodeFieldNotInPurpose: "the purpose does not list this field",
	privacy.CodeNoGround:          "nothing makes this purpose's legal basis true for this person",
	privacy.CodeRestricted:        "processing is restricted (Art. 18 GDPR)",
	privacy.CodeObjected:          "the person objected (Art. 21 GDPR)",
	privacy.CodePolicy:            "withheld by policy",
	privacy.CodeStale:             "the value is older than the register allows",
}

func detail(o policy.Outcome) string {
	if o.Code == privacy.CodePolicy && o.Detail != "" {
		return o.Detail
	}
	return details[o.Code]
}

// outcomes evaluates the rules for one person at one time.
func (v *Vault) outcomes(ctx context.Context, q *question, p *person, at time.Time) ([]policy.Outcome, error) {
	in, _ := v.inputs.Get().(*policy.Input)
	if in == nil {
		in = new(policy.Input)
	}
	defer v.inputs.Put(in) // nobody keeps it, or a part of it, after a decision
	if q.regime.touches && p.dealings == nil {
		return nil, fmt.Errorf("deciding: the rules look at touches, and they were not read: %w", errIntegrity)
	}
	q.fill(in, p, at, v.secondOf(at))
	if q.regime.rules.Whole() {
		q.said(in, p, at)
	}
	if d, ok := q.regime.rules.Seen(in); ok {
		return d.Outcomes, nil
	}
	q.said(in, p, at)
	select {
	case v.deciding <- struct{}{}:
		defer func() { <-v.deciding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	q.evaluated = true
	d, err := q.regime.rules.Decide(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("deciding: %w", err)
	}
	if len(d.Outcomes) != len(q.fields) {
		return nil, fmt.Errorf("deciding: %d outcomes for %d fields", len(d.Outcomes), len(q.fields))
	}
	return d.Outcomes, nil
}

// narrower takes of two decisions about the same fields the stricter outcome
// for each.
func narrower(a, b []policy.Outcome) []policy.Outcome {
	a = slices.Clone(a) // what was decided before is everybody's
	for i := range a {
		switch x, y := a[i], b[i]; {
		case x.Action == policy.Withhold, y.Action == policy.Release:
		case y.Action == policy.Withhold, x.Action == policy.Release:
			a[i] = y
		default:
			m, ok := privacy.Stricter(x.Mask, y.Mask)
			if !ok {
				a[i] = policy.Outcome{Field: x.Field, Action: policy.Withhold, Code: privacy.CodePolicy, Rule: x.Rule}
				continue
			}
			a[i].Mask = m
		}
	}
	return a
}
