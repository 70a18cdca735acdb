package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// ErrSchema is returned for a schema no rule set can be compiled against.
var ErrSchema = errors.New("unusable policy schema")

// Schema is the part of the register that a rule set is compiled against. Rules
// may look only at what it declares, and every input must have all of it.
type Schema struct {
	Fields   []Field
	Purposes []privacy.PurposeID
	Channels []privacy.ChannelID
	Context  []ContextKey
}

// Field is one declared field.
type Field struct {
	Name privacy.FieldName
	Type privacy.Type
	Mask privacy.Mask // the field's own mask, or ""; it must fit the type
}

// ContextKey is one declared context key: its type is "string", "number" or
// "boolean", and a string may be limited to an enumeration.
type ContextKey struct {
	Name string
	Type string
	Enum []string
}

// index is a schema made for look-ups.
type index struct {
	fields   map[privacy.FieldName]privacy.Type
	purposes map[privacy.PurposeID]*ast.Term
	channels map[privacy.ChannelID]bool
	context  map[string]ContextKey
	// Terms that most inputs share, made once.
	noObjections *ast.Term
	facts        map[Facts]*ast.Term
}

func newIndex(s Schema) (*index, error) {
	ix := &index{
		fields:   make(map[privacy.FieldName]privacy.Type, len(s.Fields)),
		purposes: make(map[privacy.PurposeID]*ast.Term, len(s.Purposes)),
		channels: make(map[privacy.ChannelID]bool, len(s.Channels)),
		context:  make(map[string]ContextKey, len(s.Context)),
		facts:    commonFacts(),
	}
	for _, f := range s.Fields {
		if f.Mask != "" && !f.Mask.Fits(f.Type) {
			return nil, fmt.Errorf("%w: field %q of type %q has mask %q", ErrSchema, f.Name, f.Type, f.Mask)
		}
		ix.fields[f.Name] = f.Type
	}
	for _, p := range s.Purposes {
		ix.purposes[p] = ast.StringTerm(string(p))
	}
	objections := ast.NewObject()
	for _, term := range ix.purposes {
		objections.Insert(term, ast.InternedTerm(false))
	}
	ix.noObjections = ast.NewTerm(objections)
	for _, c := range s.Channels {
		ix.channels[c] = true
	}
	for _, k := range s.Context {
		if !slices.Contains([]string{"string", "number", "boolean"}, k.Type) || len(k.Enum) > 0 && k.Type != "string" {
			return nil, fmt.Errorf("%w: context key %q has type %q", ErrSchema, k.Name, k.Type)
		}
		k.Enum = slices.Clone(k.Enum)
		ix.context[k.Name] = k
	}
	return ix, nil
}

// commonFacts returns the terms of all facts of fields of which the matrix says
// nothing.
func commonFacts() map[Facts]*ast.Term {
	all := map[Facts]*ast.Term{}
	for bits := range 1 << 8 {
		on := func(i int) bool { return bits&(1<<i) != 0 }
		f := Facts{Declared: on(0), InPurpose: on(1), Covered: on(2), Special: on(3), Explicit: on(4), Stale: on(5), Inferred: on(6), Contested: on(7)}
		all[f] = f.term()
	}
	return all
}

func (ix *index) factsTerm(f Facts) *ast.Term {
	if t := ix.facts[f]; t != nil {
		return t
	}
	return f.term()
}

func (f Facts) term() *ast.Term {
	o := ast.NewObject()
	for key, on := range map[string]bool{
		"declared": f.Declared, "in_purpose": f.InPurpose, "covered": f.Covered,
		"special": f.Special, "explicit": f.Explicit, "stale": f.Stale, "inferred": f.Inferred, "contested": f.Contested,
	} {
		o.Insert(ast.StringTerm(key), ast.InternedTerm(on))
	}
	o.Insert(ast.StringTerm("as"), str(f.As))
	return ast.NewTerm(o)
}

// jsonSchema describes the input as officers' rules see it: closed, so that a
// path it lacks does not compile, and without the guard.
func (ix *index) jsonSchema() any {
	str := map[string]any{"type": "string"}
	object := func(properties map[string]any) any {
		return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	}
	consents, objected, context := map[string]any{}, map[string]any{}, map[string]any{}
	for p := range ix.purposes {
		consents[string(p)] = str
		objected[string(p)] = map[string]any{"type": "boolean"}
	}
	for name, k := range ix.context {
		context[name] = map[string]any{"type": k.Type}
	}
	return object(map[string]any{
		"channel":  object(map[string]any{"id": str, "kind": str}),
		"purpose":  object(map[string]any{"id": str, "dpv": str, "basis": str}),
		"subject":  object(map[string]any{"jurisdiction": str, "age_band": str, "standing": str}),
		"consents": object(consents),
		"objected": object(objected),
		"fields":   map[string]any{"type": "array", "items": str},
		"touches":  ix.touchesSchema(object),
		"context":  object(context),
		"now":      str,
	})
}
