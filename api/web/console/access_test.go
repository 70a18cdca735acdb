package console_test

import (
	"net/http"
	"testing"

	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Beatrix comes by a link that works once, makes herself a passkey and logs in by
// it from then on. A third officer is added only when she agrees, and when she is
// removed her session ends at once.
func TestAnOfficerComesByALinkAndStaysByAPasskey(t *testing.T) {
	d, browser := open(t, nil), webtest.Start(t)

	anna := browser.Tab(t, webtest.Options{Expected: []string{"422"}})
	d.logIn(anna, first)
	anna.Click("nav a[href='/console/officers']")
	anna.See("There is one officer")
	anna.Accessible()
	anna.Fill("#name", "Beatrix B")
	anna.Click("form[action='/console/officers'] button")
	anna.See("expected a name of a to z")
	if got := anna.Value("#name"); got != "Beatrix B" {
		t.Errorf("the form holds %q, want what was typed", got)
	}
	anna.Fill("#name", "beatrix")
	anna.Click("form[action='/console/officers'] button")
	anna.See("For beatrix, shown once")
	anna.Accessible()
	anna.Shot("console-officers")
	link := anna.Value("[name=link]")

	beatrix := browser.Tab(t, webtest.Options{Expected: []string{"404", "401"}})
	beatrix.Authenticator()
	beatrix.Go(link)
	beatrix.See("Welcome, beatrix")
	beatrix.Accessible()
	beatrix.Click("main button")
	beatrix.At("/console/you")
	beatrix.See("Make yourself a passkey or a secret now")
	beatrix.Accessible()
	beatrix.Fill("[name=label]", "Laptop")
	beatrix.Click("form[data-passkey] button")
	beatrix.See("The passkey is made")
	beatrix.SeeNot("Make yourself a passkey or a secret now")
	beatrix.See("Laptop")
	beatrix.Click(".logout button")
	beatrix.See("You are logged out")
	beatrix.Click("form[data-passkey] button")
	beatrix.At("/console")
	beatrix.See("You are beatrix")
	beatrix.Go(link)
	beatrix.See("This link no longer works")
	beatrix.Accessible()

	anna.Go(d.URL + "/console/officers")
	anna.Fill("#name", "carla")
	anna.Click("form[action='/console/officers'] button")
	anna.See("carla is proposed")
	anna.See("You proposed this")
	if res := d.ask(first, http.MethodPost, "/console/approvals/add/carla/approve", nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("approving one's own proposal: got %d, want 403", res.StatusCode)
	}
	beatrix.Go(d.URL + "/console/approvals")
	beatrix.Accessible()
	beatrix.Click("article.waits form[action$='/approve'] button")
	beatrix.See("For carla, shown once")
	beatrix.See("Nothing waits")

	anna.Go(d.URL + "/console/officers")
	anna.Click("form[action='/console/officers/beatrix/remove'] button")
	anna.See("It is proposed that beatrix goes")
	beatrix.Go(d.URL + "/console/approvals")
	beatrix.Click("article.waits form[action$='/approve'] button")
	beatrix.At("/console/login")
	beatrix.Click("form[data-passkey] button")
	beatrix.See("no passkey of an officer was used")
}

// What is wrong is told where it was typed and nothing is lost; a new channel's
// secret is shown once; a channel is suspended at once.
func TestTheRegisterIsEditedByForms(t *testing.T) {
	d, browser := open(t, shop(t)), webtest.Start(t)
	tab := browser.Tab(t, webtest.Options{Expected: []string{"422", "409"}})
	d.logIn(tab, first)

	for _, list := range []string{"purposes", "fields", "channels"} {
		tab.Click("nav a[href='/console/" + list + "']")
		tab.Has("a[href='/console/" + list + "/new']")
		tab.Accessible()
		tab.Shot("console-" + list)
	}
	tab.Go(d.URL + "/console/fields/allergy")
	tab.Accessible()
	tab.Fill("#retention", "two years")
	tab.Fill("[name='title.de']", "Unverträglichkeiten")
	tab.Click("form.item button")
	tab.See("Nothing of what you typed is lost")
	tab.Has("#retention[aria-invalid=true]")
	if got, kept := tab.Value("#retention"), tab.Value("[name='title.de']"); got != "two years" || kept != "Unverträglichkeiten" {
		t.Errorf("the form holds %q and %q, want what was typed", got, kept)
	}
	tab.Accessible()
	tab.Shot("console-field-wrong")
	tab.Fill("#retention", "P6M")
	tab.Click("form.item button")
	tab.At("/console/register/review")
	tab.See("No line can let more out")

	// A notice that says something else is another version.
	tab.Go(d.URL + "/console/purposes/sms-marketing")
	tab.Accessible()
	tab.Shot("console-purpose")
	tab.Fill("[name='consent.notice.text.en']", "We text you offers on Sundays.")
	tab.Click("form.item button")
	tab.See("give it a new version")
	tab.Fill("[name='consent.notice.version']", "2026-12")
	tab.Click("form.item button")
	tab.At("/console/register/review")
	tab.See("2026-12")

	tab.Go(d.URL + "/console/channels/new")
	tab.Accessible()
	tab.Fill("#id", "kiosk")
	tab.Fill("#kind", "kiosk")
	tab.Click("input[name=captures][value=given_name]")
	tab.Click("form.item button")
	tab.At("/console/register/review")
	tab.See("can let more out")
	tab.See("You are the only officer")

	// Somebody is quicker, by the command line.
	text := d.text()
	d.Apply(text[:len(text)-1] + "\n\n# looked at in November\nsettings: {approvals: direction}\n")
	tab.Click("#apply")
	tab.See("Somebody was quicker")
	tab.See("What others changed")
	tab.Accessible()
	tab.Shot("console-conflict")
	tab.Click("form[action='/console/register/again'] button")
	tab.See("on top of what is in force now")
	tab.Click("#apply")
	tab.See("For kiosk, shown once")
	tab.Accessible()
	secret := tab.Value("section.shown label:nth-of-type(2) input")
	if _, err := d.Authenticate("kiosk", secret); err != nil {
		t.Errorf("the secret that was shown: %v", err)
	}
	for _, want := range []string{"P6M", "2026-12", "on Sundays", "looked at in November", "Unverträglichkeiten", "tax law demands"} {
		if !contains(d.text(), want) {
			t.Errorf("the register in force lacks %q", want)
		}
	}

	tab.Go(d.URL + "/console/channels/kiosk")
	tab.Accessible()
	tab.Click("form[action$='/suspend'] button")
	tab.See("kiosk is suspended")
	if _, err := d.Authenticate("kiosk", secret); err == nil {
		t.Error("a suspended channel is let in")
	}
	tab.Shot("console-channel")
	tab.Click("form[action$='/resume'] button")
	tab.See("kiosk goes on")
	tab.Click("form[action='/console/channels/kiosk/secrets'] button")
	tab.See("For kiosk, shown once")
	tab.Go(d.URL + "/console/channels/kiosk")
	tab.SeeNot("shown once")
}

// An officer finds a person by an identifier and a reason, which the person sees,
// and is shown no value.
func TestAPersonIsFoundForAReason(t *testing.T) {
	d, browser := open(t, nil), webtest.Start(t)
	d.As("web").Capture(map[string]any{"email": "anahita@example.org", "given_name": "Anahita"})
	tab := browser.Tab(t, webtest.Options{Expected: []string{"422"}})
	d.logIn(tab, first)
	tab.Click("nav a[href='/console/lookup']")
	tab.Has("#field")
	tab.Accessible()
	tab.Choose("#field", "email")
	tab.Fill("#value", "nobody@example.org")
	tab.Fill("#reason", "A letter of 3 March")
	tab.Click("form.item button")
	tab.See("Nobody is known by this")
	tab.Fill("#value", "anahita@example.org")
	tab.Click("form.item button")
	tab.See("sub_")
	tab.At("/console/lookup")
	tab.SeeNot("Anahita")
	tab.Shot("console-lookup")
}

// A vault without a register is met with where to begin, and bad text with lines.
func TestAnEmptyVaultSaysWhereToBegin(t *testing.T) {
	d, browser := open(t, &vaulttest.Options{Bare: true}), webtest.Start(t)
	tab := browser.Tab(t, webtest.Options{Expected: []string{"422"}})
	d.logIn(tab, first)
	for _, path := range []string{"", "/matrix", "/purposes", "/fields", "/channels", "/register", "/lookup", "/register/review"} {
		tab.Go(d.URL + "/console" + path)
		tab.Has(".empty")
		tab.Accessible()
	}
	tab.Shot("console-empty")
	tab.Go(d.URL + "/console/register/text")
	tab.Accessible()
	tab.Fill("[name=text]", "controller: {name: Northgate}\nfields: []")
	tab.Click("form[action='/console/register/text'] button")
	tab.See("controller")
	tab.See("1:13")
	tab.Accessible()
	tab.Shot("console-text-wrong")
}
