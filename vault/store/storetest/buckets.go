package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/store"
)

var bucketStories = []story{
	{"a new store is empty and every bucket exists", emptyStore},
	{"an empty value is not an absent one", emptyValue},
	{"a scan goes in the order of bytes between its bounds", scanOrder},
	{"a scan stops when told to", scanStops},
	{"an update sees its own writes", ownWrites},
	{"an update that fails leaves nothing", failedUpdate},
	{"a store behaves as a sorted map would", sortedMap},
	{"keys that no store can hold are refused", badKeys},
	{"what was written is there after reopening", reopen},
	{"clearing what was deleted changes nothing that is there", scrub},
	{"a closed store says so", closed},
}

func scrub(t *testing.T, m Maker) {
	e := open(t, m)
	for i := range 300 {
		put(t, e, "people", fmt.Sprintf("person %03d", i%200), fmt.Sprintf("value %d", i))
	}
	update(t, e, func(tx store.Tx) error { return tx.Delete("people", []byte("person 007")) })
	for range 2 {
		err := e.Scrub(t.Context(), func(done, of uint64) {
			if done > of {
				t.Errorf("progress: %d of %d", done, of)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(t, e, "people", "person 200", "value 300")
	for key, want := range map[string]string{"person 007": "-", "person 099": "value 299", "person 199": "value 199", "person 200": "value 300"} {
		if got := read(t, e, "people", key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := e.Scrub(stopped, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: got %v, want context.Canceled", err)
	}
}

func emptyStore(t *testing.T, m Maker) {
	e := open(t, m)
	if got := read(t, e, "people", "ann"); got != "-" {
		t.Errorf("got %q from an empty store", got)
	}
	err := e.View(t.Context(), func(s store.Snapshot) error {
		keys, _, err := all(s, "people", nil, nil)
		if len(keys) > 0 {
			t.Errorf("got keys %q from an empty store", keys)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	update(t, e, func(tx store.Tx) error { return tx.Delete("people", []byte("ann")) })
}

func emptyValue(t *testing.T, m Maker) {
	e := open(t, m)
	look := func(r store.Reader) error {
		v, err := r.Get("b", []byte("empty"))
		if v == nil || len(v) != 0 {
			t.Errorf("got %#v for an empty value, want an empty slice that is not nil", v)
		}
		if v, _ := r.Get("b", []byte("absent")); v != nil {
			t.Errorf("got %#v for an absent value, want nil", v)
		}
		return err
	}
	for _, empty := range [][]byte{nil, {}} {
		update(t, e, func(tx store.Tx) error {
			if err := tx.Put("b", []byte("empty"), empty); err != nil {
				return err
			}
			return look(tx)
		})
		if err := e.View(t.Context(), func(s store.Snapshot) error { return look(s) }); err != nil {
			t.Error(err)
		}
		update(t, e, func(tx store.Tx) error { return look(tx) })
	}
}

func scanOrder(t *testing.T, m Maker) {
	e := open(t, m)
	keys := []string{"b", "\x00", "a\xff", "\xff\xff", "a", "a\x00", "c"}
	sorted := slices.Sorted(slices.Values(keys))
	update(t, e, func(tx store.Tx) error {
		for _, k := range keys {
			if err := errors.Join(tx.Put("here", []byte(k), []byte("v"+k)), tx.Put("there", []byte("x"+k), nil)); err != nil {
				return err
			}
		}
		return nil
	})
	bounds := append([]string{"", "a\x01", "zz", "\xff\xff\xff"}, keys...)
	check := func(r store.Reader) error {
		for _, from := range append(bounds, "nil") {
			for _, to := range append(bounds, "nil") {
				want := slices.DeleteFunc(slices.Clone(sorted), func(k string) bool {
					return from != "nil" && k < from || to != "nil" && k >= to
				})
				got, values, err := all(r, "here", bound(from), bound(to))
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("scan from %q to %q: got %q and %v, want %q", from, to, got, err, want)
				}
				for i, v := range values {
					if v != "v"+got[i] {
						t.Errorf("key %q came with value %q", got[i], v)
					}
				}
			}
		}
		return nil
	}
	if err := e.View(t.Context(), func(s store.Snapshot) error { return check(s) }); err != nil {
		t.Error(err)
	}
	update(t, e, func(tx store.Tx) error { return check(tx) })
}

// bound makes "nil" a nil bound, which "" is not: nothing is before an empty
// upper bound.
func bound(s string) []byte {
	if s == "nil" {
		return nil
	}
	return []byte(s)
}

func scanStops(t *testing.T, m Maker) {
	e := open(t, m)
	update(t, e, func(tx store.Tx) error {
		return errors.Join(tx.Put("b", []byte("1"), nil), tx.Put("b", []byte("2"), nil), tx.Put("b", []byte("3"), nil))
	})
	check := func(r store.Reader) error {
		for _, stop := range []error{store.ErrStop, fmt.Errorf("enough: %w", store.ErrStop), errOnPurpose} {
			n := 0
			err := r.Scan("b", nil, nil, func([]byte, []byte) error {
				if n++; n == 2 {
					return stop
				}
				return nil
			})
			if n != 2 {
				t.Errorf("scan went on to %d keys after %v", n, stop)
			}
			if errors.Is(stop, store.ErrStop) && err != nil || stop == errOnPurpose && err != errOnPurpose {
				t.Errorf("scan ended by %v returned %v", stop, err)
			}
		}
		return nil
	}
	if err := e.View(t.Context(), func(s store.Snapshot) error { return check(s) }); err != nil {
		t.Error(err)
	}
	update(t, e, func(tx store.Tx) error { return check(tx) })
}

func ownWrites(t *testing.T, m Maker) {
	e := open(t, m)
	update(t, e, func(tx store.Tx) error {
		return errors.Join(tx.Put("b", []byte("1"), []byte("old")), tx.Put("b", []byte("2"), []byte("old")), tx.Put("b", []byte("4"), []byte("old")))
	})
	update(t, e, func(tx store.Tx) error {
		err := errors.Join(tx.Delete("b", []byte("1")), tx.Put("b", []byte("2"), []byte("new")), tx.Put("b", []byte("3"), []byte("new")))
		if err != nil {
			return err
		}
		keys, values, err := all(tx, "b", nil, nil)
		if got, want := strings.Join(keys, " ")+": "+strings.Join(values, " "), "2 3 4: new new old"; got != want {
			t.Errorf("inside the update a scan gave %q, want %q", got, want)
		}
		if got, _ := value(tx, "b", "1"); got != "-" {
			t.Errorf("inside the update the deleted key gave %q", got)
		}
		return err
	})
}

func failedUpdate(t *testing.T, m Maker) {
	e := open(t, m)
	put(t, e, "b", "kept", "before")
	_, err := e.Update(t.Context(), func(tx store.Tx) error {
		err := errors.Join(tx.Put("b", []byte("kept"), []byte("after")), tx.Put("b", []byte("fresh"), nil), tx.Delete("b", []byte("kept")))
		if m.Log {
			err = errors.Join(err, tx.Record([]byte("of nothing")))
		}
		return errors.Join(err, errOnPurpose)
	})
	if !errors.Is(err, errOnPurpose) {
		t.Errorf("got %v, want the function's own error", err)
	}
	if got := read(t, e, "b", "kept") + " " + read(t, e, "b", "fresh"); got != "before -" {
		t.Errorf("after a failed update: got %q, want %q", got, "before -")
	}
	if m.Log {
		if got := entries(t, e.(store.LogEngine)); len(got) > 0 {
			t.Errorf("a failed update left %q in the log", got)
		}
	}
}

// sortedMap compares random updates, some of which fail, with a map.
func sortedMap(t *testing.T, m Maker) {
	e := open(t, m)
	world := map[string]string{} // lives as long as the store
	key := rapid.StringMatching(`[a-e]{1,3}`)
	rapid.Check(t, func(r *rapid.T) {
		next := maps.Clone(world)
		fail := rapid.IntRange(0, 3).Draw(r, "fail") == 0
		ops := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) [3]string {
			return [3]string{rapid.SampledFrom([]string{"put", "put", "delete", "get", "scan"}).Draw(r, "op"), key.Draw(r, "key"), key.Draw(r, "other")}
		}), 0, 120).Draw(r, "ops")
		_, err := e.Update(t.Context(), func(tx store.Tx) error {
			maps.Copy(next, world)
			for _, op := range ops {
				switch k := []byte(op[1]); op[0] {
				case "put":
					next[op[1]] = op[2]
					if err := tx.Put("b", k, []byte(op[2])); err != nil {
						return err
					}
				case "delete":
					delete(next, op[1])
					if err := tx.Delete("b", k); err != nil {
						return err
					}
				case "get":
					want, ok := next[op[1]]
					if got, err := tx.Get("b", k); err != nil || ok != (got != nil) || string(got) != want {
						r.Errorf("get %q: got %q, %v, want %q", k, got, err, want)
					}
				case "scan":
					same(r, tx, next, op[1], op[2])
				}
			}
			if fail {
				return errOnPurpose
			}
			return nil
		})
		if fail != errors.Is(err, errOnPurpose) {
			r.Fatalf("update returned %v", err)
		}
		if !fail {
			world = next
		}
		if err := e.View(t.Context(), func(s store.Snapshot) error { same(r, s, world, "", "zzzz"); return nil }); err != nil {
			r.Fatal(err)
		}
	})
}

func same(r *rapid.T, got store.Reader, want map[string]string, from, to string) {
	var sorted []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if k >= from && k < to {
			sorted = append(sorted, k)
		}
	}
	keys, values, err := all(got, "b", []byte(from), []byte(to))
	if err != nil || !slices.Equal(keys, sorted) {
		r.Fatalf("scan from %q to %q: got %q, %v, want %q", from, to, keys, err, sorted)
	}
	for i, k := range keys {
		if values[i] != want[k] {
			r.Fatalf("scan gave %q for %q, want %q", values[i], k, want[k])
		}
	}
}

func badKeys(t *testing.T, m Maker) {
	e := open(t, m)
	for what, try := range map[string]func(store.Tx) error{
		"put at an empty key":  func(tx store.Tx) error { return tx.Put("b", nil, []byte("v")) },
		"put in no bucket":     func(tx store.Tx) error { return tx.Put("", []byte("k"), nil) },
		"put at a huge key":    func(tx store.Tx) error { return tx.Put("b", bytes.Repeat([]byte("k"), 1<<20), nil) },
		"delete the empty key": func(tx store.Tx) error { return tx.Delete("b", nil) },
	} {
		if _, err := e.Update(t.Context(), try); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	err := e.View(t.Context(), func(s store.Snapshot) error {
		if v, err := s.Get("b", nil); v != nil || err != nil {
			t.Errorf("got %q, %v at the empty key", v, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	put(t, e, "b", "k", "the store still works")
}

func reopen(t *testing.T, m Maker) {
	e, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		put(t, e, "b", fmt.Sprintf("%03d", i), strings.Repeat("v", i*100))
	}
	update(t, e, func(tx store.Tx) error { return tx.Delete("b", []byte("050")) })
	for range 3 {
		shut(t, e)
		if e, err = m.Open(); err != nil {
			t.Fatalf("opening again: %v", err)
		}
		for i := range 100 {
			got, want := read(t, e, "b", fmt.Sprintf("%03d", i)), strings.Repeat("v", i*100)
			if i == 50 {
				want = "-"
			}
			if got != want {
				t.Errorf("after reopening key %d has %d bytes, want %d", i, len(got), len(want))
			}
		}
	}
	shut(t, e)
}

func closed(t *testing.T, m Maker) {
	e := open(t, m)
	put(t, e, "b", "k", "v")
	var late store.Snapshot
	if err := e.View(t.Context(), func(s store.Snapshot) error { late = s; return nil }); err != nil {
		t.Error(err)
	}
	if _, err := late.Get("b", []byte("k")); err == nil {
		t.Error("a snapshot was read after its view returned")
	}
	shut(t, e)
	if err := e.View(t.Context(), func(store.Snapshot) error { t.Error("a view ran"); return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("view: got %v, want ErrClosed", err)
	}
	if _, err := e.Update(t.Context(), func(store.Tx) error { t.Error("an update ran"); return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("update: got %v, want ErrClosed", err)
	}
	if m.Log {
		l := e.(store.LogEngine)
		if _, err := l.Append(t.Context(), []byte("x")); !errors.Is(err, store.ErrClosed) {
			t.Errorf("append: got %v, want ErrClosed", err)
		}
		if err := l.Entries(t.Context(), 0, 1, func(uint64, []byte) error { return nil }); !errors.Is(err, store.ErrClosed) {
			t.Errorf("entries: got %v, want ErrClosed", err)
		}
	}
	if err := e.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}
