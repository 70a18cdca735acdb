package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// A wake-up that is lost hangs this test: many append, in bursts and alone, to
// a disk that takes now no time, now some.
func TestNobodyIsLeftWaiting(t *testing.T) {
	var a appender
	var written atomic.Uint64
	a.write = func(g *group) error {
		if written.Load() != g.first {
			t.Errorf("a group begins at %d after %d entries", g.first, written.Load())
		}
		for range rand.IntN(4) {
			runtime.Gosched()
		}
		written.Add(g.count)
		return nil
	}
	a.start(0, 0)
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 500 {
				for range r.IntN(3) {
					runtime.Gosched()
				}
				a.mu.Lock()
				index, tk := a.sequence(kindAppended, []byte("entry"))
				a.mu.Unlock()
				if err := a.wait(tk); err != nil {
					t.Errorf("waiting: %v", err)
				}
				if written.Load() <= index || a.durable.Load() <= index {
					t.Errorf("entry %d was answered before it was written", index)
				}
			}
		})
	}
	wg.Wait()
	if got := written.Load(); got != 64*500 || a.busy {
		t.Errorf("%d entries were written, busy %v", got, a.busy)
	}
}

// When the disk fails, everybody is told, in this group and in the next.
func TestAFailedWriteIsToldToAll(t *testing.T) {
	full := errors.New("disk full")
	var a appender
	a.write = func(g *group) error {
		if g.first+g.count > 1000 {
			return full
		}
		return nil
	}
	a.start(0, 0)
	var wg sync.WaitGroup
	var kept atomic.Uint64
	for range 32 {
		wg.Go(func() {
			for {
				a.mu.Lock()
				if a.err != nil {
					a.mu.Unlock()
					return
				}
				_, tk := a.sequence(kindAppended, []byte("entry"))
				a.mu.Unlock()
				if err := a.wait(tk); err == nil {
					kept.Add(1)
				} else if !errors.Is(err, store.ErrClosed) || !errors.Is(err, full) {
					t.Errorf("got %v, want ErrClosed because the disk is full", err)
				}
			}
		})
	}
	wg.Wait()
	if kept.Load() != a.durable.Load() || kept.Load() > 1000 {
		t.Errorf("%d were answered and %d are durable of 1000 at most", kept.Load(), a.durable.Load())
	}
}

// Who is ready to append while others are, shares their sync: at 64 readers a
// sync serves 16 or more.
func TestManyShareOneSync(t *testing.T) {
	db := newDB(t)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 50 {
				if _, err := db.Append(context.Background(), make([]byte, 300)); err != nil {
					t.Errorf("appending: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s := db.Stats()
	if s.LogEntries != 64*50 || s.LogSize != 64*50 || s.LogSyncs*16 > s.LogEntries {
		t.Errorf("%d entries took %d syncs", s.LogEntries, s.LogSyncs)
	}
}

// shaky is a file that fails when told to.
type shaky struct {
	file
	fail *atomic.Bool
}

var errShaky = errors.New("input/output error")

func (s shaky) Sync() error {
	if s.fail.Load() {
		return errShaky
	}
	return s.file.Sync()
}

// After a sync that failed nobody knows what the disk holds: the engine ends,
// and only opening it again can tell.
func TestAFailedSyncEndsTheEngine(t *testing.T) {
	for _, how := range []string{"log", "vault.db"} {
		t.Run(how, func(t *testing.T) {
			var fail atomic.Bool
			d := newDisk(t, true)
			cfg := d.config()
			cfg.Create = true
			cfg.openFile = func(path string) (file, error) {
				f, err := openForWriting(path)
				return shaky{f, &fail}, err
			}
			db, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			set := func(v string) error {
				_, err := db.Update(ctx, func(tx store.Tx) error {
					return errors.Join(tx.Put("b", []byte("k"), []byte(v)), tx.Record([]byte(v)))
				})
				return err
			}
			if err := set("kept"); err != nil {
				t.Fatal(err)
			}
			if how == "log" {
				fail.Store(true)
			} else if err := db.file.Close(); err != nil {
				t.Fatal(err)
			}
			if err := set("in doubt"); !errors.Is(err, store.ErrClosed) {
				t.Errorf("the update that met the failure: got %v, want ErrClosed", err)
			}
			fail.Store(false)
			if err := set("late"); !errors.Is(err, store.ErrClosed) {
				t.Errorf("a later update: got %v, want ErrClosed", err)
			}
			if _, err := db.Append(ctx, []byte("late")); !errors.Is(err, store.ErrClosed) {
				t.Errorf("a later append: got %v, want ErrClosed", err)
			}
			if err := db.View(ctx, func(store.Snapshot) error { return nil }); !errors.Is(err, store.ErrClosed) {
				t.Errorf("a later view: got %v, want ErrClosed", err)
			}
			_ = db.Close() // its files may be closed already

			cfg.Create, cfg.openFile = false, nil
			again, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if _, err := again.Append(ctx, []byte("after")); err != nil {
				t.Fatal(err)
			}
			var log []string
			if err := again.Entries(ctx, 0, 9, func(_ uint64, e []byte) error { log = append(log, string(e)); return nil }); err != nil {
				t.Fatal(err)
			}
			var state string
			_ = again.View(ctx, func(s store.Snapshot) error {
				v, err := s.Get("b", []byte("k"))
				state = string(v)
				return err
			})
			// The one in doubt may have happened, but then wholly.
			if got := fmt.Sprint(state, log); got != "kept[kept after]" && got != "in doubt[kept in doubt after]" {
				t.Errorf("after opening again: %s", got)
			}
		})
	}
}

// A file that outgrows its mapping makes bbolt wait for readers; they must not
// wait for it in turn.
func TestAFileMayOutgrowItsMapping(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(Config{Path: filepath.Join(dir, "keys.db"), Create: true, room: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				err := db.View(context.Background(), func(s store.Snapshot) error {
					n := 0
					err := s.Scan("b", nil, nil, func(_, v []byte) error { n += len(v); return nil })
					if n%100_000 != 0 {
						t.Errorf("a view saw %d bytes, part of an update", n)
					}
					return err
				})
				if err != nil {
					t.Errorf("viewing: %v", err)
				}
			}
		})
	}
	for i := range 60 {
		_, err := db.Update(t.Context(), func(tx store.Tx) error {
			return errors.Join(tx.Put("b", fmt.Append(nil, i), make([]byte, 40_000)), tx.Put("b", fmt.Append(nil, i, "+"), make([]byte, 60_000)))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
}

// One slow caller delays others by one turn, no more.
func TestUpdatesGoFirstComeFirstServed(t *testing.T) {
	db := newDB(t)
	var mu sync.Mutex
	var ran []int
	var wg sync.WaitGroup
	_, err := db.Update(t.Context(), func(store.Tx) error {
		for i := range 2 * maxJobs {
			queued := make(chan struct{})
			wg.Go(func() {
				close(queued)
				_, err := db.Update(context.Background(), func(tx store.Tx) error {
					mu.Lock()
					ran = append(ran, i)
					mu.Unlock()
					return tx.Put("b", fmt.Append(nil, i), nil)
				})
				if err != nil {
					t.Errorf("updating: %v", err)
				}
			})
			<-queued
			for {
				db.queue.mu.Lock()
				n := len(db.queue.jobs)
				db.queue.mu.Unlock()
				if n > i {
					break
				}
				runtime.Gosched()
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for i, n := range ran {
		if i != n {
			t.Fatalf("update %d ran at place %d", n, i)
		}
	}
	if s := db.Stats(); len(ran) != 2*maxJobs || s.LargestCommit > maxJobs || s.Commits > 4 {
		t.Errorf("%d updates ran; stats %+v", len(ran), s)
	}
}
