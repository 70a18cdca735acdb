package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

func segmentPath(d *disk, n int) string { return filepath.Join(d.config().Log, segmentName(n)) }

// The first segment is full and the second begun: 60 entries of 30,000 bytes.
func twoSegments(t *testing.T) *disk {
	t.Helper()
	d := newDisk(t, true)
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		if _, err := db.Append(t.Context(), bytes.Repeat([]byte{byte(i + 1)}, 30_000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAMissingOrForeignSegmentIsRefused(t *testing.T) {
	other, whole := twoSegments(t), twoSegments(t)
	// What vault.db knows of the log's length is from its last commit.
	db, err := whole.open()
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 0, 1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for what, harm := range map[string]func(d *disk) error{
		"first missing":       func(d *disk) error { return os.Remove(segmentPath(d, 1)) },
		"last missing":        func(d *disk) error { return os.Remove(segmentPath(d, 2)) },
		"all missing":         func(d *disk) error { return os.RemoveAll(d.config().Log) },
		"another's":           func(d *disk) error { return copyFile(segmentPath(d, 2), segmentPath(other, 2)) },
		"one under two names": func(d *disk) error { return copyFile(segmentPath(d, 2), segmentPath(d, 1)) },
		"cut off":             func(d *disk) error { return os.Truncate(segmentPath(d, 1), 500_000) },
		"last cut off":        func(d *disk) error { return os.Truncate(segmentPath(d, 2), 500_000) },
		"header overwritten": func(d *disk) error {
			return os.WriteFile(segmentPath(d, 2), make([]byte, segmentSize(2)), 0o600)
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := whole.clone(t)
			if err := harm(d); err != nil {
				t.Fatal(err)
			}
			refused(t, d.config(), store.ErrDamaged)
		})
	}
	d := whole.clone(t)
	edit(t, segmentPath(d, 1), func(b []byte) []byte { b[8]++; return b })
	refused(t, d.config(), store.ErrFormat)
}

// A byte flipped anywhere in what was acknowledged is found: in the last segment
// on opening, by name of the entry, elsewhere when it is read. After Close this
// holds for the last entry too.
func TestADamagedEntryIsNamed(t *testing.T) {
	whole := twoSegments(t)
	var at []mark
	db, err := whole.open()
	if err != nil {
		t.Fatal(err)
	}
	first := db.log.segs[1].first
	off := int64(segmentHeader)
	for i := range uint64(60) {
		if i == first {
			off = segmentHeader
		}
		at = append(at, mark{i, off})
		off += int64(frameSize(30_000))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 3))
	for _, i := range []uint64{0, 1, first - 1, first, first + 1, 58, 59} {
		d := whole.clone(t)
		n := 1
		if i >= first {
			n = 2
		}
		edit(t, segmentPath(d, n), func(b []byte) []byte { b[at[i].off+int64(r.IntN(30_000))] ^= 1; return b })
		err := func() error {
			db, err := Open(d.config())
			if err != nil {
				return err
			}
			defer db.Close()
			seen := uint64(0)
			err = db.Entries(t.Context(), 0, 60, func(uint64, []byte) error { seen++; return nil })
			if seen != i {
				t.Errorf("with entry %d damaged, %d were read", i, seen)
			}
			return err
		}()
		named := strings.Contains(fmt.Sprint(err), fmt.Sprintf("entry %d:", i))
		// The first frame of a segment tells where it begins: without it the
		// segment is named.
		if !errors.Is(err, store.ErrDamaged) || !named && i != 0 && i != first {
			t.Errorf("entry %d damaged: got %v", i, err)
		}
	}
}

// vault.db is put back to an earlier copy, its log is not.
func TestOlderBucketsAreRefused(t *testing.T) {
	d := newDisk(t, true)
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 0, 10)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := d.config()
	old := filepath.Join(t.TempDir(), "old.db")
	if err := copyFile(old, cfg.Path); err != nil {
		t.Fatal(err)
	}
	if db, err = d.open(); err != nil {
		t.Fatal(err)
	}
	fill(t, db, 10, 15)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(cfg.Path, old); err != nil {
		t.Fatal(err)
	}
	refused(t, cfg, store.ErrOlder)

	// To look at them is all that one may do.
	cfg.AcceptOlder = true
	refused(t, cfg, store.ErrOlder)
	cfg.ReadOnly = true
	if db, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	if got := db.Size(); got != 30 {
		t.Errorf("the log has %d entries, want 30", got)
	}
	closeDB(t, db)
}

// The log is put back to an earlier copy, vault.db is not.
func TestAnOlderLogIsRefused(t *testing.T) {
	d := newDisk(t, true)
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 0, 10)
	db.Close()
	old := t.TempDir()
	if err := copyTree(old, d.config().Log); err != nil {
		t.Fatal(err)
	}
	if db, err = d.open(); err != nil {
		t.Fatal(err)
	}
	fill(t, db, 10, 15)
	db.Close()
	if err := copyTree(d.config().Log, old); err != nil {
		t.Fatal(err)
	}
	err = refused(t, d.config(), store.ErrDamaged)
	if !strings.Contains(fmt.Sprint(err), "entry 20") {
		t.Errorf("got %v, want it to name entry 20", err)
	}
}

// A crash between the commit and the log: the record waits in the outbox, and
// nothing of it is in the log. Opening changes no file; the first write puts the
// record before its own.
func TestTheOutboxCompletesTheLog(t *testing.T) {
	d := newDisk(t, true)
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 0, 3)
	beforeLog := t.TempDir()
	if err := copyTree(beforeLog, d.config().Log); err != nil {
		t.Fatal(err)
	}
	_, err = db.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Put("people", []byte("late"), nil), tx.Record([]byte("late one")), tx.Record([]byte("late two")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(d.config().Log, beforeLog); err != nil {
		t.Fatal(err)
	}

	before := contents(t, d.live)
	if db, err = Open(d.config()); err != nil {
		t.Fatal(err)
	}
	var on store.Condition
	err = db.View(t.Context(), func(s store.Snapshot) error {
		if v, _ := s.Get("people", []byte("late")); v == nil {
			t.Error("the state is lost")
		}
		on = s.Unchanged("people", []byte("late"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := logOf(t, db); len(got) != 6 {
		t.Errorf("before a write the log holds %q", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if contents(t, d.live) != before {
		t.Error("opening, looking and closing changed a file")
	}

	if db, err = Open(d.config()); err != nil {
		t.Fatal(err)
	}
	index, err := db.Append(t.Context(), []byte("read"), on)
	if err != nil || index != 8 {
		t.Errorf("append after completing: got index %d, %v", index, err)
	}
	fill(t, db, 3, 5) // trims
	want := "state 0|append 0|state 1|append 1|state 2|append 2|late one|late two|read|state 3|append 3|state 4|append 4"
	if got := strings.Join(logOf(t, db), "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	rows := 0
	s, err := db.snapshots.acquire()
	if err != nil {
		t.Fatal(err)
	}
	_ = s.tx.Bucket(bucketOutbox).ForEach(func(_, _ []byte) error { rows++; return nil })
	db.snapshots.release(s)
	if rows != 1 {
		t.Errorf("the outbox still holds %d entries, want the last one", rows)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func logOf(t *testing.T, db *DB) []string {
	t.Helper()
	var all []string
	err := db.Entries(context.Background(), 0, db.Size(), func(_ uint64, e []byte) error { all = append(all, string(e)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}
