package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// A value that is searched for in the files.
const (
	secret = "what-was-here-before"
	plain  = "what-is-here-now"
)

// putAll writes values under keys [from, to) in one update; nil deletes.
func putAll(t *testing.T, db *DB, from, to int, value func(i int) []byte) {
	t.Helper()
	_, err := db.Update(t.Context(), func(tx store.Tx) error {
		for i := from; i < to; i++ {
			key := binary.BigEndian.AppendUint64([]byte("key "), uint64(i)*0x9E3779B97F4A7C15)
			v := value(i)
			if v == nil {
				if err := tx.Delete("people", key); err != nil {
					return err
				}
				continue
			}
			if err := tx.Put("people", key, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func worded(word string) func(int) []byte {
	return func(i int) []byte { return fmt.Appendf(nil, "%s %d %s", word, i, bytes.Repeat([]byte("."), i%300)) }
}

// occurs counts a word in a file.
func occurs(t *testing.T, path, word string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte(word))
}

// sound has bbolt check every page of a closed file.
func sound(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt says: %v", err)
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// holds counts the people whose value begins with a word.
func holds(t *testing.T, db *DB, word string) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(s store.Snapshot) error {
		return s.Scan("people", nil, nil, func(_, v []byte) error {
			if bytes.HasPrefix(v, []byte(word)) {
				n++
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func openDisk(t *testing.T, d *disk) *DB {
	t.Helper()
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func closeDB(t *testing.T, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasReplacedOrDeletedIsGoneFromTheFile(t *testing.T) {
	for _, withLog := range []bool{false, true} {
		d := newDisk(t, withLog)
		db, path := openDisk(t, d), filepath.Join(d.live, "vault.db")
		const people = 6000
		for from := 0; from < people; from += 1500 { // in several commits, so that pages are used again
			putAll(t, db, from, from+1500, worded(secret))
		}
		for from := 0; from < people/2; from += 500 {
			putAll(t, db, from, from+500, worded(plain))
		}
		putAll(t, db, people/2, people, func(int) []byte { return nil })
		if n := occurs(t, path, secret); n == 0 {
			t.Fatal("bbolt clears what is deleted by itself; then this test shows nothing")
		}
		// What a crash left behind the end of the pages.
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(append(make([]byte, 4096), bytes.Repeat([]byte(secret), 400)...)); err != nil {
			t.Fatal(err)
		}
		f.Close()

		var last, of uint64
		if err := db.Scrub(t.Context(), func(done, all uint64) { last, of = done, all }); err != nil {
			t.Fatal(err)
		}
		if n := occurs(t, path, secret); n != 0 {
			t.Errorf("after Scrub the file holds what was deleted %d times", n)
		}
		if last != of || of == 0 {
			t.Errorf("progress: got %d of %d at the end", last, of)
		}
		if got := holds(t, db, plain); got != people/2 {
			t.Errorf("people: got %d, want %d", got, people/2)
		}
		putAll(t, db, people, people+500, worded(plain))
		closeDB(t, db)
		sound(t, path)
		if got := holds(t, openDisk(t, d), plain); got != people/2+500 {
			t.Errorf("people after opening again: got %d, want %d", got, people/2+500)
		}
	}
}

// While it clears, others write and read, some slowly, and the power can be cut:
// nobody loses anything.
func TestScrubDisturbsNobody(t *testing.T) {
	d := newDisk(t, true)
	db := openDisk(t, d)
	const people = 4000
	putAll(t, db, 0, people, worded(secret))
	putAll(t, db, 0, people, worded(plain))
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() { // who writes
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				putAll(t, db, i%people, i%people+1, worded(plain))
			}
		}
	})
	for range 2 { // who reads slowly, and must see one state
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := db.View(t.Context(), func(s store.Snapshot) error {
					n := 0
					return s.Scan("people", nil, nil, func(_, v []byte) error {
						if n++; n%500 == 0 {
							time.Sleep(time.Millisecond)
						}
						if !bytes.HasPrefix(v, []byte(plain)) {
							t.Errorf("a view sees %q", v)
						}
						return nil
					})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		if err := db.Scrub(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	busy.Wait()
	cut, err := d.cut()
	if err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	for name, after := range map[string]*disk{"as it is": d, "after a power cut": cut} {
		path := filepath.Join(after.live, "vault.db")
		if n := occurs(t, path, secret); n != 0 {
			t.Errorf("%s: the file holds what was replaced %d times", name, n)
		}
		db := openDisk(t, after)
		if got := holds(t, db, plain); got != people {
			t.Errorf("%s: got %d people, want %d", name, got, people)
		}
		closeDB(t, db)
		sound(t, path)
	}
}

// Nothing that somebody still looks at is cleared, and when Scrub is done nobody
// looks at an older state any more.
func TestScrubWaitsForWhoeverSeesAnOlderState(t *testing.T) {
	db := openDisk(t, newDisk(t, false))
	putAll(t, db, 0, 1000, worded(secret))
	looking, done := make(chan struct{}), make(chan struct{})
	scrubbed := make(chan error, 1)
	go func() {
		defer close(done)
		err := db.View(context.Background(), func(s store.Snapshot) error {
			close(looking)
			time.Sleep(150 * time.Millisecond) // Scrub has begun by now, and given up a turn
			select {
			case err := <-scrubbed:
				t.Errorf("Scrub returned %v while a view of what was deleted was open", err)
			default:
			}
			n := 0
			err := s.Scan("people", nil, nil, func(_, v []byte) error {
				if bytes.HasPrefix(v, []byte(secret)) {
					n++
				}
				return nil
			})
			if n != 1000 {
				t.Errorf("the view sees %d of 1000 people", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-looking
	putAll(t, db, 0, 1000, func(int) []byte { return nil })
	go func() { scrubbed <- db.Scrub(context.Background(), nil) }()
	putAll(t, db, 1000, 1001, worded(plain)) // others go on
	<-done
	if err := <-scrubbed; err != nil {
		t.Fatal(err)
	}
	if n := occurs(t, db.path, secret); n != 0 {
		t.Errorf("the file holds what was deleted %d times", n)
	}
}

// A free list that names a page in use is damage; believing it would destroy
// people.
func TestAFreeListIsNotBelievedAlone(t *testing.T) {
	d := newDisk(t, false)
	db := openDisk(t, d)
	putAll(t, db, 0, 3000, worded(plain))
	putAll(t, db, 0, 1, worded(plain))
	m, err := db.newest()
	if err != nil {
		t.Fatal(err)
	}
	used, err := m.reachable(t.Context(), db.file)
	if err != nil {
		t.Fatal(err)
	}
	live := uint64(2)
	for live == m.freelist || live == m.root || !used.has(live) {
		live++
	}
	closeDB(t, db)
	path := filepath.Join(d.live, "vault.db")
	edit(t, path, func(b []byte) []byte {
		page := b[m.freelist*m.pageSize:]
		count := binary.NativeEndian.Uint16(page[10:])
		binary.NativeEndian.PutUint64(page[pageHeader+8*int(count):], live)
		binary.NativeEndian.PutUint16(page[10:], count+1)
		return b
	})
	before := contents(t, d.live)
	db = openDisk(t, d)
	if err := db.Scrub(t.Context(), nil); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	closeDB(t, db)
	if contents(t, d.live) != before {
		t.Error("the file was changed")
	}
}

func TestScrubEndsWhenItIsToldTo(t *testing.T) {
	db := openDisk(t, newDisk(t, false))
	putAll(t, db, 0, 1000, worded(secret))
	putAll(t, db, 0, 1000, worded(plain))
	ctx, cancel := context.WithCancel(t.Context())
	if err := db.Scrub(ctx, func(uint64, uint64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	putAll(t, db, 0, 1, worded(plain))
	closeDB(t, db)
	if err := db.Scrub(t.Context(), nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}
