package vault_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// BenchmarkUnknownAndUnconsenting asks 5,000 times in turn about somebody who
// gave no say-so and about somebody nobody knows, by ID and by identifier, and
// prints both medians. They may differ by 5 %.
func BenchmarkUnknownAndUnconsenting(b *testing.B) {
	const pairs, people = 5000, 100
	v := vaulttest.New(b, nil)
	for i := range people {
		v.As("web").Capture(told("given_name", "Anahita", "phone_number", fmt.Sprintf("+4930%07d", 1000000+i), "email", fmt.Sprintf("p%d@example.org", i)))
	}
	sms := v.As("sms").Caller
	byNumber := func(n int) vaulttest.Person { return vaulttest.By("phone_number", fmt.Sprintf("+4930%07d", n)) }
	ids := make([]vaulttest.Person, people)
	for i := range ids {
		found, err := v.Lookup(b.Context(), v.Officer, byNumber(1000000+i), "a benchmark")
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = vaulttest.ID(found)
	}
	for how, pair := range map[string][2]func(i int) vaulttest.Person{
		"ID":         {func(i int) vaulttest.Person { return ids[i%people] }, func(int) vaulttest.Person { return vaulttest.ID(privacy.NewSubjectID()) }},
		"identifier": {func(i int) vaulttest.Person { return byNumber(1000000 + i%people) }, func(i int) vaulttest.Person { return byNumber(5000000 + i%people) }},
	} {
		b.Run(how, func(b *testing.B) {
			var took [2][]time.Duration
			for b.Loop() {
				for i := range pairs {
					for side := range 2 {
						who := pair[side](i)
						began := time.Now()
						_, err := v.Read(b.Context(), sms, vault.ReadRequest{Subject: who, Purpose: "sms-marketing"})
						took[side] = append(took[side], time.Since(began))
						if err == nil {
							b.Fatal("something was released")
						}
					}
				}
			}
			known, unknown := median(took[0]), median(took[1])
			b.ReportMetric(float64(known.Nanoseconds()), "known-ns/op")
			b.ReportMetric(float64(unknown.Nanoseconds()), "unknown-ns/op")
			b.ReportMetric(100*math.Abs(float64(known-unknown))/float64(known), "%-apart")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
