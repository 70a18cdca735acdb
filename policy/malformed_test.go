package policy

import (
	"errors"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Should rules or guardrails ever give what their checks rule out, the read is
// denied all the same: each result here is what evaluation might have given.
func TestMalformedResultsDenyTheRead(t *testing.T) {
	r := compile(t, "")
	in := reads("email", "birthdate")
	const fine = `{"release": {"email", "birthdate"}, "why": {}, "withhold": set(), "mask": set()}`
	if d, err := r.decision(in, ast.MustParseTerm(fine).Value.(ast.Object)); err != nil || !d.Releases() {
		t.Fatalf("got %v, %v, want a release", d, err)
	}
	with := func(set, element string) string {
		return `{"release": {"email", "birthdate"}, "why": {}, ` + map[string]string{
			"withhold": `"withhold": {` + element + `}, "mask": set()`,
			"mask":     `"withhold": set(), "mask": {` + element + `}`,
		}[set] + `}`
	}
	for name, result := range map[string]string{
		"nothing":                 `{}`,
		"no release":              `{"why": {}, "withhold": set(), "mask": set()}`,
		"no why":                  `{"release": {"email", "birthdate"}, "withhold": set(), "mask": set()}`,
		"no withhold":             `{"release": {"email", "birthdate"}, "why": {}, "mask": set()}`,
		"no mask":                 `{"release": {"email", "birthdate"}, "why": {}, "withhold": set()}`,
		"withhold is a list":      `{"release": {"email", "birthdate"}, "why": {}, "withhold": [], "mask": set()}`,
		"release is a list":       `{"release": ["email", "birthdate"], "why": {}, "withhold": set(), "mask": set()}`,
		"released with a reason":  `{"release": {"email", "birthdate"}, "why": {"email": {"code": "stale", "rule": "age"}}, "withhold": set(), "mask": set()}`,
		"neither":                 `{"release": {"email"}, "why": {}, "withhold": set(), "mask": set()}`,
		"an unknown code":         `{"release": {"email"}, "why": {"birthdate": {"code": "because", "rule": "age"}}, "withhold": set(), "mask": set()}`,
		"no code":                 `{"release": {"email"}, "why": {"birthdate": {"rule": "age"}}, "withhold": set(), "mask": set()}`,
		"a reason that is a text": `{"release": {"email"}, "why": {"birthdate": "stale"}, "withhold": set(), "mask": set()}`,

		"a text":             with("withhold", `"email"`),
		"a reason absent":    with("withhold", `{"field": "email", "rule": "r:1"}`),
		"a field absent":     with("withhold", `{"reason": "x", "rule": "r:1"}`),
		"a place absent":     with("withhold", `{"field": "email", "reason": "x"}`),
		"one key too many":   with("withhold", `{"field": "email", "reason": "x", "rule": "r:1", "more": 1}`),
		"a reason null":      with("withhold", `{"field": "email", "reason": null, "rule": "r:1"}`),
		"a reason a list":    with("withhold", `{"field": "email", "reason": ["x"], "rule": "r:1"}`),
		"a mask to withhold": with("withhold", `{"field": "email", "mask": "partial", "rule": "r:1"}`),
		"a list of fields":   with("withhold", `{"field": ["email"], "reason": "x", "rule": "r:1"}`),
		"msk":                with("mask", `{"field": "email", "msk": "partial", "rule": "r:1"}`),
		"a mask null":        with("mask", `{"field": "email", "mask": null, "rule": "r:1"}`),
		"a mask unknown":     with("mask", `{"field": "email", "mask": "blur", "rule": "r:1"}`),
		"a mask misfitting":  with("mask", `{"field": "birthdate", "mask": "last4", "rule": "r:1"}`),
		"a field unknown":    with("mask", `{"field": "e-mail", "mask": "partial", "rule": "r:1"}`),
		"not even asked for": with("withhold", `{"field": "shoe_size", "reason": "x", "rule": "r:1"}`),
	} {
		d, err := r.decision(in, ast.MustParseTerm(result).Value.(ast.Object))
		if !errors.Is(err, ErrOutcome) || len(d.Outcomes) != 0 {
			t.Errorf("%s: got %v, %v, want ErrOutcome and no outcomes", name, d, err)
		}
	}
}

// A built-in that gives nothing would leave its rule out in silence.
func TestUndefinedBuiltinsAreErrors(t *testing.T) {
	decl := &ast.Builtin{Name: "sayso.nothing", Decl: flatDecl}
	nothing := func(topdown.BuiltinContext, []*ast.Term, func(*ast.Term) error) error { return nil }
	out, err := guarded(decl.Name, &topdown.Builtin{Decl: decl, Func: nothing})(rego.BuiltinContext{}, []*ast.Term{ast.StringTerm("x")})
	if err == nil || out != nil {
		t.Errorf("got %v, %v, want an error", out, err)
	}
}

// A new version of OPA may bring built-ins; the list stays as it is. Every name
// on it exists, is deterministic and is evaluated behind a guard.
func TestTheAllowListHolds(t *testing.T) {
	guarded := guards()
	for _, name := range allowed {
		b := ast.BuiltinMap[name]
		if b == nil || b.Nondeterministic {
			t.Errorf("%s: not a deterministic built-in of this OPA", name)
		}
		if bound := name == "eq" || name == "assign"; (guarded[guardPrefix+name] == nil) != bound {
			t.Errorf("%s: guarded %v", name, guarded[guardPrefix+name] != nil)
		}
	}
	for name := range operandChecks {
		if guarded[guardPrefix+name] == nil {
			t.Errorf("a check of operands of %s, which nobody may call", name)
		}
	}
}
