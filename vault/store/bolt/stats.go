package bolt

import "sync/atomic"

// Stats is what doctor and metrics want to know. Counts begin at Open.
type Stats struct {
	Commits       uint64 // of bbolt, two syncs each
	Updates       uint64 // that these commits made durable
	LargestCommit uint64 // most updates in one
	LogSyncs      uint64
	LogEntries    uint64 // that these syncs made durable
	LargestSync   uint64 // most entries in one
	LogSize       uint64 // durable entries
	Bytes         int64  // of the bbolt file that are in use or free inside it
}

type counters struct {
	commits, updates, largest atomic.Uint64
}

// Stats returns the counts so far.
func (db *DB) Stats() Stats {
	s := Stats{
		Commits:       db.stats.commits.Load(),
		Updates:       db.stats.updates.Load(),
		LargestCommit: db.stats.largest.Load(),
	}
	if l := db.log; l != nil {
		s.LogSyncs, s.LogEntries, s.LargestSync = l.syncs.Load(), l.entries.Load(), l.largest.Load()
		s.LogSize = l.durable.Load()
	}
	if snap, err := db.snapshots.acquire(); err == nil {
		s.Bytes = snap.tx.Size()
		db.snapshots.release(snap)
	}
	return s
}
