package storetest

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/vault/store"
)

// Maker makes one store and opens it again.
type Maker struct {
	// Open opens the store; the first call makes it. The suite closes what it
	// opened before it opens again.
	Open func() (store.Engine, error)
	// Log says that what Open returns is a store.LogEngine.
	Log bool
	// Crash returns what a power cut at this moment would leave of the store, to
	// be opened beside it. Called while the store is busy. Nil skips the stories
	// of power cuts.
	Crash func() (Maker, error)
}

type story struct {
	name string
	tell func(t *testing.T, m Maker)
}

// Run tells every story to a store of its own.
func Run(t *testing.T, make func(t *testing.T) Maker) {
	t.Helper()
	stories := bucketStories
	stories = append(stories[:len(stories):len(stories)], concurrencyStories...)
	if make(t).Log {
		stories = append(stories, logStories...)
		stories = append(stories, conditionStories...)
	}
	stories = append(stories, crashStories...)
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			leaks := goleak.IgnoreCurrent()
			// Cleanups run last first: this one after the stores are closed.
			t.Cleanup(func() {
				if err := goleak.Find(leaks); err != nil {
					t.Errorf("goroutines are left after Close: %v", err)
				}
			})
			s.tell(t, make(t))
		})
	}
}

// open opens the store until the test ends.
func open(t *testing.T, m Maker) store.Engine {
	t.Helper()
	e, err := m.Open()
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return e
}

func openLog(t *testing.T, m Maker) store.LogEngine {
	t.Helper()
	return open(t, m).(store.LogEngine)
}

func shut(t *testing.T, e store.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
}

func update(t *testing.T, e store.Engine, fn func(store.Tx) error) []uint64 {
	t.Helper()
	indexes, err := e.Update(t.Context(), fn)
	if err != nil {
		t.Fatalf("updating: %v", err)
	}
	return indexes
}

func put(t *testing.T, e store.Engine, b store.Bucket, key, value string) {
	t.Helper()
	update(t, e, func(tx store.Tx) error { return tx.Put(b, []byte(key), []byte(value)) })
}

// read returns the value at key, and "-" if there is none.
func read(t *testing.T, e store.Engine, b store.Bucket, key string) string {
	t.Helper()
	var got string
	err := e.View(t.Context(), func(s store.Snapshot) (err error) {
		got, err = value(s, b, key)
		return err
	})
	if err != nil {
		t.Fatalf("viewing: %v", err)
	}
	return got
}

func value(r store.Reader, b store.Bucket, key string) (string, error) {
	v, err := r.Get(b, []byte(key))
	if v == nil {
		return "-", err
	}
	return string(v), err
}

// all returns a bucket's keys and values in the order in which a scan gives
// them.
func all(r store.Reader, b store.Bucket, from, to []byte) (keys, values []string, err error) {
	err = r.Scan(b, from, to, func(k, v []byte) error {
		keys, values = append(keys, string(k)), append(values, string(v))
		return nil
	})
	return keys, values, err
}

func unchanged(t *testing.T, e store.Engine, b store.Bucket, key string) store.Condition {
	t.Helper()
	var c store.Condition
	if err := e.View(t.Context(), func(s store.Snapshot) error { c = s.Unchanged(b, []byte(key)); return nil }); err != nil {
		t.Fatalf("viewing: %v", err)
	}
	return c
}

// entries returns the whole log.
func entries(t *testing.T, e store.LogEngine) []string {
	t.Helper()
	var all []string
	err := e.Entries(context.Background(), 0, e.Size(), func(i uint64, entry []byte) error {
		if i != uint64(len(all)) {
			t.Errorf("entry %d came after %d others", i, len(all))
		}
		all = append(all, string(entry))
		return nil
	})
	if err != nil {
		t.Fatalf("reading the log: %v", err)
	}
	return all
}

var errOnPurpose = errors.New("on purpose")
