package metrics_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/metrics"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// What being watched adds to a read.
func BenchmarkOneRead(b *testing.B) {
	m := metrics.New(metrics.Config{})
	o := vault.Observation{Purpose: "order-fulfilment", Outcome: vault.Released, Reused: true, Attempts: 1, Withheld: []vault.Withheld{{Field: "email", Code: privacy.CodePolicy}}}
	for s := range o.Took {
		o.Took[s] = 20 * time.Microsecond
	}
	a := api.Answered{Method: "POST", Route: "/v1/reads", Status: http.StatusOK, Began: time.Now(), Routed: time.Microsecond,
		Admitted: 2 * time.Microsecond, Encoding: 900 * time.Microsecond, Took: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		ctx := m.Arrived(b.Context(), a.Began, nil)
		m.Observe(ctx, o)
		m.Answered(ctx, a)
	}
}
