package bolt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

func TestASecondProcessIsRefusedWithinASecond(t *testing.T) {
	d := newDisk(t, true)
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := OpenLedger(filepath.Join(d.live, "ledger"), true)
	if err != nil {
		t.Fatal(err)
	}
	if lockTimeout+lockRetry >= time.Second {
		t.Errorf("the lock is waited for %v", lockTimeout)
	}
	if _, err := Open(d.config()); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opening an open store: got %v, want ErrLocked", err)
	}
	if _, err := OpenLedger(filepath.Join(d.live, "ledger"), false); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opening an open ledger: got %v, want ErrLocked", err)
	}
	if err := errors.Join(db.Close(), ledger.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(d.config()); err != nil {
		t.Fatalf("after it was closed: %v", err)
	}
	db.Close()
}

// A missing store is an error, and never a new empty one; a new one never takes
// the place of another.
func TestNothingIsMadeUnlessAsked(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Path: filepath.Join(dir, "vault.db"), Log: filepath.Join(dir, "log")}
	refused(t, cfg, fs.ErrNotExist)
	if _, err := OpenLedger(filepath.Join(dir, "ledger"), false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening a missing ledger: got %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("opening made %v", names)
	}

	d := aStore(t)
	cfg = d.config()
	cfg.Create = true
	refused(t, cfg, fs.ErrExist)
	if err := os.Remove(cfg.Path); err != nil {
		t.Fatal(err)
	}
	refused(t, cfg, fs.ErrExist) // its log is still there
	path := filepath.Join(d.live, "ledger")
	l, err := OpenLedger(path, true)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := OpenLedger(path, true); !errors.Is(err, fs.ErrExist) {
		t.Errorf("making a ledger over another: got %v", err)
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	d := aStore(t)
	l, err := OpenLedger(filepath.Join(d.live, "ledger"), true)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	err = filepath.WalkDir(d.live, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == d.live {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", e.Name(), info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// That bbolt syncs cannot be seen from outside; that it is told to, can.
func TestBboltIsToldToSync(t *testing.T) {
	db := newDB(t)
	put(t, db)
	if db.bolt.NoSync || db.bolt.NoGrowSync || db.bolt.NoFreelistSync {
		t.Error("bbolt leaves out syncs")
	}
}

func put(t *testing.T, db *DB) {
	t.Helper()
	if _, err := db.Update(t.Context(), func(tx store.Tx) error { return tx.Put("b", []byte("k"), nil) }); err != nil {
		t.Fatal(err)
	}
}
