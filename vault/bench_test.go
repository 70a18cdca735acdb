package vault_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// BenchmarkRead reads five fields of one of a hundred people, alone and with 64
// readers at once: decision, decryption and a durable record.
func BenchmarkRead(b *testing.B) {
	v := vaulttest.New(b, nil)
	people := make([]vaulttest.Person, 100)
	for i := range people {
		who := map[string]any{"given_name": "Anahita", "family_name": "Quintero", "email": fmt.Sprintf("b%d@example.org", i), "phone_number": fmt.Sprintf("+4930%07d", 5000000+i),
			"address": map[string]any{"street_address": "Torstrasse 12", "locality": "Berlin", "postal_code": "10119", "country": "DE"}}
		people[i] = v.As("web").Capture(who)
	}
	by := v.As("web").Caller
	for _, readers := range []int{1, 64} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			b.SetParallelism(max(1, readers/2))
			b.ReportAllocs()
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req := vault.ReadRequest{Subject: people[n.Add(1)%100], Purpose: privacy.PurposeID("order-fulfilment")}
					if _, err := v.Read(b.Context(), by, req); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
