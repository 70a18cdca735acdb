package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// body checks everything a rule says: calls, references, literals.
func (c *checker) body(r *ast.Rule) {
	w := &walk{scope: c.scopeOf(r), domains: map[*ast.Term]bool{}, heads: map[*ast.Term]bool{}, goes: map[*ast.Term]bool{}}
	for ; r != nil; r = r.Else {
		ast.NewGenericVisitor(w.visit).Walk(r.Head)
		ast.NewGenericVisitor(w.visit).Walk(r.Body)
	}
}

// walk is one pass over a rule.
type walk struct {
	*scope
	domains map[*ast.Term]bool // where a whole part of the input may stand
	heads   map[*ast.Term]bool // first terms of references and calls, seen with them
	goes    map[*ast.Term]bool // "in" of "some … in", which goes through what is there
}

func (w *walk) visit(x any) bool {
	switch x := x.(type) {
	case *ast.Expr:
		for _, with := range x.With {
			w.refuse(with.Location, "with: rules see the input as it is")
		}
		switch terms := x.Terms.(type) {
		case []*ast.Term:
			w.call(terms)
			w.compares(terms)
		case *ast.SomeDecl:
			for _, t := range terms.Symbols {
				w.goes[t] = true
			}
		case *ast.Term, *ast.Every:
		default:
			w.refuse(x.Location, "not a form that rules know")
		}
	case *ast.Every:
		w.domains[x.Domain] = true
		w.there(x.Domain, "what every goes through", x.Domain)
	case *ast.Term:
		w.term(x)
	}
	return false
}

func (w *walk) term(t *ast.Term) {
	switch v := t.Value.(type) {
	case ast.Call:
		w.call(v)
		switch domain := v[len(v)-1]; {
		case !w.goes[t]:
			w.compares(v)
		case !isName(domain):
			w.there(t, "what is gone through", domain)
		}
	case ast.Ref:
		w.heads[v[0]] = true
		if !w.heads[t] {
			w.ref(t, v)
		}
	case ast.Var:
		if !w.heads[t] && (v == "input" || v == "data") {
			w.refuse(t.Location, "%s: a rule names the paths it looks at", v)
		}
	default:
		w.literal(t)
	}
}

// literal refuses what no bound on operands can see.
func (c *checker) literal(t *ast.Term) {
	switch v := t.Value.(type) {
	case ast.Number:
		if len(v) > 20 || strings.ContainsAny(string(v), "eE") {
			c.refuse(t.Location, "write numbers out, in at most 20 characters")
		}
	case *ast.TemplateString:
		c.refuse(t.Location, "template strings leave out what is undefined: use sprintf")
	}
}

// call checks that a call is of an allowed built-in or of an officer's own
// function, and notes where it takes a whole part of the input.
func (w *walk) call(terms []*ast.Term) {
	operator, ok := terms[0].Value.(ast.Ref)
	if !ok {
		w.refuse(terms[0].Location, "not a function")
		return
	}
	w.heads[terms[0]], w.heads[operator[0]] = true, true
	name := string(ruleName(operator.String()))
	switch {
	case w.rules[ast.Var(name)]:
	case !slices.Contains(allowed, name):
		w.refuse(terms[0].Location, "%s is not a built-in that rules may call", name)
	case name == "eq" && slices.ContainsFunc(terms[1:], builds):
		w.refuse(terms[0].Location, "use := to take apart and == to compare")
	case name == "internal.member_2", name == "internal.member_3", name == "count":
		w.domains[terms[len(terms)-1]] = true
	}
}

// compares refuses a condition, or a call of an officer's own function, over
// what may have no value: it would be neither true nor false, and the rule left
// out.
func (w *walk) compares(terms []*ast.Term) {
	name := terms[0].String()
	b := ast.BuiltinMap[name]
	condition := b != nil && b != ast.Assign && types.Compare(b.Decl.Result(), types.B) == 0
	if !condition && !w.rules[ruleName(name)] {
		return
	}
	w.there(terms[0], "what is compared", terms[1:]...)
}

// there refuses terms that may have no value.
func (w *walk) there(at *ast.Term, what string, terms ...*ast.Term) {
	if why := w.absentAny(terms); why != "" {
		w.refuse(at.Location, "%s: %s must be there, or the rule is left out in silence", why, what)
	}
}

// isName reports whether a term is a look-up or a variable: "some f in
// closed[x]" goes through nothing where there is nothing, as it says.
func isName(t *ast.Term) bool {
	switch t.Value.(type) {
	case ast.Var, ast.Ref:
		return true
	}
	return false
}

// builds reports whether a term holds others that are not written out.
func builds(t *ast.Term) bool {
	switch t.Value.(type) {
	case *ast.Array, ast.Set, ast.Object:
		return !isConstant(t)
	}
	return false
}

// ref checks one reference.
func (w *walk) ref(t *ast.Term, ref ast.Ref) {
	head, ok := ref[0].Value.(ast.Var)
	switch {
	case !ok:
	case head == "data":
		if !ref.HasPrefix(ast.MustParseRef(rulesPackage)) || len(ref) < 4 || !ast.IsScalar(ref[3].Value) {
			w.refuse(t.Location, "%s: rules look at no data but their own rules", ref)
		}
	case head == "input":
		w.inputRef(t, ref)
	case len(ref) > 1 && w.args.Contains(head):
		w.refuse(t.Location, "%s: look this up before the call: nothing checks the path inside a function, and what it does not find leaves the rule out in silence", ref)
	}
}

// inputRef checks a path of the input against the schema, step by step.
func (w *walk) inputRef(t *ast.Term, ref ast.Ref) {
	part, path := w.schema.root(), []string{}
	for _, step := range ref[1:] {
		name, named := step.Value.(ast.String)
		variable, isVar := step.Value.(ast.Var)
		next, declared := part.parts[string(name)]
		switch {
		case part.parts == nil && part.list == nil:
			w.refuse(t.Location, "%s: %s has no parts", ref, strings.Join(path, "."))
			return
		case part.list != nil && isVar, part.parts != nil && isVar && variable.IsWildcard() && part.even != nil:
			// Iterates over what is there.
			next = part.list
			if next == nil {
				next = part.even
			}
			w.look(path)
			part = next
			continue
		case part.list != nil:
			w.refuse(t.Location, "%s: which place a field was asked in says nothing: use some … in input.fields", ref)
			return
		case part.byPurpose && step.String() == "input.purpose.id":
			w.look(path)
			part = part.even
			continue
		case !named:
			w.refuse(t.Location, "%s: a look-up that finds nothing leaves the rule out in silence: name the key, or go through all with some … in", ref)
			return
		case !declared:
			w.refuse(t.Location, "%s: the input has no %s", ref, strings.Join(append(path, string(name)), "."))
			return
		}
		part, path = next, append(path, string(name))
	}
	w.look(path)
	// A whole part may only be gone through or counted; the whole input not
	// even that, for it holds the guard.
	if part.parts != nil && (len(ref) == 1 || !w.domains[t]) {
		w.refuse(t.Location, "%s: a rule names the paths it looks at: this holds several", ref)
	}
}

// look notes an input path as looked at.
func (w *walk) look(path []string) {
	if len(path) > 0 {
		w.paths[strings.Join(path, ".")] = true
	}
}

// part is one part of the input as rules may look at it.
type part struct {
	parts     map[string]*part // of an object
	even      *part            // what every one of parts is, if they are alike
	byPurpose bool             // parts has every purpose, so input.purpose.id finds one
	list      *part            // of an array
}

// root returns the input as officers' rules see it.
func (ix *index) root() *part {
	leaf := &part{}
	object := func(names ...string) *part {
		p := &part{parts: map[string]*part{}, even: leaf}
		for _, n := range names {
			p.parts[n] = leaf
		}
		return p
	}
	purposes, context := object(), object()
	purposes.byPurpose = true
	for id := range ix.purposes {
		purposes.parts[string(id)] = leaf
	}
	for name := range ix.context {
		context.parts[name] = leaf
	}
	return &part{parts: map[string]*part{
		"channel":  object("id", "kind"),
		"purpose":  object("id", "dpv", "basis"),
		"subject":  object("jurisdiction", "age_band", "standing"),
		"consents": purposes,
		"objected": purposes,
		"fields":   {list: leaf},
		"touches":  ix.touchesPart(),
		"context":  context,
		"now":      leaf,
	}}
}
