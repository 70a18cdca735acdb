// Package store is the contract between the vault and what keeps it: ordered
// buckets with snapshots and serialisable updates, an append-only log that can
// be appended to on a condition, and a ledger. It is small on purpose; its
// comments are the contract, and storetest is the suite that every engine
// passes. Package bolt is the engine for one machine.
//
// An engine knows nothing of persons, keys or time: what it is given is sealed
// already.
package store

import (
	"context"
	"errors"
)

// The errors an engine returns. Anything else is a fault of the machine below;
// the vault answers it with "unavailable" and releases nothing.
var (
	// ErrConflict: a condition of an Append no longer holds. Nothing of that
	// append was kept.
	ErrConflict = errors.New("decided on a state that is no longer in force")
	// ErrDamaged: what is on disk is not what was written. Nothing is guessed.
	ErrDamaged = errors.New("storage is damaged")
	// ErrOlder: the log holds state that the buckets lack, so the buckets are
	// an older copy. Only a restore may accept them.
	ErrOlder = errors.New("storage is an older copy than its log")
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("storage is in use by another process")
	// ErrFormat: not a store, or of a format version this program does not know.
	ErrFormat = errors.New("storage has an unknown format")
	// ErrClosed: the engine was closed, or ended itself after a failed write.
	ErrClosed = errors.New("storage is closed")
)

// Bucket names an ordered set of keys. Every bucket exists, empty until put to.
type Bucket string

// Reader sees one consistent state. Slices it gives are the engine's: they are
// valid until the function that was given the Reader returns, and must not be
// changed.
type Reader interface {
	// Get returns the value at key, or nil if there is none. An empty value is
	// returned as an empty, non-nil slice.
	Get(b Bucket, key []byte) ([]byte, error)
	// Scan calls fn for every key in [from, to) in ascending order of bytes; a
	// nil from begins at the first key, a nil to ends after the last. It stops
	// at fn's first error and returns it, but nil for ErrStop. fn must not
	// write.
	Scan(b Bucket, from, to []byte, fn func(key, value []byte) error) error
}

// ErrStop, returned by the function given to a scan, ends it without an error.
var ErrStop = errors.New("stop scanning")

// Snapshot is a Reader of the state at one moment: everything committed before
// View was called, and nothing half committed.
type Snapshot interface {
	Reader
	// Unchanged returns the condition that the entry at key is still the one
	// this snapshot sees, present or absent. It outlives the snapshot, but not
	// the engine, and not for ever: one that an engine no longer remembers
	// counts as broken. So does one after a Put of the same value.
	Unchanged(b Bucket, key []byte) Condition
	// State names the state that is seen: where two snapshots of one engine give
	// the same number, they see the same. So what was made of a state is good for
	// every snapshot of it.
	State() uint64
}

// Condition is what an Append depends on. The engine that made it knows what
// Version means; nobody else looks.
type Condition struct {
	Bucket  Bucket
	Key     string
	Version uint64
}

// Tx is a Reader of the state inside an Update, its own writes included.
type Tx interface {
	Reader
	// Put sets the value at key; it copies neither before commit, so the caller
	// leaves both unchanged. An empty key is refused.
	Put(b Bucket, key, value []byte) error
	// Delete removes key if it is there.
	Delete(b Bucket, key []byte) error
	// Record adds an entry that is committed together with the state and then
	// sequenced into the log, before any entry that is conditional on what this
	// update changed. It is copied no earlier than the commit. It must not be
	// empty, nor longer than MaxEntry. Only engines with a log have it.
	Record(entry []byte) error
}

// Engine keeps buckets.
type Engine interface {
	// View calls fn with a snapshot. Many views run at once, and none waits for
	// an update. A long one keeps old pages alive: page through (at most 1,000
	// people or 50 ms).
	View(ctx context.Context, fn func(Snapshot) error) error
	// Update calls fn in a transaction that is serialisable with all others.
	// When fn returns an error nothing is kept and the error is returned as it
	// is. When Update returns nil, all of it is durable and seen by every later
	// View, and the entries given to Record stand in the log, durable, at the
	// indexes returned in order. Many updates share one fsync, so fn can be
	// called more than once, and must have no effect but through its Tx. All
	// updates wait for fn: it must be quick, and never call Update itself.
	//
	// What an update changes is seen, and its entries are sequenced, at one
	// moment. An append conditional on a key that it changes, by a reader who
	// saw the state before, therefore stands in the log before those entries or
	// fails with ErrConflict; an engine may make it wait to find out.
	//
	// ctx ends the wait for a turn; an update that has its turn runs to its end.
	// If Update returns another error than fn's or ctx's, the update may still
	// take effect.
	Update(ctx context.Context, fn func(Tx) error) ([]uint64, error)
	// Scrub clears what was deleted or replaced from where the engine keeps its
	// buckets: that lies on until something else is written there. When Scrub
	// returns nil, nothing that the state did not hold when it was called can be
	// read from the engine's files, and no View sees a state before it any more.
	// It runs beside everything else, may take long, and can be called again
	// after it was interrupted at any point. progress, which may be nil, is told
	// how many bytes of how many were looked at.
	Scrub(ctx context.Context, progress func(done, of uint64)) error
	// Close refuses new calls, waits for running ones and releases what is held.
	Close() error
}

// LogEngine keeps buckets and an append-only log beside them. Entries have the
// indexes 0, 1, 2 … without a gap. An entry has at least one byte and at most
// MaxEntry.
type LogEngine interface {
	Engine
	// Append sequences and makes durable one entry on the condition that all of
	// its conditions hold at the moment it is sequenced; else it returns
	// ErrConflict and keeps nothing. It returns after the entry and every entry
	// before it are durable. Many appends share one fsync; a lone one waits for
	// nobody. After any other error the entry may still be kept. The slice is the
	// caller's again when Append has returned.
	Append(ctx context.Context, entry []byte, on ...Condition) (index uint64, err error)
	// Size returns the number of durable entries.
	Size() uint64
	// Entries calls fn for the durable entries in [from, to), in order, and
	// leaves out what is not durable yet. The slice is valid during the call. It
	// returns fn's error as it is, and ErrDamaged, naming the index, at an entry
	// that cannot be read.
	Entries(ctx context.Context, from, to uint64, fn func(index uint64, entry []byte) error) error
}

// MaxEntry is the size of the largest log entry, in bytes.
const MaxEntry = 1 << 20

// Ledger is an append-only file of short entries, kept apart from the engine
// and from every backup of it. It is what a restored vault is held against.
type Ledger interface {
	// Append makes entries durable, in order, before it returns. Many appends
	// share one fsync. After an error any of them may still be kept.
	Append(ctx context.Context, entries ...[]byte) error
	// Entries calls fn for every entry in order. It returns ErrDamaged if an
	// entry in the middle cannot be read; a torn last one was never
	// acknowledged and is dropped when the ledger is opened.
	Entries(fn func(n uint64, entry []byte) error) error
	// Close releases what is held.
	Close() error
}
