package vault_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Mina asked why the text sender got nothing, and why the shop saw half of her
// address. The officer reads it fact by fact, with the line that decided, and
// sees no value.
func TestADecisionTellsItsChainOfFacts(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: vaulttest.Register + "matrix:\n  - {purpose: order-fulfilment, channel: web, field: phone_number, as: withhold}\n"})
	mina := v.As("web").Capture(map[string]any{"given_name": "Mina", "email": "mina@example.org", "phone_number": "+4930901820"})
	v.Activate("package sayso.rules\n\nmask contains {\"field\": \"email\", \"mask\": \"partial\"} if input.channel.id == \"web\"\n\nwithhold contains {\"field\": \"given_name\", \"reason\": \"No first names\"} if {\n\tinput.purpose.id == \"order-fulfilment\"\n}\n")
	v.As("store").For("sms-marketing").Consent(mina, privacy.StatusGiven)
	v.As("store").For("sms-marketing").Consent(mina, privacy.StatusWithdrawn)

	read := v.As("web").For("order-fulfilment").Read(mina, "given_name", "email", "phone_number", "birthdate")
	view := explained(t, v, read.Result.Decision)
	for f, want := range map[privacy.FieldName]struct{ line, fails string }{
		"given_name":   {"withhold contains {\"field\": \"given_name\", \"reason\": \"No first names\"} if {\n\tinput.purpose.id == \"order-fulfilment\"\n}", "rule: the rule at rules.rego:5 withholds it: No first names"},
		"email":        {`mask contains {"field": "email", "mask": "partial"} if input.channel.id == "web"`, ""},
		"phone_number": {"facts.as in shown", "matrix: the matrix withholds it for order-fulfilment in web"},
		"birthdate":    {"facts.in_purpose == true", "purpose: register revision 1 does not list birthdate for order-fulfilment"},
	} {
		line, fails := reasonOf(view, f)
		if line != want.line || fails != want.fails {
			t.Errorf("%s: got the line %q and %q, want %q and %q", f, line, fails, want.line, want.fails)
		}
	}

	var denied *vault.DeniedError
	denial := v.As("sms").For("sms-marketing").Read(mina).Denied(privacy.CodeNoConsent)
	denied, _ = denial.Err.(*vault.DeniedError)
	view = explained(t, v, denied.Decision)
	if line, fails := reasonOf(view, "phone_number"); line != "facts.covered == true" || !strings.HasPrefix(fails, "basis: sms-marketing was withdrawn on ") {
		t.Errorf("the denial: got %q, %q", line, fails)
	}
	if len(view.Remedies) != 2 || len(view.Remedies[0].Moves) != 1 || view.Remedies[0].Moves[0].Move != vault.MoveConsent || view.Remedies[0].Moves[0].Notice != "2026-03" {
		t.Errorf("remedies: got %+v, want a consent for each field", view.Remedies)
	}

	// A purpose that did not come with the credential.
	v.As("sms").For("order-fulfilment").Read(mina).Refused(vault.CodePurposeNotGranted)
	last := (&stage{Vault: v, t: t}).lastDecision()
	view = explained(t, v, last)
	if len(view.Remedies) != 1 || view.Remedies[0].Moves[0].Move != vault.MoveGrant || view.Remedies[0].Moves[0].Channel != "sms" {
		t.Errorf("a purpose that is not the channel's: got %+v", view.Remedies)
	}
}

func explained(t *testing.T, v *vaulttest.Vault, id privacy.DecisionID) *vault.DecisionView {
	t.Helper()
	view, err := v.Decision(t.Context(), v.Officer, id)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"Mina", "mina@", "901820"} {
		if strings.Contains(string(text), value) {
			t.Errorf("a decision shows %s: %s", value, text)
		}
	}
	return view
}

// reasonOf returns the line that decided of a field, and the first fact that did
// not hold.
func reasonOf(view *vault.DecisionView, f privacy.FieldName) (line, fails string) {
	for _, e := range view.Fields {
		if e.Field != f {
			continue
		}
		if e.Rego != nil {
			line = e.Rego.Text
		}
		for _, fact := range e.Chain {
			if !fact.Holds && fails == "" {
				fails = string(fact.Step) + ": " + fact.Words
			}
		}
	}
	return line, fails
}

// Mina said no to what rests on an interest of the shop's. No new ground turns
// that, so officers are told what does: that she takes it back.
func TestANoToAnInterestIsTakenBackByThePerson(t *testing.T) {
	for _, no := range []privacy.ConsentStatus{privacy.StatusWithdrawn, privacy.StatusRefused, privacy.StatusOptedOut, privacy.StatusObjected} {
		v := vaulttest.New(t, &vaulttest.Options{Register: strings.NewReplacer("channels:", "  - {id: fraud, title: Fraud, basis: legitimate_interests, fields: [email]}\nchannels:",
			"{id: web, kind: web, purposes: [order-fulfilment]", "{id: web, kind: web, purposes: [order-fulfilment, fraud]").Replace(vaulttest.Register)})
		web := v.As("web").For("fraud")
		values := vaulttest.CaptureRequest(t, map[string]any{"given_name": "Mina", "email": "mina@example.org"})
		values.Verified = []privacy.FieldName{"email"}
		told, err := v.Vault.Capture(t.Context(), v.As("web").Caller, values)
		if err != nil {
			t.Fatal(err)
		}
		mina := vaulttest.ID(told.Subject)
		web.Ground(mina, "begun")
		web.Read(mina).Released(map[string]any{"email": "mina@example.org"})
		web.Consent(mina, no)
		web.Ground(mina, "begun")
		denied, ok := web.Read(mina).Denied(privacy.CodeNoConsent).Err.(*vault.DeniedError)
		if !ok {
			t.Fatal("no denial")
		}
		remedies := explained(t, v, denied.Decision).Remedies
		if len(remedies) != 1 || len(remedies[0].Moves) != 1 || remedies[0].Moves[0].Move != vault.MoveConsent || remedies[0].Moves[0].Purpose != "fraud" {
			t.Fatalf("%s: got %+v, want that she takes it back", no, remedies)
		}
		own := v.Login("email", "mina@example.org")
		if no == privacy.StatusObjected {
			if made, err := v.ObjectOwn(t.Context(), own.Caller, "fraud", "it was me", nil); err != nil || made.Request == nil {
				t.Fatalf("objecting: %+v, %v", made, err)
			}
		}
		own.Says(privacy.StatusGiven, "fraud")
		if all, err := v.OwnRequests(t.Context(), own.Caller); err != nil || slices.ContainsFunc(all, func(q vault.Request) bool { return q.Status != vault.RequestWithdrawn }) {
			t.Errorf("%s: an officer is still asked: %+v (%v)", no, all, err)
		}
		web.Read(mina).Released(map[string]any{"email": "mina@example.org"})
		v.Stop()
	}
}
