package vault_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// choices are what a register of these tests can say at each of its places: the
// first choice of all is what it says by default, and some places hold more than
// one choice at once.
var choices = []struct {
	place string
	one   []string
}{
	{"emailRetention", []string{", retention: P3Y", ", retention: P1Y", ", retention: P400D", ""}},
	{"emailAge", []string{"", ", max_age: P1Y", ", max_age: P200D"}},
	{"emailMask", []string{"partial", "initial"}},
	{"special", []string{"false", "true"}},
	{"orderFields", []string{"given_name, email, phone_number", "email", "given_name, email", "given_name, email, phone_number, birthdate"}},
	{"orderBasis", []string{"contract", "legitimate_interests", "legal_obligation"}},
	{"orderRetention", []string{"P10Y", "P1Y", "P2Y"}},
	{"careRetention", []string{"P2Y", "P5Y"}},
	{"smsFields", []string{"given_name, phone_number", "phone_number", "given_name, phone_number, email"}},
	{"smsBroader", []string{"", ", broader: marketing", ", broader: order-care"}},
	{"smsValid", []string{"P1Y", "P2Y", "P6M"}},
	{"marketingFields", []string{"given_name, phone_number, email", "phone_number", "given_name, phone_number, email, diet"}},
	{"marketingNotice", []string{"", ", purposes: [sms-marketing]"}},
	{"recipients", []string{"[Texter Ltd]", "[Texter Ltd, Other Ltd]"}},
	{"smsRecipient", []string{"", ", recipient: Texter Ltd"}},
	{"adsWhere", []string{"[US-CA]", "[US-CA, DE]", "[US]"}},
	{"webPurposes", []string{"order-fulfilment, ads", "order-fulfilment", "order-fulfilment, ads, sms-marketing"}},
	{"storeCaptures", []string{"given_name, phone_number", "given_name", "given_name, phone_number, email"}},
	{"storeObtains", []string{"sms-marketing, marketing", "sms-marketing", "marketing"}},
	{"cells", []string{"", "mask", "initial", "partial", "withhold"}},
	{"birthCell", []string{"", "year", "over_16", "age_band"}},
}

// registerOf writes a register of choices.
func registerOf(c map[string]string) string {
	cells := ""
	if as := c["cells"]; as != "" {
		cells += "  - {purpose: order-fulfilment, channel: web, field: email, as: " + as + "}\n"
	}
	if as := c["birthCell"]; as != "" && strings.Contains(c["orderFields"], "birthdate") {
		cells += "  - {purpose: order-fulfilment, channel: web, field: birthdate, as: " + as + "}\n"
	}
	if cells != "" {
		cells = "matrix:\n" + cells
	}
	// A notice names only what is narrower.
	named := map[string]string{"marketing": c["marketingNotice"], "order-care": ", purposes: [sms-marketing]"}
	for broader := range named {
		if c["smsBroader"] != ", broader: "+broader {
			named[broader] = ""
		}
	}
	explicit := ""
	if strings.Contains(c["marketingFields"], "diet") && c["special"] == "true" {
		explicit = "explicit: true, "
	}
	return fmt.Sprintf(`controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:GivenName"}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", mask: %s%s%s}
  - {name: phone_number, type: phone, identifier: unique, category: "pd:TelephoneNumber"}
  - {name: birthdate, type: date, category: "pd:BirthDate"}
  - {name: country, type: country, category: "pd:Country"}
  - {name: diet, type: string, category: "pd:Tax", special: %s}
purposes:
  - {id: order-fulfilment, title: Deliver, basis: %s, fields: [%s], retention: %s}
  - {id: order-care, title: Care, basis: consent, fields: [given_name, phone_number], retention: %s, consent: {notice: {version: "1", text: x%s}}}
  - {id: marketing, title: Offers, basis: consent, fields: [%s], recipients: %s, consent: {%snotice: {version: "1", text: x%s}}}
  - {id: sms-marketing, title: Texts, basis: consent, fields: [%s], recipients: %s%s, retention: P1Y, consent: {valid_for: %s, notice: {version: "1", text: x}}}
  - {id: ads, title: Ads, basis: opt_out, jurisdictions: %s, fields: [email]}
channels:
  - {id: web, kind: web, purposes: [%s], captures: [given_name, email, phone_number, birthdate, country]}
  - {id: sms, kind: sms, purposes: [sms-marketing]%s}
  - {id: store, kind: store, purposes: [order-fulfilment, sms-marketing], captures: [%s], obtains: [%s, order-care]}
%s`, c["emailMask"], c["emailRetention"], c["emailAge"], c["special"], c["orderBasis"], c["orderFields"], c["orderRetention"], c["careRetention"], named["order-care"],
		c["marketingFields"], c["recipients"], explicit, named["marketing"], c["smsFields"], c["recipients"], c["smsBroader"], c["smsValid"],
		c["adsWhere"], c["webPurposes"], c["smsRecipient"], c["storeCaptures"], strings.ReplaceAll(c["storeObtains"], "marketing, marketing", "marketing"), cells)
}

// Whatever an officer changes in a register: if no line of it widens, nobody is
// shown more of anybody than under the register before – now, and in years, by
// what people said before and by what they say after. Two vaults live the same
// life, and one of them gets the change.
func TestARegisterThatNarrowsNeverShowsMore(t *testing.T) {
	trials := 60
	if testing.Short() {
		trials = 20
	}
	narrowed, shown := 0, 0
	for seed := range uint64(trials) {
		r := rand.New(rand.NewPCG(seed, 11))
		before := map[string]string{}
		for _, c := range choices {
			before[c.place] = c.one[0]
			if r.IntN(2) == 0 {
				before[c.place] = oneOf(r, c.one...)
			}
		}
		after := map[string]string{}
		for place, is := range before {
			after[place] = is
		}
		for range 1 + r.IntN(2) {
			c := choices[r.IntN(len(choices))]
			after[c.place] = oneOf(r, c.one...)
		}
		n, more := narrows(t, r, registerOf(before), registerOf(after))
		narrowed += n
		shown += more
	}
	if narrowed < trials/5 || shown < trials {
		t.Errorf("only %d of %d changes narrowed, and %d fields were shown: the test says little", narrowed, trials, shown)
	}
}

// narrows lives a life in two vaults and compares what is shown, if the change
// narrows.
func narrows(t *testing.T, r *rand.Rand, before, after string) (narrowed, shown int) {
	ctx := context.Background()
	start := &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), Register: before}
	trial := vaulttest.New(t, start)
	defer trial.Stop()
	dry, err := trial.ApplyRegister(ctx, trial.Officer, "register.yaml", []byte(after), nil, true)
	if err != nil {
		t.Fatalf("%v\n%s", err, after)
	}
	if dry.Status == vault.StatusUnchanged || slices.ContainsFunc(dry.Changes, func(c vault.Change) bool { return c.Widens }) {
		return 0, 0
	}
	w := &twins{random: r, real: trial, other: vaulttest.New(t, start)}
	defer w.other.Stop()
	w.people = make([][2]vaulttest.Person, 3)
	for i := range w.people {
		values := map[string]any{"given_name": "Mina", "email": fmt.Sprintf("m%d@example.org", i), "phone_number": fmt.Sprintf("+4930%07d", 1000000+i),
			"birthdate": oneOf(r, "1980-05-01", "2011-05-01"), "country": oneOf(r, "DE", "US")}
		w.same(func(v *vaulttest.Vault, twin int) { w.people[i][twin] = v.As("web").Capture(values) })
		w.say(i)
	}
	w.other.Apply(after)
	for i := range w.people {
		w.say(i)
	}
	for _, days := range []int{0, 150, 300, 500} {
		w.same(func(v *vaulttest.Vault, _ int) { v.Tick(time.Duration(days) * 24 * time.Hour) })
		for i := range w.people {
			shown += w.compare(t, i, before, after)
		}
	}
	return 1, shown
}

// say lets somebody say something, or nothing.
func (w *twins) say(who int) {
	r := w.random
	for range r.IntN(3) {
		purpose := oneOf[privacy.PurposeID](r, "sms-marketing", "marketing", "order-care", "ads", "order-fulfilment")
		status := oneOf(r, privacy.StatusGiven, privacy.StatusGiven, privacy.StatusGiven, privacy.StatusWithdrawn, privacy.StatusObjected)
		w.same(func(v *vaulttest.Vault, twin int) {
			_, _ = v.RecordConsent(context.Background(), v.As("store").Caller, vault.ConsentRequest{Subject: w.people[who][twin], Purpose: purpose, Status: status, Method: "web_form"})
		})
	}
}

// compare reads everything about somebody in both, and counts what is shown.
func (w *twins) compare(t *testing.T, who int, before, after string) (shown int) {
	for _, channel := range []privacy.ChannelID{"web", "sms", "store"} {
		for _, purpose := range []privacy.PurposeID{"order-fulfilment", "sms-marketing", "ads"} {
			var told [2]map[privacy.FieldName]policy.Outcome
			w.same(func(v *vaulttest.Vault, twin int) {
				told[twin] = toldOf(v.As(channel).For(purpose).Read(w.people[who][twin]))
			})
			for f, is := range told[1] {
				was, there := told[0][f]
				if is.Action == policy.Withhold || is.Action == nothing {
					continue
				}
				shown++
				if !there || was.Action == policy.Withhold || was.Action == nothing || was.Action == policy.Mask && (is.Action == policy.Release || !privacy.NoMore(is.Mask, was.Mask)) {
					t.Fatalf("%s of person %d for %s in %s: shown as %+v, before the change as %+v\n%s\n%s", f, who, purpose, channel, is, was, before, after)
				}
			}
		}
	}
	return shown
}
