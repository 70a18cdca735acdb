package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// opaque stands for a value of which nothing is known but that it is there.
var opaque = []*ast.Term{ast.NullTerm()}

// forms returns all terms a term may stand for, as far as they are written out.
func (s *scope) forms(t *ast.Term) []*ast.Term {
	if s.left--; s.left < 0 {
		return opaque
	}
	switch v := t.Value.(type) {
	case ast.Var:
		all, known := s.shown[v]
		if !known {
			s.shown[v] = opaque // while asked
			all = s.formsOf(v)
			s.shown[v] = all
		}
		return all
	case ast.Ref:
		head, rest := v[0], v[1:]
		if len(rest) == 0 {
			return s.forms(head)
		}
		if name, ok := head.Value.(ast.Var); ok && (name == "input" || name == "data") {
			return opaque
		}
		if forms := s.follow(v[:1], s.forms(head), rest); forms != nil {
			return forms
		}
		return opaque
	}
	return []*ast.Term{t}
}

func (s *scope) formsOf(v ast.Var) []*ast.Term {
	if s.args.Contains(v) || s.rules[v] && len(s.binds[v]) > 0 {
		return opaque
	}
	var all []*ast.Term
	for _, b := range s.binds[v] {
		switch b.how {
		case isValue:
			all = append(all, s.forms(b.from)...)
		case isElement, isPlace:
			for _, form := range s.forms(b.from) {
				all = append(all, s.elements(form)...)
			}
		default:
			return opaque
		}
	}
	if s.rules[v] && s.total(v) {
		for _, r := range s.definitions[v] {
			for ; r != nil; r = r.Else {
				if r.Head.Value == nil || !isConstant(r.Head.Value) {
					return opaque
				}
				all = append(all, r.Head.Value)
			}
		}
	}
	return few(all)
}

// few returns the forms, or the opaque one for none or too many.
func few(all []*ast.Term) []*ast.Term {
	if len(all) == 0 || len(all) > maxForms {
		return opaque
	}
	return all
}

// elements returns what the elements of a form may be.
func (s *scope) elements(form *ast.Term) []*ast.Term {
	var all []*ast.Term
	add := func(t *ast.Term) {
		if len(all) <= maxForms {
			all = append(all, s.forms(t)...)
		}
	}
	switch v := form.Value.(type) {
	case *ast.Array:
		v.Foreach(add)
	case ast.Set:
		v.Foreach(add)
	case ast.Object:
		v.Foreach(func(_, t *ast.Term) { add(t) })
	}
	return few(all)
}

// finds reports whether a look-up finds something in every form.
func (s *scope) finds(base ast.Ref, forms []*ast.Term, steps ast.Ref) bool {
	return s.follow(base, forms, steps) != nil
}

// follow returns the forms that a look-up finds, or nil if it may find nothing.
func (s *scope) follow(base ast.Ref, forms []*ast.Term, steps ast.Ref) []*ast.Term {
	for i, step := range steps {
		path := append(base[:len(base):len(base)], steps[:i]...)
		var next []*ast.Term
		for _, form := range forms {
			if s.through(step, path.String()) {
				next = append(next, s.elements(form)...)
				continue
			}
			for _, key := range s.forms(step) {
				found := s.at(form, key)
				if found == nil {
					return nil
				}
				next = append(next, found...)
			}
		}
		forms = few(next)
	}
	return forms
}

// through reports whether a step goes through what is there rather than looking
// up what may not be: its variable is bound by this look-up alone, or holds the
// keys of the very same list or object.
func (s *scope) through(step *ast.Term, base string) bool {
	v, ok := step.Value.(ast.Var)
	switch {
	case !ok || s.args.Contains(v):
		return false
	case v.IsWildcard():
		return true
	case len(s.binds[v]) == 0:
		return !s.rules[v] && len(s.bases[v]) == 1
	}
	for _, b := range s.binds[v] {
		keys := b.how == isKey && b.from.String() == base
		if call, ok := valueOf[ast.Call](b.from); ok && b.how == isElement && len(call) == 2 {
			keys = call[0].String() == ast.ObjectKeys.Name && call[1].String() == base
		}
		if !keys {
			return false
		}
	}
	return true
}

func valueOf[T ast.Value](t *ast.Term) (v T, ok bool) {
	if t != nil {
		v, ok = t.Value.(T)
	}
	return v, ok
}

// at returns what stands at a key of a form, or nil if nothing may.
func (s *scope) at(form, key *ast.Term) []*ast.Term {
	if key == opaque[0] || !ast.IsScalar(key.Value) {
		return nil
	}
	switch v := form.Value.(type) {
	case *ast.Array:
		if t := v.Get(key); t != nil {
			return s.forms(t)
		}
	case ast.Object:
		if t := v.Get(key); t != nil {
			return s.forms(t)
		}
	default:
		n, ok := key.Value.(ast.Number)
		if i, whole := n.Int(); ok && whole && i >= 0 && i < places(form) {
			return opaque
		}
	}
	return nil
}
