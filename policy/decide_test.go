package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// decisionCase is one case of testdata/decisions.
type decisionCase struct {
	Story    string
	Rules    string
	Basis    privacy.LegalBasis
	Standing *Standing
	AgeBand  string `yaml:"age_band"`
	Granted  *bool
	Ground   bool
	OptOut   bool `yaml:"opt_out"`
	Objected bool
	Consent  privacy.ConsentStatus
	Now      string
	Asks     []struct {
		Field                                                                         privacy.FieldName
		Undeclared, Elsewhere, Covered, Special, Explicit, Stale, Inferred, Contested bool
		As                                                                            string
	}
	Expect []string
}

func (c decisionCase) input() *Input {
	in := reads()
	in.Purpose.Basis = c.Basis
	in.Guard.Ground, in.Guard.OptOut = c.Ground, c.OptOut
	in.Objected[in.Purpose.ID] = c.Objected
	if c.Standing != nil {
		in.Subject.Standing = *c.Standing
	}
	if c.Granted != nil {
		in.Guard.Granted = *c.Granted
	}
	if c.Consent != "" {
		in.Consents[in.Purpose.ID] = c.Consent
	}
	if c.AgeBand != "" {
		in.Subject.AgeBand = c.AgeBand
	}
	if c.Now != "" {
		in.Now = c.Now
	}
	for _, a := range c.Asks {
		in.Fields = append(in.Fields, a.Field)
		in.Guard.Fields[a.Field] = Facts{
			Declared: !a.Undeclared, InPurpose: !a.Undeclared && !a.Elsewhere,
			Covered: a.Covered, Special: a.Special, Explicit: a.Explicit, Stale: a.Stale, Inferred: a.Inferred, Contested: a.Contested, As: a.As,
		}
	}
	return in
}

// summary is an outcome as the cases write it.
func summary(o Outcome) string {
	switch o.Action {
	case Mask:
		return "mask " + string(o.Mask)
	case Withhold:
		if !strings.HasPrefix(o.Rule, "guardrails:") && o.Rule != "" && !strings.HasPrefix(o.Detail, "Two masks") {
			return string(o.Code) + ": " + o.Detail
		}
		return string(o.Code)
	}
	return string(o.Action)
}

func TestDecisions(t *testing.T) {
	files, err := filepath.Glob("testdata/decisions/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want files of cases", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []decisionCase
		d := yaml.NewDecoder(bytes.NewReader(text))
		d.KnownFields(true)
		if err := d.Decode(&cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range cases {
			t.Run(c.Story, func(t *testing.T) {
				in := c.input()
				d, err := compile(t, c.Rules).Decide(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for i, o := range d.Outcomes {
					if o.Field != in.Fields[i] {
						t.Errorf("outcome %d is of %s, want %s", i, o.Field, in.Fields[i])
					}
					if o.Action == Withhold && (o.Detail == "" || o.Rule == "" || o.Mask != "") || o.Action != Withhold && (o.Code != "" || o.Detail != "") {
						t.Errorf("an outcome that does not explain itself, or too much: %+v", o)
					}
					got = append(got, summary(o))
				}
				if !slices.Equal(got, c.Expect) {
					t.Errorf("got %v, want %v", got, c.Expect)
				}
			})
		}
	}
}

// The guardrails' own tests, in their own language.
func TestGuardrailsByTheirRegoTests(t *testing.T) {
	modules, err := guardrailModules()
	if err != nil {
		t.Fatal(err)
	}
	const file = "guardrails/guardrails_test.rego"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	modules[file], err = ast.ParseModuleWithOpts(file, string(text), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		t.Fatal(err)
	}
	results, err := tester.NewRunner().SetModules(modules).RaiseBuiltinErrors(true).RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := range results {
		n++
		if !r.Pass() {
			t.Errorf("%s: %v", r.Name, r.Error)
		}
	}
	if n < 10 {
		t.Errorf("ran %d tests, want all of them", n)
	}
}

// The guardrails' list of masks is the vault's.
func TestGuardrailsKnowEveryMask(t *testing.T) {
	for _, m := range privacy.Masks() {
		for _, f := range shop.Fields {
			if !m.Fits(f.Type) {
				continue
			}
			in := reads(f.Name)
			in.Guard.Fields[f.Name] = Facts{Declared: true, InPurpose: true, As: string(m)}
			d, err := compile(t, "").Decide(t.Context(), in)
			if err != nil || d.Outcomes[0].Mask != m {
				t.Errorf("%s as %s: got %v, %v", f.Name, m, d, err)
			}
			break
		}
	}
}

// ruleTexts are rules that all may be in force together.
var ruleTexts = []string{
	`withhold contains {"field": "email", "reason": "a"} if input.channel.id == "web"`,
	`withhold contains {"field": f, "reason": "b"} if { some f in input.fields; input.subject.age_band == "unknown" }`,
	`withhold contains {"field": "address", "reason": "c"} if not input.consents["sms-marketing"] == "given"`,
	`mask contains {"field": "email", "mask": "partial"} if true`,
	`mask contains {"field": "email", "mask": "initial"} if input.objected["profiling"]`,
	`mask contains {"field": "birthdate", "mask": "over_16"} if input.now > "2026"`,
	`mask contains {"field": "birthdate", "mask": "over_18"} if input.context.urgent`,
	`mask contains {"field": "phone_number", "mask": "last4"} if input.context.step == "offer"`,
}

// drawInput draws any input that fits.
func drawInput(t *rapid.T) *Input {
	yes := func(label string) bool { return rapid.Bool().Draw(t, label) }
	in := reads()
	in.Channel.ID = rapid.SampledFrom(shop.Channels).Draw(t, "channel")
	in.Purpose.ID = rapid.SampledFrom(shop.Purposes).Draw(t, "purpose")
	in.Purpose.Basis = rapid.SampledFrom(privacy.LegalBases).Draw(t, "basis")
	in.Subject.Standing = rapid.SampledFrom([]Standing{StandingActive, StandingActive, StandingActive, StandingRestricted, StandingErasing, StandingUnknown}).Draw(t, "standing")
	in.Subject.AgeBand = rapid.SampledFrom([]string{"", "25_34"}).Draw(t, "age band")
	in.Guard.Granted, in.Guard.Ground, in.Guard.OptOut = rapid.IntRange(0, 9).Draw(t, "granted") > 0, yes("ground"), yes("opt out")
	statuses := append([]privacy.ConsentStatus{privacy.StatusNone, privacy.StatusExpired}, privacy.ConsentStatuses...)
	for _, p := range shop.Purposes {
		in.Consents[p] = rapid.SampledFrom(statuses).Draw(t, "status")
		in.Objected[p] = rapid.IntRange(0, 4).Draw(t, "objected") == 0
	}
	for _, f := range shop.Fields {
		in.Fields = append(in.Fields, f.Name)
		as := rapid.SampledFrom([]string{"", "", "withhold", string(f.Mask)}).Draw(t, "as")
		in.Guard.Fields[f.Name] = Facts{Declared: yes("declared"), InPurpose: yes("in purpose"), Covered: yes("covered"),
			Special: f.Name == "allergy", Explicit: yes("explicit"), Stale: rapid.IntRange(0, 4).Draw(t, "stale") == 0, Inferred: rapid.IntRange(0, 4).Draw(t, "inferred") == 0,
			Contested: rapid.IntRange(0, 4).Draw(t, "contested") == 0, As: as}
	}
	in.Context = map[string]any{"step": rapid.SampledFrom([]string{"offer", "support"}).Draw(t, "step"), "urgent": yes("urgent")}
	return in
}

// mayRelease says in Go, a second time, what must be true of a released field.
func mayRelease(in *Input, f privacy.FieldName) bool {
	x := in.Guard.Fields[f]
	basis := in.Guard.Ground
	switch in.Purpose.Basis {
	case privacy.Consent:
		basis = x.Covered
	case privacy.OptOut:
		basis = x.Covered || in.Guard.OptOut && in.Consents[in.Purpose.ID] == privacy.StatusNone
	}
	objection := in.Objected[in.Purpose.ID] && in.Purpose.Basis != privacy.LegalObligation && in.Purpose.Basis != privacy.VitalInterests
	return in.Guard.Granted && in.Subject.Standing == StandingActive && !objection && x.Declared && x.InPurpose && basis &&
		(!x.Special || x.Covered && x.Explicit) && !x.Stale && !x.Inferred && !x.Contested && x.As != "withhold"
}

// Whatever rules are in force, they only narrow: what the guardrails withhold
// stays so for the same reason, and a mask shows no more than the matrix's.
func TestRulesOnlyNarrow(t *testing.T) {
	bare := compile(t, "")
	all := make([]*Revision, 1<<len(ruleTexts))
	rapid.Check(t, func(rt *rapid.T) {
		in := drawInput(rt)
		chosen := rapid.IntRange(0, len(all)-1).Draw(rt, "rules")
		if all[chosen] == nil {
			var text string
			for i, r := range ruleTexts {
				if chosen&(1<<i) != 0 {
					text += r + "\n"
				}
			}
			all[chosen] = compile(t, text)
		}
		least, err := bare.Decide(t.Context(), in)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := all[chosen].Decide(t.Context(), in)
		if err != nil {
			rt.Fatal(err)
		}
		for i, f := range in.Fields {
			was, is := least.Outcomes[i], got.Outcomes[i]
			switch {
			case (was.Action != Withhold) != mayRelease(in, f):
				rt.Errorf("guardrails on %s: got %+v, which the facts do not say: %+v", f, was, in.Guard.Fields[f])
			case was.Action == Withhold && is != was:
				rt.Errorf("rules changed %+v to %+v", was, is)
			case was.Action == Mask && is.Action == Release:
				rt.Errorf("rules unmasked %s", f)
			case was.Action == Mask && is.Action == Mask:
				if stricter, ok := privacy.Stricter(was.Mask, is.Mask); !ok || stricter != is.Mask {
					rt.Errorf("rules show more of %s: from %s to %s", f, was.Mask, is.Mask)
				}
			}
		}
	})
}

// The same revision and the same input give the same decision: from many
// goroutines, from another compilation, from a recorded input read back; and
// the input is not changed.
func TestTheSameInputGivesTheSameDecision(t *testing.T) {
	text := strings.Join(ruleTexts, "\n")
	r, again := compile(t, text), compile(t, text)
	in := reads("given_name", "email", "phone_number", "address", "birthdate")
	in.Context = map[string]any{"step": "offer", "urgent": true, "age": 41.5}
	want, err := r.Decide(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	record, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			rev := []*Revision{r, again}[i%2]
			for range 50 {
				var read Input
				if err := json.Unmarshal(record, &read); err != nil {
					t.Error(err)
				}
				for _, in := range []*Input{in, &read} {
					if got, err := rev.Decide(t.Context(), in); err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("got %v, %v, want %v", got, err, want)
					}
				}
			}
		})
	}
	wg.Wait()
	after, _ := json.Marshal(in)
	if !bytes.Equal(record, after) {
		t.Error("deciding changed its input")
	}
}

// The input's JSON is what officers' rules are written against.
func TestInputNames(t *testing.T) {
	in := reads("email")
	in.Context = map[string]any{"step": "offer"}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var paths []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		m, ok := v.(map[string]any)
		if !ok || len(m) == 0 {
			paths = append(paths, path)
			return
		}
		for k, v := range m {
			walk(strings.TrimPrefix(path+"."+k, "."), v)
		}
	}
	got["consents"], got["objected"] = map[string]any{"P": 1}, map[string]any{"P": 1}
	touches := got["touches"].(map[string]any)
	touches["by_purpose"] = map[string]any{"P": touches["by_purpose"].(map[string]any)["tax"]}
	walk("", got)
	slices.Sort(paths)
	want := `channel.id channel.kind consents.P context.step fields guard.fields.email.as guard.fields.email.contested guard.fields.email.covered guard.fields.email.declared guard.fields.email.explicit guard.fields.email.in_purpose guard.fields.email.inferred guard.fields.email.special guard.fields.email.stale guard.granted guard.ground guard.opt_out now objected.P purpose.basis purpose.dpv purpose.id subject.age_band subject.jurisdiction subject.standing touches.answered touches.by_purpose.P.day touches.by_purpose.P.month touches.by_purpose.P.week touches.contacts.day touches.contacts.month touches.contacts.week touches.events touches.offered touches.ordered`
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// What is evaluated has the same names, and no null.
	v, err := compile(t, `withhold contains {"field": "email", "reason": "x"} if input.touches.contacts.day > 9`).value(in)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ast.JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	var evaluated, recorded any
	if again, err := json.Marshal(plain); err != nil || json.Unmarshal(again, &evaluated) != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &recorded); err != nil || !reflect.DeepEqual(evaluated, recorded) {
		t.Errorf("got evaluated\n%v\nwant recorded\n%v", evaluated, recorded)
	}
}

// A decision names the rule that decided, so that officers can find it.
func TestDecisionsNameTheirRule(t *testing.T) {
	r, err := Compile(t.Context(), shop, map[string]string{
		"a.rego": "package sayso.rules\n\nwithhold contains {\"field\": \"email\", \"reason\": \"x\"} if true\n",
		"b.rego": "package sayso.rules\n\n\nmask contains {\"field\": \"birthdate\", \"mask\": \"year\"} if true\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	in := reads("email", "birthdate", "address", "phone_number", "given_name")
	in.Guard.Fields["address"] = Facts{Declared: true, InPurpose: true, As: "city"}
	in.Guard.Fields["phone_number"] = Facts{Declared: true, InPurpose: true, Stale: true}
	d, err := r.WithDeadline(longer).Decide(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got := map[privacy.FieldName]string{}
	for _, o := range d.Outcomes {
		got[o.Field] = o.Rule
	}
	want := map[privacy.FieldName]string{"email": "a.rego:3", "birthdate": "b.rego:4", "address": "matrix", "phone_number": "guardrails:age", "given_name": ""}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
