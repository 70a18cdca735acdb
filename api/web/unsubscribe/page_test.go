package unsubscribe_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/api/web/unsubscribe"
	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Anahita opens the link of a mail on her phone, reads what it is about and whose it
// is, and says no; once with JavaScript, once without. A link that was cut off says so.
func TestSheSaysNoOnHerPhone(t *testing.T) {
	browser := webtest.Start(t)
	v := vaulttest.New(t, nil)
	h, err := unsubscribe.New(v.Vault, nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Mount(mux)
	mux.Handle(page.AssetsPath, page.Assets())
	front := httptest.NewServer(mux)
	defer front.Close()
	sms := v.As("sms").For("sms-marketing")
	for _, s := range []struct {
		lang, asks, done, unknown string
		noScript                  bool
	}{
		{lang: "de", asks: "Nichts mehr davon?", done: "Sie bekommen nichts mehr davon", unknown: "Dieser Link führt zu nichts"},
		{lang: "en", asks: "No more of this?", done: "You get no more of this", unknown: "This link does not work"},
		{lang: "de", asks: "Nichts mehr davon?", done: "Sie bekommen nichts mehr davon", unknown: "Dieser Link führt zu nichts", noScript: true},
	} {
		ana := v.As("store").Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"})
		v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
		token, err := v.UnsubscribeToken(t.Context(), sms.Caller, ana.ID, "sms-marketing")
		if err != nil {
			t.Fatal(err)
		}
		tab := browser.Tab(t, webtest.Options{Language: s.lang, Phone: true, NoScript: s.noScript, Expected: []string{"404"}})
		look := func(name string) {
			t.Helper()
			tab.SeeNot("Anahita")
			tab.See("Northgate")
			if !s.noScript {
				tab.Accessible()
				tab.Shot("unsubscribe-" + s.lang + "-" + name)
			}
		}
		tab.Go(front.URL + "/unsubscribe/" + token)
		tab.See(s.asks)
		tab.See("Offers by text message")
		look("asks")
		sms.Read(ana, "given_name").Released(map[string]any{"given_name": "Anahita"}) // to look is no answer
		tab.Click("main button")
		tab.See(s.done)
		look("done")
		sms.Read(ana).Denied(privacy.CodeNoConsent)
		tab.Go(front.URL + "/unsubscribe/" + token[:40])
		tab.See(s.unknown)
		look("unknown")
	}
}
