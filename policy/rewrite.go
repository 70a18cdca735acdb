package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// rewriter makes a copy of a module in which built-ins are evaluated in other
// forms and what is built at evaluation stays flat.
//
// Why flat: OPA copies a value whenever it hands it on, so that thirty lines of
// "b := [a, a]" exhaust memory between two looks at the deadline. So what goes
// into a list, set or object that is not written out as a constant passes
// through a built-in that takes only texts, numbers, booleans and null.
type rewriter struct {
	// rename returns the name to call a built-in by, given its operands.
	rename func(name string, operands []*ast.Term) string
}

// guardCalls returns a module with the guarded form in the place of every
// built-in: what is evaluated.
func guardCalls(m *ast.Module) *ast.Module {
	known := declarations()
	return rewriter{func(name string, operands []*ast.Term) string {
		if known[guardPrefix+name] == nil || name == "equal" && plainEquality(operands) {
			return name
		}
		return guardPrefix + name
	}}.module(m)
}

// plainEquality reports whether both sides are literals or input paths. Their
// types are checked already, and rules are indexed by them.
func plainEquality(operands []*ast.Term) bool {
	return !slices.ContainsFunc(operands, func(t *ast.Term) bool { return !ast.IsScalar(t.Value) && !isInputPath(t) })
}

// typedCalls returns a module with the typed form in the place of every
// ordering with a literal: what is type-checked.
func typedCalls(m *ast.Module) *ast.Module {
	return rewriter{func(name string, operands []*ast.Term) string {
		if slices.Contains([]string{"lt", "lte", "gt", "gte"}, name) {
			for _, t := range operands {
				switch t.Value.(type) {
				case ast.Number:
					return compareNumbers
				case ast.String:
					return compareStrings
				}
			}
		}
		return name
	}}.module(m)
}

func (w rewriter) module(m *ast.Module) *ast.Module {
	m = m.Copy()
	for _, r := range m.Rules {
		for ; r != nil; r = r.Else {
			if r.Default {
				continue // a constant
			}
			r.Head.Key, r.Head.Value = w.term(r.Head.Key), w.term(r.Head.Value)
			w.body(r.Body)
		}
	}
	return m
}

func (w rewriter) body(b ast.Body) {
	for _, e := range b {
		switch terms := e.Terms.(type) {
		case *ast.Term:
			e.Terms = w.term(terms)
		case []*ast.Term:
			name := terms[0].String()
			for i := 1; i < len(terms); i++ {
				// The left side of := is a pattern, which binds.
				if i != 1 || name != ast.Assign.Name {
					terms[i] = w.term(terms[i])
				}
			}
			terms[0] = w.operator(terms[0], terms[1:])
		case *ast.SomeDecl:
			for _, s := range terms.Symbols {
				// "some pattern in domain" binds and is no call.
				if call, ok := s.Value.(ast.Call); ok {
					call[len(call)-1] = w.term(call[len(call)-1])
				}
			}
		case *ast.Every:
			terms.Domain = w.term(terms.Domain)
			w.body(terms.Body)
		}
	}
}

// term returns a term with its calls renamed and its elements kept flat. What
// holds others is made anew, for it knows its hash.
func (w rewriter) term(t *ast.Term) *ast.Term {
	if t == nil || isConstant(t) {
		return t
	}
	var v ast.Value
	switch x := t.Value.(type) {
	case ast.Ref:
		ref := make(ast.Ref, len(x))
		for i := range x {
			ref[i] = w.term(x[i])
		}
		v = ref
	case ast.Call:
		call := make(ast.Call, len(x))
		for i := range x {
			call[i] = w.term(x[i])
		}
		call[0] = w.operator(x[0], x[1:])
		v = call
	case *ast.Array:
		elements := make([]*ast.Term, x.Len())
		for i := range elements {
			elements[i] = w.element(x.Elem(i))
		}
		v = ast.NewArray(elements...)
	case ast.Set:
		set := ast.NewSet()
		x.Foreach(func(t *ast.Term) { set.Add(w.element(t)) })
		v = set
	case ast.Object:
		o := ast.NewObject()
		x.Foreach(func(k, t *ast.Term) { o.Insert(w.element(k), w.element(t)) })
		v = o
	case *ast.ArrayComprehension:
		w.body(x.Body)
		v = &ast.ArrayComprehension{Term: w.element(x.Term), Body: x.Body}
	case *ast.SetComprehension:
		w.body(x.Body)
		v = &ast.SetComprehension{Term: w.element(x.Term), Body: x.Body}
	case *ast.ObjectComprehension:
		w.body(x.Body)
		v = &ast.ObjectComprehension{Key: w.element(x.Key), Value: w.element(x.Value), Body: x.Body}
	default:
		return t
	}
	return ast.NewTerm(v).SetLocation(t.Location)
}

// element returns what stands for an element of a list, set or object.
func (w rewriter) element(t *ast.Term) *ast.Term {
	if isConstant(t) || isInputPath(t) {
		return t
	}
	return ast.CallTerm(operator(keepFlat, t.Location), w.term(t)).SetLocation(t.Location)
}

func (w rewriter) operator(t *ast.Term, operands []*ast.Term) *ast.Term {
	name := t.String()
	if other := w.rename(name, operands); other != name {
		return operator(other, t.Location)
	}
	return t
}

// isConstant reports whether a term is written out: its size is that of the
// text.
func isConstant(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case *ast.Array:
		return !v.Until(func(t *ast.Term) bool { return !isConstant(t) })
	case ast.Set:
		return !v.Until(func(t *ast.Term) bool { return !isConstant(t) })
	case ast.Object:
		return !v.Until(func(k, t *ast.Term) bool { return !isConstant(k) || !isConstant(t) })
	}
	return ast.IsScalar(t.Value)
}

// isInputPath reports whether a term is a path of the input and nothing else.
// The checks of its path leave it a text, a number or a boolean, or a list or
// map of these.
func isInputPath(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	return ok && ref[0].Value.Compare(ast.Var("input")) == 0 && !slices.ContainsFunc(ref[1:], func(t *ast.Term) bool { return !ast.IsScalar(t.Value) })
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
// the rule that adds it, so that a decision can name it. It changes m.
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
