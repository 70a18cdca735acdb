package privacy_test

import (
	"testing"

	"github.com/sayso-vault/sayso/api/web/webtest"
)

// reader is what somebody sees and does in one language.
type reader struct {
	lang, shot                                                        string
	phone                                                             bool
	known, correct, saved, more, switched, off, objected, looked, ask string
	told, tries, none, devices, out, request                          string
}

var readers = []reader{
	{lang: "en", shot: "desk", known: "What is known of you", correct: "Correct: First name", saved: "Saved: First name.", more: "This is only a part.",
		switched: "Switched on: Offers by text message.", off: "Switched off: Offers by text message.", objected: "You objected: Protect you from fraud.",
		looked: "Stores – for “Deliver what you ordered”", ask: "Text messages (Kurzfunk SMS) asked, for “Offers by text message”, and was told nothing.",
		told: "You told this: Web shop.", tries: "40 times", none: "Nothing fits this choice", devices: "this browser", out: "You are logged out.", request: "Objection: Protect you from fraud"},
	{lang: "de", shot: "phone", phone: true, known: "Was von Ihnen bekannt ist", correct: "Berichtigen: Vorname", saved: "Gespeichert: Vorname.", more: "Das ist nur ein Teil.",
		switched: "Eingeschaltet: Angebote per SMS.", off: "Ausgeschaltet: Angebote per SMS.", objected: "Sie haben widersprochen: Sie vor Betrug schützen.",
		looked: "Läden – für „Liefern, was Sie bestellt haben“", ask: "SMS-Versand (Kurzfunk SMS) hat gefragt, für „Angebote per SMS“, und nichts erfahren.",
		told: "Von Ihnen angegeben: Webshop.", tries: "40 Mal", none: "Nichts passt zu dieser Auswahl", devices: "dieser Browser", out: "Sie sind abgemeldet.", request: "Widerspruch: Sie vor Betrug schützen"},
}

// Mia comes by the web shop's link, sees a part, shows that it is her, and sees,
// corrects, steers and checks what there is; then she leaves nothing behind.
func TestSomebodySeesAndSteers(t *testing.T) {
	browser := webtest.Start(t)
	for _, r := range readers {
		t.Run(r.lang, func(t *testing.T) {
			c := open(t, nil)
			mia := c.mia()
			for range 40 {
				c.As("store").For("order-fulfilment").Read(mia)
			}
			c.As("sms").For("sms-marketing").Read(mia).Denied("no_consent")
			tab := browser.Tab(t, webtest.Options{Language: r.lang, Phone: r.phone, Expected: []string{"410"}})

			link := c.link(mia)
			tab.Go(link)
			tab.At("/privacy")
			tab.See(r.more)
			tab.Accessible()
			tab.Shot("home-part-" + r.shot)
			tab.Click(`nav a[href="/privacy/data"]`)
			tab.See(r.known)
			tab.See("Lindenweg 4") // of the order, which the shop may read
			tab.SeeNot("1991")     // no purpose of the shop's has it
			tab.Accessible()

			c.logIn(tab, "mia@example.org")
			tab.SeeNot(r.more)
			tab.Accessible()
			tab.Shot("home-" + r.shot)
			tab.Click(`nav a[href="/privacy/data"]`)
			tab.See("1991")
			tab.See(r.told)
			tab.Click("#email details summary")
			tab.Accessible()
			tab.Shot("data-" + r.shot)
			tab.Click(`a[href="/privacy/data/given_name"]`)
			tab.See(r.correct)
			tab.Accessible()
			tab.Shot("correct-" + r.shot)
			tab.Fill("[name=value]", `<b id="bold">Mia</b>`)
			tab.Click("form[action='/privacy/data/given_name'] button")
			tab.See(r.saved)
			tab.See(`<b id="bold">Mia</b>`) // markup in a name is a name

			tab.Click(`nav a[href="/privacy/uses"]`)
			tab.Has("#sms-marketing [role=switch][aria-checked=false]")
			tab.Accessible()
			tab.Shot("uses-" + r.shot)
			tab.Click("#sms-marketing [role=switch]")
			tab.See(r.switched)
			tab.Has("#sms-marketing [role=switch][aria-checked=true]")
			tab.Accessible()
			c.As("sms").For("sms-marketing").Read(mia, "phone_number").Released(map[string]any{"phone_number": "+491722200111"})
			tab.Shot("uses-on-" + r.shot)
			tab.Click("#sms-marketing [role=switch]")
			tab.See(r.off)
			c.As("sms").For("sms-marketing").Read(mia).Denied("no_consent")
			tab.Click("#fraud-prevention button")
			tab.See(r.objected)
			tab.Accessible()
			tab.Go(c.URL + "/privacy/take/requests")
			tab.See(r.request)
			tab.Accessible()
			tab.Shot("requests-" + r.shot)
			tab.Click(`nav a[href="/privacy/uses"]`)
			tab.Click(`a[href="/privacy/said"]`)
			tab.Has("ol.said li:nth-child(3)")
			tab.Accessible()
			tab.Shot("said-" + r.shot)

			tab.Click(`nav a[href="/privacy/accesses"]`)
			tab.See(r.looked)
			tab.See(r.ask)
			tab.See(r.tries)
			tab.Accessible()
			tab.Shot("accesses-" + r.shot)
			tab.Click("details.filter summary")
			tab.Choose("[name=channel]", "web")
			tab.Click("details.filter button")
			tab.See(r.none)
			tab.Accessible()
			tab.Shot("accesses-none-" + r.shot)

			tab.Click(`footer a[href="/privacy/devices"]`)
			tab.See(r.devices)
			tab.Accessible()
			tab.Shot("devices-" + r.shot)
			tab.Click("header form button")
			tab.See(r.out)
			tab.Accessible()
			tab.Shot("login-" + r.shot)
			tab.Back()
			tab.SeeNot("mia@example.org")
			tab.At("/privacy/login") // and not the page before
			tab.Go(link)
			tab.At("/privacy/enter")
			tab.SeeNot("Lindenweg")
			tab.Accessible()
			tab.Shot("link-over-" + r.shot)
		})
	}
}
