package client

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
)

// The errors of an event that is not believed.
var (
	// ErrSignature: none of the secrets signed it, or something was changed since.
	ErrSignature = errors.New("no signature of the vault's is on it")
	// ErrStale: it was signed too long ago, or the clocks disagree.
	ErrStale = errors.New("it was not signed just now")
)

// WebhookConfig is what a Webhook is made of. Secrets are required.
type WebhookConfig struct {
	// Secrets are those by which events are known to be the vault's, as it showed
	// them (whsec_…): one, and while it is replaced the one before as well.
	Secrets []string
	// Window is how far the time an event was signed at may lie from now. Default:
	// five minutes.
	Window time.Duration
	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// Webhook takes in the events that a vault sends, as Standard Webhooks says. It is
// safe for concurrent use.
type Webhook struct {
	cfg     WebhookConfig
	secrets [][]byte

	mu    sync.Mutex           // guards what follows
	taken map[string]time.Time // ID of an event → until when it is known; zero: it is being dealt with
	order []string             // those that were dealt with, the oldest first
}

// maxTaken bounds how many events are known again.
const maxTaken = 1 << 16

// NewWebhook returns a Webhook, or an error that says what is wrong with the
// configuration.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	if len(cfg.Secrets) == 0 {
		return nil, errors.New("the secret of the webhook is missing")
	}
	if cfg.Window <= 0 {
		cfg.Window = 5 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Webhook{cfg: cfg, taken: map[string]time.Time{}}
	for _, text := range cfg.Secrets {
		encoded, ok := strings.CutPrefix(text, "whsec_")
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(secret) < 24 {
			return nil, errors.New("a secret of the webhook is not as the vault shows it: whsec_ and base64")
		}
		w.secrets = append(w.secrets, secret)
	}
	return w, nil
}

// Verify returns the event that a request brought, if the vault signed it just now:
// else ErrSignature or ErrStale.
func (w *Webhook) Verify(h http.Header, body []byte) (*wire.Event, error) {
	id, at := h.Get(wire.HeaderWebhookID), h.Get(wire.HeaderWebhookTimestamp)
	if id == "" || !w.signed(h.Get(wire.HeaderWebhookSignature), id+"."+at+".", body) {
		return nil, ErrSignature
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return nil, ErrSignature
	}
	if off := w.cfg.Now().Sub(time.Unix(seconds, 0)); off > w.cfg.Window || off < -w.cfg.Window {
		return nil, ErrStale
	}
	e := new(wire.Event)
	if err := json.Unmarshal(body, e); err != nil {
		return nil, errors.New("reading an event: not the shape that was expected")
	}
	return e, nil
}

// signed reports whether one of the signatures is by one of the secrets.
func (w *Webhook) signed(signatures, head string, body []byte) bool {
	ok := false
	for _, signature := range strings.Fields(signatures) {
		encoded, _ := strings.CutPrefix(signature, "v1,")
		got, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || encoded == signature {
			continue
		}
		for _, secret := range w.secrets {
			mac := hmac.New(sha256.New, secret)
			_, _ = io.WriteString(mac, head)
			_, _ = mac.Write(body)
			ok = hmac.Equal(got, mac.Sum(nil)) || ok
		}
	}
	return ok
}

// Handler answers the vault's requests: it verifies each event and has do deal with
// it. An event that do returns an error for comes again; one that came before, within
// twice the window, is answered and left. What is not verified is 401, and tells
// nobody why.
func (w *Webhook) Handler(do func(context.Context, *wire.Event) error) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			rw.Header().Set("Allow", http.MethodPost)
			rw.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxEvent))
		if err != nil {
			rw.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		e, err := w.Verify(r.Header, body)
		if err != nil {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		id := r.Header.Get(wire.HeaderWebhookID)
		known, busy := w.take(id)
		switch {
		case busy: // it is not known yet how that ends
			rw.Header().Set("Retry-After", "1")
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		case known:
			rw.WriteHeader(http.StatusNoContent)
			return
		}
		done := false
		defer func() { w.leave(id, done) }() // also if do panics
		if err := do(r.Context(), e); err != nil {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		done = true
		rw.WriteHeader(http.StatusNoContent)
	})
}

// take takes an event on, unless it was dealt with or is being.
func (w *Webhook) take(id string) (known, busy bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.cfg.Now()
	for len(w.order) > 0 && (len(w.order) > maxTaken || w.taken[w.order[0]].Before(now)) {
		delete(w.taken, w.order[0])
		w.order = w.order[1:]
	}
	until, there := w.taken[id]
	if there {
		return !until.IsZero(), until.IsZero()
	}
	w.taken[id] = time.Time{}
	return false, false
}

func (w *Webhook) leave(id string, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !done {
		delete(w.taken, id)
		return
	}
	w.taken[id] = w.cfg.Now().Add(2 * w.cfg.Window)
	w.order = append(w.order, id)
}

// String tells nothing of the secrets.
func (w *Webhook) String() string { return fmt.Sprintf("a webhook with %d secrets", len(w.secrets)) }
