package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

var march = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// observed is a capture of what was seen at a time.
func observed(t *testing.T, v *vaulttest.Vault, ch privacy.ChannelID, at time.Time, values map[string]any) *vault.CaptureResult {
	t.Helper()
	req := vaulttest.CaptureRequest(t, values)
	req.ObservedAt = at
	res, err := v.Capture(t.Context(), v.As(ch).Caller, req)
	if err != nil {
		t.Fatalf("capturing: %v", err)
	}
	return res
}

func sameNames(t *testing.T, what string, got []privacy.FieldName, want string) {
	t.Helper()
	slices.Sort(got)
	if fmt.Sprint(got) != want {
		t.Errorf("%s: got %v, want %s", what, got, want)
	}
}

// The later observation wins, whichever arrives first; the loser is named and
// kept, and a value seen again is not written again.
func TestTheLaterObservationWins(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Now: march})
	monday := march.AddDate(0, 0, -7)
	ana := vaulttest.ID(observed(t, v, "web", monday, told("email", "a@example.org", "given_name", "Anahita")).Subject)

	res := observed(t, v, "web", monday.Add(time.Hour), told("email", "a@example.org", "given_name", "Ana"))
	sameNames(t, "accepted", res.Accepted, "[given_name]")
	sameNames(t, "superseded", res.Superseded, "[given_name]")
	sameNames(t, "unchanged", res.Unchanged, "[email]")
	finds(t, v, ana, "Ana")

	res = observed(t, v, "web", monday.Add(-time.Hour), told("email", "a@example.org", "given_name", "A."))
	sameNames(t, "accepted", res.Accepted, "[]")
	sameNames(t, "superseded", res.Superseded, "[given_name]")
	finds(t, v, ana, "Ana")

	// Of two of one moment the one that came last.
	res = observed(t, v, "web", monday.Add(time.Hour), told("email", "a@example.org", "given_name", "Anna"))
	sameNames(t, "accepted", res.Accepted, "[given_name]")
	finds(t, v, ana, "Anna")

	// Seen again later, it stays against what was seen between.
	observed(t, v, "web", monday.Add(3*time.Hour), told("email", "a@example.org", "given_name", "Anna"))
	observed(t, v, "web", monday.Add(2*time.Hour), told("email", "a@example.org", "given_name", "Between"))
	finds(t, v, ana, "Anna")

	past, err := v.PastValues(t.Context(), ana.ID)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(past)
	if want := `[given_name "A." web given_name "Ana" web given_name "Anahita" web given_name "Between" web]`; fmt.Sprint(past) != want {
		t.Errorf("history: got %v, want %s", past, want)
	}
	s, err := v.StandingOf(t.Context(), ana.ID)
	if err != nil {
		t.Fatal(err)
	}
	name := s.Value("given_name")
	if name.Version != 3 || name.Channel != "web" || name.Origin != privacy.Declared || name.Verified || !name.Observed.Equal(monday.Add(3*time.Hour)) {
		t.Errorf("provenance: got %+v, want version 3, declared to web three hours after Monday noon", *name)
	}
}

// An observation that lost does not make its identifier find anybody.
func TestAnEmailOfLongAgoFindsNobody(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Now: march})
	ana := v.As("web").Capture(told("card", "4711", "email", "new@example.org", "given_name", "Anahita"))
	observed(t, v, "web", march.AddDate(-1, 0, 0), told("card", "4711", "email", "old@example.org"))
	finds(t, v, vaulttest.By("email", "old@example.org"), "")
	finds(t, v, vaulttest.By("email", "new@example.org"), "Anahita")
	v.As("web").For("order").Read(ana, "email").Released(map[string]any{"email": "new@example.org"})
}

// Everything that is wrong with a capture is named at once, and nothing of it
// is stored: no person, no key, no record.
func TestABadCaptureNamesEachFieldAndStoresNothing(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: march})
	v.As("web").Capture(anahita)
	before, size := rows(t, v), v.Store.Size()

	req := vaulttest.CaptureRequest(t, map[string]any{"given_name": "Ben", "email": "not an address", "phone_number": "12", "birthdate": "1987-02-30", "shoe_size": 43})
	req.Fields = append(req.Fields, vault.CapturedField{Field: "given_name", Value: privacy.NewSensitive([]byte(`"Benno"`))})
	req.Verified = []privacy.FieldName{"address"}
	req.Purposes = []privacy.PurposeID{"sms-marketing"}
	req.ObservedAt = march.Add(2 * time.Minute)
	req.Consents = []vault.ConsentRequest{{Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "No Spaces!"}}
	_, err := v.Capture(t.Context(), v.As("web").Caller, req)
	refused := refusedWith(t, err, vault.CodeInvalidRequest)
	var got []string
	for _, f := range refused.Fields {
		got = append(got, f.Field+" "+f.Code)
		if f.Detail == "" {
			t.Errorf("%s: no word on what was expected", f.Field)
		}
	}
	slices.Sort(got)
	want := []string{"birthdate invalid_date", "email invalid_email", "given_name duplicate", "observed_at in_future", "phone_number invalid_phone",
		"purposes purpose_not_granted", "shoe_size field_not_capturable", "verified not_captured"}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("named: got %v, want %s among them", got, w)
		}
	}
	if !slices.ContainsFunc(got, func(s string) bool {
		return s == "consents[0].method invalid_value" || s == "consents[0].method invalid_method"
	}) {
		t.Errorf("named: got %v, want the consent's method among them", got)
	}
	sameRows(t, before, rows(t, v))
	if v.Store.Size() != size {
		t.Error("a refused capture stands in the log")
	}
}

// A capture that is refused by its consent stores no value, and one whose
// transaction fails neither.
func TestACaptureIsAllOrNothing(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Store: w.wrap})
	v.As("web").Capture(anahita)
	before := rows(t, v)

	req := vaulttest.CaptureRequest(t, map[string]any{"given_name": "Ben", "phone_number": "+49 30 1234567"})
	req.Consents = []vault.ConsentRequest{{Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "web_form"}}
	_, err := v.Capture(t.Context(), v.As("web").Caller, req)
	refusedWith(t, err, vault.CodeConsentNotObtainable)
	sameRows(t, before, rows(t, v))

	w.set(func(w *watched) { w.onTx = func() error { return errPulled } })
	_, err = v.Capture(t.Context(), v.As("store").Caller, req)
	refusedWith(t, err, vault.CodeUnavailable)
	w.set(func(w *watched) { w.onTx = nil })
	sameRows(t, before, rows(t, v))

	// With the disk back, all of it is there.
	res, err := v.Capture(t.Context(), v.As("store").Caller, req)
	if err != nil || len(res.Consents) != 1 || !res.Consents[0].Effective {
		t.Fatalf("capture: got %+v, %v, want it with its consent", res, err)
	}
	v.As("sms").For("sms-marketing").Read(vaulttest.ID(res.Subject)).Released(map[string]any{"given_name": "Ben", "phone_number": "+49301234567"})
}

// A capture begins grounds for what it names, by default for what the channel
// holds without consent and lists a captured field. A contract without a ground
// releases nothing.
func TestACaptureBeginsTheGroundsItIsFor(t *testing.T) {
	v := newCrowd(t)
	capture := func(purposes []privacy.PurposeID, values map[string]any) vaulttest.Person {
		t.Helper()
		req := vaulttest.CaptureRequest(t, values)
		req.Purposes = purposes
		res, err := v.Capture(t.Context(), v.As("web").Caller, req)
		if err != nil {
			t.Fatal(err)
		}
		return vaulttest.ID(res.Subject)
	}
	byDefault := capture(nil, told("email", "a@example.org"))
	v.As("web").For("order").Read(byDefault, "email").Released(told("email", "a@example.org"))
	v.As("web").For("fraud").Read(byDefault, "email").Released(told("email", "a@example.org"))

	nameOnly := capture(nil, told("given_name", "Ben"))
	v.As("web").For("order").Read(nameOnly, "given_name").Released(told("given_name", "Ben"))
	v.As("web").For("fraud").Read(nameOnly).Denied(privacy.CodeNoConsent)

	chosen := capture([]privacy.PurposeID{"fraud"}, told("email", "c@example.org"))
	v.As("web").For("fraud").Read(chosen, "email").Released(told("email", "c@example.org"))
	v.As("web").For("order").Read(chosen, "email").Denied(privacy.CodeNoGround)

	none := capture([]privacy.PurposeID{}, told("email", "d@example.org"))
	v.As("web").For("order").Read(none, "email").Denied(privacy.CodeNoGround)
	v.As("web").For("order").Ground(none, vault.GroundBegun)
	v.As("app").For("order").Read(none, "email").Released(told("email", "d@example.org"))
	v.As("mail").For("order").Ground(none, vault.GroundEnded) // whoever it is told by
	v.As("app").For("order").Read(none, "email").Denied(privacy.CodeNoGround)

	for _, c := range []struct {
		purpose privacy.PurposeID
		code    string
	}{{"news", "purpose_not_granted"}, {"nothing", "purpose_not_granted"}} {
		req := vaulttest.CaptureRequest(t, told("email", "e@example.org"))
		req.Purposes = []privacy.PurposeID{c.purpose}
		_, err := v.Capture(t.Context(), v.As("web").Caller, req)
		if got := refusedWith(t, err, vault.CodeInvalidRequest).Fields[0].Code; got != c.code {
			t.Errorf("a ground for %s: got %s, want %s", c.purpose, got, c.code)
		}
	}
	req := vaulttest.CaptureRequest(t, told("email", "e@example.org"))
	req.Purposes = []privacy.PurposeID{"news"}
	_, err := v.Capture(t.Context(), v.As("desk").Caller, req)
	if got := refusedWith(t, err, vault.CodeInvalidRequest).Fields[0].Code; got != "needs_consent" {
		t.Errorf("a ground for what rests on consent: got %s, want needs_consent", got)
	}
	finds(t, v, vaulttest.By("email", "e@example.org"), "")
}

// What changes between the check of a capture and its transaction counts: the
// field, the ground, the consent that the channel may no longer record.
func TestWhatChangesWhileACaptureIsCheckedCounts(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Store: w.wrap})
	between := func(from, to string) {
		text := strings.Replace(crowd, from, to, 1)
		if text == crowd {
			t.Fatalf("the register has no %q", from)
		}
		var once atomic.Bool
		w.set(func(w *watched) {
			w.onTx = func() error {
				if once.CompareAndSwap(false, true) {
					v.Apply(text)
				}
				return nil
			}
		})
	}
	again := func() {
		w.set(func(w *watched) { w.onTx = nil })
		v.Apply(crowd)
	}
	values := told("email", "a@example.org")

	between("purposes: [order, fraud], captures: [given_name, email, card, phone_number]}\n  - {id: app", "purposes: [order, fraud], captures: [given_name, card]}\n  - {id: app")
	_, err := v.Capture(t.Context(), v.As("web").Caller, vaulttest.CaptureRequest(t, values))
	if got := refusedWith(t, err, vault.CodeInvalidRequest).Fields[0]; got.Field != "email" || got.Code != vault.CodeFieldNotCapturable {
		t.Errorf("a field that was taken from the channel meanwhile: got %+v", got)
	}
	again()

	between("{id: web, kind: web, purposes: [order, fraud]", "{id: web, kind: web, purposes: [order]")
	ana := v.As("web").Capture(values)
	again()
	v.As("web").For("fraud").Read(ana).Denied(privacy.CodeNoConsent) // the ground was not begun

	between("obtains: [news]", "obtains: []")
	_, err = v.RecordConsent(t.Context(), v.As("desk").Caller, vault.ConsentRequest{Subject: ana, Purpose: "news", Status: privacy.StatusGiven, Method: "letter"})
	refusedWith(t, err, vault.CodeConsentNotObtainable)
	again()

	between("{id: web, kind: web, purposes: [order, fraud]", "{id: web, kind: web, purposes: [order]")
	err = v.RecordGround(t.Context(), v.As("web").Caller, vault.GroundRequest{Subject: ana, Purpose: "fraud", Status: vault.GroundBegun})
	refusedWith(t, err, vault.CodePurposeNotGranted)
	again()
	v.As("mail").For("news").Read(ana).Denied(privacy.CodeNoConsent)
	v.As("web").For("fraud").Read(ana).Denied(privacy.CodeNoConsent)
}
