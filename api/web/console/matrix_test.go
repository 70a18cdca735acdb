package console_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// counted is an officer whose clicks are counted, and who has no keyboard.
type counted struct {
	*webtest.Tab
	clicks int
}

func (c *counted) click(css string) {
	c.clicks++
	c.Click(css)
}

func shop(t *testing.T) *vaulttest.Options {
	t.Helper()
	text, err := os.ReadFile("../../../examples/shop/register.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return &vaulttest.Options{Register: string(text)}
}

// An officer withholds a field from a channel with four clicks and no typing, is
// told before that nothing widens, and the channel does not get it any more.
func TestWithholdingAFieldTakesFourClicks(t *testing.T) {
	d, browser := open(t, nil), webtest.Start(t)
	anahita := d.As("web").Capture(map[string]any{"email": "anahita@example.org", "given_name": "Anahita", "family_name": "Rad"})
	d.As("web").For("order-fulfilment").Read(anahita, "email", "given_name").Released(map[string]any{"email": "anahita@example.org", "given_name": "Anahita"})

	for _, o := range []webtest.Options{{}, {Language: "de", NoScript: true}} {
		cell := "[href*='channel=web'][href*='field=email']"
		if o.NoScript {
			cell = "[href*='channel=web'][href*='field=given_name']"
		}
		tab := browser.Tab(t, o)
		d.logIn(tab, first)
		officer := &counted{Tab: tab}
		officer.click("nav a[href='/console/matrix']")
		officer.click("a.cell" + cell)
		if !o.NoScript {
			tab.Has("button[value=withhold]")
			tab.Accessible()
			tab.Shot("console-cell")
		}
		officer.click("button[value=withhold]")
		if o.NoScript {
			tab.See("Keine Zeile kann mehr herausgeben")
		} else {
			tab.See("No line can let more out than is let out now")
			tab.See("comes into force at once")
			tab.Accessible()
			tab.Shot("console-review")
		}
		officer.click("#apply")
		tab.At("/console/matrix")
		tab.Has("a.cell" + cell + " .withheld-as")
		if officer.clicks > 4 {
			t.Errorf("withholding a field took %d clicks, want at most 4", officer.clicks)
		}
	}
	d.As("web").For("order-fulfilment").Read(anahita, "email", "given_name", "family_name").
		Released(map[string]any{"family_name": "Rad"}).Withheld("email", "policy").Withheld("given_name", "policy")
	if text := d.text(); !strings.Contains(text, "as: withhold") {
		t.Errorf("the register in force is %s", text)
	}
}

// What lets more out is explained line by line and waits for another officer, who
// sees the same lines, and approves; the author cannot.
func TestShowingMoreWaitsForAnotherOfficer(t *testing.T) {
	d, browser := open(t, shop(t)), webtest.Start(t)
	d.second("beatrix")

	anna := browser.Tab(t, webtest.Options{Expected: []string{"403"}})
	d.logIn(anna, first)
	anna.Shot("console-home")
	anna.Accessible()
	anna.Click("nav a[href='/console/matrix']")
	anna.Has("table.matrix")
	anna.Accessible()
	anna.Shot("console-matrix")
	anna.Click("a.cell:has(.withheld-as), a.cell:has(.masked-as)")
	anna.Click("button[value=shown]")
	anna.See("This waits for another officer")
	anna.See("can let more out")
	anna.Accessible()
	anna.Shot("console-widens")
	anna.Click("#apply")
	anna.At("/console/approvals")
	anna.See("waits for another officer")
	anna.See("You proposed this")
	before := d.text()

	beatrix := browser.Tab(t, webtest.Options{Language: "de", Width: 820})
	d.logIn(beatrix, "beatrix")
	beatrix.Click("nav a[href='/console/approvals']")
	beatrix.See("kann mehr herausgeben")
	beatrix.Accessible()
	beatrix.Shot("console-approvals-tablet")
	if d.text() != before {
		t.Error("a change that widens came into force without the second officer")
	}
	beatrix.Click("article.waits form[action$='/approve'] button")
	beatrix.See("gilt.")
	beatrix.See("Nichts wartet")
	if d.text() == before {
		t.Error("an approved change did not come into force")
	}
}
