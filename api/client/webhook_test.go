package client_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

var (
	oldSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", 32)))
	newSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 32)))
	other     = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
	noon      = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

func sign(secret, id string, at time.Time, body string) string {
	key, _ := base64.StdEncoding.DecodeString(secret[len("whsec_"):])
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func delivery(id string, at time.Time, body, signature string) *http.Request {
	r := httptest.NewRequest("POST", "/hook", strings.NewReader(body))
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	return r
}

var withdrew = `{"specversion":"1.0","id":"ev_1","type":"consent.withdrawn","subject":"` + anahita.String() + `","data":{"purpose":"sms-marketing"}}`

// An event is believed if the vault signed it just now, with the secret or with the
// one that replaces it; anything else is not, and nobody is told why.
func TestAnEventIsBelievedIfTheVaultSignedItJustNow(t *testing.T) {
	good := sign(oldSecret, "ev_1", noon, withdrew)
	for what, c := range map[string]struct {
		at        time.Time // now
		signature string
		id, body  string
		want      error
	}{
		"the secret":           {noon, good, "ev_1", withdrew, nil},
		"the one after":        {noon, sign(newSecret, "ev_1", noon, withdrew), "ev_1", withdrew, nil},
		"one of two":           {noon, sign(other, "ev_1", noon, withdrew) + " " + good, "ev_1", withdrew, nil},
		"another version's":    {noon, "v1a,AAAA " + good, "ev_1", withdrew, nil},
		"a slow line":          {noon.Add(4 * time.Minute), good, "ev_1", withdrew, nil},
		"a foreign secret":     {noon, sign(other, "ev_1", noon, withdrew), "ev_1", withdrew, client.ErrSignature},
		"another body":         {noon, good, "ev_1", strings.Replace(withdrew, "withdrawn", "given", 1), client.ErrSignature},
		"another ID":           {noon, good, "ev_2", withdrew, client.ErrSignature},
		"no signature":         {noon, "", "ev_1", withdrew, client.ErrSignature},
		"a version nobody has": {noon, strings.Replace(good, "v1,", "v2,", 1), "ev_1", withdrew, client.ErrSignature},
		"an old one":           {noon.Add(6 * time.Minute), good, "ev_1", withdrew, client.ErrStale},
		"one of tomorrow":      {noon.Add(-6 * time.Minute), good, "ev_1", withdrew, client.ErrStale},
	} {
		w, err := client.NewWebhook(client.WebhookConfig{Secrets: []string{oldSecret, newSecret}, Now: func() time.Time { return c.at }})
		if err != nil {
			t.Fatal(err)
		}
		r := delivery(c.id, noon, c.body, c.signature)
		e, err := w.Verify(r.Header, []byte(c.body))
		if !errors.Is(err, c.want) || err == nil && (e.Type != privacy.EventConsentWithdrawn || e.Data.Purpose != "sms-marketing" || e.Subject != anahita) {
			t.Errorf("%s: got %+v, %v, want %v", what, e, err, c.want)
		}
		out := httptest.NewRecorder()
		w.Handler(func(context.Context, *wire.Event) error { return nil }).ServeHTTP(out, r)
		if want := map[bool]int{true: 204, false: 401}[c.want == nil]; out.Code != want || out.Body.Len() > 0 {
			t.Errorf("%s: got %d %s, want %d", what, out.Code, out.Body, want)
		}
	}
	for _, secrets := range [][]string{nil, {"secret"}, {"whsec_!"}, {"whsec_c2hvcnQ="}, {oldSecret, ""}} {
		if _, err := client.NewWebhook(client.WebhookConfig{Secrets: secrets}); err == nil || strings.Contains(err.Error(), "c2hv") {
			t.Errorf("%q: got %v", secrets, err)
		}
	}
}

// What was dealt with is not dealt with again, whoever sends it; what failed is, and
// of two that come at once one waits.
func TestAnEventIsDealtWithOnce(t *testing.T) {
	now := noon
	w, err := client.NewWebhook(client.WebhookConfig{Secrets: []string{oldSecret}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	var dealt []string
	fails := errors.New("the database is down")
	var meanwhile func()
	hook := w.Handler(func(_ context.Context, e *wire.Event) error {
		if meanwhile != nil {
			meanwhile()
		}
		if fails != nil {
			return fails
		}
		dealt = append(dealt, e.ID)
		return nil
	})
	send := func(at time.Time) int {
		out := httptest.NewRecorder()
		hook.ServeHTTP(out, delivery("ev_1", at, withdrew, sign(oldSecret, "ev_1", at, withdrew)))
		return out.Code
	}
	if got := send(noon); got != 500 || len(dealt) != 0 {
		t.Errorf("a failure: got %d", got)
	}
	fails = nil
	meanwhile = func() {
		meanwhile = nil
		if got := send(noon); got != 503 {
			t.Errorf("meanwhile: got %d, want it sent again later", got)
		}
	}
	for i, want := range []int{204, 204, 204} {
		if got := send(noon.Add(time.Duration(i) * time.Second)); got != want || len(dealt) != 1 {
			t.Errorf("time %d: got %d, dealt with %v, want %d and once", i, got, dealt, want)
		}
	}
	now = noon.Add(11 * time.Minute) // what was sent then would be believed no more
	if got := send(noon); got != 401 || len(dealt) != 1 {
		t.Errorf("replayed much later: got %d", got)
	}
	out := httptest.NewRecorder()
	hook.ServeHTTP(out, httptest.NewRequest("GET", "/hook", nil))
	if out.Code != 405 {
		t.Errorf("GET: got %d", out.Code)
	}

	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() { send(now) })
	}
	wait.Wait()
	if len(dealt) != 2 {
		t.Errorf("sent twenty times at once: dealt with %d times, want once more", len(dealt)-1)
	}
}
