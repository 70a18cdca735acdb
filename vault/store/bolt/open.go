package bolt

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	// AcceptOlder opens buckets that are older than their log. Only a restore
	// may set it.
	AcceptOlder bool
	// Logger is told when the engine ends itself. Default: nobody.
	Logger *slog.Logger
	// Synced is called after each completed sync with the path of the file, and
	// before anybody is told. Nobody writes to that file meanwhile: what it
	// holds is what a power cut would leave. Syncs of different files may run at
	// once. For tests.
	Synced func(path string)

	openFile func(path string) (file, error) // of segments; for tests of this package
	room     int64                           // instead of roomToGrow; for tests of this package
}

// DB is a store in files. It implements store.LogEngine; without a log, Append
// and Record are refused.
type DB struct {
	path   string
	bolt   *bbolt.DB
	file   *os.File
	mapped int64
	log    *log // nil without one
	logger *slog.Logger
	synced func(string)

	gate      gate
	queue     queue
	snapshots snapshots
	changes   changes // guarded by log.mu
	state     state   // the writer's
	wedged    bool    // the writer's
	quit      chan struct{}
	written   chan struct{} // closed when the writer has ended

	repairMu sync.Mutex
	repaired atomic.Bool
	failed   atomic.Pointer[error]
	closing  sync.Once
	closeErr error
	stats    counters
}

var _ store.LogEngine = (*DB)(nil)

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
	if (f.id != nil) != (cfg.Log != "") {
		return nil, fmt.Errorf("%w: a store is opened with a log if and only if it was made with one", store.ErrFormat)
	}
	if f.id != nil {
		if err := db.openLog(cfg, f, tx); err != nil {
			return nil, err
		}
	} else {
		db.repaired.Store(true)
	}
	go db.writer()
	return db, nil
}

// openBolt locks the file, checks its length, and only then lets bbolt map it.
func (db *DB) openBolt(room int64) (err error) {
	defer damage(&err)()
	openFile := func(path string, _ int, _ os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(path, os.O_RDWR, 0) // never O_CREATE
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
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
	case l.state > f.state.sequence && !cfg.AcceptOlder:
		return store.ErrOlder
	}
	if err := pending(tx, l.state, f.state, func([]byte) error { return nil }); err != nil {
		return err
	}
	db.log, db.state = l, f.state
	db.changes.last = uint64(tx.ID())
	db.changes.horizon = db.changes.last
	return nil
}

// enterWriting is enter for calls that change something. The first one clears
// what a crash left, and completes the log from the outbox.
func (db *DB) enterWriting(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	if db.repaired.Load() {
		return nil
	}
	db.repairMu.Lock()
	defer db.repairMu.Unlock()
	if db.repaired.Load() {
		return nil
	}
	err := db.failure()
	if err == nil {
		err = db.repair()
	}
	if err != nil {
		err = db.fail(err)
		db.gate.leave()
		return err
	}
	db.repaired.Store(true)
	return nil
}

func (db *DB) repair() error {
	if err := db.log.repair(); err != nil {
		return err
	}
	s, err := db.snapshots.acquire()
	if err != nil {
		return err
	}
	defer db.snapshots.release(s)
	var tickets []ticket
	l := db.log
	l.mu.Lock()
	err = pending(s.tx, l.state, db.state, func(entry []byte) error {
		_, tk := l.sequence(kindRecorded, entry)
		tickets = append(tickets, tk)
		return nil
	})
	l.mu.Unlock()
	for _, tk := range tickets {
		if werr := l.wait(tk); werr != nil {
			return werr
		}
	}
	if err != nil {
		return err
	}
	db.state.sequence = max(db.state.sequence, l.state) // AcceptOlder: numbers are not used twice
	return nil
}

// enter lets a call in, or says why not.
func (db *DB) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !db.gate.enter() {
		return store.ErrClosed
	}
	if err := db.failure(); err != nil {
		db.gate.leave()
		return err
	}
	return nil
}

func (db *DB) failure() error {
	if err := db.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// fail ends the engine: what the disk holds is not known any more. It returns
// the error that every later call gets.
func (db *DB) fail(cause error) error {
	err := cause
	if !errors.Is(cause, store.ErrClosed) {
		err = fmt.Errorf("%w: %w", store.ErrClosed, cause)
	}
	if db.failed.CompareAndSwap(nil, &err) {
		db.logger.Error("storage has ended itself", "error", cause)
	}
	if db.log != nil {
		db.log.fail(err)
	}
	db.snapshots.end()
	return *db.failed.Load()
}

// View implements store.Engine.
func (db *DB) View(ctx context.Context, fn func(store.Snapshot) error) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	s, err := db.snapshots.acquire()
	if err != nil {
		return err
	}
	v := &view{s: s}
	defer func() {
		v.over = true
		db.snapshots.release(s)
	}()
	return fn(v)
}

// Append implements store.LogEngine.
func (db *DB) Append(ctx context.Context, entry []byte, on ...store.Condition) (uint64, error) {
	if db.log == nil {
		return 0, errNoLog
	}
	if err := checkEntry(entry); err != nil {
		return 0, err
	}
	if err := db.enterWriting(ctx); err != nil {
		return 0, err
	}
	defer db.gate.leave()
	l := db.log
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return 0, db.fail(l.err)
	}
	if !db.changes.hold(on) {
		l.mu.Unlock()
		return 0, store.ErrConflict
	}
	index, tk := l.sequence(kindAppended, entry)
	l.mu.Unlock()
	if err := l.wait(tk); err != nil {
		return 0, db.fail(err)
	}
	return index, nil
}

// Size implements store.LogEngine.
func (db *DB) Size() uint64 {
	if db.log == nil {
		return 0
	}
	return db.log.durable.Load()
}

// Entries implements store.LogEngine.
func (db *DB) Entries(ctx context.Context, from, to uint64, fn func(index uint64, entry []byte) error) error {
	if db.log == nil {
		return errNoLog
	}
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.log.read(ctx, from, to, fn)
}

// Close implements store.Engine. Closing again waits for the first and returns
// what it returned.
func (db *DB) Close() error {
	db.closing.Do(func() {
		db.gate.shut()
		close(db.quit)
		<-db.written
		var logErr error
		if db.log != nil {
			logErr = db.log.close()
		}
		db.snapshots.end()
		if db.wedged {
			db.closeErr = errors.Join(logErr, db.file.Close())
			return
		}
		db.closeErr = errors.Join(logErr, db.bolt.Close())
	})
	return db.closeErr
}
