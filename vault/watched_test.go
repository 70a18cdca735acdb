package vault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// watched is a store in which a test looks over the vault's shoulder, or pulls
// the rug.
type watched struct {
	store.LogEngine

	mu      sync.Mutex                        // guards the rest
	onEntry func(entry []byte) error          // before each Append; its error is the store's
	onTx    func() error                      // before each Update; its error is the store's
	gets    map[store.Bucket]int              // looks since counted
	scans   map[store.Bucket]int              //
	keyed   int                               // writes of keys
	edit    func(store.Bucket, []byte) []byte // what a snapshot shows instead of a value
}

var errPulled = errors.New("no space left on device")

func (w *watched) wrap(e store.LogEngine) store.LogEngine {
	w.LogEngine = e
	return w
}

// set changes what the store does, while nobody is inside the lock.
func (w *watched) set(change func(*watched)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

func (w *watched) Append(ctx context.Context, entry []byte, on ...store.Condition) (uint64, error) {
	w.mu.Lock()
	hook := w.onEntry
	w.mu.Unlock()
	if hook != nil {
		if err := hook(entry); err != nil {
			return 0, err
		}
	}
	return w.LogEngine.Append(ctx, entry, on...)
}

func (w *watched) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	w.mu.Lock()
	hook := w.onTx
	w.mu.Unlock()
	if hook != nil {
		if err := hook(); err != nil {
			return nil, err
		}
	}
	return w.LogEngine.Update(ctx, fn)
}

func (w *watched) View(ctx context.Context, fn func(store.Snapshot) error) error {
	return w.LogEngine.View(ctx, func(s store.Snapshot) error { return fn(&counted{s, w}) })
}

// watchedKeys is a keys engine whose looks are counted with the store's.
type watchedKeys struct {
	store.Engine
	w *watched
}

func (w *watched) wrapKeys(e store.Engine) store.Engine { return &watchedKeys{e, w} }

func (k *watchedKeys) View(ctx context.Context, fn func(store.Snapshot) error) error {
	return k.Engine.View(ctx, func(s store.Snapshot) error { return fn(&counted{s, k.w}) })
}

func (k *watchedKeys) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	k.w.set(func(w *watched) { w.keyed++ })
	return k.Engine.Update(ctx, fn)
}

// count begins to count looks, counted ends it and tells them, but for those
// of the log's follower, which comes and goes.
func (w *watched) count() {
	w.set(func(w *watched) { w.gets, w.scans = map[store.Bucket]int{}, map[store.Bucket]int{} })
}

func (w *watched) counted() (looks string) {
	w.set(func(w *watched) {
		for _, b := range []store.Bucket{"meta", "governance", "registers", "policies", "standing", "standings", "profiles", "history", "index", "consents", "deks"} {
			if w.gets[b]+w.scans[b] > 0 {
				looks += fmt.Sprintf("%s %d+%d ", b, w.gets[b], w.scans[b])
			}
		}
		w.gets, w.scans = nil, nil
	})
	return looks
}

// counted is a snapshot whose looks are counted.
type counted struct {
	store.Snapshot
	w *watched
}

func (c *counted) Get(b store.Bucket, key []byte) ([]byte, error) {
	value, err := c.Snapshot.Get(b, key)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.gets != nil {
		c.w.gets[b]++
	}
	if c.w.edit != nil && err == nil {
		value = c.w.edit(b, value)
	}
	return value, err
}

func (c *counted) Scan(b store.Bucket, from, to []byte, fn func(key, value []byte) error) error {
	c.w.mu.Lock()
	if c.w.scans != nil {
		c.w.scans[b]++
	}
	c.w.mu.Unlock()
	return c.Snapshot.Scan(b, from, to, fn)
}

// rows returns every row of the buckets that the vault itself writes, and of
// its keys, so that two moments can be compared.
func rows(t testing.TB, v *vaulttest.Vault) map[string]string {
	t.Helper()
	all := map[string]string{}
	read := func(e store.Engine, buckets ...store.Bucket) {
		err := e.View(t.Context(), func(s store.Snapshot) error {
			for _, b := range buckets {
				if err := s.Scan(b, nil, nil, func(k, value []byte) error {
					all[string(b)+"/"+string(k)] = string(value)
					return nil
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(v.Store, "governance", "registers", "policies", "standing", "standings", "profiles", "history", "index", "consents", "receipts", "matches")
	read(v.Keys, "deks")
	return all
}

// sameRows tells which rows differ between two moments.
func sameRows(t testing.TB, before, after map[string]string) {
	t.Helper()
	var changed []string
	for k := range maps.Keys(after) {
		if before[k] != after[k] {
			changed = append(changed, strings.SplitN(k, "/", 2)[0])
		}
	}
	for k := range maps.Keys(before) {
		if _, ok := after[k]; !ok {
			changed = append(changed, strings.SplitN(k, "/", 2)[0])
		}
	}
	if len(changed) > 0 {
		slices.Sort(changed)
		t.Errorf("rows changed: got %v, want none", changed)
	}
}

// refusedWith checks that a call was refused with a code.
func refusedWith(t testing.TB, err error, code string) *vault.Error {
	t.Helper()
	var refused *vault.Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Fatalf("got %v, want it refused with %s", err, code)
	}
	return refused
}
