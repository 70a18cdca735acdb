package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Decide decides one read: one outcome for each asked field, in order. It looks
// at nothing but its arguments and does not change them.
//
// On any error (ErrInput, ErrDeadline, ErrEvaluation, ErrOutcome, or ctx's) the
// Decision is empty and the caller denies the read. An error names rules and
// paths, never a value of the input's context.
func (r *Revision) Decide(ctx context.Context, in *Input) (Decision, error) {
	if err := r.said(in); err != nil {
		return Decision{}, err
	}
	d, ok := r.Seen(in)
	if ok {
		return Decision{Outcomes: slices.Clone(d.Outcomes)}, nil
	}
	d, err := r.decide(ctx, in)
	if err != nil {
		return Decision{}, err
	}
	if key, ok := r.reuse.key(nil, in); ok {
		r.reuse.keep(key, Decision{Outcomes: slices.Clone(d.Outcomes)})
	}
	return d, nil
}

// Seen returns the decision for an input if the same was decided before, which
// takes no evaluation. It is false if it was not, or if the input does not fit.
// The decision is not the caller's to change.
//
// Of Consents and Objected it needs the asked purpose alone, unless [Revision.Whole]
// says otherwise: what no rule looks at makes no difference.
func (r *Revision) Seen(in *Input) (Decision, bool) {
	if !r.reuse.validNow(in.Now) {
		return Decision{}, false
	}
	var space [512]byte
	key, ok := r.reuse.key(space[:0], in)
	if !ok {
		return Decision{}, false
	}
	return r.reuse.seen(key)
}

// Whole reports whether officers' rules look at consents or objections to other
// purposes than the one asked for.
func (r *Revision) Whole() bool { return len(r.reuse.purposes) > 0 }

// decide evaluates.
func (r *Revision) decide(ctx context.Context, in *Input) (Decision, error) {
	value, err := r.value(in)
	if err != nil {
		return Decision{}, err
	}
	result, err := r.eval(ctx, value)
	if err != nil {
		return Decision{}, err
	}
	return r.decision(in, result)
}

// eval evaluates the prepared query under the deadline.
func (r *Revision) eval(ctx context.Context, input ast.Value) (ast.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(r.deadline, cancel.Cancel)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()

	var result *ast.Term
	set, err := r.prepared.Eval(ctx,
		rego.EvalParsedInput(input),
		rego.EvalExternalCancel(cancel),
		rego.EvalGenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) {
			result = t
			return nil, nil
		}),
	)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case topdown.IsCancel(err):
		return nil, ErrDeadline
	case err != nil:
		return nil, evaluationError(err)
	case len(set) != 1 || result == nil:
		return nil, fmt.Errorf("%w: no decision", ErrEvaluation)
	}
	o, ok := result.Value.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("%w: no decision", ErrEvaluation)
	}
	return o, nil
}

// evaluationError names the place and the kind of a fault. OPA's own text may
// quote what a rule was evaluated on, so it is left out.
func evaluationError(err error) error {
	var e *topdown.Error
	if errors.As(err, &e) && e.Location != nil {
		return fmt.Errorf("%w: %s:%d: %s", ErrEvaluation, e.Location.File, e.Location.Row, e.Code)
	}
	return ErrEvaluation
}

// decision reads the result, field by field.
func (r *Revision) decision(in *Input, result ast.Object) (Decision, error) {
	release, ok := member[ast.Set](result, "release")
	why, ok2 := member[ast.Object](result, "why")
	withhold, ok3 := member[ast.Set](result, "withhold")
	mask, ok4 := member[ast.Set](result, "mask")
	if !ok || !ok2 || !ok3 || !ok4 {
		return Decision{}, fmt.Errorf("%w: the decision lacks a part", ErrOutcome)
	}
	rules, err := r.officers(in, withhold, mask)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{Outcomes: make([]Outcome, len(in.Fields))}
	for i, name := range in.Fields {
		key := str(name)
		reason := why.Get(key)
		switch released := release.Contains(key); {
		case released && reason == nil:
			d.Outcomes[i], err = rules.apply(name, in.Guard.Fields[name].As)
		case !released && reason != nil:
			d.Outcomes[i], err = withheld(name, reason)
		default:
			err = fmt.Errorf("%w: guardrails both release and withhold a field, or neither", ErrOutcome)
		}
		if err != nil {
			return Decision{}, err
		}
	}
	return d, nil
}

// withheld is the outcome of a field that the guardrails do not release.
func withheld(name privacy.FieldName, reason *ast.Term) (Outcome, error) {
	o, _ := reason.Value.(ast.Object)
	if o == nil {
		return Outcome{}, fmt.Errorf("%w: a guardrail gave no reason", ErrOutcome)
	}
	code, ok := member[ast.String](o, "code")
	rule, ok2 := member[ast.String](o, "rule")
	detail, ok3 := details[privacy.Code(code)]
	if !ok || !ok2 || !ok3 {
		return Outcome{}, fmt.Errorf("%w: a guardrail gave an unknown reason", ErrOutcome)
	}
	return Outcome{Field: name, Action: Withhold, Code: privacy.Code(code), Detail: detail, Rule: "guardrails:" + string(rule)}, nil
}

// member returns the member of an object, and whether it is there and a T.
func member[T ast.Value](o ast.Object, key string) (v T, ok bool) {
	if t := o.Get(ast.StringTerm(key)); t != nil {
		v, ok = t.Value.(T)
	}
	return v, ok
}
