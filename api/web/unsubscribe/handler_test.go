package unsubscribe_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/web/unsubscribe"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Anahita's mail program looks whether the link is harmless, and nothing happens; she
// looks, in German, and then clicks; or her program does, as one of two media types.
func TestOneClick(t *testing.T) {
	v := vaulttest.New(t, nil)
	h, err := unsubscribe.New(v.Vault, nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Mount(mux)
	front := httptest.NewServer(mux)
	defer front.Close()
	ana := v.As("web").Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"})
	sms := v.As("sms").For("sms-marketing")
	token, err := v.UnsubscribeToken(t.Context(), sms.Caller, ana.ID, "sms-marketing")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, token, media, body string, want int, sees string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, front.URL+"/unsubscribe/"+token, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", "de")
		if media != "" {
			r.Header.Set("Content-Type", media)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var page bytes.Buffer
		if _, err := page.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want || !strings.Contains(page.String(), sees) || res.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: got %d %s, want %d and %q", method, res.StatusCode, page.String(), want, sees)
		}
		if strings.Contains(page.String(), "Anahita") || strings.Contains(page.String(), ana.ID.String()) {
			t.Error("the page tells who it is about")
		}
	}
	const form = "application/x-www-form-urlencoded"
	var parts bytes.Buffer
	writer := multipart.NewWriter(&parts)
	if err := writer.WriteField("List-Unsubscribe", "One-Click"); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	for media, body := range map[string]string{form: "List-Unsubscribe=One-Click", writer.FormDataContentType(): parts.String()} {
		v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
		ask("GET", token, "", "", 200, "Offers by text message")
		ask("GET", token, "", "", 200, "Nichts mehr davon?")
		ask("HEAD", token, "", "", 200, "")
		ask("POST", token, form, "", 400, "One-Click")
		ask("POST", token, form, "List-Unsubscribe=No", 400, "One-Click")
		sms.Read(ana, "given_name").Released(map[string]any{"given_name": "Anahita"})
		ask("POST", token, media, body, 200, "Erledigt")
		sms.Read(ana).Denied(privacy.CodeNoConsent)
		ask("POST", token, media, body, 200, "Erledigt") // a program tries twice
	}
	ask("GET", "x"+token, "", "", 404, "Dieser Link")
	ask("POST", token[:40], form, "List-Unsubscribe=One-Click", 404, "Dieser Link")
}
