package privacy_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// reader is what somebody sees and does in one language.
type reader struct {
	lang, shot                                                              string
	phone                                                                   bool
	known, correct, saved, more, switched, off, objected, back, looked, ask string
	told, times, none, devices, ended, out, request, worked, here           string
	wishes, wrong, thrice, already                                          string
}

var readers = []reader{
	{lang: "en", shot: "desk", known: "What is known of you", correct: "Correct: First name", saved: "Saved: First name.", more: "This is only a part.",
		switched: "Switched on: Offers by text message.", off: "Switched off: Offers by text message.", objected: "You objected: Protect you from fraud.", back: "Switched on: Protect you from fraud.",
		looked: "Stores – for “Deliver what you ordered”", ask: "Text messages (Kurzfunk SMS) asked, for “Offers by text message”, and was told nothing.",
		told: "You told this: Web shop.", times: "40 times", none: "Nothing fits this choice", devices: "this browser", ended: "That login is ended.", out: "You are logged out.",
		request: "Objection: Protect you from fraud", worked: "This was not told by you: a program (taste) worked it out: Stores.", here: "44 looks",
		wishes: "Saved: Wishes.", wrong: "This cannot be right.", already: "You are logged in already", thrice: "3 times (2 times told nothing) · last on 8 March 2026"},
	{lang: "de", shot: "phone", phone: true, known: "Was von Ihnen bekannt ist", correct: "Berichtigen: Vorname", saved: "Gespeichert: Vorname.", more: "Das ist nur ein Teil.",
		switched: "Eingeschaltet: Angebote per SMS.", off: "Ausgeschaltet: Angebote per SMS.", objected: "Sie haben widersprochen: Sie vor Betrug schützen.", back: "Eingeschaltet: Sie vor Betrug schützen.",
		looked: "Läden – für „Liefern, was Sie bestellt haben“", ask: "SMS-Versand (Kurzfunk SMS) hat gefragt, für „Angebote per SMS“, und nichts erfahren.",
		told: "Von Ihnen angegeben: Webshop.", times: "40 Mal", none: "Nichts passt zu dieser Auswahl", devices: "dieser Browser", ended: "Diese Anmeldung ist beendet.", out: "Sie sind abgemeldet.",
		request: "Widerspruch: Sie vor Betrug schützen", worked: "Nicht von Ihnen angegeben: Ein Programm (taste) hat es erschlossen: Läden.", here: "44 Blicke",
		wishes: "Gespeichert: Wünsche.", wrong: "Das kann nicht stimmen.", already: "Sie sind schon angemeldet", thrice: "3-mal (2-mal nichts erfahren) · zuletzt am 8. März 2026"},
}

// Mia comes by the web shop's link, sees a part, shows that it is her, and sees,
// corrects, steers and checks what there is; then she leaves nothing behind.
func TestSomebodySeesAndSteers(t *testing.T) {
	browser := webtest.Start(t)
	for _, r := range readers {
		t.Run(r.lang, func(t *testing.T) {
			c := openWith(t, vaulttest.Options{Register: withParts, Now: time.Date(2026, 3, 7, 9, 0, 0, 0, time.UTC)}, nil)
			mia := c.miaOfParts()
			c.As("sms").For("sms-marketing").Read(mia).Denied("no_consent")
			c.As("web").For("order-fulfilment").Read(mia)
			c.Tick(24 * time.Hour)
			for range 40 {
				c.As("store").For("order-fulfilment").Read(mia)
			}
			tab := browser.Tab(t, webtest.Options{Language: r.lang, Phone: r.phone, Expected: []string{"410", "422"}})

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

			// She shows that it is her, and goes on where she was.
			tab.Click(`aside a[role=button]`)
			tab.Has("[name=address]")
			tab.Accessible()
			tab.Fill("[name=address]", "mia@example.org")
			tab.Click("form[action='/privacy/login/code'] button")
			tab.Has("[name=code]")
			tab.Accessible()
			tab.Fill("[name=code]", c.code("mia@example.org"))
			tab.Click("form[action='/privacy/login/check'] button")
			tab.At("/privacy/data")
			tab.See("1991")
			tab.SeeNot(r.more)
			tab.See(r.told)
			tab.See(r.worked)
			tab.Click("#email details summary")
			tab.Accessible()
			tab.Shot("data-" + r.shot)
			tab.Go(c.URL + "/privacy")
			tab.Accessible()
			tab.Shot("home-" + r.shot)

			// Markup in a name is a name; what has parts is corrected in one of them.
			tab.Go(c.URL + "/privacy/data/given_name")
			tab.See(r.correct)
			tab.Accessible()
			tab.Shot("correct-" + r.shot)
			tab.Fill("[name=value]", `<b id="bold">Mia</b>`)
			tab.Click("form[action='/privacy/data/given_name'] button")
			tab.See(r.saved)
			tab.Has("#given_name [role=status]") // beside what was saved
			tab.See(`<b id="bold">Mia</b>`)
			tab.Go(c.URL + "/privacy/data/wishes")
			tab.Accessible()
			tab.Shot("parts-" + r.shot)
			tab.Fill(`[name="/delivery/hour"]`, "nine")
			tab.Click("form[action='/privacy/data/wishes'] button")
			tab.See(r.wrong)
			tab.Has(`[name="/delivery/hour"][aria-invalid=true]`)
			tab.Accessible()
			tab.Shot("wrong-" + r.shot)
			tab.Fill(`[name="/delivery/hour"]`, "10")
			tab.Click("form[action='/privacy/data/wishes'] button")
			tab.See(r.wishes)
			tab.See("hour: 10")
			tab.Go(c.URL + "/privacy/data/address")
			tab.Has(`select[name=country] option[value=DE][selected]`)
			tab.Accessible()
			tab.Shot("address-" + r.shot)

			// A switch holds at once, with the keyboard too, and the focus stays on it.
			tab.Click(`nav a[href="/privacy/uses"]`)
			tab.Has("#sms-marketing [role=switch][aria-checked=false]")
			tab.Accessible()
			tab.Shot("uses-" + r.shot)
			tab.Click("#sms-marketing [role=switch]")
			tab.See(r.switched)
			tab.Has("#sms-marketing [role=switch][aria-checked=true]")
			if on := tab.Focused(); on != "sms-marketing-switch" {
				t.Errorf("after a switch the focus is on %q", on)
			}
			tab.Accessible()
			c.As("sms").For("sms-marketing").Read(mia, "phone_number").Released(map[string]any{"phone_number": "+491722200111"})
			tab.Shot("uses-on-" + r.shot)
			if name, receipt := tab.Download("#sms-marketing .fine a"); !strings.HasPrefix(name, "receipt-con_") || bytes.Count(receipt, []byte(".")) != 2 {
				t.Errorf("the receipt is %s: %.40s", name, receipt)
			}
			tab.Run(`document.querySelector("#sms-marketing-switch").focus()`)
			tab.Press(" ")
			tab.See(r.off)
			c.As("sms").For("sms-marketing").Read(mia).Denied("no_consent")
			tab.Click("#fraud-prevention button")
			tab.See(r.objected)
			tab.Accessible()
			tab.Shot("objected-" + r.shot)
			tab.Go(c.URL + "/privacy/take/requests")
			tab.See(r.request)
			tab.Accessible()
			tab.Shot("requests-" + r.shot)
			tab.Go(c.URL + "/privacy/uses")
			tab.Click("#fraud-prevention button")
			tab.See(r.back)
			tab.Accessible()
			tab.Click(`nav a[href="/privacy/uses"]`)
			tab.Click(`a[href="/privacy/said"]`)
			tab.Has("ol.said li:nth-child(3)")
			tab.Accessible()
			tab.Shot("said-" + r.shot)

			// Who looked: at a glance, day by day, one alone, and proved.
			tab.Click(`nav a[href="/privacy/accesses"]`)
			tab.See(r.looked)
			tab.See(r.times)
			tab.See(r.thrice)
			tab.See(r.here)
			tab.Accessible()
			tab.Shot("accesses-" + r.shot)
			tab.Click("details.day li details summary")
			if name, proof := tab.Download("details.day li details a"); !strings.HasPrefix(name, "proof-dec_") || !bytes.Contains(proof, []byte(`"checkpoint"`)) {
				t.Errorf("the proof is %s: %.80s", name, proof)
			}
			tab.Click("details.day:nth-of-type(3) > summary")
			tab.See(r.ask)
			tab.Click(".bars tbody tr:nth-child(2) a") // the day before
			tab.See(r.ask)
			tab.SeeNot(r.times)
			tab.Click(`main .notice a[href="/privacy/accesses"]`)
			tab.See(r.times)
			tab.Click("details.filter summary")
			tab.Choose("[name=purpose]", "invoicing")
			tab.Click("details.filter button")
			tab.See(r.none)
			tab.Accessible()
			tab.Shot("accesses-none-" + r.shot)

			// She ends a login that she does not know.
			other := browser.Tab(t, webtest.Options{Language: r.lang})
			other.Go(c.link(mia))
			other.At("/privacy")
			tab.Click(`footer a[href="/privacy/devices"]`)
			tab.See(r.devices)
			tab.Accessible()
			tab.Shot("devices-" + r.shot)
			tab.Click("form[action='/privacy/devices/" + c.linked(mia) + "/end'] button")
			tab.See(r.ended)
			tab.Accessible()
			other.Go(c.URL + "/privacy/data")
			other.At("/privacy/login")
			other.SeeNot("Lindenweg")

			// A link does not take the place of her login unless she wants it to.
			tab.Go(c.link(mia))
			tab.See(r.already)
			tab.Accessible()
			tab.Shot("already-" + r.shot)
			tab.Click("main a[role=button]")
			tab.At("/privacy")
			tab.SeeNot(r.more)

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

// linked is the session of whoever came by a link.
func (c *centre) linked(mia vaulttest.Person) string {
	c.T.Helper()
	sessions, err := c.OwnSessions(c.T.Context(), c.As("web").Session(mia).Caller)
	if err != nil {
		c.T.Fatal(err)
	}
	for _, s := range sessions {
		if s.How == "link" {
			return s.ID.String()
		}
	}
	c.T.Fatal("nobody came by a link")
	return ""
}

// Magnified four times, or on the narrowest phone, no page must be pushed to the
// side, however long its words are.
func TestNothingStandsOutOfTheWindow(t *testing.T) {
	browser := webtest.Start(t)
	register := strings.NewReplacer("de: Allergien", "de: Nahrungsmittelunverträglichkeitsbescheinigungen", "de: Läden", "de: Lebensmitteleinzelhandelsverkaufsstellen",
		"controller: {name: Northgate", "controller: {name: Nordfriesische Naturkostversandhandelsgesellschaft", "de: Angebote per SMS", "de: Kurznachrichtenangebotsbenachrichtigungen").Replace(withParts)
	c := openWith(t, vaulttest.Options{Register: register}, nil)
	mia := c.miaOfParts()
	c.As("store").For("order-fulfilment").Read(mia)
	tab := browser.Tab(t, webtest.Options{Language: "de", Width: 320, Expected: []string{"404"}})
	c.logIn(tab, "mia@example.org")
	for _, path := range []string{"", "/data", "/data/allergy", "/data/wishes", "/data/address", "/uses", "/said", "/accesses", "/take", "/take/leave", "/take/requests", "/devices", "/login", "/nowhere"} {
		tab.Go(c.URL + "/privacy" + path)
		tab.Run(`document.querySelectorAll("details").forEach(d => { d.open = true })`)
		if wide := tab.Wide(); wide != "0" {
			t.Errorf("/privacy%s is wider than its window by %s points", path, wide)
		}
		tab.Shot("narrow" + strings.ReplaceAll(path, "/", "-"))
	}
}
