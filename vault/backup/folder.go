package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Folder is a place on a disk. All in it is its owner's alone.
type Folder string

var _ Place = Folder("")

// String implements Place.
func (f Folder) String() string { return string(f) }

// unfinished begins the name of a copy that is being made, or removed.
const unfinished = "unfinished-"

// Begin implements Place. Only one process makes copies of a kind in a folder at
// a time; what earlier ones did not finish is removed.
func (f Folder) Begin(_ context.Context, kind Kind, id string) (_ Draft, err error) {
	dir := filepath.Join(string(f), string(kind))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("another backup is being made in %s", dir)
	}
	left, err := filepath.Glob(filepath.Join(dir, unfinished+"*"))
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	d := &folderDraft{lock: lock, dir: dir, id: id, at: filepath.Join(dir, unfinished+id)}
	if err := os.Mkdir(d.at, 0o700); err != nil {
		return nil, err
	}
	return d, nil
}

type folderDraft struct {
	lock        *os.File
	dir, id, at string
	kept        bool
}

func (d *folderDraft) Write(_ context.Context, name string, r io.Reader) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is no name of a file of a backup", name)
	}
	f, err := os.OpenFile(filepath.Join(d.at, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

func (d *folderDraft) Keep(context.Context) error {
	if err := syncFolder(d.at); err != nil {
		return err
	}
	if err := os.Rename(d.at, filepath.Join(d.dir, d.id)); err != nil {
		return err
	}
	d.kept = true
	return errors.Join(syncFolder(d.dir), syncFolder(filepath.Dir(d.dir)))
}

func (d *folderDraft) Drop() error {
	var err error
	if !d.kept {
		err = os.RemoveAll(d.at)
	}
	return errors.Join(err, d.lock.Close())
}

// Copies implements Place.
func (f Folder) Copies(_ context.Context, kind Kind) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(string(f), string(kind)))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if !idForm.MatchString(e.Name()) {
			continue
		}
		if _, err := os.Stat(f.path(kind, e.Name(), ManifestFile)); err == nil {
			ids = append(ids, e.Name())
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func (f Folder) path(kind Kind, id, name string) string {
	return filepath.Join(string(f), string(kind), id, name)
}

// Open implements Place.
func (f Folder) Open(_ context.Context, kind Kind, id, name string) (io.ReadCloser, error) {
	r, err := os.Open(f.path(kind, id, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNone, f.path(kind, id, name))
	}
	return r, err
}

// Remove implements Place.
func (f Folder) Remove(_ context.Context, kind Kind, id string) error {
	from := filepath.Join(string(f), string(kind), id)
	gone := filepath.Join(string(f), string(kind), unfinished+id)
	if err := os.Rename(from, gone); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(from)); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// Locate finds what a path means: a place (then its newest copy of the kind), the
// folder of one kind there, the folder of one copy, wherever it lies, or a file in
// it. It returns ErrNone for a path that is none of them, such as a file that
// lies there by itself.
func Locate(ctx context.Context, path string, kind Kind) (Copy, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Copy{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Copy{}, err
	}
	if !info.IsDir() {
		path = filepath.Dir(path)
	}
	b, err := os.ReadFile(filepath.Join(path, ManifestFile))
	if err == nil {
		m, err := ParseManifest(b)
		if err != nil {
			return Copy{}, fmt.Errorf("%s: %w", path, err)
		}
		if m.Kind != kind {
			return Copy{}, fmt.Errorf("%w: %s is a copy of %s, not of %s", ErrNone, path, m.Kind, kind)
		}
		return Copy{loose(path), kind, m.ID}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Copy{}, err
	}
	if !info.IsDir() || idForm.MatchString(filepath.Base(path)) || strings.HasPrefix(filepath.Base(path), unfinished) {
		return Copy{}, fmt.Errorf("%w: %s lies there without its %s", ErrNone, path, ManifestFile)
	}
	if Kind(filepath.Base(path)) == kind {
		path = filepath.Dir(path)
	}
	return Newest(ctx, Folder(path), kind)
}

// loose is the folder of one copy, wherever it was moved.
type loose string

func (l loose) String() string { return string(l) }

func (l loose) Begin(context.Context, Kind, string) (Draft, error) { return nil, errLoose }
func (l loose) Remove(context.Context, Kind, string) error         { return errLoose }
func (l loose) Copies(context.Context, Kind) ([]string, error)     { return nil, errLoose }

var errLoose = errors.New("this is the folder of one backup")

func (l loose) Open(_ context.Context, _ Kind, _, name string) (io.ReadCloser, error) {
	r, err := os.Open(filepath.Join(string(l), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNone, filepath.Join(string(l), name))
	}
	return r, err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
