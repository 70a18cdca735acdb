package bolt

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/storetest"
)

func TestEngineWithLog(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Maker { return newDisk(t, true).maker() })
}

func TestEngineWithoutLog(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Maker { return newDisk(t, false).maker() })
}

func TestLedger(t *testing.T) {
	storetest.RunLedger(t, func(t *testing.T) storetest.LedgerMaker { return newDisk(t, false).ledgerMaker() })
}

// disk is a folder, and beside it what a power cut would leave of it: each file
// as it was when it was last synced.
type disk struct {
	t       *testing.T
	withLog bool
	live    string

	mu      sync.Mutex
	durable string
	cuts    int
	opened  bool
}

func newDisk(t *testing.T, withLog bool) *disk {
	return &disk{t: t, withLog: withLog, live: t.TempDir(), durable: t.TempDir()}
}

func (d *disk) config() Config {
	cfg := Config{Path: filepath.Join(d.live, "vault.db"), Synced: d.synced}
	if d.withLog {
		cfg.Log = filepath.Join(d.live, "log")
	}
	return cfg
}

// clone returns a new disk with the same files.
func (d *disk) clone(t *testing.T) *disk {
	t.Helper()
	n := newDisk(t, d.withLog)
	n.opened = d.opened
	if err := copyTree(n.live, d.live); err != nil {
		t.Fatal(err)
	}
	return n
}

// synced copies a file as it is: nobody writes to it meanwhile.
func (d *disk) synced(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rel, err := filepath.Rel(d.live, path)
	if err != nil {
		panic(err)
	}
	if err := copyFile(filepath.Join(d.durable, rel), path); err != nil {
		panic(err)
	}
}

// settle takes everything for durable, which is so when nobody writes.
func (d *disk) settle() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return copyTree(d.durable, d.live)
}

// cut returns a new disk with what was durable.
func (d *disk) cut() (*disk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cuts++
	base := fmt.Sprintf("%s-cut%d", d.durable, d.cuts)
	n := &disk{t: d.t, withLog: d.withLog, live: base + "/live", durable: base + "/durable", opened: true}
	d.t.Cleanup(func() { os.RemoveAll(base) })
	return n, copyTree(n.live, d.durable)
}

func (d *disk) open() (*DB, error) {
	cfg := d.config()
	cfg.Create = !d.opened
	db, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	d.opened = true
	return db, d.settle()
}

func (d *disk) maker() storetest.Maker {
	return storetest.Maker{
		Log:  d.withLog,
		Open: func() (store.Engine, error) { return d.open() },
		Crash: func() (storetest.Maker, error) {
			n, err := d.cut()
			return n.maker(), err
		},
	}
}

func (d *disk) ledgerMaker() storetest.LedgerMaker {
	return storetest.LedgerMaker{
		Open: func() (store.Ledger, error) { return d.openLedger() },
		Crash: func() (storetest.LedgerMaker, error) {
			n, err := d.cut()
			return n.ledgerMaker(), err
		},
	}
}

func (d *disk) openLedger() (*Ledger, error) {
	l, err := openLedger(filepath.Join(d.live, "ledger"), !d.opened, false, func(f *os.File) file { return osFile{f} }, d.synced)
	if err != nil {
		return nil, err
	}
	d.opened = true
	return l, d.settle()
}

func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyFile(filepath.Join(to, rel), path)
	})
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
