package policy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
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

// TestRun is what became of the tests of a rule set.
type TestRun struct {
	Results  []TestResult
	Coverage Coverage // of the rules, by the tests
}

// Coverage is how much of the rules the tests reach.
type Coverage struct {
	Percent float64          `json:"percent"`
	Modules []ModuleCoverage `json:"modules"`
}

// ModuleCoverage is how much of one module the tests reach.
type ModuleCoverage struct {
	Module  string  `json:"module"`
	Percent float64 `json:"percent"`
	Missed  []int   `json:"missed"` // lines that no test reaches
}

// testsDeadline is how long all tests of a rule set may take together.
const testsDeadline = 10 * time.Second

// RunTests checks the modules as Compile does and runs the tests among them:
// rules called test_… of package sayso.rules_test in files called *_test.rego,
// which may set the input by "with". Without tests there are no results, and
// nothing is covered.
func RunTests(ctx context.Context, schema Schema, modules map[string]string) (TestRun, error) {
	ix, err := newIndex(schema)
	if err != nil {
		return TestRun{}, err
	}
	c, err := checkModules(ix, modules)
	if err != nil {
		return TestRun{}, err
	}
	all, err := alone(c.rules, c.tests, guardCalls)
	if err != nil {
		return TestRun{}, err
	}
	within, stop := context.WithTimeout(ctx, testsDeadline)
	defer stop()
	tracer := cover.New()
	results, err := runTests(within, all, tracer)
	switch {
	case ctx.Err() != nil:
		return TestRun{}, ctx.Err()
	case within.Err() != nil:
		return TestRun{}, &ProblemsError{Problems: []Problem{{Module: slices.Min(slices.Collect(maps.Keys(c.tests))), Line: 1, Column: 1,
			Message: fmt.Sprintf("the tests take longer than %s together", testsDeadline)}}}
	case err != nil:
		return TestRun{}, err
	}
	return TestRun{Results: results, Coverage: covered(tracer.Report(c.rules), c.rules)}, nil
}

// covered reads what was reached of the rules; what else was evaluated, such as
// the tests themselves, does not count.
func covered(report cover.Report, rules map[string]*ast.Module) Coverage {
	c := Coverage{Modules: []ModuleCoverage{}}
	reached, all := 0, 0
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		file := report.Files[name]
		if file == nil {
			continue
		}
		m := ModuleCoverage{Module: name, Missed: []int{}}
		for _, r := range file.NotCovered {
			for row := r.Start.Row; row <= max(r.Start.Row, r.End.Row); row++ {
				if !slices.Contains(m.Missed, row) && !file.IsCovered(row) {
					m.Missed = append(m.Missed, row)
				}
			}
		}
		slices.Sort(m.Missed)
		lines := map[int]bool{}
		for _, r := range file.Covered {
			for row := r.Start.Row; row <= max(r.Start.Row, r.End.Row); row++ {
				lines[row] = true
			}
		}
		m.Percent = percent(len(lines), len(lines)+len(m.Missed))
		reached, all = reached+len(lines), all+len(lines)+len(m.Missed)
		c.Modules = append(c.Modules, m)
	}
	c.Percent = percent(reached, all)
	return c
}

// percent returns a share with one digit behind the point.
func percent(part, of int) float64 {
	if of == 0 {
		return 0
	}
	return math.Round(1000*float64(part)/float64(of)) / 10
}

// runTests runs the tests of modules with the guarded built-ins. tracer, if not
// nil, learns what is reached.
func runTests(ctx context.Context, modules map[string]*ast.Module, tracer topdown.QueryTracer) ([]TestResult, error) {
	runner := tester.NewRunner().
		SetCompiler(newCompiler(plain, declarations())).
		AddCustomBuiltins(testBuiltins()).
		RaiseBuiltinErrors(true).
		SetTimeout(testDeadline).
		SetModules(modules)
	if tracer != nil {
		runner.SetCoverageQueryTracer(tracer)
	}
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
