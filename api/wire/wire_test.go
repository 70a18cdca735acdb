package wire

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/vault/privacy"
)

func value(json string) Value { return Value{privacy.NewSensitive([]byte(json))} }

// A value marshals as itself only where it is meant to.
func TestAValueIsShownOnlyOnTheWire(t *testing.T) {
	v := Values{{Name: "given_name", Value: value(`"Anahita"`)}}
	onWire, err := json.Marshal(v)
	if err != nil || string(onWire) != `{"given_name":"Anahita"}` {
		t.Errorf("on the wire: %s, %v", onWire, err)
	}
	elsewhere, _ := stdjson.Marshal(v)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("captured", "values", v, "one", v[0].Value)
	for _, text := range []string{string(elsewhere), fmt.Sprint(v), fmt.Sprintf("%+v %#v %s %q", v, v, v, v[0].Value), log.String()} {
		if strings.Contains(text, "Anahita") {
			t.Errorf("it shows: %s", text)
		}
	}
}

// What is sent is what is read, on both sides.
func TestRequestsAndAnswersRoundTrip(t *testing.T) {
	for _, c := range []struct {
		into any
		text string
	}{
		{new(ReadRequest), `{"subject":{"email":"ana@example.org"},"purpose":"delivery","fields":["email"],"context":{"step":"offer"}}`},
		{new(ReadRequest), `{"subject":"` + privacy.SubjectID{1}.String() + `","purpose":"delivery"}`},
		{new(CaptureRequest), `{"fields":{"b":1,"a":{"x":[null]}},"verified":["a"],"consents":[{"purpose":"p","status":"given","method":"m","at":"2026-03-01T08:00:00.000001Z"}]}`},
		{new(ConsentRequest), `{"subject":{"phone_number":"+491"},"purpose":"p","status":"withdrawn","method":"m","by":{"role":"guardian","ref":"r"}}`},
		{new(LinkCode), `{"code":"once"}`},
		{new(LoginCodeRequest), `{"subject":{"email":"ana@example.org"},"language":"de"}`},
		{new(LoginCode), `{"attempt":"a","code":"1234 5678"}`},
		{new(LookupRequest), `{"email":"ana@example.org","reason":"she called"}`},
	} {
		if err := json.Unmarshal([]byte(c.text), c.into, json.RejectUnknownMembers(true)); err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if again, err := json.Marshal(c.into); err != nil || string(again) != c.text {
			t.Errorf("got %s, %v, want %s", again, err, c.text)
		}
		if errs := c.into.(interface{ Check() []FieldError }).Check(); len(errs) > 0 {
			t.Errorf("%s: %v", c.text, errs)
		}
	}
}

func TestAPersonIsNamedOnce(t *testing.T) {
	for text, want := range map[string]error{
		`{}`: ErrOneIdentifier, `{"email":"a","phone_number":"b"}`: ErrOneIdentifier, `{"":"a"}`: ErrOneIdentifier,
		`"sub_"`: ErrNoSubject, `"sub_ a"`: ErrNoSubject, `"sub_` + strings.Repeat("x", 65) + `"`: ErrNoSubject, `"ana"`: ErrNoSubject, `1`: ErrNoSubject, `null`: ErrNoSubject, `[]`: ErrNoSubject,
	} {
		var s Subject
		if err := json.Unmarshal([]byte(text), &s); !errors.Is(err, want) || !s.IsZero() {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
