package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// outcome checks the head of a rule of withhold or mask: the element it adds
// must be written out, and must be defined whenever the body is true. A head
// that is undefined makes no error; the rule is just not there.
func (c *checker) outcome(r *ast.Rule, key string) {
	h := r.Head
	if h.RuleKind() != ast.MultiValue || h.Key == nil || len(h.Args) > 0 {
		c.refuse(r.Location, `%s: expected %s contains {"field": …, %q: …} if …`, h.Name, h.Name, key)
		return
	}
	o, ok := h.Key.Value.(ast.Object)
	if !ok {
		c.refuse(h.Key.Location, `%s contains: expected the object {"field": …, %q: …} itself`, h.Name, key)
		return
	}
	field, word := o.Get(ast.StringTerm("field")), o.Get(ast.StringTerm(key))
	if o.Len() != 2 || field == nil || word == nil {
		c.refuse(h.Key.Location, `%s contains: expected the keys "field" and %q and no others`, h.Name, key)
		return
	}
	c.defined(field)
	c.defined(word)
	c.literals(field, word, key)
}

// literals checks what is written out: a field that is declared, a reason that
// has words, a mask that is known and fits.
func (c *checker) literals(field, word *ast.Term, key string) {
	name, named := field.Value.(ast.String)
	typ, declared := c.schema.fields[privacy.FieldName(name)]
	switch {
	case named && !declared:
		c.refuse(field.Location, "field %s is not declared", name)
	case !named && ast.IsScalar(field.Value):
		c.refuse(field.Location, "a field is named by a text")
	}
	if !ast.IsScalar(word.Value) {
		return
	}
	text, ok := word.Value.(ast.String)
	at, char := hidden(string(text))
	switch {
	case !ok || strings.TrimSpace(string(text)) == "":
		c.refuse(word.Location, "a %s is a text", key)
	case at >= 0:
		c.refuse(word.Location, "a %s is shown to people and has no character like %U", key, char)
	case key == "reason" && len(text) > maxReason:
		c.refuse(word.Location, "a reason has at most %d bytes", maxReason)
	case key == "mask" && !slices.Contains(privacy.Masks(), privacy.Mask(text)):
		c.refuse(word.Location, "mask %s is not known", text)
	case key == "mask" && declared && !privacy.Mask(text).Fits(typ):
		c.refuse(word.Location, "mask %s does not fit field %s of type %s", text, name, typ)
	}
}

// totals are built-ins that give a result for any operands, or an error.
var totals = []string{"sprintf", "concat", "lower", "upper", "format_int"}

// defined refuses a term of a head that could be undefined: all but texts,
// variables that the body binds, input paths, constants, and texts made of
// these.
func (c *checker) defined(t *ast.Term) {
	switch v := t.Value.(type) {
	case ast.String, ast.Number, ast.Boolean, ast.Null:
		return
	case ast.Var:
		if !c.rules[v] || c.constants[v] {
			return
		}
	case ast.Ref:
		if isInputPath(t) {
			return
		}
	case *ast.Array:
		v.Foreach(c.defined)
		return
	case ast.Call:
		if slices.Contains(totals, v[0].String()) {
			for _, operand := range v[1:] {
				c.defined(operand)
			}
			return
		}
	}
	c.refuse(t.Location, "%s could be undefined here, and the rule would be left out in silence: give it to a variable in the body", t)
}
