package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// Who looks at a store reads all that a writer would, and changes nothing, not
// even files that nobody may write and what a crash left.
func TestWhoOnlyLooksChangesNothing(t *testing.T) {
	d := aStore(t)
	segment := filepath.Join(d.live, "log", segmentName(1))
	// A frame that was never acknowledged is torn off in the middle.
	torn := appendFrame(nil, frame{kind: kindAppended, index: 80, durable: 80, state: 40, payload: []byte("never acknowledged")})
	edit(t, segment, func(b []byte) []byte {
		tl, err := findTail(strings.NewReader(string(b)), segmentHeader, int64(len(b)), 0)
		if err != nil {
			t.Fatal(err)
		}
		copy(b[tl.off:], torn[:24])
		return b
	})
	before := contents(t, d.live)
	for _, path := range []string{d.config().Path, segment} {
		if err := os.Chmod(path, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	cfg := d.config()
	cfg.ReadOnly = true
	db, err := Open(cfg)
	if err != nil {
		t.Fatalf("opening to look: %v", err)
	}
	if l := db.Layout(); l.Entries != 80 || l.Segments < 1 || l.File == 0 || l.Left.Torn == 0 {
		t.Errorf("layout: got %+v", l)
	}
	if err := db.Walk(t.Context(), nil); err != nil {
		t.Errorf("walking it: %v", err)
	}
	if _, err := db.Update(t.Context(), func(tx store.Tx) error { return tx.Put("people", []byte("x"), nil) }); err == nil {
		t.Error("an update: got no error, want it refused")
	}
	if _, err := db.Append(t.Context(), []byte("x")); err == nil {
		t.Error("an append: got no error, want it refused")
	}
	again, err := Open(cfg)
	if err != nil {
		t.Fatalf("a second one looks: %v", err)
	}
	cfg.ReadOnly = false
	if err := os.Chmod(cfg.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, store.ErrLocked) {
		t.Errorf("writing while somebody looks: got %v, want ErrLocked", err)
	}
	if err := errors.Join(db.Close(), again.Close()); err != nil {
		t.Error(err)
	}
	if contents(t, d.live) != before {
		t.Error("looking changed a file")
	}
}

func TestALedgerIsLookedAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l, err := OpenLedger(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Append(t.Context(), []byte("one")), l.Close()); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(b []byte) []byte { return append(b, "torn"...) })
	before := contents(t, filepath.Dir(path))
	if l, err = ReadLedger(path); err != nil {
		t.Fatal(err)
	}
	if l.Size() != 1 || l.Torn() != 4 {
		t.Errorf("got %d entries and %d torn bytes, want 1 and 4", l.Size(), l.Torn())
	}
	if err := l.Append(t.Context(), []byte("two")); err == nil {
		t.Error("an append: got no error, want it refused")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if contents(t, filepath.Dir(path)) != before {
		t.Error("looking changed the ledger")
	}
}

// The files of a store that cannot be opened are still told apart.
func TestFilesAreCheckedByThemselves(t *testing.T) {
	d := aStore(t)
	log := filepath.Join(d.live, "log")
	if _, err := CheckFile(d.config().Path); err != nil {
		t.Errorf("a whole file: %v", err)
	}
	if l, err := CheckLog(log, false); err != nil || l.Entries != 80 {
		t.Errorf("a whole log: got %+v, %v", l, err)
	}
	edit(t, d.config().Path, func(b []byte) []byte { return b[:8192] })
	if _, err := CheckFile(d.config().Path); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a file that was cut: got %v, want ErrDamaged", err)
	}
	edit(t, filepath.Join(log, segmentName(1)), func(b []byte) []byte { b[segmentHeader+50] ^= 1; return b })
	if _, err := CheckLog(log, false); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("an entry that was changed: got %v, want ErrDamaged", err)
	}
	if _, err := CheckLog(log, true); err != nil {
		t.Errorf("its headers are whole: %v", err)
	}
	if err := os.Remove(filepath.Join(log, segmentName(1))); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckLog(log, true); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a segment that is gone: got %v, want ErrDamaged", err)
	}
}

// A key that a flipped bit moved out of order is never found again by who looks
// for it. Who reads them all finds that.
func TestAWalkFindsAKeyOutOfOrder(t *testing.T) {
	d := aStore(t)
	edit(t, d.config().Path, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("0017"), []byte("0057")) })
	cfg := d.config()
	cfg.ReadOnly = true
	db, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Walk(t.Context(), nil); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), `"people"`) {
		t.Errorf("got %v, want ErrDamaged that names the bucket", err)
	}
}
