package vault_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

const always = `withhold contains {"field": "email", "reason": "x"} if `

// hostileRules are what somebody with an officer's credentials could try to bring
// a server down with.
func hostileRules() map[string]string {
	doubled, called, elses := "x0 := \"0123456789abcdef\"\n\n", "f0(x) := x\n\n", "z := 1 if input.channel.id == \"x\"\n"
	for i := 1; i < 40; i++ {
		doubled += fmt.Sprintf("x%d := concat(\"\", [x%d, x%d])\n\n", i, i-1, i-1)
		called += fmt.Sprintf("f%d(x) := concat(\"\", [f%d(x), f%d(x), input.now])\n\n", i, i-1, i-1)
	}
	for i := range 3000 {
		elses += fmt.Sprintf("else := %d if input.channel.id == \"x%d\"\n", i, i)
	}
	letters := `l := ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]; `
	loops := strings.Repeat("some _ in l; ", 9)
	return map[string]string{
		"nested concat":      doubled + always + `{ y := x39; y != "" }`,
		"nested calls":       called + always + `{ y := f39(input.channel.id); y != "" }`,
		"bits.lsh":           always + "bits.lsh(1, 20000000000) > 1",
		"a list bomb":        always + `{ ` + letters + `n := [x | some x in l; ` + loops + `x != "z"]; count(n) > 3 }`,
		"a set bomb":         always + `{ ` + letters + `n := {s | some a in l; some b in l; some c in l; some d in l; some e in l; some f in l; some g in l; s := concat(a, [b, c, d, e, f, g])}; count(n) > 3 }`,
		"an object bomb":     always + `{ ` + letters + `n := {s: s | some a in l; some b in l; some c in l; some d in l; some e in l; some f in l; some g in l; s := concat(a, [b, c, d, e, f, g])}; count(n) > 3 }`,
		"every over every":   always + `{ ` + letters + `every a in l { every b in l { every c in l { every d in l { every e in l { every f in l { every g in l { every h in l { concat("", [a, b, c, d, e, f, g, h]) != "" } } } } } } } } }`,
		"a huge expression":  always + fmt.Sprintf("regex.match(%q, input.channel.id)", "("+strings.Repeat("(a{1,100}){1,100}", 200)+")+"),
		"a huge width":       always + `sprintf("%1000000000d", [1]) != ""`,
		"a huge number":      always + "99999999999999999999 * 99999999999999999999 > 1",
		"deep brackets":      "x := " + strings.Repeat("[", 100_000),
		"deep parentheses":   "x := " + strings.Repeat("(", 60_000) + "1" + strings.Repeat(")", 60_000),
		"lists inside lists": always + "count(" + strings.Repeat("[x | x := 1; count(", 40) + "[1]" + strings.Repeat(") > 0]", 40) + ") > 0",
		"many conditions":    always + "{ " + strings.Repeat("x := 1; ", 10_000) + "true }",
		"many else":          elses + always + "z == 3",
		"numbers.range":      always + "count(numbers.range(1, 10000000000)) > 1",
	}
}

// Whatever officers try, the server lives, in little memory: it is refused where
// it is written, or ended where it is tested, replayed and read – and once it is
// gone, reads are as before. It runs in a process of its own, whose memory can be
// measured.
func TestHostileRulesHurtNobody(t *testing.T) {
	if os.Getenv("SAYSO_TEST_HOSTILE") == "" {
		child := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		child.Env = append(os.Environ(), "SAYSO_TEST_HOSTILE=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		used, ok := child.ProcessState.SysUsage().(*syscall.Rusage)
		if most := int64(400 << 10); !ok || used.Maxrss > most && !raceDetector {
			t.Errorf("the process took %d KiB, want at most %d", used.Maxrss, most)
		}
		return
	}
	v := vaulttest.New(t, &vaulttest.Options{DecisionDeadline: 100 * time.Millisecond})
	mina := v.As("web").Capture(map[string]any{"email": "mina@example.org"})
	read := func() *vaulttest.Outcome { return v.As("web").For("order-fulfilment").Read(mina, "email") }
	for range 5 {
		read().Released(map[string]any{"email": "mina@example.org"})
	}
	kept := 0
	for name, text := range hostileRules() {
		modules := map[string]string{"rules.rego": "package sayso.rules\n\n" + text,
			"rules_test.rego": "package sayso.rules_test\n\nimport data.sayso.rules\n\ntest_it if rules.withhold with input as {\"channel\": {\"id\": \"web\"}, \"now\": \"2026-03-01T12:00:00Z\"}\n"}
		set, err := v.DraftPolicy(t.Context(), v.Officer, modules, "")
		var problems *vault.PolicyProblems
		if errors.As(err, &problems) {
			continue // refused, with its line
		}
		if err != nil {
			t.Errorf("%s: drafting: %v", name, err)
			continue
		}
		kept++
		if test, err := v.TestPolicy(t.Context(), v.Officer, set.ID); err != nil || test.Passed > 0 {
			t.Errorf("%s: its test: got %+v, %v, want it to fail", name, test, err)
		}
		if out, err := v.ReplayPolicy(t.Context(), v.Officer, set.ID, vault.ReplayRequest{}, nil); err != nil || out.Failed != out.Decisions || out.Decisions < 5 {
			t.Errorf("%s: replay: got %+v, %v, want every decision to fail", name, out, err)
		}
		alone := draft(t, v, map[string]string{"rules.rego": modules["rules.rego"]})
		if _, err := v.ActivatePolicy(t.Context(), v.Officer, alone); err != nil {
			t.Errorf("%s: activating: %v", name, err)
		}
		read().Refused(vault.CodeUnavailable)
		if _, err := v.RollbackPolicy(t.Context(), v.Officer, vault.Guardrails); err != nil {
			t.Errorf("%s: rolling back: %v", name, err)
		}
		read().Released(map[string]any{"email": "mina@example.org"})
	}
	if kept < 4 {
		t.Errorf("only %d of the rules compiled: nothing was tried where they are evaluated", kept)
	}
}
