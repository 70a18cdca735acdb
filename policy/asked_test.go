package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// faults are rules that cannot be evaluated, or not in time, whoever is asked
// about.
var faults = map[string]struct {
	rules string
	want  error
}{
	"an error":           {`withhold contains {"field": "email", "reason": "x"} if time.parse_rfc3339_ns(input.subject.age_band) > 1`, ErrEvaluation},
	"two values":         {"a := 1 if input.now != \"\"\na := 2 if input.now != \"\"\ndefault a := 0\nmask contains {\"field\": \"email\", \"mask\": \"partial\"} if a == 1", ErrEvaluation},
	"a malformed reason": {`withhold contains {"field": "email", "reason": r} if r := ""`, ErrOutcome},
	"without end":        {endless, ErrDeadline},
}

const endless = `
ten := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

withhold contains {"field": "email", "reason": "x"} if {
	some a in ten
	some b in ten
	some c in ten
	some d in ten
	some e in ten
	some f in ten
	some g in ten
	some h in ten
	some i in ten
	(((((((a + b) + c) + d) + e) + f) + g) + h) + i > 1000
}
`

// unreleased are people of whom the guardrails release nothing, each a change
// to a read for a purpose that rests on consent, which the person gave.
var unreleased = map[string]func(*Input){
	"unknown": func(in *Input) {
		in.Subject = Subject{Jurisdiction: Unknown, AgeBand: Unknown, Standing: StandingUnknown}
		uncovered(in)
	},
	"never asked":    uncovered,
	"withdrawn":      func(in *Input) { in.Consents[in.Purpose.ID] = privacy.StatusWithdrawn; uncovered(in) },
	"restricted":     func(in *Input) { in.Subject.Standing = StandingRestricted },
	"being erased":   func(in *Input) { in.Subject.Standing = StandingErasing },
	"objected":       func(in *Input) { in.Objected[in.Purpose.ID] = true },
	"not granted":    func(in *Input) { in.Guard.Granted = false },
	"matrix":         func(in *Input) { facts(in, func(f *Facts) { f.As = "withhold" }) },
	"stale":          func(in *Input) { facts(in, func(f *Facts) { f.Stale = true }) },
	"inferred":       func(in *Input) { facts(in, func(f *Facts) { f.Inferred = true }) },
	"contested":      func(in *Input) { facts(in, func(f *Facts) { f.Contested = true }) },
	"not in purpose": func(in *Input) { facts(in, func(f *Facts) { f.InPurpose = false }) },
	"special":        func(in *Input) { facts(in, func(f *Facts) { f.Special = true }) },
}

func facts(in *Input, change func(*Facts)) {
	for name, f := range in.Guard.Fields {
		change(&f)
		in.Guard.Fields[name] = f
	}
}

func uncovered(in *Input) { facts(in, func(f *Facts) { f.Covered = false }) }

// consenting is a read about a person who consented to it.
func consenting() *Input {
	in := reads("email", "given_name")
	in.Purpose = Purpose{ID: "profiling", DPV: "dpv:Personalisation", Basis: privacy.Consent}
	in.Consents["profiling"] = privacy.StatusGiven
	in.Guard.Ground = false
	facts(in, func(f *Facts) { f.Covered = true })
	return in
}

// A rule that fails or is slow would answer 503, or late, about a person who is
// there, and 403 at once about nobody. So it is not asked where there is nothing
// to narrow, and the decision is the guardrails' own.
func TestRulesAreAskedOnlyWhereSomethingIsReleased(t *testing.T) {
	bare := compile(t, "")
	for name, fault := range faults {
		r := compile(t, fault.rules)
		if fault.want == ErrDeadline {
			r = r.WithDeadline(100 * time.Millisecond)
		}
		if d, err := r.decide(t.Context(), consenting()); !errors.Is(err, fault.want) || len(d.Outcomes) != 0 {
			t.Errorf("%s, of somebody who consented: got %v, %v, want %v", name, d, err, fault.want)
		}
		for who, change := range unreleased {
			in := consenting()
			change(in)
			want, err := bare.decide(t.Context(), in)
			if err != nil || want.Releases() {
				t.Fatalf("%s: got %v, %v, want nothing released", who, want, err)
			}
			// None of the deadline is the rules': a slow one is never begun.
			if got, err := r.WithDeadline(longer).decide(t.Context(), in); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, of a person %s: got %v, %v, want %v", name, who, got, err, want)
			}
		}
	}
	// One field that is released is enough for rules to be asked.
	in := consenting()
	in.Guard.Fields["given_name"] = Facts{}
	if d, err := compile(t, faults["an error"].rules).decide(t.Context(), in); !errors.Is(err, ErrEvaluation) {
		t.Errorf("of two fields one released: got %v, %v, want ErrEvaluation", d, err)
	}
}

// The guardrails without their condition do ask, so what the test above sees is
// the condition; and one half that were the rest of the other would release
// without rules.
func TestTheConditionIsWhatKeepsRulesUnasked(t *testing.T) {
	const condition = "} if releases\n"
	text := Guardrails()["guardrails/guardrails.rego"]
	if strings.Count(text, condition) != 1 {
		t.Fatal("the guardrails do not name the condition once")
	}
	in := consenting()
	unreleased["never asked"](in)
	r := compile(t, "")
	value, err := r.value(in)
	if err != nil {
		t.Fatal(err)
	}
	for always, want := range map[bool]string{false: "<nil>", true: "eval_builtin_error"} {
		guard := text
		if always {
			guard = strings.Replace(text, condition, "} if true\n", 1)
			guard = guard[:strings.Index(guard, "decision := {\n\t\"release\": release,\n\t\"why\": why,\n\t\"withhold\": set()")] + guard[strings.Index(guard, "# releases is true"):]
		}
		_, err := rego.New(
			rego.Query("data.sayso.guardrails.decision"), rego.ParsedInput(value), rego.StrictBuiltinErrors(true),
			rego.Module("guardrails.rego", guard),
			rego.Module("rules.rego", "package sayso.rules\n\nmask := set()\n\nwithhold contains 1 if time.parse_rfc3339_ns(input.subject.age_band) > 1\n"),
		).Eval(t.Context())
		if got := fmt.Sprint(err); !strings.Contains(got, want) {
			t.Errorf("always asked %v: got %s, want %s", always, got, want)
		}
	}
}
