package vault_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// seen is what a read shows: each released field's value, each masked field's
// mask.
func seen(o *vaulttest.Outcome) (released map[privacy.FieldName]string, masked map[privacy.FieldName]privacy.Mask) {
	released, masked = map[privacy.FieldName]string{}, map[privacy.FieldName]privacy.Mask{}
	if o.Result == nil {
		return released, masked
	}
	for _, f := range o.Result.Fields {
		released[f.Field] = string(f.Value.Reveal())
	}
	for _, f := range o.Result.Masked {
		masked[f.Field] = f.Mask
	}
	return released, masked
}

// Whatever rules officers put in force: nothing is shown that was not shown
// without them, and nothing more of it.
func TestRulesCanOnlyNarrow(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: withContext})
	ana, ben := v.As("web").Capture(anahita), v.As("web").Capture(told("given_name", "Ben", "email", "ben@example.org"))
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	fields := []privacy.FieldName{"given_name", "family_name", "email", "phone_number", "birthdate", "address"}
	masks := map[privacy.FieldName][]privacy.Mask{"given_name": {"initial", "partial", "last4"}, "family_name": {"partial"}, "email": {"initial", "partial"}, "phone_number": {"last4", "partial"},
		"birthdate": {"year", "over_18"}, "address": {"city"}}
	type question struct {
		ch      privacy.ChannelID
		purpose privacy.PurposeID
		who     vaulttest.Person
	}
	var questions []question
	for _, ch := range []privacy.ChannelID{"web", "store", "sms"} {
		for _, purpose := range []privacy.PurposeID{"order-fulfilment", "sms-marketing"} {
			for _, who := range []vaulttest.Person{ana, ben, vaulttest.By("email", "nobody@example.org")} {
				questions = append(questions, question{ch, purpose, who})
			}
		}
	}
	ask := func(q question) *vaulttest.Outcome {
		return v.As(q.ch).For(q.purpose).With(map[string]any{"step": "offer", "score": 4.0, "note": "x"}).Read(q.who, fields...)
	}
	plain := make([]*vaulttest.Outcome, len(questions))
	for i, q := range questions {
		plain[i] = ask(q)
	}
	showsLess := func(t *rapid.T, q question, with, without *vaulttest.Outcome) {
		released, masked := seen(with)
		hadReleased, hadMasked := seen(without)
		for f, value := range released {
			if hadReleased[f] != value {
				t.Fatalf("%s for %s: a rule released %s", q.ch, q.purpose, f)
			}
		}
		for f, m := range masked {
			was, ok := hadMasked[f]
			if stricter, comparable := privacy.Stricter(m, was); ok && (!comparable || stricter != m) {
				t.Fatalf("%s for %s: a rule showed %s as %s, it was shown as %s", q.ch, q.purpose, f, m, was)
			} else if _, whole := hadReleased[f]; !ok && !whole {
				t.Fatalf("%s for %s: a rule showed %s as %s, it was not shown", q.ch, q.purpose, f, m)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		module := "package sayso.rules\nimport rego.v1\n"
		for range rapid.IntRange(1, 4).Draw(t, "rules") {
			f := rapid.SampledFrom(fields).Draw(t, "field")
			when := rapid.SampledFrom([]string{`input.channel.id == "store"`, `input.channel.kind != "web"`, `input.context.step == "offer"`, `input.context.score > 3`, `input.subject.standing == "active"`,
				`input.consents["sms-marketing"] != "given"`, `not input.objected["sms-marketing"]`, `count(input.fields) > 2`, `input.purpose.basis == "contract"`, `input.now > "2020"`}).Draw(t, "when")
			if rapid.Bool().Draw(t, "mask") {
				m := rapid.SampledFrom(masks[f]).Draw(t, "as")
				module += fmt.Sprintf("mask contains {\"field\": %q, \"mask\": %q} if %s\n", f, m, when)
			} else {
				module += fmt.Sprintf("withhold contains {\"field\": %q, \"reason\": \"hush\"} if %s\n", f, when)
			}
		}
		draft, err := v.DraftPolicy(t.Context(), v.Officer, map[string]string{"a.rego": module}, "")
		if err != nil {
			t.Fatalf("drafting %s: %v", module, err)
		}
		if _, err := v.ActivatePolicy(t.Context(), v.Officer, draft.ID); err != nil {
			t.Fatal(err)
		}
		for i, q := range questions {
			showsLess(t, q, ask(q), plain[i])
		}
	})
}

// What says "release", reaches out, or looks at how the vault arrives at its
// facts is refused with its line, and changes nothing.
func TestARuleThatWouldReleaseIsRefused(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: withContext})
	ana := v.As("web").Capture(anahita)
	for _, rule := range []string{
		"release contains \"email\"",
		"release contains {\"field\": \"birthdate\"} if true",
		"allow := true",
		"default allow := true",
		"mask contains {\"field\": \"email\", \"mask\": \"none\"}",
		"mask contains {\"field\": \"email\", \"mask\": \"year\"}",
		"withhold contains {\"field\": \"no_such_field\", \"reason\": \"x\"}",
		"withhold contains {\"field\": \"email\", \"msg\": \"x\"}",
		"withhold contains {\"field\": \"email\", \"reason\": \"x\"} if input.guard.granted",
		"withhold contains {\"field\": \"email\", \"reason\": \"x\"} if input.context.undeclared == \"x\"",
		"withhold contains {\"field\": \"email\", \"reason\": \"x\"} if data.sayso.guardrails.release",
		"withhold contains {\"field\": \"email\", \"reason\": \"x\"} if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200",
		"withhold contains {\"field\": \"email\", \"reason\": \"x\"} if time.now_ns() > 0",
		"withhold contains {\"field\": \"email\", \"reason\": \"x\"} if true with input.channel.id as \"web\"",
	} {
		_, err := v.DraftPolicy(t.Context(), v.Officer, map[string]string{"a.rego": "package sayso.rules\nimport rego.v1\n" + rule}, "")
		var problems *vault.PolicyProblems
		if !errors.As(err, &problems) || problems.Problems[0].Line != 3 || problems.Problems[0].Module != "a.rego" {
			t.Errorf("%s: got %v, want it refused at line 3", rule, err)
		}
	}
	_, err := v.DraftPolicy(t.Context(), v.Officer, map[string]string{"a.rego": "package sayso.guardrails\nimport rego.v1\nrelease contains \"email\""}, "")
	var problems *vault.PolicyProblems
	if !errors.As(err, &problems) {
		t.Errorf("a module in the guardrails' package: got %v, want it refused", err)
	}
	_, err = v.DraftPolicy(t.Context(), v.As("web").Caller, map[string]string{"a.rego": hush}, "")
	refusedWith(t, err, vault.CodeForbidden)
	_, err = v.ActivatePolicy(t.Context(), v.As("web").Caller, vault.Guardrails)
	refusedWith(t, err, vault.CodeForbidden)
	if list, err := v.Policies(t.Context(), v.Officer); err != nil || len(list) != 1 {
		t.Errorf("rule sets: got %+v, %v, want the guardrails alone", list, err)
	}
	v.As("web").For("order-fulfilment").Read(ana, "email").Released(told("email", "Ana.Quintero@Example.org"))
}

// A log that was edited, reordered or cut is told by verification, which names
// the first bad record; and the checkpoint is signed by the log's key.
func TestTheLogIsNotQuietlyRewritten(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	for range 5 {
		v.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(v.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := v.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(checkpoint, note.VerifierList(verifier))
	if err != nil {
		t.Fatalf("the checkpoint: %v", err)
	}
	if lines := strings.Split(opened.Text, "\n"); len(lines) < 3 || lines[1] != fmt.Sprint(v.Store.Size()) {
		t.Errorf("checkpoint of %d records: got %q", v.Store.Size(), opened.Text)
	}
	if _, err := note.Open([]byte(strings.Replace(string(checkpoint), "\n", "0\n", 1)), note.VerifierList(verifier)); err == nil {
		t.Error("an edited checkpoint verifies")
	}
	// Every record that the vault keeps is sealed for one place: none can be
	// opened as another.
	var all [][]byte
	err = v.Store.Entries(t.Context(), 0, v.Store.Size(), func(_ uint64, raw []byte) error {
		all = append(all, slices.Clone(raw))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range all {
		for name, change := range map[string]func(b []byte){
			"kind": func(b []byte) { b[1] = 1 + b[1]%10 }, "subject": func(b []byte) { b[5] ^= 1 }, "id": func(b []byte) { b[20] ^= 1 },
			"commitment": func(b []byte) { b[40] ^= 1 }, "opening": func(b []byte) { b[len(b)-1] ^= 1 },
		} {
			edited := slices.Clone(raw)
			change(edited)
			if _, _, err := v.OpenEntry(t.Context(), edited); err == nil {
				t.Errorf("record %d with another %s still opens", i, name)
			}
		}
	}
	v.Stop()

	segments, err := filepath.Glob(filepath.Join(v.Dir, "log", "*"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments: %v, %v", segments, err)
	}
	whole, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := 5; i < len(all); i += 3 {
		at := strings.Index(string(whole), string(all[i]))
		if at < 0 {
			t.Fatalf("record %d is not in the first segment", i)
		}
		edited := slices.Clone(whole)
		edited[at+40] ^= 1
		if err := os.WriteFile(segments[0], edited, 0o600); err != nil {
			t.Fatal(err)
		}
		err := v.Reopen()
		if err == nil {
			_, err = v.VerifyLog(t.Context(), nil)
			v.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(i)) {
			t.Errorf("record %d edited: got %v, want it named", i, err)
		}
	}
	if err := os.WriteFile(segments[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("whole again: %v", err)
	}
}
