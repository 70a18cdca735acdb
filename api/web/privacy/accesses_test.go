package privacy_test

import (
	"context"
	"html"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/web/privacy"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// counting counts how often pages ask who looked.
type counting struct {
	privacy.Vault
	asked int
}

func (c *counting) Accesses(ctx context.Context, by vault.Caller, req vault.AccessRequest) (*vault.Accesses, error) {
	c.asked++
	return c.Vault.Accesses(ctx, by, req)
}

var (
	oneProof = regexp.MustCompile(`/privacy/accesses/(dec_[^/]+)/proof`)
	oneDay   = regexp.MustCompile(`<h3>([^<]+)</h3>`)
	oneBar   = regexp.MustCompile(`</svg><span>(\d+)</span>`)
	oneWho   = regexp.MustCompile(`>\s*(\d+) times`)
	earlier  = regexp.MustCompile(`href="(\?[^"]*after=[^"]+)"`)
)

// Over forty days three channels look more than a thousand times. The first page
// tells it all at a glance and the latest days one by one; the others are pages
// away, each on exactly one page, each page small, none asking without bounds.
func TestAThousandLooksCanBeRead(t *testing.T) {
	counted := &counting{}
	c := openWith(t, vaulttest.Options{Register: shop, Now: time.Date(2026, 3, 2, 0, 30, 0, 0, time.UTC)}, func(cfg *privacy.Config, _ string) {
		counted.Vault, cfg.Vault = cfg.Vault, counted
	})
	mia := c.mia()
	web, store, sms := c.As("web").For("order-fulfilment"), c.As("store").For("order-fulfilment"), c.As("sms").For("sms-marketing")
	for range 40 {
		for range 8 {
			web.Read(mia)
			store.Read(mia, "given_name", "email")
			sms.Read(mia)
			web.Read(mia, "given_name")
			c.Tick(2 * time.Hour)
		}
		c.Tick(8 * time.Hour)
	}
	me := c.Login("email", "mia@example.org").Opened.Token
	proofs, days := map[string]bool{}, map[string]bool{}
	path, pages := "/privacy/accesses", 0
	for next := ""; ; pages++ {
		counted.asked = 0
		got := c.ask(t, "GET", path+next, me, nil).text
		if len(got) > 64<<10 || counted.asked > 12 {
			t.Errorf("page %d is %d bytes and asked %d times", pages, len(got), counted.asked)
		}
		if pages == 0 {
			sum := func(of *regexp.Regexp) (n int) {
				for _, one := range of.FindAllStringSubmatch(got[:strings.Index(got, "Day by day")], -1) {
					count, err := strconv.Atoi(one[1])
					if err != nil {
						t.Fatal(err)
					}
					n += count
				}
				return n
			}
			// 1,280 looks, of which a picture and a list tell the latest thousand.
			if !strings.Contains(got, "The latest 1000 looks") || sum(oneBar) != 1000 || sum(oneWho) < 1000 {
				t.Errorf("at a glance it is %d in the picture and %d by who", sum(oneBar), sum(oneWho))
			}
			if !strings.Contains(got, `href="?from=2026-03-30&amp;to=2026-04-05">from 30`) || !strings.Contains(got, `href="?channel=sms&amp;purpose=sms-marketing"`) {
				t.Error("neither a week nor a channel leads to its looks")
			}
		}
		for _, one := range oneProof.FindAllStringSubmatch(got, -1) {
			if proofs[one[1]] {
				t.Errorf("%s is on two pages", one[1])
			}
			proofs[one[1]] = true
		}
		for _, one := range oneDay.FindAllStringSubmatch(got, -1) {
			if days[one[1]] {
				t.Errorf("%s is on two pages", one[1])
			}
			days[one[1]] = true
		}
		more := earlier.FindStringSubmatch(got)
		if more == nil {
			break
		}
		next = html.UnescapeString(more[1])
	}
	if len(proofs) != 1280 || len(days) != 40 {
		t.Errorf("%d looks of %d days on %d pages, want 1280 of 40", len(proofs), len(days), pages+1)
	}
	if got := c.ask(t, "GET", "/privacy", me, nil); !strings.Contains(got.text, "More than 300 looks") {
		t.Error("the first page counts them otherwise")
	}
}
