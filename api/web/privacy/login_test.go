package privacy_test

import (
	"testing"

	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/api/web/privacy"
	"github.com/sayso-vault/sayso/api/web/webtest"
)

// People log in with a provider, and are let in as far as it vouches for an
// address that is theirs; who came by a link steps up so, and is asked anew.
func TestSomebodyLogsInWithAProvider(t *testing.T) {
	browser := webtest.Start(t)
	c := open(t, func(cfg *privacy.Config, at string) {
		issuer := webtest.Provider{ClientID: "vault", Secret: "a secret of the two", Redirects: []string{at + privacy.BackPath(0)}, People: map[string]map[string]any{
			"mia":   {"email": "mia@example.org", "email_verified": true},
			"mallo": {"email": "mia@example.org", "email_verified": false},
			"zoe":   {"email": "zoe@example.org", "email_verified": true},
		}}.Start(t)
		login, err := openid.New(openid.Config{Issuer: issuer, ClientID: "vault", ClientSecret: "a secret of the two", Redirect: at + privacy.BackPath(0)})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Providers = []privacy.Provider{{Name: "Northgate account", Login: login}}
	})
	mia := c.mia()
	options := webtest.Options{Phone: true, Expected: []string{"403"}}
	begin := func(tab *webtest.Tab, name string) {
		t.Helper()
		tab.Go(c.URL + "/privacy/accesses")
		tab.At("/privacy/login")
		tab.Accessible()
		tab.Click(`a[href^="/privacy/login/openid/0"]`)
		tab.See("The provider")
		tab.Fill("[name=name]", name)
		tab.Click("#login")
	}
	tab := browser.Tab(t, options)
	begin(tab, "mia")
	tab.At("/privacy/accesses") // where she wanted to go
	tab.See("Nobody has looked at your data yet")
	tab.Accessible()
	tab.Click(`nav a[href="/privacy/data"]`)
	tab.See("mia@example.org")
	tab.Click(`footer a[href="/privacy/devices"]`)
	tab.See("Logged in with a customer account")
	german := browser.Tab(t, webtest.Options{Language: "de", Phone: true})
	begin(german, "mia")
	german.At("/privacy/accesses")
	german.See("Noch hat niemand in Ihre Daten gesehen")
	german.Click(`footer a[href="/privacy/devices"]`)
	german.See("Mit einem Kundenkonto angemeldet")
	german.Accessible()

	for name, want := range map[string]string{"mallo": "did not confirm an e-mail address", "zoe": "Nobody is known here by that confirmed address"} {
		other := browser.Tab(t, options)
		begin(other, name)
		other.See(want)
		other.SeeNot("Lindenweg")
		other.Accessible()
	}
	declines := browser.Tab(t, options)
	declines.Go(c.URL + "/privacy/login")
	declines.Click(`a[href^="/privacy/login/openid/0"]`)
	declines.Click("#decline")
	declines.See("The login was cancelled")
	declines.Accessible()
	declines.Shot("declined")

	// By the shop's link first; then she shows that it is her.
	linked := browser.Tab(t, options)
	linked.Go(c.link(mia))
	linked.See("This is only a part.")
	linked.Click(`aside a[role=button]`)
	linked.Click(`a[href^="/privacy/login/openid/0"]`)
	linked.See("The provider")
	linked.Fill("[name=name]", "mia")
	linked.Click("#login")
	linked.At("/privacy")
	linked.SeeNot("This is only a part.")
	// The session of the link ended with that.
	sessions, err := c.OwnSessions(t.Context(), c.Login("email", "mia@example.org").Caller)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		if s.How == "link" {
			t.Error("the link's session goes on beside the login's")
		}
	}
}
