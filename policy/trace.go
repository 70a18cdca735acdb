package policy

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Trace is a decision with every rule that had a part in it, so that it can be
// said what would be decided without one of them.
type Trace struct {
	Decision Decision

	schema *index
	guard  map[privacy.FieldName]Outcome // before officers' rules: what guardrails and matrix say
	as     map[privacy.FieldName]string
	rules  map[privacy.FieldName][]Applied
}

// Applied is what one officers' rule says of one field.
type Applied struct {
	Rule     string       // its module and line
	Withhold bool         // else it masks
	Reason   string       // of one that withholds
	Mask     privacy.Mask // of one that masks
}

// Trace decides like Decide, and remembers nothing of what was decided before.
func (r *Revision) Trace(ctx context.Context, in *Input) (*Trace, error) {
	value, err := r.value(in)
	if err != nil {
		return nil, err
	}
	result, err := r.eval(ctx, value)
	if err != nil {
		return nil, err
	}
	t := &Trace{schema: r.schema, guard: map[privacy.FieldName]Outcome{}, as: map[privacy.FieldName]string{}, rules: map[privacy.FieldName][]Applied{}}
	if t.Decision, err = r.decision(in, result); err != nil { // which checks every part
		return nil, err
	}
	release, _ := member[ast.Set](result, "release")
	why, _ := member[ast.Object](result, "why")
	for _, name := range in.Fields {
		t.as[name] = in.Guard.Fields[name].As
		if release.Contains(str(name)) {
			t.guard[name], err = narrowings{schema: r.schema}.apply(name, t.as[name])
		} else {
			t.guard[name], err = withheld(name, why.Get(str(name)))
		}
		if err != nil {
			return nil, err
		}
	}
	for _, key := range []string{"reason", "mask"} {
		set, _ := member[ast.Set](result, map[string]string{"reason": "withhold", "mask": "mask"}[key])
		for _, e := range set.Slice() {
			field, n, err := r.element(in, e, key)
			if err != nil {
				return nil, err
			}
			applied := Applied{Rule: n.rule, Withhold: key == "reason"}
			if applied.Withhold {
				applied.Reason = n.word
			} else {
				applied.Mask = privacy.Mask(n.word)
			}
			t.rules[field] = append(t.rules[field], applied)
		}
	}
	return t, nil
}

// Guarded returns what guardrails and matrix say of an asked field.
func (t *Trace) Guarded(f privacy.FieldName) Outcome { return t.guard[f] }

// Rules returns what officers' rules say of a field, in the order of their
// places. They are asked only where the guardrails release some field.
func (t *Trace) Rules(f privacy.FieldName) []Applied {
	rules := slices.Clone(t.rules[f])
	slices.SortFunc(rules, func(a, b Applied) int { return strings.Compare(a.Rule, b.Rule) })
	return rules
}

// Without returns what would be decided of an asked field if the rules at some
// places were not there.
func (t *Trace) Without(f privacy.FieldName, gone []string) (Outcome, error) {
	o := t.guard[f]
	if o.Action == Withhold {
		return o, nil
	}
	n := narrowings{schema: t.schema, withhold: map[privacy.FieldName]narrowing{}, masks: map[privacy.FieldName][]narrowing{}}
	for _, a := range t.rules[f] {
		_, taken := n.withhold[f]
		switch {
		case slices.Contains(gone, a.Rule):
		case a.Withhold && !taken:
			n.withhold[f] = narrowing{a.Reason, a.Rule}
		case !a.Withhold:
			n.masks[f] = append(n.masks[f], narrowing{string(a.Mask), a.Rule})
		}
	}
	return n.apply(f, t.as[f])
}

// Line is where a rule stands, and its text.
type Line struct {
	Module string `json:"module"`
	Line   int    `json:"line"`
	Text   string `json:"text"`
}

// guardrailLines are what stands in the guardrails for what an Outcome calls its
// rule: the condition that has to hold. Of a basis it depends on which it is.
var guardrailLines = map[string]string{
	"granted":   "input.guard.granted == true",
	"standing":  `input.subject.standing == "active"`,
	"objection": "objection_permits if input.objected[input.purpose.id] == false",
	"purpose":   "facts.in_purpose == true",
	"category":  "facts.explicit == true",
	"age":       "facts.stale == false",
	"profiling": "facts.inferred == false",
	"contest":   "facts.contested == false",
	"matrix":    "facts.as in shown",

	"basis/consent": "facts.covered == true",
	"basis/opt_out": "input.guard.opt_out == true",
	"basis/ground":  "input.guard.ground == true",
}

// Source returns the text of what an Outcome of a read on a legal basis calls its
// rule: an officers' rule of these modules, or the condition of a guardrail. It is
// false if there is none.
func Source(modules map[string]string, rule string, basis privacy.LegalBasis) (Line, bool) {
	if name, ok := strings.CutPrefix(rule, "guardrails:"); ok || rule == "matrix" {
		if rule == "matrix" {
			name = rule
		}
		return guardrailLine(name, basis)
	}
	i := strings.LastIndexByte(rule, ':')
	if i < 0 {
		return Line{}, false
	}
	row, err := strconv.Atoi(rule[i+1:])
	text, ok := modules[rule[:i]]
	if err != nil || !ok {
		return Line{}, false
	}
	m, err := ast.ParseModuleWithOpts(rule[:i], text, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return Line{}, false
	}
	for _, r := range m.Rules {
		if r.Location != nil && r.Location.Row == row {
			return Line{Module: rule[:i], Line: row, Text: string(r.Location.Text)}, true
		}
	}
	return Line{}, false
}

func guardrailLine(name string, basis privacy.LegalBasis) (Line, bool) {
	if name == "basis" {
		switch basis {
		case privacy.Consent, privacy.OptOut:
			name += "/" + string(basis)
		default:
			name += "/ground"
		}
	}
	condition, ok := guardrailLines[name]
	if !ok {
		return Line{}, false
	}
	for module, text := range guardrails {
		for i, line := range strings.Split(text, "\n") {
			if trimmed := strings.TrimSpace(line); trimmed == condition {
				return Line{Module: module, Line: i + 1, Text: trimmed}, true
			}
		}
	}
	return Line{}, false
}

// String returns "module:line: text".
func (l Line) String() string { return fmt.Sprintf("%s:%d: %s", l.Module, l.Line, l.Text) }
