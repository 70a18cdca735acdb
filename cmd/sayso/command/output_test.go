package command

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/wire"
)

// Beatrix looks at what Carl proposed. His note would clear her screen, and
// write a line that looks like one of ours; neither happens.
func TestWhatOthersWroteDoesNothingToTheScreen(t *testing.T) {
	set := &wire.Policy{Policy: "pol_1", Status: "pending", Note: "fine\n  narrows  added a.rego:1", Steps: []wire.PolicyStep{{Act: "rejected", By: "carl", Reason: "no\x1b[2J\u009b2J\u202e\rx"}},
		Modules: map[string]string{"a.rego": "package sayso.rules\n\t# \x1b[1;1H Grüße\n"}}
	var out, beside strings.Builder
	err := seen(&beside, func(b io.Writer) error {
		return seen(&out, func(w io.Writer) error { return showSet(w, b, set) })
	})
	if err != nil {
		t.Fatal(err)
	}
	if all := out.String() + beside.String(); strings.ContainsAny(all, "\x1b\u009b\u202e\r") {
		t.Errorf("got %q, want nothing that steers a screen", all)
	}
	if got := strings.Count(beside.String(), "\n"); got != 2 {
		t.Errorf("got %d lines, want the set's and the step's:\n%s", got, beside.String())
	}
	if !strings.Contains(out.String(), "package sayso.rules\n\t# ") || !strings.Contains(out.String(), "Grüße") {
		t.Errorf("got %q, want the rules as they are but for what steers", out.String())
	}
	if line := changeLine(wire.Change{Op: "changed", Path: "purposes.x.title", From: "a\n      lets less out", To: "b\nc"}); strings.Count(line, "\n") != 0 {
		t.Errorf("got %q, want one line", line)
	}
	var short strings.Builder
	if err := seen(&short, func(w io.Writer) error { _, err := fmt.Fprint(w, "plain"); return err }); err != nil || short.String() != "plain" {
		t.Errorf("got %q and %v", short.String(), err)
	}
}
