package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/authn"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// shop is a vault of the test register behind real HTTP.
type shop struct {
	*vaulttest.Vault
	t       testing.TB
	url     string
	secrets map[string][2]string // who → client ID and secret
	tokens  map[string]string
	log     *bytes.Buffer
}

func open(t testing.TB) *shop {
	t.Helper()
	return openWith(t, nil)
}

func openWith(t testing.TB, o *vaulttest.Options) *shop {
	t.Helper()
	s := &shop{Vault: vaulttest.New(t, o), t: t, secrets: map[string][2]string{}, tokens: map[string]string{}, log: &bytes.Buffer{}}
	front := httptest.NewUnstartedServer(nil)
	s.url = "http://" + front.Listener.Addr().String()
	srv, err := api.New(api.Config{Vault: s.Vault.Vault, Issuer: s.url, Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	front.Config = srv.HTTP()
	reads := srv.Lane(front.Listener, front.Config) // as serve does
	front.Listener = reads
	front.Start()
	t.Cleanup(func() {
		front.Close()
		if err := reads.Drain(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for _, channel := range []privacy.ChannelID{"web", "sms", "store"} {
		c, err := s.NewSecret(t.Context(), s.Officer, channel)
		if err != nil {
			t.Fatal(err)
		}
		s.secrets[string(channel)] = [2]string{c.ClientID, c.ClientSecret}
	}
	return s
}

type reply struct {
	status int
	header http.Header
	raw    string
	json   map[string]any
}

func (s *shop) send(method, path, body string, headers map[string]string) reply {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	out := reply{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &out.json)
	return out
}

func (s *shop) grant(who string) reply {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.secrets[who][0]}, "client_secret": {s.secrets[who][1]}}
	return s.send("POST", "/oauth/token", form.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

// as makes a request of a channel, and wants a status.
func (s *shop) as(who, method, path, body string, want int) reply {
	s.t.Helper()
	if s.tokens[who] == "" {
		g := s.grant(who)
		if g.status != 200 {
			s.t.Fatalf("token for %s: %d %s", who, g.status, g.raw)
		}
		s.tokens[who] = g.json["access_token"].(string)
	}
	r := s.send(method, path, body, map[string]string{"Authorization": "Bearer " + s.tokens[who], "Content-Type": "application/json"})
	if r.status != want {
		s.t.Fatalf("%s %s as %s: got %d %s, want %d", method, path, who, r.status, r.raw, want)
	}
	return r
}

// onlyOfficer lets the officer in without her secret, which the test kit keeps.
type onlyOfficer struct{ client vault.Client }

func (o onlyOfficer) Authenticate(string, string) (vault.Client, error) { return o.client, nil }
func (o onlyOfficer) Client(string, string) (vault.Client, error)       { return o.client, nil }

func (s *shop) officerSignsIn() {
	s.t.Helper()
	tokens, err := authn.New(authn.Config{Clients: onlyOfficer{s.Officer.Client}, Key: s.TokenKey(), Issuer: s.url})
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=client_credentials&client_id=x&client_secret=x"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	granted, err := tokens.Grant(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.tokens["officer"] = granted.AccessToken
}

const anahita = `{"fields":{"given_name":"Anahita","family_name":"Quintero","email":"Ana.Quintero@Example.org","phone_number":"+49 30 901820",
	"birthdate":"1987-05-04","address":{"street_address":"Torstrasse 12","locality":"Berlin","postal_code":"10119","country":"DE"}}}`

// Anahita tells the web shop who she is; the sender learns her number when, and
// only while, she says so.
func TestAnahitaOverHTTP(t *testing.T) {
	s := open(t)
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	if again := s.as("web", "POST", "/v1/captures", `{"fields":{"email":" ana.quintero@example.ORG "}}`, 200); again.json["subject"] != her {
		t.Errorf("told twice she is two: %s", again.raw)
	}
	read := s.as("web", "POST", "/v1/reads", `{"subject":"`+her+`","purpose":"order-fulfilment"}`, 200)
	fields := read.json["fields"].(map[string]any)
	if fields["given_name"] != "Anahita" || fields["address"].(map[string]any)["locality"] != "Berlin" || fields["birthdate"] != nil {
		t.Errorf("the web shop reads %s", read.raw)
	}

	known := s.as("sms", "POST", "/v1/reads", `{"subject":{"phone_number":"+4930901820"},"purpose":"sms-marketing"}`, 403)
	unknown := s.as("sms", "POST", "/v1/reads", `{"subject":{"phone_number":"+4930555555"},"purpose":"sms-marketing"}`, 403)
	if known.json["code"] != "denied" || strings.ReplaceAll(known.raw, known.json["decision"].(string), unknown.json["decision"].(string)) != unknown.raw {
		t.Errorf("known and unknown differ:\n%s\n%s", known.raw, unknown.raw)
	}
	s.as("sms", "POST", "/v1/reads", `{"subject":"`+her+`","purpose":"order-fulfilment"}`, 403)

	consent := `{"subject":"` + her + `","purpose":"sms-marketing","status":"given","method":"paper_form"}`
	if r := s.as("sms", "POST", "/v1/consents", consent, 403); r.json["code"] != "consent_not_obtainable" {
		t.Errorf("the sender grants itself: %s", r.raw)
	}
	given := s.as("store", "POST", "/v1/consents", consent, 201)
	if again := s.as("store", "GET", "/v1/consents/"+given.json["consent"].(string)+"/receipt", "", 200); again.json["receipt"] != given.json["receipt"] {
		t.Errorf("the receipt again is another: %s", again.raw)
	}
	s.as("web", "GET", "/v1/consents/"+given.json["consent"].(string)+"/receipt", "", 404)
	s.verify(given.json["receipt"].(string))

	read = s.as("sms", "POST", "/v1/reads", `{"subject":"`+her+`","purpose":"sms-marketing"}`, 200)
	if !strings.Contains(read.raw, `"fields":{"given_name":"Anahita","phone_number":"+4930901820"}`) {
		t.Errorf("the sender reads %s", read.raw)
	}
	if r := s.as("sms", "GET", "/v1/subjects/"+her+"/consents?purpose=sms-marketing", "", 200); r.json["allowed"] != true || r.json["until"] == nil {
		t.Errorf("allowed: %s", r.raw)
	}
	s.as("sms", "POST", "/v1/consents", `{"subject":"`+her+`","purpose":"sms-marketing","status":"withdrawn","method":"stop_reply"}`, 201)
	s.as("sms", "POST", "/v1/reads", `{"subject":"`+her+`","purpose":"sms-marketing"}`, 403)
	if r := s.as("sms", "GET", "/v1/subjects/"+her+"/consents?purpose=sms-marketing", "", 200); r.json["allowed"] != false || r.json["until"] != nil {
		t.Errorf("allowed after she withdrew: %s", r.raw)
	}
	s.as("web", "POST", "/v1/grounds", `{"subject":"`+her+`","purpose":"order-fulfilment","status":"begun","ref":"order-17"}`, 201)
	if r := s.as("web", "POST", "/v1/captures", `{"fields":{"email":"nonsense","birthdate":"31/02/1999","given_name":"Bo"}}`, 422); strings.Count(r.raw, `"field":`) != 2 {
		t.Errorf("a capture of nonsense: %s", r.raw)
	}
	if r := s.as("web", "GET", "/v1/whoami", "", 200); r.json["channel"] != "web" {
		t.Errorf("whoami: %s", r.raw)
	}

	for _, word := range []string{"Anahita", "Quintero", "quintero", "30901820", "Torstrasse", "1987-05", her, s.secrets["web"][1], s.tokens["web"]} {
		if strings.Contains(s.log.String(), word) {
			t.Errorf("the log holds %.10s…", word)
		}
	}
}

// verify checks a receipt as a stranger would.
func (s *shop) verify(receipt string) {
	s.t.Helper()
	keys := s.send("GET", "/.well-known/evidence-keys.json", "", nil)
	x := keys.json["keys"].([]any)[0].(map[string]any)["x"].(string)
	key, err := base64.RawURLEncoding.DecodeString(x)
	parts := strings.Split(receipt, ".")
	if err != nil || len(parts) != 3 {
		s.t.Fatalf("key %v, receipt of %d parts", err, len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		s.t.Errorf("the receipt does not verify: %v", err)
	}
}

// An officer governs, and what she does is in force at the next request.
func TestAnOfficerOverHTTP(t *testing.T) {
	s := open(t)
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	decision := s.as("web", "POST", "/v1/reads", `{"subject":"`+her+`","purpose":"order-fulfilment"}`, 200).json["decision"].(string)
	s.as("web", "GET", "/v1/register", "", 403)

	s.officerSignsIn()
	register := s.as("officer", "GET", "/v1/register", "", 200)
	put := func(text, ifMatch string, want int) reply {
		t.Helper()
		headers := map[string]string{"Authorization": "Bearer " + s.tokens["officer"], "Content-Type": "application/yaml"}
		if ifMatch != "" {
			headers["If-Match"] = ifMatch
		}
		r := s.send("PUT", "/v1/register", text, headers)
		if r.status != want {
			t.Fatalf("PUT /v1/register: got %d %s, want %d", r.status, r.raw, want)
		}
		return r
	}
	if r := put(vaulttest.Register, register.header.Get("ETag"), 200); r.json["status"] != "unchanged" {
		t.Errorf("the same again: %s", r.raw)
	}
	put(vaulttest.Register, `"99"`, 409)
	if r := put(strings.Replace(vaulttest.Register, "kind: web", "kid: web", 1), "", 422); r.json["problems"] == nil || !strings.Contains(r.raw, `"line":`) {
		t.Errorf("a mistyped key: %s", r.raw)
	}
	if r := put(vaulttest.Register+"  - {id: app, kind: app, purposes: [order-fulfilment]}\n", register.header.Get("ETag"), 200); len(r.json["channels"].([]any)) != 1 {
		t.Errorf("a new channel: %s", r.raw)
	}

	if r := s.as("officer", "GET", "/v1/decisions/"+decision, "", 200); r.json["subject"] != her || strings.Contains(r.raw, "Anahita") || strings.Contains(r.raw, "[sensitive]") {
		t.Errorf("the decision: %s", r.raw)
	}
	if r := s.as("officer", "POST", "/v1/subjects/lookup", `{"email":"ana.quintero@example.org","reason":"she called"}`, 200); r.json["subject"] != her {
		t.Errorf("looked up: %s", r.raw)
	}
	s.as("officer", "POST", "/v1/subjects/lookup", `{"email":"nobody@example.org","reason":"she called"}`, 404)

	rule := func(body string) string {
		module, _ := json.Marshal("package sayso.rules\n\nimport rego.v1\n\n" + body)
		return `{"modules":{"rules.rego":` + string(module) + `},"note":"no addresses"}`
	}
	if r := s.as("officer", "POST", "/v1/policies/check", rule("allow := true"), 422); r.json["problems"] == nil {
		t.Errorf("checking a rule that widens: got %v, want its problems", r.json)
	}
	before := s.as("officer", "GET", "/v1/policies", "", 200).json["policies"]
	s.as("officer", "POST", "/v1/policies/check", rule(`withhold contains {"field": "address", "reason": "r"} if { input.channel.id == "web" }`), 200)
	if after := s.as("officer", "GET", "/v1/policies", "", 200).json["policies"]; !reflect.DeepEqual(before, after) {
		t.Errorf("a check left something behind: got %v, want %v", after, before)
	}
	if r := s.as("officer", "POST", "/v1/policies", rule("allow := true"), 422); r.json["problems"] == nil {
		t.Errorf("a rule that releases: %s", r.raw)
	}
	draft := s.as("officer", "POST", "/v1/policies", rule(`withhold contains {"field": "address", "reason": "Addresses stay with the store"} if { input.channel.id == "web" }`), 201).json["policy"].(string)
	s.as("officer", "POST", "/v1/policies/"+draft+"/test", "{}", 200)
	s.as("officer", "POST", "/v1/policies/"+draft+"/activate", "{}", 200)
	s.as("officer", "GET", "/v1/policies/"+draft, "", 200)
	s.as("officer", "GET", "/v1/policies", "", 200)
	if r := s.as("web", "POST", "/v1/reads", `{"subject":"`+her+`","purpose":"order-fulfilment"}`, 200); !strings.Contains(r.raw, "Addresses stay with the store") || strings.Contains(r.raw, "Torstrasse") {
		t.Errorf("the rule has no effect: %s", r.raw)
	}

	if r := s.as("officer", "GET", "/v1/channels", "", 200); !strings.Contains(r.raw, `"id":"web"`) {
		t.Errorf("channels: %s", r.raw)
	}
	if r := s.as("officer", "POST", "/v1/channels/web/secrets", "{}", 409); r.json["code"] != "wrong_state" {
		t.Errorf("a third secret: %s", r.raw)
	}
	s.as("officer", "POST", "/v1/channels/web/suspend", "{}", 200)
	if r := s.as("web", "GET", "/v1/whoami", "", 403); r.json["code"] != "channel_suspended" {
		t.Errorf("a suspended channel: %s", r.raw)
	}
	if g := s.grant("web"); g.status != 401 || g.json["error"] != "invalid_client" {
		t.Errorf("a suspended channel gets a token: %d %s", g.status, g.raw)
	}
	s.as("officer", "POST", "/v1/channels/web/resume", "", 200)
	s.as("web", "GET", "/v1/whoami", "", 200)
	s.as("officer", "DELETE", "/v1/channels/web/secrets/"+s.secretOf("web"), "", 204)
	s.as("web", "GET", "/v1/whoami", "", 401)
	s.as("officer", "POST", "/v1/channels/nowhere/suspend", "{}", 404)
}

// secretOf returns the ID of the secret a channel's token was got with.
func (s *shop) secretOf(who string) string {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(s.tokens[who], ".")[1])
	if err != nil {
		s.t.Fatal(err)
	}
	var claims struct {
		SecretID string `json:"secret_id"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		s.t.Fatal(err)
	}
	return claims.SecretID
}

// Anyone can check that the log's head is signed.
func TestTheCheckpointVerifies(t *testing.T) {
	s := open(t)
	verifier, err := note.NewVerifier(strings.TrimSpace(s.send("GET", "/log/vkey", "", nil).raw))
	if err != nil {
		t.Fatal(err)
	}
	checkpoint := s.send("GET", "/log/checkpoint", "", nil)
	signed, err := note.Open([]byte(checkpoint.raw), note.VerifierList(verifier))
	if err != nil {
		t.Fatalf("%v: %s", err, checkpoint.raw)
	}
	if size := strings.Split(signed.Text, "\n")[1]; size == "0" {
		t.Errorf("the checkpoint is of nothing: %s", signed.Text)
	}
	if tile := s.send("GET", "/log/tile/0/000.p/1", "", nil); tile.status != 200 || len(tile.raw) != 32 {
		t.Errorf("the first leaf: %d, %d bytes", tile.status, len(tile.raw))
	}
	if s.send("GET", "/log/tile/0/900", "", nil).status != 404 {
		t.Error("a tile of the future is served")
	}
}

// A huge header ends the connection, not the server.
func TestAHugeHeaderIsRefused(t *testing.T) {
	s := open(t)
	r, _ := http.NewRequest("GET", s.url+"/v1/whoami", nil)
	r.Header.Set("Authorization", "Bearer "+strings.Repeat("x", 100_000))
	if res, err := http.DefaultClient.Do(r); err == nil {
		res.Body.Close()
		if res.StatusCode != 431 {
			t.Errorf("got %d", res.StatusCode)
		}
	}
	if s.send("GET", "/healthz", "", nil).status != 200 {
		t.Error("the server is hurt")
	}
}
