package api_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// To a channel an ID is a word that it was given. Whichever it asks with that is
// nobody's, also one that no vault makes, is answered as for Anahita, who said
// nothing to the sender.
func TestAnIDThatNoVaultMadeLooksLikeNoSaySo(t *testing.T) {
	s := open(t)
	her := s.as("store", "POST", "/v1/captures", `{"fields":{"given_name":"Anahita","phone_number":"+4930901820"}}`, 201).json["subject"].(string)
	strange := []string{"sub_nobody", privacy.Nobody.String(), "sub_" + strings.Repeat("z", 26), "sub_01ARZ3NDEKTSV4RRFFQ69G5FAV", her + "0"}

	members := func(r reply) string {
		var names []string
		for name := range r.json {
			names = append(names, name)
		}
		slices.Sort(names)
		b, _ := json.Marshal([]any{r.status, r.json["code"], r.json["withheld"], r.json["allowed"], r.json["status"], r.json["effective"], names})
		return string(b)
	}
	for what, ask := range map[string]func(id string) reply{
		"read": func(id string) reply {
			return s.as("sms", "POST", "/v1/reads", `{"subject":"`+id+`","purpose":"sms-marketing"}`, 403)
		},
		"consent state": func(id string) reply {
			r := s.as("sms", "GET", "/v1/subjects/"+id+"/consents?purpose=sms-marketing", "", 200)
			if r.json["subject"] != id {
				t.Errorf("asked about %s, answered about %v", id, r.json["subject"])
			}
			return r
		},
		"no": func(id string) reply {
			return s.as("sms", "POST", "/v1/consents", `{"subject":"`+id+`","purpose":"sms-marketing","status":"withdrawn","method":"sms_stop"}`, 201)
		},
	} {
		want := members(ask(her))
		for _, id := range strange {
			if got := members(ask(id)); got != want {
				t.Errorf("%s of %s: got %s, of her %s", what, id, got, want)
			}
		}
	}
	for _, id := range strange {
		if got := s.as("store", "POST", "/v1/reads", `{"subject":"`+id+`","purpose":"order-fulfilment"}`, 404).json["code"]; got != "unknown_subject" {
			t.Errorf("where the purpose is not silent: got %v, want unknown_subject", got)
		}
		s.as("store", "POST", "/v1/captures", `{"subject":"`+id+`","fields":{"given_name":"Mallory"}}`, 422)
	}
}
