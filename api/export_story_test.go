package api_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
)

// The audit: what happened in the shop goes out to an auditor, whole, in order,
// without a word of the persons, and that it did stands in the log.
func TestAnAuditOverHTTP(t *testing.T) {
	s := open(t)
	s.officerSignsIn()
	var who struct {
		Subject string `json:"subject"`
	}
	r := s.as("store", "POST", "/v1/captures", `{"fields":{"given_name":"Ines","phone_number":"+49 40 1234567"}}`, 201)
	if err := json.Unmarshal([]byte(r.raw), &who); err != nil {
		t.Fatal(err)
	}
	consent := func(status string) {
		s.as("store", "POST", "/v1/consents", `{"subject":"`+who.Subject+`","purpose":"sms-marketing","status":"`+status+`","method":"paper_form","evidence":{"by":"Ines"}}`, 201)
	}
	read := `{"subject":{"phone_number":"+49 40 1234567"},"purpose":"sms-marketing"}`
	consent("given")
	s.as("sms", "POST", "/v1/reads", read, 200)
	consent("withdrawn")
	s.as("sms", "POST", "/v1/reads", read, 403)

	lines := func(path string) (all []map[string]any) {
		t.Helper()
		a := s.as("officer", "GET", path, "", 200)
		if a.header.Get("Content-Type") != "application/x-ndjson" || strings.Contains(a.raw, "Ines") || strings.Contains(a.raw, "1234567") {
			t.Errorf("%s: %v\n%s", path, a.header, a.raw)
		}
		for line := range strings.Lines(a.raw) {
			var l map[string]any
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%s: %q: %v", path, line, err)
			}
			all = append(all, l)
		}
		return all
	}
	consents := lines("/v1/exports/consents")
	if len(consents) != 3 || consents[0]["status"] != "given" || consents[1]["status"] != "withdrawn" || consents[0]["subject"] != who.Subject ||
		consents[0]["notice_hash"] == nil || consents[2]["end"] != true || consents[2]["lines"] != 2.0 {
		t.Errorf("consents: got %v", consents)
	}
	decisions := lines("/v1/exports/decisions")
	if len(decisions) != 4 || decisions[0]["outcome"] != "allowed" || decisions[1]["outcome"] != "denied" || decisions[2]["kind"] != "export" || decisions[2]["officer"] != "first" {
		t.Errorf("decisions: got %v", decisions)
	}
	if released := decisions[0]["released"]; len(released.([]any)) != 2 {
		t.Errorf("released: got %v", released)
	}
	register := lines("/v1/exports/register")
	found := false
	for _, l := range register {
		found = found || l["kind"] == "purpose" && l["id"] == "sms-marketing" && l["notice_hash"] == consents[0]["notice_hash"]
	}
	if !found {
		t.Errorf("the register does not show the notice that the consent names: %v", register)
	}
	table := s.as("officer", "GET", "/v1/exports/decisions?format=csv&to=2001-01-01", "", 200)
	if rows, err := csv.NewReader(strings.NewReader(table.raw)).ReadAll(); err != nil || len(rows) != 2 || rows[1][0] != "end" || rows[1][1] != "0" {
		t.Errorf("of a time before: got %s, %v", table.raw, err)
	}
	s.as("store", "GET", "/v1/exports/consents", "", 403)
}
