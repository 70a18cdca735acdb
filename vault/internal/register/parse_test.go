package register_test

import (
	"testing"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// northgate is a small shop: one purpose on a contract, one on consent, and a
// store that sees less of an e-mail address than the web shop.
const northgate = `controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:Name", mask: initial, retention: P3Y}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", mask: partial, retention: P3Y}
  - {name: phone_number, type: phone, identifier: shared, category: "pd:TelephoneNumber", mask: last4, max_age: P1Y}
context:
  - {name: step, type: string, enum: [offer, support]}
purposes:
  - {id: order-fulfilment, title: Deliver what you ordered, dpv: "dpv:DeliveryOfGoods", basis: contract, contact: {caps: [{count: 3, per: P30D}, {count: 1, per: P1D, medium: letter}], quiet_hours: {from: "21:00", to: "08:00", zone: Europe/Berlin, media: [letter, visit]}, cooldowns: [{after: fault, for: P14D}, {after: claim, for: P7D}]}, fields: [given_name, email, phone_number], retention: P10Y}
  - id: sms-marketing
    title: {en: Offers by text message, de: Angebote per SMS}
    benefit: Early access to sales
    dpv: dpv:DirectMarketing
    basis: consent
    fields: [given_name, phone_number]
    recipients: [Texter Ltd]
    consent: {valid_for: P1Y, notice: {version: "2026-03", text: We text you offers.}}
channels:
  - {id: web, kind: web, purposes: [order-fulfilment], captures: [given_name, email, phone_number], obtains: [sms-marketing], limits: {people_per_day: 100}, bulk: {audiences: true}}
  - {id: store, kind: store, purposes: [order-fulfilment], captures: [given_name]}
  - {id: sms, kind: sms, purposes: [sms-marketing], recipient: Texter Ltd}
matrix:
  - {purpose: order-fulfilment, channel: store, field: email, as: mask}
  - {purpose: order-fulfilment, channel: store, field: phone_number, as: withhold}
settings:
  contact: {caps: [{count: 9, per: P90D}], quiet_hours: {from: "23:00", to: "06:00"}, reach: [{medium: text, field: phone_number}, {medium: mail, field: email}], keep: P5Y}
  asking: {lease: PT1M, again: P60D}
  erasure: {grace: P14D}
`

func parse(t *testing.T, text string) *register.Register {
	t.Helper()
	r, warnings, err := register.Parse("register.yaml", []byte(text))
	if err != nil {
		t.Fatalf("got problems, want none:\n%v", err)
	}
	if len(warnings) > 0 {
		t.Fatalf("got warnings, want none: %v", warnings)
	}
	return r
}

func TestARegisterIsLookedUpByName(t *testing.T) {
	r := parse(t, northgate)
	if f, ok := r.Field("email"); !ok || f.Type != privacy.TypeEmail || f.Identifier != register.Unique {
		t.Errorf("Field(email): got %+v, %v", f, ok)
	}
	if f, ok := r.Field("phone_number"); !ok || f.MaxAge != (privacy.Period{Years: 1}) {
		t.Errorf("Field(phone_number): got %+v, %v, want a maximum age of a year", f, ok)
	}
	p, ok := r.Purpose("sms-marketing")
	if !ok || p.Consent == nil || p.Consent.Notice.Version != "2026-03" || p.Title.In("de") != "Angebote per SMS" {
		t.Errorf("Purpose(sms-marketing): got %+v, %v", p, ok)
	}
	if c, ok := r.Channel("web"); !ok || c.Limits.PeoplePerDay != 100 || !c.Bulk.Audiences {
		t.Errorf("Channel(web): got %+v, %v", c, ok)
	}
	if _, ok := r.Field("shoe_size"); ok {
		t.Error("Field(shoe_size): got a field nobody declared")
	}
	if _, ok := r.Purpose("Sms-Marketing"); ok {
		t.Error("Purpose(Sms-Marketing): got a purpose, though names are exact")
	}
}

func TestTheMatrixShowsLessInTheStoreAndNowhereElse(t *testing.T) {
	r := parse(t, northgate)
	for _, c := range []struct {
		channel privacy.ChannelID
		field   privacy.FieldName
		want    string
	}{
		{"store", "email", "partial"}, // "mask" is the field's own
		{"store", "phone_number", register.Withhold},
		{"store", "given_name", ""},
		{"web", "email", ""},
	} {
		if got := r.As("order-fulfilment", c.channel, c.field); got != c.want {
			t.Errorf("%s of %s: got %q, want %q", c.field, c.channel, got, c.want)
		}
	}
}
