package bolt

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

// group is what one sync makes durable: frames that were sequenced while the
// group before it was being synced.
type group struct {
	buf   []byte
	first uint64 // index of its first entry
	count uint64
	state uint64 // largest state sequence up to its end

	want uint64        // how many its leader waits for; 0: for nobody
	full chan struct{} // tells the leader that they came
	lead chan struct{} // tells the group's first entry that it is its turn to lead
	done chan struct{} // closed when the group is durable, or failed with err
	err  error
}

// ticket is one entry's place in a group. Whoever holds it must call wait, since
// the group's first one is the one that writes and syncs it.
type ticket struct {
	g     *group
	leads bool // first of its group
	now   bool // and nobody leads another group
}

// appender sequences entries and makes them durable in groups. The log and the
// ledger are one each.
type appender struct {
	write func(*group) error // writes and syncs a group; one call at a time

	mu      sync.Mutex
	next    uint64  // index of the next entry
	state   uint64  // largest state sequence given out
	open    *group  // gathers; never nil
	busy    bool    // some group is being led, or its leader was called
	err     error   // why nothing can be appended any more
	spare   []byte  // buffer of the last group, to be used again
	company company // its timer is the leader's

	durable      atomic.Uint64 // entries that are synced
	durableState atomic.Uint64 // largest state sequence among them

	syncs, entries, largest atomic.Uint64

	took, of tally // nanoseconds and entries a group
}

func newGroup(buf []byte) *group {
	return &group{buf: buf[:0], full: make(chan struct{}, 1), lead: make(chan struct{}, 1), done: make(chan struct{})}
}

// start sets where the appender goes on.
func (a *appender) start(next, state uint64) {
	a.next, a.state = next, state
	a.durable.Store(next)
	a.durableState.Store(state)
	a.open = newGroup(nil)
}

// expect makes room for entries that are sequenced next. The caller holds a.mu.
func (a *appender) expect(payloads [][]byte) {
	size := 0
	for _, p := range payloads {
		size += frameSize(len(p))
	}
	a.open.buf = slices.Grow(a.open.buf, size)
}

// sequence gives payload the next index. The caller holds a.mu and has seen
// that a.err is nil.
func (a *appender) sequence(kind uint32, payload []byte) (uint64, ticket) {
	if kind == kindRecorded {
		a.state++
	}
	g, index := a.open, a.next
	g.buf = appendFrame(g.buf, frame{kind: kind, index: index, durable: a.durable.Load(), state: a.state, payload: payload})
	t := ticket{g: g}
	if g.count == 0 {
		g.first = index
		t.leads, t.now = true, !a.busy
		a.busy = true
	}
	g.count++
	if g.count == g.want {
		g.full <- struct{}{}
	}
	g.state = a.state
	a.next++
	return index, t
}

// wait returns when the ticket's entry and all before it are durable.
func (a *appender) wait(t ticket) error {
	if t.leads {
		if !t.now {
			select {
			case <-t.g.lead:
			case <-t.g.done:
				return t.g.err
			}
		}
		a.lead(t.g)
	}
	<-t.g.done
	return t.g.err
}

// lead writes and syncs g, which is the open group, and passes the lead on.
func (a *appender) lead(g *group) {
	late := a.gather(g)

	a.mu.Lock()
	a.open = newGroup(a.spare)
	a.spare = nil
	a.mu.Unlock()

	began := time.Now()
	err := a.write(g)

	ended := time.Now()

	a.mu.Lock()
	a.company.learn(ended, g.count, a.open.count, late)
	if err == nil {
		a.took.add(times[:], int64(ended.Sub(began)))
		a.of.add(sizes[:], int64(g.count))
		a.durableState.Store(g.state)
		a.durable.Store(g.first + g.count)
		a.syncs.Add(1)
		a.entries.Add(g.count)
		a.largest.Store(max(a.largest.Load(), g.count))
	} else {
		g.err = fmt.Errorf("%w: %w", store.ErrClosed, err)
		if a.err == nil {
			a.err = g.err
		}
	}
	switch {
	case a.open.count == 0:
		a.busy = false
	case a.err != nil:
		a.open.err = a.err
		close(a.open.done)
	default:
		a.open.lead <- struct{}{}
	}
	if cap(g.buf) <= maxSpare {
		a.spare = g.buf
	}
	a.mu.Unlock()
	g.buf = nil
	close(g.done)
}

const maxSpare = 1 << 20

// failed reports whether everything is refused.
func (a *appender) failed() bool { return a.err != nil }

// fail refuses everything from now on.
func (a *appender) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
}
