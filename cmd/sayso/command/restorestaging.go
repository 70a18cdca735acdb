package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sayso-vault/sayso/vault/backup"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

// A restore works in a folder inside the vault's. While it is there nobody serves
// the vault.
//
//	restore/new    what the restore makes
//	restore/old    what it takes the place of
//	restore/swap   new is whole: from here on it goes forward only
//	restore/lock   held by the restore that works here
const (
	folderRestore = "restore"
	fileCopied    = "copied" // in new: the log that was copied with the data
)

// swapped are the files of a vault that a restore may replace.
var swapped = []string{fileKeyring, fileKeys, fileLedger, folderLog, fileVault}

// staging is a restore's own folder.
type staging struct {
	dir   string
	locks []*os.File // of the folder and of the vault's files
}

// openStaging takes the vault's folder for a restore, and makes it if it is not
// there. It returns store.ErrLocked if somebody has it.
func openStaging(dir string) (_ *staging, err error) {
	s := &staging{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if _, err := os.Stat(filepath.Join(dir, fileUnfinished)); err == nil {
		return nil, errUnfinished
	}
	// The vault's files first: a restore that is refused leaves nothing behind.
	for _, name := range []string{fileVault, fileKeys, fileLedger} {
		if err := s.lock(filepath.Join(dir, name), os.O_RDONLY); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, folderRestore), 0o700); err != nil {
		return nil, err
	}
	return s, s.lock(s.path("lock"), os.O_RDWR|os.O_CREATE)
}

func (s *staging) lock(path string, flags int) error {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	s.locks = append(s.locks, f)
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), store.ErrLocked)
	}
	return nil
}

// Close lets go of the folder.
func (s *staging) Close() error {
	var errs []error
	for _, f := range s.locks {
		errs = append(errs, f.Close())
	}
	s.locks = nil
	return errors.Join(errs...)
}

func (s *staging) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir, folderRestore}, parts...)...)
}

func (s *staging) new(name string) string  { return s.path("new", name) }
func (s *staging) live(name string) string { return filepath.Join(s.dir, name) }

// empty begins anew with what an earlier restore left.
func (s *staging) empty() error {
	if err := os.RemoveAll(s.path("new")); err != nil {
		return err
	}
	return os.MkdirAll(s.path("new"), 0o700)
}

// clear removes the restore's own folder. The mark goes last of what matters, so
// that what was begun to be removed is removed by the next.
func (s *staging) clear() error {
	for _, name := range []string{"new", "old", "swap", "lock"} {
		if err := os.RemoveAll(s.path(name)); err != nil {
			return err
		}
	}
	return errors.Join(os.Remove(s.path()), syncFolder(s.dir))
}

// copyFile copies a file into the staging folder, durably.
func (s *staging) copyFile(name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(s.write(name, f), f.Close())
}

func (s *staging) write(name string, r io.Reader) error {
	f, err := os.OpenFile(s.new(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// copyFrom copies a file of a backup, checked piece by piece.
func (s *staging) copyFrom(ctx context.Context, from backup.Copy, m *backup.Manifest, name string, progress func(int64)) error {
	return s.copyFromAs(ctx, from, m, name, name, progress)
}

func (s *staging) copyFromAs(ctx context.Context, from backup.Copy, m *backup.Manifest, name, as string, progress func(int64)) error {
	r, err := from.Open(ctx, m, name)
	if err != nil {
		return err
	}
	count := &countedReader{Reader: r, ctx: ctx, each: progress}
	if err := errors.Join(s.write(as, count), r.Close()); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}

type countedReader struct {
	io.Reader
	ctx  context.Context
	n    int64
	each func(int64)
}

func (c *countedReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.Reader.Read(b)
	if c.n += int64(n); c.each != nil {
		c.each(c.n)
	}
	return n, err
}

// stageLedger copies the ledger. If it is lost, a new one gets what can be read
// of it.
func (s *staging) stageLedger(lost bool) error {
	if !lost {
		err := s.copyFile(fileLedger, s.live(fileLedger))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: it is in no backup. Put it back; if it is lost, --ledger-lost goes on without it, and consents from before count as none", errNoLedger)
		}
		return err
	}
	l, err := bolt.OpenLedger(s.new(fileLedger), true)
	if err != nil {
		return err
	}
	err = bolt.SalvageLedger(s.live(fileLedger), func(entry []byte) error { return l.Append(context.Background(), entry) })
	return errors.Join(err, l.Close())
}

var errNoLedger = errors.New("the ledger is missing")

func (s *staging) marked() (bool, error) {
	_, err := os.Stat(s.path("swap"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// mark makes what is new what will be there.
func (s *staging) mark() error {
	if err := removeIfThere(s.new(fileCopied)); err != nil {
		return err
	}
	err := filepath.WalkDir(s.path("new"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := os.Open(path) //nolint:gosec // the staging folder is the owner's alone
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.path("old"), 0o700); err != nil {
		return err
	}
	return errors.Join(writeFile(s.path("swap"), nil), syncFolder(s.dir))
}

// swap puts everything that is new in its place, and then removes what was there
// before. Interrupted anywhere, it goes on where it stopped.
func (s *staging) swap(at func(step string)) error {
	for _, name := range swapped {
		if _, err := os.Lstat(s.new(name)); errors.Is(err, fs.ErrNotExist) {
			continue // done, or not replaced
		} else if err != nil {
			return err
		}
		if err := os.Rename(s.live(name), s.path("old", name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		at(name + " aside")
		if err := os.Rename(s.new(name), s.live(name)); err != nil {
			return err
		}
		at(name + " in place")
	}
	if err := errors.Join(syncFolder(s.path("new")), syncFolder(s.path("old")), syncFolder(s.dir)); err != nil {
		return err
	}
	at("in place")
	return s.clear()
}
