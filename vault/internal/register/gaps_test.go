package register

import (
	"reflect"
	"testing"
)

const gappy = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:Name", retention: P3Y}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress"}
  - {name: shoe_size, type: number, retention: P3Y}
  - {name: phone_number, title: {en: Telephone, fr: Téléphone}, type: phone, category: "pd:TelephoneNumber", retention: P3Y}
purposes:
  - {id: orders, title: Orders, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name]}
  - {id: news, title: {en: News, fr: Nouvelles}, dpv: "dpv:DirectMarketing", basis: consent, fields: [email], retention: P1Y, consent: {notice: {version: "1", text: {en: We send you news.}, purposes: [mail]}}}
  - {id: mail, title: {en: Mail, fr: Courrier}, dpv: "dpv:DirectMarketing", basis: consent, broader: news, fields: [email], retention: P1Y, consent: {notice: {version: "1", text: {en: We mail you., fr: Nous vous écrivons.}}}}
  - {id: calls, title: {en: Calls, fr: Appels}, dpv: "dpv:DirectMarketing", basis: consent, fields: [phone_number], retention: P1Y, consent: {notice: {version: "1", text: {en: We call you., fr: Nous vous appelons.}}}}
channels:
  - {id: web, kind: web, purposes: [orders], captures: [given_name, email], obtains: [news]}
  - {id: mailer, kind: mail, purposes: [mail], limits: {people_per_day: 10}}
  - {id: kiosk, kind: kiosk, sessions: {step_up: none}}
`

// Nothing in this register is wrong, and much of it is forgotten.
func TestGapsAreNamed(t *testing.T) {
	r, _, err := Parse("register.yaml", []byte(gappy))
	if err != nil {
		t.Fatal(err)
	}
	want := map[GapKind][]string{
		UnusedFields:       {"shoe_size"},
		UncapturedFields:   {"phone_number"},
		FieldsForEver:      {"email"},
		UnheldPurposes:     {"calls"}, // news is held by mail, which is part of it
		PurposesForEver:    {"orders"},
		UnobtainedPurposes: {"calls"}, // mail is named in the notice of news
		Untranslated:       {"news (fr)"},
		IdleChannels:       {"kiosk"},
		Unlimited:          {"web"},
		NoStepUp:           {"kiosk"},
	}
	if got := r.Gaps(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for kind := range want {
		found := false
		for _, k := range GapKinds {
			found = found || k == kind
		}
		if !found {
			t.Errorf("%s is not among the kinds", kind)
		}
	}
}
