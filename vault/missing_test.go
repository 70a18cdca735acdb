package vault_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// ageing is the small shop where addresses grow old, with visits that rest on
// consent and need nothing but an address.
var ageing = strings.NewReplacer(
	"mask: city,", "mask: city, max_age: P1Y,",
	"channels:\n", `  - {id: visits, title: Visits, benefit: We call on you, dpv: "dpv:DirectMarketing", basis: consent, fields: [address], retention: P3Y, consent: {notice: {version: "1", text: We visit you.}}}
channels:
`,
	"[order-fulfilment, sms-marketing], captures", "[order-fulfilment, sms-marketing, visits], captures",
	"obtains: [sms-marketing]", "obtains: [sms-marketing, visits]",
).Replace(vaulttest.Register)

// missing tells what is missing as "field why, …", or the code of the refusal.
func missing(t *testing.T, v *vaulttest.Vault, ch privacy.ChannelID, who vaulttest.Person, purpose privacy.PurposeID) string {
	t.Helper()
	list, err := v.Missing(t.Context(), v.As(ch).Caller, who.ID, purpose)
	var refused *vault.Error
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case err != nil:
		t.Fatalf("%s asks what is missing: %v", ch, err)
	}
	words := make([]string, len(list))
	for i, m := range list {
		words[i] = string(m.Field) + " " + m.Why
	}
	return strings.Join(words, ", ")
}

// Anahita ordered in the store. What nobody asked her yet is missing to each
// channel that may ask; what grew old has to be asked again; what she answers
// to one is missing to none. No value is opened to find out: hers are damaged.
func TestEachChannelIsToldWhatItMayAskFor(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: ageing, Now: march})
	ana := v.As("store").Capture(map[string]any{"given_name": "Anahita", "address": anahita["address"]})
	whole := getRow(t, v, "profiles", ana.ID[:])
	want := func(ch privacy.ChannelID, want string) {
		t.Helper()
		if got := missing(t, v, ch, ana, "order-fulfilment"); got != want {
			t.Errorf("missing to %s: got %q, want %q", ch, got, want)
		}
	}
	putRow(t, v, "profiles", ana.ID[:], []byte("no profile"))
	want("web", "family_name absent, email absent, phone_number absent")
	want("store", "phone_number absent") // the others it may not capture
	v.Tick(400 * 24 * time.Hour)
	want("store", "phone_number absent, address stale")
	putRow(t, v, "profiles", ana.ID[:], whole)
	v.As("store").Capture(map[string]any{"given_name": "Anahita", "address": anahita["address"]})

	req := vaulttest.CaptureRequest(t, map[string]any{"phone_number": "+49 30 901820", "address": anahita["address"]})
	req.Subject = &ana
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	want("web", "family_name absent, email absent")
	want("store", "")

	// What a rule withholds is not asked for, stale or not.
	v.Tick(400 * 24 * time.Hour)
	v.Activate("package sayso.rules\n\nimport rego.v1\n\n" +
		`withhold contains {"field": "address", "reason": "Addresses stay with the store"} if { input.channel.id == "web" }`)
	want("web", "family_name absent, email absent")
	want("store", "address stale")
	v.As("web").For("order-fulfilment").Ground(ana, vault.GroundEnded)
	want("store", "")
}

// Whoever gave no say-so misses nothing, like somebody nobody knows; and each
// question is a decision with its record.
func TestNothingIsMissingOfNobody(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: ageing, Now: march})
	capture := func() vaulttest.Person {
		return v.As("store").Capture(map[string]any{"given_name": "Anahita"})
	}
	visits := v.As("store").For("visits")
	people := map[string]vaulttest.Person{"unknown": vaulttest.ID(privacy.NewSubjectID()), "never asked": capture(), "withdrawn": capture(), "given, all stale": capture()}
	visits.Consent(people["withdrawn"], privacy.StatusGiven)
	visits.Consent(people["withdrawn"], privacy.StatusWithdrawn)
	stale := people["given, all stale"]
	visits.Consent(stale, privacy.StatusGiven)
	if got := missing(t, v, "store", stale, "visits"); got != "address absent" {
		t.Errorf("given: got %q, want address absent", got)
	}
	req := vaulttest.CaptureRequest(t, map[string]any{"address": anahita["address"]})
	req.Subject, req.ObservedAt = &stale, v.Now().AddDate(-2, 0, 0)
	if _, err := v.Capture(t.Context(), v.As("store").Caller, req); err != nil {
		t.Fatal(err)
	}
	for who, p := range people {
		size := v.Store.Size()
		if got := missing(t, v, "store", p, "visits"); got != "" {
			t.Errorf("%s: got %q, want nothing missing", who, got)
		}
		if got := v.Store.Size(); got != size+1 {
			t.Errorf("%s: the log grew from %d to %d, want a record", who, size, got)
		}
	}
	for purpose, want := range map[privacy.PurposeID]string{"order-fulfilment": vault.CodeUnknownSubject, "no-such": vault.CodeUnknownPurpose} {
		if got := missing(t, v, "store", people["unknown"], purpose); got != want {
			t.Errorf("%s of somebody unknown: got %q, want %q", purpose, got, want)
		}
	}
	if got := missing(t, v, "web", people["never asked"], "visits"); got != vault.CodePurposeNotGranted {
		t.Errorf("for a purpose that is not the channel's: got %q, want %s", got, vault.CodePurposeNotGranted)
	}
}
