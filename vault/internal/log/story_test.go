package log

import (
	"context"
	"crypto"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

const origin = "vault.example.org/log"

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// house is a log with its keys and the people it speaks of.
type house struct {
	t      testing.TB
	ctx    context.Context
	store  store.LogEngine
	ring   *keys.Keyring
	vkey   string
	people []privacy.SubjectID

	mu   sync.Mutex
	deks map[privacy.SubjectID]*keys.DEK
}

func newHouse(t testing.TB, s store.LogEngine, people int) *house {
	t.Helper()
	ring, err := keys.New(noon)
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := VerifierKey(origin, ring.LogSigner().Public())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, ctx: t.Context(), store: s, ring: ring, vkey: vkey, deks: map[privacy.SubjectID]*keys.DEK{}}
	h.people = append(h.people, privacy.Nobody)
	for range people {
		h.people = append(h.people, privacy.NewSubjectID())
	}
	for _, p := range h.people {
		if h.deks[p], err = ring.NewDEK(); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *house) historyKey(_ context.Context, s privacy.SubjectID) (*keys.DEK, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d, ok := h.deks[s]; ok {
		return d, nil
	}
	return nil, ErrErased
}

func (h *house) erase(s privacy.SubjectID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.deks, s)
}

func record(i int) []byte { return fmt.Appendf(nil, `{"decision":%d,"purpose":"order-fulfilment"}`, i) }

// make returns the entry that story number i of the log is about: mostly reads,
// every seventh a consent, and now and then about nobody.
func (h *house) make(i int) Entry {
	h.t.Helper()
	kind := Access
	if i%7 == 3 {
		kind = Consent
	}
	s := h.people[i%len(h.people)]
	e, err := New(h.deks[s], h.ring.VaultID(), kind, s, privacy.NewID(noon.Add(time.Duration(i)*time.Millisecond)), record(i))
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// happen appends n entries and returns them.
func (h *house) happen(n int) []Entry {
	h.t.Helper()
	from := int(h.store.Size())
	out := make([]Entry, n)
	for i := range out {
		out[i] = h.make(from + i)
		if _, err := h.store.Append(h.ctx, out[i].Marshal()); err != nil {
			h.t.Fatal(err)
		}
	}
	return out
}

func (h *house) config(signer crypto.Signer) Config {
	return Config{
		Store: h.store, Vault: h.ring.VaultID(), Signer: signer, Origin: origin,
		HistoryKey: h.historyKey, Every: time.Millisecond,
	}
}

// follow starts a follower that ends with the test.
func (h *house) follow() *Follower {
	h.t.Helper()
	f, err := Follow(h.ctx, h.config(h.ring.LogSigner()))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = f.Close() })
	return f
}

// settle follows all that happened and stops following.
func (h *house) settle() {
	h.t.Helper()
	f := h.follow()
	h.catchUp(f)
	if err := f.Close(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) catchUp(f *Follower) Checkpoint {
	h.t.Helper()
	if err := f.CatchUp(h.ctx, h.store.Size()); err != nil {
		h.t.Fatal(err)
	}
	return f.Head()
}

// verify walks the log as "sayso log verify" does.
func (h *house) verify(held ...[]byte) (Report, error) {
	return Verify(h.ctx, VerifyConfig{
		Store: h.store, Vault: h.ring.VaultID(), VerifierKey: h.vkey, HistoryKey: h.historyKey, Held: held,
	}, nil)
}

// sound fails the test unless the log verifies.
func (h *house) sound(held ...[]byte) Report {
	h.t.Helper()
	r, err := h.verify(held...)
	if err != nil {
		h.t.Fatalf("verifying a log that nobody touched: %v", err)
	}
	return r
}

// mem returns the engine in memory, to be damaged.
func (h *house) mem() *memory { return h.store.(*memory) }

// clone returns a house with a copy of the store, so that a damage hurts none
// but its own case.
func (h *house) clone(t *testing.T) *house {
	m := newMemory()
	for b, rows := range h.mem().rows {
		for _, p := range rows {
			m.rows[b] = append(m.rows[b], put{append([]byte{}, p.key...), append([]byte{}, p.value...)})
		}
	}
	for _, e := range h.mem().log {
		m.log = append(m.log, append([]byte{}, e...))
	}
	m.durable = h.mem().durable
	return &house{t: t, ctx: t.Context(), store: m, ring: h.ring, vkey: h.vkey, people: h.people, deks: maps.Clone(h.deks)}
}

// contains reports which of the words stand in b.
func contains(b []byte, words ...string) []string {
	var found []string
	for _, w := range words {
		if strings.Contains(string(b), w) {
			found = append(found, w)
		}
	}
	return found
}
