package privacy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	words "github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// withParts is the shop's register with fields that have parts, or are no text.
var withParts = strings.NewReplacer("\npurposes:", `
  - {name: wishes, title: {en: Wishes, de: Wünsche}, type: object, category: "pd:Preference"}
  - {name: household, title: {en: People in your home, de: Personen im Haushalt}, type: number, category: "pd:FamilyStructure"}
  - {name: regular, title: {en: Regular customer, de: Stammkunde}, type: boolean, category: "pd:Customer"}
  - {name: taste, title: {en: Taste, de: Geschmack}, type: string, category: "pd:Interest"}
purposes:
  - {id: recommendations, title: {en: Recommendations that fit, de: "Empfehlungen, die passen"}, benefit: {en: You see first what you like, de: "Sie sehen zuerst, was Sie mögen"}, dpv: "dpv:Personalisation", basis: consent, profiling: true, fields: [taste], retention: P1Y, consent: {valid_for: P1Y, notice: {version: "1", text: {en: "A program works out what you may like.", de: "Ein Programm erschließt, was Sie mögen könnten."}}}}`, "purposes: [order-fulfilment, tasting]", "purposes: [order-fulfilment, tasting, recommendations]", "captures: [given_name, phone_number]", "captures: [given_name, phone_number, taste]", "captures: [given_name, family_name,", "captures: [wishes, household, regular, given_name, family_name,").Replace(shop)

// Mia corrects what has parts, as a browser without JavaScript sends it: a form has
// an input for each, what she empties is taken out, what she leaves stays as it was.
func TestCorrectingWhatHasParts(t *testing.T) {
	c := openWith(t, vaulttest.Options{Register: withParts}, nil)
	c.orders(map[string]any{"email": "mia@example.org", "household": 3.5, "regular": true,
		"address": map[string]string{"street_address": "Lindenweg 4\nHinterhaus", "postal_code": "20099", "locality": "Hamburg", "country": "DE"},
		"wishes": map[string]any{"a/b": "kept", "delivery": map[string]any{"day": "friday", "hour": 9}, "recipes": true, "none": nil, "blank": "",
			"topics": []any{"bread", "cheese"}, "boxes": []any{map[string]any{"size": 2}, map[string]any{"size": 4}}, "empty": map[string]any{}}})
	me := c.Login("email", "mia@example.org")
	value := func(field string) string {
		t.Helper()
		for _, known := range me.Me().Values {
			if string(known.Field) == field {
				return string(known.Value.Reveal())
			}
		}
		return ""
	}
	before := value("wishes")
	for _, s := range []struct {
		name, field string
		form        url.Values
		status      int
		want        string // what is known then; "" for what was
	}{
		{"nothing changed", "wishes", url.Values{}, http.StatusSeeOther, before},
		{"one part of many", "wishes", url.Values{"/delivery/day": {"monday"}}, http.StatusSeeOther, strings.Replace(before, "friday", "monday", 1)},
		{"a number that is none", "wishes", url.Values{"/delivery/hour": {"nine"}}, http.StatusUnprocessableEntity, ""},
		{"a number with a comma, in German", "wishes", url.Values{"/delivery/hour": {"9,5"}}, http.StatusSeeOther,
			`{"a/b":"kept","blank":"","boxes":[{"size":2},{"size":4}],"delivery":{"day":"monday","hour":9.5},"empty":{},"none":null,"recipes":true,"topics":["bread","cheese"]}`},
		{"parts emptied, others added", "wishes", url.Values{"/delivery/day": {""}, "/delivery/hour": {""}, "/recipes": {""}, "/topics/0": {""}, "/topics/-": {"fish"}, "/a~1b": {"new"}, "/boxes/0/size": {""}, "/none": {"some"}},
			http.StatusSeeOther, `{"a/b":"new","blank":"","boxes":[{"size":4}],"empty":{},"none":"some","topics":["cheese","fish"]}`},
		{"a line of an address", "address", url.Values{"street_address": {"Lindenweg 5\r\nHinterhaus"}, "country": {"AT"}, "locality": {""}}, http.StatusSeeOther,
			`{"country":"AT","postal_code":"20099","street_address":"Lindenweg 5\nHinterhaus"}`},
		{"all of an address emptied", "address", url.Values{"street_address": {""}, "country": {""}, "postal_code": {""}}, http.StatusUnprocessableEntity, ""},
		{"a country that there is not", "address", url.Values{"country": {"QQ"}}, http.StatusUnprocessableEntity, ""},
		{"a number", "household", url.Values{"value": {"4,25"}}, http.StatusSeeOther, "4.25"},
		{"a number that is code", "household", url.Values{"value": {`{"a":1}`}}, http.StatusUnprocessableEntity, ""},
		{"no number at all", "household", url.Values{"value": {""}}, http.StatusUnprocessableEntity, ""},
		{"yes or no", "regular", url.Values{"value": {"false"}}, http.StatusSeeOther, "false"},
		{"neither", "regular", url.Values{"value": {"perhaps"}}, http.StatusUnprocessableEntity, ""},
		{"no address", "email", url.Values{"value": {"mia"}}, http.StatusUnprocessableEntity, ""},
	} {
		was := value(s.field)
		got := c.ask(t, "POST", "/privacy/data/"+s.field, me.Opened.Token, s.form, "Accept-Language", "de")
		if s.want == "" {
			s.want = was
		}
		if now := value(s.field); got.status != s.status || now != s.want {
			t.Errorf("%s: got %d and %s, want %d and %s", s.name, got.status, now, s.status, s.want)
		}
		if s.status == http.StatusUnprocessableEntity && (!strings.Contains(got.text, "Das kann nicht stimmen") || !strings.Contains(got.text, "aria-invalid") && s.field != "address" && s.field != "regular") {
			t.Errorf("%s: the page does not say what is wrong", s.name)
		}
	}
	shown := c.ask(t, "GET", "/privacy/data/wishes", me.Opened.Token, nil)
	if !strings.Contains(shown.text, `name="/topics/-"`) || !strings.Contains(shown.text, "topics: one more") || !strings.Contains(shown.text, `name="/boxes/0/size"`) {
		t.Errorf("the form is %s", shown.text)
	}
}

// miaOfParts is the customer of the stories, of whom more is known: wishes that have
// parts, an allergy, and what a program worked out.
func (c *centre) miaOfParts() vaulttest.Person {
	c.T.Helper()
	mia := c.mia()
	req := vaulttest.CaptureRequest(c.T, map[string]any{"allergy": "Nuts", "regular": true, "wishes": map[string]any{"delivery": map[string]any{"day": "friday", "hour": 9}, "topics": []string{"bread", "cheese"}}})
	req.Subject = &mia
	if _, err := c.Vault.Capture(c.T.Context(), c.As("web").Caller, req); err != nil {
		c.T.Fatal(err)
	}
	req = vaulttest.CaptureRequest(c.T, map[string]any{"taste": "hearty"})
	req.Subject, req.Inferred = &mia, map[words.FieldName]words.Inference{"taste": {Model: "taste", Version: "3", Confidence: 0.8}}
	if _, err := c.Vault.Capture(c.T.Context(), c.As("store").Caller, req); err != nil {
		c.T.Fatal(err)
	}
	return mia
}
