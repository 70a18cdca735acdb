package log

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// lazily follows with rows that are written only when more than most entries wait
// for that.
func (h *house) lazily(most int) *Follower {
	h.t.Helper()
	cfg := h.config(h.ring.LogSigner())
	cfg.maxDue, cfg.atRest = most, -1
	f, err := Follow(h.ctx, cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = f.Close() })
	return f
}

func (h *house) catchUpTree(f *Follower) {
	h.t.Helper()
	if err := f.CatchUpTree(h.ctx, h.store.Size()); err != nil {
		h.t.Fatal(err)
	}
}

// findsAll fails unless everybody's entries are found, the latest first.
func (h *house) findsAll(f *Follower, entries []Entry) {
	h.t.Helper()
	for _, p := range h.people {
		found, err := f.BySubject(h.ctx, p, Newest, len(entries)+1)
		if err != nil {
			h.t.Fatal(err)
		}
		n := 0
		for i := len(entries) - 1; i >= 0; i-- {
			if entries[i].Subject != p {
				continue
			}
			if n == len(found) || found[n].Index != uint64(i) || found[n].Entry.Commitment != entries[i].Commitment {
				h.t.Fatalf("entry %d about %s is not found in its place, %d", i, p, n)
			}
			n++
		}
		if n != len(found) {
			h.t.Fatalf("%s: got %d entries, want %d", p, len(found), n)
		}
	}
}

// rowOf returns where a person's row in the store leads, none if there is no row.
func (h *house) rowOf(p privacy.SubjectID) (last uint64) {
	h.t.Helper()
	err := h.store.View(h.ctx, func(s store.Snapshot) (err error) {
		last, err = latest(s, p)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return last
}

// What is due to people's rows waits, and nobody notices: the entries are found,
// the log verifies, a process that ended at any moment finds them again, and whoever
// needs the rows gets them.
func TestRowsWaitAndNothingIsMissed(t *testing.T) {
	h := newHouse(t, newMemory(), 9)
	var entries []Entry
	f := h.lazily(150)
	lagged := false
	for _, n := range []int{40, 100, 1, 90, 200, 33} {
		entries = append(entries, h.happen(n)...)
		h.catchUpTree(f)
		h.findsAll(f, entries)
		h.sound()
		for i, e := range entries {
			if last := h.rowOf(e.Subject); last == none || last < uint64(i) {
				lagged = true
			}
		}
		if err := f.Close(); err != nil { // as good as a crash: it writes nothing
			t.Fatal(err)
		}
		h.sound()
		f = h.lazily(150)
		h.findsAll(f, entries)
	}
	if !lagged {
		t.Fatal("no row ever waited")
	}
	h.catchUp(f)
	for i, e := range entries {
		if last := h.rowOf(e.Subject); last < uint64(i) {
			t.Fatalf("the row of %s leads to %d, want %d or later", e.Subject, last, i)
		}
	}
	if r := h.sound(); r.Trails != 10 {
		t.Errorf("%d trails match, want 10", r.Trails)
	}
	for _, p := range h.people {
		trail, err := f.Trail(h.ctx, p)
		reads := uint64(0)
		for _, e := range entries {
			if e.Subject == p && e.Kind == Access {
				reads++
			}
		}
		if err != nil || trail.Count != reads {
			t.Errorf("trail of %s: got %d, %v, want %d", p, trail.Count, err, reads)
		}
	}
}

// Few wait at most, also when much happens at once.
func TestNoMoreWaitsThanMay(t *testing.T) {
	h := newHouse(t, newMemory(), 200)
	f := h.lazily(100)
	for range 20 {
		h.happen(60)
		h.catchUpTree(f)
		f.mu.Lock()
		waiting := f.waiting
		f.mu.Unlock()
		if waiting > 100+60 {
			t.Fatalf("%d entries wait, want at most 100 and those of a run", waiting)
		}
	}
	h.sound()
}

// A row that was put back or taken away is found as before, though others lag.
func TestARowThatWasPutBackIsFoundWhileOthersWait(t *testing.T) {
	h := newHouse(t, newMemory(), 5)
	ana := h.people[1]
	h.happen(60)
	h.settle()
	set := func(m *memory, b store.Bucket, key, value []byte) {
		if value == nil {
			_ = memoryTx{m}.Delete(b, key)
			return
		}
		_ = memoryTx{m}.Put(b, key, value)
	}
	get := func(m *memory, b store.Bucket, key []byte) []byte {
		v, _ := memoryTx{m}.Get(b, key)
		return bytes.Clone(v)
	}
	old := get(h.mem(), personBucket, ana[:])
	h.happen(60)
	h.settle()
	f := h.lazily(1000)
	h.happen(60)
	h.catchUpTree(f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if h.rowOf(ana) >= 120 {
		t.Fatal("her row does not lag")
	}
	h.sound()
	for story, change := range map[string]func(*memory){
		"put back": func(m *memory) { set(m, personBucket, ana[:], old) },
		"gone":     func(m *memory) { set(m, personBucket, ana[:], nil) },
		"said to lag more than it does": func(m *memory) {
			said := bytes.Clone(get(m, stateBucket, peopleKey))
			clear(said[1:])
			set(m, stateBucket, peopleKey, said)
		},
		"said to know more than it does": func(m *memory) {
			said := bytes.Clone(get(m, stateBucket, peopleKey))
			for i := range shares {
				copy(said[1+8*i:], []byte{0, 0, 0, 0, 0, 0, 0, 180})
			}
			set(m, stateBucket, peopleKey, said)
		},
		"nobody says how far": func(m *memory) { set(m, stateBucket, peopleKey, nil) },
	} {
		c := h.clone(t)
		change(c.mem())
		if _, err := c.verify(); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: got %v, want it found", story, err)
		}
	}
}

// Her key is destroyed while reads of her wait to enter her row. Once the follower
// caught up her row can be removed, and nothing that waited puts it back.
func TestWhatWaitsDoesNotBringTheErasedBack(t *testing.T) {
	h := newHouse(t, newMemory(), 3)
	ana := h.people[1]
	f := h.lazily(1000)
	h.happen(40)
	h.catchUp(f)
	h.happen(40)
	h.catchUpTree(f)
	h.erase(ana)
	orphans, err := f.Orphans(h.ctx, ana)
	if err != nil || orphans.Count != 20 {
		t.Fatalf("orphaned: got %d, %v, want 20", orphans.Count, err)
	}
	if _, err := h.store.Update(h.ctx, func(tx store.Tx) error { return Forget(tx, ana) }); err != nil {
		t.Fatal(err)
	}
	h.people = append(h.people[:1:1], h.people[2:]...)
	h.happen(40)
	h.catchUp(f)
	if last := h.rowOf(ana); last != none {
		t.Errorf("her row is back and leads to %d", last)
	}
	if page, err := f.BySubject(h.ctx, ana, Newest, 100); err != nil || len(page) != 0 {
		t.Errorf("entries about the erased: got %d, %v, want none", len(page), err)
	}
	h.sound()
}
