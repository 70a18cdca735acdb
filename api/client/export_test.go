package client_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/client"
)

// A connection that ends before the last line is told from an export that came
// to its end, whatever of it was written.
func TestAClientTellsABrokenExport(t *testing.T) {
	var answer string
	front := fakeVault(t, func(w http.ResponseWriter, r *http.Request) {
		if cut, ok := strings.CutSuffix(answer, "✂"); ok {
			_, _ = io.WriteString(w, cut)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, answer)
	})
	c, err := client.New(client.Config{URL: front, ClientID: "officer.first", ClientSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	const line, end = `{"n":1,"log_index":3}` + "\n", `{"end":true,"lines":1}` + "\n"
	const row, last = "n,log_index\n1,3\n", "end,1\n"
	for _, c2 := range []struct {
		format, answer string
		whole          bool
	}{
		{"", line + end, true},
		{"ndjson", end, true},
		{"csv", row + last, true},
		{"", line, false},
		{"", line + end[:10], false},
		{"", line + strings.TrimSuffix(end, "\n"), false},
		{"", line + `{"n":2,"type":"urn:sayso:problem:unavailable","code":"unavailable"}` + "\n", false},
		{"", line + "✂", false},
		{"", "", false},
		{"csv", row, false},
		{"csv", row + "broken off,unavailable\n", false},
		{"csv", row + "✂", false},
	} {
		answer = c2.answer
		var got strings.Builder
		err := c.Export(t.Context(), client.ExportConsents, &client.ExportOptions{Format: c2.format}, &got)
		if want := strings.TrimSuffix(c2.answer, "✂"); (err == nil) != c2.whole || !c2.whole && !errors.Is(err, client.ErrBrokenOff) || got.String() != want {
			t.Errorf("%q: got %v and %q", c2.answer, err, &got)
		}
	}
}

// fakeVault answers tokens itself and everything else by answer.
func fakeVault(t *testing.T, answer http.HandlerFunc) (url string) {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":600}`)
			return
		}
		answer(w, r)
	}))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(front.Close)
	return front.URL
}
