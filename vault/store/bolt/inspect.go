package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// errReadOnly: the store was opened to look at it.
var errReadOnly = errors.New("storage is open for reading only")

// Left is what a crash left behind, as it was found by Open. The first write
// clears it up; none of it was ever acknowledged as missing or done.
type Left struct {
	Torn   int64  // bytes behind the log's end that no entry covers
	Outbox uint64 // acts that are durable and not yet in the log
}

// Layout is how a store lies on disk.
type Layout struct {
	File     int64 // bytes of the bbolt file
	Mapped   int64 // addresses that are mapped for it to grow into
	Segments int   // of the log, prepared ones included
	Log      int64 // bytes of them
	Entries  uint64
	Left     Left
}

// Layout returns how the store lies on disk now.
func (db *DB) Layout() Layout {
	l := Layout{Mapped: db.mapped, Entries: db.Size(), Left: db.left}
	if info, err := os.Stat(db.path); err == nil {
		l.File = info.Size()
	}
	if db.log == nil {
		return l
	}
	db.log.segMu.RLock()
	defer db.log.segMu.RUnlock()
	for _, segs := range [][]*segment{db.log.segs, db.log.spare} {
		l.Segments += len(segs)
		for _, s := range segs {
			l.Log += s.size
		}
	}
	return l
}

// CheckFile checks what can be checked of a bbolt file from its first pages and
// its length, also while a process writes it. It returns store.ErrFormat or
// store.ErrDamaged as Open does.
func CheckFile(path string) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for range 3 { // a page that is being written looks damaged for that moment
		if err = checkFile(f); err == nil || !errors.Is(err, store.ErrDamaged) {
			break
		}
	}
	info, statErr := f.Stat()
	if statErr != nil {
		return 0, statErr
	}
	return info.Size(), err
}

// CheckLog checks the segments of a log by themselves, without the store that
// they belong to: that none is missing, foreign or of another length, and unless
// somebody writes to it, that it can be read to its end.
func CheckLog(folder string, written bool) (Layout, error) {
	id, err := logIDOf(folder)
	if err != nil {
		return Layout{}, err
	}
	var l Layout
	if !written {
		r, err := recoverLog(folder, id)
		if err != nil {
			return l, err
		}
		l.Entries = r.tails[0].next
		for _, t := range r.tails {
			l.Left.Torn += t.dirtyTo - t.dirtyFrom
		}
	}
	segs, err := listSegments(folder, id)
	l.Segments = len(segs)
	for _, s := range segs {
		l.Log += s.size
	}
	return l, err
}

// logIDOf reads whose log it is from the first segment.
func logIDOf(folder string) (id logID, err error) {
	s := &segment{path: filepath.Join(folder, segmentName(1)), number: 1}
	if id, err = s.headerID(); errors.Is(err, fs.ErrNotExist) {
		return id, fmt.Errorf("%w: log segment %s is missing", store.ErrDamaged, segmentName(1))
	}
	return id, err
}

// Walk reads every key and value of every bucket, in short snapshots, and
// returns store.ErrDamaged for a page that cannot be read or a key that is out
// of order. bbolt's pages have no checksums: that a value is the one that was
// written is for who sealed it to say. progress is told how many keys were read;
// it may be nil.
func (db *DB) Walk(ctx context.Context, progress func(keys uint64)) error {
	if progress == nil {
		progress = func(uint64) {}
	}
	names, err := db.buckets(ctx)
	if err != nil {
		return err
	}
	var n uint64
	for _, name := range names {
		if err := db.walk(ctx, name, &n, progress); err != nil {
			return fmt.Errorf("bucket %q of %s: %w", name, filepath.Base(db.path), err)
		}
	}
	return nil
}

func (db *DB) buckets(ctx context.Context) (names []store.Bucket, err error) {
	err = db.View(ctx, func(s store.Snapshot) (err error) {
		v, ok := s.(*view)
		if !ok {
			return errOver
		}
		defer damage(&err)()
		root := v.s.tx.Cursor().Bucket()
		return v.s.tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			v.s.mem.whole(root, name)
			if b := store.Bucket(name); validBucket(b) {
				names = append(names, b)
			}
			return nil
		})
	})
	return names, err
}

// walkPage is how many keys one snapshot is held for.
const walkPage = 4096

func (db *DB) walk(ctx context.Context, name store.Bucket, n *uint64, progress func(uint64)) error {
	var last []byte
	for {
		page := 0
		err := db.View(ctx, func(s store.Snapshot) error {
			return s.Scan(name, last, nil, func(key, value []byte) error {
				switch order := bytes.Compare(key, last); {
				case last == nil:
				case order < 0 || order == 0 && page > 0:
					return fmt.Errorf("%w: its keys are out of order", store.ErrDamaged)
				}
				if page++; page > walkPage {
					return store.ErrStop
				}
				last = append(last[:0], key...)
				return touch(value)
			})
		})
		if err != nil {
			return err
		}
		*n += uint64(min(page, walkPage))
		progress(*n)
		if page <= walkPage {
			return nil
		}
	}
}

// touch reads every page that a value lies on: a disk that cannot is damage.
func touch(value []byte) (err error) {
	defer damage(&err)()
	var sum byte
	for i := 0; i < len(value); i += smallestPage {
		sum ^= value[i]
	}
	runtime.KeepAlive(sum)
	return nil
}
