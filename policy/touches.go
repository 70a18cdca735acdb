package policy

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Touches is what the channels had to do with the person before. Where no rule
// looks at it, it may be empty; else it is whole.
type Touches struct {
	// Contacts counts those for all purposes together, ByPurpose for every
	// purpose of the schema.
	Contacts  Counts                       `json:"contacts"`
	ByPurpose map[privacy.PurposeID]Counts `json:"by_purpose"`
	// The topics of what stands: ordered, answered and offered things that are
	// not over, and events of late.
	Ordered  []string `json:"ordered"`
	Answered []string `json:"answered"`
	Offered  []string `json:"offered"`
	Events   []string `json:"events"`
}

// Counts is how often the person was contacted within the last 24 hours, 7 days
// and 30 days.
type Counts struct {
	Day   int `json:"day"`
	Week  int `json:"week"`
	Month int `json:"month"`
}

// The lists of Touches, as paths name them.
var touchLists = []string{"ordered", "answered", "offered", "events"}

func (t *Touches) lists() [4][]string {
	return [4][]string{t.Ordered, t.Answered, t.Offered, t.Events}
}

// touchesTerm turns touches into what rules are evaluated on.
func (r *Revision) touchesTerm(in *Input) (*ast.Term, error) {
	if !r.touches {
		return noTouches, nil
	}
	t := &in.Touches
	byPurpose := ast.NewObjectWithCapacity(len(r.schema.purposes))
	for p, term := range r.schema.purposes {
		counts, known := t.ByPurpose[p]
		if !known {
			return nil, fmt.Errorf("%w: no contacts are counted for purpose %q", ErrInput, p)
		}
		byPurpose.Insert(term, counts.term())
	}
	o := ast.NewObject(entry(ast.StringTerm("contacts"), t.Contacts.term()), entry(ast.StringTerm("by_purpose"), ast.NewTerm(byPurpose)))
	for i, topics := range t.lists() {
		terms := make([]*ast.Term, len(topics))
		for j, topic := range topics {
			if !utf8.ValidString(topic) {
				return nil, fmt.Errorf("%w: a topic is no text", ErrInput)
			}
			terms[j] = ast.StringTerm(topic)
		}
		o.Insert(ast.StringTerm(touchLists[i]), ast.ArrayTerm(terms...))
	}
	return ast.NewTerm(o), nil
}

func (c Counts) term() *ast.Term {
	return object(entry(ast.StringTerm("day"), ast.IntNumberTerm(c.Day)), entry(ast.StringTerm("week"), ast.IntNumberTerm(c.Week)),
		entry(ast.StringTerm("month"), ast.IntNumberTerm(c.Month)))
}

// touchesKey appends touches to the key of a decision.
func touchesKey(b []byte, t *Touches, purposes []privacy.PurposeID) []byte {
	counts := func(c Counts) {
		for _, n := range []int{c.Day, c.Week, c.Month} {
			b = strconv.AppendInt(b, int64(n), 10)
			b = append(b, ' ')
		}
	}
	counts(t.Contacts)
	for _, p := range purposes {
		c, known := t.ByPurpose[p]
		b = append(b, bits(known))
		counts(c)
	}
	for _, topics := range t.lists() {
		b = strconv.AppendInt(b, int64(len(topics)), 10)
		b = append(b, ' ')
		for _, topic := range topics {
			b = text(b, topic)
		}
	}
	return b
}

// touchesPart is touches as rules may look at them.
func (ix *index) touchesPart() *part {
	leaf := &part{}
	counts := &part{parts: map[string]*part{"day": leaf, "week": leaf, "month": leaf}, even: leaf}
	purposes := &part{parts: map[string]*part{}, even: counts, byPurpose: true}
	for id := range ix.purposes {
		purposes.parts[string(id)] = counts
	}
	touches := &part{parts: map[string]*part{"contacts": counts, "by_purpose": purposes}}
	for _, list := range touchLists {
		touches.parts[list] = &part{list: leaf}
	}
	return touches
}

// touchesSchema describes them.
func (ix *index) touchesSchema(object func(map[string]any) any) any {
	number := map[string]any{"type": "number"}
	counts := object(map[string]any{"day": number, "week": number, "month": number})
	purposes := map[string]any{}
	for p := range ix.purposes {
		purposes[string(p)] = counts
	}
	members := map[string]any{"contacts": counts, "by_purpose": object(purposes)}
	for _, list := range touchLists {
		members[list] = map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
	}
	return object(members)
}

// NewTouches returns touches of somebody whom nobody had to do with, for the
// given purposes.
func NewTouches(purposes []privacy.PurposeID) Touches {
	t := Touches{ByPurpose: make(map[privacy.PurposeID]Counts, len(purposes)), Ordered: []string{}, Answered: []string{}, Offered: []string{}, Events: []string{}}
	for _, p := range purposes {
		t.ByPurpose[p] = Counts{}
	}
	return t
}
