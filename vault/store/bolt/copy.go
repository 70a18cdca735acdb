package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"

	"github.com/sayso-vault/sayso/vault/store"
)

// Copy is a store as it is at one moment, to be written somewhere else while
// others go on. Until it is closed it keeps the pages of that moment alive, and
// whoever clears old ones waiting: do not write it to what is slow.
type Copy struct {
	db   *DB
	held *snapshot
	meta boltMeta
	page []byte // the meta page of this moment
	free pageSet
	size uint64 // durable entries of the log
	told state  // what the file says about its log
}

// Copy takes hold of the state of this moment.
func (db *DB) Copy(ctx context.Context) (*Copy, error) {
	if err := db.enterWriting(ctx); err != nil {
		return nil, err
	}
	c := &Copy{db: db}
	err := db.chore(ctx, func() (err error) {
		if c.meta, err = db.newest(); err != nil {
			return err
		}
		c.page = make([]byte, c.meta.pageSize)
		if _, err := db.file.ReadAt(c.page, int64(c.meta.tx%2*c.meta.pageSize)); err != nil {
			return err
		}
		c.told = db.state
		if db.log != nil {
			c.size = db.log.durable.Load()
		}
		c.held, err = db.snapshots.acquire()
		return err
	})
	if err == nil { // the free list's pages are held, too
		if c.free, err = c.meta.free(db.file); err != nil {
			db.snapshots.release(c.held)
		}
	}
	if err != nil {
		db.gate.leave()
		return nil, fmt.Errorf("taking hold of %s: %w", filepath.Base(db.path), err)
	}
	return c, nil
}

// Close lets go of the moment.
func (c *Copy) Close() {
	c.db.snapshots.release(c.held)
	c.db.gate.leave()
}

// Size is how many bytes WriteFile writes.
func (c *Copy) Size() int64 { return int64(c.meta.pages * c.meta.pageSize) }

// LogSize is about how many bytes WriteLog writes, and never less.
func (c *Copy) LogSize() (n int64) {
	if c.db.log == nil {
		return 0
	}
	c.db.log.segMu.RLock()
	defer c.db.log.segMu.RUnlock()
	for _, s := range c.db.log.segs {
		n += s.size
	}
	return n
}

// WriteFile writes the buckets as a file that Open opens, once its log lies
// beside it. Free pages are written as zeroes: what was deleted or replaced does
// not come along.
func (c *Copy) WriteFile(ctx context.Context, w io.Writer) error {
	err := c.writeFile(ctx, w)
	if err != nil {
		return fmt.Errorf("copying %s: %w", filepath.Base(c.db.path), err)
	}
	return nil
}

func (c *Copy) writeFile(ctx context.Context, w io.Writer) error {
	for id := range uint64(2) {
		if _, err := w.Write(c.metaPage(id)); err != nil {
			return err
		}
	}
	size := c.meta.pageSize
	buf := make([]byte, max(scrubRun/size, 1)*size)
	for id := uint64(2); id < c.meta.pages; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(uint64(len(buf)), (c.meta.pages-id)*size)]
		if _, err := c.db.file.ReadAt(b, int64(id*size)); err != nil {
			return err
		}
		for at := uint64(0); at < uint64(len(b)); at, id = at+size, id+1 {
			if c.free.has(id) {
				clear(b[at : at+size])
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// metaPage returns this moment's meta page as the page of that number: bbolt
// takes the newer of the two, and both must be good.
func (c *Copy) metaPage(id uint64) []byte {
	page := append([]byte(nil), c.page...)
	binary.NativeEndian.PutUint64(page, id)
	b := page[pageHeader:]
	binary.NativeEndian.PutUint64(b[48:], c.meta.tx-id)
	sum := fnv.New64a()
	sum.Write(b[:56])
	binary.NativeEndian.PutUint64(b[56:], sum.Sum64())
	return page
}

// A log that was written out by WriteLog is one file, little endian:
//
//	 0  "saysocpy"
//	 8  format version, 1
//	12  zeros
//	16  ID of the log
//	32  frames, the last of them a seal
const (
	writtenMagic   = "saysocpy"
	writtenVersion = 1
	writtenHeader  = 32
)

// WriteLog writes the entries of the log up to this moment: no entry of a state
// that the file of WriteFile lacks. Those that were not durable yet lie in that
// file. It returns how many there are.
func (c *Copy) WriteLog(ctx context.Context, w io.Writer) (entries uint64, err error) {
	l := c.db.log
	if l == nil {
		return 0, errNoLog
	}
	head := make([]byte, writtenHeader)
	copy(head, writtenMagic)
	binary.LittleEndian.PutUint32(head[8:], writtenVersion)
	copy(head[16:], l.id[:])
	if _, err := w.Write(head); err != nil {
		return 0, err
	}
	l.segMu.RLock()
	segs := append([]*segment(nil), l.segs...)
	l.segMu.RUnlock()
	var buf []byte
	var last uint64 // largest state sequence written
	r := segments{segs: segs, to: c.size}
	err = r.frames(ctx, func(f frame) error {
		if f.kind == kindRecorded && f.state > c.told.sequence {
			return store.ErrStop
		}
		buf = appendFrame(buf[:0], f)
		entries, last = entries+1, f.state
		_, err := w.Write(buf)
		return err
	})
	if err == nil && entries < c.size && !r.stopped {
		err = damagedEntry(entries, "the log ends before it")
	}
	if err == nil && entries > 0 {
		_, err = w.Write(appendFrame(buf[:0], frame{kind: kindSeal, index: entries, durable: entries, state: last}))
	}
	if err != nil {
		return 0, fmt.Errorf("copying the log: %w", err)
	}
	return entries, nil
}

// segments reads the frames of a log's segments one after another, seals left
// out, up to an index.
type segments struct {
	segs    []*segment
	to      uint64
	next    uint64 // index of the next frame
	stopped bool   // by store.ErrStop
}

func (r *segments) frames(ctx context.Context, fn func(frame) error) error {
	for _, s := range r.segs {
		if r.next >= r.to || r.stopped {
			break
		}
		if err := r.segment(ctx, s, fn); err != nil {
			return err
		}
	}
	return nil
}

func (r *segments) segment(ctx context.Context, s *segment, fn func(frame) error) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	return r.read(ctx, newFrames(f, segmentHeader, s.size), filepath.Base(s.path), fn)
}

// read reads the frames of one file, to where they end.
func (r *segments) read(ctx context.Context, in *frames, name string, fn func(frame) error) error {
	for r.next < r.to {
		if r.next%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		f, err := in.next()
		switch {
		case errors.Is(err, errEnd):
			return nil
		case err == nil && f.kind == kindSeal:
			continue
		case err == nil && f.index == r.next:
		case err == nil || errors.Is(err, errBad):
			return damagedEntry(r.next, "it cannot be read in "+name)
		default:
			return fmt.Errorf("reading entry %d: %w", r.next, err)
		}
		switch err := fn(f); {
		case errors.Is(err, store.ErrStop):
			r.stopped = true
			return nil
		case err != nil:
			return err
		}
		r.next++
	}
	return nil
}
