package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// talking is the small shop with rules of contact.
var talking = strings.Replace(vaulttest.Register, `retention: P1Y, consent:`, `retention: P1Y, contact: {caps: [{count: 2, per: P30D}]}, consent:`, 1)

// The store and the sender text Anahita: twice a month, not what she ordered, not
// what is over, not after she said no.
func TestOneConversationOverHTTP(t *testing.T) {
	s := open(t)
	s.Apply(talking)
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	s.as("store", "POST", "/v1/consents", `{"subject":"`+her+`","purpose":"sms-marketing","status":"given","method":"web_form"}`, 201)
	touch := func(more string) string {
		return `{"subject":"` + her + `","kind":"offer","purpose":"sms-marketing","medium":"sms",` + more + `}`
	}
	allowed := func(who, more, code string) reply {
		t.Helper()
		r := s.as(who, "POST", "/v1/touches/check", touch(more), 200)
		if got, _ := r.json["code"].(string); got != code || r.json["allowed"] != (code == "") {
			t.Errorf("%s: got %s, want code %q", who, r.raw, code)
		}
		return r
	}
	allowed("sms", `"topic":"spring"`, "")
	done := s.as("store", "POST", "/v1/touches", touch(`"topic":"spring","ref":"c-1"`), 201)
	if done.json["kind"] != "offer" || done.json["topic"] != "spring" || done.json["at"] == "" || len(done.json) != 3 {
		t.Errorf("a touch: got %s", done.raw)
	}
	s.as("web", "POST", "/v1/touches", `{"subject":"`+her+`","kind":"order","topic":"gigabit","ref":"order-77"}`, 201)
	allowed("sms", `"topic":"gigabit"`, "already_ordered")
	allowed("sms", `"topic":"tv","expires_at":"2020-01-01T00:00:00Z"`, "expired")
	s.as("sms", "POST", "/v1/touches", touch(`"topic":"summer","if_allowed":true`), 201)
	for _, who := range []string{"sms", "store"} {
		no := allowed(who, `"topic":"autumn"`, "contact_cap")
		again := s.as(who, "POST", "/v1/touches", touch(`"topic":"autumn","if_allowed":true`), 409)
		if again.json["code"] != "contact_cap" || again.json["until"] != no.json["until"] || again.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %s, want a problem until %v", who, again.raw, no.json["until"])
		}
		if until, err := time.Parse(time.RFC3339, no.json["until"].(string)); err != nil || until.Before(s.Now().AddDate(0, 0, 29)) {
			t.Errorf("until: got %v, %v", until, err)
		}
	}
	s.as("sms", "POST", "/v1/consents", `{"subject":"`+her+`","purpose":"sms-marketing","status":"withdrawn","method":"sms_stop"}`, 201)
	no := allowed("sms", `"topic":"autumn"`, "no_consent")
	nobody := s.as("sms", "POST", "/v1/touches/check", strings.Replace(touch(`"topic":"autumn"`), her, privacy.NewSubjectID().String(), 1), 200)
	if no.raw != nobody.raw {
		t.Errorf("said no: %s\nunknown: %s", no.raw, nobody.raw)
	}
	s.as("sms", "POST", "/v1/touches/check", `{"subject":"`+her+`","kind":"offer","topic":"autumn"}`, 422)
	s.as("sms", "POST", "/v1/touches", `{"subject":"`+her+`","kind":"visit","topic":"autumn"}`, 422)
	s.as("web", "POST", "/v1/touches/check", touch(`"topic":"autumn"`), 403)
}

// A contact that was refused may be tried again under the same key: what was
// refused did nothing. One that was made is not made twice.
func TestATouchWithAKeyHappensOnce(t *testing.T) {
	s := open(t)
	s.Apply(strings.Replace(talking, "count: 2", "count: 1", 1))
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	s.as("store", "POST", "/v1/consents", `{"subject":"`+her+`","purpose":"sms-marketing","status":"given","method":"web_form"}`, 201)
	s.as("sms", "GET", "/v1/whoami", "", 200) // for its token
	send := func(key, topic string) reply {
		return s.send("POST", "/v1/touches", `{"subject":"`+her+`","kind":"contact","purpose":"sms-marketing","topic":"`+topic+`","if_allowed":true}`,
			map[string]string{"Authorization": "Bearer " + s.tokens["sms"], "Content-Type": "application/json", "Idempotency-Key": key})
	}
	if r := send("k-1", "a"); r.status != http.StatusCreated {
		t.Fatalf("the first: %d %s", r.status, r.raw)
	}
	if r := send("k-1", "a"); r.status != http.StatusCreated || r.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the first again: %d %s, want the same answer", r.status, r.raw)
	}
	if r := send("k-2", "b"); r.status != http.StatusConflict || r.json["code"] != "contact_cap" {
		t.Errorf("the second: %d %s, want contact_cap", r.status, r.raw)
	}
	s.Apply(talking)
	if r := send("k-2", "b"); r.status != http.StatusCreated {
		t.Errorf("the second, when it may: %d %s, want it made", r.status, r.raw)
	}
}

// Eight times web and store ask Anahita and others for a telephone number at once:
// one of them does, until the person answers or will not.
func TestOneOfAllAsksOverHTTP(t *testing.T) {
	s := open(t)
	s.as("store", "GET", "/v1/whoami", "", 200)
	for i := range 8 {
		who := s.as("web", "POST", "/v1/captures", fmt.Sprintf(`{"fields":{"email":"p%d@example.org"}}`, i), 201).json["subject"].(string)
		ask := func(channel string) reply {
			return s.send("POST", "/v1/subjects/"+who+"/missing/ask", `{"purpose":"order-fulfilment","fields":["phone_number"]}`,
				map[string]string{"Authorization": "Bearer " + s.tokens[channel], "Content-Type": "application/json"})
		}
		var replies [2]reply
		var race sync.WaitGroup
		for j, channel := range []string{"web", "store"} {
			race.Go(func() { replies[j] = ask(channel) })
		}
		race.Wait()
		winner, loser := "web", "store"
		if replies[0].status != http.StatusCreated {
			winner, loser, replies[0], replies[1] = loser, winner, replies[1], replies[0]
		}
		if replies[0].status != http.StatusCreated || replies[1].status != http.StatusConflict || replies[1].json["code"] != "already_being_asked" {
			t.Fatalf("race %d: got %d %s and %d %s", i, replies[0].status, replies[0].raw, replies[1].status, replies[1].raw)
		}
		if again := ask(winner); again.status != http.StatusOK || fmt.Sprint(again.json["fields"]) != "[phone_number]" {
			t.Errorf("the holder again: %d %s, want it prolonged", again.status, again.raw)
		}
		if i == 0 {
			s.as(winner, "POST", "/v1/subjects/"+who+"/missing/refusals", `{"purpose":"order-fulfilment","fields":["phone_number"]}`, 201)
		} else {
			s.as("web", "POST", "/v1/captures", fmt.Sprintf(`{"subject":%q,"fields":{"phone_number":"+49 30 770000%d"}}`, who, i), 200)
		}
		if r := ask(loser); r.status != http.StatusConflict || r.json["code"] != "already_answered" {
			t.Errorf("after an answer: %d %s", r.status, r.raw)
		}
		if r := s.as(loser, "GET", "/v1/subjects/"+who+"/missing?purpose=order-fulfilment", "", 200); strings.Contains(r.raw, "phone_number") {
			t.Errorf("still missing: %s", r.raw)
		}
	}
}

// A guess says who made it, on its way in and on its way out.
func TestAGuessOverHTTP(t *testing.T) {
	s := open(t)
	s.Apply(strings.Replace(vaulttest.Register, "basis: contract,", "basis: contract, profiling: true,", 1))
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	s.as("web", "POST", "/v1/captures", `{"subject":"`+her+`","fields":{"family_name":"Quintera"},"inferred":{"family_name":{"model":"ocr","version":"2","confidence":0.5}}}`, 200)
	r := s.as("web", "POST", "/v1/reads", `{"subject":"`+her+`","purpose":"order-fulfilment","fields":["family_name"]}`, 200)
	if !strings.Contains(r.raw, `"family_name":"Quintero"`) || strings.Contains(r.raw, "inferred") {
		t.Errorf("what she told: got %s", r.raw)
	}
	ben := s.as("web", "POST", "/v1/captures", `{"fields":{"email":"ben@example.org","family_name":"Okafor"},"inferred":{"family_name":{"model":"ocr","version":"2","confidence":0.5}},"observed":["email"]}`, 201).json["subject"].(string)
	r = s.as("web", "POST", "/v1/reads", `{"subject":"`+ben+`","purpose":"order-fulfilment","fields":["family_name"]}`, 200)
	if !strings.Contains(r.raw, `"inferred":{"family_name":{"model":"ocr","version":"2","confidence":0.5}}`) {
		t.Errorf("what was guessed: got %s", r.raw)
	}
	for field, body := range map[string]string{
		"inferred.taste.sure": `{"fields":{"family_name":"x"},"inferred":{"taste":{"sure":1}}}`, "family_name": `{"fields":{"family_name":"x"},"inferred":{"family_name":{"model":"ocr"}}}`,
	} {
		if r := s.as("web", "POST", "/v1/captures", body, 422); !strings.Contains(r.raw, field) {
			t.Errorf("%s: got %s", field, r.raw)
		}
	}
}
