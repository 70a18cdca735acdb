package console_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
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

// large is the register of a big house: 500 fields, 100 channels and 20 purposes,
// nearly all of them about everything. Only "visits" is small, and "orders" of 130
// fields in 30 channels.
func large() string {
	var b strings.Builder
	names := func(format string, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return strings.Join(all, ", ")
	}
	b.WriteString("controller: {name: Northgate, contact: privacy@northgate.example, country: DE}\nfields:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  - {name: field%03d, type: string}\n", i)
	}
	b.WriteString("purposes:\n")
	for i := range 18 {
		fmt.Fprintf(&b, "  - {id: purpose%02d, title: Purpose %d, basis: contract, fields: [%s]}\n", i, i, names("field%03d", 500))
	}
	fmt.Fprintf(&b, "  - {id: orders, title: Orders, basis: contract, fields: [%s]}\n", names("field%03d", 130))
	fmt.Fprintf(&b, "  - {id: visits, title: Visits, basis: contract, fields: [field007, field400]}\nchannels:\n")
	for i := range 100 {
		of := names("purpose%02d", 18)
		if i < 30 {
			of += ", orders"
		}
		if i < 2 {
			of += ", visits"
		}
		fmt.Fprintf(&b, "  - {id: channel%02d, kind: web, purposes: [%s]}\n", i, of)
	}
	b.WriteString("matrix:\n  - {purpose: orders, channel: channel29, field: field129, as: withhold}\n")
	return b.String()
}

// cells are where the cells of a page are changed, and how often each is there.
func cells(page string) map[string]int {
	all := map[string]int{}
	for _, m := range regexp.MustCompile(`<a class="cell" href="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(m[1], "&amp;", "&")]++
	}
	return all
}

// options are what a page's <select> of that name offers.
func options(page, name string) (all []string) {
	_, rest, _ := strings.Cut(page, `<select name="`+name+`">`)
	rest, _, _ = strings.Cut(rest, "</select>")
	for _, m := range regexp.MustCompile(`<option value="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
		all = append(all, m[1])
	}
	return all
}

// The matrix of a big house comes a part at a time, none of them a large page, and
// every cell is in one of them; a shop's is one page.
func TestALargeMatrixIsShownInParts(t *testing.T) {
	d := open(t, &vaulttest.Options{Register: large()})
	show := func(query string) string {
		t.Helper()
		res := d.ask(first, http.MethodGet, "/console/matrix"+query, nil)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("/console/matrix%s: %d", query, res.StatusCode)
		}
		if n := len(cells(res.Body)); len(res.Body) > 1_000_000 || n == 0 || n > 2000 {
			t.Fatalf("/console/matrix%s is a page of %d bytes with %d cells, want at most 1,000,000 and 2,000", query, len(res.Body), n)
		}
		return res.Body
	}
	page := show("")
	if got := len(options(page, "purpose")); got != 20 {
		t.Errorf("one of %d purposes can be chosen, want 20", got)
	}
	for cell := range cells(page) {
		if !strings.HasSuffix(cell, "&purpose=purpose00") {
			t.Fatalf("with the first purpose %s is shown", cell)
		}
	}
	if got := len(cells(show("?purpose=none&field=none&channel=none"))); got != 2000 {
		t.Errorf("asked for what is not there the page has %d cells, want those of the first part", got)
	}

	page = show("?purpose=orders")
	seen := map[string]int{}
	for _, field := range options(page, "field") {
		for _, channel := range options(page, "channel") {
			for cell, n := range cells(show("?purpose=orders&field=" + field + "&channel=" + channel)) {
				seen[cell] += n
			}
		}
	}
	for f := range 130 {
		for c := range 30 {
			cell := fmt.Sprintf("/console/matrix/cell?channel=channel%02d&field=field%03d&purpose=orders", c, f)
			if seen[cell] != 1 {
				t.Fatalf("%s is in %d parts, want 1", cell, seen[cell])
			}
			delete(seen, cell)
		}
	}
	if len(seen) > 0 {
		t.Errorf("beside its own the purpose has cells %v", seen)
	}
	if page := show("?channel=channel29&field=field129&purpose=orders"); !strings.Contains(page, "withheld-as") {
		t.Error("the part of a cell that is withheld does not show it")
	}

	shop := open(t, shop(t)).ask(first, http.MethodGet, "/console/matrix", nil).Body
	if strings.Contains(shop, "<select") || strings.Count(shop, `class="block"`) < 2 {
		t.Errorf("a shop's matrix is not on one page: %s", shop)
	}
}

// In the matrix of a big house an officer chooses the purpose, withholds a field,
// and is back where it is; another language shows the same cell.
func TestAnOfficerFindsACellOfALargeMatrix(t *testing.T) {
	d, browser := open(t, &vaulttest.Options{Register: large()}), webtest.Start(t)
	for _, o := range []webtest.Options{{}, {NoScript: true}} {
		field, tab := "field007", browser.Tab(t, o)
		if o.NoScript {
			field = "field400"
		}
		cell := "a.cell[href*='channel=channel01'][href*='field=" + field + "'][href*='purpose=visits']"
		d.logIn(tab, first)
		tab.Click("nav a[href='/console/matrix']")
		tab.See("This register has more cells than one page shows well")
		tab.Choose("select[name=purpose]", "visits")
		tab.Click("form.part button")
		tab.Has(cell)
		if !o.NoScript {
			tab.Accessible()
			tab.Shot("console-matrix-large")
		}
		tab.Click(cell)
		tab.Has("button[value=withhold]")
		tab.Click(`footer a[lang="de"]`)
		tab.See(field + " in channel01")
		tab.See("wie jetzt")
		tab.Click(".breadcrumb a")
		tab.See("ein Zweck zurzeit")
		tab.Click(`footer a[lang="en"]`)
		tab.See("one purpose is shown at a time")
		tab.Click(cell)
		tab.Click("button[value=withhold]")
		tab.Click("#apply")
		tab.At("/console/matrix")
		tab.Has(cell + " .withheld-as")
	}
}
