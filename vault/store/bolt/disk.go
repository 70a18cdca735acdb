package bolt

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

// file is what is written: an *os.File, or in tests one that loses what was not
// synced.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// osFile syncs data only: sizes do not change in a preallocated segment, and
// where they do, fdatasync writes them too.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return fdatasync(f.File) }

func openForWriting(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // never O_CREATE
	return osFile{f}, err
}

func fdatasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}

// syncFolder makes names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing folder %s: %w", filepath.Base(path), err)
	}
	return nil
}

const (
	lockTimeout = 500 * time.Millisecond
	lockRetry   = 20 * time.Millisecond
)

// lockFile takes the lock of an open file, exclusive to write or shared to look,
// or gives up with store.ErrLocked soon enough for a second process to be
// refused in a second.
func lockFile(f *os.File, how int) error {
	deadline := time.Now().Add(lockTimeout)
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case err == syscall.EINTR:
		case err != syscall.EWOULDBLOCK:
			return fmt.Errorf("locking %s: %w", filepath.Base(f.Name()), err)
		case time.Now().After(deadline):
			return fmt.Errorf("%s: %w", filepath.Base(f.Name()), store.ErrLocked)
		default:
			time.Sleep(lockRetry)
		}
	}
}
