package api

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// A body that the route would accept, by pattern.
var goodBodies = map[string]string{
	"POST /v1/captures":                       `{"fields":{"given_name":"Anahita"}}`,
	"POST /v1/captures/batch":                 `{"fields":{"given_name":"Anahita"}}`,
	"POST /v1/reads":                          `{"subject":"` + ana.String() + `","purpose":"delivery"}`,
	"POST /v1/reads/batch":                    `{"subject":"` + ana.String() + `","purpose":"delivery"}`,
	"POST /v1/audiences":                      `{"purpose":"marketing"}`,
	"POST /v1/consents":                       `{"subject":"` + ana.String() + `","purpose":"marketing","status":"given","method":"web_form"}`,
	"POST /v1/replies":                        `{"subject":"` + ana.String() + `","text":"STOP"}`,
	"POST /v1/unsubscribe-links":              `{"subject":"` + ana.String() + `","purpose":"marketing"}`,
	"POST /v1/grounds":                        `{"subject":"` + ana.String() + `","purpose":"delivery","status":"begun"}`,
	"POST /v1/touches":                        `{"subject":"` + ana.String() + `","kind":"order","topic":"tv"}`,
	"POST /v1/touches/check":                  `{"subject":"` + ana.String() + `","kind":"offer","topic":"tv","purpose":"marketing"}`,
	"PUT /v1/register":                        `{"controller":{}}`,
	"POST /v1/register/replay":                `{"controller":{}}`,
	"POST /v1/subjects/lookup":                `{"email":"ana@example.org","reason":"she called"}`,
	"POST /v1/requests":                       `{"kind":"erasure","subject":"` + ana.String() + `","reason":"she asked"}`,
	"POST /v1/subjects/holds":                 `{"email":"ana@example.org","reason":"a claim"}`,
	"POST /v1/subjects/{id}/holds":            `{"reason":"a claim"}`,
	"POST /v1/policies":                       `{"modules":{}}`,
	"POST /v1/policies/check":                 `{"modules":{}}`,
	"POST /v1/officers":                       `{"name":"beatrix"}`,
	"POST /v1/imports/{import}/rows":          "{\"fields\":{}}\n\n",
	"POST /v1/imports/check":                  "{\"fields\":{}}\n\n",
	"POST /v1/clock/confirm":                  `{}`,
	"POST /v1/channels/suspend":               `{}`,
	"POST /v1/subject-sessions":               `{"subject":"` + ana.String() + `"}`,
	"POST /v1/subject-sessions/enter":         `{"code":"once"}`,
	"POST /v1/subject-sessions/codes":         `{"subject":{"email":"ana@example.org"}}`,
	"POST /v1/subject-sessions/codes/confirm": `{"attempt":"attempt","code":"1234 5678"}`,

	"PATCH /v1/me": `{"fields":{"given_name":"Anahita"}}`,

	"POST /v1/events/ack":                     `{"event":"evt_1"}`,
	"POST /v1/webhooks":                       `{"url":"https://hooks.example.org/","types":["consent.withdrawn"]}`,
	"POST /v1/me/objections":                  `{"purpose":"marketing"}`,
	"POST /v1/me/contests":                    `{"field":"email"}`,
	"POST /v1/requests/{id}/identity":         `{"reason":"she showed her passport"}`,
	"POST /v1/requests/{id}/extend":           `{"reason":"there is much of it"}`,
	"POST /v1/requests/{id}/complete":         `{"reason":"a copy was sent"}`,
	"POST /v1/subjects/{id}/restriction":      `{"reason":"she disputes it"}`,
	"POST /v1/subjects/{id}/restriction/lift": `{"reason":"settled"}`,
	"POST /v1/subjects/{id}/export":           `{"reason":"she wrote"}`,

	"POST /v1/subjects/{id}/missing/ask":      `{"purpose":"delivery","fields":["address"]}`,
	"POST /v1/subjects/{id}/missing/refusals": `{"purpose":"delivery","fields":["address"]}`,
}

// at fills a pattern's holes with IDs that exist.
func at(rt route) string {
	path := strings.NewReplacer("/v1/consents/{id}", "/v1/consents/"+record.String(), "/v1/subjects/{id}", "/v1/subjects/"+ana.String(),
		"/v1/decisions/{id}", "/v1/decisions/"+decision.String(), "/v1/requests/{id}", "/v1/requests/"+privacy.RequestID(record).String(), "{hold}", privacy.HoldID(record).String(), "{session}", privacy.SessionID(record).String(), "{decision}", decision.String(), "{webhook}", "whk_1", "{link}", "link", "{import}", strings.Repeat("0a", 32), "{id}", "web", "{secret}", "s1", "{name}", "beatrix", "{revision}", "7", "{level}", "0", "{index...}", "000").Replace(rt.pattern)
	if len(rt.query) > 0 && rt.query[0] == "purpose" {
		path += "?purpose=marketing"
	}
	if len(rt.query) > 0 && rt.query[0] == "channel" {
		path += "?channel=web"
	}
	return path
}

// Each route serves those it is for; the others are told nothing but that.
func TestEveryRouteKnowsItsCallers(t *testing.T) {
	for _, rt := range routes() {
		t.Run(rt.method+" "+rt.pattern, func(t *testing.T) {
			if rt.pattern == "/oauth/token" {
				return
			}
			b := newBench(t)
			roles := map[string]vault.Role{"web": vault.RoleChannel, "officer": vault.RoleOfficer, "person": vault.RoleSubject}
			for _, who := range []string{"", "web", "officer", "person"} {
				b.calls = nil
				body := goodBodies[rt.method+" "+rt.pattern]
				if who == "person" && rt.pattern == "/v1/consents" {
					body = `{"purpose":"marketing","status":"withdrawn"}`
				}
				a := b.call(rt.method, at(rt), body, who)
				served := rt.role == anyone || who != "" && rt.role.admits(roles[who])
				switch {
				case served && a.status >= 300:
					t.Errorf("%q is refused: %d %s", who, a.status, a.raw)
				case !served && who == "" && (a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ")):
					t.Errorf("nobody: got %d %s, want 401 with a challenge", a.status, a.raw)
				case !served && who != "" && (a.status != 403 || a.code() != "forbidden"):
					t.Errorf("%q: got %d %s, want 403 forbidden", who, a.status, a.raw)
				}
				if !served && len(b.calls) > 0 {
					t.Errorf("%q reached the vault: %v", who, b.calls)
				}
				if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("X-Request-Id") == "" {
					t.Errorf("%q: headers %v", who, a.header)
				}
				if strings.HasPrefix(rt.pattern, "/v1/") && a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%q: may be cached: %v", who, a.header)
				}
			}
		})
	}
}

func TestWhatIsNotThereIsToldOnlyToClients(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/v1", "/v1/", "/v1/request", "/v1/reads/", "/v1//reads", "/v1/x/../reads", "/v1/reports"} {
		for who, want := range map[string]int{"": 401, "web": 404, "officer": 404} {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.Path = path
			if who != "" {
				r.Header.Set("Authorization", "Bearer "+b.token(who))
			}
			if a := b.do(r); a.status != want || a.header.Get("Content-Type") != mediaProblem {
				t.Errorf("%q on %s: got %d %s, want %d as a problem", who, path, a.status, a.raw, want)
			}
		}
	}
	if a := b.call("GET", "/nowhere", "", ""); a.status != 404 || a.code() != "not_found" {
		t.Errorf("elsewhere: %d %s", a.status, a.raw)
	}
}

func TestAWrongMethodNamesTheRightOnes(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ method, path, who, allow string }{
		{"DELETE", "/v1/register", "officer", "GET, HEAD, PUT"},
		{"GET", "/v1/reads", "web", "POST"},
		{"POST", "/healthz", "", "GET, HEAD"},
	} {
		if a := b.call(c.method, c.path, "", c.who); a.status != 405 || a.header.Get("Allow") != c.allow || a.code() != "method_not_allowed" {
			t.Errorf("%s %s: got %d, Allow %q, %s", c.method, c.path, a.status, a.header.Get("Allow"), a.raw)
		}
	}
	if a := b.call("DELETE", "/v1/register", "", ""); a.status != 401 {
		t.Errorf("nobody learns methods: got %d", a.status)
	}
}

// A suspended channel is out at once, whatever its token says, and so is a
// revoked secret.
func TestATokenIsWorthWhatTheVaultSaysNow(t *testing.T) {
	b := newBench(t)
	token := b.token("web")
	ask := func() answer {
		r := httptest.NewRequest("GET", "/v1/whoami", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return b.do(r)
	}
	if a := ask(); a.status != 200 {
		t.Fatalf("a good token: %d %s", a.status, a.raw)
	}
	web := b.clients["web"]
	web.Suspended = true
	b.clients["web"] = web
	if a := ask(); a.status != 403 || a.code() != "channel_suspended" {
		t.Errorf("suspended: got %d %s", a.status, a.raw)
	}
	web.Suspended, web.SecretID = false, "another"
	b.clients["web"] = web
	if a := ask(); a.status != 401 || a.code() != "invalid_token" {
		t.Errorf("its secret revoked: got %d %s", a.status, a.raw)
	}
	delete(b.clients, "web")
	if a := ask(); a.status != 401 {
		t.Errorf("its client gone: got %d %s", a.status, a.raw)
	}
}

func TestQueriesAreStrict(t *testing.T) {
	b := newBench(t)
	state := "/v1/subjects/" + ana.String() + "/consents"
	for query, want := range map[string]int{"?purpose=marketing": 200, "": 422, "?purpose=": 422, "?purpose=a&purpose=b": 422, "?purpose=a&email=b": 422, "?purpose=%zz": 400} {
		if a := b.call("GET", state+query, "", "web"); a.status != want {
			t.Errorf("%s: got %d %s, want %d", query, a.status, a.raw, want)
		}
	}
	if a := b.call("GET", "/v1/subjects/nobody/consents?purpose=marketing", "", "web"); a.status != 422 {
		t.Errorf("what is no ID: got %d", a.status)
	}
	if a := b.call("POST", "/v1/reads?email=ana@example.org", goodBodies["POST /v1/reads"], "web"); a.status != 422 || strings.Contains(a.raw, "ana@") {
		t.Errorf("a person in the URL: got %d %s", a.status, a.raw)
	}
}

func TestListsPage(t *testing.T) {
	b := newBench(t)
	first := b.call("GET", "/v1/matches?limit=1", "", "officer")
	if next := ana.String() + "." + (privacy.SubjectID{1}).String(); first.status != 200 || first.json["next"] != next || b.call("GET", "/v1/matches?after="+next, "", "officer").status != 200 {
		t.Errorf("a page of pairs: %s", first.raw)
	}
	if bad := b.call("GET", "/v1/matches?after="+ana.String(), "", "officer"); bad.status != http.StatusUnprocessableEntity {
		t.Errorf("behind one person: got %d", bad.status)
	}
	a := b.call("GET", "/v1/policies?limit=2", "", "officer")
	if a.status != 200 || a.json["next"] != "pol_2" || len(a.json["policies"].([]any)) != 2 || strings.Contains(a.raw, "modules") {
		t.Errorf("first page: %s", a.raw)
	}
	a = b.call("GET", "/v1/policies?limit=2&after=pol_2", "", "officer")
	if a.status != 200 || a.json["next"] != nil || len(a.json["policies"].([]any)) != 1 {
		t.Errorf("last page: %s", a.raw)
	}
	for _, all := range []string{"", "?limit=1000000", "?limit=99999999999999999999"} {
		if a := b.call("GET", "/v1/policies"+all, "", "officer"); a.status != 200 || a.json["next"] != nil || len(a.json["policies"].([]any)) != 3 {
			t.Errorf("%s: got %d %s", all, a.status, a.raw)
		}
	}
	for _, bad := range []string{"?limit=0", "?limit=x", "?limit=-99999999999999999999", "?after=pol_9"} {
		if a := b.call("GET", "/v1/policies"+bad, "", "officer"); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d", bad, a.status)
		}
	}
}

// Every write takes an Idempotency-Key. What is asked with POST and changes
// nothing, beside that it is recorded, needs none; nor does what a code opens, which
// works once anyway.
func TestEveryWriteTakesAKey(t *testing.T) {
	asks := []string{"POST /oauth/token", "POST /v1/reads", "POST /v1/reads/batch", "POST /v1/audiences", "POST /v1/unsubscribe-links", "POST /v1/subjects/lookup", "POST /v1/subjects/{id}/export", "POST /v1/me/export", "POST /v1/policies/check", "POST /v1/policies/{id}/test", "POST /v1/policies/{id}/replay", "POST /v1/register/replay", "POST /v1/register/{revision}/replay", "POST /v1/imports/check", "POST /v1/touches/check",
		"POST /v1/subject-sessions/enter", "POST /v1/subject-sessions/codes", "POST /v1/subject-sessions/codes/confirm"}
	for _, rt := range routes() {
		name := rt.method + " " + rt.pattern
		if write := rt.method != http.MethodGet && !slices.Contains(asks, name); rt.idempotent != write {
			t.Errorf("%s: takes a key: %v, want %v", name, rt.idempotent, write)
		}
	}
}
