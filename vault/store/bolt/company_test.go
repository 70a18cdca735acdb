package bolt

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A disk that syncs in 25 µs is faster than readers are: left alone, each would
// have a sync of its own.
const fast = 25 * time.Microsecond

// crowded lets n readers append each times to a fast disk, with a while between
// that is theirs, and returns the time that passed.
func crowded(t *testing.T, a *appender, n, times int, think func(*rand.Rand) time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(i)))
			for range times {
				a.mu.Lock()
				_, tk := a.sequence(kindAppended, []byte("entry"))
				a.mu.Unlock()
				if err := a.wait(tk); err != nil {
					t.Errorf("waiting: %v", err)
				}
				time.Sleep(think(r))
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func onFastDisk() *appender {
	a := &appender{write: func(*group) error { time.Sleep(fast); return nil }}
	a.start(0, 0)
	return a
}

// However fast the disk is, 64 readers need a sync for each sixteen records at
// most.
func TestACrowdWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := onFastDisk()
		crowded(t, a, 64, 500, func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(int(2 * time.Millisecond))) })
		if syncs, entries := a.syncs.Load(), a.entries.Load(); entries != 64*500 || syncs*16 > entries {
			t.Errorf("%d entries took %d syncs", entries, syncs)
		}
	})
}

// A lone reader pays its sync and waits for nobody – nor do three, who would
// mostly wait in vain.
func TestFewWaitForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := onFastDisk()
		if took := crowded(t, a, 1, 1000, func(*rand.Rand) time.Duration { return 0 }); took != 1000*fast {
			t.Errorf("a lone reader took %v for a thousand syncs of %v", took, fast)
		}
		think := 100 * time.Microsecond
		if took := crowded(t, a, 3, 1000, func(*rand.Rand) time.Duration { return think }); took > 1000*(think+2*fast) {
			t.Errorf("three readers took %v, as if somebody had been waited for", took)
		}
	})
}

// When the crowd has left, who stays waits for it once.
func TestALeftCrowdIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := onFastDisk()
		think := func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(int(time.Millisecond))) }
		crowded(t, a, 64, 200, think)
		a.company.want = crowd
		if took := crowded(t, a, 1, 100, func(*rand.Rand) time.Duration { return 0 }); took > 100*fast+2*patience {
			t.Errorf("who stayed took %v for 100 syncs of %v", took, fast)
		}
	})
}

// Sixteen readers who think long are fewer than are waited for: what they lose
// by that is little.
func TestWhoIsWaitedForInVainCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := onFastDisk()
		think := func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(int(400 * time.Microsecond))) }
		took := crowded(t, a, 16, 1000, think)
		if alone := 1000 * (200*time.Microsecond + fast); took > 2*alone {
			t.Errorf("sixteen readers took %v, where each alone takes %v", took, alone)
		}
		if a.syncs.Load()*4 > a.entries.Load() {
			t.Errorf("%d entries took %d syncs", a.entries.Load(), a.syncs.Load())
		}
	})
}
