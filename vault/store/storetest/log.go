package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

var logStories = []story{
	{"entries stand in the order of their indexes", order},
	{"many append at once and each finds its own entry", manyAppend},
	{"entries of every size are kept as they are", sizes},
	{"a log goes on where it ended", goesOn},
	{"records stand in the log when their update is answered", records},
}

var conditionStories = []story{
	{"an append whose condition holds is kept", conditionHolds},
	{"an append on what has changed is refused and keeps nothing", conditionFails},
	{"a condition that no snapshot made never holds", foreignCondition},
	{"no append stands after a change that it did not see", barrier},
}

func order(t *testing.T, m Maker) {
	e := openLog(t, m)
	if e.Size() != 0 {
		t.Errorf("a new log has %d entries", e.Size())
	}
	for i := range 300 {
		index, err := e.Append(t.Context(), fmt.Append(nil, "entry ", i))
		if err != nil || index != uint64(i) {
			t.Fatalf("append %d: got index %d, %v", i, index, err)
		}
		if e.Size() != index+1 {
			t.Fatalf("after append %d the size is %d", i, e.Size())
		}
	}
	for _, r := range [][2]uint64{{0, 300}, {0, 0}, {7, 7}, {299, 300}, {63, 65}, {100, 1000}, {300, 400}, {9, 3}} {
		next := r[0]
		err := e.Entries(t.Context(), r[0], r[1], func(i uint64, entry []byte) error {
			if want := fmt.Sprint("entry ", i); i != next || string(entry) != want {
				t.Errorf("entries from %d: got %d %q, want %d %q", r[0], i, entry, next, want)
			}
			next++
			return nil
		})
		if want := max(r[0], min(r[1], 300)); err != nil || next != want {
			t.Errorf("entries from %d to %d ended at %d with %v", r[0], r[1], next, err)
		}
	}
	if err := e.Entries(t.Context(), 0, 300, func(uint64, []byte) error { return errOnPurpose }); !errors.Is(err, errOnPurpose) {
		t.Errorf("entries did not return its function's error but %v", err)
	}
}

func manyAppend(t *testing.T, m Maker) {
	e := openLog(t, m)
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := range 40 {
				entry := fmt.Sprintf("%d of %d %s", i, g, strings.Repeat("x", g*i%257))
				index, err := e.Append(context.Background(), []byte(entry))
				if err != nil {
					t.Errorf("appending: %v", err)
					return
				}
				got := ""
				err = e.Entries(context.Background(), index, index+1, func(_ uint64, b []byte) error { got = string(b); return nil })
				if err != nil || got != entry {
					t.Errorf("entry %d: got %q, %v, want %q", index, got, err, entry)
				}
			}
		})
	}
	wg.Wait()
	if got := len(entries(t, e)); got != 64*40 || e.Size() != 64*40 {
		t.Errorf("the log has %d entries and size %d, want %d", got, e.Size(), 64*40)
	}
}

func sizes(t *testing.T, m Maker) {
	e, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	l := e.(store.LogEngine)
	for _, bad := range [][]byte{nil, {}, make([]byte, store.MaxEntry+1)} {
		if _, err := l.Append(t.Context(), bad); err == nil {
			t.Errorf("an entry of %d bytes was kept", len(bad))
		}
		if _, err := l.Update(t.Context(), func(tx store.Tx) error { return tx.Record(bad) }); err == nil {
			t.Errorf("a record of %d bytes was kept", len(bad))
		}
	}
	lengths := []int{1, 7, 8, 9, 4096, store.MaxEntry, 3, store.MaxEntry - 1, store.MaxEntry, 1, 100_000}
	for i, n := range lengths {
		if _, err := l.Append(t.Context(), pattern(i, n)); err != nil {
			t.Fatalf("an entry of %d bytes: %v", n, err)
		}
	}
	check := func() {
		t.Helper()
		n := 0
		err := l.Entries(t.Context(), 0, l.Size(), func(i uint64, entry []byte) error {
			if !bytes.Equal(entry, pattern(int(i), lengths[i])) {
				t.Errorf("entry %d of %d bytes is not what was appended", i, lengths[i])
			}
			n++
			return nil
		})
		if n != len(lengths) || err != nil {
			t.Errorf("got %d entries, %v", n, err)
		}
	}
	check()
	shut(t, e)
	l = openLog(t, m)
	check()
}

// pattern holds no zeros and no two equal ones.
func pattern(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + (i*7+seed*13)%255)
	}
	return b
}

func goesOn(t *testing.T, m Maker) {
	var want []string
	for round := range 4 {
		e, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		l := e.(store.LogEngine)
		if got := entries(t, l); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("in round %d the log holds %q, want %q", round, got, want)
		}
		for i := range round * 2 { // in the first round none
			entry := fmt.Sprintf("round %d, %d", round, i)
			if i%2 == 0 {
				_, err = l.Append(t.Context(), []byte(entry))
			} else {
				_, err = l.Update(t.Context(), func(tx store.Tx) error { return tx.Record([]byte(entry)) })
			}
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, entry)
		}
		shut(t, e)
	}
}

func records(t *testing.T, m Maker) {
	e := openLog(t, m)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 10 {
				var want []string
				indexes, err := e.Update(context.Background(), func(tx store.Tx) error {
					want = nil
					err := tx.Put("b", fmt.Append(nil, g), fmt.Append(nil, i))
					for n := range i % 4 {
						want = append(want, fmt.Sprintf("record %d of update %d of %d", n, i, g))
						err = errors.Join(err, tx.Record([]byte(want[n])))
					}
					return err
				})
				if err != nil || len(indexes) != len(want) {
					t.Errorf("update with %d records: got indexes %v, %v", len(want), indexes, err)
					return
				}
				for n, index := range indexes {
					got := ""
					err := e.Entries(context.Background(), index, index+1, func(_ uint64, b []byte) error { got = string(b); return nil })
					if err != nil || got != want[n] || n > 0 && index <= indexes[n-1] {
						t.Errorf("record %d at %v: got %q, %v, want %q", n, indexes, got, err, want[n])
					}
				}
				if _, err := e.Append(context.Background(), []byte("between")); err != nil {
					t.Errorf("appending: %v", err)
				}
			}
		})
	}
	wg.Wait()
	entries(t, e)
}

func conditionHolds(t *testing.T, m Maker) {
	e := openLog(t, m)
	put(t, e, "standing", "ann", "1")
	here, absent := unchanged(t, e, "standing", "ann"), unchanged(t, e, "standing", "bob")
	put(t, e, "standing", "cid", "1") // others may change
	put(t, e, "value", "ann", "1")
	for range 3 { // a condition is not used up
		if _, err := e.Append(t.Context(), []byte("entry"), here, absent); err != nil {
			t.Errorf("nothing changed, but got %v", err)
		}
	}
	if _, err := e.Append(t.Context(), []byte("entry")); err != nil {
		t.Errorf("without conditions: %v", err)
	}
	// An update that failed has changed nothing.
	_, _ = e.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Put("standing", []byte("ann"), []byte("2")), errOnPurpose)
	})
	if _, err := e.Append(t.Context(), []byte("entry"), here); err != nil {
		t.Errorf("after an update that failed: %v", err)
	}
}

func conditionFails(t *testing.T, m Maker) {
	key := []byte("ann")
	for what, change := range map[string]func(store.Tx) error{
		"put again": func(tx store.Tx) error { return tx.Put("standing", key, []byte("2")) },
		"deleted":   func(tx store.Tx) error { return tx.Delete("standing", key) },
		"appeared":  func(tx store.Tx) error { return tx.Put("standing", []byte("bob"), nil) },
	} {
		t.Run(what, func(t *testing.T) {
			e := openLog(t, m)
			update(t, e, func(tx store.Tx) error {
				return errors.Join(tx.Put("standing", key, []byte("1")), tx.Delete("standing", []byte("bob")))
			})
			here, absent := unchanged(t, e, "standing", "ann"), unchanged(t, e, "standing", "bob")
			other := unchanged(t, e, "standing", "cid")
			before := e.Size()
			update(t, e, change)
			if _, err := e.Append(t.Context(), []byte("entry"), other, here, absent); !errors.Is(err, store.ErrConflict) {
				t.Errorf("got %v, want ErrConflict", err)
			}
			if e.Size() != before {
				t.Error("the refused entry was kept")
			}
			here, absent = unchanged(t, e, "standing", "ann"), unchanged(t, e, "standing", "bob")
			if _, err := e.Append(t.Context(), []byte("entry"), other, here, absent); err != nil {
				t.Errorf("after looking again: %v", err)
			}
			shut(t, e)
		})
	}
}

func foreignCondition(t *testing.T, m Maker) {
	e := openLog(t, m)
	put(t, e, "standing", "ann", "1")
	good := unchanged(t, e, "standing", "ann")
	future := good
	future.Version += 1000
	for _, c := range []store.Condition{{}, {Bucket: "standing", Key: "ann"}, future} {
		if _, err := e.Append(t.Context(), []byte("entry"), c); !errors.Is(err, store.ErrConflict) {
			t.Errorf("condition %v: got %v, want ErrConflict", c, err)
		}
	}
}

// barrier: one key is raised again and again, each time with a record of the
// new number. Appenders write the number they saw, on the condition that it is
// unchanged. In the log, each stands behind the record of its number and before
// that of the next; and nobody who looks after a change was answered sees less.
func barrier(t *testing.T, m Maker) {
	e := openLog(t, m)
	number := func(n int) []byte { return fmt.Appendf(nil, "%05d", n) }
	update(t, e, func(tx store.Tx) error {
		return errors.Join(tx.Put("standing", []byte("ann"), number(0)), tx.Record(append([]byte("set "), number(0)...)))
	})
	var answered sync.Map // the largest number whose change was answered, under ""
	answered.Store("", string(number(0)))
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	writing.Go(func() {
		defer close(done)
		for n := 1; n <= 150; n++ {
			_, err := e.Update(context.Background(), func(tx store.Tx) error {
				return errors.Join(tx.Put("standing", []byte("ann"), number(n)), tx.Record(append([]byte("set "), number(n)...)))
			})
			if err != nil {
				t.Errorf("updating: %v", err)
				return
			}
			answered.Store("", string(number(n)))
		}
	})
	for g := range 8 {
		reading.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				least, _ := answered.Load("")
				var saw string
				var on store.Condition
				_ = e.View(context.Background(), func(s store.Snapshot) (err error) {
					on = s.Unchanged("standing", []byte("ann"))
					saw, err = value(s, "standing", "ann")
					return err
				})
				if saw < least.(string) {
					t.Errorf("saw %s after the change to %s was answered", saw, least)
				}
				_, err := e.Append(context.Background(), []byte("saw "+saw), on)
				if err != nil && !errors.Is(err, store.ErrConflict) {
					t.Errorf("appending: %v", err)
					return
				}
				if i%4 == g%4 { // others' keys change too
					_, err := e.Update(context.Background(), func(tx store.Tx) error { return tx.Put("standing", fmt.Append(nil, g), number(i)) })
					if err != nil {
						t.Errorf("updating: %v", err)
					}
				}
			}
		})
	}
	writing.Wait()
	reading.Wait()
	set := ""
	for i, entry := range entries(t, e) {
		switch what, n, _ := strings.Cut(entry, " "); what {
		case "set":
			set = n
		case "saw":
			if n != set {
				t.Errorf("entry %d saw %s, but stands after the change to %s", i, n, set)
			}
		}
	}
}
