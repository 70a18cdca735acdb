package bolt

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

// One update deletes every row of a bucket of many pages, and the next writes to it;
// both come while another holds the writer up, so they share a commit. Both are
// answered, and so is everybody after them.
func TestABucketThatIsEmptiedAndWrittenToInOneCommit(t *testing.T) {
	db, err := Open(Config{Path: filepath.Join(t.TempDir(), "b.db"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	const rows = 2000
	key := func(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	fill := func(tx store.Tx) error {
		for n := range rows {
			if err := tx.Put("rows", key(n), make([]byte, 64)); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := db.Update(t.Context(), fill); err != nil {
		t.Fatal(err)
	}
	waiting := func(n int) {
		for {
			db.queue.mu.Lock()
			now := len(db.queue.jobs)
			db.queue.mu.Unlock()
			if now == n {
				return
			}
			runtime.Gosched()
		}
	}
	answers := make(chan error, 3)
	update := func(fn func(tx store.Tx) error) {
		_, err := db.Update(context.Background(), fn)
		answers <- err
	}
	begun, goOn := make(chan struct{}), make(chan struct{})
	go update(func(store.Tx) error {
		close(begun)
		<-goOn
		return nil
	})
	<-begun
	go update(func(tx store.Tx) error {
		for n := range rows {
			if err := tx.Delete("rows", key(n)); err != nil {
				return err
			}
		}
		return nil
	})
	waiting(1)
	go update(func(tx store.Tx) error { return tx.Put("rows", key(rows), []byte("last")) })
	waiting(2)
	close(goOn)
	for range 3 {
		select {
		case err := <-answers:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the writer answers nobody any more")
		}
	}
	var left int
	err = db.View(t.Context(), func(s store.Snapshot) error {
		return s.Scan("rows", nil, nil, func(k, _ []byte) error { left++; return nil })
	})
	if err != nil || left != 1 {
		t.Errorf("got %d rows, %v, want one", left, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
