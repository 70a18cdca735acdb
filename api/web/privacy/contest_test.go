package privacy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// guessingShop is the shop with a program that works out what people like, and a web
// shop that may use it.
var guessingShop = strings.NewReplacer(
	"purposes:\n", `  - {name: style, title: {en: Style you like, de: "Stil, den Sie mögen"}, type: string, category: "pd:Interest", retention: P1Y}
purposes:
  - {id: hints, title: {en: Suggest what fits, de: "Vorschlagen, was passt"}, dpv: "dpv:Personalisation", basis: contract, profiling: true, fields: [given_name, style]}
`,
	"channels:\n", "channels:\n  - {id: stylist, kind: model, title: {en: Stylist, de: Stilberater}, purposes: [hints], captures: [email, style]}\n",
	"{id: web, kind: web, title: {en: Web shop, de: Webshop}, purposes: [order-fulfilment, fraud-prevention]", "{id: web, kind: web, title: {en: Web shop, de: Webshop}, purposes: [order-fulfilment, fraud-prevention, hints]",
).Replace(shop)

// guessed is Mia, of whom a program worked out that she likes grey.
func guessed(t *testing.T, c *centre) vaulttest.Person {
	t.Helper()
	mia := c.mia()
	req := vaulttest.CaptureRequest(t, map[string]any{"style": "Grau"})
	req.Subject, req.Inferred = &mia, map[privacy.FieldName]privacy.Inference{"style": {Model: "palette", Version: "2", Confidence: 0.806}}
	if _, err := c.Capture(t.Context(), c.As("stylist").Caller, req); err != nil {
		t.Fatal(err)
	}
	c.As("web").For("hints").Ground(mia, vault.GroundBegun)
	return mia
}

// A program worked out which style Mia likes. She reads that it did and how sure it
// was, says that it is not right, and nobody reads it any more. The page says so until
// somebody has looked into it, and then what was decided and why. Through the shop's
// link she does it without JavaScript.
func TestSomebodySaysThatAGuessIsNotRight(t *testing.T) {
	browser := webtest.Start(t)
	for _, r := range []struct {
		webtest.Options
		shot, title, made, sure, button, done, open, stands, removed, kind string
	}{
		{webtest.Options{Language: "en"}, "desk", "Style you like", "a program (palette) worked it out", "How sure it was: 81 %.", "That is not right", "Understood: “Style you like” is not right.",
			"Nobody is shown it, until somebody has looked into it.", "It was decided that it is right.", "You were right: what the program had worked out was removed.", "What a program worked out is not right: Style you like"},
		{webtest.Options{Language: "de", Phone: true}, "phone", "Stil, den Sie mögen", "Ein Programm (palette) hat es erschlossen", "So sicher war es sich: 81 %.", "Das stimmt nicht", "Verstanden: „Stil, den Sie mögen“ stimmt nicht.",
			"Niemand bekommt es gezeigt, bis ein Mensch es geprüft hat.", "Es wurde entschieden, dass es stimmt.", "Sie hatten recht: Was das Programm erschlossen hatte, wurde entfernt.", "Was ein Programm erschlossen hat, stimmt nicht: Stil, den Sie mögen"},
	} {
		t.Run(r.Language, func(t *testing.T) {
			c := openWith(t, vaulttest.Options{Register: guessingShop}, nil)
			mia := guessed(t, c)
			hints := c.As("stylist").For("hints")
			hints.Read(mia, "style").Released(map[string]any{"style": "Grau"})
			tab := browser.Tab(t, r.Options)
			c.logIn(tab, "mia@example.org")
			contest := func(reason string) *vault.Request {
				t.Helper()
				tab.Click(`nav a[href="/privacy/data"]`)
				tab.See(r.made)
				tab.See(r.sure)
				tab.Accessible()
				tab.Click("#style form summary")
				tab.Fill("#style textarea", reason)
				tab.Accessible()
				tab.Shot("contest-" + r.shot)
				tab.See(r.button)
				tab.Click("#style form button")
				tab.See(r.done)
				tab.See(r.open)
				tab.Accessible()
				tab.Shot("contested-" + r.shot)
				hints.Read(mia, "given_name", "style").Withheld("style", privacy.CodeRestricted)
				all, err := c.OwnRequests(t.Context(), c.Login("email", "mia@example.org").Caller)
				if err != nil || len(all) == 0 || all[0].Reason != reason {
					t.Fatalf("her requests: %+v %v", all, err)
				}
				return &all[0]
			}
			if _, err := c.DeclineRequest(t.Context(), c.Officer, contest("Grau? Niemals.").ID, "You bought nine grey coats."); err != nil {
				t.Fatal(err)
			}
			hints.Read(mia, "style").Released(map[string]any{"style": "Grau"})
			if _, err := c.AnswerRequest(t.Context(), c.Officer, contest("Presents!").ID, "They went elsewhere."); err != nil {
				t.Fatal(err)
			}
			tab.Click("#style .notice a")
			tab.At("/privacy/take/requests")
			for _, words := range []string{r.kind, r.stands, r.removed, "Grau? Niemals.", "You bought nine grey coats.", "They went elsewhere."} {
				tab.See(words)
			}
			tab.Accessible()
			tab.Shot("contest-decided-" + r.shot)
			tab.Click(`nav a[href="/privacy/data"]`)
			tab.SeeNot(r.title)

			// Through the shop's link she may say it too, and then does not see it there.
			guess := vaulttest.CaptureRequest(t, map[string]any{"style": "Blau"})
			guess.Subject, guess.Inferred = &mia, map[privacy.FieldName]privacy.Inference{"style": {Model: "palette", Version: "2", Confidence: 1}}
			if _, err := c.Capture(t.Context(), c.As("stylist").Caller, guess); err != nil {
				t.Fatal(err)
			}
			plain := r.Options
			plain.NoScript = true
			through := browser.Tab(t, plain)
			through.Go(c.link(mia))
			through.Click(`nav a[href="/privacy/data"]`)
			through.See("Blau")
			through.Click("#style form button")
			through.See(r.done)
			through.SeeNot("Blau")
			hints.Read(mia, "given_name", "style").Withheld("style", privacy.CodeRestricted)
		})
	}
}

// What she told herself has no such button, and the form of one does nothing: neither
// for that nor for what nobody knows.
func TestOnlyAGuessIsContested(t *testing.T) {
	c := openWith(t, vaulttest.Options{Register: guessingShop}, nil)
	guessed(t, c)
	mia := c.Login("email", "mia@example.org")
	page := c.ask(t, "GET", "/privacy/data", mia.Opened.Token, nil).text
	if n := strings.Count(page, "/contest"); n != 1 {
		t.Errorf("the page has %d such forms, want one", n)
	}
	for path, want := range map[string]int{"given_name": http.StatusNotFound, "allergy": http.StatusNotFound, "shoe_size": http.StatusNotFound, "style": http.StatusSeeOther} {
		if got := c.ask(t, "POST", "/privacy/data/"+path+"/contest", mia.Opened.Token, url.Values{}); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
}
