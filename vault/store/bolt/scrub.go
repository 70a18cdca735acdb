package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

// What is deleted or replaced lies on in free pages until they are used again.
// Scrub writes zeroes over all of them, in place. Rewriting what is left into a
// new file would not do more: the blocks of the old one are free, and as
// readable. Nor would it do without a second copy on the disk, and without
// stopping whoever reads.
//
// A page is written over only if three things say that nobody needs it: the tree
// of the state that Scrub began with does not reach it, the free list of the
// newest state names it, and no view of an older state is open. Since the file
// has no checksums, a free list alone is not believed.

const (
	scrubTurn = 4 << 20               // written or looked at while updates wait
	scrubRun  = 256 << 10             // written at once
	drainFor  = 50 * time.Millisecond // for views of older states, in one turn
)

// Scrub implements store.Engine.
func (db *DB) Scrub(ctx context.Context, progress func(done, of uint64)) error {
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	s, err := db.newScrub(ctx)
	if err != nil {
		return fmt.Errorf("looking for free pages of %s: %w", filepath.Base(db.path), err)
	}
	of := uint64(len(s.left)) * s.size
	for {
		progress(of-uint64(len(s.left))*s.size, of)
		drained := false
		err := db.chore(ctx, func() (err error) {
			if drained = db.snapshots.drain(drainFor); drained {
				err = s.turn()
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("clearing free pages of %s: %w", filepath.Base(db.path), err)
		}
		if drained && len(s.left) == 0 {
			progress(of, of)
			return nil
		}
		if !drained { // somebody looks for long, at a copy perhaps: others write meanwhile
			if err := db.snapshots.settle(ctx); err != nil {
				return err
			}
		}
	}
}

// scrub is one pass over the pages that were free when it began.
type scrub struct {
	db     *DB
	size   uint64   // of a page
	left   []uint64 // pages to clear, ascending
	leaked pageSet  // of them, those that no free list names either
	buf    []byte
	zero   []byte
}

// newScrub finds the pages that the newest state does not need.
func (db *DB) newScrub(ctx context.Context) (*scrub, error) {
	var m boltMeta
	var held *snapshot
	err := db.chore(ctx, func() (err error) {
		if m, err = db.newest(); err == nil {
			held, err = db.snapshots.acquire()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer db.snapshots.release(held) // as long as it is held, nobody writes to its pages
	used, err := m.reachable(ctx, db.file)
	if err != nil {
		return nil, err
	}
	free, err := m.free(db.file)
	if err != nil {
		return nil, err
	}
	info, err := db.file.Stat()
	if err != nil {
		return nil, err
	}
	s := &scrub{db: db, size: m.pageSize, buf: make([]byte, scrubRun), zero: make([]byte, scrubRun)}
	end := (uint64(info.Size()) + m.pageSize - 1) / m.pageSize
	s.leaked = newPageSet(end)
	for id := range end {
		switch {
		case id < m.pages && used.has(id) && free.has(id):
			return nil, fmt.Errorf("%w: page %d is both free and in use", store.ErrDamaged, id)
		case id < m.pages && used.has(id):
			continue
		case id < m.pages && !free.has(id):
			s.leaked.add(id)
		}
		s.left = append(s.left, id)
	}
	return s, nil
}

// turn clears some of the pages. The writer calls it, so that nobody else writes.
func (s *scrub) turn() error {
	m, err := s.db.newest()
	if err != nil {
		return err
	}
	free, err := m.free(s.db.file)
	if err != nil {
		return err
	}
	wrote := false
	for looked := uint64(0); len(s.left) > 0 && looked < scrubTurn; {
		n := 0 // pages side by side that can be cleared
		for n < len(s.left) && s.left[n] == s.left[0]+uint64(n) && uint64(n+1)*s.size <= scrubRun &&
			(s.left[n] >= m.pages || free.has(s.left[n]) || s.leaked.has(s.left[n])) {
			n++
		}
		if n == 0 { // in use again, and so written over
			s.left = s.left[1:]
			continue
		}
		did, err := s.clear(s.left[0], uint64(n))
		if err != nil {
			return err
		}
		wrote = wrote || did
		looked += uint64(n) * s.size
		s.left = s.left[n:]
	}
	if !wrote {
		return nil
	}
	if err := fdatasync(s.db.file); err != nil {
		return err
	}
	s.db.synced(s.db.path)
	return nil
}

// clear writes zeroes over pages side by side, unless they hold nothing else.
func (s *scrub) clear(first, n uint64) (wrote bool, err error) {
	b := s.buf[:n*s.size]
	read, err := s.db.file.ReadAt(b, int64(first*s.size))
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	clear(b[read:]) // the last page may be there in part
	if bytes.Equal(b, s.zero[:len(b)]) {
		return false, nil
	}
	_, err = s.db.file.WriteAt(s.zero[:len(b)], int64(first*s.size))
	return true, err
}

// newest returns the meta page of the newest state. The writer calls it.
func (db *DB) newest() (boltMeta, error) {
	if err := db.failure(); err != nil {
		return boltMeta{}, err
	}
	id := db.snapshots.newest()
	first, err := metaAt(db.file, 0)
	if err != nil {
		return boltMeta{}, err
	}
	m, err := metaAt(db.file, int64(first.pageSize))
	if err != nil {
		return boltMeta{}, err
	}
	if first.tx > m.tx {
		m = first
	}
	if m.tx != id {
		return boltMeta{}, fmt.Errorf("%w: the newest meta page is of transaction %d, not %d", store.ErrDamaged, m.tx, id)
	}
	return m, nil
}

// chore has the writer call fn between two commits, and waits for it.
func (db *DB) chore(ctx context.Context, fn func() error) error {
	j := &job{chore: fn, done: make(chan struct{})}
	if err := ctx.Err(); err != nil {
		return err
	}
	db.queue.push(j)
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobQueued, jobGone) {
			return ctx.Err()
		}
		<-j.done
	}
	return j.fnErr
}
