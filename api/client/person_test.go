package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/client"
)

// A person comes with the token of their session and nothing else; one that is over
// is told, and nothing is fetched in its place.
func TestAPersonComesWithASession(t *testing.T) {
	var seen []string
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		if strings.HasSuffix(r.Header.Get("Authorization"), "over") {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"status":401,"code":"invalid_token"}`)
			return
		}
		fmt.Fprint(w, `{"token":"sst_fresh"}`)
	})
	for token, do := range map[string]func(*client.Person) error{
		"":         func(p *client.Person) error { _, err := p.Enter(t.Context(), "once"); return err },
		"sst_ana":  func(p *client.Person) error { _, err := p.Me(t.Context()); return err },
		"sst_over": func(p *client.Person) error { _, err := p.Lift(t.Context(), nil); return err },
	} {
		p, err := client.NewPerson(client.PersonConfig{URL: d.URL, Session: token})
		if err != nil {
			t.Fatal(err)
		}
		err = do(p)
		var refused *client.Error
		if over := errors.As(err, &refused) && refused.Code == "invalid_token"; over != (token == "sst_over") {
			t.Errorf("with %q: got %v", token, err)
		}
	}
	got := strings.Join(seen, "\n")
	for _, want := range []string{"POST /v1/subject-sessions/enter ", "GET /v1/me Bearer sst_ana", "DELETE /v1/me/restriction Bearer sst_over"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("the vault was asked\n%s\nwant once %s", got, want)
		}
	}
	if d.tokens.Load() != 0 {
		t.Error("a token was fetched for a person")
	}
}

// A list that ends in the middle is no list.
func TestAListThatEndsInTheMiddleIsNone(t *testing.T) {
	pages := 0
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
		if pages++; r.URL.Query().Get("after") != "" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"status":401,"code":"invalid_token"}`)
			return
		}
		fmt.Fprint(w, `{"accesses":[{"kind":"read"}],"count":2,"next":"dec_1"}`)
	})
	p, err := client.NewPerson(client.PersonConfig{URL: d.URL, Session: "sst_ana"})
	if err != nil {
		t.Fatal(err)
	}
	if all, _, err := p.Accesses(t.Context(), client.AccessFilter{}); err == nil || all != nil || pages != 2 {
		t.Errorf("got %d accesses of %d pages, %v, want none and an error", len(all), pages, err)
	}
}

func TestLinksAreTakenApart(t *testing.T) {
	for link, want := range map[string]string{
		"https://vault.example.org/privacy/enter?code=a-b_c":        "https://vault.example.org a-b_c",
		" http://127.0.0.1:8650/privacy/enter?code=x\n":             "http://127.0.0.1:8650 x",
		"https://vault.example.org/below/privacy/enter?code=x":      "https://vault.example.org/below x",
		"https://vault.example.org/elsewhere?code=x":                "",
		"https://vault.example.org/privacy/enter":                   "",
		"https://ana:secret@vault.example.org/privacy/enter?code=x": "",
		"file:///privacy/enter?code=x":                              "",
		"sst_token":                                                 "",
		"https://vault.example.org/v1/status/abc":                   "status https://vault.example.org abc",
		"https://vault.example.org/below/privacy/status/abc":        "status https://vault.example.org/below abc",
		"https://vault.example.org/v1/status/":                      "",
		"https://vault.example.org/v1/status/abc/def":               "",
		"https://vault.example.org/v1/other/abc":                    "",
	} {
		at, code, err := client.LinkCode(link)
		got := strings.TrimSpace(at + " " + code)
		if err != nil {
			at, name, wrong := client.StatusLink(link)
			if got = ""; wrong == nil {
				got = "status " + at + " " + name
			}
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", link, got, want)
		}
	}
}
