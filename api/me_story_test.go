package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

var update = flag.Bool("update", false, "write golden files anew")

// personal lets web open sessions that need a login, and store such as need none.
var personal = strings.NewReplacer(
	"{id: web, kind: web,", "{id: web, kind: web, sessions: true,",
	"{id: store, kind: store,", "{id: store, kind: store, sessions: {step_up: none},",
	"channels:\n", `  - {id: bookkeeping, title: Invoices, basis: legal_obligation, fields: [family_name, address], retention: P10Y}
channels:
`, "purposes: [order-fulfilment], captures", "purposes: [order-fulfilment, bookkeeping], captures",
).Replace(vaulttest.Register)

// person makes a request with the token of a session, and wants a status.
func (s *shop) person(token, method, path, body string, want int) reply {
	s.t.Helper()
	r := s.send(method, path, body, map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"})
	if r.status != want {
		s.t.Fatalf("%s %s: got %d %s, want %d", method, path, r.status, r.raw, want)
	}
	return r
}

func (s *shop) session(channel, subject string) string {
	s.t.Helper()
	return s.as(channel, "POST", "/v1/subject-sessions", `{"subject":"`+subject+`"}`, 201).json["token"].(string)
}

func (s *shop) login(field, value string) string {
	s.t.Helper()
	return s.Login(privacy.FieldName(field), value).Opened.Token
}

// Anahita comes through her web shop, says no to what it does for her, logs in,
// corrects her name, takes her data, restricts what is done with it, and leaves.
func TestAPersonsWholeWay(t *testing.T) {
	s := openWith(t, &vaulttest.Options{Register: personal})
	told := strings.Replace(anahita, `{"fields"`, `{"verified":["email"],"fields"`, 1)
	ana := s.as("web", "POST", "/v1/captures", told, 201).json["subject"].(string)
	read := `{"subject":"` + ana + `","purpose":"order-fulfilment"}`
	s.as("web", "POST", "/v1/reads", read, 200)

	opened := s.as("web", "POST", "/v1/subject-sessions", `{"subject":"`+ana+`"}`, 201).json
	token := opened["token"].(string)
	link, err := url.Parse(opened["url"].(string))
	if err != nil || link.Query().Get("code") == "" || strings.Contains(link.String(), token) || strings.Contains(link.String(), "sub_") {
		t.Errorf("the link: %v %v", opened["url"], err)
	}
	me := s.person(token, "GET", "/v1/me", "", 200)
	if !strings.Contains(me.raw, "Quintero") || strings.Contains(me.raw, "1987-05-04") || me.json["full"] != false {
		t.Errorf("through the shop: %s", me.raw)
	}
	for _, ask := range [][3]string{{"PATCH", "/v1/me", `{"fields":{"given_name":"Ana"}}`}, {"GET", "/v1/me/export", ""}, {"POST", "/v1/me/export", ""}, {"POST", "/v1/me/erasure", ""},
		{"GET", "/v1/me/erasure", ""}, {"DELETE", "/v1/me/erasure", ""}, {"DELETE", "/v1/me/restriction", ""}, {"POST", "/v1/consents", `{"purpose":"sms-marketing","status":"given"}`}} {
		if r := s.person(token, ask[0], ask[1], ask[2], 403); r.json["code"] != "step_up_required" {
			t.Errorf("%s %s: %s", ask[0], ask[1], r.raw)
		}
	}
	s.person(token, "POST", "/v1/consents", `{"subject":"`+ana+`","purpose":"sms-marketing","status":"withdrawn"}`, 422)
	s.person(token, "POST", "/v1/consents", `{"purpose":"sms-marketing","status":"refused"}`, 201)

	own := s.login("email", "ana.quintero@example.org")
	if me := s.person(own, "GET", "/v1/me", "", 200); !strings.Contains(me.raw, "1987-05-04") || me.json["assurance"] != "verified" {
		t.Errorf("logged in: %s", me.raw)
	}
	if r := s.person(own, "PATCH", "/v1/me", `{"fields":{"given_name":"Ana"}}`, 200); len(r.json["superseded"].([]any)) != 1 {
		t.Errorf("corrected: %s", r.raw)
	}
	if r := s.as("web", "POST", "/v1/reads", read, 200); !strings.Contains(r.raw, `"given_name":"Ana"`) {
		t.Errorf("the shop reads: %s", r.raw)
	}
	access := s.person(own, "GET", "/v1/me/export?scope=access", "", 200)
	if !strings.Contains(access.raw, `"past"`) || !strings.Contains(access.raw, "Anahita") || len(access.json["recipients"].([]any)) != 1 {
		t.Errorf("a copy of all: %s", access.raw)
	}
	if again := s.person(own, "GET", "/v1/me/export?scope=access", "", 200); again.raw != access.raw {
		t.Errorf("the same state gives another copy:\n%s\n%s", access.raw, again.raw)
	}

	consents := s.person(own, "GET", "/v1/me/consents", "", 200).json["consents"].([]any)
	if len(consents) != 1 || consents[0].(map[string]any)["status"] != "refused" {
		t.Errorf("consents: %v", consents)
	}
	s.person(own, "GET", "/v1/consents/"+consents[0].(map[string]any)["consent"].(string)+"/receipt", "", 200)
	accesses := s.person(own, "GET", "/v1/me/accesses?purpose=order-fulfilment&channel=web", "", 200).json
	first := accesses["accesses"].([]any)[0].(map[string]any)
	for _, member := range []string{"decision", "at", "channel", "purpose", "released", "masked", "withheld", "log_index"} {
		if first[member] == nil {
			t.Errorf("an access lacks %s: %v", member, first)
		}
	}
	proof := s.person(own, "GET", "/v1/me/accesses/"+first["decision"].(string)+"/proof", "", 200)
	var bundle vault.Proof
	if err := json.Unmarshal([]byte(proof.raw), &bundle); err != nil || vault.CheckProof(&bundle, s.VerifierKey()) != nil {
		t.Errorf("the proof: %v %s", err, proof.raw)
	}

	// Restricted: nothing is released, for whatever purpose; lifted: again.
	s.person(token, "POST", "/v1/me/restriction", "", 200)
	if r := s.as("web", "POST", "/v1/reads", read, 403); !strings.Contains(r.raw, "restricted") {
		t.Errorf("restricted: %s", r.raw)
	}
	if me := s.person(own, "GET", "/v1/me", "", 200); me.json["restricted_since"] == nil {
		t.Errorf("restricted: %s", me.raw)
	}
	s.person(own, "DELETE", "/v1/me/restriction", "", 200)
	s.as("web", "POST", "/v1/reads", read, 200)

	// What will remain is said before.
	if r := s.person(own, "GET", "/v1/me/erasure", "", 200); !strings.Contains(r.raw, "bookkeeping") || strings.Contains(r.raw, "order-fulfilment") {
		t.Errorf("what would remain: %s", r.raw)
	}
	would := s.person(own, "GET", "/v1/me/erasure", "", 200).json["never_contact"].(float64)
	gone := s.person(own, "POST", "/v1/me/erasure", `{"by":{"role":"guardian","ref":"her mother"},"never_contact":true}`, 202).json
	s.person(own, "GET", "/v1/me", "", 401)
	s.person(token, "GET", "/v1/me/consents", "", 401)
	status := strings.TrimPrefix(gone["status_url"].(string), s.url)
	if strings.Contains(status, ana) {
		t.Errorf("the status link names her: %s", status)
	}
	var last reply
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if last = s.send("GET", status, "", nil); last.json["status"] == "completed" {
			break
		}
	}
	if last.json["status"] != "completed" || last.json["certificate"] == nil || strings.Contains(last.raw, ana) || strings.Contains(last.raw, "mother") {
		t.Errorf("the status: %d %s", last.status, last.raw)
	}
	if signed, err := base64.RawURLEncoding.DecodeString(strings.Split(last.json["certificate"].(string), ".")[1]); err != nil || would == 0 ||
		!strings.Contains(string(signed), fmt.Sprintf(`"never_contact":{"hashes":%.0f,`, would)) {
		t.Errorf("the certificate, with %.0f hashes to stay: %s, %v", would, signed, err)
	}
	s.send("GET", status[:len(status)-2]+"AA", "", nil)
	if r := s.send("GET", status[:len(status)-2]+"AA", "", nil); r.status != 404 {
		t.Errorf("a guessed link: %d %s", r.status, r.raw)
	}
	if strings.Contains(s.log.String(), "Quintero") || strings.Contains(s.log.String(), token[4:]) || strings.Contains(s.log.String(), link.Query().Get("code")) {
		t.Error("the log tells of her")
	}
}

// Where the register lets people sleep on it, Anahita's erasure waits. Its answer, its
// link and what she sees before say until when; she takes it back, and nothing
// happened. Nobody can take back what does not wait.
func TestAnErasureThatWaitsIsTakenBack(t *testing.T) {
	s := openWith(t, &vaulttest.Options{Register: personal + "settings: {erasure: {grace: P14D}}\n"})
	s.officerSignsIn()
	s.as("web", "POST", "/v1/captures", `{"fields":{"given_name":"Anahita","email":"ana.quintero@example.org"},"verified":["email"]}`, 201)
	read := `{"subject":{"email":"ana.quintero@example.org"},"purpose":"order-fulfilment","fields":["given_name"]}`
	own := s.login("email", "ana.quintero@example.org")
	if r := s.person(own, "DELETE", "/v1/me/erasure", "", 409); r.json["code"] != "wrong_state" {
		t.Errorf("nothing waits: %s", r.raw)
	}
	asked := s.person(own, "POST", "/v1/me/erasure", "", 202).json
	begins, _ := asked["begins_at"].(string)
	if asked["status"] != "received" || begins == "" {
		t.Fatalf("asked: %v", asked)
	}
	s.as("web", "POST", "/v1/reads", read, 403)
	status := strings.TrimPrefix(asked["status_url"].(string), s.url)
	if r := s.send("GET", status, "", nil); r.json["status"] != "received" || r.json["begins_at"] != begins {
		t.Errorf("its link: %s", r.raw)
	}
	if r := s.person(own, "GET", "/v1/me/erasure", "", 200); r.json["waits"] != true || r.json["begins_at"] != begins {
		t.Errorf("meanwhile: %s", r.raw)
	}
	if r := s.as("officer", "GET", "/v1/requests/"+asked["request"].(string), "", 200); r.json["begins_at"] != begins {
		t.Errorf("to officers: %s", r.raw)
	}
	if r := s.person(own, "DELETE", "/v1/me/erasure", "", 200); r.json["status"] != "withdrawn" {
		t.Errorf("taken back: %s", r.raw)
	}
	s.as("web", "POST", "/v1/reads", read, 200)
	if r := s.send("GET", status, "", nil); r.json["status"] != "withdrawn" || r.json["begins_at"] != nil {
		t.Errorf("its link: %s", r.raw)
	}
}

// Every route of people × the token of another person, of a channel and of an
// officer, and the tokens of people × every route of others: nobody reaches
// anybody else.
func TestNobodyReachesAnybodyElse(t *testing.T) {
	s := openWith(t, &vaulttest.Options{Register: personal})
	s.officerSignsIn()
	told := func(name string) string {
		return s.as("store", "POST", "/v1/captures", `{"fields":{"given_name":"`+name+`"}}`, 201).json["subject"].(string)
	}
	ana, bob := told("Anahita"), told("Bob")
	anas, bobs := s.session("store", ana), s.session("store", bob)
	s.as("store", "POST", "/v1/reads", `{"subject":"`+ana+`","purpose":"order-fulfilment"}`, 200)
	said := s.person(anas, "POST", "/v1/consents", `{"purpose":"sms-marketing","status":"given"}`, 201).json["consent"].(string)
	read := s.person(anas, "GET", "/v1/me/accesses?purpose=order-fulfilment", "", 200).json["accesses"].([]any)[0].(map[string]any)["decision"].(string)
	session := s.person(anas, "GET", "/v1/me/sessions", "", 200).json["sessions"].([]any)[0].(map[string]any)["session"].(string)

	routes := []struct{ method, path, body string }{
		{"GET", "/v1/me", ""},
		{"PATCH", "/v1/me", `{"fields":{"family_name":"Of Bob"}}`},
		{"GET", "/v1/me/consents", ""},
		{"GET", "/v1/me/consents?after=" + said, ""},
		{"GET", "/v1/me/accesses", ""},
		{"GET", "/v1/me/accesses?after=" + read, ""},
		{"GET", "/v1/me/accesses/" + read + "/proof", ""},
		{"GET", "/v1/me/export?scope=access", ""},
		{"GET", "/v1/me/export?scope=portable&format=csv", ""},
		{"GET", "/v1/me/export?format=schemaorg", ""},
		{"POST", "/v1/me/export", `{"by":{"role":"guardian"}}`},
		{"GET", "/v1/me/sessions", ""},
		{"DELETE", "/v1/me/sessions/" + session, ""},
		{"GET", "/v1/me/erasure", ""},
		{"GET", "/v1/consents/" + said + "/receipt", ""},
		{"POST", "/v1/consents", `{"purpose":"sms-marketing","status":"withdrawn"}`},
		{"POST", "/v1/me/restriction", `{}`},
		{"POST", "/v1/me/contests", `{"field":"birthdate"}`},
		{"DELETE", "/v1/me/restriction", ""},
		{"DELETE", "/v1/me/erasure", ""},
		{"POST", "/v1/me/erasure", `{}`},
	}
	for _, rt := range routes {
		r := s.send(rt.method, rt.path, rt.body, map[string]string{"Authorization": "Bearer " + bobs, "Content-Type": "application/json"})
		if strings.Contains(r.raw, "Anahita") || strings.Contains(r.raw, ana) || strings.Contains(r.raw, said) || strings.Contains(r.raw, read) || strings.Contains(r.raw, session) {
			t.Errorf("%s %s tells Bob of Anahita: %d %s", rt.method, rt.path, r.status, r.raw)
		}
		for _, own := range []string{said, read, session} {
			if strings.Contains(rt.path, own) && r.status != 404 && r.status != 422 {
				t.Errorf("%s %s: Bob got %d %s", rt.method, rt.path, r.status, r.raw)
			}
		}
		if strings.HasPrefix(rt.path, "/v1/me") {
			for _, who := range []string{"web", "officer"} {
				s.as(who, rt.method, rt.path, rt.body, 403)
			}
			if r := s.send(rt.method, rt.path, rt.body, nil); r.status != 401 {
				t.Errorf("%s %s without a token: %d", rt.method, rt.path, r.status)
			}
		}
	}
	// Bob is gone by now; of Anahita nothing has changed.
	s.person(bobs, "GET", "/v1/me", "", 401)
	me := s.person(anas, "GET", "/v1/me", "", 200)
	if strings.Contains(me.raw, "Of Bob") || me.json["restricted_since"] != nil || !strings.Contains(me.raw, "Anahita") {
		t.Errorf("Anahita: %s", me.raw)
	}
	if all := s.person(anas, "GET", "/v1/me/consents", "", 200).json["consents"].([]any); len(all) != 1 {
		t.Errorf("Anahita said: %v", all)
	}
	for _, rt := range []struct{ method, path, body string }{
		{"POST", "/v1/reads", `{"subject":"` + bob + `","purpose":"order-fulfilment"}`},
		{"POST", "/v1/captures", `{"fields":{"given_name":"X"}}`},
		{"GET", "/v1/subjects/" + bob + "/consents?purpose=order-fulfilment", ""},
		{"POST", "/v1/subject-sessions", `{"subject":"` + bob + `"}`},
		{"GET", "/v1/register", ""}, {"GET", "/v1/requests", ""}, {"GET", "/v1/whoami", ""},
		{"POST", "/v1/subjects/lookup", `{"phone_number":"+4930901820","reason":"x"}`},
		{"POST", "/v1/subjects/" + ana + "/restriction", `{"reason":"x"}`},
		{"POST", "/v1/subjects/" + ana + "/export", `{"reason":"x"}`},
	} {
		s.person(anas, rt.method, rt.path, rt.body, 403)
	}
}

var madeUp = regexp.MustCompile(`\b(dec|con|req|sub|ses)_[0-9a-hjkmnp-tv-z]{26}\b`)

// tick is what the test's clock adds whenever it is looked at.
var tick = regexp.MustCompile(`\.[0-9]{1,6}Z`)

// What a person takes is the same for the same state, as the golden files say, and
// another vault that is told it again knows the same.
func TestWhatAPersonTakes(t *testing.T) {
	o := &vaulttest.Options{Register: personal, Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	s := openWith(t, o)
	told := `{"verified":["email"],"observed_at":"2026-02-01T08:00:00Z","fields":{"given_name":"=Anahita","family_name":"'Quintero","email":"ana.quintero@example.org",
		"phone_number":"+49 30 901820","birthdate":"1987-05-04","address":{"street_address":"Torstrasse 12","locality":"Berlin","postal_code":"10119","country":"DE"}}}`
	ana := s.as("web", "POST", "/v1/captures", told, 201).json["subject"].(string)
	s.as("store", "POST", "/v1/consents", `{"subject":"`+ana+`","purpose":"sms-marketing","status":"given","method":"web_form","evidence":{"ip":"192.0.2.7"}}`, 201)
	s.as("web", "POST", "/v1/touches", `{"subject":"`+ana+`","kind":"order","topic":"sofa","ref":"A-17"}`, 201)
	s.as("sms", "POST", "/v1/touches", `{"subject":"`+ana+`","kind":"offer","topic":"=lamp","medium":"sms","purpose":"sms-marketing"}`, 422)
	s.as("sms", "POST", "/v1/touches", `{"subject":"`+ana+`","kind":"offer","topic":"lamp","medium":"sms","purpose":"sms-marketing"}`, 201)
	s.as("web", "POST", "/v1/subjects/"+ana+"/missing/refusals", `{"purpose":"order-fulfilment","fields":["email"]}`, 201)
	s.officerSignsIn()
	s.as("officer", "POST", "/v1/requests", `{"kind":"access","subject":"`+ana+`","reason":"she wrote a letter"}`, 202)
	s.as("web", "POST", "/v1/reads", `{"subject":"`+ana+`","purpose":"order-fulfilment"}`, 200)
	s.as("sms", "POST", "/v1/reads", `{"subject":"`+ana+`","purpose":"sms-marketing"}`, 200)
	own := s.login("email", "ana.quintero@example.org")
	taken := map[string]reply{}
	for _, scope := range []string{"access", "portable"} {
		for format, ending := range map[string]string{"json": "json", "csv": "csv", "schemaorg": "jsonld"} {
			got := s.person(own, "GET", "/v1/me/export?scope="+scope+"&format="+format, "", 200)
			taken[scope+" "+format] = got
			if !strings.Contains(got.header.Get("Content-Disposition"), "my-data-"+scope+"."+ending) {
				t.Errorf("%s %s: %v", scope, format, got.header)
			}
			golden(t, scope+"."+ending, []byte(tick.ReplaceAllString(madeUp.ReplaceAllString(got.raw, "${1}_…"), "Z")))
		}
	}
	if r := taken["portable json"].raw; strings.Contains(r, "birthdate") || strings.Contains(r, "recipients") {
		t.Errorf("portable has what is held for neither consent nor contract: %s", r)
	}

	want := s.Login("email", "ana.quintero@example.org").Values()
	for format, read := range map[string]func(*testing.T, string) map[string]any{"json": readJSON, "csv": readCSV, "schemaorg": readSchemaOrg} {
		fields := read(t, taken["access "+format].raw)
		body, err := json.Marshal(map[string]any{"fields": fields, "verified": []string{"email"}})
		if err != nil {
			t.Fatal(err)
		}
		other := openWith(t, o)
		other.as("web", "POST", "/v1/captures", string(body), 201)
		if got := other.Login("email", "ana.quintero@example.org").Values(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: another vault knows %v, want %v", format, got, want)
		}
	}
	s.person(own, "GET", "/v1/me/export?format=pdf", "", 422)
	s.person(own, "GET", "/v1/me/export?scope=all", "", 422)

	// By letter: an officer makes the same copy, and she sees that it was made.
	byLetter := s.as("officer", "POST", "/v1/subjects/"+ana+"/export?scope=access", `{"reason":"she wrote a letter"}`, 200)
	if byLetter.raw != taken["access json"].raw {
		t.Errorf("by letter: %s", byLetter.raw)
	}
	if all := s.person(own, "GET", "/v1/me/accesses?limit=1", "", 200); !strings.Contains(all.raw, "she wrote a letter") {
		t.Errorf("she is not shown who took it: %s", all.raw)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "takeout", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func readJSON(t *testing.T, raw string) map[string]any {
	t.Helper()
	var out struct {
		Values []struct {
			Field string
			Value any
		}
	}
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	for _, v := range out.Values {
		fields[v.Field] = v.Value
	}
	return fields
}

func readCSV(t *testing.T, raw string) map[string]any {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	for _, row := range rows[1:] {
		if row[0] != "value" {
			continue
		}
		text := strings.TrimPrefix(row[2], "'")
		fields[row[1]] = text
		if strings.HasPrefix(text, "{") {
			fields[row[1]] = json.RawMessage(text)
		}
	}
	return fields
}

func readSchemaOrg(t *testing.T, raw string) map[string]any {
	t.Helper()
	var person map[string]any
	if err := json.Unmarshal([]byte(raw), &person); err != nil {
		t.Fatal(err)
	}
	if person["@type"] != "Person" {
		t.Errorf("no person: %s", raw)
	}
	fields := map[string]any{}
	for property, name := range map[string]string{"givenName": "given_name", "familyName": "family_name", "email": "email", "telephone": "phone_number", "birthDate": "birthdate"} {
		fields[name] = person[property]
	}
	address, _ := person["address"].(map[string]any)
	fields["address"] = map[string]any{"street_address": address["streetAddress"], "locality": address["addressLocality"], "postal_code": address["postalCode"], "country": address["addressCountry"]}
	return fields
}
