package vault_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// benched are the decisions that a benchmark of replays has.
const (
	benchedPeople    = 10_000
	benchedDecisions = 100_000
)

// crowd fills both twins with people, and lets them be read by batches.
func (w *twins) crowd(people, decisions int) {
	ctx, r := context.Background(), w.random
	w.people = make([][2]vaulttest.Person, people)
	const at = 500
	for from := 0; from < people; from += at {
		var reqs []vault.CaptureRequest
		for n := from; n < from+at; n++ {
			values := map[string]any{"given_name": "Mina", "family_name": "Okafor", "email": fmt.Sprintf("m%d@example.org", n),
				"address": map[string]any{"locality": "Linz", "country": oneOf(r, "DE", "AT")}, "birthdate": oneOf(r, "1980-05-01", "2009-05-01")}
			reqs = append(reqs, vaulttest.CaptureRequest(w.real.T, values))
		}
		w.same(func(v *vaulttest.Vault, twin int) {
			made, err := v.CaptureBatch(ctx, v.As("web").Caller, reqs)
			if err != nil {
				v.T.Fatal(err)
			}
			for i, m := range made {
				w.people[from+i][twin] = vaulttest.ID(m.Result.Subject)
			}
		})
	}
	for done := 0; done < decisions; done += at {
		ask := oneOf(r, kind{channel: "web", purpose: "order-fulfilment"}, kind{channel: "store", purpose: "order-fulfilment"}, kind{channel: "sms", purpose: "sms-marketing"})
		var who []int
		for range at {
			who = append(who, r.IntN(people))
		}
		var told [2][]vault.ReadOutcome
		w.same(func(v *vaulttest.Vault, twin int) {
			var reqs []vault.ReadRequest
			for _, n := range who {
				reqs = append(reqs, vault.ReadRequest{Subject: w.people[n][twin], Purpose: ask.purpose})
			}
			told[twin] = v.ReadBatch(ctx, v.As(ask.channel).Caller, reqs)
			v.Tick(7 * time.Second)
		})
		for i, n := range who {
			w.count(ask, n, toldOf(&vaulttest.Outcome{Result: told[0][i].Result, Err: told[0][i].Err}), toldOf(&vaulttest.Outcome{Result: told[1][i].Result, Err: told[1][i].Err}))
		}
	}
}

// benchedRules are tried: one looks at the time, so that few decisions are made
// from memory.
const benchedRules = `package sayso.rules

withhold contains {"field": "address", "reason": "x"} if { input.channel.id == "web"; c := time.clock([time.parse_rfc3339_ns(input.now), "UTC"]); c[0] % 2 == 0 }

mask contains {"field": "birthdate", "mask": "over_18"} if input.subject.age_band in {"13_15", "16_17"}

mask contains {"field": "email", "mask": "partial"} if input.subject.jurisdiction != "DE"
`

// 100,000 decisions about 10,000 people, half a day long. The prediction is held
// against what a second vault told that had the rules in force all the time. The
// budget is 30 s on two processors.
func BenchmarkReplay(b *testing.B) {
	w := newTwins(b, 1, benchedRules)
	w.real.Activate(`package sayso.rules

withhold contains {"field": "phone_number", "reason": "asleep"} if { c := time.clock([time.parse_rfc3339_ns(input.now), "UTC"]); c[0] >= 21 }
`)
	w.crowd(benchedPeople, benchedDecisions)
	for b.Loop() {
		w.predicts(b, w.replays(b, benchedRules))
	}
	b.ReportMetric(float64(w.total.Changed), "changed")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/benchedDecisions, "µs/decision")
}

// What a replay costs those who read meanwhile: reads of eight readers in turns of
// a second, with a replay running and without. The budget is a tenth.
func BenchmarkReadsBesideAReplay(b *testing.B) {
	w := newTwins(b, 1, benchedRules)
	w.crowd(benchedPeople, 20_000)
	v := w.real
	set, err := v.DraftPolicy(b.Context(), v.Officer, map[string]string{"rules.rego": benchedRules}, "")
	if err != nil {
		b.Fatal(err)
	}
	var reads [2]int
	for turn := range 2 * max(b.N, 1) {
		ctx, stop := context.WithCancel(b.Context())
		var beside sync.WaitGroup
		if turn%2 == 1 {
			beside.Go(func() {
				for ctx.Err() == nil {
					_, _ = v.ReplayPolicy(ctx, v.Officer, set.ID, vault.ReplayRequest{}, nil)
				}
			})
		}
		reads[turn%2] += readFor(v, w.people, time.Second)
		stop()
		beside.Wait()
	}
	b.ReportMetric(float64(reads[1])/float64(reads[0]), "reads-beside/reads-alone")
	b.ReportMetric(0, "ns/op")
}

// readFor counts the reads that eight readers make in a time.
func readFor(v *vaulttest.Vault, people [][2]vaulttest.Person, d time.Duration) int {
	var n atomic.Int64
	var readers sync.WaitGroup
	web, until := v.As("web").Caller, time.Now().Add(d)
	for i := range uint64(8) {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(i, 3))
			for time.Now().Before(until) {
				if _, err := v.Read(context.Background(), web, vault.ReadRequest{Subject: people[random.IntN(len(people))][0], Purpose: "order-fulfilment"}); err == nil {
					n.Add(1)
				}
			}
		})
	}
	readers.Wait()
	return int(n.Load())
}
