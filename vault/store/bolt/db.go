package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// DB is a store in files. It implements store.LogEngine; without a log, Append
// and Record are refused.
type DB struct {
	path   string
	bolt   *bbolt.DB
	file   *os.File
	mapped int64
	log    *log // nil without one
	left   Left
	logger *slog.Logger
	synced func(string)

	readOnly bool

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
