package bolt

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// job is one Update on its way through the writer. Its function runs in the
// goroutine that called Update, when the writer hands it the turn: so a panic or
// a Goexit in it is the caller's, and leaves the writer whole.
type job struct {
	state atomic.Int32  // queued → taken or gone
	turn  chan *tx      // the writer's word to run; nil: the engine has ended
	back  chan struct{} // the function has returned, or will never
	done  chan struct{} // the outcome stands below

	chore func() error // instead of a turn: the writer itself runs it, alone

	kept    bool // the function returned nil
	fnErr   error
	err     error // of the commit
	indexes []uint64
	tickets []ticket
}

const (
	jobQueued = iota
	jobTaken
	jobGone
)

// One commit takes so much; what waits beyond goes into the next.
const (
	maxJobs  = 512
	maxBytes = 16 << 20
)

// queue is where updates wait, first come first served.
type queue struct {
	mu   sync.Mutex
	jobs []*job
	wake chan struct{} // holds a token while jobs may be waiting
}

func (q *queue) push(j *job) {
	q.mu.Lock()
	q.jobs = append(q.jobs, j)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// pop returns the next job that still waits, or nil.
func (q *queue) pop() *job { return q.popIf(func(*job) bool { return true }) }

// popIf returns the next job that still waits, or nil if there is none or it is
// not one that is wanted.
func (q *queue) popIf(wanted func(*job) bool) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.jobs) > 0 {
		j := q.jobs[0]
		if !wanted(j) {
			return nil
		}
		q.jobs[0] = nil
		q.jobs = q.jobs[1:]
		if j.state.CompareAndSwap(jobQueued, jobTaken) {
			return j
		}
	}
	return nil
}

// Update implements store.Engine.
func (db *DB) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	if err := db.enterWriting(ctx); err != nil {
		return nil, err
	}
	defer db.gate.leave()
	j := &job{turn: make(chan *tx, 1), back: make(chan struct{}, 1), done: make(chan struct{})}
	db.queue.push(j)
	var t *tx
	select {
	case t = <-j.turn:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobQueued, jobGone) {
			return nil, ctx.Err()
		}
		t = <-j.turn
	}
	if t != nil {
		j.run(t, fn)
	}
	<-j.done
	for _, tk := range j.tickets {
		if err := db.log.wait(tk); err != nil && j.err == nil {
			j.err = db.fail(err)
		}
	}
	switch {
	case j.fnErr != nil:
		return nil, j.fnErr
	case j.err != nil:
		return nil, j.err
	}
	return j.indexes, nil
}

// run gives the turn back whatever fn does.
func (j *job) run(t *tx, fn func(store.Tx) error) {
	defer func() {
		t.over = true
		j.back <- struct{}{}
	}()
	err := fn(t)
	j.fnErr, j.kept = err, err == nil
}

// writer commits what is queued until the engine is closed.
func (db *DB) writer() {
	defer close(db.written)
	for {
		select {
		case <-db.queue.wake:
		case <-db.quit:
			return
		}
		runtime.Gosched() // let those queue who are about to
		for {
			j := db.queue.pop()
			if j == nil {
				break
			}
			db.commit(j)
		}
	}
}

// batch is what one commit makes durable.
type batch struct {
	jobs    []*job
	kept    []*job
	txs     []*tx // of kept
	entries [][]byte
}

// commit runs first and as many of the waiting jobs as fit in one transaction,
// and answers them.
func (db *DB) commit(first *job) {
	if first.chore != nil {
		first.fnErr = first.chore()
		close(first.done)
		return
	}
	b := &batch{}
	err := db.commitBatch(b, first)
	if err != nil {
		err = db.fail(err)
	}
	for _, j := range b.jobs {
		j.err = err
		close(j.done)
	}
}

func (db *DB) commitBatch(b *batch, first *job) error {
	btx, err := db.begin()
	if err != nil {
		b.jobs = append(b.jobs, first)
		first.turn <- nil
		return err
	}
	mem, size := mappingOf(btx), 0
	for j := first; j != nil; {
		b.jobs = append(b.jobs, j)
		t := &tx{base: btx, mem: mem, hasLog: db.log != nil}
		j.turn <- t
		<-j.back
		if j.kept {
			if err := t.apply(); err != nil {
				db.abandon(btx)
				return err
			}
			mem.only = false
			b.kept = append(b.kept, j)
			b.txs = append(b.txs, t)
			b.entries = append(b.entries, t.record...)
			size += t.bytes
		}
		if len(b.jobs) == maxJobs || size >= maxBytes {
			break
		}
		j = db.queue.popIf(func(j *job) bool { return j.chore == nil })
	}
	changed := 0
	for _, t := range b.txs {
		changed += t.changed()
	}
	if changed == 0 && len(b.entries) == 0 {
		db.abandon(btx)
		return nil
	}
	return db.finish(b, btx, changed, size)
}

// finish makes a batch durable, and then lets it be seen and its entries be
// sequenced at one moment.
func (db *DB) finish(b *batch, btx *bbolt.Tx, changed, size int) error {
	if db.log != nil {
		if err := post(btx, &db.state, b.entries, db.log.durableState.Load(), db.log.durable.Load()); err != nil {
			db.abandon(btx)
			return err
		}
	}
	id := uint64(btx.ID())
	began := time.Now()
	next, err := db.commitTx(btx, changed, size)
	if err != nil {
		return err
	}
	db.stats.took.add(times[:], int64(time.Since(began)))
	db.stats.of.add(sizes[:], int64(len(b.kept)))
	db.stats.commits.Add(1)
	db.stats.updates.Add(uint64(len(b.kept)))
	db.stats.largest.Store(max(db.stats.largest.Load(), uint64(len(b.kept))))
	if db.log == nil {
		db.snapshots.install(next)
		return nil
	}
	var keys map[ref]struct{} // nil: too many to remember
	if changed <= rememberKeys {
		keys = make(map[ref]struct{}, changed)
		for _, t := range b.txs {
			for name, o := range t.writes {
				for i := range o.rows { // the callers' keys are theirs again
					keys[ref{name, strings.Clone(o.rows[i].key)}] = struct{}{}
				}
			}
		}
	}
	l := db.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		_ = next.Rollback()
		return l.err
	}
	l.expect(b.entries)
	for i, j := range b.kept {
		for _, entry := range b.txs[i].record {
			index, tk := l.sequence(kindRecorded, entry)
			j.indexes = append(j.indexes, index)
			if n := len(j.tickets); n > 0 && j.tickets[n-1].g == tk.g {
				continue // the place it has in this group will do
			}
			j.tickets = append(j.tickets, tk)
		}
	}
	db.changes.add(id, keys)
	db.snapshots.install(next)
	return nil
}

// commitTx commits and begins the transaction that sees the result.
func (db *DB) commitTx(btx *bbolt.Tx, changed, size int) (next *bbolt.Tx, err error) {
	// Should the file outgrow its mapping, bbolt waits for every reader: then
	// the snapshot must not be ours to hold, and views wait for this commit.
	if need := btx.Size() + int64(changed)*spillPerKey + 2*int64(size) + spillSlack; need > db.mapped {
		db.snapshots.install(nil)
	}
	db.bolt.AllocSize = int(min(max(btx.Size()/4, 1<<20), 64<<20))
	if err := db.commitBolt(btx); err != nil {
		return nil, fmt.Errorf("committing: %w", err)
	}
	db.synced(db.path)
	return db.bolt.Begin(false)
}

func (db *DB) commitBolt(btx *bbolt.Tx) (err error) {
	db.wedged = true // a panic leaves bbolt's locks taken
	defer damage(&err)()
	err = btx.Commit()
	db.wedged = false
	return err
}

func (db *DB) begin() (btx *bbolt.Tx, err error) {
	if err := db.failure(); err != nil {
		return nil, err
	}
	defer damage(&err)()
	return db.bolt.Begin(true)
}

func (db *DB) abandon(btx *bbolt.Tx) {
	var err error
	defer damage(&err)()
	_ = btx.Rollback()
}
