package api

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func value(json string) privacy.Sensitive { return privacy.NewSensitive([]byte(json)) }

// The hand-written answer has the shape the document promises, to the byte.
func TestAReadIsAnsweredInOnePiece(t *testing.T) {
	b := newBench(t)
	b.read = func(c vault.Caller, r vault.ReadRequest) (*vault.ReadResult, error) {
		if c.Client.Channel != "web" || c.RequestID == "" || r.Subject.ID != ana || r.Context["step"] != "offer" || !slices.Equal(r.Fields, []privacy.FieldName{"given_name", "email"}) {
			t.Errorf("the vault was asked %+v by %+v", r, c)
		}
		return &vault.ReadResult{
			Decision: decision, Subject: ana, Purpose: "delivery", Policy: `pol_"1"`, Register: 3, LogIndex: 41, LogName: "main",
			Fields:   []vault.FieldValue{{Field: "given_name", Value: value(`"Anahita"`)}, {Field: "address", Value: value(`{"locality":"Berlin"}`)}},
			Masked:   []vault.MaskedValue{{Field: "phone_number", Value: value(`"*******1820"`), Mask: "last4"}},
			Withheld: []vault.Withheld{{Field: "email", Code: "policy", Detail: "not \"today\""}},
			Missing:  []vault.Missing{{Field: "birthdate", Why: "absent"}},
		}, nil
	}
	a := b.call("POST", "/v1/reads", `{"subject":"`+ana.String()+`","purpose":"delivery","fields":["given_name","email"],"context":{"step":"offer"}}`, "web")
	want := `{"decision":"` + decision.String() + `","subject":"` + ana.String() + `","purpose":"delivery","policy":"pol_\"1\"",` +
		`"fields":{"given_name":"Anahita","address":{"locality":"Berlin"}},"masked":{"phone_number":{"value":"*******1820","mask":"last4"}},` +
		`"withheld":[{"field":"email","code":"policy","detail":"not \"today\""}],"missing":[{"field":"birthdate","why":"absent"}],` +
		`"register":3,"log_index":41,"log":{"name":"main","index":41}}`
	if a.status != 200 || a.raw != want {
		t.Errorf("got %d %s\nwant %s", a.status, a.raw, want)
	}
	if a.header.Get("Content-Length") == "" || a.header.Get("Content-Type") != mediaJSON {
		t.Errorf("headers: %v", a.header)
	}
	var shape wire.ReadAnswer
	if err := json.Unmarshal([]byte(a.raw), &shape, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("it is not a wire.ReadAnswer: %v", err)
	}
	if again, err := json.Marshal(&shape); err != nil || string(again) != want {
		t.Errorf("as a wire.ReadAnswer it is %s, %v", again, err)
	}
	b.read = func(vault.Caller, vault.ReadRequest) (*vault.ReadResult, error) { return &vault.ReadResult{}, nil }
	if a := b.call("POST", "/v1/reads", goodBodies["POST /v1/reads"], "web"); !strings.Contains(a.raw, `"fields":{},"masked":{},"withheld":[],"missing":[]`) {
		t.Errorf("nothing to tell: %s", a.raw)
	}
}

// Nobody looks like no-say-so: same status, members, headers and length.
func TestDeniedTellsNothingOfThePerson(t *testing.T) {
	b := newBench(t)
	b.read = func(_ vault.Caller, r vault.ReadRequest) (*vault.ReadResult, error) {
		return nil, &vault.DeniedError{Decision: privacy.NewDecisionID(time.Now()), Purpose: r.Purpose, Withheld: []vault.Withheld{
			{Field: "phone_number", Code: privacy.CodeNoConsent, Detail: "no consent"}, {Field: "given_name", Code: privacy.CodeNoConsent, Detail: "no consent"}}}
	}
	known := b.call("POST", "/v1/reads", `{"subject":"`+ana.String()+`","purpose":"marketing"}`, "web")
	unknown := b.call("POST", "/v1/reads", `{"subject":{"phone_number":"+4930555555"},"purpose":"marketing"}`, "web")
	if known.status != 403 || known.code() != "denied" || known.header.Get("Content-Type") != mediaProblem {
		t.Fatalf("got %d %s", known.status, known.raw)
	}
	members := slices.Sorted(maps.Keys(known.json))
	if want := []string{"code", "decision", "detail", "purpose", "status", "title", "type", "withheld"}; !slices.Equal(members, want) {
		t.Errorf("members: got %v, want %v", members, want)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(known.header)), slices.Sorted(maps.Keys(unknown.header))) || len(known.raw) != len(unknown.raw) || known.status != unknown.status {
		t.Errorf("they differ:\n%v %s\n%v %s", known.header, known.raw, unknown.header, unknown.raw)
	}
	if blank := strings.ReplaceAll(known.raw, known.json["decision"].(string), unknown.json["decision"].(string)); blank != unknown.raw {
		t.Errorf("they differ in more than the decision:\n%s\n%s", blank, unknown.raw)
	}
	if !strings.Contains(known.raw, `"withheld":[{"field":"phone_number","code":"no_consent","detail":"no consent"},{"field":"given_name"`) {
		t.Errorf("the asked order is lost: %s", known.raw)
	}
	var shape wire.Problem
	if err := json.Unmarshal([]byte(known.raw), &shape, json.RejectUnknownMembers(true)); err != nil || len(shape.Withheld) != 2 {
		t.Errorf("it is not a wire.Problem: %v", err)
	}
}

// The one table of refusals, as a client sees it.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		want   string
		header map[string]string
	}{
		{&vault.Error{Code: "purpose_not_granted", Detail: "no"}, 403, `{"type":"urn:sayso:problem:purpose_not_granted","title":"The purpose is not granted to this client","status":403,"code":"purpose_not_granted","detail":"no","request_id":"ID"}`, nil},
		{&vault.Error{Code: "unknown_subject"}, 404, `{"type":"urn:sayso:problem:unknown_subject","title":"No such person","status":404,"code":"unknown_subject","request_id":"ID"}`, nil},
		{&vault.Error{Code: "invalid_request", Fields: []vault.FieldError{{Field: "email", Code: "invalid_email", Detail: "d"}}}, 422,
			`{"type":"urn:sayso:problem:invalid_request","title":"The request cannot be accepted","status":422,"code":"invalid_request","request_id":"ID","errors":[{"field":"email","code":"invalid_email","detail":"d"}]}`, nil},
		{&vault.Error{Code: "rate_limited", RetryAfter: 1500 * time.Millisecond}, 429, "", map[string]string{"Retry-After": "2"}},
		{&vault.Error{Code: "unavailable"}, 503, "", map[string]string{"Retry-After": "1"}},
		{&vault.Error{Code: "wrong_state"}, 409, "", nil},
		{&vault.Error{Code: "a code nobody knows", Detail: "with details"}, 500, `{"type":"urn:sayso:problem:internal","title":"Something went wrong here","status":500,"code":"internal","request_id":"ID"}`, nil},
		{errors.New("disk on fire"), 500, `{"type":"urn:sayso:problem:internal","title":"Something went wrong here","status":500,"code":"internal","request_id":"ID"}`, nil},
		{&vault.RegisterProblems{Problems: []vault.RegisterProblem{{File: "register.yaml", Line: 3, Column: 5, Key: "fields", Detail: "d"}}}, 422,
			`{"type":"urn:sayso:problem:invalid_request","title":"The request cannot be accepted","status":422,"code":"invalid_request","detail":"the register has problems; nothing was applied","request_id":"ID","problems":[{"file":"register.yaml","line":3,"column":5,"key":"fields","detail":"d"}]}`, nil},
		{&vault.PolicyProblems{Problems: []vault.PolicyProblem{{Module: "rules.rego", Line: 5, Column: 1, Message: "m"}}}, 422,
			`{"type":"urn:sayso:problem:invalid_request","title":"The request cannot be accepted","status":422,"code":"invalid_request","detail":"the rules have problems; nothing was kept","request_id":"ID","problems":[{"module":"rules.rego","line":5,"column":1,"message":"m"}]}`, nil},
	} {
		b := newBench(t)
		b.any = c.err
		a := b.call("POST", "/v1/reads", goodBodies["POST /v1/reads"], "web")
		got := strings.ReplaceAll(a.raw, a.header.Get("X-Request-Id"), "ID")
		if a.status != c.status || c.want != "" && got != c.want {
			t.Errorf("%v: got %d %s\nwant %s", c.err, a.status, got, c.want)
		}
		for k, v := range c.header {
			if a.header.Get(k) != v {
				t.Errorf("%v: %s is %q, want %q", c.err, k, a.header.Get(k), v)
			}
		}
	}
}

func TestLimitsComeBeforeEverythingElse(t *testing.T) {
	b := newBench(t)
	b.allow = &vault.Error{Code: "rate_limited", RetryAfter: time.Second}
	if a := b.call("POST", "/v1/reads", "not even JSON", "web"); a.status != 429 {
		t.Errorf("got %d %s", a.status, a.raw)
	}
}

// A fault of ours is no reason to fall over, or to tell.
func TestAPanicTellsNothing(t *testing.T) {
	b := newBench(t)
	b.read = func(vault.Caller, vault.ReadRequest) (*vault.ReadResult, error) { panic("Anahita Quintero") }
	a := b.call("POST", "/v1/reads", goodBodies["POST /v1/reads"], "web")
	if a.status != 500 || a.code() != "internal" || strings.Contains(a.raw+b.log.String(), "Anahita") {
		t.Errorf("got %d %s\n%s", a.status, a.raw, &b.log)
	}
	if !strings.Contains(b.log.String(), "answers_test.go") && !strings.Contains(b.log.String(), "TestAPanicTellsNothing") {
		t.Errorf("the log does not say where: %s", &b.log)
	}
}

func TestRequestIDsAreEchoedIfSane(t *testing.T) {
	b := newBench(t)
	for id, kept := range map[string]bool{
		"0b5c7e0a-6f5e-4c11-9a3e-0a4f6c9f6a11": true, "01HZX3V9QX6Y8Z0ABCDEF12345": true,
		"": false, "short1": false, "ana.quintero@example.org1": false, "+4930901820-4930901820": false, "493090182049309018": false,
		"anahita-quintero-torstrasse": false, strings.Repeat("a1", 40): false, "evil1\"}, {\"evil1\": 1}": false,
	} {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.Header.Set("X-Request-ID", id)
		a := b.do(r)
		if got := a.header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("%q: answered %q", id, got)
		}
	}
}

// The log is for operators: it holds no person, no secret, no token.
func TestTheLogHoldsNoPerson(t *testing.T) {
	b := newBench(t)
	b.lookup = func(vault.SubjectRef, string) (privacy.SubjectID, error) {
		return ana, &vault.Error{Code: vault.CodeUnknownSubject}
	}
	token := b.token("web")
	b.call("POST", "/v1/reads", `{"subject":{"email":"ana.quintero@example.org"},"purpose":"delivery"}`, "web")
	b.call("POST", "/v1/captures", `{"fields":{"given_name":"Anahita","phone_number":"+4930901820"}}`, "web")
	b.call("POST", "/v1/captures", `{"Anahita":"Quintero"}`, "web")
	b.call("POST", "/v1/subjects/lookup", `{"email":"ana.quintero@example.org","reason":"Quintero called"}`, "officer")
	b.call("GET", "/v1/subjects/"+ana.String()+"/consents?purpose=marketing", "", "web")
	b.call("GET", "/v1/Anahita/Quintero?email=ana.quintero@example.org", "", "web")
	b.call("GET", "/Anahita?q=Quintero", "", "")
	b.call("ANAHITA", "/v1/reads", "", "web")
	log := b.log.String()
	for _, secret := range []string{"Anahita", "ANAHITA", "quintero", "Quintero", "30901820", ana.String(), "secret of web", token, strings.Split(token, ".")[2]} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %.12s…:\n%s", secret, log)
		}
	}
	for _, fact := range []string{`"route":"/v1/reads"`, `"route":"/v1/subjects/{id}/consents"`, `"client":"web"`, `"status":404`, `"request_id":"`, `"code":"unknown_subject"`} {
		if !strings.Contains(log, fact) {
			t.Errorf("the log lacks %s:\n%s", fact, log)
		}
	}
}

func TestTheRegisterInBothFormats(t *testing.T) {
	b := newBench(t)
	a := b.call("GET", "/v1/register", "", "officer")
	if a.status != 200 || a.header.Get("ETag") != `"7"` || a.json["revision"] != 7.0 || a.json["register"] != "controller: {name: Northgate}\n" {
		t.Errorf("JSON: %v %s", a.header, a.raw)
	}
	r := httptest.NewRequest("GET", "/v1/register", nil)
	r.Header.Set("Accept", "application/yaml, application/json;q=0.5")
	r.Header.Set("Authorization", "Bearer "+b.token("officer"))
	if a := b.do(r); a.status != 200 || a.header.Get("Content-Type") != mediaYAML || a.raw != "controller: {name: Northgate}\n" || a.header.Get("ETag") != `"7"` {
		t.Errorf("YAML: %v %s", a.header, a.raw)
	}
	put := func(path, media, ifMatch string) answer {
		r := httptest.NewRequest("PUT", path, strings.NewReader("controller: {}"))
		r.Header.Set("Content-Type", media)
		r.Header.Set("Authorization", "Bearer "+b.token("officer"))
		if ifMatch != "" {
			r.Header.Set("If-Match", ifMatch)
		}
		return b.do(r)
	}
	b.apply = func(text []byte, ifMatch *uint64, dryRun bool) (*vault.Applied, error) {
		if string(text) != "controller: {}" || ifMatch == nil || *ifMatch != 7 || dryRun {
			t.Errorf("the vault was asked %s %v %v", text, ifMatch, dryRun)
		}
		return &vault.Applied{Revision: 8, Status: "active", Changes: []vault.Change{{Op: "added", Path: "fields.email", To: "email"}},
			Channels: []vault.ChannelCredentials{{ID: "web", Credentials: vault.Credentials{ClientID: "web", ClientSecret: "once"}}}}, nil
	}
	a = put("/v1/register", mediaYAML, `"7"`)
	if want := `{"revision":8,"status":"active","changes":[{"op":"added","path":"fields.email","to":"email","widens":false}],"warnings":[],"channels":[{"id":"web","client_id":"web","client_secret":"once"}]}`; a.status != 200 || a.raw != want || a.header.Get("ETag") != `"8"` {
		t.Errorf("applied: %d %s", a.status, a.raw)
	}
	b.apply = func(_ []byte, ifMatch *uint64, dryRun bool) (*vault.Applied, error) {
		if ifMatch != nil || !dryRun {
			t.Errorf("the vault was asked %v %v", ifMatch, dryRun)
		}
		return &vault.Applied{}, nil
	}
	if a := put("/v1/register?dry_run=true", "text/yaml; charset=utf-8", ""); a.status != 200 {
		t.Errorf("dry run: %d %s", a.status, a.raw)
	}
	for _, bad := range []string{"7", `W/"7"`, `"x"`, "*", `"7", "8"`, `"07"`} {
		if a := put("/v1/register", mediaYAML, bad); a.status != 422 {
			t.Errorf("If-Match %s: got %d", bad, a.status)
		}
	}
	if a := put("/v1/register", "text/csv", ""); a.status != 415 {
		t.Errorf("CSV: got %d", a.status)
	}
}

func TestALookupNamesOnePersonAndAReason(t *testing.T) {
	b := newBench(t)
	b.lookup = func(who vault.SubjectRef, reason string) (privacy.SubjectID, error) {
		if who.Field != "email" || string(who.Value.Reveal()) != `"ana@example.org"` || reason != "she called" {
			t.Errorf("the vault was asked %v %s %q", who.Field, who.Value.Reveal(), reason)
		}
		return ana, nil
	}
	if a := b.call("POST", "/v1/subjects/lookup", `{"reason":"she called","email":"ana@example.org"}`, "officer"); a.status != 200 || a.json["subject"] != ana.String() {
		t.Errorf("got %d %s", a.status, a.raw)
	}
	for body, code := range map[string]string{
		`{"email":"ana@example.org"}`:                   "invalid_request",
		`{"reason":"x"}`:                                "invalid_request",
		`{"email":"a","reason":1}`:                      "invalid_request",
		`{"email":"a","reason":""}`:                     "invalid_request",
		`{"email":"a","phone_number":"b","reason":"x"}`: "one_identifier",
	} {
		if a := b.call("POST", "/v1/subjects/lookup", body, "officer"); a.status != 422 || a.code() != code {
			t.Errorf("%s: got %d %s", body, a.status, a.raw)
		}
	}
}

func TestTheLogIsThereForAnyone(t *testing.T) {
	b := newBench(t)
	for path, want := range map[string]string{
		"/log/checkpoint":           "origin\n1\nAAAA\n\n— sig\n",
		"/log/vkey":                 "origin+key\n",
		"/log/tile/0/000.p/3":       "\x00\x00\x00\x00\x00\x00",
		"/log/tile/1/x001/234.p/1":  "\x01\xd2",
		"/log/tile/entries/005.p/2": "\x05\x05",
	} {
		if a := b.call("GET", path, "", ""); a.status != 200 || a.raw != want {
			t.Errorf("%s: got %d %q, want %q", path, a.status, a.raw, want)
		}
	}
	if a := b.call("GET", "/log/tile/0/000", "", ""); len(a.raw) != 512 || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("a full tile: %d bytes, %v", len(a.raw), a.header)
	}
	for _, bad := range []string{"/log/tile/0/0", "/log/tile/0/0000", "/log/tile/0/000.p/0", "/log/tile/0/000.p/257", "/log/tile/0/-01", "/log/tile/data/000", "/log/tile/64/000", "/log/tile/x/000", "/log/tile/00/000", "/log/tile/entries/1", "/log/tile/0/x001"} {
		if a := b.call("GET", bad, "", ""); a.status != http.StatusNotFound {
			t.Errorf("%s: got %d", bad, a.status)
		}
	}
	b.any = &vault.Error{Code: vault.CodeNotFound}
	if a := b.call("GET", "/log/tile/0/000", "", ""); a.status != http.StatusNotFound {
		t.Errorf("a tile not made yet: got %d", a.status)
	}
}

func TestReadinessSaysWhyNot(t *testing.T) {
	b := newBench(t)
	if a := b.call("GET", "/readyz", "", ""); a.status != 200 {
		t.Errorf("got %d", a.status)
	}
	b.ready = []string{"the clock is not believed"}
	if a := b.call("GET", "/readyz", "", ""); a.status != 503 || !strings.Contains(a.raw, "the clock is not believed") || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", a.status, a.raw)
	}
	if a := b.call("GET", "/healthz", "", ""); a.status != 200 {
		t.Errorf("alive: got %d", a.status)
	}
}

// A replay is told whole, or line by line to whoever asks for lines; what goes
// wrong after the first line is told as the last.
func TestAReplayIsToldWhileItRuns(t *testing.T) {
	b := newBench(t)
	a := b.call("POST", "/v1/policies/pol_1/replay", `{"from":"2026-03-01T00:00:00Z"}`, "officer")
	if a.status != 200 || a.json["decisions"] != 2.0 || a.json["status"] != "replayed" || !strings.Contains(a.raw, `"from":"release","to":"withhold"`) {
		t.Errorf("whole: %d %s", a.status, a.raw)
	}
	if !slices.Contains(b.calls, "replay 2026-03-01") {
		t.Errorf("the vault was asked %v", b.calls)
	}
	lines := func() (answer, []string) {
		r := httptest.NewRequest("POST", "/v1/policies/pol_1/replay", nil)
		r.Header.Set("Accept", "application/x-ndjson")
		r.Header.Set("Authorization", "Bearer "+b.token("officer"))
		a := b.do(r)
		return a, strings.Split(strings.TrimSpace(a.raw), "\n")
	}
	if a, told := lines(); a.status != 200 || len(told) != 2 || told[0] != `{"done":1,"of":2}` || !strings.HasPrefix(told[1], `{"end":true,"replay":{"policy":"pol_1"`) {
		t.Errorf("in lines: %d %q", a.status, told)
	}
	if a := b.call("POST", "/v1/register/replay?from=2026-03-01", `{"controller":{}}`, "officer"); a.status != 200 || a.json["decisions"] != 2.0 || !slices.Contains(b.calls, "replay register 2026-03-01") {
		t.Errorf("a register: %d %s", a.status, a.raw)
	}
	if a := b.call("POST", "/v1/register/7/replay", "", "officer"); a.status != 200 || a.json["register"] != 7.0 {
		t.Errorf("one that waits: %d %s", a.status, a.raw)
	}
	b.any = &vault.Error{Code: vault.CodeWrongState, Detail: "too often"}
	if a, told := lines(); a.status != 200 || len(told) != 2 || !strings.Contains(told[1], `"status":409`) || !strings.Contains(told[1], `"code":"wrong_state"`) {
		t.Errorf("broken off: %d %q", a.status, told)
	}
}

// Reports are objects, or tables that no spreadsheet takes for formulas.
func TestReportsAreObjectsOrTables(t *testing.T) {
	b := newBench(t)
	a := b.call("GET", "/v1/reports/processing-activities", "", "officer")
	if a.status != 200 || a.json["register"] != 7.0 || !strings.Contains(a.raw, `"article":"Art. 6(1)(b)"`) {
		t.Errorf("activities: %d %s", a.status, a.raw)
	}
	a = b.call("GET", "/v1/reports/processing-activities?format=csv", "", "officer")
	if rows := strings.Split(strings.TrimSpace(a.raw), "\n"); a.status != 200 || a.header.Get("Content-Type") != mediaCSV || len(rows) != 2 || !strings.HasPrefix(rows[1], "delivery,'=Deliver,") {
		t.Errorf("as a table: %d %s", a.status, a.raw)
	}
	a = b.call("GET", "/v1/reports/breach?channel=web&from=2026-03-01", "", "officer")
	if a.status != 200 || a.json["people"] != 1.0 || !slices.Contains(b.calls, "breach web 2026-03-01") {
		t.Errorf("breach: %d %s %v", a.status, a.raw, b.calls)
	}
	a = b.call("GET", "/v1/reports/breach?channel=web&format=csv", "", "officer")
	if rows := strings.Split(strings.TrimSpace(a.raw), "\n"); len(rows) != 3 || !strings.HasPrefix(rows[1], "1,"+ana.String()+",2,") || !strings.HasPrefix(rows[2], "end,1,main/57") {
		t.Errorf("its people: %d %s", a.status, a.raw)
	}
	for _, path := range []string{"/v1/reports/breach", "/v1/reports/breach?channel=web&from=yesterday", "/v1/reports/processing-activities?format=xml"} {
		if a := b.call("GET", path, "", "officer"); a.status != 422 {
			t.Errorf("%s: got %d %s, want 422", path, a.status, a.raw)
		}
	}
}

// What officers ask for is found by what they remember of it, and reports come as
// JSON or as tables.
func TestOfficersFindAndCount(t *testing.T) {
	b := newBench(t)
	a := b.call("GET", "/v1/decisions?channel=web&code=no_consent&from=2026-03-01&limit=7&after=90", "", "officer")
	if a.status != 200 || a.json["next"] != "3" || len(a.json["decisions"].([]any)) != 1 || !slices.Contains(b.calls, "decisions web no_consent 90 7") {
		t.Errorf("decisions: %d %s %v", a.status, a.raw, b.calls)
	}
	for _, path := range []string{"/v1/decisions?subject=ana@example.org", "/v1/decisions?limit=many", "/v1/decisions?from=yesterday", "/v1/reports/denials?from=yesterday", "/v1/reports/gaps?format=xml"} {
		if a := b.call("GET", path, "", "officer"); a.status != 422 || strings.Contains(a.raw, "ana@") {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	for name, row := range map[string]string{
		"consents": "marketing,2026-03-01,2,0,0,0,0,5",
		"denials":  "web,,no_consent,2,0,",
		"gaps":     "web,delivery,birthdate,field_not_in_purpose,4,",
		"unread":   "birthdate,,,1,,0,,delivery",
	} {
		a := b.call("GET", "/v1/reports/"+name+"?format=csv&from=2026-03-01", "", "officer")
		if a.status != 200 || a.header.Get("Content-Type") != mediaCSV || !strings.Contains(a.raw, "\n"+row) {
			t.Errorf("%s as a table: %d %s", name, a.status, a.raw)
		}
		if a := b.call("GET", "/v1/reports/"+name, "", "officer"); a.status != 200 || a.json == nil {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
}
