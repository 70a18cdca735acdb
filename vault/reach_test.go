package vault_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// household is a register in which a landline is shared.
var household = strings.Replace(vaulttest.Register, "{name: phone_number, type: phone, identifier: unique", "{name: phone_number, type: phone, identifier: shared", 1)

// A STOP from a line that two people share is for both of them.
func TestANoFromASharedLineReachesEverybodyWhoHasIt(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: household})
	line := vaulttest.By("phone_number", "+49 30 901820")
	sms := v.As("sms").For("sms-marketing")
	var both []vaulttest.Person
	for _, name := range []string{"Anahita", "Ben"} {
		who := v.As("web").Capture(told("given_name", name, "email", name+"@example.org", "phone_number", "+49 30 901820"))
		v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
		sms.Read(who, "given_name").Released(told("given_name", name))
		both = append(both, who)
	}
	sms.Consent(line, privacy.StatusWithdrawn)
	for _, who := range both {
		sms.Read(who).Denied(privacy.CodeNoConsent)
	}
	// And after a restart, which finds every act promised and done.
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	for _, who := range both {
		v.As("sms").For("sms-marketing").Read(who).Denied(privacy.CodeNoConsent)
	}
	// A yes is one person's: it is for nobody whom the line does not find alone.
	v.As("store").For("sms-marketing").Consent(both[0], privacy.StatusGiven)
	v.As("sms").For("sms-marketing").Read(both[0], "given_name").Released(told("given_name", "Anahita"))
	v.As("sms").For("sms-marketing").Read(both[1]).Denied(privacy.CodeNoConsent)
}

// A STOP from a number that somebody else holds reaches whoever has it, and
// goes with the number to whom it is verified for.
func TestANoReachesWhoeverHasTheNumberAndGoesWithIt(t *testing.T) {
	v := vaulttest.New(t, nil)
	const number = "+49 30 3333333"
	sms := v.As("sms").For("sms-marketing")
	squatter := v.As("web").Capture(told("given_name", "Squatter", "phone_number", number))
	wi := v.As("store").Capture(told("given_name", "Wi", "phone_number", number))
	if wi.ID == squatter.ID {
		t.Fatal("joined through another channel's unverified number")
	}
	v.As("store").For("sms-marketing").Consent(wi, privacy.StatusGiven)
	sms.Read(wi, "given_name").Released(told("given_name", "Wi"))

	late := v.As("web").CaptureResult(told("given_name", "Late", "email", "late@example.org"))
	v.As("store").For("sms-marketing").Consent(vaulttest.ID(late.Subject), privacy.StatusGiven)

	sms.Consent(vaulttest.By("phone_number", number), privacy.StatusWithdrawn)
	sms.Read(wi).Denied(privacy.CodeNoConsent)
	sms.Read(vaulttest.ID(late.Subject), "given_name").Released(told("given_name", "Late"))

	// The number is verified for somebody else: what was said no to with it comes along.
	req := vaulttest.CaptureRequest(t, told("phone_number", number))
	req.Subject, req.Verified = &vaulttest.Person{ID: late.Subject}, []privacy.FieldName{"phone_number"}
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	sms.Read(vaulttest.By("phone_number", number)).Denied(privacy.CodeNoConsent)
	sms.Read(vaulttest.ID(late.Subject)).Denied(privacy.CodeNoConsent)
}

// The web shop knows Ana's address, and she said no with it. Later another system
// brings her along, with a yes of years ago: it is the older word, and what is
// sent goes to the same address.
func TestANoHoldsForWhoIsCapturedWithTheAddressLater(t *testing.T) {
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Now: at})
	address := vaulttest.By("email", "ana@example.org")
	v.As("web").Capture(told("given_name", "Ana", "email", "ana@example.org"))
	v.As("mail").For("news").Consent(address, privacy.StatusWithdrawn)

	capture := func(ch privacy.ChannelID, mail string, at time.Time) vaulttest.Person {
		t.Helper()
		req := vaulttest.CaptureRequest(t, told("given_name", "Ana Q.", "email", mail))
		if !at.IsZero() {
			req.Consents = []vault.ConsentRequest{{Purpose: "news", Status: privacy.StatusGiven, Method: "web_form", At: at}}
		}
		res, err := v.Capture(t.Context(), v.As(ch).Caller, req)
		if err != nil {
			t.Fatal(err)
		}
		return vaulttest.ID(res.Subject)
	}
	brought := capture("desk", "Ana@Example.org", v.Now().Add(-2*365*24*time.Hour))
	v.As("mail").For("news").Read(brought).Denied(privacy.CodeNoConsent)
	v.As("mail").For("news").Read(address).Denied(privacy.CodeNoConsent)

	// And it comes along when somebody known takes the address on.
	moved := capture("desk", "ben@example.org", v.Now().Add(-time.Hour))
	v.As("mail").For("news").Read(moved, "email").Released(told("email", "ben@example.org"))
	req := vaulttest.CaptureRequest(t, told("email", "ana@example.org"))
	req.Subject = &moved
	if _, err := v.Capture(t.Context(), v.As("desk").Caller, req); err != nil {
		t.Fatal(err)
	}
	v.As("mail").For("news").Read(moved).Denied(privacy.CodeNoConsent)

	// A yes after the no counts, for whoever gave it.
	late := capture("app", "late@example.org", time.Time{})
	v.As("mail").For("news").Consent(vaulttest.By("email", "late@example.org"), privacy.StatusWithdrawn)
	v.Tick(time.Minute)
	again := capture("desk", "late@example.org", v.Now())
	if again.ID == late.ID {
		t.Fatal("joined through another channel's unverified address")
	}
	v.As("mail").For("news").Read(again, "given_name").Released(told("given_name", "Ana Q."))
	v.As("mail").For("news").Read(late).Denied(privacy.CodeNoConsent)
}

// Nor does a number that a family shares forget what was said with it: no text
// message goes there again for an older yes. A purpose that does not use the
// number is each one's own.
func TestANoHoldsForWhoIsCapturedWithTheSharedNumberLater(t *testing.T) {
	reg := strings.NewReplacer("channels:", `  - {id: texts, title: Texts, benefit: Texts, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name, phone_number], retention: P1Y, consent: {notice: {version: "1", text: Texts.}}}
channels:`, "obtains: [news]", "obtains: [news, texts]", "kind: mail, purposes: [news]", "kind: mail, purposes: [news, texts]").Replace(crowd)
	v := vaulttest.New(t, &vaulttest.Options{Register: reg, Now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)})
	const number = "+49 30 901820"
	mother := v.As("web").Capture(told("given_name", "Anahita", "email", "ana@example.org", "phone_number", number))
	v.As("mail").For("news").Consent(mother, privacy.StatusRefused)
	v.As("mail").For("texts").Consent(vaulttest.By("phone_number", number), privacy.StatusWithdrawn)

	req := vaulttest.CaptureRequest(t, told("given_name", "Ben", "email", "ben@example.org", "phone_number", number))
	for _, p := range []privacy.PurposeID{"news", "texts"} {
		req.Consents = append(req.Consents, vault.ConsentRequest{Purpose: p, Status: privacy.StatusGiven, Method: "paper_form", At: v.Now().Add(-30 * 24 * time.Hour)})
	}
	res, err := v.Capture(t.Context(), v.As("desk").Caller, req)
	if err != nil {
		t.Fatal(err)
	}
	v.As("mail").For("texts").Read(vaulttest.ID(res.Subject)).Denied(privacy.CodeNoConsent)
	v.As("mail").For("news").Read(vaulttest.ID(res.Subject), "given_name").Released(told("given_name", "Ben"))
}

// An act by an identifier tells no subject ID: not who is known, not since
// when, and not that two identifiers are one person's.
func TestAReceiptOfAnActByAnIdentifierTellsNoID(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	named := func(ch privacy.ChannelID, who vaulttest.Person) string {
		receipt := v.As(ch).For("sms-marketing").Consent(who, privacy.StatusRefused).Receipt
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(receipt, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims struct{ Sub string }
		if err := json.Unmarshal(body, &claims); err != nil {
			t.Fatal(err)
		}
		return claims.Sub
	}
	byMail, byPhone := named("sms", vaulttest.By("email", "ana.quintero@example.org")), named("sms", vaulttest.By("phone_number", "+4930901820"))
	unknown := named("sms", vaulttest.By("email", "nobody@example.org"))
	for _, sub := range []string{byMail, byPhone, unknown} {
		if !strings.HasPrefix(sub, "psn_") || len(sub) != len(unknown) || strings.Contains(sub, ana.ID.String()[4:]) {
			t.Errorf("sub: got %s, want a pseudonym", sub)
		}
	}
	if byMail == byPhone || byMail == named("store", vaulttest.By("email", "ana.quintero@example.org")) {
		t.Error("two identifiers, or two channels, have one pseudonym")
	}
	if byMail != named("sms", vaulttest.By("email", "Ana.Quintero@Example.org")) {
		t.Error("one identifier has two pseudonyms in one channel")
	}
	if got := named("store", ana); got != ana.ID.String() {
		t.Errorf("sub of an act by ID: got %s, want %s", got, ana.ID)
	}
}

// What another channel told cannot be learnt by guessing it with old times.
func TestAGuessTellsNothing(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	guess := func(value string) *vault.CaptureResult {
		req := vaulttest.CaptureRequest(t, told("phone_number", value))
		req.Subject, req.ObservedAt, req.Purposes = &ana, v.Now().Add(-20*365*24*time.Hour), []privacy.PurposeID{}
		res, err := v.Capture(t.Context(), v.As("desk").Caller, req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	v.Apply(vaulttest.Register + "  - {id: desk, kind: store, purposes: [sms-marketing], captures: [phone_number]}\n")
	guess("+49 30 1111111") // the desk is known as having captured for her from now on
	right, wrong := guess("+49 30 901820"), guess("+49 30 2222222")
	if len(right.Unchanged)+len(wrong.Superseded)+len(right.Superseded) != 0 || len(right.Accepted) != 1 || len(wrong.Accepted) != 1 {
		t.Errorf("a right guess is told %+v, a wrong one %+v", right, wrong)
	}
	v.As("web").For("order-fulfilment").Read(ana, "phone_number").Released(told("phone_number", "+4930901820"))
}

// A ledger that lacks acts which the vault did is not believed.
func TestAnOlderLedgerIsRefused(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	v.Stop()
	path := filepath.Join(v.Dir, "ledger")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.Stop()
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.Reopen(); !errors.Is(err, vault.ErrLedgerShorter) {
		t.Errorf("opening with an older ledger: got %v, want ErrLedgerShorter", err)
	}
}
