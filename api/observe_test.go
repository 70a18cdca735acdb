package api

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
)

// counted are metrics of one number.
type counted struct{}

func (counted) Expose(w io.Writer) error {
	_, err := io.WriteString(w, "sayso_one 1\n")
	return err
}

// watching is an observer that marks the context and keeps what it is told.
type watching struct{ seen []Answered }

type mark struct{}

func (w *watching) Arrived(ctx context.Context, _ time.Time, h http.Header) context.Context {
	return context.WithValue(ctx, mark{}, h.Get("X-Request-Id"))
}

func (w *watching) Answered(ctx context.Context, a Answered) {
	if ctx.Value(mark{}) == nil {
		a.Route = "the context of another"
	}
	w.seen = append(w.seen, a)
}

// Every request is told once, by its route and not by its path, with the time
// of each part in order.
func TestTheObserverIsToldOfEveryRequest(t *testing.T) {
	b := newBench(t)
	var w watching
	var err error
	if b.srv, err = newServer(b.fake, Config{Issuer: issuer, Observer: &w}); err != nil {
		t.Fatal(err)
	}
	token := b.token("web")
	b.read = func(vault.Caller, vault.ReadRequest) (*vault.ReadResult, error) {
		return nil, &vault.DeniedError{Decision: decision, Purpose: "delivery"}
	}
	for _, s := range []struct {
		method, path, body, token string
		want                      Answered
	}{
		{"POST", "/v1/reads", goodBodies["POST /v1/reads"], token, Answered{Method: "POST", Route: "/v1/reads", Status: 403, Code: "denied", Channel: "web"}},
		{"GET", "/v1/subjects/" + ana.String() + "/consents?purpose=marketing", "", token, Answered{Method: "GET", Route: "/v1/subjects/{id}/consents", Status: 200, Channel: "web"}},
		{"GET", "/v1/whoami", "", "", Answered{Method: "GET", Route: "/v1/whoami", Status: 401, Code: "unauthenticated"}},
		{"GET", "/v1/anahita", "", token, Answered{Method: "GET", Route: "/v1/", Status: 404, Code: "not_found", Channel: "web"}},
		{"ANAHITA", "/healthz", "", "", Answered{Method: "other", Route: "/healthz", Status: 405, Code: "method_not_allowed"}},
		{"GET", "/../anahita", "", "", Answered{Method: "GET", Route: "/", Status: 404, Code: "not_found"}},
	} {
		w.seen = nil
		r, _ := http.NewRequest(s.method, s.path, strings.NewReader(s.body))
		if s.body != "" {
			r.Header.Set("Content-Type", mediaJSON)
		}
		if s.token != "" {
			r.Header.Set("Authorization", "Bearer "+s.token)
		}
		before := time.Now()
		b.do(r)
		if len(w.seen) != 1 {
			t.Errorf("%s %s: told %d times, want once", s.method, s.path, len(w.seen))
			continue
		}
		got := w.seen[0]
		if got.Began.Before(before) || got.Routed <= 0 || got.Admitted < got.Routed || got.Encoding < got.Admitted || got.Took < got.Encoding || got.RequestID == "" {
			t.Errorf("%s %s: times are out of order: %+v", s.method, s.path, got)
		}
		if got = (Answered{Method: got.Method, Route: got.Route, Status: got.Status, Code: got.Code, Channel: got.Channel}); got != s.want {
			t.Errorf("%s %s: got %+v, want %+v", s.method, s.path, got, s.want)
		}
	}
	if hits := b.srv.TokenCache(); hits.Misses != 1 || hits.Hits != 2 || hits.Tokens != 1 {
		t.Errorf("the token's cache: got %+v, want one check of the signature and two from memory", hits)
	}
}

// Metrics are shown to anyone; where there are none there is no such page.
func TestMetricsAreShown(t *testing.T) {
	b := newBench(t)
	if a := b.call("GET", "/metrics", "", ""); a.status != 200 || a.raw != "sayso_one 1\n" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("got %d %s %q", a.status, a.header.Get("Content-Type"), a.raw)
	}
	var err error
	if b.srv, err = newServer(b.fake, Config{Issuer: issuer}); err != nil {
		t.Fatal(err)
	}
	if a := b.call("GET", "/metrics", "", ""); a.status != 404 {
		t.Errorf("without metrics: got %d, want 404", a.status)
	}
}

// The fields of the access log are those that the docs list.
func TestTheDocsListTheAccessLog(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| field | holds |")
	table, _, _ = strings.Cut(table, "\n\n")
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(table, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			told = append(told, strings.Trim(name, "`"))
		}
	}
	b := newBench(t)
	b.call("GET", "/v1/nothing", "", "web")
	lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		t.Fatal(err)
	}
	logged := slices.Sorted(maps.Keys(line))
	slices.Sort(told)
	if !slices.Equal(told, logged) {
		t.Errorf("the docs list %v, a line has %v", told, logged)
	}
}
