package register_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/internal/register"
)

// edit replaces a part of northgate, which must be there.
func edit(t *testing.T, pairs ...string) string {
	t.Helper()
	text := northgate
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(text, pairs[i]) != 1 {
			t.Fatalf("northgate has %q %d times, want once", pairs[i], strings.Count(text, pairs[i]))
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

func problems(t *testing.T, text string) []register.Problem {
	t.Helper()
	r, _, err := register.Parse("register.yaml", []byte(text))
	if err == nil {
		return nil
	}
	var all *register.ProblemsError
	if !errors.As(err, &all) || r != nil {
		t.Fatalf("got %v and the error %v, want no register and a ProblemsError", r, err)
	}
	return all.Problems
}

// Each of these mistakes is the only one in its text, is told once, at the line
// and key where a person has to look, with what was expected.
func TestOneMistakeIsToldOnceAndInItsPlace(t *testing.T) {
	const sms = `  - {id: sms, kind: sms,`
	const offers = "dpv: dpv:DirectMarketing\n    basis: consent"
	for _, c := range []struct {
		name     string
		from, to string
		line     int
		key      string
		detail   string
	}{
		{"a key with a typing error", "max_age: P1Y", "max_aeg: P1Y", 5, "fields[2].max_aeg", "unknown key; did you mean max_age?"},
		{"a text torn by a comma", "title: Deliver what you ordered", "title: Deliver, what you ordered", 9, "purposes[0].what you ordered", "a text with a comma needs quotes here"},
		{"a title torn by a comma", "en: Offers by text message", "en: Offers, by text", 11, "purposes[1].title.by text", "a text with a comma needs quotes here"},
		{"a key twice", "mask: initial, ", "mask: initial, mask: partial, ", 3, "fields[0].mask", "twice"},
		{"a key missing", "name: given_name, type: string, ", "name: given_name, ", 3, "fields[0]", "type is missing"},
		{"a number for text", `version: "2026-03"`, `version: 3`, 17, "purposes[1].consent.notice.version", `found the number "3"; put it in quotes`},
		{"nothing for a list", "captures: [given_name]}", "captures: }", 20, "channels[1].captures", "expected a list, found nothing"},
		{"a list for keys", "limits: {people_per_day: 100}", "limits: [100]", 19, "channels[0].limits", "expected keys and values (requests_per_minute, "},
		{"no whole number", "people_per_day: 100", "people_per_day: 0.5", 19, "channels[0].limits.people_per_day", "expected a whole number"},
		{"a URL for a host", "limits: {people_per_day: 100}", "webhooks: [\"https://hooks.example\"]", 19, "channels[0].webhooks[0]", "is no host"},
		{"a host twice", "limits: {people_per_day: 100}", "webhooks: [\"::ffff:10.0.0.1\", 10.0.0.1]", 19, "channels[0].webhooks[1]", "twice"},
		{"a limit of nothing", "people_per_day: 100", "people_per_day: 0", 19, "channels[0].limits.people_per_day", "leave the key out for no limit"},
		{"no truth value", "mask: initial, ", "mask: initial, special: 1, ", 3, "fields[0].special", "expected true or false"},
		{"no period", "retention: P10Y", "retention: 10 years", 9, "purposes[0].retention", "not an ISO 8601 duration such as P3Y"},
		{"an unknown type", "type: email", "type: emial", 4, "fields[1].type", "did you mean email? (expected one of string, email,"},
		{"an unknown mask", "mask: last4", "mask: last5", 5, "fields[2].mask", "did you mean last4?"},
		{"an unknown basis", "basis: contract", "basis: interest", 9, "purposes[0].basis", "expected one of consent, contract, legal_obligation"},
		{"a name with a capital", "{id: web, kind", "{id: Web, kind", 19, "channels[0].id", `"Web" is no name: expected a to z first`},
		{"no country", "country: DE", "country: de", 1, "controller.country", "ISO 3166-1"},
		{"no language", "de: Angebote", "deutsch_: Angebote", 11, "purposes[1].title.deutsch_", "BCP 47"},
		{"an empty text", "benefit: Early access to sales", `benefit: " "`, 12, "purposes[1].benefit", "expected text, found none"},
		{"a control character", "benefit: Early access to sales", `benefit: "Early\u0007"`, 12, "purposes[1].benefit", "U+0007"},
		{"a text turned around", "benefit: Early access to sales", `benefit: "Early\u202e"`, 12, "purposes[1].benefit", "U+202E"},
		{"a terminal's command", "benefit: Early access to sales", `benefit: "Early\u009b2J"`, 12, "purposes[1].benefit", "U+009B"},
		{"a name in a list twice", "captures: [given_name]}", "captures: [given_name, given_name]}", 20, "channels[1].captures[1]", "twice"},
		{"an anchor", "type: email", "type: &e email", 4, "", "&e is an anchor"},
		{"a tag", "type: email", "type: !!str email", 4, "", "!!str is a tag"},

		{"a field declared twice", "name: phone_number, type: phone", "name: email, type: phone", 5, "", ""},
		{"a channel declared twice", "{id: store, kind", "{id: web, kind", 20, "", ""},
		{"an undeclared field", "fields: [given_name, email, phone_number], ret", "fields: [given_name, emial, email, phone_number], ret", 9, "purposes[0].fields[1]", "emial is not declared under fields; did you mean email?"},
		{"a purpose without fields", "fields: [given_name, phone_number]", "fields: []", 15, "purposes[1].fields", "at least one field"},
		{"an undeclared purpose", sms + " purposes: [sms-marketing]", sms + " purposes: [sms-marketing, post]", 21, "channels[2].purposes[1]", "post is not declared under purposes"},
		{"capture of an undeclared field", "captures: [given_name]}", "captures: [given_name, diet]}", 20, "channels[1].captures[1]", "diet is not declared"},
		{"consent obtained for a contract", "obtains: [sms-marketing]", "obtains: [order-fulfilment]", 19, "channels[0].obtains[0]", "rests on contract: there is no consent to obtain"},
		{"consent without its terms", `    consent: {valid_for: P1Y, notice: {version: "2026-03", text: We text you offers.}}`, "", 14, "purposes[1].basis", "consent needs a consent block"},
		{"terms without a notice", `, notice: {version: "2026-03", text: We text you offers.}`, "", 17, "purposes[1].consent", "notice is missing"},
		{"a consent block on a contract", "retention: P10Y}", "retention: P10Y, consent: {notice: {version: a, text: b}}}", 9, "purposes[0].consent", "goes with basis consent or opt_out, not with contract"},
		{"jurisdictions on a contract", "retention: P10Y}", "retention: P10Y, jurisdictions: [US]}", 9, "purposes[0].jurisdictions", "goes with basis opt_out"},
		{"opt-out everywhere", offers, strings.Replace(offers, "consent", "opt_out", 1), 14, "purposes[1].basis", "opt_out needs jurisdictions"},
		{"opt-out in no such place", offers, strings.Replace(offers, "consent", "opt_out\n    jurisdictions: [US-CA, Texas]", 1), 15, "purposes[1].jurisdictions[1]", `"Texas" is no jurisdiction`},
		{"a special field under a contract", `identifier: unique, category: "pd:EmailAddress",`, `special: true, category: "pd:Health",`, 9, "purposes[0].fields[1]", "needs basis consent, with explicit: true"},
		{"a date that finds people", "type: phone, identifier: shared, ", "type: date, identifier: shared, ", 5, "", ""},
		{"a lookup's own word as identifier", "name: email, type", "name: reason, type", 4, "", ""},
		{"a mask that does not fit", "mask: initial", "mask: city", 3, "fields[0].mask", "mask city does not fit type string (expected one of partial, last4, initial)"},
		{"an enum of numbers", "type: string, enum", "type: number, enum", 7, "context[0].enum", "is for type string"},
		{"a purpose within itself", "recipients: [Texter Ltd]", "recipients: [Texter Ltd]\n    broader: sms-marketing", 17, "purposes[1].broader", "cannot be broader than itself"},
		{"a purpose within an undeclared one", "recipients: [Texter Ltd]", "recipients: [Texter Ltd]\n    broader: marketing", 17, "purposes[1].broader", "marketing is not declared"},
		{"a notice naming no narrower purpose", `version: "2026-03", `, `version: "2026-03", purposes: [order-fulfilment], `, 17, "purposes[1].consent.notice.purposes[0]", "order-fulfilment is not narrower than sms-marketing"},
		{"a third party nobody was told of", "recipients: [Texter Ltd]", "recipients: [Other Ltd]", 21, "channels[2].purposes[0]", "not among the recipients of sms-marketing"},
		{"a cell for a field outside the purpose", "{purpose: order-fulfilment, channel: store, field: email, as: mask}", "{purpose: sms-marketing, channel: sms, field: email, as: mask}", 23, "matrix[0].field", "is not a field of purpose sms-marketing"},
		{"a cell for a purpose outside the channel", "{purpose: order-fulfilment, channel: store, field: email, as: mask}", "{purpose: order-fulfilment, channel: sms, field: email, as: mask}", 23, "matrix[0].channel", "channel sms does not have purpose order-fulfilment"},
		{"a cell for no channel", "channel: store, field: email", "channel: stor, field: email", 23, "matrix[0].channel", "stor is not declared under channels; did you mean store?"},
		{"a cell twice", "field: phone_number, as: withhold", "field: email, as: withhold", 24, "matrix[1]", "email for order-fulfilment in store is declared twice, first on line 23"},
		{"a cell with a mask that does not fit", "as: withhold", "as: year", 24, "matrix[1].as", "mask year does not fit phone_number"},
		{"too many contacts to remember", "{count: 3, per: P30D}", "{count: 300, per: P30D}", 9, "purposes[0].contact.caps[0].count", "at most 100 contacts"},
		{"two caps that say two things", "per: P1D, medium: letter}", "per: P30D}", 9, "purposes[0].contact.caps[1]", "P30D is declared twice"},
		{"a cap of nothing", "{count: 9, per: P90D}", "{count: 0, per: P90D}", 26, "settings.contact.caps[0].count", "expected a whole number"},
		{"a cap for ever", "{count: 9, per: P90D}", "{count: 9}", 26, "settings.contact.caps[0]", "per is missing"},
		{"no time of the day", `to: "08:00"`, `to: "8 am"`, 9, "purposes[0].contact.quiet_hours.to", "expected one such as"},
		{"hours that are none", `from: "23:00", to: "06:00"`, `from: "23:00", to: "23:00"`, 26, "settings.contact.quiet_hours", "no hour is quiet"},
		{"no time zone", "zone: Europe/Berlin", "zone: Berlin", 9, "purposes[0].contact.quiet_hours.zone", "no time zone"},
		{"a cooldown twice", "after: claim", "after: fault", 9, "purposes[0].contact.cooldowns[1].after", "fault is declared twice"},
		{"a grace that is no haste", "grace: P14D", "grace: P1M", 28, "settings.erasure.grace", "expected at most P21D"},
		{"a medium that reaches by no field", "field: phone_number}, {medium: mail", "field: pager}, {medium: mail", 26, "settings.contact.reach[0].field", "pager is not declared under fields"},
		{"an identifier of the moment", "type: email, identifier: unique, ", "type: email, identifier: unique, ttl: PT5M, ", 4, "fields[1].ttl", "finds people"},
		{"a cell that releases", "as: withhold", "as: release", 24, "matrix[1].as", `"release" is not known`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := problems(t, edit(t, c.from, c.to))
			if c.key == "" && c.detail == "" { // has consequences elsewhere: the first is what counts
				if len(got) == 0 || got[0].Line != c.line {
					t.Fatalf("got %v, want a problem on line %d first", got, c.line)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("got %d problems, want one:\n%v", len(got), got)
			}
			p := got[0]
			if p.File != "register.yaml" || p.Line != c.line || p.Column < 1 || p.Key != c.key || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("got  %v\nwant register.yaml:%d:…: %s: …%s…", p, c.line, c.key, c.detail)
			}
		})
	}
}

func TestAllMistakesAreToldInTheOrderOfTheText(t *testing.T) {
	got := problems(t, edit(t,
		"country: DE", "country: Germany",
		"type: email", "type: e-mail",
		"as: withhold", "as: nothing",
		"{id: web, kind: web,", "{id: web, kind: web, sessions: {step_up: never},",
	))
	var told []string
	for _, p := range got {
		told = append(told, p.Key)
	}
	want := "controller.country fields[1].type channels[0].sessions.step_up matrix[1].as"
	if strings.Join(told, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(told, " "), want)
	}
}

func TestWhatIsNoRegisterAtAllIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, detail string }{
		{"nothing", "", "found nothing"},
		{"a comment", "# later\n", "found nothing"},
		{"a word", "register", "expected keys and values"},
		{"a broken text", "controller: {name: Northgate\nfields: []", "not valid YAML"},
		{"two documents", northgate + "---\ncontroller: {}\n", "a second document"},
		{"an alias", northgate + "matrix2: *web\n", "not valid YAML"},
		{"a merge", strings.Replace(edit(t, "controller: {", "controller: &c {"), "matrix:\n", "<<: *c\nmatrix:\n", 1), "*c is an alias"},
		{"another encoding", "controller: {name: N\xfcrnberg}", "UTF-8"},
		{"too long a text", northgate + strings.Repeat("#", 1<<20), "at most 1048576 bytes"},
	} {
		got := problems(t, c.text)
		told := false
		for _, p := range got {
			told = told || strings.Contains(p.Detail, c.detail)
		}
		if !told {
			t.Errorf("%s: got %v, want a problem with %q", c.name, got, c.detail)
		}
	}
}

func TestWhatIsLikelyAMistakeIsAWarning(t *testing.T) {
	for _, c := range []struct{ name, text, key, detail string }{
		{"an unknown category", edit(t, "pd:EmailAddress", "pd:EmailAdress"), "fields[1].category", "did you mean pd:EmailAddress?"},
		{"no category", edit(t, `category: "pd:Name", `, ""), "fields[0]", "has no category"},
		{"an unknown purpose", edit(t, "dpv:DeliveryOfGoods", "shop:Delivery"), "purposes[0].dpv", "not among the DPV 2.1 purposes"},
		{"health that is not special", edit(t, "pd:Name", "pd:Health"), "fields[0].category", "does not say special: true"},
		{"a narrower purpose with more fields", edit(t,
			"{id: order-fulfilment, title: Deliver what you ordered, ", "{id: order-fulfilment, title: Deliver what you ordered, broader: sms-marketing, ",
			"basis: contract, ", `basis: consent, consent: {notice: {version: a, text: b}}, `,
			`version: "2026-03", `, `version: "2026-03", purposes: [order-fulfilment], `),
			"purposes[1].consent.notice.purposes[0]", "will not cover order-fulfilment, which has more fields (email)"},
		{"a narrower purpose with more recipients", edit(t,
			"    recipients: [Texter Ltd]", "    recipients: [Texter Ltd]\n    broader: offers",
			"  - id: sms-marketing", "  - {id: offers, title: Offers, dpv: \"dpv:DirectMarketing\", basis: consent, fields: [given_name, phone_number], consent: {notice: {version: a, text: b, purposes: [sms-marketing]}}}\n  - id: sms-marketing"),
			"purposes[1].consent.notice.purposes[0]", "will not cover the recipients of sms-marketing it does not name (Texter Ltd)"},
	} {
		r, warnings, err := register.Parse("register.yaml", []byte(c.text))
		if err != nil || r == nil {
			t.Fatalf("%s: got %v, want a register and a warning", c.name, err)
		}
		if len(warnings) != 1 || warnings[0].Key != c.key || !strings.Contains(warnings[0].Detail, c.detail) || warnings[0].Line == 0 {
			t.Errorf("%s: got %v, want one warning for %s with %q", c.name, warnings, c.key, c.detail)
		}
	}
	full := strings.ReplaceAll(northgate, "pd:", "https://w3id.org/dpv/pd#")
	if _, warnings, err := register.Parse("register.yaml", []byte(full)); err != nil || len(warnings) > 0 {
		t.Errorf("categories as whole IRIs: got %v, %v, want neither", warnings, err)
	}
}
