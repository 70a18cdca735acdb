package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// desk is a server that hands out numbered tokens and answers as it is told.
type desk struct {
	*httptest.Server
	tokens atomic.Int64
	answer http.HandlerFunc
}

func newDesk(t *testing.T, answer http.HandlerFunc) *desk {
	d := &desk{answer: answer}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth/token" {
			d.answer(w, r)
			return
		}
		id, secret, _ := r.BasicAuth()
		if id != "web%3A1" || secret != "s%2Fecret" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"unknown client"}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":"t%d","token_type":"Bearer","expires_in":600,"later":1}`, d.tokens.Add(1))
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *desk) client(t *testing.T, secret string, now func() time.Time) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: d.URL + "/", ClientID: "web:1", ClientSecret: secret, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestATokenIsFetchedOnceAndRenewedInTime(t *testing.T) {
	var seen []string
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"client":"web","role":"channel","what_a_newer_vault_says":true}`)
	})
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	c := d.client(t, "s/ecret", func() time.Time { return now })
	for _, later := range []time.Duration{0, time.Minute, 8 * time.Minute, 45 * time.Second} {
		now = now.Add(later)
		if who, err := c.Whoami(t.Context()); err != nil || who.Role != "channel" {
			t.Fatalf("whoami: got %v, %v", who, err)
		}
	}
	if got, want := strings.Join(seen, " "), "Bearer t1 Bearer t1 Bearer t1 Bearer t2"; got != want {
		t.Errorf("tokens: got %s, want %s", got, want)
	}
}

func TestATokenThatIsNotKnownAnyMoreIsFetchedAnewOnce(t *testing.T) {
	refused := 0
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer t1" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"status":401,"code":"invalid_token"}`)
			refused++
			return
		}
		fmt.Fprint(w, `{"channels":[]}`)
	})
	c := d.client(t, "s/ecret", nil)
	if _, err := c.Channels(t.Context()); err != nil || refused != 1 {
		t.Errorf("after a restart: got %v and %d refusals, want one refusal and then an answer", err, refused)
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	decision := privacy.NewDecisionID(time.Now())
	for _, c := range []struct {
		name, media, body string
		status            int
		want              string
		retry             time.Duration
	}{
		{"denied", "application/problem+json", `{"code":"denied","decision":"` + decision.String() + `","withheld":[{"field":"email","code":"no_consent","detail":"d"}]}`, 403, "denied", 0},
		{"limited", "application/problem+json; charset=utf-8", `{"code":"rate_limited","detail":"wait"}`, 429, "rate_limited", 7 * time.Second},
		{"a proxy that says until when", "text/html", `<h1>later</h1>`, 503, "unexpected_answer", time.Minute},
		{"a proxy's page", "text/html", `<h1>Anahita</h1>`, 502, "unexpected_answer", 0},
		{"no answer of a vault", "application/json", `{"error":{"message":"Anahita"}}`, 500, "unexpected_answer", 0},
		{"a redirect", "text/html", ``, 302, "unexpected_answer", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", c.media)
				w.Header().Set("Location", "https://elsewhere.example.org/")
				switch c.retry {
				case time.Minute:
					w.Header().Set("Date", "Sun, 01 Mar 2026 08:00:00 GMT")
					w.Header().Set("Retry-After", "Sun, 01 Mar 2026 08:01:00 GMT")
				case 7 * time.Second:
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			_, err := d.client(t, "s/ecret", nil).Read(t.Context(), &wire.ReadRequest{Purpose: "p", Subject: wire.Subject{ID: privacy.SubjectID{1}}})
			var refused *client.Error
			if !errors.As(err, &refused) || refused.Code != c.want || refused.Status != c.status || refused.RetryAfter != c.retry {
				t.Fatalf("got %+v, want code %s of status %d", err, c.want, c.status)
			}
			if strings.Contains(err.Error(), "Anahita") {
				t.Errorf("the error repeats what came: %v", err)
			}
			if c.want == "denied" && (refused.Decision == nil || *refused.Decision != decision || len(refused.Withheld) != 1) {
				t.Errorf("denied: got %+v, want the decision and the reasons", refused)
			}
		})
	}
	d := newDesk(t, nil)
	_, err := d.client(t, "guessed", nil).Whoami(t.Context())
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != "invalid_client" || refused.Status != http.StatusUnauthorized {
		t.Errorf("a wrong secret: got %v, want invalid_client", err)
	}
	if strings.Contains(err.Error(), "guessed") {
		t.Errorf("the error repeats the secret: %v", err)
	}
}

// A portal on the way that says yes to everything has recorded nobody's no.
func TestWhatSaysNothingIsNoAnswer(t *testing.T) {
	no := &wire.ConsentRequest{Consent: wire.Consent{Purpose: "offers", Status: privacy.StatusWithdrawn, Method: "call"}}
	for _, body := range []string{`{}`, `null`, `[]`, ``, `{"status_code":0}`, `<html>`} {
		d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, body)
		})
		if got, err := d.client(t, "s/ecret", nil).RecordConsent(t.Context(), no); err == nil {
			t.Errorf("%q is taken for %+v", body, got)
		}
	}
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"expires_in":600}`) }))
	t.Cleanup(portal.Close)
	c, err := client.New(client.Config{URL: portal.URL, ClientID: "web", ClientSecret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Whoami(t.Context()); err == nil || !strings.Contains(err.Error(), "access token") {
		t.Errorf("without a token: %v", err)
	}
}

// Each ask has its answer, or the stream is no whole one.
func TestABatchOfReadsThatSkipsOneIsBrokenOff(t *testing.T) {
	line := func(n int) string { return fmt.Sprintf(`{"n":%d,"status":404,"code":"unknown_subject"}`+"\n", n) }
	for _, c := range []struct {
		story, body string
		whole       bool
	}{
		{"both answered", line(1) + line(2) + `{"end":true,"lines":2}`, true},
		{"one left out", line(1) + `{"end":true,"lines":1}`, false},
		{"one too many", line(1) + line(2) + line(3) + `{"end":true,"lines":3}`, false},
		{"in another order", line(2) + line(1) + `{"end":true,"lines":2}`, false},
		{"counted wrongly", line(1) + line(2) + `{"end":true,"lines":3}`, false},
	} {
		d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/x-ndjson")
			fmt.Fprint(w, c.body)
		})
		var last error
		for _, err := range d.client(t, "s/ecret", time.Now).ReadBatch(t.Context(), func(yield func(*wire.ReadRequest) bool) {
			for range 2 {
				if !yield(&wire.ReadRequest{Purpose: "p", Subject: wire.Subject{ID: privacy.SubjectID{1}}}) {
					return
				}
			}
		}) {
			last = err
		}
		if (last == nil) != c.whole || last != nil && !errors.Is(last, client.ErrBrokenOff) {
			t.Errorf("%s: %v", c.story, last)
		}
	}
}

func TestAListIsReadToItsEnd(t *testing.T) {
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("after") {
		case "":
			fmt.Fprint(w, `{"channels":[{"id":"web"},{"id":"app"}],"next":"app"}`)
		case "app":
			fmt.Fprint(w, `{"channels":[{"id":"store"}]}`)
		}
	})
	all, err := d.client(t, "s/ecret", nil).Channels(t.Context())
	if err != nil || len(all) != 3 || all[2].ID != "store" {
		t.Errorf("channels: got %v, %v, want three", all, err)
	}
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	for _, address := range []string{"", "vault.example.org", "ftp://vault.example.org", "https://user:pass@vault.example.org", "https://vault.example.org?x=1"} {
		if _, err := client.New(client.Config{URL: address, ClientID: "web", ClientSecret: "s"}); err == nil {
			t.Errorf("%q: got no error", address)
		}
	}
}

// A list is not begun with a token that the vault does not know any more: the
// first ask goes out once, with a fresh one.
func TestAListIsBegunWithATokenThatIsKnown(t *testing.T) {
	taken := 0
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer t1" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"status":401,"code":"invalid_token"}`)
			return
		}
		asks, err := io.ReadAll(r.Body)
		if lines := strings.Count(string(asks), "\n"); err != nil || lines != 2 {
			t.Errorf("the vault got %q, %v, want two lines", asks, err)
		}
		fmt.Fprintln(w, `{"n":1,"status":200,"fields":{"given_name":"Anahita"},"what_a_newer_vault_says":true}`)
		fmt.Fprintln(w, `{"n":2,"status":403,"code":"denied"}`)
		fmt.Fprintln(w, `{"end":true,"lines":2}`)
	})
	var got []int
	for line, err := range d.client(t, "s/ecret", time.Now).ReadBatch(t.Context(), func(yield func(*wire.ReadRequest) bool) {
		for taken < 2 {
			taken++
			if !yield(&wire.ReadRequest{Subject: wire.Subject{Field: "email", Value: wire.Text("ana@example.org")}, Purpose: "delivery"}) {
				return
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Status)
	}
	if len(got) != 2 || got[0] != 200 || got[1] != 403 {
		t.Errorf("got %v, want 200 and 403", got)
	}
}
