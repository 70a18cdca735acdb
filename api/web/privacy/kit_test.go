package privacy_test

import (
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"regexp"
	"testing"

	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/api/web/privacy"
	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// centre is a vault with its privacy centre, served where a browser finds it.
type centre struct {
	*vaulttest.Vault
	URL  string
	sent chan letter // what was mailed
}

type letter struct{ to, subject, text string }

// Send keeps a mail for the test.
func (c *centre) Send(_ context.Context, to, subject, text string) error {
	c.sent <- letter{to, subject, text}
	return nil
}

// shop is a register of an invented company, whose web shop opens sessions.
const shop = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, title: {en: First name, de: Vorname}, type: string, category: "pd:Name", mask: initial}
  - {name: family_name, title: {en: Last name, de: Nachname}, type: string, category: "pd:Name"}
  - {name: email, title: {en: E-mail address, de: E-Mail-Adresse}, type: email, identifier: unique, category: "pd:EmailAddress", mask: partial, retention: P3Y}
  - {name: phone_number, title: {en: Telephone number, de: Telefonnummer}, type: phone, identifier: shared, category: "pd:TelephoneNumber", mask: last4}
  - {name: address, title: {en: Address, de: Anschrift}, type: address, category: "pd:PhysicalAddress", mask: city}
  - {name: birthdate, title: {en: Date of birth, de: Geburtsdatum}, type: date, category: "pd:BirthDate", mask: year}
  - {name: allergy, title: {en: Allergies, de: Allergien}, type: string, category: "pd:Health", special: true}
purposes:
  - {id: order-fulfilment, title: {en: Deliver what you ordered, de: "Liefern, was Sie bestellt haben"}, benefit: {en: Your parcel reaches you, de: Ihr Paket kommt an}, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name, family_name, address, phone_number, email], recipients: [Nordlicht Parcels], retention: P3Y}
  - {id: invoicing, title: {en: Keep invoices, de: Rechnungen aufbewahren}, dpv: "dpv:LegalCompliance", basis: legal_obligation, fields: [given_name, family_name, address], retention: P10Y}
  - {id: fraud-prevention, title: {en: Protect you from fraud, de: Sie vor Betrug schützen}, benefit: {en: Nobody orders in your name, de: Niemand bestellt in Ihrem Namen}, dpv: "dpv:FraudPreventionAndDetection", basis: legitimate_interests, fields: [email, address], retention: P1Y}
  - {id: sms-marketing, title: {en: Offers by text message, de: Angebote per SMS}, benefit: {en: Early access to sales, de: Früher Zugang zu Angeboten}, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name, phone_number], recipients: [Kurzfunk SMS], retention: P1Y, consent: {valid_for: P1Y, notice: {version: "2026-03", text: {en: "We text you offers. Kurzfunk SMS sends them for us.", de: "Wir schicken Ihnen Angebote per SMS. Kurzfunk SMS versendet sie für uns."}}}}
  - {id: tasting, title: {en: Safe tastings in our stores, de: Sichere Verkostungen in unseren Läden}, benefit: {en: We offer you nothing you must not eat, de: "Wir bieten Ihnen nichts an, was Sie nicht essen dürfen"}, dpv: "dpv:RequestedServiceProvision", basis: consent, fields: [given_name, allergy], retention: P1Y, consent: {valid_for: P1Y, explicit: true, notice: {version: "2026-03", text: {en: "We keep your allergies to warn you at tastings.", de: "Wir speichern Ihre Allergien, um Sie bei Verkostungen zu warnen."}}}}
channels:
  - {id: web, kind: web, title: {en: Web shop, de: Webshop}, purposes: [order-fulfilment, fraud-prevention], captures: [given_name, family_name, email, phone_number, address, birthdate, allergy], obtains: [sms-marketing], sessions: {step_up: verified}}
  - {id: store, kind: store, title: {en: Stores, de: Läden}, purposes: [order-fulfilment, tasting], captures: [given_name, phone_number], obtains: [sms-marketing, tasting]}
  - {id: sms, kind: sms, title: {en: Text messages, de: SMS-Versand}, purposes: [sms-marketing], recipient: Kurzfunk SMS}
matrix:
  - {purpose: order-fulfilment, channel: store, field: email, as: partial}
`

// open serves the privacy centre of a new vault.
func open(t *testing.T, configure func(*privacy.Config, string)) *centre {
	t.Helper()
	return openWith(t, vaulttest.Options{Register: shop}, configure)
}

// openWith serves the privacy centre of a new vault with options of its own.
func openWith(t *testing.T, o vaulttest.Options, configure func(*privacy.Config, string)) *centre {
	t.Helper()
	c := &centre{Vault: vaulttest.New(t, &o), sent: make(chan letter, 64)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.URL = "http://" + l.Addr().String()
	cfg := privacy.Config{Vault: c.Vault.Vault, Origin: c.URL, Mail: c, Takeout: takeout, Now: c.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if configure != nil {
		configure(&cfg, c.URL)
	}
	h, err := privacy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	front, err := page.NewFront()
	if err != nil {
		t.Fatal(err)
	}
	served := api.Config{Vault: c.Vault.Vault, Issuer: c.URL, Pages: []api.Pages{front, h}}
	if h.SendsCodes() {
		served.Codes = h
	}
	routes, err := api.New(served)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(routes.Handler())
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = l
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// orders captures somebody in the web shop, whose address it verified.
func (c *centre) orders(values map[string]any) vaulttest.Person {
	c.T.Helper()
	req := vaulttest.CaptureRequest(c.T, values)
	req.Verified = append(req.Verified, "email")
	res, err := c.Capture(c.T.Context(), c.As("web").Caller, req)
	if err != nil {
		c.T.Fatal(err)
	}
	return vaulttest.ID(res.Subject)
}

// mia is the customer of the stories.
func (c *centre) mia() vaulttest.Person {
	c.T.Helper()
	return c.orders(map[string]any{"given_name": "Mia", "family_name": "Öztürk", "email": "mia@example.org", "phone_number": "+491722200111",
		"address": map[string]string{"street_address": "Lindenweg 4", "postal_code": "20099", "locality": "Hamburg", "country": "DE"}, "birthdate": "1991-04-17"})
}

// link is the one-time link that a channel gives somebody.
func (c *centre) link(who vaulttest.Person) string {
	c.T.Helper()
	opened, err := c.OpenSession(c.T.Context(), c.As("web").Caller, who)
	if err != nil {
		c.T.Fatal(err)
	}
	return c.URL + api.EnterPath + "?code=" + opened.Code
}

var codeForm = regexp.MustCompile(`\d{4} \d{4}`)

// logIn logs somebody in with a code that is mailed to them.
func (c *centre) logIn(tab *webtest.Tab, address string) {
	c.T.Helper()
	tab.Go(c.URL + "/privacy/login")
	tab.Fill("[name=address]", address)
	tab.Click("form[action='/privacy/login/code'] button")
	tab.At("/privacy/login/code")
	tab.Fill("[name=code]", c.code(address))
	tab.Click("form[action='/privacy/login/check'] button")
	tab.At("/privacy")
}

// code waits for the mail to an address and returns the code in it.
func (c *centre) code(address string) string {
	c.T.Helper()
	for {
		select {
		case l := <-c.sent:
			if l.to == address {
				return codeForm.FindString(l.text)
			}
		case <-c.T.Context().Done():
			c.T.Fatal("no code was sent")
		}
	}
}

func takeout(format string, t *vault.Takeout) (string, string, []byte, error) {
	file, err := api.FormatTakeout(format, t)
	if err != nil {
		return "", "", nil, err
	}
	return file.Name, file.Media, file.Content, nil
}
