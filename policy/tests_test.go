package policy

import (
	"fmt"
	"strings"
	"testing"
)

const storeRule = `package sayso.rules

withhold contains {"field": "address", "reason": "Addresses stay with the store"} if input.channel.id == "web"
`

func TestOfficersTestsTravelWithTheirRules(t *testing.T) {
	modules := map[string]string{"rules.rego": storeRule, "rules_test.rego": `package sayso.rules_test

import data.sayso.rules

test_web if {
	rules.withhold == {{"field": "address", "reason": "Addresses stay with the store"}} with input as {"channel": {"id": "web"}}
}

test_store if count(rules.withhold) == 1 with input.channel.id as "store"

test_error if time.parse_duration_ns("x") == 1
`}
	run, err := RunTests(t.Context(), shop, modules)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range run.Results {
		state := "failed"
		if r.Passed {
			state = "passed"
		}
		if r.Module != "rules_test.rego" || r.Line == 0 || (r.Name == "test_error") != (r.Error != "") {
			t.Errorf("got %+v, want its place, and an error only where there is one", r)
		}
		got = append(got, r.Name+" "+state)
	}
	if want := "test_web passed, test_store failed, test_error failed"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	// Tests change nothing about decisions.
	r, err := Compile(t.Context(), shop, modules)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := r.WithDeadline(longer).Decide(t.Context(), reads("address")); err != nil || d.Outcomes[0].Rule != "rules.rego:3" {
		t.Errorf("got %v, %v, want the rule in force", d, err)
	}
	if run, err := RunTests(t.Context(), shop, map[string]string{"rules.rego": storeRule}); err != nil || len(run.Results) != 0 || run.Coverage.Percent != 0 {
		t.Errorf("without tests: got %+v, %v, want none", run, err)
	}
}

// Coverage names the lines that no test reaches, of the rules alone.
func TestCoverageNamesTheLinesThatNoTestReaches(t *testing.T) {
	run, err := RunTests(t.Context(), shop, map[string]string{"a.rego": storeRule, "b.rego": `package sayso.rules

mask contains {"field": "birthdate", "mask": "year"} if {
	input.channel.id == "web"
	minor
}

minor if input.subject.age_band == "13_15"
`, "rules_test.rego": `package sayso.rules_test

import data.sayso.rules

test_web if rules.withhold with input as {"channel": {"id": "web"}}

test_sms if rules.mask == set() with input as {"channel": {"id": "sms"}}
`})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", run.Coverage)
	if want := "{Percent:20 Modules:[{Module:a.rego Percent:100 Missed:[]} {Module:b.rego Percent:0 Missed:[3 4 5 8]}]}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTestsReachNoFurtherThanRules(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"another package":  {"package sayso.rules\n", ""},
		"the guardrails":   {"package sayso.rules_test\n\ntest_x if data.sayso.guardrails.release == set()\n", "no data"},
		"other imports":    {"package sayso.rules_test\n\nimport data.sayso.guardrails\n", "import"},
		"with on data":     {"package sayso.rules_test\n\ntest_x if true with data.sayso.rules.x as 1\n", "only the input"},
		"reaching out":     {"package sayso.rules_test\n\ntest_x if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200\n", "http.send"},
		"exhausting":       {"package sayso.rules_test\n\ntest_x if count(numbers.range(1, 10000000000)) == 1\n", "numbers.range"},
		"a torn text":      {"package sayso.rules_test\n\ntest_x if {\n", ""},
		"a list of lists":  {"package sayso.rules_test\n\ntest_x if {\n\ta := [1, 1]\n\tb := [a, a]\n\tcount(b) == 2\n}\n", "written out"},
		"a bad reach back": {"package sayso.rules_test\n\ntest_x if data.sayso[\"guardrails\"].release == set()\n", "no data"},
	} {
		if name == "another package" {
			c.want = "sayso.rules_test"
		}
		found := false
		for _, p := range refused(t, map[string]string{"rules.rego": storeRule, "rules_test.rego": c.text}) {
			found = found || p.Module == "rules_test.rego" && strings.Contains(p.Message, c.want)
		}
		if !found {
			t.Errorf("%s: not refused with %q", name, c.want)
		}
	}
}
