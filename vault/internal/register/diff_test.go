package register_test

import (
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/internal/register"
)

func lines(changes []register.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, c.String())
	}
	return strings.Join(all, "\n")
}

func TestADiffTellsAnOfficerWhatChanges(t *testing.T) {
	got := lines(register.Diff(parse(t, northgate), parse(t, edit(t,
		"mask: partial, retention: P3Y}", "mask: partial, retention: P5Y}\n  - {name: diet, type: string, special: true, category: \"pd:Health\"}",
		"de: Angebote per SMS", "fr: Offres par SMS",
		"fields: [given_name, phone_number]", "fields: [phone_number, email]",
		"    recipients: [Texter Ltd]\n", "",
		", recipient: Texter Ltd", "",
		"limits: {people_per_day: 100}", "limits: {people_per_day: 50}",
		"enum: [offer, support]", "enum: [support, offer]",
		"field: phone_number, as: withhold}", "field: phone_number, as: last4}",
		"  - {purpose: order-fulfilment, channel: store, field: email, as: mask}\n", "",
	))))
	want := `changed fields.email.retention: P3Y → P5Y
added fields.diet: type string; category pd:Health; special true
changed context.step.enum: offer, support → support, offer
removed purposes.sms-marketing.title.de: Angebote per SMS
added purposes.sms-marketing.title.fr: Offres par SMS
removed purposes.sms-marketing.fields: given_name
added purposes.sms-marketing.fields: email
removed purposes.sms-marketing.recipients: Texter Ltd
changed channels.web.limits.people_per_day: 100 → 50
removed channels.sms.recipient: Texter Ltd
removed matrix.order-fulfilment/store/email
changed matrix.order-fulfilment/store/phone_number.as: withhold → last4`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAFirstRegisterIsAllNewAndTheSameOneIsNone(t *testing.T) {
	r := parse(t, northgate)
	first := register.Diff(nil, r)
	for _, c := range first {
		if c.Op != register.Added {
			t.Errorf("got %v, want only what was added", c)
		}
	}
	if got := lines(first); !strings.Contains(got, "added purposes.sms-marketing: ") || !strings.Contains(got, "added controller.name: Northgate") {
		t.Errorf("got\n%s", got)
	}
	if again := register.Diff(r, parse(t, northgate)); len(again) != 0 {
		t.Errorf("got %v, want nothing", again)
	}
}
