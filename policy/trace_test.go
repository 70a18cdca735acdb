package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// A trace says what would be decided without a rule: the same as of a rule set
// that lacks it.
func TestATraceSaysWhatWouldBeWithoutARule(t *testing.T) {
	texts := []string{
		`withhold contains {"field": "email", "reason": "one"} if input.channel.id == "web"`,
		`withhold contains {"field": "email", "reason": "two"} if input.channel.kind == "web"`,
		`mask contains {"field": "given_name", "mask": "initial"} if true`,
		`mask contains {"field": "given_name", "mask": "last4"} if true`,
		`mask contains {"field": "birthdate", "mask": "year"} if true`,
		`mask contains {"field": "birthdate", "mask": "age_band"} if true`,
	}
	in := reads("email", "given_name", "birthdate", "address", "allergy")
	in.Guard.Fields["birthdate"] = Facts{Declared: true, InPurpose: true, As: "year"}
	in.Guard.Fields["allergy"] = Facts{Declared: true}
	trace, err := compile(t, strings.Join(texts, "\n\n")).Trace(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for gone := range 1 << len(texts) {
		var places []string
		var rest []string
		for i := range texts {
			if gone&(1<<i) != 0 {
				places = append(places, fmt.Sprintf("rules.rego:%d", 3+2*i))
				rest = append(rest, "")
				continue
			}
			rest = append(rest, texts[i])
		}
		d, err := compile(t, strings.Join(rest, "\n\n")).Decide(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range in.Fields {
			got, err := trace.Without(f, places)
			if want := d.Outcomes[i]; err != nil || got.Action != want.Action || got.Mask != want.Mask {
				t.Errorf("%s without %v: got %+v, %v, want %+v", f, places, got, err, want)
			}
			if len(places) == 0 && got != trace.Decision.Outcomes[i] {
				t.Errorf("%s: got %+v, and by itself %+v", f, got, trace.Decision.Outcomes[i])
			}
		}
	}
	if g := trace.Guarded("birthdate"); g.Action != Mask || g.Mask != "year" || trace.Guarded("allergy").Code != privacy.CodeFieldNotInPurpose {
		t.Errorf("before the rules: got %+v, %+v", g, trace.Guarded("allergy"))
	}
	var at []string
	for _, a := range trace.Rules("email") {
		at = append(at, a.Rule+" "+a.Reason)
	}
	if !slices.Equal(at, []string{"rules.rego:3 one", "rules.rego:5 two"}) {
		t.Errorf("rules: got %q", at)
	}
}

// Every reason has its text, so that an officer can read what decided.
func TestEveryReasonHasItsLine(t *testing.T) {
	for name := range guardrailLines {
		basis := privacy.Contract
		name, of, _ := strings.Cut(name, "/")
		if of != "" && of != "ground" {
			basis = privacy.LegalBasis(of)
		}
		rule := "guardrails:" + name
		if name == "matrix" {
			rule = name
		}
		if line, ok := Source(nil, rule, basis); !ok || line.Module != "guardrails/guardrails.rego" || line.Line < 1 || line.Text == "" {
			t.Errorf("%s on %s: got %+v, %v", rule, basis, line, ok)
		}
	}
	for _, text := range Guardrails() {
		for part := range strings.SplitSeq(text, `"rule": "`) {
			name, _, ok := strings.Cut(part, `"`)
			if ok && !strings.ContainsAny(name, " \n") && name != "matrix" {
				if _, there := Source(nil, "guardrails:"+name, privacy.Contract); !there {
					t.Errorf("the guardrails give the reason %s, which has no line", name)
				}
			}
		}
	}
	modules := map[string]string{"a.rego": storeRule}
	if line, ok := Source(modules, "a.rego:3", privacy.Contract); !ok || !strings.HasPrefix(line.Text, `withhold contains {"field": "address"`) {
		t.Errorf("an officers' rule: got %+v, %v", line, ok)
	}
	for _, rule := range []string{"", "a.rego:4", "b.rego:3", "a.rego:x", "guardrails:nonsense"} {
		if line, ok := Source(modules, rule, privacy.Contract); ok {
			t.Errorf("%q: got %+v, want none", rule, line)
		}
	}
}
