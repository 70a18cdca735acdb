package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

var crashStories = []story{
	{"a power cut loses nothing that was answered", powerCut},
	{"a store that lost its power goes on", powerCutAgain},
}

// answers is what a busy store has answered so far.
type answers struct {
	mu    sync.Mutex
	keys  []string
	index map[uint64]string
}

func (a *answers) snapshot() (keys []string, index map[uint64]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	index = make(map[uint64]string, len(a.index))
	for i, entry := range a.index {
		index[i] = entry
	}
	return append([]string(nil), a.keys...), index
}

// busy keeps a store busy from eight sides until the returned function is
// called: updates that record, updates that do not, and appends on a condition.
func busy(t *testing.T, e store.Engine, m Maker, round int, a *answers, tick chan<- struct{}) (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-quit:
					return
				default:
				}
				key := fmt.Sprintf("%d-%d-%04d", round, g, i)
				indexes, err := e.Update(context.Background(), func(tx store.Tx) error {
					err := tx.Put("b", []byte(key), []byte(strings.Repeat(key, i%50)))
					if m.Log && i%2 == 0 {
						err = errors.Join(err, tx.Record([]byte("state "+key)), tx.Record([]byte("more "+key)))
					}
					return err
				})
				if err != nil {
					t.Errorf("updating: %v", err)
					return
				}
				a.mu.Lock()
				a.keys = append(a.keys, key)
				if len(indexes) == 2 {
					a.index[indexes[0]], a.index[indexes[1]] = "state "+key, "more "+key
				}
				a.mu.Unlock()
				if m.Log {
					for n := range g % 4 {
						entry := fmt.Sprintf("append %d %s", n, key)
						index, err := e.(store.LogEngine).Append(context.Background(), []byte(entry))
						if err != nil {
							t.Errorf("appending: %v", err)
							return
						}
						a.mu.Lock()
						a.index[index] = entry
						a.mu.Unlock()
					}
				}
				select {
				case tick <- struct{}{}:
				default:
				}
			}
		})
	}
	return func() { close(quit); wg.Wait() }
}

func powerCut(t *testing.T, m Maker) {
	if m.Crash == nil {
		t.Skip("this engine offers no image of what was durable")
	}
	e := open(t, m)
	a := &answers{index: map[uint64]string{}}
	tick := make(chan struct{})
	stop := busy(t, e, m, 0, a, tick)
	for cut := range 12 {
		for range 5 + cut {
			<-tick
		}
		keys, index := a.snapshot() // before the cut
		left, err := m.Crash()
		if err != nil {
			t.Fatal(err)
		}
		survivor, err := left.Open()
		if err != nil {
			t.Fatalf("opening after a power cut: %v", err)
		}
		whole(t, survivor, m, keys, index)
		shut(t, survivor)
	}
	stop()
}

// whole checks that everything answered is there, and that state and records
// belong together once the store was written to.
func whole(t *testing.T, e store.Engine, m Maker, keys []string, index map[uint64]string) {
	t.Helper()
	for _, key := range keys {
		if read(t, e, "b", key) == "-" {
			t.Errorf("the power cut lost %s, which was answered", key)
		}
	}
	if !m.Log {
		return
	}
	check := func() map[string]int {
		t.Helper()
		seen := map[string]int{}
		log := entries(t, e.(store.LogEngine))
		for i, entry := range index {
			if i >= uint64(len(log)) || log[i] != entry {
				t.Errorf("the power cut lost entry %d, %q, which was answered", i, entry)
			}
		}
		for _, entry := range log {
			seen[entry]++
		}
		return seen
	}
	check()
	put(t, e, "b", "after the cut", "")
	if _, err := e.(store.LogEngine).Append(t.Context(), []byte("after the cut")); err != nil {
		t.Fatalf("appending after a power cut: %v", err)
	}
	seen := check()
	err := e.View(t.Context(), func(s store.Snapshot) error {
		have, _, err := all(s, "b", []byte("0"), []byte("9"))
		for _, key := range have {
			want := 0
			if (key[len(key)-1]-'0')%2 == 0 {
				want = 1
			}
			if seen["state "+key] != want || seen["more "+key] != want {
				t.Errorf("key %s has %d and %d records, want %d", key, seen["state "+key], seen["more "+key], want)
			}
			delete(seen, "state "+key)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for entry := range seen {
		if strings.HasPrefix(entry, "state ") {
			t.Errorf("the log has %q, but its state is lost", entry)
		}
	}
}

// powerCutAgain cuts the power of what survived a cut.
func powerCutAgain(t *testing.T, m Maker) {
	if m.Crash == nil {
		t.Skip("this engine offers no image of what was durable")
	}
	a := &answers{index: map[uint64]string{}}
	e, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		whole(t, e, m, a.keys, a.index)
		tick := make(chan struct{})
		stop := busy(t, e, m, round, a, tick)
		for range 20 {
			<-tick
		}
		stop() // all is answered
		left, err := m.Crash()
		if err != nil {
			t.Fatal(err)
		}
		shut(t, e)
		m = left
		if e, err = m.Open(); err != nil {
			t.Fatalf("opening after power cut %d: %v", round, err)
		}
	}
	whole(t, e, m, a.keys, a.index)
	shut(t, e)
}
