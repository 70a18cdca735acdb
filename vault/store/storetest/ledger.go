package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/vault/store"
)

// LedgerMaker makes one ledger and opens it again, as Maker does a store.
type LedgerMaker struct {
	Open  func() (store.Ledger, error)
	Crash func() (LedgerMaker, error)
}

// RunLedger tells every story of ledgers.
func RunLedger(t *testing.T, make func(t *testing.T) LedgerMaker) {
	t.Helper()
	for name, tell := range map[string]func(*testing.T, LedgerMaker){
		"entries come back in order, also after reopening": ledgerOrder,
		"many append at once":                              ledgerMany,
		"a closed ledger says so":                          ledgerClosed,
		"a power cut loses nothing that was answered":      ledgerPowerCut,
	} {
		t.Run(name, func(t *testing.T) {
			leaks := goleak.IgnoreCurrent()
			t.Cleanup(func() {
				if err := goleak.Find(leaks); err != nil {
					t.Errorf("goroutines are left after Close: %v", err)
				}
			})
			tell(t, make(t))
		})
	}
}

func lines(t *testing.T, l store.Ledger) []string {
	t.Helper()
	var all []string
	err := l.Entries(func(n uint64, entry []byte) error {
		if n != uint64(len(all)) {
			t.Errorf("entry %d came after %d others", n, len(all))
		}
		all = append(all, string(entry))
		return nil
	})
	if err != nil {
		t.Fatalf("reading the ledger: %v", err)
	}
	return all
}

func ledgerOrder(t *testing.T, m LedgerMaker) {
	var want []string
	for round := range 4 {
		l, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		for i := range round * 3 {
			want = append(want, fmt.Sprintf("act %d of round %d", i, round))
			if err := l.Append(t.Context(), []byte(want[len(want)-1])); err != nil {
				t.Fatal(err)
			}
		}
		two := []string{fmt.Sprintf("one of two, round %d", round), fmt.Sprintf("the other, round %d", round)}
		want = append(want, two...)
		if err := errors.Join(l.Append(t.Context(), []byte(two[0]), []byte(two[1])), l.Append(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := lines(t, l); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("in round %d: got %q, want %q", round, got, want)
		}
		if err := l.Entries(func(uint64, []byte) error { return errOnPurpose }); len(want) > 0 && !errors.Is(err, errOnPurpose) {
			t.Errorf("entries did not return its function's error but %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func ledgerMany(t *testing.T, m LedgerMaker) {
	l, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := range 10 {
				if err := l.Append(context.Background(), fmt.Appendf(nil, "%d %d", g, i)); err != nil {
					t.Errorf("appending: %v", err)
				}
			}
		})
	}
	wg.Wait()
	last := map[string]string{}
	got := lines(t, l)
	for _, line := range got {
		g, i, _ := strings.Cut(line, " ")
		if i <= last[g] {
			t.Errorf("%s's %s came after its %s", g, i, last[g])
		}
		last[g] = i
	}
	if len(got) != 320 {
		t.Errorf("got %d entries, want 320", len(got))
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func ledgerClosed(t *testing.T, m LedgerMaker) {
	l, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), nil); err == nil {
		t.Error("an empty entry was kept")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), []byte("late")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("append: got %v, want ErrClosed", err)
	}
	if err := l.Entries(func(uint64, []byte) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("entries: got %v, want ErrClosed", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func ledgerPowerCut(t *testing.T, m LedgerMaker) {
	if m.Crash == nil {
		t.Skip("this ledger offers no image of what was durable")
	}
	l, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	answered := map[string]bool{}
	tick, quit := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				entry := fmt.Sprintf("%d %d", g, i)
				if err := l.Append(context.Background(), []byte(entry)); err != nil {
					t.Errorf("appending: %v", err)
					return
				}
				mu.Lock()
				answered[entry] = true
				mu.Unlock()
				select {
				case tick <- struct{}{}:
				case <-quit:
					return
				}
			}
		})
	}
	for range 10 {
		for range 7 {
			<-tick
		}
		mu.Lock()
		var must []string
		for entry := range answered {
			must = append(must, entry)
		}
		mu.Unlock()
		left, err := m.Crash()
		if err != nil {
			t.Fatal(err)
		}
		survivor, err := left.Open()
		if err != nil {
			t.Fatalf("opening after a power cut: %v", err)
		}
		have := map[string]bool{}
		for _, entry := range lines(t, survivor) {
			have[entry] = true
		}
		for _, entry := range must {
			if !have[entry] {
				t.Errorf("the power cut lost %q, which was answered", entry)
			}
		}
		if err := survivor.Close(); err != nil {
			t.Error(err)
		}
	}
	close(quit)
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
