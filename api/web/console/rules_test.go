package console_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

const noAddresses = `package sayso.rules

withhold contains {"field": "address", "reason": "Addresses stay with the store"} if {
	input.channel.id == "web"
}
`

// shopDay is a vault after a day of a shop, in which three people were read.
func shopDay(t *testing.T) (*desk, []vaulttest.Person) {
	t.Helper()
	d := open(t, &vaulttest.Options{Now: time.Date(2026, 3, 7, 9, 0, 0, 0, time.UTC)})
	var people []vaulttest.Person
	for i := range 3 {
		p := d.As("web").Capture(map[string]any{"given_name": "Mina", "email": fmt.Sprintf("m%d@example.org", i), "phone_number": fmt.Sprintf("+4930%07d", 1000000+i),
			"birthdate": "1990-04-01", "address": map[string]any{"street_address": "Weg 1", "locality": "Kiel", "country": "DE"}})
		people = append(people, p)
		d.As("web").For("order-fulfilment").Read(p)
		d.As("store").For("order-fulfilment").Read(p, "given_name", "birthdate")
	}
	d.As("store").For("sms-marketing").Consent(people[0], privacy.StatusGiven)
	d.As("sms").For("sms-marketing").Read(people[0])
	d.As("sms").For("sms-marketing").Read(people[1]).Denied(privacy.CodeNoConsent)
	d.As("web").For("sms-marketing").Read(people[1]).Refused(vault.CodePurposeNotGranted)
	return d, people
}

// write puts a text into the editor as somebody does who pastes it. The editor
// takes note of what is selected a moment later than the page.
func write(t *testing.T, tab *webtest.Tab, n int, text string) {
	t.Helper()
	editor := fmt.Sprintf(`document.querySelectorAll(".cm-content")[%d]`, n)
	tab.Has(".cm-content")
	for range 200 {
		tab.Run(editor + `.focus(); document.getSelection().selectAllChildren(` + editor + `)`)
		tab.Run(`const data = new DataTransfer(); data.setData("text/plain", ` + strconv.Quote(text) + `);
			` + editor + `.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}))`)
		if tab.Value(fmt.Sprintf("#m%d", n)) == text {
			return
		}
	}
	t.Fatalf("the editor holds %q", tab.Value(fmt.Sprintf("#m%d", n)))
}

// A rule lives from a draft to being in force and back, with two officers: written
// in the editor, which says what is wrong while it is; tested; replayed; put in
// force by one alone, since it only narrows; taken back by two, since that widens.
func TestTheLifeOfAChange(t *testing.T) {
	browser := webtest.Start(t)
	d, _ := shopDay(t)
	d.second("beatrix")
	anna := browser.Tab(t, webtest.Options{Expected: []string{"409"}})
	d.logIn(anna, first)

	anna.Go(d.URL + "/console/rules")
	anna.See("The guardrails alone")
	anna.See("Nobody has written rules yet")
	anna.Accessible()
	anna.Click("a[href='/console/rules/new']")
	anna.At("/console/rules/new")
	anna.Has(".cm-content")
	anna.Fill("[name=note]", "No addresses to the web")

	// What is wrong is told with its line, while she writes.
	write(t, anna, 0, strings.Replace(noAddresses, "input.channel.id", "input.channel.name", 1))
	anna.See("1 problem")
	anna.See("rules.rego:4:2")
	anna.Has(".cm-lintRange-error")
	anna.Accessible()
	anna.Shot("editor-problem")
	write(t, anna, 0, noAddresses)
	anna.See("The rules can be put in force.")
	anna.Click("button[value=tests]")
	anna.Has("[name=name][value='rules_test.rego']")
	write(t, anna, 1, "package sayso.rules_test\n\nimport data.sayso.rules\n\ntest_web if {\n\tsome w in rules.withhold with input.channel.id as \"web\"\n\tw.field == \"address\"\n}\n")
	anna.See("1 test passes.")
	anna.See("The tests reach 100 % of the rules.")
	anna.Shot("editor")
	anna.Click("button[value=save]")
	anna.See("The draft is kept.")
	anna.See("Lets no more out")
	anna.Click("form[action$='/test'] button")
	anna.See("1 test passes.")
	anna.Has(".stages li.done:nth-child(3)") // tested

	// She sees what it would have done, and opens an example.
	anna.Click("form[action='/console/replays'] button")
	anna.See("Decided again")
	anna.See("of them shown less")
	anna.See("web")
	anna.Accessible()
	anna.Shot("replay")
	set := anna.Attribute("main p a", "href")
	anna.Click("main table a[href^='/console/decisions/']")
	anna.See("Field by field")
	anna.Go(d.URL + set)
	anna.See("would change, 3 people.")
	anna.Accessible()
	anna.Shot("set")
	anna.Click("form[action$='/activate'] button")
	anna.See("The rules are in force")
	if got := d.As("web").For("order-fulfilment").Read(vaulttest.By("email", "m0@example.org"), "email", "address"); got.Result == nil || len(got.Result.Fields) != 1 {
		t.Errorf("a read under the rule: %+v", got)
	}

	// Back to the guardrails lets more out: it waits, and she cannot approve it.
	anna.Go(d.URL + "/console/rules/pol_guardrails")
	anna.See("Can let more out")
	beatrix := browser.Tab(t, webtest.Options{Language: "de", Width: 820})
	d.logIn(beatrix, "beatrix")
	anna.Click("form[action$='/rollback'] button")
	anna.See("waits for another officer")
	anna.See("You asked for this yourself")
	if there := anna.Text(); strings.Contains(there, "Approve and put in force") {
		t.Errorf("she could approve her own change:\n%s", there)
	}
	beatrix.Go(d.URL + "/console/rules/pol_guardrails")
	beatrix.See("Wartet auf eine zweite beauftragte Person")
	beatrix.See("Kann mehr hinauslassen")
	beatrix.Accessible()
	beatrix.Shot("approve-tablet")
	beatrix.Click("form[action='/console/replays'] button")
	beatrix.See("von ihnen mehr sichtbar")
	beatrix.Shot("replay-tablet")
	beatrix.Go(d.URL + "/console/rules/pol_guardrails")
	beatrix.Click("form[action$='/approve'] button")
	beatrix.See("Die Regeln sind in Kraft")

	// Anna wrote another, and looked at it before Beatrix approved the next one:
	// both sides are shown, and nothing is done behind anybody's back.
	anna.Go(d.URL + "/console/rules/new")
	write(t, anna, 0, strings.Replace(noAddresses, "address", "email", 1))
	anna.Fill("[name=note]", "No e-mails to the web")
	anna.Click("button[value=save]")
	anna.See("The draft is kept.")
	d.Activate(strings.Replace(noAddresses, "address", "phone_number", 1))
	anna.Click("form[action$='/activate'] button")
	anna.See("Somebody was quicker")
	anna.See(`"field": "phone_number"`)
	anna.See(`"field": "email"`)
	anna.Accessible()
	anna.Shot("conflict")
	anna.Click("form[action$='/activate'] button")
	anna.See("waits for another officer") // it would let telephones out again
	beatrix.Go(d.URL + strings.TrimSuffix(anna.Attribute("form[action$='/reject']", "action"), "/reject"))
	beatrix.Fill("[name=reason]", "Ohne Mail keine Rechnung")
	beatrix.Click("form[action$='/reject'] button")
	beatrix.See("Es ist abgelehnt")
	beatrix.See("Ohne Mail keine Rechnung")
	beatrix.Accessible()
	anna.Go(d.URL + "/console/rules")
	anna.See("Rejected")
	anna.Accessible()
	anna.Shot("rules")
}

// Without JavaScript the editor is a field, and checking, laying out and keeping
// are buttons.
func TestRulesAreWrittenWithoutScripts(t *testing.T) {
	browser := webtest.Start(t)
	d, _ := shopDay(t)
	tab := browser.Tab(t, webtest.Options{NoScript: true, Width: 820, Expected: []string{"422"}})
	d.logIn(tab, first)
	tab.Go(d.URL + "/console/rules/new")
	tab.Fill("#m0", "package sayso.rules\n\nwithhold contains {")
	tab.Click("button[value=check]")
	tab.See("rules.rego:3")
	const crooked = "package sayso.rules\n\nwithhold contains {\"field\":\"address\", \"reason\":\"r\"} if input.channel.id == \"web\"\n"
	tab.Fill("#m0", crooked)
	tab.Click("button[value=format]")
	tab.See("The text was laid out")
	if got := tab.Value("#m0"); got != strings.ReplaceAll(crooked, `":"`, `": "`) {
		t.Errorf("laid out: %q", got)
	}
	tab.Click("button[value=save]")
	tab.See("The draft is kept.")
	tab.Click("form[action='/console/replays'] button")
	tab.See("Decided again")
	tab.Shot("replay-noscript")
}

// What officers look at: decisions with why, requests with their clocks, reports,
// the log and its proofs. No page shows a value.
func TestRecordsAreLookedAt(t *testing.T) {
	browser := webtest.Start(t)
	d, people := shopDay(t)
	if _, err := d.Erase(t.Context(), d.Officer, vault.EraseRequest{Subject: vault.SubjectRef{ID: people[2].ID}, Reason: "she asked"}); err != nil {
		t.Fatal(err)
	}
	waits, err := d.EnterRequest(t.Context(), d.Officer, vault.EnterRequest{Kind: vault.RequestAccess, Subject: vault.SubjectRef{ID: people[0].ID}, Reason: "a letter", Awaiting: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Restrict(t.Context(), d.Officer, people[1].ID, "the address is wrong"); err != nil {
		t.Fatal(err)
	}
	late, err := d.EnterRequest(t.Context(), d.Officer, vault.EnterRequest{Kind: vault.RequestRectification, Subject: vault.SubjectRef{ID: people[1].ID}, Reason: "the address",
		By: &privacy.Actor{Role: privacy.ByGuardian}, Received: d.Now().AddDate(0, -2, 0)})
	if err != nil {
		t.Fatal(err)
	}
	letter := browser.Tab(t, webtest.Options{})
	d.logIn(letter, first)
	letter.Go(d.URL + "/console/requests/" + waits.ID.String())
	letter.See("Awaits identity")
	letter.See("days left")
	letter.Fill("form[action$='/identity'] [name=reason]", "she showed her card")
	letter.Click("form[action$='/identity'] button")
	letter.See("Noted. It goes on.")
	letter.Accessible()
	letter.Fill("form[action$='/extend'] [name=reason]", "three archives")
	letter.Click("form[action$='/extend'] button")
	letter.See("two months longer")
	letter.Fill("form[action$='/complete'] [name=reason]", "a copy was sent")
	letter.Click("form[action$='/complete'] button")
	letter.See("It is answered.")
	letter.Shot("request")
	for _, o := range []webtest.Options{{Expected: []string{"404"}}, {Expected: []string{"404"}, Language: "de", Width: 820}} {
		tab, name := browser.Tab(t, o), func(page string) string { return page + o.Language }
		d.logIn(tab, first)
		look := func(path, sees, shot string) {
			t.Helper()
			tab.Go(d.URL + path)
			tab.See(sees)
			if there := tab.Text(); strings.Contains(there, "Mina") || strings.Contains(there, "@example.org") || strings.Contains(there, "Kiel") {
				t.Errorf("%s shows a value:\n%s", path, there)
			}
			tab.Accessible()
			tab.Shot(name(shot))
		}
		in := func(english, german string) string {
			if o.Language == "de" {
				return german
			}
			return english
		}
		look("/console/decisions?code=no_consent&channel=sms", "sms-marketing", "decisions")
		tab.Click("main table a")
		tab.See(in("What would have changed it", "Was es geändert hätte"))
		tab.See(in("The person consents.", "Die Person willigt ein."))
		tab.Accessible()
		tab.Shot(name("decision"))
		look("/console/decisions?subject="+people[1].ID.String()+"&from=2026-03-07&to=2026-03-07", in("Denied", "Verweigert"), "decisions-person")
		look("/console/decisions?from=2020-01-01&to=2020-01-02", in("No decision fits", "Keine Entscheidung passt"), "decisions-none")
		look("/console/requests", in("overdue", "überfällig"), "requests")
		tab.See(in("a guardian", "jemand, der für sie sorgt"))
		tab.Click("main table a") // what is due first
		tab.At("/console/requests/" + late.ID.String())
		look("/console/requests?show=all", in("Restriction (Art. 18)", "Einschränkung (Art. 18)"), "requests-all")
		tab.Click("main table tr:has(.request-completed):not(:has(a[href$='" + waits.ID.String() + "'])) a")
		tab.See(in("Who is told (Art. 19)", "Wer es erfährt (Art. 19)"))
		tab.See(in("has no webhook or stream: tell it", "hat weder Webhook noch Strom: Bescheid sagen"))
		tab.Accessible()
		tab.Shot(name("request-told"))
		look("/console/reports", in("Data nobody reads", "Daten, die niemand liest"), "reports")
		look("/console/reports/activities", "Art. 6(1)(a)", "activities")
		look("/console/reports/consents", "2026-03-07", "report-consents")
		look("/console/reports/denials?days=7", in("No say-so", "Keine Zustimmung"), "report-denials")
		look("/console/reports/gaps", "birthdate", "report-gaps")
		look("/console/reports/unread", in("never", "nie"), "report-unread")
		look("/console/log", in("Signed checkpoint", "Signierter Stand"), "log")
		look("/console/log?id=dec_nonsense", in("There is nothing here", "Hier ist nichts"), "log-none")
	}
	for path, want := range map[string]string{
		"/console/reports/activities?format=csv": "text/csv; charset=utf-8", "/console/reports/activities?format=json": "application/json",
		"/console/reports/gaps?format=csv": "text/csv; charset=utf-8", "/console/reports/unread?format=json": "application/json",
	} {
		if res := d.ask(first, http.MethodGet, path, nil); res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/console/reports/secrets", "/console/reports/gaps?days=8", "/console/replays/job_none", "/console/rules/pol_none", "/console/decisions/dec_none", "/console/requests/req_none"} {
		if res := d.ask(first, http.MethodGet, path, nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
		if res := d.ask("", http.MethodGet, path, nil); res.StatusCode != http.StatusSeeOther {
			t.Errorf("%s, by nobody: %d", path, res.StatusCode)
		}
	}
}
