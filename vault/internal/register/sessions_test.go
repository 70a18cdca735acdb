package register_test

import (
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/internal/register"
)

// A channel opens sessions only if the register says so, and what they need is
// told in the difference, with what it does.
func TestWhoOpensSessionsIsInTheRegister(t *testing.T) {
	with := func(text string) *register.Register {
		t.Helper()
		r, _, err := register.Parse("register.yaml", []byte(edit(t, "{id: web, kind: web,", "{id: web, kind: web, "+text)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	of := map[string]*register.Register{"no": with(""), "false": with("sessions: false,"), "true": with("sessions: true,"),
		"verified": with("sessions: {step_up: verified},"), "none": with("sessions: {step_up: none},")}
	for name, want := range map[string]register.StepUp{"no": register.NoSessions, "false": register.NoSessions, "true": register.StepUpVerified, "verified": register.StepUpVerified, "none": register.StepUpNone} {
		if web, _ := of[name].Channel("web"); web.Sessions != want {
			t.Errorf("%s: sessions %q, want %q", name, web.Sessions, want)
		}
	}
	if d := register.Diff(of["true"], of["verified"]); len(d) > 0 {
		t.Errorf("true and verified differ: %v", d)
	}
	for _, c := range []struct {
		from, to string
		widens   bool
		line     string
	}{
		{"no", "true", true, "added channels.web.sessions.step_up: verified"},
		{"true", "none", true, "changed channels.web.sessions.step_up: verified → none"},
		{"none", "true", false, "changed channels.web.sessions.step_up: none → verified"},
		{"none", "no", false, "removed channels.web.sessions.step_up: none"},
	} {
		all := register.Effects(of[c.from], of[c.to], func(string) bool { return false })
		if len(all) != 1 || all[0].Widens != c.widens || all[0].String() != c.line {
			t.Errorf("from %s to %s: got %+v, want %q, widens %v", c.from, c.to, all, c.line, c.widens)
		}
	}
	again, _, err := register.Parse("register.json", of["none"].Canonical())
	if err != nil || len(register.Diff(of["none"], again)) > 0 || !strings.Contains(string(again.Canonical()), `"sessions":{"step_up":"none"}`) {
		t.Errorf("canonical: %v %s", err, of["none"].Canonical())
	}
}

// A purpose can be confidential for a while, and that it is for longer is for two
// officers to say.
func TestConfidentialForAWhile(t *testing.T) {
	with := func(text string) *register.Register {
		t.Helper()
		r, _, err := register.Parse("register.yaml", []byte(edit(t, "basis: contract,", "basis: contract, "+text)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	day, week := with("confidential_for: P1D,"), with("confidential_for: P7D,")
	for _, c := range []struct {
		from, to *register.Register
		widens   bool
	}{{with(""), day, true}, {day, week, true}, {week, day, false}, {week, with(""), false}} {
		all := register.Effects(c.from, c.to, func(string) bool { return false })
		if len(all) != 1 || all[0].Widens != c.widens {
			t.Errorf("got %+v, want widens %v", all, c.widens)
		}
	}
	problems(t, edit(t, "basis: contract,", "basis: contract, confidential_for: forever,"))
}
