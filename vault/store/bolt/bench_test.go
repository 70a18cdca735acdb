package bolt

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

func newDB(tb testing.TB) *DB {
	tb.Helper()
	dir := tb.TempDir()
	db, err := Open(Config{Path: filepath.Join(dir, "vault.db"), Log: filepath.Join(dir, "log"), Create: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// BenchmarkAppend appends conditionally, as a reader of the vault does.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db := newDB(b)
			ctx := b.Context()
			if _, err := db.Update(ctx, func(tx store.Tx) error { return tx.Put("standing", []byte("s"), []byte("1")) }); err != nil {
				b.Fatal(err)
			}
			entry := make([]byte, 400)
			parallel(b, n, func(int) error {
				var on store.Condition
				err := db.View(ctx, func(s store.Snapshot) error {
					on = s.Unchanged("standing", []byte("s"))
					_, err := s.Get("standing", []byte("s"))
					return err
				})
				if err != nil {
					return err
				}
				_, err = db.Append(ctx, entry, on)
				return err
			})
			st := db.Stats()
			b.ReportMetric(float64(st.LogEntries)/float64(st.LogSyncs), "entries/sync")
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db := newDB(b)
			value := make([]byte, 200)
			parallel(b, n, func(i int) error {
				_, err := db.Update(b.Context(), func(tx store.Tx) error {
					key := binary.BigEndian.AppendUint64(nil, uint64(i)*0x9e3779b97f4a7c15)
					if err := tx.Put("value", key, value); err != nil {
						return err
					}
					return tx.Record(value)
				})
				return err
			})
			st := db.Stats()
			b.ReportMetric(float64(st.Updates)/float64(st.Commits), "updates/commit")
		})
	}
}

func parallel(b *testing.B, n int, do func(i int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				if err := do(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}
