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
	LogBytes      int64  // of the log's files, what is prepared in them included
	Bytes         int64  // of the bbolt file that are in use or free inside it

	CommitTook Spread // nanoseconds a commit
	CommitOf   Spread // updates a commit
	SyncTook   Spread // nanoseconds to write and sync a group of the log
	SyncOf     Spread // entries a group
}

// LedgerStats is the same of a ledger.
type LedgerStats struct {
	Entries  uint64 // durable ones
	SyncTook Spread // nanoseconds to write and sync a group
}

// Spread tells how a number was spread: how many were at most each bound, the
// last count being all of them, and their sum.
type Spread struct {
	Bounds []int64
	Counts []uint64 // one more than bounds; each holds those before it
	Sum    int64
}

// Stats returns the counts so far.
func (db *DB) Stats() Stats {
	s := Stats{
		Commits:       db.stats.commits.Load(),
		Updates:       db.stats.updates.Load(),
		LargestCommit: db.stats.largest.Load(),
		CommitTook:    db.stats.took.spread(times[:]),
		CommitOf:      db.stats.of.spread(sizes[:]),
	}
	if l := db.log; l != nil {
		s.LogSyncs, s.LogEntries, s.LargestSync = l.syncs.Load(), l.entries.Load(), l.largest.Load()
		s.LogSize = l.durable.Load()
		s.LogBytes = l.bytes()
		s.SyncTook, s.SyncOf = l.took.spread(times[:]), l.of.spread(sizes[:])
	}
	if snap, err := db.snapshots.acquire(); err == nil {
		s.Bytes = snap.tx.Size()
		db.snapshots.release(snap)
	}
	return s
}

// Stats returns the counts so far.
func (l *Ledger) Stats() LedgerStats {
	return LedgerStats{Entries: l.durable.Load(), SyncTook: l.took.spread(times[:])}
}

func (l *log) bytes() (n int64) {
	l.segMu.RLock()
	defer l.segMu.RUnlock()
	for _, s := range l.segs {
		n += s.size
	}
	return n
}

type counters struct {
	commits, updates, largest atomic.Uint64

	took tally // of a commit
	of   tally // updates a commit
}

// What tallies count by: disks sync in a tenth of a millisecond to seconds, and
// groups are small.
const (
	microsecond = 1000
	millisecond = 1000 * microsecond
	second      = 1000 * millisecond
)

var (
	times = [...]int64{50 * microsecond, 100 * microsecond, 250 * microsecond, 500 * microsecond, millisecond, 2500 * microsecond,
		5 * millisecond, 10 * millisecond, 25 * millisecond, 50 * millisecond, 100 * millisecond, 250 * millisecond, 500 * millisecond,
		second, 5 * second}
	sizes = [...]int64{1, 2, 4, 8, 16, 32, 64, 128, 256, 1024}
)

// tally counts numbers by bounds. One goroutine at a time adds.
type tally struct {
	counts [16]atomic.Uint64
	sum    atomic.Int64
}

func (t *tally) add(bounds []int64, n int64) {
	i := 0
	for i < len(bounds) && n > bounds[i] {
		i++
	}
	t.counts[i].Add(1)
	t.sum.Add(n)
}

func (t *tally) spread(bounds []int64) Spread {
	s := Spread{Bounds: append([]int64(nil), bounds...), Counts: make([]uint64, len(bounds)+1), Sum: t.sum.Load()}
	for i := range s.Counts {
		s.Counts[i] = t.counts[i].Load()
		if i > 0 {
			s.Counts[i] += s.Counts[i-1]
		}
	}
	return s
}
