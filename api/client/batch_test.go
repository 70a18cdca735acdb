package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// An answer that does not tell of every line is no answer: whoever imports must
// not take rows for imported of which nothing is known.
func TestABatchIsAnsweredWholeOrNotAtAll(t *testing.T) {
	kept := `{"n":1,"status":201,"subject":"` + privacy.SubjectID{1}.String() + `","created":true,"accepted":["given_name"],"unchanged":[],"superseded":[]}` + "\n"
	const refused = `{"n":2,"status":422,"code":"invalid_request","errors":[{"field":"email","code":"invalid_email","detail":"…"}],"newer":"member"}` + "\n"
	const end = `{"end":true,"lines":2}` + "\n"
	var answer, sent string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":600}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		sent = r.Header.Get("Content-Type") + " " + string(body)
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = io.WriteString(w, answer)
	}))
	defer front.Close()
	c, err := client.New(client.Config{URL: front.URL, ClientID: "web", ClientSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	named := func(json string) *wire.CaptureRequest {
		return &wire.CaptureRequest{Fields: wire.Values{{Name: "given_name", Value: wire.Value{Sensitive: privacy.NewSensitive([]byte(json))}}}}
	}
	two := []*wire.CaptureRequest{named(`"Anahita"`), named(`"Bela"`)}

	answer = kept + refused + end
	lines, err := c.CaptureBatch(t.Context(), two)
	if err != nil || len(lines) != 2 || lines[0].CaptureAnswer == nil || !lines[0].Created || lines[1].CaptureAnswer != nil || lines[1].Errors[0].Field != "email" {
		t.Fatalf("got %+v, %v", lines, err)
	}
	if want := "application/x-ndjson " + `{"fields":{"given_name":"Anahita"}}` + "\n" + `{"fields":{"given_name":"Bela"}}` + "\n"; sent != want {
		t.Errorf("sent %q, want %q", sent, want)
	}
	for what, torn := range map[string]string{
		"cut off":       kept + refused,
		"within a line": kept + refused[:20],
		"a line short":  kept + `{"end":true,"lines":1}` + "\n",
		"another order": strings.Replace(refused, `"n":2`, `"n":1`, 1) + kept + end,
		"nothing":       "",
		"no end":        kept + refused + strings.Replace(end, "true", "false", 1),
	} {
		answer = torn
		if lines, err := c.CaptureBatch(t.Context(), two); err == nil {
			t.Errorf("%s: taken for %+v", what, lines)
		}
	}
}
