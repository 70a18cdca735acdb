package api_test

import (
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The web shop has Anahita's address and asks what else it needs to deliver:
// only what it may ask her, until she answered. The sender, to whom she said
// nothing yet, is told what it would be told of anybody.
func TestWhatIsMissingOverHTTP(t *testing.T) {
	s := open(t)
	her := s.as("store", "POST", "/v1/captures", `{"fields":{"given_name":"Anahita"}}`, 201).json["subject"].(string)
	ask := func(who, subject, purpose string, want int) string {
		t.Helper()
		return s.as(who, "GET", "/v1/subjects/"+subject+"/missing?purpose="+purpose, "", want).raw
	}
	if got, want := ask("store", her, "order-fulfilment", 200), `{"missing":[{"field":"phone_number","why":"absent"},{"field":"address","why":"absent"}]}`; got != want {
		t.Errorf("missing: got %s, want %s", got, want)
	}
	s.as("store", "POST", "/v1/captures", `{"subject":"`+her+`","fields":{"phone_number":"+4930901820","address":{"locality":"Berlin"}}}`, 200)
	if got := ask("store", her, "order-fulfilment", 200); got != `{"missing":[]}` {
		t.Errorf("after she answered: got %s, want nothing missing", got)
	}
	nobody := privacy.NewSubjectID().String()
	for _, subject := range []string{her, nobody} {
		if got := ask("sms", subject, "sms-marketing", 200); got != `{"missing":[]}` {
			t.Errorf("without say-so: got %s, want nothing missing", got)
		}
	}
	ask("store", nobody, "order-fulfilment", 404)
	ask("sms", her, "order-fulfilment", 403)
	s.as("store", "GET", "/v1/subjects/"+her+"/missing", "", 422)
}
