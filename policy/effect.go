package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Effect is what a rule that came or went does to what may be released.
type Effect struct {
	Module string `json:"module"`
	Line   int    `json:"line"`
	Rule   string `json:"rule"` // as it is written, on one line
	Op     string `json:"op"`   // added or removed
	// Widens says that somebody may be shown something without it that nobody
	// could be shown with it. It is also true of what cannot be told.
	Widens bool   `json:"widens"`
	Why    string `json:"why"` // in words, for the officer who approves it
}

// The operations of an Effect.
const (
	RuleAdded   = "added"
	RuleRemoved = "removed"
)

// Effects returns what one rule set does that another did not, rule by rule; tests
// do not count. Both were accepted by Check. It errs to widening: a rule that is
// gone counts as letting more out unless another withholds what it did, or masks
// it as strictly, under the same conditions or some of them – as far as that
// follows from the text. Texts compare as they are, so a rule that says the same
// in other words counts as gone.
func Effects(old, new map[string]string) ([]Effect, error) {
	before, err := readRules(old)
	if err != nil {
		return nil, err
	}
	after, err := readRules(new)
	if err != nil {
		return nil, err
	}
	var all []Effect
	for _, r := range before.narrowing {
		widens, why := false, "another rule does as much"
		for _, c := range r.cases {
			if !slices.ContainsFunc(after.narrowing, func(n rule) bool { return n.covers(c, before, after) }) {
				widens, why = true, "no rule surely does as much"
				break
			}
		}
		if widens || !after.has(r, before) {
			all = append(all, r.effect(RuleRemoved, widens, why))
		}
	}
	for _, r := range after.narrowing {
		if !before.has(r, after) {
			all = append(all, r.effect(RuleAdded, false, "a rule only withholds or masks more"))
		}
	}
	for _, name := range before.context {
		if !slices.Contains(after.context, name) {
			all = append(all, Effect{Op: RuleRemoved, Rule: "input.context." + name, Widens: true, Line: 1,
				Why: "requests that lack this context are no longer refused"})
		}
	}
	return all, nil
}

// ruleSet are the rules of modules, as far as they are to be compared.
type ruleSet struct {
	narrowing   []rule              // that add to withhold or mask
	definitions map[string][]string // of helpers, by name: what they say, in order
	names       map[string][]string // by helper: the names that occur in it
	context     []string            // keys that rules look at
}

// rule is one that adds to withhold or mask.
type rule struct {
	at    *ast.Location
	text  string
	says  string // the text without the place and a written out reason
	cases []ruleCase
}

// ruleCase is one way in which a rule fires: all of its conditions hold. A rule
// that asks whether something is one of several texts fires in several ways.
type ruleCase struct {
	withholds  bool
	field      string
	word       string       // how it masks, or why it withholds where that is computed
	mask       privacy.Mask // if it is written out
	conditions map[string]condition
}

type condition struct {
	// plain conditions only ask the input something that is always there: to
	// drop one makes the rule fire where it did, and elsewhere too.
	plain bool
	names []string // that occur in it
}

func readRules(modules map[string]string) (*ruleSet, error) {
	s := &ruleSet{definitions: map[string][]string{}, names: map[string][]string{}}
	keys := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		if strings.HasSuffix(name, testSuffix) {
			continue
		}
		m, err := ast.ParseModuleWithOpts(name, modules[name], ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities(allowed)})
		if err != nil {
			return nil, fmt.Errorf("comparing rules: %w", err)
		}
		for _, r := range m.Rules {
			if r.Head.Name == "withhold" || r.Head.Name == "mask" {
				s.narrowing = append(s.narrowing, readRule(r))
				continue
			}
			helper := string(r.Head.Name)
			s.definitions[helper] = append(s.definitions[helper], r.String())
			s.names[helper] = append(s.names[helper], namesIn(r)...)
		}
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			if key, looks := contextKey(ref); looks {
				keys[key] = true
			}
			return false
		})
	}
	for _, d := range s.definitions {
		slices.Sort(d) // of one name, the order of rules means nothing
	}
	s.context = slices.Sorted(maps.Keys(keys))
	return s, nil
}

// contextKey returns the key of the context that a reference looks at, "…" for
// more than one.
func contextKey(ref ast.Ref) (string, bool) {
	if len(ref) < 2 || ref[0].Value.Compare(ast.Var("input")) != 0 || ref[1].Value.Compare(ast.String("context")) != 0 {
		return "", false
	}
	if len(ref) > 2 {
		if key, ok := ref[2].Value.(ast.String); ok {
			return string(key), true
		}
	}
	return "…", true
}

// maxCases bounds in how many ways a rule is looked at; one with more is
// compared as it is written.
const maxCases = 256

func readRule(r *ast.Rule) rule {
	head, _ := r.Head.Key.Value.(ast.Object) // checked
	one := ruleCase{withholds: r.Head.Name == "withhold", conditions: map[string]condition{}}
	key := "mask"
	if one.withholds {
		key = "reason"
	}
	word := head.Get(ast.StringTerm(key))
	one.field = head.Get(ast.StringTerm("field")).String()
	text, written := word.Value.(ast.String)
	switch {
	case !written:
		one.word = word.String()
	case !one.withholds:
		one.mask = privacy.Mask(text)
	}
	headNames := condition{names: append(namesIn(head.Get(ast.StringTerm("field"))), namesIn(word)...)}
	one.conditions[""] = headNames // always there
	out := rule{at: r.Location, text: oneLine(r.String())}
	cases := []ruleCase{one}
	var said []string
	for _, e := range r.Body {
		said = append(said, e.String())
		cases = expand(cases, e)
	}
	out.cases = cases
	out.says = fmt.Sprint(one.withholds, one.field, one.word, one.mask, said)
	return out
}

// expand adds a condition to every case: one, or of "path in {texts}" one for
// each text.
func expand(cases []ruleCase, e *ast.Expr) []ruleCase {
	if t, ok := e.Terms.(*ast.Term); ok && !e.Negated && t.Value.Compare(ast.Boolean(true)) == 0 {
		return cases // "if true", or a rule without conditions
	}
	texts := alternatives(e)
	if len(texts) == 0 || len(texts)*len(cases) > maxCases {
		texts = []string{normal(e)}
	}
	with := condition{plain: plainCondition(e), names: namesIn(e)}
	all := make([]ruleCase, 0, len(cases)*len(texts))
	for _, c := range cases {
		for _, text := range texts {
			next := c
			next.conditions = maps.Clone(c.conditions)
			next.conditions[text] = with
			all = append(all, next)
		}
	}
	return all
}

// operands returns the operands of a call of a built-in that is a condition.
func operands(e *ast.Expr, names ...string) []*ast.Term {
	terms, ok := e.Terms.([]*ast.Term)
	if !ok || len(e.With) > 0 || !slices.Contains(names, terms[0].String()) {
		return nil
	}
	return terms[1:]
}

// alternatives returns "path == text" for each text of "path in {texts}".
func alternatives(e *ast.Expr) []string {
	t := operands(e, "internal.member_2")
	if len(t) != 2 || e.Negated || !isInputPath(t[0]) || !texts(t[1]) {
		return nil
	}
	var all []string
	until(t[1], func(text *ast.Term) bool {
		all = append(all, equality(t[0], text))
		return false
	})
	return all
}

// texts reports whether a term is a list or set of texts, written out.
func texts(t *ast.Term) bool {
	_, object := t.Value.(ast.Object)
	return !object && elements(t) > 0 && !until(t, func(e *ast.Term) bool { _, ok := e.Value.(ast.String); return !ok })
}

func equality(path, text *ast.Term) string { return path.String() + " == " + text.String() }

// normal returns the text of a condition; of an equality with a text, the same
// whichever side the text is on.
func normal(e *ast.Expr) string {
	if t := operands(e, "equal"); len(t) == 2 && !e.Negated {
		for i := range t {
			if _, ok := t[1-i].Value.(ast.String); ok && isInputPath(t[i]) {
				return equality(t[i], t[1-i])
			}
		}
	}
	return e.String()
}

// plainCondition reports whether a condition asks a path of the input for a text,
// or whether it is true. Such a path is always there and of its type, so the
// condition cannot fail, and binds nothing. Context is not plain: a rule that
// looks at a key makes requests without it be refused.
func plainCondition(e *ast.Expr) bool {
	plain := func(t *ast.Term) bool {
		ref, ok := t.Value.(ast.Ref)
		return ok && isInputPath(t) && len(ref) > 1 && ref[1].Value.Compare(ast.String("context")) != 0
	}
	if t, ok := e.Terms.(*ast.Term); ok {
		return len(e.With) == 0 && plain(t)
	}
	if t := operands(e, "internal.member_2"); len(t) == 2 {
		return plain(t[0]) && texts(t[1])
	}
	t := operands(e, "equal", "neq")
	if len(t) != 2 {
		return false
	}
	_, left := t[0].Value.(ast.String)
	_, right := t[1].Value.(ast.String)
	return left && plain(t[1]) || right && plain(t[0])
}

// covers reports whether a rule surely withholds or masks as much whenever a
// case of another set fires.
func (r rule) covers(old ruleCase, before, after *ruleSet) bool {
	return slices.ContainsFunc(r.cases, func(c ruleCase) bool { return c.covers(old, before, after) })
}

func (c ruleCase) covers(old ruleCase, before, after *ruleSet) bool {
	if c.field != old.field || !c.asStrict(old) {
		return false
	}
	for text, with := range c.conditions {
		if _, there := old.conditions[text]; !there || !same(with.names, before, after) {
			return false
		}
	}
	for text, with := range old.conditions {
		if _, there := c.conditions[text]; !there && !with.plain || !same(with.names, before, after) {
			return false
		}
	}
	return true
}

// asStrict reports whether what a case does shows no more than what another
// does, wherever both fire.
func (c ruleCase) asStrict(old ruleCase) bool {
	switch {
	case c.withholds && old.withholds:
		return c.word == old.word // a reason that is computed may fail
	case c.withholds:
		return c.word == "" && old.word == ""
	case old.withholds:
		return false
	case c.mask == "" || old.mask == "":
		return c.mask == old.mask && c.word == old.word
	}
	return privacy.NoMore(c.mask, old.mask)
}

// same reports whether names mean the same in both sets: they are no helpers in
// either, or helpers that say the same, and so are the names in these.
func same(names []string, before, after *ruleSet) bool {
	seen := map[string]bool{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		if !slices.Equal(before.definitions[name], after.definitions[name]) {
			return false
		}
		names = append(names, before.names[name]...)
	}
	return true
}

// has reports whether a set has a rule of another set, word for word, and means
// the same by it.
func (s *ruleSet) has(r rule, of *ruleSet) bool {
	return slices.ContainsFunc(s.narrowing, func(other rule) bool {
		return other.says == r.says && !slices.ContainsFunc(r.cases, func(c ruleCase) bool {
			for _, with := range c.conditions {
				if !same(with.names, s, of) {
					return true
				}
			}
			return false
		})
	})
}

// namesIn returns the names that occur in a part of a rule: of variables, and
// of rules by their whole path.
func namesIn(x any) []string {
	names := map[string]bool{}
	ast.WalkTerms(x, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Var:
			names[string(v)] = true
		case ast.Ref:
			if path, ok := strings.CutPrefix(v.String(), rulesPackage+"."); ok {
				name, _, _ := strings.Cut(strings.NewReplacer("[", ".", "(", ".").Replace(path), ".")
				names[name] = true
			}
		}
		return false
	})
	return slices.Sorted(maps.Keys(names))
}

func (r rule) effect(op string, widens bool, why string) Effect {
	return Effect{Module: r.at.File, Line: r.at.Row, Rule: r.text, Op: op, Widens: widens, Why: why}
}

// oneLine returns a text with its breaks and runs of blanks as single blanks, cut
// to a length that a list has room for.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 500 {
		return string(runes[:499]) + "…"
	}
	return s
}
