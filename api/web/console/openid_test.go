package console_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/api/web/console"
	"github.com/sayso-vault/sayso/api/web/webtest"
)

// Who linked an account at the company's provider logs in with it from then on;
// another account at the same provider, with the same address, lets nobody in.
func TestAnOfficerLogsInWithAProvider(t *testing.T) {
	d := openWith(t, nil, func(cfg *console.Config) {
		back := cfg.Origin + console.OpenIDPath
		issuer := webtest.Provider{ClientID: "the-console", Secret: "a secret of the two", Redirects: []string{back}, People: map[string]map[string]any{
			"anna": {"email": "anna@example.org", "email_verified": true},
			"eve":  {"email": "anna@example.org", "email_verified": true},
		}}.Start(t)
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		provider, err := openid.New(openid.Config{Issuer: issuer, ClientID: "the-console", ClientSecret: "a secret of the two", Redirect: back,
			Client: &http.Client{Transport: transport, Timeout: 30 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		cfg.OpenID, cfg.OpenIDName = provider, "Northgate"
	})
	browser := webtest.Start(t)
	at := func(tab *webtest.Tab, name string) {
		tab.Fill("[name=name]", name)
		tab.Click("button")
	}

	anna := browser.Tab(t, webtest.Options{})
	d.logIn(anna, first)
	anna.Go(d.URL + "/console/you")
	anna.See("Log in with Northgate from now on")
	anna.Accessible()
	anna.Click("a[href='/console/you/openid']")
	at(anna, "anna")
	anna.At("/console/you")
	anna.See("You can log in with that account now")
	anna.See("Account")
	anna.Click(".logout button")
	anna.See("You are logged out")
	anna.Accessible()
	anna.Shot("console-login-provider")
	anna.Click("a[href^='/console/login/openid']")
	anna.At("/console") // the provider knows her
	anna.See("You are first")

	eve := browser.Tab(t, webtest.Options{Language: "de", NoScript: true, Expected: []string{"401"}})
	eve.Go(d.URL + "/console/login")
	eve.See("Mit Northgate anmelden")
	eve.Click("a[href^='/console/login/openid']")
	at(eve, "eve")
	eve.See("das Konto gehört niemandem, der beauftragt ist")
}
