package bolt

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/sayso-vault/sayso/vault/store"
)

// Old is a bbolt file whose log is not looked at: an older copy, or one whose
// log is gone. A restore gives it a new log.
type Old struct {
	db  *DB
	at  state
	log string
}

var _ store.OldStore = (*Old)(nil)

// OpenOld opens the file at path to look at it, and to put its new log into the
// folder at log, which must not be there. It returns what Open does.
func OpenOld(path, log string) (*Old, error) {
	o := &Old{log: log}
	db, err := open(Config{Path: path, ReadOnly: true, logless: true})
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", filepath.Base(path), err)
	}
	o.db, o.at = db, db.state
	return o, nil
}

// View implements store.OldStore.
func (o *Old) View(ctx context.Context, fn func(store.Snapshot) error) error {
	return o.db.View(ctx, fn)
}

// States implements store.OldStore.
func (o *Old) States() uint64 { return o.at.sequence }

// Outbox implements store.OldStore.
func (o *Old) Outbox(fn func(store.OldEntry) error) (err error) {
	s, err := o.db.snapshots.acquire()
	if err != nil {
		return err
	}
	defer o.db.snapshots.release(s)
	defer damage(&err)()
	c := s.tx.Bucket(bucketOutbox).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if len(k) != 8 || checkEntry(v) != nil {
			return fmt.Errorf("%w: the outbox", store.ErrDamaged)
		}
		if err := fn(store.OldEntry{Entry: v, Recorded: true, State: binary.BigEndian.Uint64(k)}); err != nil {
			return err
		}
	}
	return nil
}

// Close implements store.OldStore.
func (o *Old) Close() error { return o.db.Close() }

// Renew implements store.OldStore.
func (o *Old) Renew(ctx context.Context, first []byte, carried store.OldLog, empty ...store.Bucket) error {
	var id logID
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	if err := os.Mkdir(o.log, 0o700); err != nil {
		return err
	}
	s, err := writeAnew(ctx, o.log, id, first, carried)
	if err != nil {
		return fmt.Errorf("writing the new log: %w", err)
	}
	if err := o.Close(); err != nil {
		return err
	}
	if err := renewFile(o.db.path, id, s, empty); err != nil {
		return fmt.Errorf("giving %s its new log: %w", filepath.Base(o.db.path), err)
	}
	return nil
}

// carriedAtOnce is how many bytes of entries one sync makes durable.
const carriedAtOnce = 4 << 20

// writeAnew writes a log of entries that stood in another, and returns what the
// store has to say about it. Entries keep their state numbers, so the first
// carried one of a state must have the number 1, and so on.
func writeAnew(ctx context.Context, folder string, id logID, first []byte, carried store.OldLog) (s state, err error) {
	if err := checkEntry(first); err != nil {
		return s, err
	}
	if _, err := createSegment(folder, id, 1); err != nil {
		return s, err
	}
	l, err := openLog(folder, id, openForWriting, func(string) {})
	if err != nil {
		return s, err
	}
	if err := l.repair(); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var tickets []ticket
	gathered := 0
	flush := func() error {
		for _, tk := range tickets {
			if err := l.wait(tk); err != nil {
				return err
			}
		}
		tickets, gathered = tickets[:0], 0
		return ctx.Err()
	}
	add := func(kind uint32, entry []byte) {
		l.mu.Lock()
		_, tk := l.sequence(kind, entry)
		l.mu.Unlock()
		if n := len(tickets); n == 0 || tickets[n-1].g != tk.g {
			tickets = append(tickets, tk)
		}
		gathered += len(entry)
	}
	add(kindAppended, first)
	err = carried.Entries(ctx, func(e store.OldEntry) error {
		switch {
		case checkEntry(e.Entry) != nil:
			return fmt.Errorf("%w: an entry to carry over", store.ErrDamaged)
		case e.Recorded && e.State != l.state+1:
			return fmt.Errorf("%w: state %d comes after state %d", store.ErrDamaged, e.State, l.state)
		case e.Recorded:
			add(kindRecorded, e.Entry)
		default:
			add(kindAppended, e.Entry)
		}
		if gathered < carriedAtOnce {
			return nil
		}
		return flush()
	})
	if err = errors.Join(err, flush()); err != nil {
		return s, err
	}
	return state{sequence: l.state, trimmed: l.state, size: l.next}, nil
}

// renewFile ties a file to its new log.
func renewFile(path string, id logID, s state, empty []store.Bucket) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) (err error) {
		defer damage(&err)()
		for _, name := range append([]store.Bucket{store.Bucket(bucketOutbox)}, empty...) {
			if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, bbolterrors.ErrBucketNotFound) {
				return err
			}
		}
		if _, err := tx.CreateBucket(bucketOutbox); err != nil {
			return err
		}
		b := tx.Bucket(bucketEngine)
		if err := b.Put(keyLog, id[:]); err != nil {
			return err
		}
		return b.Put(keyState, s.marshal())
	})
	return errors.Join(err, db.Close())
}

// OldLog is what is left of a log: a folder of segments, or a file of WriteLog.
type OldLog struct{ path string }

var _ store.OldLog = OldLog{}

// ReadOldLog reads what is left of the log at path.
func ReadOldLog(path string) OldLog { return OldLog{path} }

// Entries implements store.OldLog. What was written at the end and maybe never
// acknowledged is given too, if it can be read.
func (o OldLog) Entries(ctx context.Context, fn func(store.OldEntry) error) error {
	info, err := os.Stat(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	give := func(f frame) error {
		return fn(store.OldEntry{Entry: f.payload, Recorded: f.kind == kindRecorded, State: f.state})
	}
	r := segments{to: math.MaxUint64}
	if !info.IsDir() {
		return o.written(ctx, &r, info.Size(), give)
	}
	number := 1
	for ; ; number++ {
		s := &segment{path: filepath.Join(o.path, segmentName(number)), number: number}
		id, err := s.headerID()
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err == nil {
			err = s.readHeader(id)
		}
		if err != nil {
			return fmt.Errorf("%w (entry %d and what follows)", err, r.next)
		}
		before := r.next
		if err := r.segment(ctx, s, give); err != nil || r.stopped {
			return err
		}
		if r.next == before {
			break // prepared, and not written to
		}
	}
	return nil
}

func (o OldLog) written(ctx context.Context, r *segments, size int64, give func(frame) error) error {
	f, err := os.Open(o.path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, writtenHeader)
	if _, err := f.ReadAt(head, 0); err != nil || string(head[:8]) != writtenMagic || binary.LittleEndian.Uint32(head[8:]) != writtenVersion {
		return fmt.Errorf("%w: %s is no copy of a log", store.ErrFormat, filepath.Base(o.path))
	}
	return r.read(ctx, newFrames(f, writtenHeader, size), filepath.Base(o.path), give)
}

func (s *segment) headerID() (id logID, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return id, err
	}
	defer f.Close()
	h := make([]byte, segmentHeader)
	if _, err := f.ReadAt(h, 0); err != nil {
		return id, fmt.Errorf("%w: header of log segment %s: %w", store.ErrDamaged, filepath.Base(s.path), err)
	}
	return logID(h[16:32]), nil
}
