package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// rules makes a rule set of one module's text.
func rules(text string) map[string]string {
	if text == "" {
		return nil
	}
	return map[string]string{"rules.rego": "package sayso.rules\n\n" + text}
}

// What lets more out, and what surely does not: an officer alone may do only the
// latter once there are two.
func TestWhichChangesOfRulesWiden(t *testing.T) {
	const (
		web    = `withhold contains {"field": "address", "reason": "not on the web"} if input.channel.id == "web"`
		minors = "minor if input.subject.age_band in {\"under_13\", \"13_15\"}\n\n"
		shown  = minors + `mask contains {"field": "birthdate", "mask": "year"} if minor`
	)
	for name, c := range map[string]struct {
		old, new string
		widens   bool
	}{
		"the first rule":              {"", web, false},
		"the last rule goes":          {web, "", true},
		"nothing changes":             {web, web, false},
		"another rule beside it":      {web, web + "\n" + shown, false},
		"another order":               {web + "\n" + shown, shown + "\n" + web, false},
		"a comment":                   {web, "# why\n" + web, false},
		"another reason":              {web, strings.Replace(web, "not on the web", "never", 1), false},
		"a computed reason":           {web, strings.Replace(web, `"not on the web"`, `sprintf("not on %s", [input.channel.id])`, 1), true},
		"another field":               {web, strings.Replace(web, "address", "email", 1), true},
		"another channel":             {web, strings.Replace(web, `"web"`, `"store"`, 1), true},
		"everywhere":                  {web, strings.Replace(web, `if input.channel.id == "web"`, "if true", 1), false},
		"without a condition":         {strings.Replace(web, `input.channel.id == "web"`, `{ input.channel.id == "web"; input.purpose.id == "tax" }`, 1), web, false},
		"with one more condition":     {web, strings.Replace(web, `input.channel.id == "web"`, `{ input.channel.id == "web"; input.purpose.id == "tax" }`, 1), true},
		"one of more channels":        {web, strings.Replace(web, `== "web"`, `in {"web", "store"}`, 1), false},
		"one of fewer channels":       {strings.Replace(web, `== "web"`, `in {"web", "store"}`, 1), web, true},
		"the sides of == swapped":     {web, strings.Replace(web, `input.channel.id == "web"`, `"web" == input.channel.id`, 1), false},
		"withheld instead of masked":  {`mask contains {"field": "email", "mask": "partial"} if input.channel.id == "web"`, `withhold contains {"field": "email", "reason": "x"} if input.channel.id == "web"`, false},
		"masked instead of withheld":  {`withhold contains {"field": "email", "reason": "x"} if input.channel.id == "web"`, `mask contains {"field": "email", "mask": "partial"} if input.channel.id == "web"`, true},
		"a stricter mask":             {shown, strings.Replace(shown, `"mask": "year"`, `"mask": "over_18"`, 1), false},
		"a looser mask":               {strings.Replace(shown, `"mask": "year"`, `"mask": "over_18"`, 1), shown, true},
		"an incomparable mask":        {`mask contains {"field": "given_name", "mask": "last4"} if true`, `mask contains {"field": "given_name", "mask": "initial"} if true`, true},
		"a helper means more":         {shown, strings.Replace(shown, `"13_15"`, `"13_15", "16_17"`, 1), true}, // it may stand behind a "not"
		"a helper is said twice":      {shown, shown + "\n\nminor if input.channel.id == \"web\"", true},
		"a helper of another rule":    {shown, shown + "\n\nadult if input.subject.age_band == \"25_34\"", false},
		"a helper takes a local name": {web + "\n\n" + `withhold contains {"field": "email", "reason": "x"} if { some b in ["web"]; b == input.channel.id }`, web + "\n\n" + `withhold contains {"field": "email", "reason": "x"} if { some b in ["web"]; b == input.channel.id }` + "\n\nb := \"store\"", true},
		"a helper's helper":           {"x := \"web\"\n\ny := x\n\n" + `withhold contains {"field": "email", "reason": "x"} if input.channel.id == y`, "x := \"store\"\n\ny := x\n\n" + `withhold contains {"field": "email", "reason": "x"} if input.channel.id == y`, true},
		"a condition that binds":      {`withhold contains {"field": "email", "reason": "x"} if { some p, s in input.consents; s == "refused"; p == "tax" }`, `withhold contains {"field": "email", "reason": "x"} if { some p, s in input.consents; p == "tax" }`, true},
		"context no longer asked for": {`withhold contains {"field": "email", "reason": "x"} if { input.channel.id == "web"; input.context.step == "offer" }`, `withhold contains {"field": "email", "reason": "x"} if input.channel.id == "web"`, true},
		"more context asked for":      {web, web + "\n\n" + `withhold contains {"field": "email", "reason": "x"} if input.context.step == "offer"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{c.old, c.new} {
				if err := Check(t.Context(), shop, rules(text)); err != nil {
					t.Fatalf("the case itself: %v", err)
				}
			}
			effects, err := Effects(rules(c.old), rules(c.new))
			if err != nil {
				t.Fatal(err)
			}
			got := slices.ContainsFunc(effects, func(e Effect) bool { return e.Widens })
			if got != c.widens {
				t.Errorf("widens: got %v, want %v: %+v", got, c.widens, effects)
			}
			for _, e := range effects {
				if e.Line < 1 || e.Rule == "" || e.Why == "" {
					t.Errorf("an effect that is not explained: %+v", e)
				}
			}
		})
	}
}

// Tests travel with rules and release nothing.
func TestTestsOfRulesHaveNoDirection(t *testing.T) {
	old := map[string]string{"rules_test.rego": "package sayso.rules_test\n\ntest_x if true"}
	if effects, err := Effects(old, nil); err != nil || len(effects) > 0 {
		t.Errorf("got %+v, %v, want nothing", effects, err)
	}
}

// Whatever two rule sets say: if none of the effects widens, nobody is shown
// more under the new one. Sets are put together at random, and decided on people
// and channels of all kinds.
func TestWhatNarrowsNeverShowsMore(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 2026))
	narrowed := 0
	for range 300 {
		old, new := someRules(random), someRules(random)
		if random.IntN(2) == 0 { // more often than chance would have it, a set and the same with a change
			new = change(random, old)
		}
		before, err := Compile(t.Context(), shop, rules(strings.Join(old, "\n\n")))
		if err != nil {
			t.Fatalf("%s: %v", old, err)
		}
		after, err := Compile(t.Context(), shop, rules(strings.Join(new, "\n\n")))
		if err != nil {
			t.Fatalf("%s: %v", new, err)
		}
		effects, err := Effects(rules(strings.Join(old, "\n\n")), rules(strings.Join(new, "\n\n")))
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(effects, func(e Effect) bool { return e.Widens }) {
			continue
		}
		narrowed++
		for range 40 {
			in := somebody(random)
			more(t, before.WithDeadline(longer), after.WithDeadline(longer), in, old, new)
		}
	}
	if narrowed < 30 {
		t.Errorf("only %d of 300 pairs narrowed: the test says little", narrowed)
	}
}

// more fails if anything is shown under after that is not under before.
func more(t *testing.T, before, after *Revision, in *Input, old, new []string) {
	t.Helper()
	was, errBefore := before.Decide(t.Context(), in)
	is, errAfter := after.Decide(t.Context(), in)
	if errAfter != nil {
		return
	}
	for i, o := range is.Outcomes {
		switch {
		case o.Action == Withhold:
		case errBefore != nil, was.Outcomes[i].Action == Withhold,
			o.Action == Release && was.Outcomes[i].Action != Release,
			o.Action == Mask && was.Outcomes[i].Action == Mask && !privacy.NoMore(o.Mask, was.Outcomes[i].Mask):
			t.Fatalf("%s: shown as %+v under\n%s\nand as %+v, %v under\n%s", o.Field, o, new, was.Outcomes, errBefore, old)
		}
	}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func someRules(r *rand.Rand) []string {
	all := []string{"minor if " + band(r), "here := " + pick(r, `"web"`, `"store"`)}
	for range 1 + r.IntN(4) {
		all = append(all, someRule(r))
	}
	return all
}

func band(r *rand.Rand) string {
	return "input.subject.age_band in " + pick(r, `{"under_13"}`, `{"under_13", "13_15"}`, `{"13_15", "16_17", "unknown"}`)
}

func someRule(r *rand.Rand) string {
	head := fmt.Sprintf(`withhold contains {"field": %q, "reason": %q}`, pick(r, "email", "birthdate", "given_name"), pick(r, "x", "y"))
	if r.IntN(2) == 0 {
		field := pick(r, "email", "birthdate", "given_name")
		masks := map[string][]string{"email": {"partial", "initial"}, "birthdate": {"year", "age_band", "over_16", "over_18"}, "given_name": {"partial", "initial", "last4"}}
		head = fmt.Sprintf(`mask contains {"field": %q, "mask": %q}`, field, pick(r, masks[field]...))
	}
	conditions := []string{pick(r, `input.channel.id == "web"`, `input.channel.id in {"web", "store"}`, `input.channel.id != "web"`, `input.purpose.id == "order-fulfilment"`)}
	for r.IntN(2) == 0 {
		conditions = append(conditions, pick(r, "minor", "not minor", "input.channel.kind == here", band(r), `not input.subject.jurisdiction in {"DE", "US-CA"}`,
			`input.objected["profiling"]`, `"given" in input.consents`, `startswith(input.now, "2026")`))
	}
	return head + " if { " + strings.Join(conditions, "; ") + " }"
}

// change returns rules with one of them left out, added or cut.
func change(r *rand.Rand, old []string) []string {
	new := slices.Clone(old)
	switch at := 2 + r.IntN(len(new)-2); r.IntN(4) {
	case 0:
		new = slices.Delete(new, at, at+1)
	case 1:
		new[0] = "minor if " + band(r)
	case 2:
		head, body, _ := strings.Cut(new[at], " if { ")
		if conditions := strings.Split(strings.TrimSuffix(body, " }"), "; "); len(conditions) > 1 {
			new[at] = head + " if { " + strings.Join(conditions[1:], "; ") + " }"
		}
	default:
		new = append(new, someRule(r))
	}
	return new
}

func somebody(r *rand.Rand) *Input {
	in := reads("email", "birthdate", "given_name")
	in.Channel = Channel{ID: pick[privacy.ChannelID](r, "web", "store"), Kind: pick(r, "web", "store")}
	in.Purpose.ID = pick[privacy.PurposeID](r, "order-fulfilment", "tax")
	in.Subject = Subject{Jurisdiction: pick(r, "DE", "US-CA", "unknown"), AgeBand: pick(r, "under_13", "13_15", "16_17", "25_34", "unknown"), Standing: StandingActive}
	in.Objected["profiling"] = r.IntN(2) == 0
	in.Consents["tax"] = pick(r, privacy.StatusGiven, privacy.StatusNone)
	return in
}
