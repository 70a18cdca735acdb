package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
)

// testsPackage is where officers' tests stand.
const testsPackage = "data.sayso.rules_test"

// testDeadline is how long one test may take.
const testDeadline = time.Second

// TestResult is what became of one officer's test.
type TestResult struct {
	Module string `json:"module"`
	Line   int    `json:"line"`
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Error  string `json:"error,omitempty"`
}

// RunTests checks the modules as Compile does and runs the tests among them:
// rules called test_… of package sayso.rules_test in files called *_test.rego,
// which may set the input by "with". Without tests the result is empty.
func RunTests(ctx context.Context, schema Schema, modules map[string]string) ([]TestResult, error) {
	ix, err := newIndex(schema)
	if err != nil {
		return nil, err
	}
	c, err := checkModules(ix, modules)
	if err != nil {
		return nil, err
	}
	all, err := alone(c.rules, c.tests, guardCalls)
	if err != nil {
		return nil, err
	}
	return runTests(ctx, all)
}

// runTests runs the tests of modules with the guarded built-ins.
func runTests(ctx context.Context, modules map[string]*ast.Module) ([]TestResult, error) {
	runner := tester.NewRunner().
		SetCompiler(newCompiler(plain, declarations())).
		AddCustomBuiltins(testBuiltins()).
		RaiseBuiltinErrors(true).
		SetTimeout(testDeadline).
		SetModules(modules)
	results, err := runner.RunTests(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("running tests: %w", err)
	}
	var out []TestResult
	for r := range results {
		t := TestResult{Name: r.Name, Passed: r.Pass()}
		if r.Location != nil {
			t.Module, t.Line = r.Location.File, r.Location.Row
		}
		if r.Error != nil {
			t.Error = r.Error.Error()
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return out, ctx.Err()
}

func testBuiltins() []*tester.Builtin {
	var all []*tester.Builtin
	for name, b := range guards() {
		all = append(all, &tester.Builtin{Decl: b.Decl, Func: guardedFunction(name, b)})
	}
	return all
}

// testModule checks one module of tests: they may set the input, and look at
// nothing but officers' rules.
func (c *checker) testModule(m *ast.Module) {
	if m.Package.Path.String() != testsPackage {
		c.refuse(m.Package.Location, "package %s: tests stand in package sayso.rules_test", strings.TrimPrefix(m.Package.Path.String(), "data."))
	}
	for _, i := range m.Imports {
		if path := i.Path.String(); path != "rego.v1" && path != rulesPackage {
			c.refuse(i.Location, "import %s: tests import only rego.v1 and data.sayso.rules", i.Path)
		}
	}
	own := ast.MustParseRef(testsPackage)
	rules := ast.MustParseRef(rulesPackage)
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.With:
			if target, ok := x.Target.Value.(ast.Ref); !ok || target[0].String() != "input" {
				c.refuse(x.Location, "with: tests set only the input")
			}
		case *ast.Term:
			c.literal(x)
			if ref, ok := x.Value.(ast.Ref); ok && ref[0].String() == "data" && !ref.HasPrefix(own) && !ref.HasPrefix(rules) {
				c.refuse(x.Location, "%s: tests look at no data but rules", ref)
			}
		}
		return false
	}).Walk(m)
}
