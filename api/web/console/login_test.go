package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// The first officer logs in with what init printed, is told the same of whatever
// is wrong, sees where they are logged in, and logs out.
func TestTheFirstOfficerLogsIn(t *testing.T) {
	d, browser := open(t, nil), webtest.Start(t)

	tab := browser.Tab(t, webtest.Options{Expected: []string{"401"}})
	tab.Go(d.URL)
	tab.Click("article a[href='/console']")
	tab.At("/console/login")
	tab.Accessible()
	tab.Shot("console-login")
	tab.Fill("[name=client_id]", "officer.first")
	tab.Fill("[name=client_secret]", "ss_made-up")
	tab.Click("form[action='/console/login'] button")
	tab.See("not an officer’s client ID and secret")
	tab.Accessible()
	d.logIn(tab, first)
	tab.See("You are first")
	tab.Accessible()
	tab.Go(d.URL + "/console/you")
	tab.See("This browser")
	tab.Accessible()
	tab.Shot("console-you")
	tab.Click(".logout button")
	tab.See("You are logged out")
	tab.Go(d.URL + "/console/you")
	tab.At("/console/login")

	german := browser.Tab(t, webtest.Options{Language: "de", NoScript: true})
	d.logIn(german, first)
	german.See("Sie sind first")
	german.Go(d.URL + "/console/you")
	german.See("Wo Sie angemeldet sind")
	german.See("Dieser Browser")
}

// A session's cookie is out of reach of scripts, and pages of the console carry
// the headers that keep them to themselves.
func TestNobodyIsLetInWithoutASession(t *testing.T) {
	d := open(t, nil)
	for _, path := range []string{"/console", "/console/you"} {
		res := d.ask("", http.MethodGet, path, nil)
		if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/console/login") {
			t.Errorf("%s without a session: got %d to %q", path, res.StatusCode, res.Header.Get("Location"))
		}
		if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: the content policy is %q", path, policy)
		}
		if res := d.ask(first, http.MethodGet, path, nil); res.StatusCode != http.StatusOK {
			t.Errorf("%s with a session: got %d", path, res.StatusCode)
		}
	}
	if res := d.ask(first, http.MethodPost, "/console/you/secrets", http.Header{"Sec-Fetch-Site": {"cross-site"}}); res.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: got %d, want 403", res.StatusCode)
	}
}

// Whoever guesses is told to wait, whatever they come with then; others, and the
// same a while later, are not held up.
func TestTriesToGetInAreCounted(t *testing.T) {
	d := open(t, &vaulttest.Options{Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	try := func(name, secret string) int {
		form := url.Values{"client_id": {"officer." + name}, "client_secret": {secret}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+"/console/login", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	for range 10 {
		if got := try("anna", "ss_guessed"); got != http.StatusUnauthorized {
			t.Fatalf("a wrong secret: got %d, want 401", got)
		}
	}
	if got := try("anna", "ss_guessed"); got != http.StatusTooManyRequests {
		t.Errorf("too many tries: got %d, want 429", got)
	}
	if got := try(first, d.secrets[first]); got != http.StatusSeeOther {
		t.Errorf("another officer from the same address: got %d, want 303", got)
	}
	d.Tick(10 * time.Second)
	if got := try("anna", "ss_guessed"); got != http.StatusUnauthorized {
		t.Errorf("a while later: got %d, want 401", got)
	}
}

// After the login one is led to a page of the console, whatever the link said.
func TestALoginLeadsNowhereElse(t *testing.T) {
	d := open(t, nil)
	for wanted, want := range map[string]string{
		"/console/matrix": "/console/matrix", "https://elsewhere.example/console/": "/console", "//elsewhere.example": "/console",
		"/console/logout": "/console", "/console/\\elsewhere.example": "/console", "/consoles": "/console",
	} {
		res := d.ask(first, http.MethodGet, "/console/login?next="+url.QueryEscape(wanted), nil)
		if got := res.Header.Get("Location"); got != want {
			t.Errorf("%q leads to %q, want %q", wanted, got, want)
		}
	}
}
