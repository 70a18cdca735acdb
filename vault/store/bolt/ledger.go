package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/sayso-vault/sayso/vault/store"
)

// Ledger is a file of frames, after "sayledgr", a format version of 4 bytes
// (little endian: 1) and 4 zeros.
type Ledger struct {
	appender
	f      file
	path   string
	synced func(string)
	off    int64 // where the next frame goes; the leader's
	gate   gate

	repairMu sync.Mutex
	torn     int64 // length to cut the file to before it is written to, or -1
	left     int64 // how much was to be cut when it was opened
	readOnly bool

	closing  sync.Once
	closeErr error
}

var _ store.Ledger = (*Ledger)(nil)

const ledgerMagic = "sayledgr\x01\x00\x00\x00\x00\x00\x00\x00"

// OpenLedger opens the ledger at path, or with create makes one and refuses to
// open one that is there. It changes no existing file: a torn end is cut by the
// first Append. It returns store.ErrLocked, store.ErrFormat or store.ErrDamaged
// as Open does.
func OpenLedger(path string, create bool) (*Ledger, error) {
	return openLedger(path, create, false, func(f *os.File) file { return osFile{f} }, func(string) {})
}

// ReadLedger opens the ledger at path to look at it: Append is refused, and the
// file is opened for reading. Many may look at once; they and who writes refuse
// each other.
func ReadLedger(path string) (*Ledger, error) {
	return openLedger(path, false, true, func(f *os.File) file { return osFile{f} }, func(string) {})
}

// Torn returns how many bytes of an entry that was never acknowledged lie at the
// ledger's end. The next Append cuts them off.
func (l *Ledger) Torn() int64 { return l.left }

func openLedger(path string, create, readOnly bool, wrap func(*os.File) file, synced func(string)) (_ *Ledger, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("opening the ledger %s: %w", filepath.Base(path), err)
		}
	}()
	if create {
		if err := createLedger(path); err != nil {
			return nil, err
		}
	}
	flags, lock := os.O_RDWR, syscall.LOCK_EX
	if readOnly {
		flags, lock = os.O_RDONLY, syscall.LOCK_SH
	}
	of, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, err
	}
	f := wrap(of)
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := lockFile(of, lock); err != nil {
		return nil, err
	}
	info, err := of.Stat()
	if err != nil {
		return nil, err
	}
	magic := make([]byte, len(ledgerMagic))
	if n, err := f.ReadAt(magic, 0); n < len(magic) {
		return nil, fmt.Errorf("%w: no header: %w", store.ErrDamaged, err)
	}
	if string(magic) != ledgerMagic {
		return nil, store.ErrFormat
	}
	t, err := findTail(f, int64(len(ledgerMagic)), info.Size(), 0)
	if err != nil {
		return nil, err
	}
	l := &Ledger{f: f, path: path, synced: synced, off: t.off, torn: -1, readOnly: readOnly}
	if t.off < info.Size() {
		l.torn, l.left = t.off, info.Size()-t.off
	}
	l.gate.init()
	l.appender.write = l.writeGroup
	l.start(t.next, 0)
	return l, nil
}

func createLedger(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(ledgerMagic)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// Append implements store.Ledger.
func (l *Ledger) Append(ctx context.Context, entries ...[]byte) error {
	for _, entry := range entries {
		if err := checkEntry(entry); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.readOnly {
		return errReadOnly
	}
	if !l.gate.enter() {
		return store.ErrClosed
	}
	defer l.gate.leave()
	if err := l.repair(); err != nil {
		return err
	}
	l.mu.Lock()
	if err := l.err; err != nil {
		l.mu.Unlock()
		return err
	}
	var tk ticket // of the first, which may have to lead; all are in one group
	for i, entry := range entries {
		if _, t := l.sequence(kindAppended, entry); i == 0 {
			tk = t
		}
	}
	l.mu.Unlock()
	if tk.g == nil {
		return nil
	}
	return l.wait(tk)
}

func (l *Ledger) repair() error {
	l.repairMu.Lock()
	defer l.repairMu.Unlock()
	if l.torn < 0 {
		return nil
	}
	if err := errors.Join(l.f.Truncate(l.torn), l.f.Sync()); err != nil {
		err = fmt.Errorf("%w: cutting the torn end of the ledger: %w", store.ErrClosed, err)
		l.fail(err)
		return err
	}
	l.synced(l.path)
	l.torn = -1
	return nil
}

func (l *Ledger) writeGroup(g *group) error {
	if _, err := l.f.WriteAt(g.buf, l.off); err != nil {
		return fmt.Errorf("writing to the ledger: %w", err)
	}
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("syncing the ledger: %w", err)
	}
	l.off += int64(len(g.buf))
	l.synced(l.path)
	return nil
}

// Size returns the number of durable entries.
func (l *Ledger) Size() uint64 { return l.durable.Load() }

// Entries implements store.Ledger. What is appended meanwhile is left out.
func (l *Ledger) Entries(fn func(n uint64, entry []byte) error) error {
	if !l.gate.enter() {
		return store.ErrClosed
	}
	defer l.gate.leave()
	info, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	size := l.durable.Load()
	n, err := readFrames(context.Background(), l.f, l.path, info.Size(), int64(len(ledgerMagic)), 0, 0, size, fn)
	if err == nil && n < size {
		return damagedEntry(n, "the ledger ends before it")
	}
	return err
}

// Close implements store.Ledger. It seals the ledger, so that not even its last
// entry can be taken for a torn one.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		l.gate.shut()
		var err error
		if l.err == nil && l.syncs.Load() > 0 {
			seal := appendFrame(nil, frame{kind: kindSeal, index: l.next, durable: l.next})
			if _, err = l.f.WriteAt(seal, l.off); err == nil {
				err = l.f.Sync()
			}
			l.synced(l.path)
		}
		l.closeErr = errors.Join(err, l.f.Close())
	})
	return l.closeErr
}

// SalvageLedger calls fn for the entries of a ledger up to where it cannot be
// read any further. One that is not there has none.
func SalvageLedger(path string, fn func(entry []byte) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	in := newFrames(f, int64(len(ledgerMagic)), info.Size())
	for {
		frame, err := in.next()
		if err != nil {
			return nil // it ends here
		}
		if frame.kind == kindSeal {
			continue
		}
		if err := fn(frame.payload); err != nil {
			return err
		}
	}
}
