// Package clienttest stands in for a vault in the tests of programs that use one: it
// answers as a test says, without a server or a network.
//
//	vault := clienttest.New()
//	vault.Answer("POST /v1/touches/check", 200, wire.TouchCheckAnswer{Allowed: true})
//	sender := Sender{Vault: vault.Client("sms")}
//
// Answers are bound to routes as [http.ServeMux] knows them. A route that nobody gave
// an answer to is 404, and [Vault.Asked] tells what was asked.
package clienttest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
)

// Vault answers requests. It is safe for concurrent use.
type Vault struct {
	mux   *http.ServeMux
	mu    sync.Mutex // guards asked
	asked []Request
}

// Request is what was asked of a route.
type Request struct {
	Route  string // as POST /v1/reads
	Client string
	Header http.Header
	Body   []byte
}

// New returns a vault that knows everybody's credentials and answers nothing else.
func New() *Vault {
	v := &Vault{mux: http.NewServeMux()}
	v.mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := r.BasicAuth()
		write(w, http.StatusOK, wire.TokenAnswer{AccessToken: id, TokenType: "Bearer", ExpiresIn: 600})
	})
	return v
}

// Client returns a client of the vault. It tries again for an hour, and waits for
// nothing.
func (v *Vault) Client(id string) *client.Client {
	c, err := client.New(client.Config{URL: "https://vault.example.org", ClientID: id, ClientSecret: "secret", HTTP: &http.Client{Transport: v},
		Patience: time.Hour, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	if err != nil { // of a configuration that is always the same
		panic(err)
	}
	return c
}

// Answer gives a route an answer: a wire type, which is written as JSON.
func (v *Vault) Answer(route string, status int, out any) {
	v.Handle(route, func(w http.ResponseWriter, _ *http.Request) { write(w, status, out) })
}

// Lines gives a route an answer of lines.
func (v *Vault) Lines(route string, lines ...any) {
	v.Handle(route, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, line := range lines {
			_ = json.MarshalWrite(w, line)
			_, _ = io.WriteString(w, "\n")
		}
	})
}

// Refuse lets a route refuse what it is asked.
func (v *Vault) Refuse(route string, status int, code string) {
	v.Answer(route, status, wire.Problem{Type: "urn:sayso:problem:" + code, Title: code, Status: status, Code: code})
}

// Handle gives a route an answer that is up to a function. It may read the body, and
// is called for each request.
func (v *Vault) Handle(route string, answer http.HandlerFunc) {
	v.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		body := &bytes.Buffer{}
		client := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		at := v.note(Request{Route: r.Pattern, Client: client, Header: r.Header.Clone()})
		if r.Body != nil {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(r.Body, body), r.Body}
		}
		answer(w, r)
		if r.Body != nil && r.ContentLength >= 0 {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked[at].Body = body.Bytes()
	})
}

func (v *Vault) note(r Request) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, r)
	return len(v.asked) - 1
}

// Asked returns what a route was asked so far, in order.
func (v *Vault) Asked(route string) []Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(v.asked), func(r Request) bool { return r.Route != route })
}

// RoundTrip answers a request. The answer can be read while it is written.
func (v *Vault) RoundTrip(r *http.Request) (*http.Response, error) {
	out, in := io.Pipe()
	w := &answer{header: http.Header{}, in: in, begun: make(chan struct{})}
	go func() {
		v.mux.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
		_ = in.Close()
	}()
	select {
	case <-w.begun:
	case <-r.Context().Done():
		_ = out.Close()
		return nil, r.Context().Err()
	}
	context.AfterFunc(r.Context(), func() { _ = in.CloseWithError(r.Context().Err()) })
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Header: w.sent, Body: out, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}, nil
}

// answer is an answer on its way.
type answer struct {
	header http.Header
	sent   http.Header // what the client sees of it
	status int
	in     *io.PipeWriter
	once   sync.Once
	begun  chan struct{}
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	})
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.in.Write(b)
}

// Flush does nothing: what is written is there.
func (a *answer) Flush() {}

func write(w http.ResponseWriter, status int, out any) {
	media := "application/json"
	if status >= http.StatusBadRequest {
		media = "application/problem+json"
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_ = json.MarshalWrite(w, out, json.Deterministic(true))
}
