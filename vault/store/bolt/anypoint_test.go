package bolt

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// told is what a store has answered: entries by index. Of the one that is being
// written nobody knows yet.
type told struct {
	mu       sync.Mutex
	answered map[uint64]string
	doubt    string
}

func (a *told) snapshot() (answered map[uint64]string, doubt string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.answered), a.doubt
}

// write appends an entry, or updates state and records one with it.
func (a *told) write(db *DB, key, entry string, state bool) error {
	a.mu.Lock()
	a.doubt = entry
	a.mu.Unlock()
	var index uint64
	var err error
	if state {
		var at []uint64
		at, err = db.Update(context.Background(), func(tx store.Tx) error {
			if err := tx.Put("state", []byte(key), []byte("x")); err != nil {
				return err
			}
			return tx.Record([]byte(entry))
		})
		if err == nil {
			index = at[0]
		}
	} else {
		index, err = db.Append(context.Background(), []byte(entry))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.answered[index] = entry
	}
	a.doubt = ""
	return err
}

// cutAnywhere calls look with what a power cut leaves, at every point at which
// the log or the state is synced: nothing of what was written since the last
// sync, some sectors of it, all of it, and all of it known to be synced.
func (d *disk) cutAnywhere(cfg *Config, r *rand.Rand, look func(when string, left *disk)) {
	var mu sync.Mutex
	cut := func(when string, change func(*disk) error) {
		mu.Lock()
		defer mu.Unlock()
		left, err := d.cut()
		if err == nil && change != nil {
			err = change(left)
		}
		if err != nil {
			d.t.Error(err)
			return
		}
		look(when, left)
		os.RemoveAll(filepath.Dir(left.live))
	}
	inside := func(left *disk, path string) string {
		rel, err := filepath.Rel(d.live, path)
		if err != nil {
			panic(err)
		}
		return filepath.Join(left.live, rel)
	}
	cfg.openFile = func(path string) (file, error) {
		f, err := openForWriting(path)
		return &lossy{file: f, path: path, before: func(path string, pending []pendingWrite) {
			name := filepath.Base(path)
			cut("before "+name+" is synced", nil)
			cut("while "+name+" is synced", func(left *disk) error { return tear(inside(left, path), pending, r) })
			cut("when "+name+" has reached the disk", func(left *disk) error {
				f, err := os.OpenFile(inside(left, path), os.O_RDWR, 0)
				if err != nil {
					return err
				}
				defer f.Close()
				for _, w := range pending {
					if _, err := f.WriteAt(w.data, w.off); err != nil {
						return err
					}
				}
				return nil
			})
		}}, err
	}
	cfg.Synced = func(path string) {
		d.synced(path)
		cut("after "+filepath.Base(path)+" is synced", nil)
		if strings.HasSuffix(path, ".log") { // the next segment may be half made
			cut("while a segment is made", func(left *disk) error {
				return os.WriteFile(filepath.Join(left.live, "log", "00000009.log.new"), []byte("saysolog"), 0o600)
			})
		}
	}
}

// A power cut at any point: while entries are appended and recorded with state,
// while the log goes on in its next segment, and while a store that was cut
// starts and clears what was torn. All that was answered is there, of the one
// that was not it is all or nothing, state and record are there together, and
// the store goes on.
func TestAPowerCutAtAnyPoint(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 26))
	points, starts := map[string]int{}, 0
	check := func(when string, answered map[uint64]string, doubts []string, db *DB) {
		t.Helper()
		got := logOf(t, db)
		for i, entry := range answered {
			if i >= uint64(len(got)) || got[i] != entry {
				t.Fatalf("%s: entry %d was answered and is lost", when, i)
			}
		}
		for i, entry := range got {
			if _, was := answered[uint64(i)]; was {
				continue
			}
			at := slices.Index(doubts, entry)
			if at < 0 {
				t.Fatalf("%s: entry %d is none that anybody wrote by then", when, i)
			}
			doubts = doubts[at+1:] // each once, in order
		}
	}
	together := func(when string, db *DB) {
		t.Helper()
		inLog := map[string]bool{}
		for _, entry := range logOf(t, db) {
			key, _, _ := strings.Cut(entry, " ")
			inLog[key] = true
		}
		err := db.View(t.Context(), func(s store.Snapshot) error {
			for i := range 40 {
				key := fmt.Sprintf("state%d", i)
				value, err := s.Get("state", []byte(key))
				if (value != nil) != inLog[key] || err != nil {
					return fmt.Errorf("%s is there %v, its record %v, %w", key, value != nil, inLog[key], err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
	}
	// goesOn opens what a cut left, writes to it, and opens it again.
	goesOn := func(when string, left *disk, answered map[uint64]string, doubts []string, cuts func(*Config, *told)) {
		t.Helper()
		starts++
		if err := left.settle(); err != nil {
			t.Fatal(err)
		}
		a := &told{answered: answered}
		cfg := left.config()
		cfg.Create = !left.opened
		if cuts != nil {
			cuts(&cfg, a)
		}
		db, err := Open(cfg)
		if err != nil {
			t.Fatalf("%s: opening: %v", when, err)
		}
		check(when, answered, doubts, db)
		if err := a.write(db, "", "after "+when, false); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		together(when, db)
		want := logOf(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = left.open(); err != nil {
			t.Fatalf("%s: opening again: %v", when, err)
		}
		if got := logOf(t, db); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("%s: the log changed between two starts", when)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}

	d := newDisk(t, true)
	first, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	cfg, a, n := d.config(), &told{answered: map[uint64]string{}}, 0
	d.cutAnywhere(&cfg, r, func(when string, left *disk) {
		answered, doubt := a.snapshot()
		points[when]++
		if n++; n%5 > 0 {
			goesOn(when, left, answered, []string{doubt}, nil)
			return
		}
		// And again, while it starts.
		goesOn(when, left, answered, []string{doubt}, func(cfg *Config, again *told) {
			left.cutAnywhere(cfg, r, func(then string, twice *disk) {
				answered, next := again.snapshot()
				goesOn(when+", then "+then, twice, answered, []string{doubt, next}, nil)
			})
		})
	})
	db, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		key := fmt.Sprintf("append%d", i)
		if i%3 == 2 {
			key = fmt.Sprintf("state%d", i)
		}
		if err := a.write(db, key, key+" "+strings.Repeat("x", 120_000), i%3 == 2); err != nil {
			t.Fatal(err)
		}
	}
	if len(db.log.segs) < 2 {
		t.Error("the log did not come to its next segment")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"before 00000001.log is synced", "while 00000001.log is synced", "when 00000002.log has reached the disk", "after 00000002.log is synced", "after vault.db is synced", "while a segment is made"} {
		if points[when] == 0 {
			t.Errorf("the power was never cut %s", when)
		}
	}
	t.Logf("%d starts after cuts at %d points", starts, n)
}
