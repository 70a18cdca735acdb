package privacy_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/web/webtest"
)

// leaver is what somebody sees who takes their data and goes, in one language.
type leaver struct {
	lang, shot                                         string
	noScript                                           bool
	only, again, law, tick, gone, unknown, wrong, keep string
	waits, stays                                       string
}

var leavers = []leaver{
	{lang: "de", shot: "desk", only: "Ab jetzt werden Ihre Daten nur aufbewahrt", again: "Ihre Daten dürfen wieder benutzt werden", law: "Es bleibt nichts",
		tick: "Es wurde nichts gelöscht", gone: "Ihre Daten sind gelöscht", unknown: "ein Code mit acht Ziffern", wrong: "Das ist nicht der Code.", keep: "Heben Sie die Adresse dieser Seite auf",
		waits: "und Sie können es zurücknehmen", stays: "Es wird nichts gelöscht"},
	{lang: "en", shot: "phone", noScript: true, only: "From now on your data is only kept", again: "Your data may be used again", law: "Nothing remains",
		tick: "Nothing has been deleted", gone: "Your data is deleted", unknown: "a code with eight digits", wrong: "This is not the code.", keep: "Keep the address of this page",
		waits: "and you can take it back", stays: "Nothing is deleted"},
}

// Mia has her data only kept, takes it along, and goes. What she sees afterwards
// needs no login and names nobody. One does it with JavaScript, one without.
func TestSomebodyLeaves(t *testing.T) {
	browser := webtest.Start(t)
	for _, l := range leavers {
		t.Run(l.lang, func(t *testing.T) {
			c := open(t, nil)
			mia := c.mia()
			c.As("store").For("order-fulfilment").Read(mia, "given_name").Released(map[string]any{"given_name": "Mia"})
			tab := browser.Tab(t, webtest.Options{Language: l.lang, Phone: l.noScript, NoScript: l.noScript, Expected: []string{"403", "404", "422"}})
			axe := func() {
				t.Helper()
				if !l.noScript {
					tab.Accessible()
				}
			}
			// Nobody with an address that is not known is told so.
			tab.Go(c.URL + "/privacy/login")
			tab.Shot("welcome-" + l.shot)
			tab.Fill("[name=address]", "nobody@example.org")
			tab.Click("form[action='/privacy/login/code'] button")
			tab.See(l.unknown)
			axe()
			tab.Fill("[name=code]", "1234 5678")
			tab.Click("form[action='/privacy/login/check'] button")
			tab.See(l.wrong)
			axe()
			tab.Shot("code-" + l.shot)

			c.logIn(tab, "mia@example.org")
			tab.Click(`nav a[href="/privacy/take"]`)
			tab.Has(`form[action="/privacy/take/file"]`)
			axe()
			tab.Shot("take-" + l.shot)
			for scope, only := range map[string]string{"access": "order-fulfilment", "portable": ""} {
				tab.Click("[name=scope][value=" + scope + "]")
				for format, ending := range map[string]string{"csv": "csv", "json": "json", "schemaorg": "jsonld"} {
					tab.Click("[name=format][value=" + format + "]")
					name, file := tab.Download(`form[action="/privacy/take/file"] button`)
					told := format == "schemaorg" || bytes.Contains(file, []byte(only))
					if name != "my-data-"+scope+"."+ending || !bytes.Contains(file, []byte("Mia")) || !told {
						t.Errorf("%s as %s is %s: %.80s", scope, format, name, file)
					}
				}
			}
			tab.Click("form[action='/privacy/take/restriction'] button")
			tab.See(l.only)
			c.As("store").For("order-fulfilment").Read(mia, "given_name").Denied("restricted")
			axe()
			tab.Click("form[action='/privacy/take/restriction'] button")
			tab.See(l.again)
			c.As("store").For("order-fulfilment").Read(mia, "given_name").Released(map[string]any{"given_name": "Mia"})

			// With two weeks to think again she does, and takes it back.
			c.Apply(shop + "settings: {erasure: {grace: P14D}}\n")
			tab.Click(`a[href="/privacy/take/leave"]`)
			tab.See(l.waits)
			tab.Click("[name=sure]")
			tab.Click("button.danger")
			tab.See(l.waits)
			tab.See(l.keep)
			c.As("store").For("order-fulfilment").Read(mia, "given_name").Denied("restricted")
			axe()
			tab.Shot("waits-" + l.shot)
			tab.Click(`main a[href="/privacy/take/leave"]`)
			tab.Has(`form[action="/privacy/take/stay"]`)
			axe()
			tab.Shot("stay-" + l.shot)
			tab.Click("form[action='/privacy/take/stay'] button")
			tab.See(l.stays)
			c.As("store").For("order-fulfilment").Read(mia, "given_name").Released(map[string]any{"given_name": "Mia"})
			c.Apply(shop)

			tab.Click(`a[href="/privacy/take/leave"]`)
			tab.See(l.law)
			axe()
			tab.Click("button.danger")
			tab.See(l.tick)
			axe()
			tab.Click("[name=sure]")
			if l.noScript {
				tab.Click("[name=never]")
			}
			tab.Shot("leave-" + l.shot)
			tab.Click("button.danger")
			tab.See(l.keep)
			axe()
			link := tab.Attribute(`footer a[hreflang]`, "href")
			if !strings.HasPrefix(link, "/privacy/status/") {
				t.Fatalf("the status is at %s", link)
			}
			stranger := browser.Tab(t, webtest.Options{Language: l.lang, Phone: l.noScript})
			for end := time.Now().Add(time.Minute); ; { // until the keys have turned
				stranger.Go(c.URL + strings.SplitN(link, "?", 2)[0])
				if strings.Contains(stranger.Text(), l.gone) {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("it is never deleted: %s", stranger.Text())
				}
			}
			stranger.SeeNot("Mia")
			stranger.Accessible()
			stranger.Shot("status-" + l.shot)
			tab.Go(c.URL + "/privacy/data")
			tab.At("/privacy/login") // the session went with the data
		})
	}
}
