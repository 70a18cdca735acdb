package api_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/webhook"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// told is a channel's stream of events as a client reads it.
type told struct {
	t     testing.TB
	res   *http.Response
	lines *bufio.Scanner
	id    string // the last
}

// listen begins a stream, and returns when it stands.
func (s *shop) listen(ctx context.Context, who, lastID, query string) *told {
	s.t.Helper()
	s.as(who, "GET", "/v1/whoami", "", 200) // for a token
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/v1/events"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.tokens[who])
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = res.Body.Close() })
	e := &told{t: s.t, res: res, lines: bufio.NewScanner(res.Body)}
	if res.StatusCode == 200 {
		e.block()
	}
	return e
}

// block reads up to the next empty line; none at the end.
func (e *told) block() (lines []string) {
	for e.lines.Scan() {
		if e.lines.Text() == "" {
			return lines
		}
		lines = append(lines, e.lines.Text())
		if id, ok := strings.CutPrefix(e.lines.Text(), "id: "); ok {
			e.id = id
		}
	}
	return lines
}

// next reads the next event, or what is said at the end.
func (e *told) next() map[string]any {
	e.t.Helper()
	for {
		lines := e.block()
		if lines == nil {
			return nil
		}
		for _, l := range lines {
			if data, ok := strings.CutPrefix(l, "data: "); ok {
				var event map[string]any
				if err := json.Unmarshal([]byte(data), &event); err != nil {
					e.t.Fatal(err)
				}
				return event
			}
			if strings.HasPrefix(l, ": ") && l != ": here" {
				return map[string]any{"comment": l[2:]}
			}
		}
	}
}

// The sender of text messages listens while Anahita says yes in the store and no on
// the web. Its stream breaks off and goes on where it was, and ends with its access.
func TestAStreamOfEvents(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ana := s.As("web").Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"})
	say := func(who, status string) {
		s.as(who, "POST", "/v1/consents", `{"subject":"`+ana.ID.String()+`","purpose":"sms-marketing","status":"`+status+`","method":"spoken"}`, 201)
	}
	first, cut := context.WithCancel(ctx)
	e := s.listen(first, "sms", "", "?types=consent.given,consent.withdrawn")
	if got := e.res.Header.Get("Content-Type"); got != "text/event-stream" || e.id == "" {
		t.Fatalf("got %q, mark %q", got, e.id)
	}
	say("store", "given")
	given := e.next()
	data, _ := given["data"].(map[string]any)
	if given["type"] != "consent.given" || given["subject"] != ana.ID.String() || given["specversion"] != "1.0" || given["source"] != s.url || given["id"] != e.id || data["purpose"] != "sms-marketing" {
		t.Fatalf("got %v", given)
	}
	cut()
	say("web", "withdrawn")
	e = s.listen(ctx, "sms", e.id, "")
	if got := e.next(); got["type"] != "consent.withdrawn" {
		t.Errorf("went on: got %v", got)
	}
	if got := s.listen(ctx, "store", e.id, "").res.StatusCode; got != http.StatusGone {
		t.Errorf("another channel's ID: got %d, want 410", got)
	}
	if got := s.listen(ctx, "sms", "evt_x", "").res.StatusCode; got != http.StatusUnprocessableEntity {
		t.Errorf("no ID: got %d, want 422", got)
	}
	s.as("sms", "POST", "/v1/events/ack", `{"event":"`+e.id+`"}`, 200)
	if _, err := s.SuspendChannel(ctx, s.Officer, "sms"); err != nil {
		t.Fatal(err)
	}
	if got := e.next(); got["comment"] != "channel_suspended" {
		t.Errorf("suspended: got %v", got)
	}
	if e.next() != nil {
		t.Error("the stream goes on for a suspended channel")
	}
}

// A webhook hears of a no over real HTTP, signed with the secret it was shown once.
func TestAWebhookHearsOfANo(t *testing.T) {
	s := open(t)
	s.Apply(strings.Replace(vaulttest.Register, "{id: sms, kind: sms,", "{id: sms, kind: sms, webhooks: [127.0.0.1],", 1))
	got := make(chan *http.Request, 16)
	var mu sync.Mutex
	bodies := map[string]string{}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		bodies[r.Header.Get("webhook-id")] = string(body)
		mu.Unlock()
		got <- r
		w.WriteHeader(http.StatusNoContent)
	}))
	defer hook.Close()
	added := s.as("sms", "POST", "/v1/webhooks", `{"url":"`+hook.URL+`/x","types":["consent.withdrawn"]}`, 422)
	if !strings.Contains(added.raw, "webhooks-allow-loopback") {
		t.Errorf("without the flag: %s", added.raw)
	}
	h, err := s.Vault.Vault.AddWebhook(t.Context(), s.As("sms").Caller, hookRequest(hook.URL+"/x"))
	if err != nil {
		t.Fatal(err)
	}
	sender := webhook.New(webhook.Config{Source: s.url, AllowLoopback: true})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.DeliverEvents(ctx, sender.Send) }()
	defer func() { cancel(); <-ended; sender.Close() }()
	ana := s.As("web").Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"})
	for _, status := range []string{"given", "withdrawn"} {
		s.as("store", "POST", "/v1/consents", `{"subject":"`+ana.ID.String()+`","purpose":"sms-marketing","status":"`+status+`","method":"spoken"}`, 201)
	}
	var r *http.Request
	select {
	case r = <-got:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was sent")
	}
	mu.Lock()
	body := bodies[r.Header.Get("webhook-id")]
	mu.Unlock()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.Secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + body))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("webhook-signature") != want {
		t.Errorf("signature: got %s, want %s", r.Header.Get("webhook-signature"), want)
	}
	if !strings.Contains(body, `"type":"consent.withdrawn"`) || !strings.Contains(body, ana.ID.String()) || strings.Contains(body, "Anahita") || strings.Contains(body, "901820") {
		t.Errorf("got %s", body)
	}
	list := s.as("sms", "GET", "/v1/webhooks", "", 200)
	if !strings.Contains(list.raw, `"state":"active"`) || strings.Contains(list.raw, "whsec_") {
		t.Errorf("webhooks: %s", list.raw)
	}
	if other := s.as("store", "GET", "/v1/webhooks", "", 200); strings.Contains(other.raw, h.ID) {
		t.Errorf("another channel sees it: %s", other.raw)
	}
	s.as("sms", "POST", "/v1/webhooks/"+h.ID+"/secrets", "{}", 201)
	s.as("sms", "POST", "/v1/webhooks/"+h.ID+"/replay", "", 200)
	s.as("sms", "GET", "/v1/webhooks/"+h.ID+"/dead", "", 200)
	s.as("store", "DELETE", "/v1/webhooks/"+h.ID, "", 404)
	s.as("sms", "DELETE", "/v1/webhooks/"+h.ID, "", 204)
}

func hookRequest(url string) vault.WebhookRequest {
	return vault.WebhookRequest{URL: url, Types: []privacy.EventType{privacy.EventConsentWithdrawn}}
}
