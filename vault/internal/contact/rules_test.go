package contact_test

import (
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// northgate texts and mails offers, and mends lines.
const northgate = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields: [{name: phone_number, type: phone, category: "pd:TelephoneNumber"}]
purposes:
  - {id: offers, title: Offers, dpv: "dpv:DirectMarketing", basis: consent, fields: [phone_number], contact: {caps: [{count: 3, per: P30D}], cooldowns: [{after: fault, for: P14D}]}, consent: {notice: {version: "1", text: We offer.}}}
  - {id: texts, title: Texts, broader: offers, dpv: "dpv:DirectMarketing", basis: consent, fields: [phone_number], contact: {caps: [{count: 1, per: P1D, medium: sms}], quiet_hours: {from: "21:00", to: "08:00", media: [sms, call]}}, consent: {notice: {version: "1", text: We text.}}}
  - {id: news, title: News, dpv: "dpv:DirectMarketing", basis: consent, fields: [phone_number], consent: {notice: {version: "1", text: We write.}}}
  - {id: care, title: Mend lines, dpv: "dpv:ServiceProvision", basis: contract, fields: [phone_number], contact: {exempt: true}}
channels: []
settings: {contact: {caps: [{count: 5, per: P90D}, {count: 2, per: P7D, medium: call}]}}
`

func parse(t testing.TB, text string) *register.Register {
	t.Helper()
	r, _, err := register.Parse("register.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) // a Monday; 13:00 in Berlin

var berlin = contact.Wall{Zones: []string{"Europe/Berlin"}, Load: time.LoadLocation}

// person is somebody in a story, with what the channels had to do with them.
type person struct {
	t   testing.TB
	reg *register.Register
	contact.Dealings
	now  time.Time
	wall contact.Wall
}

func known(t testing.TB, register string) *person {
	t.Helper()
	return &person{t: t, reg: parse(t, register), now: noon, wall: berlin}
}

func (p *person) later(d time.Duration) *person {
	p.now = p.now.Add(d)
	return p
}

func (p *person) touch(k contact.Kind, purpose privacy.PurposeID, topic string) {
	p.Add(contact.Touch{Kind: k, Purpose: purpose, Topic: topic, Channel: "web", At: p.now}, false)
}

func (p *person) plan(k contact.Kind, purpose privacy.PurposeID, medium, topic string) contact.Verdict {
	return contact.RulesOf(p.reg, purpose).Check(&p.Dealings, contact.Plan{Kind: k, Medium: medium, Topic: topic, At: p.now}, p.wall)
}

// wants checks a verdict: the code, "" for allowed, and in how long it ends.
func (p *person) wants(v contact.Verdict, code string, in time.Duration) {
	p.t.Helper()
	got := time.Duration(0)
	if !v.Until.IsZero() {
		got = v.Until.Sub(p.now)
	}
	if v.Code != code || got != in {
		p.t.Errorf("got %q (%s) for %v, want %q for %v", v.Code, v.Detail, got, code, in)
	}
}

const day = 24 * time.Hour

// Three offers in a month are enough, whoever makes them. An offer by text is an
// offer; news are not.
func TestContactsOfAPurposeCountInAllItsParts(t *testing.T) {
	p := known(t, northgate)
	p.touch(contact.Offer, "offers", "a")
	p.later(day).touch(contact.Contact, "texts", "b")
	p.later(day).touch(contact.Offer, "news", "c")
	p.wants(p.plan(contact.Offer, "offers", "email", "d"), "", 0)
	p.later(day).touch(contact.Offer, "offers", "d")
	p.wants(p.plan(contact.Offer, "offers", "email", "e"), contact.CodeCap, 27*day)
	p.wants(p.plan(contact.Contact, "texts", "letter", "e"), contact.CodeCap, 27*day)
	p.wants(p.plan(contact.Offer, "news", "email", "e"), "", 0)
}

// A cap of one medium counts that medium, and what could have been it.
func TestACapOfAMediumCountsTheMedium(t *testing.T) {
	p := known(t, northgate)
	p.Add(contact.Touch{Kind: contact.Contact, Purpose: "news", Medium: "call", Topic: "a", At: p.now}, false)
	p.Add(contact.Touch{Kind: contact.Contact, Purpose: "news", Medium: "sms", Topic: "b", At: p.now}, false)
	p.wants(p.plan(contact.Contact, "news", "call", "c"), "", 0)
	p.Add(contact.Touch{Kind: contact.Contact, Purpose: "news", Topic: "c", At: p.now}, false)
	p.wants(p.plan(contact.Contact, "news", "call", "d"), contact.CodeCap, 7*day)
	p.wants(p.plan(contact.Contact, "news", "", "d"), contact.CodeCap, 7*day)
	p.wants(p.plan(contact.Contact, "news", "letter", "d"), "", 0)
}

// What mends a line is not held to what all campaigns may do together, and takes
// nothing from them.
func TestAnExemptPurposeIsLeftOut(t *testing.T) {
	p := known(t, northgate)
	for range 9 {
		p.touch(contact.Contact, "care", "line")
	}
	p.wants(p.plan(contact.Contact, "news", "email", "a"), "", 0)
	for range 5 {
		p.touch(contact.Contact, "news", "a")
	}
	p.wants(p.plan(contact.Contact, "news", "email", "a"), contact.CodeCap, 90*day)
	p.wants(p.plan(contact.Contact, "care", "call", "line"), "", 0)
}

// Her line breaks down: nobody offers her anything until a fortnight after it is
// mended. The mechanic calls.
func TestAFaultOpensACareWindow(t *testing.T) {
	p := known(t, northgate)
	fault := contact.Touch{Kind: contact.Event, Topic: "fault", Ref: "ticket-4", Channel: "desk", At: p.now}
	p.Add(fault, false)
	p.wants(p.plan(contact.Offer, "offers", "email", "tv"), contact.CodePolicy, 14*day)
	p.wants(p.plan(contact.Offer, "texts", "letter", "tv"), contact.CodePolicy, 14*day)
	p.wants(p.plan(contact.Contact, "care", "call", "line"), "", 0)
	fault.At = p.later(3 * day).now
	p.Add(fault, true)
	p.wants(p.plan(contact.Offer, "offers", "email", "tv"), contact.CodePolicy, 14*day)
	p.later(14*day - time.Microsecond)
	p.wants(p.plan(contact.Offer, "offers", "email", "tv"), contact.CodePolicy, time.Microsecond)
	p.later(time.Microsecond)
	p.wants(p.plan(contact.Offer, "offers", "email", "tv"), "", 0)
}

// What she ordered is not offered until the order has ended, but she may be
// written to about it. Who has two lines of it has it until both ended.
func TestWhatIsOrderedIsNotOffered(t *testing.T) {
	p := known(t, northgate)
	line := contact.Touch{Kind: contact.Order, Topic: "gigabit", Ref: "order-77", At: p.now}
	p.Add(line, false)
	p.Add(contact.Touch{Kind: contact.Order, Topic: "gigabit", Ref: "order-78", At: p.now, Expires: p.now.Add(9 * day)}, false)
	p.wants(p.plan(contact.Offer, "news", "email", "gigabit"), contact.CodeAlreadyOrdered, 0)
	p.wants(p.plan(contact.Order, "", "", "gigabit"), contact.CodeAlreadyOrdered, 0)
	p.wants(p.plan(contact.Offer, "news", "email", "tv"), "", 0)
	p.wants(p.plan(contact.Contact, "news", "email", "gigabit"), "", 0)
	line.At = p.later(day).now
	p.Add(line, true)
	p.wants(p.plan(contact.Offer, "news", "email", "gigabit"), contact.CodeAlreadyOrdered, 8*day)
	p.later(8 * day)
	p.wants(p.plan(contact.Offer, "news", "email", "gigabit"), "", 0)
}

// She answered the questionnaire in the app, so nobody asks again.
func TestWhatIsAnsweredIsNotAskedAgain(t *testing.T) {
	p := known(t, northgate)
	p.touch(contact.Answer, "", "survey-1")
	for _, k := range []contact.Kind{contact.Contact, contact.Offer, contact.Answer} {
		p.wants(p.plan(k, "news", "email", "survey-1"), contact.CodeAlreadyAnswered, 0)
	}
	p.wants(p.plan(contact.Contact, "news", "email", "survey-2"), "", 0)
	p.Add(contact.Touch{Kind: contact.Answer, Topic: "survey-1", At: p.later(day).now}, true)
	p.wants(p.plan(contact.Contact, "news", "email", "survey-1"), "", 0)
}

// An offer holds until the second it expires, whoever brings it.
func TestAnExpiredOfferIsRefusedToTheSecond(t *testing.T) {
	p := known(t, northgate)
	ends := p.now.Add(time.Hour)
	p.Add(contact.Touch{Kind: contact.Offer, Topic: "tv", Ref: "o-1", At: p.now, Expires: ends}, false)
	check := func(ref string, expires time.Time) contact.Verdict {
		return contact.RulesOf(p.reg, "news").Check(&p.Dealings, contact.Plan{Kind: contact.Offer, Medium: "email", Topic: "tv", Ref: ref, Expires: expires, At: p.now}, p.wall)
	}
	p.later(time.Hour - time.Second)
	p.wants(check("", ends), "", 0)
	p.wants(check("o-1", time.Time{}), "", 0)
	p.later(time.Second)
	p.wants(check("", ends), contact.CodeExpired, 0)
	p.wants(check("o-1", time.Time{}), contact.CodeExpired, 0)
	p.wants(check("o-2", time.Time{}), "", 0)
	p.wants(check("o-1", ends.Add(day)), "", 0) // it was prolonged
}

// An offer that would be allowed only when it has expired never is.
func TestAnOfferThatExpiresBeforeItMayBeMadeHasNoTime(t *testing.T) {
	p := known(t, northgate)
	for range 3 {
		p.touch(contact.Offer, "offers", "a")
	}
	v := contact.RulesOf(p.reg, "offers").Check(&p.Dealings, contact.Plan{Kind: contact.Offer, Topic: "b", Expires: p.now.Add(day), At: p.now}, p.wall)
	p.wants(v, contact.CodeCap, 0)
}

// The same order told by two systems is one order; its end may be told first.
func TestWhatIsToldTwiceIsTheSame(t *testing.T) {
	p := known(t, northgate)
	order := contact.Touch{Kind: contact.Order, Topic: "tv", Ref: "7", At: p.now}
	end := order
	end.At = p.now.Add(day)
	p.Add(end, true)
	p.Add(order, false)
	p.Add(order, false)
	p.later(2 * day)
	if len(p.Touches) != 1 {
		t.Errorf("got %v, want one order", p.Touches)
	}
	p.wants(p.plan(contact.Offer, "news", "email", "tv"), "", 0)
	order.At = p.now // ordered again, under the same number
	p.Add(order, false)
	p.wants(p.plan(contact.Offer, "news", "email", "tv"), contact.CodeAlreadyOrdered, 0)
}
