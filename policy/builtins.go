package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
)

// allowed are the built-ins officers' modules may call. All are deterministic,
// none reaches out, and none can take more memory than its bounded operands
// explain, for the deadline is only seen between calls. What is not listed is
// refused by name: a new version of OPA adds nothing here by itself. to_number is
// not listed because it takes "16_17" for a number.
var allowed = []string{
	"eq", "assign", "equal", "neq", "lt", "lte", "gt", "gte",
	"internal.member_2", "internal.member_3",
	"plus", "minus", "mul", "div", "rem", "abs", "round", "ceil", "floor",
	"and", "or", "intersection", "union",
	"count", "sum", "max", "min", "sort",
	"array.slice", "array.reverse",
	"object.get", "object.keys", "object.remove", "object.filter",
	"contains", "startswith", "endswith", "indexof", "lower", "upper", "substring", "split", "concat", "sprintf", "format_int",
	"trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix",
	"strings.any_prefix_match", "strings.any_suffix_match",
	"is_array", "is_boolean", "is_number", "is_object", "is_set", "is_string", "type_name",
	"time.parse_rfc3339_ns", "time.parse_duration_ns", "time.add_date", "time.clock", "time.date", "time.diff", "time.weekday",
}

// unguarded are the allowed built-ins that bind variables, and so have no
// operands to look at.
var unguarded = []string{"eq", "assign"}

// guardPrefix names the guarded form of a built-in. Officers write "lt"; what
// is evaluated is "sayso.lt", which looks at its operands first. (OPA lets
// nobody replace a built-in of its own.)
const guardPrefix = "sayso."

// Built-ins that no text names, put in by rewriting.
const (
	compareNumbers = guardPrefix + "compare_numbers"
	compareStrings = guardPrefix + "compare_strings"
	keepFlat       = guardPrefix + "flat"
)

// scalar is the type of what may stand in a list that is built.
var scalar = types.NewAny(types.S, types.N, types.B, types.Nl)

// checkedForms are the built-ins that the type checker sees, so that a fault is
// refused with its line and not at the first read, and what a fault means.
var checkedForms = map[string]struct {
	decl    *types.Function
	meaning string
}{
	compareNumbers: {types.NewFunction(types.Args(types.N, types.N), types.B), "compares a number with something else: this would never say so"},
	compareStrings: {types.NewFunction(types.Args(types.S, types.S), types.B), "compares a text with something else: this would never say so"},
	keepFlat:       {flatDecl, "a list, set or object inside another must be written out: building one of others exhausts memory"},
}

var flatDecl = types.NewFunction(types.Args(scalar), scalar)

func checkedDeclarations() map[string]*ast.Builtin {
	all := map[string]*ast.Builtin{}
	for name, b := range checkedForms {
		all[name] = &ast.Builtin{Name: name, Decl: b.decl}
	}
	return all
}

// plain are the built-ins that are evaluated in OPA's own form: by the
// guardrails, over an input whose types are checked.
var plain = []string{"eq", "assign", "equal", "internal.member_2", "object.get"}

// capabilities are what modules are parsed and compiled with: the listed
// built-ins, and no network for schemas.
func capabilities(builtins []string) *ast.Capabilities {
	c := &ast.Capabilities{
		Features: []string{ast.FeatureRegoV1, ast.FeatureKeywordsInRefs, ast.FeatureRegoV1Import},
		AllowNet: []string{},
	}
	for _, b := range ast.Builtins {
		if slices.Contains(builtins, b.Name) {
			c.Builtins = append(c.Builtins, b)
		}
	}
	return c
}

// guards returns the guarded built-ins, declared and implemented.
func guards() map[string]*topdown.Builtin {
	all := make(map[string]*topdown.Builtin, len(allowed))
	for _, name := range allowed {
		if b, f := ast.BuiltinMap[name], topdown.GetBuiltin(name); b != nil && f != nil && !slices.Contains(unguarded, name) {
			all[guardPrefix+name] = &topdown.Builtin{Decl: &ast.Builtin{Name: guardPrefix + name, Decl: b.Decl}, Func: f}
		}
	}
	all[keepFlat] = &topdown.Builtin{Decl: &ast.Builtin{Name: keepFlat, Decl: flatDecl}, Func: flat}
	return all
}

// flat gives back a scalar, and nothing else.
func flat(_ topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	if !ast.IsScalar(operands[0].Value) {
		return errOperand
	}
	return iter(operands[0])
}

// declarations returns the guarded built-ins as the compiler wants them.
func declarations() map[string]*ast.Builtin {
	all := map[string]*ast.Builtin{}
	for name, b := range guards() {
		all[name] = b.Decl
	}
	return all
}

// guardedFunctions returns the guarded built-ins as options of a query.
func guardedFunctions() []func(*rego.Rego) {
	var options []func(*rego.Rego)
	for name, b := range guards() {
		options = append(options, guardedFunction(name, b))
	}
	return options
}

func guardedFunction(name string, b *topdown.Builtin) func(*rego.Rego) {
	return rego.FunctionDyn(&rego.Function{Name: name, Decl: b.Decl.Decl}, guarded(name, b))
}

var (
	errOperand   = errors.New("operand not allowed")
	errUndefined = errors.New("undefined result")
)

// guarded checks the operands and turns what OPA would leave undefined, and
// with it the rule, into an error that ends the evaluation.
func guarded(name string, b *topdown.Builtin) rego.BuiltinDyn {
	check := operandChecks[strings.TrimPrefix(name, guardPrefix)]
	arity := b.Decl.Decl.Arity()
	return func(bctx rego.BuiltinContext, terms []*ast.Term) (*ast.Term, error) {
		terms = terms[:arity]
		if !bounded(terms) || check != nil && !check(terms) {
			return nil, rego.NewHaltError(errOperand)
		}
		var out *ast.Term
		err := b.Func(bctx, terms, func(t *ast.Term) error {
			out = t
			return nil
		})
		switch {
		case err != nil:
			return nil, rego.NewHaltError(err)
		case out == nil:
			return nil, rego.NewHaltError(errUndefined)
		}
		return out, nil
	}
}
