package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Rules are negative: one that is undefined would release. Here is every way we
// know for a rule that compiles to be undefined, malformed or without end at a
// read; each must deny the whole read.
func TestRulesThatFailDenyTheRead(t *testing.T) {
	const body = "withhold contains {\"field\": \"email\", \"reason\": \"x\"} if "
	for name, c := range map[string]struct {
		rules string
		want  error
	}{
		"a text below a number":      {body + "{\n\tsome x in [\"a\", 19]\n\tx < 18\n}", ErrEvaluation},
		"a text above a number":      {"old(x) if x > 18\n" + body + "{\n\tsome x in [\"a\", 3]\n\tnot old(x)\n\tx == 4\n}", ErrEvaluation},
		"a text equal to a number":   {body + "{\n\tsome x in [\"18\", 19]\n\tx == 18\n}", ErrEvaluation},
		"a text unequal to a number": {"other(x) if x != 18\n" + body + "{\n\tsome x in [\"18\", 18]\n\tnot other(x)\n\tx == \"\"\n}", ErrEvaluation},
		"a text among numbers":       {body + "{\n\tsome x in [\"1\", 4]\n\tx in {1, 2}\n}", ErrEvaluation},
		"in what is no collection":   {body + "{\n\tsome x in [\"a\", [\"b\"]]\n\t\"a\" in x\n}", ErrEvaluation},
		"a number that starts with":  {body + "{\n\tsome x in [\"a\", 4]\n\tstartswith(x, \"b\")\n}", ErrEvaluation},
		"null that starts with":      {body + "{\n\tsome x in [\"a\", null]\n\tstartswith(x, \"b\")\n}", ErrEvaluation},
		"division by nothing":        {body + "10 / (input.context.age - 30) > 1", ErrEvaluation},
		"a duration out of a word":   {body + "time.parse_duration_ns(input.context.queue) > 1", ErrEvaluation},
		"no time":                    {body + "time.parse_rfc3339_ns(input.context.queue) > 1", ErrEvaluation},
		"the largest of none":        {body + "max([x | x := 3; input.channel.id == \"sms\"]) > 1", ErrEvaluation},
		"the largest of mixed":       {body + "max({1, \"a\"}) != 1", ErrEvaluation},
		"an error under not":         {body + "not startswith(f, \"a\")\nf := 1 if input.channel.id == \"sms\"\nelse := \"x\" if time.parse_duration_ns(input.context.queue) > 1\nelse := \"y\"", ErrEvaluation},
		"two values":                 {"default h := 0\nh := 1 if input.channel.id == \"web\"\nh := 2 if input.purpose.id == \"order-fulfilment\"\n" + body + "h == 1", ErrEvaluation},
		"two values of a function":   {"default h(_) := 0\nh(x) := 1 if x == \"web\"\nh(x) := 2 if startswith(x, \"w\")\n" + body + "h(input.channel.id) == 1", ErrEvaluation},
		"a time zone of the machine": {body + "time.clock([time.parse_rfc3339_ns(input.now), \"Local\"])[0] < 24", ErrEvaluation},

		"an empty reason":          {"withhold contains {\"field\": \"email\", \"reason\": r} if r := \"\"", ErrOutcome},
		"a reason that is 1":       {"withhold contains {\"field\": \"email\", \"reason\": r} if r := 1", ErrOutcome},
		"a reason that is null":    {"withhold contains {\"field\": \"email\", \"reason\": r} if r := null", ErrOutcome},
		"a field that is none":     {"withhold contains {\"field\": f, \"reason\": \"x\"} if f := \"e-mail\"", ErrOutcome},
		"a field that is 1":        {"withhold contains {\"field\": f, \"reason\": \"x\"} if some f in [1]", ErrOutcome},
		"a mask that is none":      {"mask contains {\"field\": \"email\", \"mask\": m} if m := \"blur\"", ErrOutcome},
		"an empty mask":            {"mask contains {\"field\": \"email\", \"mask\": m} if m := \"\"", ErrOutcome},
		"a mask that does not fit": {"mask contains {\"field\": \"birthdate\", \"mask\": m} if m := \"last4\"", ErrOutcome},
		"a mask of no asked field": {"mask contains {\"field\": \"allergy\", \"mask\": m} if m := \"year\"", ErrOutcome},
		"one of two that is wrong": {"withhold contains {\"field\": f, \"reason\": \"x\"} if some f in [\"email\", \"mail\"]", ErrOutcome},

		"a width of a gigabyte":        {body + "sprintf(\"%1000000000d\", [1]) == \"x\"", ErrEvaluation},
		"a width given later":          {body + "sprintf(\"%*d\", [1000000000, 1]) == \"x\"", ErrEvaluation},
		"a text that doubles":          {body + "{\n\tv0 := \"0123456789\"\n" + chain(40, `sprintf("%s%s", [x, x])`) + "\tv40 != \"\"\n}", ErrEvaluation},
		"a joined text":                {body + "{\n\tv0 := \"0123456789\"\n" + chain(10, `concat(x, split(x, ""))`) + "\tv10 != \"\"\n}", ErrEvaluation},
		"a text joined by itself":      {body + "{\n\tv := sprintf(\"%s%s\", [input.context.queue, input.context.queue])\n\tconcat(v, split(v, \"\")) != \"\"\n}", ErrEvaluation},
		"a number that squares":        {"withhold contains {\"field\": \"email\", \"reason\": \"x\"} if {\n\ta := 1234567891\n\tb := a * a\n\tc := b * b\n\td := c * c\n\td > 1\n}", ErrEvaluation},
		"a list of what may be a list": {body + "{\n\tsome a in [1, [1, 1]]\n\tb := [a, a]\n\tcount(b) > 2\n}", ErrEvaluation},
	} {
		t.Run(name, func(t *testing.T) {
			r := compile(t, c.rules)
			in := reads("email", "birthdate")
			in.Context = map[string]any{"age": 30, "queue": strings.Repeat("night", 800), "step": "offer", "urgent": true}
			before := allocated()
			d, err := r.Decide(t.Context(), in)
			if !errors.Is(err, c.want) || len(d.Outcomes) != 0 {
				t.Errorf("got %v, %v, want %v and no outcomes", d, err, c.want)
			}
			if grown := allocated() - before; grown > 32<<20 {
				t.Errorf("took %d MiB", grown>>20)
			}
			if err != nil && strings.Contains(err.Error(), "night") {
				t.Errorf("the error quotes the context: %v", err)
			}
		})
	}
}

// chain binds v1 to vN, each to the expression over the one before, as x.
func chain(n int, expression string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\tv%d := %s\n", i+1, variable.ReplaceAllString(expression, fmt.Sprintf("v%d", i)))
	}
	return b.String()
}

var variable = regexp.MustCompile(`\bx\b`)

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// What OPA would copy until memory is gone is refused, for no deadline is seen
// on the way.
func TestRulesCannotBuildWhatGrows(t *testing.T) {
	for name, helper := range map[string]string{
		"a list":                 "grow(x) := [x, x]",
		"a list of rules":        "grow(x) := y if y := [x, x]",
		"a list comprehended":    "grow(x) := [x | some _ in [1, 2]]",
		"a set comprehended":     "grow(x) := {x | some _ in [1, 2]}",
		"an object":              `grow(x) := {"a": x, "b": x}`,
		"an object comprehended": "grow(x) := {k: x | some k in [1, 2]}",
		"keys":                   "grow(x) := {x: 1}",
		"a set":                  "grow(x) := {x, 1}",
		"an argument":            "grow(x) := same([x, x])\nsame(x) := x",
		"an every":               "grow(x) := y if {\n\ty := [x, 1]\n\tevery z in [[y, y]] { z != 1 }\n}\ndefault grow(_) := 0",
		"a domain":               "grow(x) := y if some y in [[x, x]]\ndefault grow(_) := 0",
		"an else":                "grow(x) := 1 if x == 1\nelse := [x, x]",
	} {
		text := "package sayso.rules\n\n" + helper + "\n\nwithhold contains {\"field\": \"email\", \"reason\": \"x\"} if {\n\tsome v0 in [1, [1]]\n" + chain(40, "grow(x)") + "\tv40 != 1\n}\n"
		r, err := Compile(t.Context(), shop, map[string]string{"rules.rego": text})
		if err != nil {
			var p *ProblemsError
			if !errors.As(err, &p) {
				t.Errorf("%s: got %v, want problems", name, err)
			}
			continue
		}
		before := allocated()
		if d, err := r.WithDeadline(longer).Decide(t.Context(), reads("email")); err == nil || len(d.Outcomes) != 0 {
			t.Errorf("%s: got %v, %v, want an error", name, d, err)
		}
		if grown := allocated() - before; grown > 32<<20 {
			t.Errorf("%s: took %d MiB", name, grown>>20)
		}
	}
}

// The rules that DESIGN names as having released on a malformed or absent
// context: the input is refused before they are asked.
func TestInputThatDoesNotFitDeniesTheRead(t *testing.T) {
	r := compile(t, `
withhold contains {"field": "email", "reason": "x"} if input.context.step == "offer"

withhold contains {"field": "email", "reason": "x"} if input.context.age < 18

withhold contains {"field": "email", "reason": "x"} if startswith(input.context.queue, "x")

withhold contains {"field": "email", "reason": "x"} if input.touches.contacts.day > 9
`)
	fits := func() *Input {
		in := reads("email", "address")
		in.Context = map[string]any{"step": "support", "age": 30.0, "queue": "", "urgent": false}
		return in
	}
	if d, err := r.Decide(t.Context(), fits()); err != nil || !d.Releases() {
		t.Fatalf("got %v, %v, want a release", d, err)
	}
	for name, spoil := range map[string]func(*Input){
		"no context":              func(in *Input) { in.Context = nil },
		"an absent key":           func(in *Input) { delete(in.Context, "step") },
		"an undeclared key":       func(in *Input) { in.Context["other"] = "x" },
		"null":                    func(in *Input) { in.Context["queue"] = nil },
		"a number for a text":     func(in *Input) { in.Context["queue"] = 1.0 },
		"a text for a number":     func(in *Input) { in.Context["age"] = "30" },
		"a list":                  func(in *Input) { in.Context["queue"] = []any{"x"} },
		"an object":               func(in *Input) { in.Context["queue"] = map[string]any{} },
		"a flag for a text":       func(in *Input) { in.Context["step"] = true },
		"a text for a flag":       func(in *Input) { in.Context["urgent"] = "false" },
		"outside the enumeration": func(in *Input) { in.Context["step"] = "Offer" },
		"no number":               func(in *Input) { in.Context["age"] = math.NaN() },
		"an endless number":       func(in *Input) { in.Context["age"] = math.Inf(1) },
		"a huge number":           func(in *Input) { in.Context["age"] = json.Number("1e1000000000") },
		"a torn number":           func(in *Input) { in.Context["age"] = json.Number("3O") },
		"a long text":             func(in *Input) { in.Context["queue"] = strings.Repeat("x", maxContext+1) },
		"a text that is none":     func(in *Input) { in.Context["queue"] = "\xff" },
		"no consents":             func(in *Input) { in.Consents = nil },
		"a consent left out":      func(in *Input) { delete(in.Consents, "tax") },
		"a consent left empty":    func(in *Input) { in.Consents["tax"] = "" },
		"a consent of no status":  func(in *Input) { in.Consents["tax"] = "yes" },
		"no objections":           func(in *Input) { in.Objected = nil },
		"an objection left out":   func(in *Input) { delete(in.Objected, "tax") },
		"no touches":              func(in *Input) { in.Touches = Touches{} },
		"a count left out":        func(in *Input) { delete(in.Touches.ByPurpose, "tax") },
		"a topic that is none":    func(in *Input) { in.Touches.Events = []string{"\xff"} },
		"an unknown channel":      func(in *Input) { in.Channel.ID = "fax" },
		"an unknown purpose":      func(in *Input) { in.Purpose.ID = "fax" },
		"no legal basis":          func(in *Input) { in.Purpose.Basis = "" },
		"an unknown legal basis":  func(in *Input) { in.Purpose.Basis = "because" },
		"no time":                 func(in *Input) { in.Now = "" },
		"a time in parts":         func(in *Input) { in.Now = "2026-03-01T12:00:00.5Z" },
		"a time elsewhere":        func(in *Input) { in.Now = "2026-03-01T12:00:00+01:00" },
		"no such day":             func(in *Input) { in.Now = "2026-02-30T12:00:00Z" },
		"no fields":               func(in *Input) { in.Fields = nil },
		"a field without facts":   func(in *Input) { delete(in.Guard.Fields, "address") },
		"no facts":                func(in *Input) { in.Guard.Fields = nil },
		"a matrix mask not fit":   func(in *Input) { in.Guard.Fields["address"] = Facts{Declared: true, InPurpose: true, As: "last4"} },
		"a field that is no text": func(in *Input) { in.Fields[0] = "\xff"; in.Guard.Fields["\xff"] = Facts{} },
	} {
		in := fits()
		spoil(in)
		if d, err := r.Decide(t.Context(), in); !errors.Is(err, ErrInput) || len(d.Outcomes) != 0 {
			t.Errorf("%s: got %v, %v, want ErrInput and no outcomes", name, d, err)
		}
	}
	in := fits()
	in.Guard.Fields["address"] = Facts{Declared: true, InPurpose: true, As: "blur"}
	if d, err := r.Decide(t.Context(), in); err == nil && d.Outcomes[1].Action != Withhold {
		t.Errorf("an unknown word of the matrix: got %v, want no release", d)
	}
}

// What is not known is "unknown", never nothing, and one number decides alike
// however it is written.
func TestInputIsAlwaysTyped(t *testing.T) {
	r := compile(t, `
withhold contains {"field": "email", "reason": "nothing is known"} if {
	input.subject.jurisdiction == "unknown"
	input.subject.age_band == "unknown"
	input.channel.kind == "unknown"
	input.purpose.dpv == "unknown"
	input.context.age == 1
}
`)
	for _, age := range []any{1, int64(1), 1.0, json.Number("1"), json.Number("1.0"), json.Number("1e0")} {
		in := reads("email")
		in.Subject = Subject{Standing: StandingActive}
		in.Channel.Kind, in.Purpose.DPV = "", ""
		in.Context = map[string]any{"age": age}
		d, err := r.Decide(t.Context(), in)
		if err != nil || d.Outcomes[0].Detail != "nothing is known" {
			t.Errorf("age %v: got %v, %v, want it withheld by the rule", age, d, err)
		}
	}
}

func TestRulesWithoutEndMissTheDeadline(t *testing.T) {
	r := compile(t, endless).WithDeadline(20 * time.Millisecond)
	if d, err := r.Decide(t.Context(), reads("email")); !errors.Is(err, ErrDeadline) || len(d.Outcomes) != 0 {
		t.Errorf("got %v, %v, want ErrDeadline", d, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if d, err := r.WithDeadline(longer).Decide(ctx, reads("email")); !errors.Is(err, context.DeadlineExceeded) || len(d.Outcomes) != 0 {
		t.Errorf("got %v, %v, want the caller's deadline", d, err)
	}
	if d, err := compile(t, "").Decide(ctx, reads("email")); err == nil || len(d.Outcomes) != 0 {
		t.Errorf("got %v, %v, want the caller's end", d, err)
	}
}
