package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Bounds of what officers may send.
const (
	maxModules    = 100
	maxModuleName = 128       // bytes
	maxModuleText = 128 << 10 // bytes
	maxText       = 512 << 10 // bytes of all modules
	maxElse       = 50        // of one rule: compiling them takes the square of their number
)

// placeKey is the key under which joining notes a rule's place in its outcome.
const placeKey = "rule"

// checked are officers' modules that passed, as written.
type checked struct {
	rules, tests map[string]*ast.Module
	looks        looks
}

// checkModules parses officers' modules, refuses what they may not say, and
// compiles them alone against the input's schema.
//
// Refused, each with its line, because it would reach out of the rules, widen,
// or let a rule be undefined in silence:
//
//   - another package than sayso.rules; imports but rego.v1; "with"; data but
//     data.sayso.rules; built-ins off the allow-list; template strings
//   - rules that add to sets other than withhold and mask, rules called
//     release, allow or deny, heads of several parts, names of built-ins
//   - outcomes other than {"field": f, "reason": r} and {"field": f, "mask": m}
//     with f, r and m that are always defined; fields and masks that do not exist
//   - paths that the input lacks, look-ups in it that could find nothing, whole
//     parts of it handed on to where their paths can no longer be checked
//   - comparisons, and calls of own functions, over what may have no value
//   - what does not type-check, such as a comparison of a text with a number
func checkModules(ix *index, modules map[string]string) (checked, error) {
	c := &checker{
		schema: ix, rules: map[ast.Var]bool{}, constants: map[ast.Var]bool{}, paths: map[string]bool{},
		definitions: map[ast.Var][]*ast.Rule{}, totals: map[ast.Var]bool{}, scopes: map[*ast.Rule]*scope{},
	}
	rules, tests := c.parse(modules)
	read := len(c.found)
	for _, all := range []map[string]*ast.Module{rules, tests} {
		for _, m := range all {
			c.bounds(m)
		}
	}
	if len(c.found) > read {
		return checked{}, c.found.err()
	}
	for _, m := range rules {
		for _, r := range m.Rules {
			c.rules[r.Head.Name] = true
			c.definitions[r.Head.Name] = append(c.definitions[r.Head.Name], r)
			if isConstantRule(r) {
				c.constants[r.Head.Name] = true
			}
		}
	}
	for _, m := range rules {
		c.module(m)
	}
	for _, m := range tests {
		c.testModule(m)
	}
	if err := c.found.err(); err != nil {
		return checked{}, err
	}
	if err := c.types(rules, tests); err != nil {
		return checked{}, err
	}
	if err := c.found.err(); err != nil {
		return checked{}, err
	}
	return checked{rules: rules, tests: tests, looks: newLooks(ix, c.paths)}, nil
}

// checker gathers what is wrong with officers' modules.
type checker struct {
	schema    *index
	rules     map[ast.Var]bool // names of officers' rules
	constants map[ast.Var]bool // of those, the ones that are always defined
	paths     map[string]bool  // input paths looked at
	found     problems

	definitions map[ast.Var][]*ast.Rule // officers' rules by name
	totals      map[ast.Var]bool        // which of them always have a value, as far as asked
	scopes      map[*ast.Rule]*scope    // what each binds, as far as asked
}

func (c *checker) refuse(at *ast.Location, format string, args ...any) {
	p := Problem{Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		p.Module, p.Line, p.Column = at.File, max(at.Row, 1), max(at.Col, 1)
	}
	c.found = append(c.found, p)
}

// refuseAll takes over the errors of OPA's parser or compiler.
func (c *checker) refuseAll(module string, err error) {
	var all ast.Errors
	if !errors.As(err, &all) {
		c.found = append(c.found, Problem{Module: module, Line: 1, Column: 1, Message: err.Error()})
		return
	}
	for _, e := range all {
		at := e.Location
		if at == nil || at.File == "" {
			at = ast.NewLocation(nil, module, 1, 1)
		}
		message := e.Message
		for name, b := range checkedForms {
			if strings.HasPrefix(message, name) {
				message = b.meaning
			}
		}
		c.refuse(at, "%s", message)
	}
}

// parse reads the modules: rules, and tests by their names.
func (c *checker) parse(modules map[string]string) (rules, tests map[string]*ast.Module) {
	rules, tests = map[string]*ast.Module{}, map[string]*ast.Module{}
	total := 0
	for _, text := range modules {
		total += len(text)
	}
	if len(modules) > maxModules || total > maxText {
		c.refuse(nil, "a rule set has at most %d modules and %d bytes", maxModules, maxText)
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		at := ast.NewLocation(nil, name, 1, 1)
		if name == "" || len(name) > maxModuleName {
			c.refuse(at, "a module needs a name of at most %d characters", maxModuleName)
			continue
		}
		if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			c.refuse(ast.NewLocation(nil, strconv.QuoteToASCII(name), 1, 1), "the name of a module has characters that cannot be seen")
			continue
		}
		if len(modules[name]) > maxModuleText {
			c.refuse(at, "a module may have at most %d bytes", maxModuleText)
			continue
		}
		if i, char := hidden(modules[name]); i >= 0 {
			before := modules[name][:i]
			line := strings.LastIndexByte(before, '\n') + 1
			c.refuse(ast.NewLocation(nil, name, 1+strings.Count(before, "\n"), 1+i-line), "the character %U, which cannot be seen: write it as \\u%04x in a text, or leave it out", char, char)
			continue
		}
		m, err := ast.ParseModuleWithOpts(name, modules[name], ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities(allowed)})
		switch {
		case err != nil:
			c.refuseAll(name, err)
		case m == nil || m.Package == nil:
			c.refuse(at, "an empty module: expected package sayso.rules")
		case strings.HasSuffix(name, testSuffix):
			tests[name] = m
		default:
			rules[name] = m
		}
	}
	return rules, tests
}

// module checks one module of rules.
func (c *checker) module(m *ast.Module) {
	if m.Package.Path.String() != rulesPackage {
		c.refuse(m.Package.Location, "package %s: rules stand in package sayso.rules", strings.TrimPrefix(m.Package.Path.String(), "data."))
	}
	for _, i := range m.Imports {
		if i.Path.String() != "rego.v1" || i.Alias != "" {
			c.refuse(i.Location, "import %s: only rego.v1 may be imported", i.Path)
		}
	}
	for _, r := range m.Rules {
		c.rule(r)
	}
}

// rule checks the head of a rule, then all of it.
func (c *checker) rule(r *ast.Rule) {
	name, h := r.Head.Name, r.Head
	for e, n := r.Else, 1; e != nil; e, n = e.Else, n+1 {
		if n > maxElse {
			c.refuse(e.Location, "%s: a rule may have at most %d else", name, maxElse)
			return
		}
	}
	switch {
	case len(h.Ref()) != 1:
		c.refuse(r.Location, "%s: a rule's name has one part, or the rule is withhold contains or mask contains", h.Ref())
	case name == "withhold":
		c.outcome(r, "reason")
	case name == "mask":
		c.outcome(r, "mask")
	case h.RuleKind() == ast.MultiValue:
		c.refuse(r.Location, "%s contains: rules add only to withhold and mask", name)
	case slices.Contains([]ast.Var{"release", "allow", "deny"}, name):
		c.refuse(r.Location, "%s: rules only withhold and mask", name)
	case isBuiltinName(name):
		c.refuse(r.Location, "%s: a rule may not have the name of a built-in", name)
	}
	c.body(r)
}

// isBuiltinName reports whether a rule of that name could stand in for a
// built-in: it is one, or the first part of one.
func isBuiltinName(name ast.Var) bool {
	if strings.TrimSuffix(guardPrefix, ".") == string(name) {
		return true
	}
	for _, b := range ast.Builtins {
		if first, _, _ := strings.Cut(b.Name, "."); first == string(name) {
			return true
		}
	}
	return false
}

// isConstantRule reports whether a rule is a plain value or has a default: a
// variable naming it is always defined.
func isConstantRule(r *ast.Rule) bool {
	if r.Default {
		return true
	}
	return r.Head.RuleKind() == ast.SingleValue && len(r.Head.Args) == 0 && r.Head.Value != nil && ast.IsScalar(r.Head.Value.Value) &&
		len(r.Body) == 1 && r.Body[0].Equal(ast.NewExpr(ast.BooleanTerm(true)))
}
