package api_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// A file in which somebody comes twice, and somebody else with a number nobody
// can dial: two people are kept, found and read, the third leaves nothing.
func TestABatchOverHTTP(t *testing.T) {
	s := open(t)
	grant := s.grant("web").json["access_token"].(string)
	send := func(lines ...string) []map[string]any {
		t.Helper()
		r := s.send("POST", "/v1/captures/batch", strings.Join(lines, "\n"),
			map[string]string{"Authorization": "Bearer " + grant, "Content-Type": "application/x-ndjson"})
		if r.status != 200 {
			t.Fatalf("got %d %s", r.status, r.raw)
		}
		var all []map[string]any
		for _, line := range strings.Split(strings.TrimSpace(r.raw), "\n") {
			var one map[string]any
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		return all
	}
	got := send(
		`{"fields":{"given_name":"Bela","email":"bela@example.org"}}`,
		`{"fields":{"given_name":"Carmen","email":"carmen@example.org","phone_number":"12"}}`,
		`{"fields":{"given_name":"Dana","email":"dana@example.org"}}`,
		`{"fields":{"family_name":"Szabo","email":"BELA@example.org"}}`,
		`{"fields":{"given_name":"Edit"},"consents":[{"purpose":"sms-marketing","status":"refused","method":"paper_form"}]}`,
		`{"fields":{"given_name":"Fatma"},"consents":[{"purpose":"sms-marketing","status":"given","method":"paper_form"}]}`,
	)
	for i, want := range []float64{201, 422, 201, 200, 201, 403} {
		if got[i]["status"] != want {
			t.Errorf("line %d: got %v, want %v", i+1, got[i], want)
		}
	}
	if got[0]["subject"] != got[3]["subject"] || got[0]["subject"] == got[2]["subject"] {
		t.Errorf("who is who: %v %v %v", got[0], got[2], got[3])
	}
	read := s.as("web", "POST", "/v1/reads", `{"subject":{"email":"bela@example.org"},"purpose":"order-fulfilment"}`, 200)
	if !strings.Contains(read.raw, `"given_name":"Bela"`) || !strings.Contains(read.raw, `"family_name":"Szabo"`) {
		t.Errorf("read back: %s", read.raw)
	}
	s.as("web", "POST", "/v1/reads", `{"subject":{"email":"carmen@example.org"},"purpose":"order-fulfilment"}`, 404)
	again := send(`{"fields":{"given_name":"Dana","email":"dana@example.org"}}`)[0]
	if again["status"] != 200.0 || again["created"] != false || len(again["unchanged"].([]any)) != 2 {
		t.Errorf("the same line again: %v", again)
	}
}
