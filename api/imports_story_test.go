package api_test

import (
	"strings"
	"testing"
)

// The shop brings four people in two pieces, one of them with a number nobody can
// dial. A piece sent again, by a client that was killed, does nothing; what was
// rejected is told again, without a value and without naming anybody.
func TestAnImportOverHTTP(t *testing.T) {
	s := open(t)
	grant := s.grant("web").json["access_token"].(string)
	const at = "/v1/imports/5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
	send := func(query, key string, lines ...string) reply {
		t.Helper()
		headers := map[string]string{"Authorization": "Bearer " + grant, "Content-Type": "application/x-ndjson"}
		if key != "" {
			headers["Idempotency-Key"] = key
		}
		return s.send("POST", at+"/rows?"+query, strings.Join(lines, "\n")+"\n", headers)
	}
	s.as("web", "GET", at, "", 404)
	first := send("from=0&of=5", "first",
		`{"fields":{"given_name":"Bela","email":"bela@example.org"},"grounds":[{"purpose":"order-fulfilment","ref":"A-1","since":"2026-01-02T00:00:00Z"}]}`,
		`{"fields":{"given_name":"Carmen","phone_number":"12"}}`, ``)
	if first.status != 200 || first.json["next"] != 3.0 || first.json["created"] != 1.0 || first.json["rejected"] != 1.0 {
		t.Fatalf("the first rows: %d %s", first.status, first.raw)
	}
	if again := send("from=0&of=5", "", `{"fields":{"given_name":"Bela"}}`); again.status != 409 || again.json["code"] != "wrong_state" {
		t.Errorf("rows that are done with: %d %s", again.status, again.raw)
	}
	last := send("from=3&of=5", "", `{"fields":{"given_name":"Dana"}}`, `{"fields":{"email":"bela@example.org"},"grounds":[]}`)
	if last.status != 200 || last.json["next"] != 5.0 || last.json["created"] != 2.0 || last.json["known"] != 1.0 {
		t.Fatalf("the last rows: %d %s", last.status, last.raw)
	}
	now := s.as("web", "GET", at, "", 200)
	if now.json["next"] != 5.0 || now.json["rows"] != 5.0 || now.json["rejected"] != 1.0 {
		t.Errorf("how far it is: %s", now.raw)
	}
	rejects := s.as("web", "GET", at+"/rejects", "", 200)
	if !strings.Contains(rejects.raw, `"row":2,"field":"phone_number","code":"invalid_phone"`) || strings.Contains(rejects.raw, "Carmen") {
		t.Errorf("what was rejected: %s", rejects.raw)
	}
	read := s.as("web", "POST", "/v1/reads", `{"subject":{"email":"bela@example.org"},"purpose":"order-fulfilment"}`, 200)
	for _, r := range []reply{first, last, now, rejects} {
		if subject := read.json["subject"].(string); strings.Contains(r.raw, subject) || strings.Contains(r.raw, "sub_") {
			t.Errorf("an answer names somebody: %s", r.raw)
		}
	}
	check := s.send("POST", "/v1/imports/check", `{"fields":{"email":"nonsense"}}`+"\n"+`{"fields":{"email":"edit@example.org"}}`,
		map[string]string{"Authorization": "Bearer " + grant, "Content-Type": "application/x-ndjson"})
	if check.status != 200 || !strings.Contains(check.raw, `"row":1,"field":"email","code":"invalid_email"`) || strings.Contains(check.raw, `"row":2`) {
		t.Errorf("a check: %d %s", check.status, check.raw)
	}
	s.as("web", "POST", "/v1/reads", `{"subject":{"email":"edit@example.org"},"purpose":"order-fulfilment"}`, 404)
}
