package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// How long it takes from when somebody says no, before it is even recorded, until a
// webhook on this machine has the event: two syncs of the disk, the decision whether
// it may be told, the request.
func BenchmarkNoToWebhook(b *testing.B) {
	arrived := make(chan time.Time, 1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
		arrived <- at
	}))
	defer front.Close()
	v := vaulttest.New(b, &vaulttest.Options{Register: strings.Replace(vaulttest.Register, "{id: sms, kind: sms,", "{id: sms, kind: sms, webhooks: [127.0.0.1],", 1)})
	_, err := v.AddWebhook(b.Context(), v.As("sms").Caller, vault.WebhookRequest{URL: front.URL, Types: []privacy.EventType{privacy.EventConsentWithdrawn}})
	if err != nil {
		b.Fatal(err)
	}
	sender := New(Config{AllowLoopback: true})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); v.DeliverEvents(ctx, sender.Send) }()
	defer func() { cancel(); <-ended; sender.Close() }()
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		who := v.As("web").Capture(map[string]any{"phone_number": fmt.Sprintf("+49 30 9%06d", i)})
		v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
		b.StartTimer()
		began := time.Now()
		v.As("store").For("sms-marketing").Consent(who, privacy.StatusWithdrawn)
		took = append(took, (<-arrived).Sub(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
}
