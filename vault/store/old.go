package store

import "context"

// What a restore works on. It reads what is left of a store and of its log, and
// gives the store a new log that begins with an entry about the old one.

// OldEntry is an entry of a log that a new one takes the place of.
type OldEntry struct {
	// Entry is valid during the call that gives it.
	Entry []byte
	// Recorded says that it was committed together with state, as the one of
	// this number, from 1.
	Recorded bool
	State    uint64
}

// OldLog is what is left of a log.
type OldLog interface {
	// Entries calls fn for the entries from the first on. It returns fn's error
	// as it is, and ErrDamaged, naming the index, where the log cannot be read
	// any further.
	Entries(ctx context.Context, fn func(OldEntry) error) error
}

// OldStore is a store whose log is not looked at.
type OldStore interface {
	// View is as for an Engine.
	View(ctx context.Context, fn func(Snapshot) error) error
	// States is how many entries were recorded with the state that it holds: an
	// entry of a greater number is of a state that it lacks.
	States() uint64
	// Outbox calls fn for the entries that were not known to be in the log when
	// this state was committed, in order.
	Outbox(fn func(OldEntry) error) error
	// Renew makes a new log with first as its entry 0 and then all of carried,
	// and empties the buckets named. What carried returns ends it. Nothing of it
	// can be relied on unless it returns nil; the store is to be closed then.
	Renew(ctx context.Context, first []byte, carried OldLog, empty ...Bucket) error
	// Close releases what is held.
	Close() error
}
