package console_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// An officer has the console open in many tabs. What is laid on the desk from one
// takes nothing away of what another laid there, and what is put in force is what
// the page showed, not what came later.
func TestManyTabsOfOneOfficer(t *testing.T) {
	d := open(t, &vaulttest.Options{})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(c.CloseIdleConnections)
	do := func(method, path string, form url.Values) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", d.URL)
		res, err := c.Do(req)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		return res.StatusCode, string(text)
	}
	if status, _ := do("POST", "/console/login", url.Values{"client_id": {"officer." + first}, "client_secret": {d.secrets[first]}}); status != http.StatusSeeOther {
		t.Fatalf("logging in: %d", status)
	}
	withhold := func(channel, field string) {
		if status, _ := do("POST", "/console/matrix/cell", url.Values{"purpose": {"order-fulfilment"}, "channel": {channel}, "field": {field}, "as": {"withhold"}}); status != http.StatusSeeOther {
			t.Errorf("withholding %s from %s: %d", field, channel, status)
		}
	}
	fields := []string{"given_name", "family_name", "email", "phone_number"}
	var tabs sync.WaitGroup
	for _, field := range fields {
		tabs.Go(func() { withhold("web", field) })
		tabs.Go(func() { withhold("store", field) })
	}
	tabs.Wait()
	_, review := do("GET", "/console/register/review", nil)
	for _, field := range fields {
		for _, channel := range []string{"web", "store"} {
			if cell := "order-fulfilment/" + channel + "/" + field; !strings.Contains(review, cell) {
				t.Errorf("%s is lost", cell)
			}
		}
	}
	mark := regexp.MustCompile(`name="mark" value="([^"]+)"`)
	shown := mark.FindStringSubmatch(review)
	if shown == nil {
		t.Fatal("the page bears no mark")
	}
	withhold("store", "address")
	status, again := do("POST", "/console/register/apply", url.Values{"mark": shown[1:]})
	if status != http.StatusConflict || !strings.Contains(again, "order-fulfilment/store/address") || !strings.Contains(again, "since that page was shown") {
		t.Errorf("putting in force what was not shown: %d", status)
	}
	if view, err := d.Register(t.Context(), d.Officer); err != nil || view.Revision != 1 {
		t.Fatalf("something is in force: %+v, %v", view, err)
	}
	if status, _ := do("POST", "/console/register/apply", url.Values{"mark": mark.FindStringSubmatch(again)[1:]}); status != http.StatusSeeOther {
		t.Errorf("putting in force what was shown: %d", status)
	}
	if view, err := d.Register(t.Context(), d.Officer); err != nil || view.Revision != 2 {
		t.Errorf("it is not in force: %+v, %v", view, err)
	}
}
