package api_test

import (
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Hana is nine. What her father and her lawyer say and do for her is theirs wherever it
// is shown: with the value, among the accesses, in her copy, with each request, to her
// and to officers. What nobody says of is hers.
func TestWhoActsForSomebodyIsNamed(t *testing.T) {
	s := openWith(t, &vaulttest.Options{Register: personal + "settings: {erasure: {grace: P14D}}\n"})
	s.officerSignsIn()
	told := `{"fields":{"given_name":"Hana","family_name":"Quintero","email":"hana@example.org"},"verified":["email"]}`
	hana := s.as("web", "POST", "/v1/captures", told, 201).json["subject"].(string)
	const father, lawyer = `{"role":"guardian","ref":"custody 7/26"}`, `{"role":"agent","ref":"power of 3 May"}`
	shows := func(what string, r reply, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(r.raw, w) {
				t.Errorf("%s lacks %s: %s", what, w, r.raw)
			}
		}
	}

	// The shop lets her father in: what he does there is his without a word.
	let := s.as("web", "POST", "/v1/subject-sessions", `{"subject":"`+hana+`","by":`+father+`}`, 201).json["token"].(string)
	s.person(let, "GET", "/v1/me", "", 200)
	s.person(let, "POST", "/v1/consents", `{"purpose":"sms-marketing","status":"refused"}`, 201)
	s.person(let, "POST", "/v1/me/restriction", "", 200)

	own := s.login("email", "hana@example.org")
	shows("her consents", s.person(own, "GET", "/v1/me/consents", "", 200), `"by":`+father)
	looks := s.person(own, "GET", "/v1/me/accesses", "", 200)
	if n := strings.Count(looks.raw, `"by":`+father); n != 2 { // let in, and shown her values
		t.Errorf("%d looks are her father's: %s", n, looks.raw)
	}
	shows("her sessions", s.person(own, "GET", "/v1/me/sessions", "", 200), `"by":`+father)
	s.person(own, "DELETE", "/v1/me/restriction", `{"by":`+lawyer+`}`, 200)

	// Corrected by him, then by herself: his is history.
	s.person(own, "PATCH", "/v1/me", `{"fields":{"given_name":"Hannah"},"by":`+father+`}`, 200)
	shows("her values", s.person(own, "GET", "/v1/me", "", 200), `"value":"Hannah"`, `"by":`+father)
	s.person(own, "PATCH", "/v1/me", `{"fields":{"given_name":"Hana"}}`, 200)
	if me := s.person(own, "GET", "/v1/me", "", 200); strings.Contains(me.raw, `"by":`) {
		t.Errorf("corrected by herself: %s", me.raw)
	}
	copied := s.person(own, "POST", "/v1/me/export?scope=access", `{"by":`+lawyer+`}`, 200)
	if past := copied.json["past"].([]any); len(past) != 2 || past[1].(map[string]any)["by"].(map[string]any)["role"] != "guardian" {
		t.Errorf("past values: %v", past)
	}
	shows("the table", s.person(own, "GET", "/v1/me/export?format=csv", "", 200), "guardian: custody 7/26")
	s.as("officer", "POST", "/v1/subjects/"+hana+"/export", `{"reason":"a letter","by":`+lawyer+`}`, 200)
	if looks := s.person(own, "GET", "/v1/me/accesses", "", 200); strings.Count(looks.raw, `"by":`+lawyer) != 2 {
		t.Errorf("her lawyer took two copies: %s", looks.raw)
	}

	// By letter.
	entered := s.as("officer", "POST", "/v1/requests", `{"kind":"access","email":"hana@example.org","reason":"a copy","by":`+lawyer+`}`, 202).json["request"].(string)
	s.as("officer", "POST", "/v1/requests", `{"kind":"objection","purpose":"sms-marketing","email":"hana@example.org","reason":"no more","by":`+lawyer+`}`, 202)
	for what, r := range map[string]reply{"the request": s.as("officer", "GET", "/v1/requests/"+entered, "", 200), "the list": s.as("officer", "GET", "/v1/requests", "", 200),
		"her requests": s.person(own, "GET", "/v1/me/requests", "", 200), "her consents": s.person(own, "GET", "/v1/me/consents", "", 200)} {
		shows(what, r, lawyer)
	}

	// Asked for by him, taken back by her lawyer.
	asked := s.person(own, "POST", "/v1/me/erasure", `{"by":`+father+`}`, 202).json["request"].(string)
	s.person(own, "DELETE", "/v1/me/erasure", `{"by":`+lawyer+`}`, 200)
	back := s.as("officer", "GET", "/v1/requests/"+asked, "", 200)
	shows("taken back", back, `"own":`+father, `"ended_by":`+lawyer)

	for _, bad := range [][3]string{{"PATCH", "/v1/me", `{"fields":{"given_name":"X"},"by":{"role":"friend"}}`}, {"POST", "/v1/me/export", `{"by":{"role":"guardian","name":"X"}}`},
		{"DELETE", "/v1/me/restriction", `{"by":{"role":""}}`}, {"DELETE", "/v1/me/erasure", `{"by":{"role":"guardian","ref":"` + strings.Repeat("x", 201) + `"}}`}} {
		s.person(own, bad[0], bad[1], bad[2], 422)
	}
	for _, by := range []string{`"her father"`, `{"role":"friend"}`, `{"role":"guardian","name":"X"}`, `null`} {
		s.as("officer", "POST", "/v1/requests", `{"kind":"access","email":"hana@example.org","reason":"x","by":`+by+`}`, 422)
	}
	if _, err := s.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}
