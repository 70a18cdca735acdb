package vault_test

import (
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// allocations are what each stage of a read of five values took when it was
// looked at last; docs/performance.md has them, too. The stages that write are
// left out: what follows the log allocates beside them.
var allocations = map[string]float64{
	"snapshot": 17,
	"decide":   0,
	"open":     6,
	"record":   1,
}

// margin is how much more a stage may take before somebody has to look.
const margin = 1.25

// Reads stay cheap: a stage that takes a quarter more allocations than it did
// fails here, on any machine, however busy.
func TestReadsStayCheap(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates, too")
	}
	stages(t, func(s vault.ReadStage) {
		want, ok := allocations[s.Name]
		if !ok {
			return
		}
		got := testing.AllocsPerRun(200, func() {
			if err := s.Do(); err != nil {
				t.Fatal(err)
			}
		})
		if got > margin*want {
			t.Errorf("%s: got %.0f allocations, want %.0f or a quarter more", s.Name, got, want)
		}
	})
}

// BenchmarkStages takes the time of each stage of a read of five values.
func BenchmarkStages(b *testing.B) {
	stages(b, func(s vault.ReadStage) {
		b.Run(s.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func stages(t testing.TB, each func(vault.ReadStage)) {
	t.Helper()
	v := vaulttest.New(t, nil)
	web := v.As("web")
	ana := web.Capture(map[string]any{"given_name": "Anahita", "family_name": "Quintero", "email": "anahita@example.org", "phone_number": "+4930901820",
		"address": map[string]any{"street_address": "Torstrasse 12", "locality": "Berlin", "postal_code": "10119", "country": "DE"}})
	err := v.Stages(t.Context(), web.Caller, vault.ReadRequest{Subject: ana, Purpose: "order-fulfilment"}, func(all []vault.ReadStage) {
		for _, s := range all {
			each(s)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
