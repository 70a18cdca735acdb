package log

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// erasures is a house in which people are erased as the vault does it.
type erasures struct {
	*house
	once map[privacy.SubjectID]bool
}

func (h *erasures) verify() (Report, error) {
	return Verify(h.ctx, VerifyConfig{
		Store: h.store, Vault: h.ring.VaultID(), VerifierKey: h.vkey, HistoryKey: h.historyKey,
		Erased: func(_ context.Context, s privacy.SubjectID) (bool, error) { return h.once[s], nil },
		Orphaned: func(record []byte) (o Orphans, ok bool) {
			return o, json.Unmarshal(record, &o) == nil
		},
	}, nil)
}

// record appends what an erasure says of itself.
func (h *erasures) record(o Orphans) {
	h.t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		h.t.Fatal(err)
	}
	e, err := New(h.deks[privacy.Nobody], h.ring.VaultID(), Erasure, privacy.Nobody, privacy.NewID(noon.Add(time.Hour)), text)
	if err == nil {
		_, err = h.store.Append(h.ctx, e.Marshal())
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func newErasures(t *testing.T) (*erasures, *Follower) {
	h := &erasures{house: newHouse(t, newMemory(), 3), once: map[privacy.SubjectID]bool{}}
	f := h.follow()
	h.happen(300)
	h.catchUp(f)
	return h, f
}

// Whoever destroys a key has to say so in the log: an opening that is gone and
// that no erasure accounts for is found, with its index.
func TestAnOpeningThatIsGoneIsNoErasure(t *testing.T) {
	h, f := newErasures(t)
	ana, ben := h.people[1], h.people[2]
	of, err := f.Orphans(h.ctx, ana)
	if err != nil || of.Count != 75 {
		t.Fatalf("orphans: got %d, %v, want 75", of.Count, err)
	}
	h.erase(ana)
	var bad *BadIndexError
	if _, err := h.verify(); !errors.As(err, &bad) || bad.Index != 1 {
		t.Errorf("nothing says that she was erased: got %v, want index 1", err)
	}
	h.record(of)
	h.catchUp(f)
	if r, err := h.verify(); err != nil || r.Erased != 75 {
		t.Errorf("her erasure is recorded: got %+v, %v", r, err)
	}
	h.erase(ben)
	if _, err := h.verify(); !errors.As(err, &bad) || bad.Index != 2 {
		t.Errorf("his key is gone, too: got %v, want index 2", err)
	}
}

// One of the entries she had was left out of what the erasure says.
func TestAnErasureSaysExactlyWhatItOrphaned(t *testing.T) {
	h, f := newErasures(t)
	ana := h.people[1]
	before, err := f.Orphans(h.ctx, ana)
	if err != nil {
		t.Fatal(err)
	}
	h.happen(2) // the second about her
	h.catchUp(f)
	h.erase(ana)
	h.record(before)
	h.catchUp(f)
	if _, err := h.verify(); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want a bad index", err)
	}
}

// Ana was erased, and comes back under her ID and another key. Her entries of
// now verify, and those of before do not lead to her.
func TestWhoComesBackBeginsAnew(t *testing.T) {
	h, f := newErasures(t)
	ana := h.people[1]
	of, err := f.Orphans(h.ctx, ana)
	if err != nil {
		t.Fatal(err)
	}
	h.erase(ana)
	h.once[ana] = true
	h.record(of)
	h.catchUp(f)
	if _, err := h.verify(); err != nil {
		t.Fatalf("with her row still there: %v", err)
	}
	if _, err := h.store.Update(h.ctx, func(tx store.Tx) error { return Forget(tx, ana) }); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(); err != nil {
		t.Fatalf("without her row: %v", err)
	}
	h.mu.Lock()
	h.deks[ana], err = h.ring.NewDEK()
	h.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	h.happen(40)
	if r, err := h.verify(); err != nil || r.Erased != 75 {
		t.Errorf("come back, not hashed yet: got %+v, %v", r, err)
	}
	h.catchUp(f)
	r, err := h.verify()
	if err != nil || r.Erased != 75 {
		t.Errorf("come back: got %+v, %v", r, err)
	}
	if page, err := f.BySubject(h.ctx, ana, Newest, 100); err != nil || len(page) != 10 {
		t.Errorf("entries about her: got %d, %v, want 10", len(page), err)
	}
	// An entry of now that does not open is none of before.
	if _, err := h.store.Append(h.ctx, h.foreign(ana).Marshal()); err != nil {
		t.Fatal(err)
	}
	h.catchUp(f)
	if _, err := h.verify(); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("an entry under another key: got %v, want a bad index", err)
	}
}

// foreign is an entry about somebody that is sealed under nobody's key.
func (h *erasures) foreign(s privacy.SubjectID) Entry {
	h.t.Helper()
	var dek *keys.DEK
	dek, err := h.ring.NewDEK()
	if err != nil {
		h.t.Fatal(err)
	}
	e, err := New(dek, h.ring.VaultID(), Access, s, privacy.NewID(noon), record(1))
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}
