package log

import (
	"context"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// mortal is an engine whose process ends at its n-th step: from then on nothing
// happens any more. An update has two steps, before and after it is kept.
type mortal struct {
	store.LogEngine
	mu   sync.Mutex // guards left
	left int
}

func (m *mortal) step() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == 0 {
		return store.ErrClosed
	}
	m.left--
	return nil
}

func (m *mortal) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left == 0
}

func (m *mortal) View(ctx context.Context, fn func(store.Snapshot) error) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.LogEngine.View(ctx, fn)
}

func (m *mortal) Entries(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.LogEngine.Entries(ctx, from, to, func(index uint64, entry []byte) error {
		if index%100 == 99 { // in the middle of a run, too
			if err := m.step(); err != nil {
				return err
			}
		}
		return fn(index, entry)
	})
}

func (m *mortal) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	if err := m.step(); err != nil {
		return nil, err
	}
	at, err := m.LogEngine.Update(ctx, fn)
	if err != nil {
		return nil, err
	}
	return at, m.step()
}

// The process ends at each step of following in turn, the first of all ever
// included: a checkpoint that anybody saw never goes back, no entry is hashed,
// found or counted twice or not at all, and what was signed before still holds.
func TestACrashAtAnyStepOfFollowing(t *testing.T) {
	h := newHouse(t, newMemory(), 5)
	plain := h.store
	var held [][]byte
	for steps := 0; ; steps++ {
		h.store = plain
		h.happen(300) // tiles fill on the way
		life := &mortal{LogEngine: plain, left: steps}
		h.store = life
		var shown Checkpoint
		f, err := Follow(h.ctx, h.config(h.ring.LogSigner()))
		if err == nil {
			_ = f.CatchUp(h.ctx, plain.Size()) // as far as it gets
			shown = f.Head()
			if signed, err := f.Checkpoint(h.ctx); err == nil {
				held = append(held, signed)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		} else if !life.dead() {
			t.Fatal(err)
		}

		h.store = plain
		next, err := Follow(h.ctx, h.config(h.ring.LogSigner()))
		if err != nil {
			t.Fatalf("after %d steps: %v", steps, err)
		}
		if head := next.Head(); head.Size < shown.Size || head.Size == shown.Size && shown.Origin != "" && head != shown {
			t.Fatalf("after %d steps: a checkpoint of %d was shown, and after the restart one of %d", steps, shown.Size, head.Size)
		}
		h.catchUp(next)
		signed, err := next.Checkpoint(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, signed)
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
		if r := h.sound(held...); r.Hashed != plain.Size() {
			t.Fatalf("after %d steps: %d of %d entries are hashed", steps, r.Hashed, plain.Size())
		}
		if !life.dead() {
			if steps < 8 {
				t.Errorf("a life has only %d steps: too few to tell anything", steps)
			}
			return
		}
	}
}
