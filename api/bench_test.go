package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
)

// discard is a client that hangs on every word and keeps none.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// What this package adds to a read: routing, the token, strict JSON, the answer.
func BenchmarkReadOverHTTP(b *testing.B) {
	f := newFake()
	f.read = func(vault.Caller, vault.ReadRequest) (*vault.ReadResult, error) {
		return &vault.ReadResult{Decision: decision, Subject: ana, Purpose: "delivery", Policy: "guardrails", LogName: "main", Fields: []vault.FieldValue{
			{Field: "given_name", Value: value(`"Anahita"`)}, {Field: "phone_number", Value: value(`"+4930901820"`)}}}, nil
	}
	srv, err := newServer(f, Config{Issuer: issuer})
	if err != nil {
		b.Fatal(err)
	}
	form := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=client_credentials&client_id=web&client_secret=secret+of+web"))
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	token, err := srv.tokens.Grant(form)
	if err != nil {
		b.Fatal(err)
	}
	body := `{"subject":"` + ana.String() + `","purpose":"delivery","fields":["given_name","phone_number"],"context":{"step":"offer"}}`
	r := httptest.NewRequest("POST", "/v1/reads", nil)
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	r.Header.Set("Content-Type", mediaJSON)
	r.ContentLength = int64(len(body))
	b.ReportAllocs()
	for b.Loop() {
		f.calls = f.calls[:0]
		r.Body = io.NopCloser(strings.NewReader(body))
		srv.Handler().ServeHTTP(&discard{h: http.Header{}}, r)
	}
}
