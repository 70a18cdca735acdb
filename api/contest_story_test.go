package api_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// guessingShop has a model that works out what people like, and a shop that opens
// sessions which need a login and may not use what the model made.
var guessingShop = strings.NewReplacer(
	"{id: web, kind: web,", "{id: web, kind: web, sessions: true,",
	"purposes:\n", `  - {name: taste, type: string, category: "pd:Interest", retention: P1Y}
purposes:
  - {id: hints, title: Hints, basis: contract, profiling: true, fields: [given_name, taste]}
`, "channels:\n", "channels:\n  - {id: model, kind: model, purposes: [hints], captures: [given_name, email, taste]}\n",
).Replace(vaulttest.Register)

// A model worked out that Anahita likes jazz. She says that this is not right: the
// model's channel reads it no more, her copy says so, and so does the list of the
// officers, who overrule her and, when she says it again, agree.
func TestAContestOverHTTP(t *testing.T) {
	s := openWith(t, &vaulttest.Options{Register: guessingShop})
	s.officerSignsIn()
	model, err := s.NewSecret(t.Context(), s.Officer, "model")
	if err != nil {
		t.Fatal(err)
	}
	s.secrets["model"] = [2]string{model.ClientID, model.ClientSecret}
	ana := s.as("model", "POST", "/v1/captures", `{"verified":["email"],"purposes":["hints"],"fields":{"given_name":"Anahita","email":"ana.quintero@example.org"}}`, 201).json["subject"].(string)
	s.as("web", "POST", "/v1/captures", `{"subject":"`+ana+`","fields":{"given_name":"Anahita"}}`, 201)
	s.as("model", "POST", "/v1/captures", `{"subject":"`+ana+`","fields":{"taste":"jazz"},"inferred":{"taste":{"model":"taste","version":"3","confidence":0.8}}}`, 200)
	read := func() map[string]any {
		return s.as("model", "POST", "/v1/reads", `{"subject":"`+ana+`","purpose":"hints"}`, 200).json
	}
	if got := read()["fields"].(map[string]any)["taste"]; got != "jazz" {
		t.Fatalf("read: %v", got)
	}

	own := s.login("email", "ana.quintero@example.org")
	for body, want := range map[string]string{`{}`: "field", `{"field":"given_name"}`: "PATCH /v1/me", `{"field":"shoe_size"}`: "unknown_field", `{"field":"taste","purpose":"hints"}`: "purpose"} {
		if r := s.person(own, "POST", "/v1/me/contests", body, 422); !strings.Contains(r.raw, want) {
			t.Errorf("%s: %s", body, r.raw)
		}
	}
	contest := `{"field":"taste","reason":"I hate it","by":{"role":"guardian","ref":"mother"}}`
	made := s.person(own, "POST", "/v1/me/contests", contest, 201).json
	id, _ := made["request"].(string)
	if id == "" || made["status"] != "in_progress" || made["field"] != "taste" || made["due_at"] == nil || made["since"] == nil {
		t.Fatalf("contested: %v", made)
	}
	withheld := read()["withheld"].([]any)
	if len(withheld) != 1 || withheld[0].(map[string]any)["code"] != "restricted" {
		t.Errorf("read: %v", withheld)
	}
	me := s.person(own, "GET", "/v1/me", "", 200).raw
	access, table := s.person(own, "GET", "/v1/me/export", "", 200).raw, s.person(own, "GET", "/v1/me/export?format=csv", "", 200).raw
	member := `"contested":{"since":"` + made["since"].(string) + `","request":"` + id + `","due_at":"` + made["due_at"].(string) + `"}`
	for name, raw := range map[string]string{"GET /v1/me": me, "the copy": strings.NewReplacer("\n", "", "\t", "", ": ", ":").Replace(access)} {
		if !strings.Contains(raw, member) {
			t.Errorf("%s lacks %s: %s", name, member, raw)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := slices.Index(rows[0], "contested")
	for _, row := range rows[1:] {
		want := ""
		if row[0] == "value" && row[1] == "taste" {
			want = made["since"].(string)
		}
		if row[column] != want {
			t.Errorf("the table says of %s %s that it is contested since %q, want %q", row[0], row[1], row[column], want)
		}
	}

	// Through the shop she sees no guess, so that the answer tells the shop of none.
	shop := s.session("web", ana)
	if r := s.person(shop, "POST", "/v1/me/contests", `{"field":"taste"}`, 201); r.raw != `{"field":"taste","status":"in_progress"}` {
		t.Errorf("through the shop: %s", r.raw)
	}
	if r := s.person(shop, "GET", "/v1/me/requests", "", 200); len(r.json["requests"].([]any)) != 0 {
		t.Errorf("through the shop: %s", r.raw)
	}

	q := s.as("officer", "GET", "/v1/requests/"+id, "", 200).json
	if q["kind"] != "contest" || q["field"] != "taste" || q["reason"] != "I hate it" || q["own"].(map[string]any)["ref"] != "mother" {
		t.Errorf("the officer sees: %v", q)
	}
	s.as("officer", "POST", "/v1/requests/"+id+"/refuse", `{}`, 422)
	if q := s.as("officer", "POST", "/v1/requests/"+id+"/refuse", `{"reason":"forty records"}`, 200).json; q["outcome"] != "overruled" || q["status"] != "refused" {
		t.Errorf("overruled: %v", q)
	}
	if got := read()["fields"].(map[string]any)["taste"]; got != "jazz" {
		t.Errorf("overruled, and read: %v", got)
	}

	// She writes.
	s.as("officer", "POST", "/v1/requests", `{"kind":"contest","subject":"`+ana+`","reason":"she wrote"}`, 422)
	s.as("officer", "POST", "/v1/requests", `{"kind":"access","field":"taste","subject":"`+ana+`","reason":"she wrote"}`, 422)
	id = s.as("officer", "POST", "/v1/requests", `{"kind":"contest","field":"taste","email":"ana.quintero@example.org","reason":"she wrote"}`, 202).json["request"].(string)
	if code := read()["withheld"].([]any)[0].(map[string]any)["code"]; code != "restricted" {
		t.Errorf("by letter: %v", code)
	}
	if q := s.as("officer", "POST", "/v1/requests/"+id+"/complete", `{"reason":"they were presents"}`, 200).json; q["outcome"] != "upheld" || q["status"] != "completed" {
		t.Errorf("upheld: %v", q)
	}
	if got := read(); len(got["missing"].([]any)) != 1 {
		t.Errorf("upheld, and read: %v", got)
	}
	if told := s.person(own, "GET", "/v1/me/requests", "", 200).raw; !strings.Contains(told, "forty records") || !strings.Contains(told, "they were presents") {
		t.Errorf("she is told: %s", told)
	}
}
