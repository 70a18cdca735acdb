package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// scope is what one rule binds, for the question whether a term has a value
// whenever it is reached. Variables are told apart by their names alone: one
// that is bound twice is taken for what either may be.
//
// The answer errs on one side: what it calls present is present; what it cannot
// tell may be absent, and then a comparison would leave its rule out in silence.
type scope struct {
	*checker
	args  ast.VarSet
	binds map[ast.Var][]binding
	bases map[ast.Var]map[string]bool // what a variable is a key of
	left  int                         // terms that may still be looked at

	why   map[ast.Var]string      // why variables may have no value, as far as asked
	shown map[ast.Var][]*ast.Term // their forms, as far as asked
}

// Bounds of what is looked at to answer for one rule.
const (
	maxLooks = 20_000 // terms
	maxForms = 1_000  // forms of one term
)

// binding is one way a variable gets its value.
type binding struct {
	how  bindingKind
	from *ast.Term
}

type bindingKind int

const (
	isValue   bindingKind = iota // it is the term
	isElement                    // it is one of the elements of the term
	isKey                        // it is one of the keys of the term
	isPlace                      // it is one of the elements of the term, which has as many as the pattern
	isPart                       // it is taken out of the term by a pattern that may not fit
	isFitting                    // it is taken out of those elements of the term that fit a pattern
)

// scopeOf returns the scope of a rule and its else parts.
func (c *checker) scopeOf(r *ast.Rule) *scope {
	if s := c.scopes[r]; s != nil {
		return s
	}
	s := &scope{
		checker: c, args: ast.NewVarSet(), binds: map[ast.Var][]binding{}, bases: map[ast.Var]map[string]bool{}, left: maxLooks,
		why: map[ast.Var]string{}, shown: map[ast.Var][]*ast.Term{},
	}
	c.scopes[r] = s
	ast.WalkVars(r.Head.Args, func(v ast.Var) bool {
		s.args.Add(v)
		return false
	})
	for ; r != nil; r = r.Else {
		ast.NewGenericVisitor(s.note).Walk(r.Head)
		ast.NewGenericVisitor(s.note).Walk(r.Body)
	}
	return s
}

// note notes what a term or expression binds.
func (s *scope) note(x any) bool {
	switch x := x.(type) {
	case *ast.Expr:
		if terms, ok := x.Terms.([]*ast.Term); ok {
			s.noteCall(terms)
		}
	case *ast.SomeDecl:
		for _, t := range x.Symbols {
			if call, ok := t.Value.(ast.Call); ok {
				domain := call[len(call)-1]
				s.bind(call[len(call)-2], binding{isElement, domain})
				if len(call) == 4 {
					s.bind(call[1], binding{isKey, domain})
				}
			}
		}
	case *ast.Every:
		s.bind(x.Value, binding{isElement, x.Domain})
		s.bind(x.Key, binding{isKey, x.Domain})
	case ast.Ref:
		for i, step := range x {
			if v, ok := step.Value.(ast.Var); ok && i > 0 {
				if s.bases[v] == nil {
					s.bases[v] = map[string]bool{}
				}
				s.bases[v][x[:i].String()] = true
			}
		}
	}
	return false
}

func (s *scope) noteCall(terms []*ast.Term) {
	name, operands := terms[0].String(), terms[1:]
	switch {
	case name == ast.Assign.Name && len(operands) == 2:
		s.bind(operands[0], binding{isValue, operands[1]})
	case name == ast.Equality.Name && len(operands) == 2:
		for i, t := range operands {
			if v, ok := t.Value.(ast.Var); ok && !s.args.Contains(v) && !s.rules[v] {
				s.bind(t, binding{isValue, operands[1-i]})
			}
		}
	case len(operands) > 0 && len(operands) == s.arity(name)+1:
		last := len(operands) // the result, bound as an operand
		s.bind(operands[last-1], binding{isValue, ast.CallTerm(terms[:last]...)})
	}
}

// arity returns how many operands a function takes, or -1.
func (c *checker) arity(name string) int {
	if b := ast.BuiltinMap[name]; b != nil {
		return b.Decl.Arity()
	}
	if all := c.definitions[ruleName(name)]; len(all) > 0 {
		return len(all[0].Head.Args)
	}
	return -1
}

// bind notes a binding of a variable, or of those of a pattern.
func (s *scope) bind(t *ast.Term, b binding) {
	if t == nil {
		return
	}
	if v, ok := t.Value.(ast.Var); ok {
		s.binds[v] = append(s.binds[v], b)
		return
	}
	switch {
	case b.how != isValue:
		b.how = isFitting
	case s.hasPlaces(b.from, t):
		b.how = isPlace
	default:
		b.how = isPart
	}
	ast.WalkVars(t, func(v ast.Var) bool {
		s.binds[v] = append(s.binds[v], b)
		return false
	})
}

// hasPlaces reports whether a term is for certain a list that a pattern fits.
func (s *scope) hasPlaces(t, pattern *ast.Term) bool {
	p, ok := pattern.Value.(*ast.Array)
	if !ok || p.Until(func(t *ast.Term) bool { _, ok := t.Value.(ast.Var); return !ok }) {
		return false
	}
	if a, ok := t.Value.(*ast.Array); ok {
		return a.Len() == p.Len()
	}
	return p.Len() > 0 && places(t) == p.Len()
}

// places returns how many elements a call's list always has, or 0.
func places(t *ast.Term) int {
	call, ok := t.Value.(ast.Call)
	if !ok {
		return 0
	}
	switch call[0].String() {
	case ast.Clock.Name, ast.Date.Name:
		return 3
	case ast.Diff.Name:
		return 6
	}
	return 0
}

// absent says why a term may have no value, or is "" if it always has one.
func (s *scope) absent(t *ast.Term) string {
	if s.left--; s.left < 0 {
		return "the rule is too long to tell whether what it compares has a value"
	}
	switch v := t.Value.(type) {
	case ast.Var:
		why, known := s.why[v]
		if !known {
			s.why[v] = "" // while asked: x = y binds either way, and is itself refused over what may be absent
			why = s.absentVar(v)
			s.why[v] = why
		}
		return why
	case ast.Ref:
		return s.absentRef(t, v)
	case ast.Call:
		name := ruleName(v[0].String())
		if s.rules[name] && !s.total(name) {
			return fmt.Sprintf("%s may give no value: write default %s(…) := …, or else := …", name, name)
		}
		return s.absentAny(v[1:])
	case *ast.Array:
		why := ""
		v.Until(func(t *ast.Term) bool { why = s.absent(t); return why != "" })
		return why
	case ast.Set:
		why := ""
		v.Until(func(t *ast.Term) bool { why = s.absent(t); return why != "" })
		return why
	case ast.Object:
		why := ""
		v.Until(func(k, t *ast.Term) bool { why = s.absentAny([]*ast.Term{k, t}); return why != "" })
		return why
	}
	return ""
}

func (s *scope) absentAny(terms []*ast.Term) string {
	for _, t := range terms {
		if why := s.absent(t); why != "" {
			return why
		}
	}
	return ""
}

func (s *scope) absentVar(v ast.Var) string {
	switch {
	case s.args.Contains(v):
		return "" // calls are refused operands that may be absent
	case s.rules[v] && !s.total(v):
		return fmt.Sprintf("%s may have no value: write default %s := …, or else := …", v, v)
	}
	for _, b := range s.binds[v] {
		switch b.how {
		case isValue, isPlace:
			if why := s.absent(b.from); why != "" {
				return why
			}
		case isPart:
			return fmt.Sprintf("%s has a value only if %s fits the pattern", v, b.from)
		}
	}
	return ""
}

func (s *scope) absentRef(t *ast.Term, ref ast.Ref) string {
	head, rest := ref[0], ref[1:]
	switch v, _ := head.Value.(ast.Var); {
	case v == "input":
		return "" // its paths are checked against the schema
	case v == "data" && len(ref) > 3:
		name, _ := ref[3].Value.(ast.String)
		head, rest = ast.VarTerm(string(name)).SetLocation(t.Location), ref[4:]
	}
	if why := s.absent(head); why != "" {
		return why
	}
	if len(rest) > 0 && !s.finds(ref[:len(ref)-len(rest)], s.forms(head), rest) {
		return fmt.Sprintf("%s may find nothing: use object.get, which says what holds then, or go through all with some … in", t)
	}
	return ""
}

// total reports whether a rule or function has a value whatever the input: one
// of its definitions holds always.
func (c *checker) total(name ast.Var) bool {
	if known, ok := c.totals[name]; ok {
		return known
	}
	c.totals[name] = false // while asked: what depends on itself is refused elsewhere
	for _, r := range c.definitions[name] {
		if r.Default || c.scopeOf(r).always(r) {
			c.totals[name] = true
			break
		}
	}
	return c.totals[name]
}

// always reports whether a definition, or one of its else parts, holds whatever
// the input: it takes any operands, and its body only gives names to what is
// there.
func (s *scope) always(r *ast.Rule) bool {
	seen := ast.NewVarSet()
	for _, arg := range r.Head.Args {
		v, ok := arg.Value.(ast.Var)
		if !ok || seen.Contains(v) {
			return false
		}
		seen.Add(v)
	}
	for ; r != nil; r = r.Else {
		if (r.Head.Value == nil || s.absent(r.Head.Value) == "") && s.holds(r.Body) {
			return true
		}
	}
	return false
}

func (s *scope) holds(b ast.Body) bool {
	for _, e := range b {
		if e.Negated {
			return false
		}
		switch terms := e.Terms.(type) {
		case *ast.Term:
			if !terms.Equal(ast.BooleanTerm(true)) {
				return false
			}
		case []*ast.Term:
			if terms[0].String() != ast.Assign.Name || len(terms) != 3 || s.absent(terms[2]) != "" {
				return false
			}
			_, plain := terms[1].Value.(ast.Var)
			if !plain && !s.hasPlaces(terms[2], terms[1]) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// ruleName is the name of an officer's rule as terms write it.
func ruleName(name string) ast.Var {
	const prefix = rulesPackage + "."
	if len(name) > len(prefix) && name[:len(prefix)] == prefix {
		name = name[len(prefix):]
	}
	return ast.Var(name)
}
