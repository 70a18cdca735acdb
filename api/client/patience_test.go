package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/client/clienttest"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

var anahita = privacy.SubjectID{1, 2, 3}

// flaky answers a route with one status after the other, and then well. Status 0 is
// a line that breaks.
func flaky(v *clienttest.Vault, route string, ok any, statuses ...int) {
	left := slices.Clone(statuses)
	v.Handle(route, func(w http.ResponseWriter, r *http.Request) {
		if len(left) == 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, ok.(string))
			return
		}
		status := left[0]
		left = left[1:]
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"code":"`+map[int]string{429: "rate_limited", 503: "unavailable", 409: "idempotency_in_progress", 403: "purpose_not_granted"}[status]+`"}`)
	})
}

// patient is a client of a vault that notes how long it would have waited.
func patient(t *testing.T, v http.RoundTripper, patience time.Duration) (*client.Client, *[]time.Duration) {
	t.Helper()
	waits := &[]time.Duration{}
	c, err := client.New(client.Config{URL: "https://vault.example.org", ClientID: "sms", ClientSecret: "secret", HTTP: &http.Client{Transport: v}, Patience: patience,
		Wait: func(ctx context.Context, d time.Duration) error {
			*waits = append(*waits, d)
			return ctx.Err()
		}})
	if err != nil {
		t.Fatal(err)
	}
	return c, waits
}

const recorded = `{"kind":"offer","topic":"spring","at":"2026-03-02T12:00:00Z"}`

// A vault that is too busy, restarts and is still at it gets the same touch under the
// same key until it has taken it, not sooner than it asked for.
func TestAWriteIsTriedUntilItIsDoneAndHappensOnce(t *testing.T) {
	v := clienttest.New()
	flaky(v, "POST /v1/touches", recorded, 503, 429, 409, 503)
	c, waits := patient(t, v, time.Minute)
	if out, err := c.RecordTouch(t.Context(), &wire.TouchRequest{Subject: wire.Subject{ID: anahita}, Kind: "offer", Topic: "spring"}); err != nil || out.Topic != "spring" {
		t.Fatalf("got %+v, %v", out, err)
	}
	asked := v.Asked("POST /v1/touches")
	if len(asked) != 5 || len(*waits) != 4 {
		t.Fatalf("asked %d times, waited %v", len(asked), *waits)
	}
	key := asked[0].Header.Get("Idempotency-Key")
	for i, r := range asked {
		if r.Header.Get("Idempotency-Key") != key || len(key) < 20 || string(r.Body) != string(asked[0].Body) {
			t.Errorf("try %d: got key %q and %s", i, r.Header.Get("Idempotency-Key"), r.Body)
		}
	}
	for i, d := range *waits {
		if d < 3*time.Second {
			t.Errorf("wait %d: %v, and the vault had asked for 3 s", i, d)
		}
	}
	if _, err := c.RecordTouch(t.Context(), &wire.TouchRequest{Subject: wire.Subject{ID: anahita}, Kind: "offer", Topic: "spring"}); err != nil {
		t.Fatal(err)
	}
	if other := v.Asked("POST /v1/touches")[5].Header.Get("Idempotency-Key"); other == key {
		t.Error("two touches have one key")
	}
}

// Nobody tries again what was refused, nor longer than they have patience, nor at all
// without any.
func TestPatienceEnds(t *testing.T) {
	for what, c := range map[string]struct {
		patience time.Duration
		statuses []int
		tries    int
		code     string
	}{
		"refused":       {time.Minute, []int{403, 403}, 1, "purpose_not_granted"},
		"no patience":   {0, []int{503, 503}, 1, "unavailable"},
		"two tries":     {7 * time.Second, []int{503, 503, 503, 503}, 3, "unavailable"},
		"asked to wait": {2 * time.Second, []int{429, 429}, 1, "rate_limited"},
	} {
		v := clienttest.New()
		flaky(v, "POST /v1/touches", recorded, c.statuses...)
		sender, _ := patient(t, v, c.patience)
		_, err := sender.RecordTouch(t.Context(), &wire.TouchRequest{Subject: wire.Subject{ID: anahita}, Kind: "offer", Topic: "spring"})
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Code != c.code || len(v.Asked("POST /v1/touches")) != c.tries {
			t.Errorf("%s: got %v after %d tries, want %s after %d", what, err, len(v.Asked("POST /v1/touches")), c.code, c.tries)
		}
		if key := v.Asked("POST /v1/touches")[0].Header.Get("Idempotency-Key"); (key == "") != (c.patience == 0) {
			t.Errorf("%s: got key %q", what, key)
		}
	}
}

// unreachable is a line that is down for a while. Waits grow meanwhile, and no two
// clients have to come back at one moment.
type unreachable struct {
	http.RoundTripper
	down int
}

func (u *unreachable) RoundTrip(r *http.Request) (*http.Response, error) {
	if u.down--; u.down >= 0 {
		return nil, errors.New("connection refused")
	}
	return u.RoundTripper.RoundTrip(r)
}

func TestALineThatIsDownIsTriedLessAndLessOften(t *testing.T) {
	v := clienttest.New()
	v.Answer("GET /v1/whoami", 200, wire.Whoami{Client: "sms"})
	c, waits := patient(t, &unreachable{v, 6}, time.Minute)
	if who, err := c.Whoami(t.Context()); err != nil || who.Client != "sms" {
		t.Fatalf("got %+v, %v", who, err)
	}
	if len(*waits) != 6 || (*waits)[5] < 1600*time.Millisecond || (*waits)[5] > 3200*time.Millisecond || (*waits)[0] > 100*time.Millisecond {
		t.Errorf("waited %v", *waits)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	c, waits = patient(t, &unreachable{v, 6}, time.Minute)
	if _, err := c.Whoami(ctx); err == nil || len(*waits) > 0 {
		t.Errorf("given up: got %v after waiting %v", err, *waits)
	}
}
