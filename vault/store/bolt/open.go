package bolt

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// Config says where a store lies.
type Config struct {
	// Path of the bbolt file.
	Path string
	// Log is the folder of the log's segments. Empty: the store has no log.
	Log string
	// Create makes a new store, and refuses to open one that is there. Without
	// it nothing is ever made: a missing file is an error.
	Create bool
	// AcceptOlder opens buckets that are older than their log, to look at them:
	// only with ReadOnly.
	AcceptOlder bool
	// ReadOnly opens an existing store to look at it: its files are opened for
	// reading, and nothing is written to them, not even what a crash left is
	// cleared. Updates and appends are refused. Many may look at once; they and
	// who writes refuse each other.
	ReadOnly bool
	// Logger is told when the engine ends itself. Default: nobody.
	Logger *slog.Logger
	// Synced is called after each completed sync with the path of the file, and
	// before anybody is told. Nobody writes to that file meanwhile: what it
	// holds is what a power cut would leave. Syncs of different files may run at
	// once. For tests.
	Synced func(path string)

	logless  bool                            // do not look at the log; for OpenOld
	openFile func(path string) (file, error) // of segments; for tests of this package
	room     int64                           // instead of roomToGrow; for tests of this package
}

const (
	// The file is mapped with room to grow, which costs addresses but no memory,
	// so that bbolt need not wait for readers to map it anew.
	roomToGrow  = 64 << 30
	spillPerKey = 32 << 10 // a generous path of pages
	spillSlack  = 64 << 20
)

// Open opens a store, or with Create makes one. It changes no file of an
// existing one. It returns store.ErrLocked, within a second, if another process
// has it; store.ErrFormat or store.ErrDamaged if the files are not whole;
// store.ErrOlder if the buckets are older than the log.
func Open(cfg Config) (*DB, error) {
	if cfg.Create {
		if err := create(cfg); err != nil {
			return nil, fmt.Errorf("making a store: %w", err)
		}
	}
	db, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", filepath.Base(cfg.Path), err)
	}
	return db, nil
}

func create(cfg Config) error {
	if _, err := os.Lstat(cfg.Path); err == nil {
		return fmt.Errorf("%s: %w", filepath.Base(cfg.Path), fs.ErrExist)
	}
	var id *logID
	if cfg.Log != "" {
		id = new(logID)
		if _, err := rand.Read(id[:]); err != nil {
			return err
		}
		if err := os.MkdirAll(cfg.Log, 0o700); err != nil {
			return err
		}
		names, err := os.ReadDir(cfg.Log)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fmt.Errorf("folder of the log %s: %w", filepath.Base(cfg.Log), fs.ErrExist)
		}
		if _, err := createSegment(cfg.Log, *id, 1); err != nil {
			return err
		}
		if err := syncFolder(filepath.Dir(cfg.Log)); err != nil {
			return err
		}
	}
	// Under its own name the file appears whole.
	tmp := cfg.Path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := bbolt.Open(tmp, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, Timeout: lockTimeout})
	if err != nil {
		return err
	}
	if err := errors.Join(initialise(b, id), b.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, cfg.Path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(cfg.Path))
}

func open(cfg Config) (_ *DB, err error) {
	db := &DB{path: cfg.Path, logger: cfg.Logger, synced: cfg.Synced, quit: make(chan struct{}), written: make(chan struct{})}
	if db.logger == nil {
		db.logger = slog.New(slog.DiscardHandler)
	}
	if db.synced == nil {
		db.synced = func(string) {}
	}
	db.readOnly = cfg.ReadOnly
	if cfg.openFile == nil {
		cfg.openFile = openForWriting
	}
	db.gate.init()
	db.snapshots.init()
	db.queue.wake = make(chan struct{}, 1)

	if err := db.openBolt(cfg.room); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.snapshots.end()
			err = errors.Join(err, db.bolt.Close())
		}
	}()
	tx, err := db.bolt.Begin(false)
	if err != nil {
		return nil, err
	}
	db.snapshots.install(tx)
	f, err := readFacts(tx)
	if err != nil {
		return nil, err
	}
	if cfg.logless {
		if f.id == nil {
			return nil, fmt.Errorf("%w: a store without a log", store.ErrFormat)
		}
		f.id, db.state = nil, f.state
	} else if (f.id != nil) != (cfg.Log != "") {
		return nil, fmt.Errorf("%w: a store is opened with a log if and only if it was made with one", store.ErrFormat)
	}
	if f.id != nil {
		if err := db.openLog(cfg, f, tx); err != nil {
			return nil, err
		}
	} else {
		db.repaired.Store(true)
	}
	if db.readOnly {
		close(db.written) // there is no writer
		return db, nil
	}
	go db.writer()
	return db, nil
}

// openBolt locks the file, checks its length, and only then lets bbolt map it.
func (db *DB) openBolt(room int64) (err error) {
	defer damage(&err)()
	flags, lock := os.O_RDWR, syscall.LOCK_EX // never O_CREATE
	if db.readOnly {
		flags, lock = os.O_RDONLY, syscall.LOCK_SH
	}
	openFile := func(path string, _ int, _ os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(path, flags, 0)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f, lock); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if err := checkFile(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		db.file = f
		return f, nil
	}
	info, err := os.Stat(db.path)
	if err != nil {
		return err
	}
	for _, db.mapped = range []int64{cmp.Or(room, max(roomToGrow, 4*info.Size())), info.Size() + 1<<30, 0} {
		db.bolt, err = bbolt.Open(db.path, 0o600, &bbolt.Options{
			Timeout:         lockTimeout,
			FreelistType:    bbolt.FreelistMapType,
			InitialMmapSize: int(db.mapped),
			OpenFile:        openFile,
			ReadOnly:        db.readOnly,
			PreLoadFreelist: true, // a damaged one is found by who only looks, too
			NoStatistics:    true,
		})
		if !errors.Is(err, syscall.ENOMEM) {
			break
		}
	}
	return err
}

// openLog finds the log's end and holds it against what vault.db says of it.
func (db *DB) openLog(cfg Config, f facts, tx *bbolt.Tx) error {
	l, err := openLog(cfg.Log, *f.id, cfg.openFile, db.synced)
	if err != nil {
		return err
	}
	switch {
	case l.next < f.state.size:
		return damagedEntry(l.next, fmt.Sprintf("the log ends before it, but had %d entries", f.state.size))
	case l.state < f.state.trimmed:
		return fmt.Errorf("%w: the log lacks entries that were durable in it", store.ErrDamaged)
	case l.state > f.state.sequence && !(cfg.AcceptOlder && cfg.ReadOnly):
		return store.ErrOlder
	}
	if err := pending(tx, l.state, f.state, func([]byte) error { db.left.Outbox++; return nil }); err != nil {
		return err
	}
	for _, t := range l.tails {
		db.left.Torn += t.dirtyTo - t.dirtyFrom
	}
	db.log, db.state = l, f.state
	db.changes.last = uint64(tx.ID())
	db.changes.horizon = db.changes.last
	return nil
}
