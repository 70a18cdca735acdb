package log

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

// openBolt opens the engine for one machine in a folder; close it to restart.
func openBolt(t testing.TB, folder string, create bool) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(bolt.Config{Path: filepath.Join(folder, "vault.db"), Log: filepath.Join(folder, "log"), Create: create})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestOnDiskARestartGoesOnWhereItWas(t *testing.T) {
	folder := t.TempDir()
	h := newHouse(t, nil, 5)
	var held []byte
	var before Checkpoint
	for life := range 4 {
		db := openBolt(t, folder, life == 0)
		h.store = db
		f, err := Follow(h.ctx, h.config(h.ring.LogSigner()))
		if err != nil {
			t.Fatal(err)
		}
		if head := f.Head(); life > 0 && head.Size < before.Size {
			t.Fatalf("life %d begins at %d, the one before ended at %d", life, head.Size, before.Size)
		}
		h.happen(130)
		before = h.catchUp(f)
		if life == 0 {
			if held, err = f.Checkpoint(h.ctx); err != nil {
				t.Fatal(err)
			}
		}
		h.happen(20) // not followed by hand: a life can end before they are
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if r := h.sound(held); r.Entries != uint64(150*(life+1)) {
			t.Errorf("life %d: got %+v", life, r)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkFollow is what an entry costs beside the hot path: 10,000 people in
// random order, at the run length that a busy vault has. Reported per entry.
func BenchmarkFollow(b *testing.B) {
	const people = 10_000
	h := newHouse(b, openBolt(b, b.TempDir(), true), people)
	b.Cleanup(func() { _ = h.store.Close() })
	cfg := h.config(h.ring.LogSigner())
	cfg.Every = time.Second
	f, err := Follow(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	var busy time.Duration
	for b.Loop() {
		b.StopTimer()
		fill(b, h, maxRun)
		before := processorTime()
		b.StartTimer()
		if err := f.CatchUp(context.Background(), h.store.Size()); err != nil {
			b.Fatal(err)
		}
		busy += processorTime() - before
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*maxRun), "ns/entry")
	b.ReportMetric(float64(busy.Nanoseconds())/float64(b.N*maxRun), "cpu-ns/entry")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNew is what an entry costs the reader who makes it.
func BenchmarkNew(b *testing.B) {
	h := newHouse(b, newMemory(), 1)
	s, v := h.people[1], h.ring.VaultID()
	plain := make([]byte, 400)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(h.deks[s], v, Access, s, privacy.ID{1}, plain); err != nil {
			b.Fatal(err)
		}
	}
}

// fill records reads of people in random order.
func fill(b *testing.B, h *house, n int) {
	b.Helper()
	_, err := h.store.Update(context.Background(), func(tx store.Tx) error {
		for i := range n {
			s := h.people[1+rand.IntN(len(h.people)-1)]
			e, err := New(h.deks[s], h.ring.VaultID(), Access, s, privacy.NewID(time.Now()), fmt.Appendf(nil, "%d", i))
			if err != nil {
				return err
			}
			if err := tx.Record(e.Marshal()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// processorTime is what this process used of both cores: waiting for the disk
// costs the hot path nothing.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
