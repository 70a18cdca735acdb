package bolt

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// snapshot is the newest durable state, shared by every view of it. bbolt shows
// a commit to new transactions before it is synced, so views never begin one of
// their own. Reading from one read-only transaction in many goroutines is safe:
// it caches nothing (the race tests of this package pin that).
type snapshot struct {
	tx   *bbolt.Tx
	mem  mapping
	id   uint64
	refs int // guarded by snapshots.mu; the engine's own included

	buckets sync.Map                 // store.Bucket → *bbolt.Bucket, nil if there is none
	roots   atomic.Pointer[[]rooted] // of the buckets that Get has read
}

// snapshots hands out the current snapshot.
type snapshots struct {
	mu      sync.Mutex
	changed sync.Cond
	current *snapshot
	older   map[*snapshot]struct{} // those before it that views still see
	closed  bool
}

func (ss *snapshots) init() { ss.changed.L, ss.older = &ss.mu, map[*snapshot]struct{}{} }

// acquire returns the current snapshot. It waits only while the engine has none,
// which is when the file outgrows its mapping.
func (ss *snapshots) acquire() (*snapshot, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for ss.current == nil && !ss.closed {
		ss.changed.Wait()
	}
	if ss.closed {
		return nil, store.ErrClosed
	}
	ss.current.refs++
	return ss.current, nil
}

func (ss *snapshots) release(s *snapshot) {
	ss.mu.Lock()
	s.refs--
	last := s.refs == 0
	if last {
		delete(ss.older, s)
		ss.changed.Broadcast()
	}
	ss.mu.Unlock()
	if last {
		_ = s.tx.Rollback() // a read-only transaction: nothing can be lost
	}
}

// install makes tx the state that views see from now on; nil takes the current
// one away.
func (ss *snapshots) install(tx *bbolt.Tx) {
	ss.mu.Lock()
	old := ss.current
	ss.current = nil
	if old != nil {
		ss.older[old] = struct{}{}
	}
	if tx != nil {
		ss.current = &snapshot{tx: tx, mem: mappingOf(tx), id: uint64(tx.ID()), refs: 1}
	}
	ss.changed.Broadcast()
	ss.mu.Unlock()
	if old != nil {
		ss.release(old)
	}
}

// newest returns the transaction of the current snapshot, 0 if there is none.
func (ss *snapshots) newest() uint64 {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.current == nil {
		return 0
	}
	return ss.current.id
}

// drain waits until no view sees a state before the current one, but not longer
// than it is given. Who calls it keeps new states from being made.
func (ss *snapshots) drain(within time.Duration) bool {
	late := false
	alarm := time.AfterFunc(within, func() {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		late = true
		ss.changed.Broadcast()
	})
	defer alarm.Stop()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for len(ss.older) > 0 && !late && !ss.closed {
		ss.changed.Wait()
	}
	return len(ss.older) == 0
}

// settle waits until nobody sees the states any more that are older ones now.
// Others may become older meanwhile.
func (ss *snapshots) settle(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		ss.changed.Broadcast()
	})()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	waits := maps.Clone(ss.older)
	for len(waits) > 0 && !ss.closed {
		if err := ctx.Err(); err != nil {
			return err
		}
		ss.changed.Wait()
		maps.DeleteFunc(waits, func(s *snapshot, _ struct{}) bool { _, still := ss.older[s]; return !still })
	}
	return ctx.Err()
}

// end refuses all later views and drops the engine's own hold.
func (ss *snapshots) end() {
	ss.mu.Lock()
	ss.closed = true
	old := ss.current
	ss.current = nil
	if old != nil {
		ss.older[old] = struct{}{}
	}
	ss.changed.Broadcast()
	ss.mu.Unlock()
	if old != nil {
		ss.release(old)
	}
}

func (s *snapshot) bucket(b store.Bucket) *bbolt.Bucket {
	if got, ok := s.buckets.Load(b); ok {
		return got.(*bbolt.Bucket)
	}
	var bucket *bbolt.Bucket
	if validBucket(b) {
		bucket = s.tx.Bucket([]byte(b))
	}
	s.buckets.Store(b, bucket)
	return bucket
}

// view is one caller's use of a snapshot.
type view struct {
	s    *snapshot
	over bool
}

var errOver = errors.New("reader used after its function returned")

// Get implements store.Reader.
func (v *view) Get(b store.Bucket, key []byte) (value []byte, err error) {
	if v.over {
		return nil, errOver
	}
	defer damaged(&err, debug.SetPanicOnFault(true))
	if root := v.s.rootOf(b); root != 0 {
		return v.s.mem.lookup(root, key)
	}
	return v.s.mem.get(v.s.bucket(b), key), nil // there is none, or it lies in another's page
}

// Scan implements store.Reader.
func (v *view) Scan(b store.Bucket, from, to []byte, fn func(key, value []byte) error) error {
	if v.over {
		return errOver
	}
	c, k, val, err := v.s.mem.seek(v.s.bucket, b, from)
	for ; err == nil && k != nil && (to == nil || bytes.Compare(k, to) < 0); k, val, err = v.s.mem.step(c) {
		if err := fn(k, val); errors.Is(err, store.ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return err
}

// Unchanged implements store.Snapshot.
func (v *view) Unchanged(b store.Bucket, key []byte) store.Condition {
	return store.Condition{Bucket: b, Key: string(key), Version: v.s.id}
}

// State implements store.Snapshot.
func (v *view) State() uint64 { return v.s.id }
