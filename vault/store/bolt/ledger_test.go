package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// aLedger makes a ledger of three acts, and closes it or, as a crash would,
// leaves no seal.
func aLedger(t *testing.T, crash bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	l, err := OpenLedger(path, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := l.Append(t.Context(), fmt.Append(nil, "act ", i)); err != nil {
			t.Fatal(err)
		}
	}
	off := l.off
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if crash {
		if err := os.Truncate(path, off); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestATornEndOfTheLedgerIsDropped(t *testing.T) {
	next := appendFrame(nil, frame{kind: kindAppended, index: 3, durable: 3, payload: []byte("never acknowledged")})
	for n := 1; n < len(next); n += 5 {
		path := aLedger(t, true)
		edit(t, path, func(b []byte) []byte { return append(b, next[:n]...) })
		before, _ := os.ReadFile(path)
		l, err := OpenLedger(path, false)
		if err != nil {
			t.Fatalf("%d bytes of a torn entry: %v", n, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Error("opening changed the ledger")
		}
		if err := l.Append(t.Context(), []byte("act 3")); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if l, err = OpenLedger(path, false); err != nil {
			t.Fatal(err)
		}
		var acts []string
		if err := l.Entries(func(_ uint64, e []byte) error { acts = append(acts, string(e)); return nil }); err != nil {
			t.Error(err)
		}
		if got := strings.Join(acts, ", "); got != "act 0, act 1, act 2, act 3" {
			t.Errorf("got %s", got)
		}
		l.Close()
	}
}

func TestADamagedLedgerIsRefused(t *testing.T) {
	size := frameSize(len("act 0"))
	for what, c := range map[string]struct {
		crash bool
		harm  func(b []byte) []byte
		want  string
	}{
		"an act in the middle":      {true, func(b []byte) []byte { b[len(ledgerMagic)+size+20] ^= 1; return b }, "entry 1"},
		"the last, after a close":   {false, func(b []byte) []byte { b[len(ledgerMagic)+2*size+42] ^= 1; return b }, "entry 2"},
		"one taken out":             {true, func(b []byte) []byte { return append(b[:len(ledgerMagic)], b[len(ledgerMagic)+size:]...) }, "entry 0"},
		"overwritten with zeros":    {true, func(b []byte) []byte { clear(b[len(ledgerMagic) : len(ledgerMagic)+2*size]); return b }, "entry 0"},
		"cut off within its header": {true, func(b []byte) []byte { return b[:10] }, "header"},
	} {
		t.Run(what, func(t *testing.T) {
			path := aLedger(t, c.crash)
			edit(t, path, c.harm)
			l, err := OpenLedger(path, false)
			if err == nil {
				l.Close()
			}
			if !errors.Is(err, store.ErrDamaged) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want ErrDamaged that names %s", err, c.want)
			}
		})
	}
	path := aLedger(t, false)
	edit(t, path, func(b []byte) []byte { b[8] = 2; return b })
	if _, err := OpenLedger(path, false); !errors.Is(err, store.ErrFormat) {
		t.Errorf("a later version: got %v, want ErrFormat", err)
	}
}
