package api_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// once sends a write with an idempotency key.
func (s *shop) once(who, method, path, body, key string) reply {
	s.t.Helper()
	headers := map[string]string{"Authorization": "Bearer " + s.tokens[who], "Idempotency-Key": key}
	switch {
	case strings.HasSuffix(path, "/batch"):
		headers["Content-Type"] = "application/x-ndjson"
	case method == "PUT":
		headers["Content-Type"] = "application/yaml"
	case body != "":
		headers["Content-Type"] = "application/json"
	}
	return s.send(method, path, body, headers)
}

// Whatever is written, a repeat with the same key is answered as the first was,
// to the byte, and nothing more is done.
func TestAWriteWithAKeyOverHTTP(t *testing.T) {
	s := open(t)
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	s.as("store", "GET", "/v1/whoami", "", 200)
	s.as("sms", "GET", "/v1/whoami", "", 200)
	s.officerSignsIn()
	const module = `{"modules":{"rules.rego":"package sayso.rules\n"},"note":"none"}`
	draft := s.as("officer", "POST", "/v1/policies", module, 201).json["policy"].(string)
	writes := []struct {
		who, method, path, body string
		want                    int
	}{
		{"web", "POST", "/v1/captures", `{"fields":{"given_name":"Bela","email":"bela@example.org"}}`, 201},
		{"web", "POST", "/v1/captures", `{"fields":{"email":"bela(at)example.org"}}`, 422},
		{"web", "POST", "/v1/captures", `{"fields":`, 400},
		{"web", "POST", "/v1/captures/batch", `{"fields":{"given_name":"Carmen"}}` + "\n" + `{"fields":{"email":"nonsense"}}`, 200},
		{"web", "POST", "/v1/captures/batch", "nonsense\n", 200},
		{"store", "POST", "/v1/consents", `{"subject":"` + her + `","purpose":"sms-marketing","status":"given","method":"paper_form"}`, 201},
		{"sms", "POST", "/v1/consents", `{"subject":{"phone_number":"+4930555555"},"purpose":"sms-marketing","status":"refused","method":"stop_reply"}`, 201},
		{"sms", "POST", "/v1/consents", `{"subject":"` + her + `","purpose":"sms-marketing","status":"given","method":"paper_form"}`, 403},
		{"web", "POST", "/v1/grounds", `{"subject":"` + her + `","purpose":"order-fulfilment","status":"begun","ref":"order-17"}`, 201},
		{"officer", "PUT", "/v1/register", strings.Replace(vaulttest.Register, "Northgate", "Southgate", 1), 200},
		{"officer", "PUT", "/v1/register?dry_run=true", vaulttest.Register, 200},
		{"officer", "PUT", "/v1/register", strings.Replace(vaulttest.Register, "kind: web", "kid: web", 1), 422},
		{"officer", "POST", "/v1/policies", module, 201},
		{"officer", "POST", "/v1/policies/" + draft + "/activate", "{}", 200},
		{"officer", "POST", "/v1/channels/store/suspend", "{}", 200},
		{"officer", "POST", "/v1/channels/store/resume", "", 200},
		{"officer", "POST", "/v1/channels/nowhere/resume", "", 404},
		{"officer", "DELETE", "/v1/channels/store/secrets/" + s.secretOf("store"), "", 204},
		{"officer", "POST", "/v1/clock/confirm", "{}", 200},
	}
	for i, w := range writes {
		key := "key-" + strconv.Itoa(i)
		first := s.once(w.who, w.method, w.path, w.body, key)
		if first.status != w.want || first.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%s %s: got %d %s, want %d", w.method, w.path, first.status, first.raw, w.want)
		}
		size := s.Store.Size()
		again := s.once(w.who, w.method, w.path, w.body, key)
		if again.status != first.status || again.raw != first.raw || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s %s again: got %d %v %s, want %d %s", w.method, w.path, again.status, again.header, again.raw, first.status, first.raw)
		}
		for _, name := range []string{"Content-Type", "ETag", "Content-Length"} {
			if again.header.Get(name) != first.header.Get(name) {
				t.Errorf("%s %s again: %s is %q, was %q", w.method, w.path, name, again.header.Get(name), first.header.Get(name))
			}
		}
		if s.Store.Size() != size {
			t.Errorf("%s %s again: %d more records", w.method, w.path, s.Store.Size()-size)
		}
		if w.method == "DELETE" { // which has no body
			continue
		}
		if other := s.once(w.who, w.method, w.path, w.body+" ", key); other.status != 422 || other.json["code"] != "idempotency_key_reused" {
			t.Errorf("%s %s with another body: got %d %s", w.method, w.path, other.status, other.raw)
		}
	}
	if other := s.once("officer", "POST", "/v1/channels/web/resume", "", "key-15"); other.json["code"] != "idempotency_key_reused" {
		t.Errorf("the same for another channel: got %d %s", other.status, other.raw)
	}
	if other := s.once("officer", "POST", "/v1/channels/web/suspend", "{}", "key-15"); other.status != 200 || other.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("the key on another route: got %d %s", other.status, other.raw)
	}
	s.as("officer", "POST", "/v1/channels/web/resume", "", 200)
	for what, key := range map[string]string{"a space": "a b", "not ASCII": "ключ", "too long": strings.Repeat("k", 256)} {
		if r := s.once("web", "POST", "/v1/captures", writes[0].body, key); r.status != 422 || !strings.Contains(r.raw, `"field":"Idempotency-Key"`) {
			t.Errorf("a key with %s: got %d %s", what, r.status, r.raw)
		}
	}
	if r := s.once("web", "POST", "/v1/captures", writes[0].body, strings.Repeat("~", 255)); r.status != 200 {
		t.Errorf("the longest key: got %d %s", r.status, r.raw)
	}
	// What is read is decided each time.
	line := `{"subject":"` + her + `","purpose":"order-fulfilment"}`
	if a, b := s.once("web", "POST", "/v1/reads", line, "k"), s.once("web", "POST", "/v1/reads", line, "k"); a.json["decision"] == b.json["decision"] {
		t.Errorf("a read was repeated: %s", b.raw)
	}
}

// A secret is shown to whoever made it and to no repeat; what may turn is tried
// again.
func TestSecretsAreNotRepeated(t *testing.T) {
	s := open(t)
	s.officerSignsIn()
	for _, c := range []struct{ method, path, body string }{
		{"PUT", "/v1/register", vaulttest.Register + "  - {id: app, kind: app, purposes: [order-fulfilment]}\n"},
		{"POST", "/v1/channels/app/secrets", "{}"},
	} {
		first := s.once("officer", c.method, c.path, c.body, "key")
		if first.status/100 != 2 || !strings.Contains(first.raw, `"client_secret":"ss_`) {
			t.Fatalf("%s: got %d %s", c.path, first.status, first.raw)
		}
		again := s.once("officer", c.method, c.path, c.body, "key")
		if again.status != 409 || again.json["code"] != vault.CodeAlreadyDone || strings.Contains(again.raw, "ss_") {
			t.Errorf("%s again: got %d %s", c.path, again.status, again.raw)
		}
	}
	if r := s.once("officer", "POST", "/v1/channels/app/secrets", "{}", "third"); r.json["code"] != "wrong_state" {
		t.Fatalf("a third secret: got %d %s", r.status, r.raw)
	}
	for _, c := range s.as("officer", "GET", "/v1/channels", "", 200).json["channels"].([]any) {
		if c := c.(map[string]any); c["id"] == "app" {
			secret := c["secrets"].([]any)[0].(map[string]any)["id"].(string)
			s.as("officer", "DELETE", "/v1/channels/app/secrets/"+secret, "", 204)
		}
	}
	if r := s.once("officer", "POST", "/v1/channels/app/secrets", "{}", "third"); r.status != 201 {
		t.Errorf("tried again when there is room: got %d %s", r.status, r.raw)
	}
}
