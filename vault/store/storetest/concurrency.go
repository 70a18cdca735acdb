package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

var concurrencyStories = []story{
	{"a view sees one moment, however long it looks", isolation},
	{"views and updates do not wait for each other", noWaiting},
	{"updates are serialisable", serialisable},
	{"a failing update harms none beside it", failingNeighbours},
	{"a panic in an update is its caller's", panicking},
	{"what an update wrote is seen by whoever looks next", seenNext},
	{"a cancelled update that waits is never run", cancelled},
	{"closing while busy loses nothing that was answered", closeWhileBusy},
}

func isolation(t *testing.T, m Maker) {
	e := open(t, m)
	put(t, e, "b", "a", "0")
	put(t, e, "b", "z", "0")
	// Both keys change together; every view must see them equal, and a long one
	// must see them stay.
	var writing sync.WaitGroup
	stop := make(chan struct{})
	writing.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			v := []byte(strconv.Itoa(i))
			if _, err := e.Update(context.Background(), func(tx store.Tx) error {
				return errors.Join(tx.Put("b", []byte("a"), v), tx.Put("b", []byte("z"), v), tx.Put("b", []byte("k"+string(v)), v))
			}); err != nil {
				t.Errorf("updating: %v", err)
				return
			}
		}
	})
	var reading sync.WaitGroup
	for range 4 {
		reading.Go(func() {
			for range 50 {
				err := e.View(context.Background(), func(s store.Snapshot) error {
					first, err := value(s, "b", "a")
					for range 20 {
						runtime.Gosched()
						again, _ := value(s, "b", "a")
						other, _ := value(s, "b", "z")
						keys, _, _ := all(s, "b", []byte("k"), []byte("l"))
						if again != first || other != first || strconv.Itoa(len(keys)) != first {
							t.Errorf("one view saw %s, then %s and %s and %d keys", first, again, other, len(keys))
						}
					}
					return err
				})
				if err != nil {
					t.Errorf("viewing: %v", err)
				}
			}
		})
	}
	reading.Wait()
	close(stop)
	writing.Wait()
}

func noWaiting(t *testing.T, m Maker) {
	e := open(t, m)
	put(t, e, "b", "k", "before")
	update(t, e, func(tx store.Tx) error {
		if err := tx.Put("b", []byte("k"), []byte("after")); err != nil {
			return err
		}
		if got := read(t, e, "b", "k"); got != "before" { // hangs if views wait for updates
			t.Errorf("a view saw %q while the update ran", got)
		}
		return nil
	})
	err := e.View(t.Context(), func(s store.Snapshot) error {
		for i := range 50 {
			put(t, e, "b", "k"+strconv.Itoa(i), strings.Repeat("x", 10_000)) // hangs if updates wait for views
		}
		got, err := value(s, "b", "k1")
		if got != "-" {
			t.Errorf("a view saw %q that came after it began", got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// serialisable: whoever finds the two accounts hold two or more may take one
// from either. Run one after another they never go below zero together.
func serialisable(t *testing.T, m Maker) {
	e := open(t, m)
	put(t, e, "account", "0", "100")
	put(t, e, "account", "1", "100")
	var taken atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for range 20 {
				took := false
				_, err := e.Update(context.Background(), func(tx store.Tx) error {
					var have [2]int
					for i := range have {
						v, err := value(tx, "account", strconv.Itoa(i))
						if err != nil {
							return err
						}
						have[i], _ = strconv.Atoi(v)
					}
					took = have[0]+have[1] > 0
					if !took {
						return nil
					}
					runtime.Gosched()
					return tx.Put("account", []byte(strconv.Itoa(g%2)), []byte(strconv.Itoa(have[g%2]-1)))
				})
				if err != nil {
					t.Errorf("updating: %v", err)
				} else if took {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	a, _ := strconv.Atoi(read(t, e, "account", "0"))
	b, _ := strconv.Atoi(read(t, e, "account", "1"))
	if a+b != 0 || taken.Load() != 200 {
		t.Errorf("%d were taken and %d are left of 200", taken.Load(), a+b)
	}
}

func failingNeighbours(t *testing.T, m Maker) {
	e := open(t, m)
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := range 8 {
				fails := (g+i)%3 == 0
				key := fmt.Sprintf("%02d-%d", g, i)
				_, err := e.Update(context.Background(), func(tx store.Tx) error {
					err := errors.Join(tx.Put("b", []byte(key), []byte(key)), tx.Put("b", []byte("last"), []byte(key)))
					if m.Log {
						err = errors.Join(err, tx.Record([]byte(key)))
					}
					if fails {
						return errOnPurpose
					}
					return err
				})
				if fails && err != errOnPurpose || !fails && err != nil {
					t.Errorf("update %s, failing %v, returned %v", key, fails, err)
				}
			}
		})
	}
	wg.Wait()
	recorded := map[string]int{}
	if m.Log {
		for _, entry := range entries(t, e.(store.LogEngine)) {
			recorded[entry]++
		}
	}
	for g := range 32 {
		for i := range 8 {
			key, want, records := fmt.Sprintf("%02d-%d", g, i), "-", 0
			if (g+i)%3 != 0 {
				want, records = key, 1
			}
			if got := read(t, e, "b", key); got != want {
				t.Errorf("key %s has %q, want %q", key, got, want)
			}
			if m.Log && recorded[key] != records {
				t.Errorf("update %s has %d records, want %d", key, recorded[key], records)
			}
		}
	}
}

func panicking(t *testing.T, m Maker) {
	e := open(t, m)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			key := []byte(strconv.Itoa(g))
			if g%2 == 1 {
				_, err := e.Update(context.Background(), func(tx store.Tx) error { return tx.Put("b", key, key) })
				if err != nil {
					t.Errorf("an update beside one that panicked: %v", err)
				}
				return
			}
			defer func() {
				if g%4 == 0 && recover() != errOnPurpose {
					t.Error("the panic did not reach its caller")
				}
			}()
			_, _ = e.Update(context.Background(), func(tx store.Tx) error {
				_ = tx.Put("b", key, key)
				if g%4 == 0 {
					panic(errOnPurpose)
				}
				runtime.Goexit() // what t.Fatal does
				return nil
			})
			t.Error("an update returned after its function had not")
		})
	}
	wg.Wait()
	for g := range 8 {
		want := "-"
		if g%2 == 1 {
			want = strconv.Itoa(g)
		}
		if got := read(t, e, "b", strconv.Itoa(g)); got != want {
			t.Errorf("key %d has %q, want %q", g, got, want)
		}
	}
}

func seenNext(t *testing.T, m Maker) {
	e := open(t, m)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 20 {
				key, want := strconv.Itoa(g), strconv.Itoa(i)
				if _, err := e.Update(context.Background(), func(tx store.Tx) error { return tx.Put("b", []byte(key), []byte(want)) }); err != nil {
					t.Errorf("updating: %v", err)
				}
				_ = e.View(context.Background(), func(s store.Snapshot) error {
					if got, err := value(s, "b", key); got != want || err != nil {
						t.Errorf("after its update was answered a view saw %q, want %q", got, want)
					}
					return nil
				})
			}
		})
	}
	wg.Wait()
}

func cancelled(t *testing.T, m Maker) {
	e := open(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	update(t, e, func(store.Tx) error { // the others wait for this one
		var waiting sync.WaitGroup
		for i := range 20 {
			begins := make(chan struct{})
			waiting.Go(func() {
				close(begins)
				_, err := e.Update(ctx, func(tx store.Tx) error { return tx.Put("b", fmt.Append(nil, i), nil) })
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want that it was cancelled", err)
				}
			})
			<-begins
			for range 20 {
				runtime.Gosched() // let it come to wait
			}
		}
		cancel()
		waiting.Wait()
		return nil
	})
	put(t, e, "b", "other", "")
	for i := range 20 {
		if got := read(t, e, "b", strconv.Itoa(i)); got != "-" {
			t.Errorf("cancelled update %d was run", i)
		}
	}
	if err := e.View(ctx, func(store.Snapshot) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a view with a context that is done returned %v", err)
	}
}

func closeWhileBusy(t *testing.T, m Maker) {
	e, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	answered := map[string]bool{}
	var wg sync.WaitGroup
	busy := make(chan struct{}, 1024)
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d", g, i)
				_, err := e.Update(context.Background(), func(tx store.Tx) error { return tx.Put("b", []byte(key), nil) })
				if err == nil && m.Log {
					_, err = e.(store.LogEngine).Append(context.Background(), []byte(key))
				}
				if err == nil {
					err = e.View(context.Background(), func(s store.Snapshot) error {
						if got, err := value(s, "b", key); got == "-" || err != nil {
							t.Errorf("in a busy store: %q, %v", got, err)
						}
						return nil
					})
				}
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("a store that is being closed answered %v", err)
					return
				}
				mu.Lock()
				answered[key] = true
				mu.Unlock()
				select {
				case busy <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 50 {
		<-busy
	}
	shut(t, e)
	wg.Wait()
	e = open(t, m)
	logged := map[string]bool{}
	if m.Log {
		for _, entry := range entries(t, e.(store.LogEngine)) {
			logged[entry] = true
		}
	}
	for key := range answered {
		if read(t, e, "b", key) == "-" || m.Log && !logged[key] {
			t.Errorf("%s was answered and is lost", key)
		}
	}
}
