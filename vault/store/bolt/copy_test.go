package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// written is a copy that lies in a folder.
type written struct{ file, log string }

func (w written) open(t *testing.T) *Old {
	t.Helper()
	o, err := OpenOld(w.file, filepath.Join(filepath.Dir(w.file), "log.new"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

func writeTo(t *testing.T, path string, fn func(io.Writer) error) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(fn(f), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func writeOut(t *testing.T, c *Copy) written {
	t.Helper()
	dir := t.TempDir()
	w := written{filepath.Join(dir, "vault.db"), filepath.Join(dir, "written.log")}
	writeTo(t, w.file, func(f io.Writer) error { return c.WriteFile(t.Context(), f) })
	if info, err := os.Stat(w.file); err != nil || info.Size() != c.Size() {
		t.Errorf("size: got %v (%v), want %d", info.Size(), err, c.Size())
	}
	if c.db.log != nil {
		writeTo(t, w.log, func(f io.Writer) error {
			_, err := c.WriteLog(t.Context(), f)
			return err
		})
	}
	return w
}

// entriesOf reads a log as a restore does.
func entriesOf(t *testing.T, l store.OldLog) (all []string, err error) {
	t.Helper()
	err = l.Entries(t.Context(), func(e store.OldEntry) error {
		all = append(all, fmt.Sprint(string(e.Entry), e.Recorded, e.State))
		return nil
	})
	return all, err
}

// While somebody goes on writing, a copy holds what was there at its moment, and
// of the log no entry of a later state; and nothing that was deleted before.
func TestACopyIsOfOneMoment(t *testing.T) {
	d := newDisk(t, true)
	db := openDisk(t, d)
	putAll(t, db, 0, 3000, worded(secret))
	putAll(t, db, 0, 3000, worded(plain))
	fill(t, db, 0, 5)
	c, err := db.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sequence, size := c.told.sequence, c.size
	fill(t, db, 5, 10)
	putAll(t, db, 0, 3000, worded("later"))
	w := writeOut(t, c)
	c.Close()

	sound(t, w.file)
	if occurs(t, w.file, secret) != 0 {
		t.Error("the copy holds what was replaced before it was made")
	}
	o := w.open(t)
	if got := holds(t, o.db, plain); got != 3000 {
		t.Errorf("the copy has %d of 3000 people as they were", got)
	}
	if o.States() != sequence {
		t.Errorf("states: got %d, want %d", o.States(), sequence)
	}
	all, err := entriesOf(t, ReadOldLog(w.log))
	if err != nil || uint64(len(all)) != size {
		t.Errorf("the log of the copy: got %d entries (%v), want %d", len(all), err, size)
	}
	live, err := entriesOf(t, ReadOldLog(d.config().Log))
	if err != nil || uint64(len(live)) != db.Size() || !slices.Equal(all, live[:len(all)]) {
		t.Errorf("the log itself: got %d entries (%v), want %d that begin as the copy's", len(live), err, db.Size())
	}
	closeDB(t, db)
}

// A store gets a new log: the first entry is the one given, the others follow,
// and what is recorded from then on goes on from their state.
func TestAStoreIsGivenANewLog(t *testing.T) {
	d := newDisk(t, true)
	db := openDisk(t, d)
	fill(t, db, 0, 400)
	closeDB(t, db)
	old, err := entriesOf(t, ReadOldLog(d.config().Log))
	if err != nil {
		t.Fatal(err)
	}
	o, err := OpenOld(d.config().Path, d.config().Log+".new")
	if err != nil {
		t.Fatal(err)
	}
	states := o.States()
	if err := o.Renew(t.Context(), []byte("begun anew"), ReadOldLog(d.config().Log), "people"); err != nil {
		t.Fatal(err)
	}
	cfg := d.config()
	cfg.Log += ".new"
	for range 2 {
		if db, err = Open(cfg); err != nil {
			t.Fatal(err)
		}
		if n := db.Size(); n < uint64(len(old))+1 {
			t.Errorf("the new log has %d entries, want at least %d", n, len(old)+1)
		}
		fill(t, db, 500, 501)
		closeDB(t, db)
	}
	now, err := entriesOf(t, ReadOldLog(cfg.Log))
	if err != nil || now[0] != "begun anewfalse 0" || !slices.Equal(now[1:len(old)+1], old) {
		t.Errorf("the new log does not begin with the entry given and go on as the old one: %v", err)
	}
	if want := fmt.Sprint(states + 1); len(now) <= len(old)+1 || !bytes.HasSuffix([]byte(now[len(old)+1]), []byte("true "+want)) {
		t.Errorf("the first act afterwards is not of state %s", want)
	}
	refused(t, d.config(), store.ErrDamaged) // the old log is another store's now
}

// What is left of a log is given up to where it cannot be read, and that is
// named.
func TestWhatIsLeftOfALogIsRead(t *testing.T) {
	d := twoSegments(t)
	db := openDisk(t, d)
	first := db.log.segs[1].first
	closeDB(t, db)
	for what, c := range map[string]struct {
		harm func(d *disk) error
		left uint64
		err  error
	}{
		"whole":               {func(*disk) error { return nil }, 60, nil},
		"gone":                {func(d *disk) error { return os.RemoveAll(d.config().Log) }, 0, nil},
		"second segment gone": {func(d *disk) error { return os.Remove(segmentPath(d, 2)) }, first, nil},
		"second cut off":      {func(d *disk) error { return os.Truncate(segmentPath(d, 2), 100_000) }, first, store.ErrDamaged},
		"an entry changed": {func(d *disk) error {
			edit(t, segmentPath(d, 1), func(b []byte) []byte { b[segmentHeader+5*frameSize(30_000)+1000] ^= 1; return b })
			return nil
		}, 5, store.ErrDamaged},
	} {
		t.Run(what, func(t *testing.T) {
			d := d.clone(t)
			if err := c.harm(d); err != nil {
				t.Fatal(err)
			}
			all, err := entriesOf(t, ReadOldLog(d.config().Log))
			if uint64(len(all)) != c.left || !errors.Is(err, c.err) {
				t.Errorf("got %d entries and %v, want %d and %v", len(all), err, c.left, c.err)
			}
		})
	}
}
