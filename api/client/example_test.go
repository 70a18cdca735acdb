package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/client/clienttest"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// A text sender asks for what it needs, for the purpose it has. What it may not have
// is a code to look at.
func ExampleClient_Read() {
	vault := clienttest.New() // stands in for client.New(client.Config{URL: …, ClientID: …, ClientSecret: …})
	vault.Handle("POST /v1/reads", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":"denied","purpose":"sms-marketing","withheld":[{"field":"phone_number","code":"no_consent","detail":"no say-so for this purpose"}]}`)
	})
	sms := vault.Client("sms")

	_, err := sms.Read(context.Background(), &wire.ReadRequest{
		Subject: wire.Subject{Field: "email", Value: wire.Text("ana@example.org")},
		Purpose: "sms-marketing",
		Fields:  []privacy.FieldName{"phone_number"},
	})
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == "denied" {
		fmt.Println(refused.Withheld[0].Field, refused.Withheld[0].Code)
	}
	// Output: phone_number no_consent
}

// Whoever sends after a yes has it recorded already, for all channels.
func ExampleClient_RecordTouch() {
	vault := clienttest.New()
	vault.Refuse("POST /v1/touches", http.StatusConflict, "already_ordered")
	sms := vault.Client("sms")

	_, err := sms.Once("spring-4711").RecordTouch(context.Background(), &wire.TouchRequest{
		Subject: wire.Subject{ID: privacy.SubjectID{1}}, Kind: "offer", Topic: "gigabit", Medium: "sms", Purpose: "sms-marketing", IfAllowed: true,
	})
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println("not sent:", refused.Code)
	}
	fmt.Println(vault.Asked("POST /v1/touches")[0].Header.Get("Idempotency-Key"))
	// Output:
	// not sent: already_ordered
	// spring-4711
}

// Everybody who may be texted, as they come. What breaks off is gone on with.
func ExampleClient_Audience() {
	vault := clienttest.New()
	vault.Lines("POST /v1/audiences",
		wire.AudienceLine{Subject: privacy.SubjectID{1}, Fields: wire.Values{{Name: "given_name", Value: wire.Text("Anahita")}}},
		wire.AudienceLine{Subject: privacy.SubjectID{2}, Fields: wire.Values{{Name: "given_name", Value: wire.Text("Ben")}}},
		wire.BatchEnd{End: true, Lines: 2})
	sms := vault.Client("sms")

	ask := &wire.AudienceRequest{Purpose: "sms-marketing", Fields: []privacy.FieldName{"given_name"}}
	for person, err := range sms.Audience(context.Background(), ask) {
		if err != nil {
			fmt.Println("not all of them:", err)
			break
		}
		name, _ := person.Fields.Get("given_name")
		fmt.Println(name.RevealText())
	}
	// Output:
	// Anahita
	// Ben
}

// A program that keeps a list of its own takes people off it when they say no, in
// whichever channel that was.
func ExampleClient_Events() {
	vault := clienttest.New()
	vault.Handle("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", wire.MediaEventStream)
		_, _ = io.WriteString(w, "id: ev_1\ndata: {\"id\":\"ev_1\",\"type\":\"consent.withdrawn\",\"data\":{\"purpose\":\"sms-marketing\"}}\n\n")
	})
	sms := vault.Client("sms")

	for event, err := range sms.Events(context.Background(), "" /* or the ID of the last event it dealt with */) {
		if err != nil {
			break
		}
		fmt.Println(event.Type, event.Data.Purpose)
		break // a real one goes on
	}
	// Output: consent.withdrawn sms-marketing
}

// A webhook needs its secret and a function that deals with one event.
func ExampleWebhook_Handler() {
	hook, err := client.NewWebhook(client.WebhookConfig{
		Secrets: []string{"whsec_bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4="},
		Now:     func() time.Time { return time.Unix(1772452800, 0) }, // left out in a real one
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := hook.Handler(func(_ context.Context, e *wire.Event) error {
		fmt.Println(e.Type, e.Data.Purpose)
		return nil
	})

	forged := httptest.NewRequest("POST", "/hook", nil)
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, forged)
	fmt.Println(answer.Code)
	// Output: 401
}
