package console_test

import (
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// guessingShop has a model that works out what people like.
var guessingShop = strings.NewReplacer(
	"purposes:\n", `  - {name: taste, type: string, category: "pd:Interest", retention: P1Y}
purposes:
  - {id: hints, title: Hints, dpv: "dpv:Personalisation", basis: contract, profiling: true, fields: [given_name, taste]}
`, "channels:\n", "channels:\n  - {id: model, kind: model, purposes: [hints], captures: [given_name, email, taste]}\n",
).Replace(vaulttest.Register)

// Mina calls: what the model worked out of her is not right. An officer enters it in
// the console, sees which model it was and no value, and overrules her with reasons;
// she calls again, and this time the officer agrees. Every kind of letter has its form.
func TestAContestIsEnteredAndDecided(t *testing.T) {
	browser := webtest.Start(t)
	d := open(t, &vaulttest.Options{Register: guessingShop})
	guess := vaulttest.CaptureRequest(t, map[string]any{"given_name": "Mina", "email": "mina@example.org", "taste": "jazz"})
	guess.Inferred = map[privacy.FieldName]privacy.Inference{"taste": {Model: "ears", Version: "7", Confidence: 0.62}}
	res, err := d.Capture(t.Context(), d.As("model").Caller, guess)
	if err != nil {
		t.Fatal(err)
	}
	mina, hints := vaulttest.ID(res.Subject), d.As("model").For("hints")
	hints.Read(mina, "given_name", "taste").Released(map[string]any{"given_name": "Mina", "taste": "jazz"})
	for _, o := range []struct {
		webtest.Options
		shot, kind, nobody, made, decide, state, outcome string
		upheld                                           bool
	}{
		{webtest.Options{Expected: []string{"422"}}, "", "Contest (Arts. 16, 18)", "Nobody is known by this.", "ears 7, 62 % sure", "Overrule: release it again", "Refused", "Overruled: it is released again", false},
		{webtest.Options{Expected: []string{"422"}, Language: "de", Width: 820}, "de", "Bestreiten (Art. 16, 18)", "Darunter ist niemand bekannt.", "ears 7, zu 62 % sicher", "Stattgeben: Wert entfernen", "Erledigt", "Stattgegeben: Der Wert ist weg", true},
	} {
		tab := browser.Tab(t, o.Options)
		d.logIn(tab, first)
		tab.Go(d.URL + "/console/requests")
		tab.Click("a[href='/console/requests/letters']")
		tab.At("/console/requests/letters")
		tab.Has("main li a")
		tab.Accessible()
		tab.Shot("letter-kinds" + o.shot)
		for _, kind := range vault.RequestKinds {
			tab.Go(d.URL + "/console/requests/letters/new/" + string(kind))
			tab.Accessible()
		}
		tab.Go(d.URL + "/console/requests/letters/new/contest")
		tab.See(o.kind)
		enter := func(address string) {
			tab.Choose("[name=by]", "email")
			tab.Fill("[name=value]", address)
			tab.Choose("[name=field]", "taste")
			tab.Fill("[name=reason]", "She called: she hates it")
			tab.Choose("[name=role]", "guardian")
			tab.Fill("[name=ref]", "her mother")
			tab.Click("form[action='/console/requests/letters/new/contest'] button")
		}
		enter("nobody@example.org")
		tab.See(o.nobody)
		tab.Accessible()
		tab.Shot("letter" + o.shot)
		enter("mina@example.org")
		tab.Has(".request-in_progress")
		tab.See(o.made)
		tab.See("taste")
		tab.SeeNot("jazz")
		tab.Accessible()
		tab.Shot("contest" + o.shot)
		hints.Read(mina, "given_name", "taste").Withheld("taste", privacy.CodeRestricted)
		form := "form[action$='/refuse']"
		if o.upheld {
			form = "form[action$='/complete']"
		}
		tab.See(o.decide)
		tab.Fill(form+" [name=reason]", "We listened to her records")
		tab.Click(form + " button")
		tab.See(o.state)
		tab.See(o.outcome)
		tab.See("We listened to her records")
		tab.Accessible()
		tab.Shot("contest-decided" + o.shot)
		if o.upheld {
			if got := hints.Read(mina, "given_name", "taste"); len(got.Result.Missing) != 1 {
				t.Errorf("upheld: %+v", got.Result)
			}
		} else {
			hints.Read(mina, "taste").Released(map[string]any{"taste": "jazz"})
		}
	}
	all, err := d.Requests(t.Context(), d.Officer, privacy.RequestID{}, 10)
	if err != nil || len(all) != 2 || all[0].Own == nil || all[0].Own.Role != privacy.ByGuardian || all[0].Own.Ref != "her mother" {
		t.Errorf("entered: %+v %v", all, err)
	}
}
