package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// types compiles officers' modules alone, against the schema of the input.
func (c *checker) types(rules map[string]*ast.Module) {
	all := map[string]*ast.Module{}
	for name, m := range rules {
		all["rules/"+name] = typedComparisons(m.Copy())
	}
	base, err := baseModule()
	if err != nil {
		c.refuseAll("", err)
		return
	}
	all[baseName] = base
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, c.schema.jsonSchema())
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithBuiltins(comparisons).WithSchemas(schemas).WithUseTypeCheckAnnotations(false)
	if compiler.Compile(all); compiler.Failed() {
		c.refuseAll("", compiler.Errors)
	}
}

// baseName is the guardrail file that makes withhold and mask defined.
const baseName = "guardrails/rules.rego"

func baseModule() (*ast.Module, error) {
	text, err := guardrailFiles.ReadFile(baseName)
	if err != nil {
		return nil, err
	}
	return ast.ParseModuleWithOpts(baseName, string(text), ast.ParserOptions{RegoVersion: ast.RegoV1})
}

// join compiles the guardrails with officers' modules. Officers' file names get
// a folder of their own, so that none can take a guardrail's place.
func join(rules map[string]*ast.Module) (*ast.Compiler, error) {
	all := map[string]*ast.Module{}
	for name, text := range embedded {
		m, err := ast.ParseModuleWithOpts("guardrails/"+name, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("parsing guardrails: %w", err)
		}
		all["guardrails/"+name] = m
	}
	for name, m := range rules {
		all["rules/"+name] = m
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithBuiltins(declarations()).WithUseTypeCheckAnnotations(false)
	if compiler.Compile(all); compiler.Failed() {
		return nil, fmt.Errorf("joining rules to the guardrails: %w", compiler.Errors)
	}
	return compiler, nil
}

// calls gives every call of a module to f: the operator and its operands.
func calls(m *ast.Module, f func(terms []*ast.Term)) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.SomeDecl: // "some x in xs" binds x; it is no call
			for _, s := range x.Symbols {
				if call, ok := s.Value.(ast.Call); ok {
					for _, operand := range call[1:] {
						ast.NewGenericVisitor(func(x any) bool {
							if t, ok := x.(*ast.Term); ok {
								if call, ok := t.Value.(ast.Call); ok {
									f(call)
								}
							}
							return false
						}).Walk(operand)
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
	}).Walk(m)
}

// guardCalls puts the guarded form in the place of every built-in of a module.
// A comparison of an input path with a literal stays as it is: its types are
// checked, and rules are indexed by it.
func guardCalls(m *ast.Module) *ast.Module {
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

// typedComparisons puts the typed form in the place of every ordering with a
// literal, for the type checker.
func typedComparisons(m *ast.Module) *ast.Module {
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

// notePlaces adds to every element of withhold and mask the file and line of
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
