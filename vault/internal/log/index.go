package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ErrNotFound: no such entry, or no such tile, at the log's present size.
var ErrNotFound = errors.New("not in the log")

// The index finds entries by identifier and by person.
//
// An identifier has a row per entry; being ordered by time, new rows stand side
// by side. A row per entry and person would be written all over the disk, which
// doubled what following costs; instead each person has one row, with the index
// of the latest entry, and each entry's cell names the one before it about the
// same person.
const (
	// id (16) ‖ log index (8) → kind (1)
	idBucket store.Bucket = "log/id"
	// subject → row of person.go
	personBucket store.Bucket = "log/person"
	// block number (8) → cells of up to 256 entries: index of the entry before
	// about the same person, plus one (8) ‖ kind (1)
	cellBucket store.Bucket = "log/before"
)

const (
	rowKeySize = 16 + 8
	cellSize   = 8 + 1
)

// row is an identifier or a person with an entry: key and value of idBucket side
// by side.
type row [rowKeySize + 1]byte

func makeRow(of [16]byte, index uint64, k Kind) (r row) {
	copy(r[:16], of[:])
	binary.BigEndian.PutUint64(r[16:], index)
	r[rowKeySize] = byte(k)
	return r
}

func (r *row) key() []byte   { return r[:rowKeySize:rowKeySize] }
func (r *row) value() []byte { return r[rowKeySize:] }
func (r *row) of() []byte    { return r[:16] }
func (r *row) index() uint64 { return binary.BigEndian.Uint64(r[16:]) }
func (r *row) kind() Kind    { return Kind(r[rowKeySize]) }

// parseRow reads a row of idBucket.
func parseRow(key, value []byte) (of [16]byte, index uint64, err error) {
	if len(key) != rowKeySize || len(value) != 1 || !Kind(value[0]).Known() {
		return of, 0, fmt.Errorf("row of the log's index: %w", store.ErrDamaged)
	}
	return [16]byte(key), binary.BigEndian.Uint64(key[16:]), nil
}

func cellKey(index uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), index>>tileHeight)
}

// none is the index before a person's first entry.
const none = math.MaxUint64

// putCell writes a cell; before may be none.
func putCell(cell []byte, before uint64, k Kind) {
	binary.BigEndian.PutUint64(cell, before+1)
	cell[8] = byte(k)
}

// readCell returns the index of the entry before about the same person, or none.
// It is always smaller, or the cell is damaged.
func readCell(r store.Reader, index uint64) (before uint64, k Kind, err error) {
	block, err := r.Get(cellBucket, cellKey(index))
	if err != nil {
		return none, 0, err
	}
	at := int(index%tileWidth) * cellSize
	if len(block) < at+cellSize {
		return none, 0, fmt.Errorf("cell of entry %d is missing: %w", index, store.ErrDamaged)
	}
	before, k = binary.BigEndian.Uint64(block[at:])-1, Kind(block[at+8])
	if before != none && before >= index || !k.Known() {
		return none, 0, fmt.Errorf("cell of entry %d: %w", index, store.ErrDamaged)
	}
	return before, k, nil
}

// loadBlock reads the cells of the block being filled.
func loadBlock(r store.Reader, size uint64) ([]byte, error) {
	width := int(size % tileWidth)
	if width == 0 {
		return nil, nil
	}
	block, err := r.Get(cellBucket, cellKey(size))
	if err != nil {
		return nil, err
	}
	if len(block) != width*cellSize {
		return nil, fmt.Errorf("block %d of the log's index holds %d bytes, not %d cells: %w", size>>tileHeight, len(block), width, store.ErrDamaged)
	}
	return append([]byte(nil), block...), nil
}

// Find returns the index of the first entry with this ID, or ErrNotFound. It
// sees every entry that was durable when it was called.
func (f *Follower) Find(ctx context.Context, id privacy.ID) (uint64, error) {
	if err := f.CatchUpTree(ctx, f.cfg.Store.Size()); err != nil {
		return 0, err
	}
	index := uint64(none)
	from, to := makeRow(id, 0, 0), makeRow(id, none, 0)
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) error {
		return s.Scan(idBucket, from.key(), to.key(), func(key, value []byte) (err error) {
			if _, index, err = parseRow(key, value); err != nil {
				return err
			}
			return store.ErrStop
		})
	})
	if err != nil {
		return 0, fmt.Errorf("reading the log's index: %w", err)
	}
	if index == none {
		return 0, ErrNotFound
	}
	e, err := f.Entry(ctx, index)
	if err != nil {
		return 0, err
	}
	if e.ID != id {
		return 0, fmt.Errorf("the log's index leads to another entry than was asked for: %w", store.ErrDamaged)
	}
	return index, nil
}

// Found is an entry and where it stands.
type Found struct {
	Index uint64
	Entry Entry
}

// Newest is what BySubject's first page begins before.
const Newest = math.MaxUint64

// BySubject returns up to limit entries about a person, the latest first. The
// first page begins before Newest, the next before the index that the last one
// ended with; any other is ErrNotFound. It sees every entry that was durable
// when it was called.
func (f *Follower) BySubject(ctx context.Context, s privacy.SubjectID, before uint64, limit int) ([]Found, error) {
	if err := f.CatchUpTree(ctx, f.cfg.Store.Size()); err != nil {
		return nil, err
	}
	if before != Newest {
		e, err := f.Entry(ctx, before)
		if err != nil {
			return nil, err
		}
		if e.Subject != s {
			return nil, ErrNotFound
		}
	}
	var indexes []uint64
	var err error
	if before == Newest {
		if before, err = f.latestOf(ctx, s); before != none {
			indexes = append(indexes, before)
		}
		if err != nil || before == none || limit == 0 {
			return nil, err
		}
	}
	err = f.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		next, _, err := readCell(snap, before)
		for err == nil && next != none && len(indexes) < limit {
			indexes = append(indexes, next)
			next, _, err = readCell(snap, next)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the log's index: %w", err)
	}
	found := make([]Found, 0, len(indexes))
	for _, index := range indexes {
		e, err := f.Entry(ctx, index)
		if err != nil {
			return nil, err
		}
		if e.Subject != s {
			return nil, fmt.Errorf("the log's index leads to another person: %w", store.ErrDamaged)
		}
		found = append(found, Found{index, e})
	}
	return found, nil
}

// latest returns the index of the latest entry about a person, or none.
func latest(r store.Reader, s privacy.SubjectID) (uint64, error) {
	b, err := r.Get(personBucket, s[:])
	if err != nil || b == nil {
		return none, err
	}
	last, _, err := parsePerson(b)
	return last, err
}

// Entry returns one durable entry, or ErrNotFound.
func (f *Follower) Entry(ctx context.Context, index uint64) (Entry, error) {
	return readEntry(ctx, f.cfg.Store, index)
}

func readEntry(ctx context.Context, s store.LogEngine, index uint64) (e Entry, err error) {
	if index >= s.Size() {
		return e, ErrNotFound
	}
	err = s.Entries(ctx, index, index+1, func(_ uint64, b []byte) error {
		e, err = ParseEntry(append([]byte(nil), b...))
		return err
	})
	if err != nil {
		return Entry{}, fmt.Errorf("reading log entry %d: %w", index, err)
	}
	return e, nil
}
