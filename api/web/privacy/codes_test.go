package privacy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	privacycentre "github.com/sayso-vault/sayso/api/web/privacy"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// routed is what a route was answered with.
type routed struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

// route asks a route, with a session's token or, with "", without.
func (c *centre) route(t *testing.T, method, path, token, body string) routed {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := routed{status: res.StatusCode, header: res.Header, text: string(text)}
	_ = json.Unmarshal(text, &got.json)
	return got
}

const (
	enterRoute   = "/v1/subject-sessions/enter"
	codesRoute   = "/v1/subject-sessions/codes"
	confirmRoute = "/v1/subject-sessions/codes/confirm"
)

// Without a browser mia comes by the shop's link, which is refused what takes a
// login, has a code mailed, and is let in; the session of the link ends with that.
func TestSomebodyLogsInWithoutABrowser(t *testing.T) {
	c := open(t, nil)
	link := c.link(c.mia())
	_, code, _ := strings.Cut(link, "?code=")
	entered := c.route(t, "POST", enterRoute, "", `{"code":"`+code+`"}`)
	if entered.status != http.StatusCreated || entered.json["assurance"] != "channel" {
		t.Fatalf("the link: %d %s", entered.status, entered.text)
	}
	part := entered.json["token"].(string)
	for _, again := range []string{code, "made-up", part} {
		if got := c.route(t, "POST", enterRoute, "", `{"code":"`+again+`"}`); got.status != http.StatusGone || got.json["code"] != "code_over" {
			t.Errorf("the link again, or one that is none: %d %s", got.status, got.text)
		}
	}
	if got := c.route(t, "GET", "/v1/me/export", part, ""); got.json["code"] != "step_up_required" {
		t.Errorf("before the login: %d %s", got.status, got.text)
	}

	asked := c.route(t, "POST", codesRoute, "", `{"subject":{"email":"Mia@Example.org"},"language":"de"}`)
	if asked.status != http.StatusAccepted {
		t.Fatalf("asking for a code: %d %s", asked.status, asked.text)
	}
	letter := <-c.sent
	if letter.to != "Mia@Example.org" || !strings.Contains(letter.text, "nur dort, wo er angefordert wurde") {
		t.Errorf("the mail to %s: %s", letter.to, letter.text)
	}
	mailed := codeForm.FindString(letter.text)
	confirm := func(token, attempt, code string) routed {
		return c.route(t, "POST", confirmRoute, token, fmt.Sprintf(`{"attempt":%q,"code":%q}`, attempt, code))
	}
	attempt := asked.json["attempt"].(string)
	wrong := "0000 0000"
	if mailed == wrong {
		wrong = "0000 0001"
	}
	if got := confirm("", attempt, wrong); got.status != http.StatusForbidden || got.json["code"] != "wrong_code" {
		t.Errorf("a wrong code: %d %s", got.status, got.text)
	}
	other := c.route(t, "POST", codesRoute, "", `{"subject":{"email":"eve@example.org"}}`).json["attempt"].(string)
	if got := confirm("", other, mailed); got.status != http.StatusForbidden {
		t.Errorf("mia's code in eve's attempt: %d %s", got.status, got.text)
	}
	// Who is no session's refuses before the code is used up.
	if got := confirm("sst_made-up", attempt, mailed); got.status != http.StatusUnauthorized {
		t.Errorf("stepping up from a session that is none: %d %s", got.status, got.text)
	}
	in := confirm(part, attempt, mailed)
	if in.status != http.StatusCreated || in.json["assurance"] != "verified" {
		t.Fatalf("logging in: %d %s", in.status, in.text)
	}
	own := in.json["token"].(string)
	if got := c.route(t, "GET", "/v1/me/export", own, ""); got.status != http.StatusOK || !strings.Contains(got.text, "Lindenweg") {
		t.Errorf("after the login: %d %s", got.status, got.text)
	}
	if got := c.route(t, "GET", "/v1/me", part, ""); got.status != http.StatusUnauthorized {
		t.Errorf("the session that stepped up goes on: %d", got.status)
	}
	if got := confirm("", attempt, mailed); got.status != http.StatusGone || got.json["code"] != "code_over" {
		t.Errorf("the code a second time: %d %s", got.status, got.text)
	}
}

// A code opens nobody but who it was mailed to, and no more than five are tried.
func TestACodeIsTriedFiveTimes(t *testing.T) {
	c := open(t, nil)
	c.mia()
	attempt := c.route(t, "POST", codesRoute, "", `{"subject":{"email":"mia@example.org"}}`).json["attempt"].(string)
	right := c.code("mia@example.org")
	for n := range 5 {
		guess := fmt.Sprintf("%08d", n)
		if strings.ReplaceAll(right, " ", "") == guess {
			guess = "99999999"
		}
		c.route(t, "POST", confirmRoute, "", `{"attempt":"`+attempt+`","code":"`+guess+`"}`)
	}
	if got := c.route(t, "POST", confirmRoute, "", `{"attempt":"`+attempt+`","code":"`+right+`"}`); got.status != http.StatusGone {
		t.Errorf("the right code after five wrong ones: %d %s", got.status, got.text)
	}
}

// Asking for a code by a route tells as little as the page does, and counts with
// it: nobody asks more often by using both.
func TestARouteForCodesTellsNothing(t *testing.T) {
	c := open(t, nil)
	c.mia()
	c.As("web").Capture(map[string]any{"given_name": "Ben", "email": "ben@example.org"}) // and did not verify it
	asked := func(address string) string {
		got := c.route(t, "POST", codesRoute, "", `{"subject":{"email":"`+address+`"}}`)
		attempt, _ := got.json["attempt"].(string)
		names := []string{}
		for name := range got.header {
			names = append(names, name)
		}
		return fmt.Sprint(got.status, len(attempt), len(got.text), len(names), got.header.Get("Cache-Control"))
	}
	known := asked("mia@example.org")
	for _, address := range []string{"nobody@example.org", "ben@example.org"} {
		if got := asked(address); got != known {
			t.Errorf("%s was answered %s, mia %s", address, got, known)
		}
	}
	for body, want := range map[string]int{
		`{"subject":{"email":"nobody"}}`:                               422,
		`{"subject":{"email":7}}`:                                      422,
		`{"subject":{"phone_number":"+491722200111"}}`:                 422,
		`{"subject":{"given_name":"mia@example.org"}}`:                 422,
		`{"subject":"` + privacy.SubjectID{1}.String() + `"}`:          422,
		`{"subject":{"email":"a@example.org","given_name":"Mia"}}`:     422,
		`{"subject":{"email":"` + strings.Repeat("a", 300) + `@b.c"}}`: 422,
		`{}`: 422,
	} {
		if got := c.route(t, "POST", codesRoute, "", body); got.status != want || strings.Contains(got.text, "mia@") {
			t.Errorf("%.40s: %d %s", body, got.status, got.text)
		}
	}
	for range 7 {
		c.ask(t, "POST", "/privacy/login/code", "", map[string][]string{"address": {"nobody@example.org"}})
	}
	got := c.route(t, "POST", codesRoute, "", `{"subject":{"email":"mia@example.org"}}`)
	if got.status != http.StatusTooManyRequests || got.json["code"] != "rate_limited" || got.header.Get("Retry-After") == "" {
		t.Errorf("after ten by page and route: %d %s", got.status, got.text)
	}
	// One mail went out: to mia, who is known and whose address is verified.
	if len(c.code("mia@example.org")) != len("1234 5678") {
		t.Error("mia got no code")
	}
	select {
	case l := <-c.sent:
		t.Errorf("a code went to %s", l.to)
	default:
	}
}

// Nobody reaches another by these routes: a link, an attempt and a code of mia's are
// good for mia, whoever sends them, and a session of eve's changes nothing in that
// but that it ends.
func TestNobodyReachesAnotherByLoggingIn(t *testing.T) {
	c := open(t, nil)
	c.mia()
	c.orders(map[string]any{"given_name": "Eve", "email": "eve@example.org"})
	eve := c.Login("email", "eve@example.org")
	attempt := c.route(t, "POST", codesRoute, eve.Opened.Token, `{"subject":{"email":"mia@example.org"}}`).json["attempt"].(string)
	code := c.code("mia@example.org")
	for _, body := range []string{`{"attempt":"` + attempt + `","code":""}`, `{"attempt":"","code":"` + code + `"}`, `{"attempt":"` + strings.ToLower(attempt) + `x","code":"` + code + `"}`} {
		if got := c.route(t, "POST", confirmRoute, eve.Opened.Token, body); got.status < 400 {
			t.Errorf("%s: %d %s", body, got.status, got.text)
		}
	}
	if !eve.Stands() {
		t.Error("eve's session ended with a login that failed")
	}
	got := c.route(t, "POST", confirmRoute, eve.Opened.Token, `{"attempt":"`+attempt+`","code":"`+code+`"}`)
	if me := c.route(t, "GET", "/v1/me", fmt.Sprint(got.json["token"]), ""); !strings.Contains(me.text, "Mia") || strings.Contains(me.text, "Eve") {
		t.Errorf("mia's code opened: %s", me.text)
	}
	if eve.Stands() {
		t.Error("eve's session goes on beside the login that it made")
	}
}

// Where no mail is sent there is no code, and the route says so.
func TestWithoutMailThereAreNoCodes(t *testing.T) {
	c := open(t, func(cfg *privacycentre.Config, _ string) { cfg.Mail = nil })
	for _, path := range []string{codesRoute, confirmRoute} {
		body := `{"subject":{"email":"mia@example.org"}}`
		if path == confirmRoute {
			body = `{"attempt":"x","code":"1"}`
		}
		if got := c.route(t, "POST", path, "", body); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
}
