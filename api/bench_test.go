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

// stages are what this package adds to a read: all of it – routing, the token,
// strict JSON, the answer – and of that the token and the answer alone.
func stages(t testing.TB) map[string]func() {
	t.Helper()
	f := newFake()
	answer := &vault.ReadResult{Decision: decision, Subject: ana, Purpose: "delivery", Policy: "guardrails", LogName: "main", Fields: []vault.FieldValue{
		{Field: "given_name", Value: value(`"Anahita"`)}, {Field: "phone_number", Value: value(`"+4930901820"`)}}}
	f.read = func(vault.Caller, vault.ReadRequest) (*vault.ReadResult, error) { return answer, nil }
	srv, err := newServer(f, Config{Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	form := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=client_credentials&client_id=web&client_secret=secret+of+web"))
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	token, err := srv.tokens.Grant(form)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"subject":"` + ana.String() + `","purpose":"delivery","fields":["given_name","phone_number"],"context":{"step":"offer"}}`
	r := httptest.NewRequest("POST", "/v1/reads", nil)
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	r.Header.Set("Content-Type", mediaJSON)
	r.ContentLength = int64(len(body))
	return map[string]func(){
		"http": func() {
			f.calls = f.calls[:0]
			r.Body = io.NopCloser(strings.NewReader(body))
			srv.Handler().ServeHTTP(&discard{h: http.Header{}}, r)
		},
		"token": func() {
			if _, err := srv.tokens.Check(r); err != nil {
				t.Fatal(err)
			}
		},
		"encode": func() { appendRead(make([]byte, 0, 1024), answer) },
	}
}

func BenchmarkReadOverHTTP(b *testing.B) {
	for name, do := range stages(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
}

// What HTTP adds to a read stays small: a stage that takes a quarter more
// allocations than it did when it was looked at last fails here.
func TestReadsOverHTTPStayCheap(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates, too")
	}
	took := map[string]float64{"http": 14, "token": 0, "encode": 0}
	for name, do := range stages(t) {
		if got := testing.AllocsPerRun(200, do); got > 1.25*took[name] {
			t.Errorf("%s: got %.0f allocations, want %.0f or a quarter more", name, got, took[name])
		}
	}
}
