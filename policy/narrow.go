package policy

import (
	"fmt"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// maxReason bounds a rule's words in bytes.
const maxReason = 500

// narrowings are the checked outcomes of officers' rules, by field.
type narrowings struct {
	schema   *index
	withhold map[privacy.FieldName]narrowing
	masks    map[privacy.FieldName][]narrowing
}

// narrowing is one element of withhold or mask: a reason or a mask, and the
// rule it came from.
type narrowing struct{ word, rule string }

// officers checks every element of both sets, asked for or not: exact keys, a
// declared field, words that are there, a known mask that fits. One that fails
// denies the whole read, for nobody can tell which field it meant to narrow.
func (r *Revision) officers(in *Input, withhold, mask ast.Set) (narrowings, error) {
	n := narrowings{schema: r.schema}
	for _, t := range withhold.Slice() {
		field, e, err := r.element(in, t, "reason")
		if err != nil {
			return n, err
		}
		if e.word == "" || len(e.word) > maxReason || !utf8.ValidString(e.word) {
			return n, fmt.Errorf("%w: %s: a reason is empty, too long or no text", ErrOutcome, e.rule)
		}
		if n.withhold == nil {
			n.withhold = map[privacy.FieldName]narrowing{}
		}
		if _, ok := n.withhold[field]; !ok { // the first in the set's order
			n.withhold[field] = e
		}
	}
	for _, t := range mask.Slice() {
		field, e, err := r.element(in, t, "mask")
		if err != nil {
			return n, err
		}
		if typ, declared := r.schema.fields[field]; declared && !privacy.Mask(e.word).Fits(typ) {
			return n, fmt.Errorf("%w: %s: not a mask that fits the field", ErrOutcome, e.rule)
		}
		if n.masks == nil {
			n.masks = map[privacy.FieldName][]narrowing{}
		}
		n.masks[field] = append(n.masks[field], e)
	}
	return n, nil
}

// element reads {"field": f, key: word} and the rule's place, which joining
// added, and nothing else.
func (r *Revision) element(in *Input, t *ast.Term, key string) (privacy.FieldName, narrowing, error) {
	o, _ := t.Value.(ast.Object)
	if o == nil || o.Len() != 3 {
		return "", narrowing{}, fmt.Errorf("%w: an element of withhold or mask has other keys than field and %s", ErrOutcome, key)
	}
	field, ok := member[ast.String](o, "field")
	word, ok2 := member[ast.String](o, key)
	rule, ok3 := member[ast.String](o, placeKey)
	if !ok || !ok2 || !ok3 {
		return "", narrowing{}, fmt.Errorf("%w: an element of withhold or mask has other keys than field and %s, or no texts", ErrOutcome, key)
	}
	name := privacy.FieldName(field)
	_, declared := r.schema.fields[name]
	_, asked := in.Guard.Fields[name] // a rule over input.fields may name what the register lacks
	if !declared && !asked {
		return "", narrowing{}, fmt.Errorf("%w: %s: names a field that is not declared", ErrOutcome, rule)
	}
	return name, narrowing{word: string(word), rule: string(rule)}, nil
}

// apply narrows a field that the guardrails release, under the matrix's mask.
func (n narrowings) apply(name privacy.FieldName, as string) (Outcome, error) {
	if e, ok := n.withhold[name]; ok {
		return Outcome{Field: name, Action: Withhold, Code: privacy.CodePolicy, Detail: e.word, Rule: e.rule}, nil
	}
	out := Outcome{Field: name, Action: Release}
	if as != "" {
		if !privacy.Mask(as).Fits(n.schema.fields[name]) {
			return Outcome{}, fmt.Errorf("%w: the matrix's mask does not fit field %q", ErrInput, name)
		}
		out = Outcome{Field: name, Action: Mask, Mask: privacy.Mask(as), Rule: "matrix"}
	}
	for _, e := range n.masks[name] {
		m := privacy.Mask(e.word)
		if out.Action == Release {
			out = Outcome{Field: name, Action: Mask, Mask: m, Rule: e.rule}
			continue
		}
		stricter, ok := privacy.Stricter(out.Mask, m)
		if !ok {
			return Outcome{Field: name, Action: Withhold, Code: privacy.CodePolicy, Detail: "Two masks apply to this field and neither shows less.", Rule: e.rule}, nil
		}
		if stricter != out.Mask {
			out.Mask, out.Rule = stricter, e.rule
		}
	}
	return out, nil
}
