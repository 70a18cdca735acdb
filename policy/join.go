package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// types compiles officers' modules alone, against the schema of the input.
// Their tests follow without it, for tests make up the input.
func (c *checker) types(rules, tests map[string]*ast.Module) error {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, c.schema.jsonSchema())
	typed, err := alone(rules, nil, typedComparisons)
	if err != nil {
		return err
	}
	compiler := newCompiler(comparisons).WithSchemas(schemas)
	if compiler.Compile(typed); compiler.Failed() {
		c.refuseAll("", compiler.Errors)
		return nil
	}
	if len(tests) == 0 {
		return nil
	}
	tested, err := alone(rules, tests, (*ast.Module).Copy)
	if err != nil {
		return err
	}
	compiler = newCompiler(nil)
	if compiler.Compile(tested); compiler.Failed() {
		c.refuseAll("", compiler.Errors)
	}
	return nil
}

// newCompiler returns a compiler that knows the allow-list and these built-ins
// and ignores annotations, which could claim another schema.
func newCompiler(more map[string]*ast.Builtin) *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(capabilities()).WithBuiltins(more).WithUseTypeCheckAnnotations(false)
}

// alone puts officers' modules, each changed by f, together with nothing but
// what makes withhold and mask defined. Their file names get folders of their
// own, so that none can take the place of a guardrail.
func alone(rules, tests map[string]*ast.Module, f func(*ast.Module) *ast.Module) (map[string]*ast.Module, error) {
	base, err := guardrailModules()
	if err != nil {
		return nil, err
	}
	all := map[string]*ast.Module{baseName: base[baseName]}
	for name, m := range rules {
		all["rules/"+name] = f(m)
	}
	for name, m := range tests {
		all["tests/"+name] = f(m)
	}
	return all, nil
}

// join compiles the guardrails with officers' modules.
func join(rules map[string]*ast.Module) (*ast.Compiler, error) {
	all, err := guardrailModules()
	if err != nil {
		return nil, err
	}
	for name, m := range rules {
		all["rules/"+name] = notePlaces(guardCalls(m))
	}
	compiler := newCompiler(declarations())
	if compiler.Compile(all); compiler.Failed() {
		return nil, fmt.Errorf("joining rules to the guardrails: %w", compiler.Errors)
	}
	return compiler, nil
}

// calls gives every call of a module to f: the operator and its operands. It
// leaves out the "in" of "some x in xs", which binds x and is no call.
func calls(m *ast.Module, f func(terms []*ast.Term)) {
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.SomeDecl:
			for _, s := range x.Symbols {
				if call, ok := s.Value.(ast.Call); ok {
					for _, operand := range call[1:] {
						visitor.Walk(operand)
					}
				}
			}
			return true
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok && len(terms) > 0 {
				f(terms)
			}
		case *ast.Term:
			if call, ok := x.Value.(ast.Call); ok {
				f(call)
			}
		}
		return false
	})
	visitor.Walk(m)
}

// guardCalls returns a module with the guarded form in the place of every built-in.
// A comparison of an input path with a literal stays as it is: its types are
// checked, and rules are indexed by it.
func guardCalls(m *ast.Module) *ast.Module {
	m = m.Copy()
	guarded := declarations()
	calls(m, func(terms []*ast.Term) {
		name := terms[0].String()
		if guarded[guardPrefix+name] == nil || name == "equal" && plainEquality(terms) {
			return
		}
		terms[0] = operator(guardPrefix+name, terms[0].Location)
	})
	return m
}

// plainEquality reports whether both sides are literals or input paths.
func plainEquality(terms []*ast.Term) bool {
	return len(terms) == 3 && !slices.ContainsFunc(terms[1:], func(t *ast.Term) bool {
		ref, ok := t.Value.(ast.Ref)
		return !ast.IsScalar(t.Value) && (!ok || ref[0].String() != "input")
	})
}

// typedComparisons returns a module with the typed form in the place of every
// ordering with a literal, for the type checker.
func typedComparisons(m *ast.Module) *ast.Module {
	m = m.Copy()
	calls(m, func(terms []*ast.Term) {
		if len(terms) != 3 || !slices.Contains([]string{"lt", "lte", "gt", "gte"}, terms[0].String()) {
			return
		}
		for _, t := range terms[1:] {
			switch t.Value.(type) {
			case ast.Number:
				terms[0] = operator("sayso.compare_numbers", terms[0].Location)
			case ast.String:
				terms[0] = operator("sayso.compare_strings", terms[0].Location)
			}
		}
	})
	return m
}

// operator returns the reference by which a built-in is called.
func operator(name string, at *ast.Location) *ast.Term {
	first, rest, _ := strings.Cut(name, ".")
	ref := ast.Ref{ast.VarTerm(first)}
	for part := range strings.SplitSeq(rest, ".") {
		ref = append(ref, ast.StringTerm(part))
	}
	return ast.NewTerm(ref).SetLocation(at)
}

// notePlaces, which changes m, adds to every element of withhold and mask the file and line of
// the rule that adds it, so that a decision can name it.
func notePlaces(m *ast.Module) *ast.Module {
	for _, r := range m.Rules {
		o, ok := ast.Object(nil), false
		if r.Head.Key != nil {
			o, ok = r.Head.Key.Value.(ast.Object)
		}
		if !ok || !slices.Contains([]ast.Var{"withhold", "mask"}, r.Head.Name) {
			continue
		}
		place := ast.StringTerm(fmt.Sprintf("%s:%d", r.Location.File, r.Location.Row))
		noted := ast.NewObject([2]*ast.Term{ast.StringTerm(placeKey), place})
		o.Foreach(func(k, v *ast.Term) { noted.Insert(k, v) })
		r.Head.Key = ast.NewTerm(noted).SetLocation(r.Head.Key.Location)
	}
	return m
}
