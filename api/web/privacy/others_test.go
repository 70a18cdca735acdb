package privacy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/api/web/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// answer is what a page was answered with.
type answer struct {
	status int
	header http.Header
	text   string
}

// ask asks for a page without a browser, with a session's token or, with "",
// without.
func (c *centre) ask(t *testing.T, method, path, token string, form url.Values, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		req.AddCookie(&http.Cookie{Name: "sayso_me", Value: token})
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// mine are all pages that show or change something of one person, with what of
// Mia's would be named in their addresses.
func (c *centre) mine(t *testing.T, mia *vaulttest.Session) []struct {
	method, path string
	form         url.Values
} {
	t.Helper()
	said := mia.Says("refused", "sms-marketing")
	looked := mia.Accesses().Accesses[0].Decision
	type line = struct {
		method, path string
		form         url.Values
	}
	return []line{
		{"GET", "/privacy", nil}, {"GET", "/privacy/data", nil}, {"GET", "/privacy/data/email", nil}, {"GET", "/privacy/uses", nil}, {"GET", "/privacy/said", nil},
		{"GET", "/privacy/accesses", nil}, {"GET", "/privacy/take", nil}, {"GET", "/privacy/take/leave", nil}, {"GET", "/privacy/devices", nil},
		{"GET", "/privacy/receipts/" + said.Consent.String(), nil},
		{"GET", "/privacy/accesses/" + looked.String() + "/proof", nil},
		{"POST", "/privacy/data/given_name", url.Values{"value": {"Eve"}}},
		{"POST", "/privacy/data/given_name/contest", url.Values{}},
		{"POST", "/privacy/uses/sms-marketing", url.Values{"say": {"yes"}, "notice": {"2026-03"}}},
		{"POST", "/privacy/take/file", url.Values{"scope": {"access"}, "format": {"json"}}},
		{"POST", "/privacy/take/restriction", url.Values{"do": {"begin"}}},
		{"POST", "/privacy/devices/" + mia.Opened.ID.String() + "/end", url.Values{}},
		{"POST", "/privacy/take/leave", url.Values{"sure": {"yes"}}},
	}
}

// No page, link or cookie of one person's reaches another.
func TestNobodyReachesAnother(t *testing.T) {
	c := open(t, nil)
	c.mia()
	c.As("store").For("order-fulfilment").Read(vaulttest.By("email", "mia@example.org"))
	c.orders(map[string]any{"given_name": "Eve", "email": "eve@example.org"})
	mia, eve := c.Login("email", "mia@example.org"), c.Login("email", "eve@example.org")
	for _, m := range c.mine(t, mia) {
		name := m.method + " " + m.path
		if got := c.ask(t, m.method, m.path, "", m.form); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/privacy/login") || strings.Contains(got.text, "Mia") {
			t.Errorf("%s without a session got %d to %s", name, got.status, got.header.Get("Location"))
		}
		for _, token := range []string{"sst_made-up", mia.Opened.Token[:len(mia.Opened.Token)-1] + "A", mia.Opened.ID.String()} {
			if token == mia.Opened.Token {
				continue
			}
			if got := c.ask(t, m.method, m.path, token, m.form); got.status != http.StatusSeeOther || strings.Contains(got.text, "Mia") {
				t.Errorf("%s with a token that is nobody's got %d", name, got.status)
			}
		}
		if m.method == "POST" { // from a page of another site, in Mia's own browser
			for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://elsewhere.example"}} {
				if got := c.ask(t, m.method, m.path, mia.Opened.Token, m.form, from...); got.status != http.StatusForbidden {
					t.Errorf("%s from %s got %d", name, from[1], got.status)
				}
			}
		}
		got := c.ask(t, m.method, m.path, eve.Opened.Token, m.form)
		if strings.Contains(got.text, "Mia") || strings.Contains(got.text, "mia@") {
			t.Errorf("%s in eve's session shows mia", name)
		}
		if named := strings.Count(m.path, "/") > 2 && !strings.Contains(m.path, "/take/") && !strings.Contains(m.path, "/data/") && !strings.Contains(m.path, "/uses/"); named && got.status != http.StatusNotFound {
			t.Errorf("%s, which names something of mia's, got eve %d, want 404", name, got.status)
		}
	}
	if values := mia.Values(); values["given_name"] != `"Mia"` || values["email"] != `"mia@example.org"` {
		t.Errorf("after all that mia is %v", values)
	}
	if me := mia.Me(); !me.Restricted.IsZero() || me.Purposes[3].Status != "refused" {
		t.Errorf("after all that mia is restricted since %v, and said %s", me.Restricted, me.Purposes[3].Status)
	}
	if eve.Stands() { // eve had herself deleted, and nobody else
		t.Error("eve's session outlived her")
	}
}

// A channel's session shows what the channel may see, lets out less, and does
// nothing else before the person showed that it is them.
func TestAChannelsSessionIsNotThePerson(t *testing.T) {
	c := open(t, nil)
	who := c.mia()
	opened, err := c.OpenSession(t.Context(), c.As("web").Caller, who)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		method, path string
		form         url.Values
		want         int
	}{
		{"GET", "/privacy/data/given_name", nil, http.StatusForbidden},
		{"POST", "/privacy/data/given_name", url.Values{"value": {"Eve"}}, http.StatusForbidden},
		{"POST", "/privacy/take/file", url.Values{"scope": {"access"}, "format": {"json"}}, http.StatusForbidden},
		{"GET", "/privacy/take/leave", nil, http.StatusForbidden},
		{"POST", "/privacy/take/leave", url.Values{"sure": {"yes"}}, http.StatusForbidden},
		{"POST", "/privacy/uses/tasting", url.Values{"say": {"yes"}, "notice": {"2026-03"}}, http.StatusForbidden},
		{"POST", "/privacy/take/restriction", url.Values{"do": {"begin"}}, http.StatusSeeOther},
		{"POST", "/privacy/take/restriction", url.Values{"do": {"end"}}, http.StatusForbidden},
		{"POST", "/privacy/uses/fraud-prevention", url.Values{"say": {"object"}}, http.StatusSeeOther},
	} {
		if got := c.ask(t, m.method, m.path, opened.Token, m.form); got.status != m.want {
			t.Errorf("%s %s %v in a channel's session got %d, want %d", m.method, m.path, m.form, got.status, m.want)
		}
	}
}

// A link works once, and what only looks ahead does not use it up.
func TestALinkWorksOnce(t *testing.T) {
	c := open(t, nil)
	link := strings.TrimPrefix(c.link(c.mia()), c.URL)
	if got := c.ask(t, "HEAD", link, "", nil); got.header.Get("Set-Cookie") != "" {
		t.Error("asking for the head opened a session")
	}
	if got := c.ask(t, "GET", link, "", nil, "Sec-Purpose", "prefetch;prerender"); got.header.Get("Set-Cookie") != "" {
		t.Error("looking ahead opened a session")
	}
	got := c.ask(t, "GET", link, "", nil)
	cookie := got.header.Get("Set-Cookie")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/privacy" || !strings.HasPrefix(cookie, "sayso_me=sst_") {
		t.Errorf("the link got %d to %s with %s", got.status, got.header.Get("Location"), cookie)
	}
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the session's cookie %s lacks %s", cookie, want)
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for range 2 {
		if got := c.ask(t, "GET", link, "", nil); got.status != http.StatusGone || strings.Contains(got.header.Get("Set-Cookie"), "sst_") {
			t.Errorf("the link a second time got %d", got.status)
		}
	}
	if got := c.ask(t, "GET", "/privacy/enter?code=made-up", "", nil); got.status != http.StatusGone {
		t.Errorf("a code that is made up got %d", got.status)
	}
}

// Somebody's link in the browser of who is logged in as another takes their place
// only if they want it to, and whoever came by a link goes on by the next at once.
func TestALinkAsksWhoIsLoggedIn(t *testing.T) {
	c := open(t, nil)
	c.mia()
	mallory := c.orders(map[string]any{"given_name": "Mallory", "email": "mallory@example.org"})
	mia := c.Login("email", "mia@example.org").Opened.Token
	link := strings.TrimPrefix(c.link(mallory), c.URL)
	got := c.ask(t, "GET", link, mia, nil)
	if got.status != http.StatusOK || strings.Contains(got.header.Get("Set-Cookie"), "sst_") || !strings.Contains(got.text, "You are logged in already") {
		t.Errorf("the link was taken with %d", got.status)
	}
	if got := c.ask(t, "GET", "/privacy/data", mia, nil); !strings.Contains(got.text, "mia@example.org") {
		t.Error("she is not logged in any more")
	}
	_, code, _ := strings.Cut(link, "code=")
	if got := c.ask(t, "POST", "/privacy/enter", mia, url.Values{"code": {code}}, "Sec-Fetch-Site", "cross-site"); got.status != http.StatusForbidden {
		t.Errorf("another site opened it for her: %d", got.status)
	}
	got = c.ask(t, "POST", "/privacy/enter", mia, url.Values{"code": {code}})
	cookie := got.header.Get("Set-Cookie")
	if got.status != http.StatusSeeOther || !strings.Contains(cookie, "sst_") {
		t.Fatalf("wanted, it was answered with %d", got.status)
	}
	if got := c.ask(t, "GET", "/privacy/data", mia, nil); got.status != http.StatusSeeOther {
		t.Errorf("the login goes on beside it: %d", got.status)
	}
	linked, _, _ := strings.Cut(cookie[strings.Index(cookie, "sst_"):], ";")
	if got := c.ask(t, "GET", strings.TrimPrefix(c.link(mallory), c.URL), linked, nil); got.status != http.StatusSeeOther {
		t.Errorf("who came by a link and opens another got %d", got.status)
	}
}

// Over https the cookies are bound to this host and to https.
func TestCookiesOverHTTPS(t *testing.T) {
	c := open(t, func(cfg *privacy.Config, _ string) { cfg.Origin = "https://vault.example.org" })
	got := c.ask(t, "GET", strings.TrimPrefix(c.link(c.mia()), c.URL), "", nil)
	if cookie := got.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-sayso_me=sst_") || !strings.Contains(cookie, "Secure") || strings.Contains(cookie, "Domain") {
		t.Errorf("the session's cookie is %s", cookie)
	}
	out := c.ask(t, "POST", "/privacy/logout", "", url.Values{})
	if got := out.header.Get("Clear-Site-Data"); !strings.Contains(got, "cache") {
		t.Errorf("after a logout Clear-Site-Data is %q", got)
	}
}

// Asking for a code tells nothing about who is known, and cannot go on for ever.
func TestAskingForACodeTellsNothing(t *testing.T) {
	c := open(t, nil)
	c.mia()
	asked := func(address string) string {
		got := c.ask(t, "POST", "/privacy/login/code", "", url.Values{"address": {address}})
		cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), "=")
		return fmt.Sprint(got.status, got.header.Get("Location"), cookie, len(got.header), got.text)
	}
	if known, unknown := asked("mia@example.org"), asked("nobody@example.org"); known != unknown {
		t.Errorf("for somebody known and unknown it was answered\n%s\n%s", known, unknown)
	}
	for range 8 {
		asked("nobody@example.org")
	}
	got := c.ask(t, "POST", "/privacy/login/code", "", url.Values{"address": {"mia@example.org"}})
	if got.status != http.StatusTooManyRequests || !strings.Contains(got.text, "patience") {
		t.Errorf("asking again and again got %d", got.status)
	}
	if got := c.ask(t, "POST", "/privacy/login/code", "", url.Values{"address": {"nobody"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("what is no address got %d", got.status)
	}
	if len(c.code("mia@example.org")) != len("1234 5678") {
		t.Error("mia got no code")
	}
}

// What is downloaded is what the routes give, as a file, and of nobody else.
func TestFilesToKeep(t *testing.T) {
	c := open(t, nil)
	c.mia()
	mia := c.Login("email", "mia@example.org")
	given := mia.Says("given", "sms-marketing")
	for _, f := range []struct{ scope, format, media, name, want string }{
		{"access", "json", "application/json", "my-data-access.json", `"Mia"`},
		{"portable", "csv", "text/csv", "my-data-portable.csv", "value,given_name,Mia"},
		{"portable", "schemaorg", "application/ld+json", "my-data-portable.jsonld", `"givenName"`},
	} {
		got := c.ask(t, "POST", "/privacy/take/file", mia.Opened.Token, url.Values{"scope": {f.scope}, "format": {f.format}})
		if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), f.media) || !strings.Contains(got.header.Get("Content-Disposition"), f.name) || !strings.Contains(got.text, f.want) {
			t.Errorf("%s as %s got %d, %s, %s: %.80s", f.scope, f.format, got.status, got.header.Get("Content-Type"), got.header.Get("Content-Disposition"), got.text)
		}
		if got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("caches may keep %s", f.name)
		}
	}
	if got := c.ask(t, "POST", "/privacy/take/file", mia.Opened.Token, url.Values{"scope": {"all"}, "format": {"json"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a scope that there is not got %d", got.status)
	}
	receipt := c.ask(t, "GET", "/privacy/receipts/"+given.Consent.String(), mia.Opened.Token, nil)
	if receipt.status != http.StatusOK || strings.Count(receipt.text, ".") != 2 {
		t.Errorf("the receipt got %d: %.40s", receipt.status, receipt.text)
	}
	looked := mia.Accesses().Accesses[0].Decision
	if got := c.ask(t, "GET", "/privacy/accesses/"+looked.String()+"/proof", mia.Opened.Token, nil); got.status != http.StatusOK || !strings.Contains(got.text, "{") {
		t.Errorf("the proof of an access got %d", got.status)
	}
}

// A register without a title for something still makes pages.
func TestPagesOfAnEmptyVault(t *testing.T) {
	v := vaulttest.New(t, nil)
	h, err := privacy.New(privacy.Config{Vault: v.Vault, Origin: "http://127.0.0.1", Takeout: takeout})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	mux := http.NewServeMux()
	h.Mount(mux)
	mux.Handle(page.AssetsPath, page.Assets())
	for path, want := range map[string]int{"/privacy": http.StatusSeeOther, "/privacy/login": http.StatusOK, "/privacy/nowhere": http.StatusNotFound,
		"/privacy/login/openid/0": http.StatusNotFound, "/privacy/status/made-up": http.StatusNotFound, "/privacy/login/code": http.StatusSeeOther} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		if w.Code != want {
			t.Errorf("%s got %d, want %d", path, w.Code, want)
		}
	}
}
