package policy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// DefaultDeadline is how long one evaluation may take. A prepared one takes
// about a tenth of a millisecond; the rest is for a busy machine.
const DefaultDeadline = 100 * time.Millisecond

// Revision is one rule set, checked and prepared. It decides the same for ever,
// remembers what it decided, and is safe for concurrent use.
type Revision struct {
	schema   *index
	prepared rego.PreparedEvalQuery
	looks    looks
	touches  bool // some rule looks at them
	deadline time.Duration
	reuse    *reuse
}

// Compile checks officers' modules (file name → text) against schema, joins
// them to the guardrails and prepares the whole. Without modules, the
// guardrails alone decide.
//
// Modules that are refused give a *ProblemsError with every problem found.
// Modules named "*_test.rego" are checked with the rest and left out of
// decisions; [RunTests] runs them.
func Compile(ctx context.Context, schema Schema, modules map[string]string) (*Revision, error) {
	ix, err := newIndex(schema)
	if err != nil {
		return nil, err
	}
	checked, err := checkModules(ix, modules)
	if err != nil {
		return nil, err
	}
	compiler, err := join(checked.rules)
	if err != nil {
		return nil, err
	}
	prepared, err := rego.New(append(guardedFunctions(),
		rego.Compiler(compiler),
		rego.ParsedQuery(query),
		rego.StrictBuiltinErrors(true),
	)...).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("preparing rules: %w", err)
	}
	return &Revision{schema: ix, prepared: prepared, looks: checked.looks, touches: checked.looks.at("touches"), deadline: DefaultDeadline, reuse: newReuse(ix, checked.looks)}, nil
}

// Check returns what Compile has against the modules: nil, a *ProblemsError, or
// an error that says the schema is unusable.
func Check(ctx context.Context, schema Schema, modules map[string]string) error {
	_, err := Compile(ctx, schema, modules)
	return err
}

// WithDeadline returns the same rule set with another deadline for one
// evaluation; zero or less means DefaultDeadline.
func (r *Revision) WithDeadline(d time.Duration) *Revision {
	if d <= 0 {
		d = DefaultDeadline
	}
	other := *r
	other.deadline = d
	other.reuse = newReuse(r.schema, r.looks)
	return &other
}

// LooksAt reports whether officers' rules look at an input path, such as "now",
// "context.step" or "subject": at it, above it or below it. It may report true
// for a path that no rule can reach, never false for one that a rule looks at.
func (r *Revision) LooksAt(path string) bool { return r.looks.at(path) }

// ContextKeys returns the context keys that officers' rules look at, sorted. A
// request that lacks one is refused before policy runs; Decide refuses it too.
func (r *Revision) ContextKeys() []string { return slices.Clone(r.looks.context) }

// details says in words what a guardrail's code means. A channel sees it beside
// a released field.
var details = map[privacy.Code]string{
	privacy.CodeNoConsent:         "No consent covers this field for this purpose.",
	privacy.CodeNoGround:          "Nothing on record makes this purpose lawful for this person.",
	privacy.CodeRestricted:        "Processing is restricted at the person's request.",
	privacy.CodeObjected:          "The person objected to this purpose.",
	privacy.CodeFieldNotInPurpose: "The register does not list this field for this purpose.",
	privacy.CodeStale:             "The value is older than the register allows.",
	privacy.CodePolicy:            "The register withholds this field from this channel for this purpose.",
}
