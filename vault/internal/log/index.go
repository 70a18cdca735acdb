package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ErrNotFound: no such entry, or no such tile, at the log's present size.
var ErrNotFound = errors.New("not in the log")

// The index finds entries by identifier and by person. Rows are alike:
// identifier or subject (16) ‖ log index (8, big endian) → kind (1).
const (
	idBucket      store.Bucket = "log/id"
	subjectBucket store.Bucket = "log/subject"
)

// Ref points to an entry.
type Ref struct {
	Index uint64
	Kind  Kind
}

const rowKeySize = 16 + 8

// row is a row of the index, key and value side by side.
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

// parseRow reads a row from the store.
func parseRow(key, value []byte) (of [16]byte, ref Ref, err error) {
	if len(key) != rowKeySize || len(value) != 1 || !Kind(value[0]).known() {
		return of, ref, fmt.Errorf("row of the log's index: %w", store.ErrDamaged)
	}
	return [16]byte(key), Ref{Index: binary.BigEndian.Uint64(key[16:]), Kind: Kind(value[0])}, nil
}

// Find returns the index of the first entry with this ID, or ErrNotFound. It
// sees every entry that was durable when it was called.
func (f *Follower) Find(ctx context.Context, id privacy.ID) (uint64, error) {
	refs, err := f.ByID(ctx, id, 0, 1)
	if err != nil {
		return 0, err
	}
	if len(refs) == 0 {
		return 0, ErrNotFound
	}
	return refs[0].Index, nil
}

// ByID returns up to limit entries with this ID whose index is at least from,
// in order. It sees every entry that was durable when it was called.
func (f *Follower) ByID(ctx context.Context, id privacy.ID, from uint64, limit int) ([]Ref, error) {
	return f.refs(ctx, idBucket, id, from, limit)
}

// BySubject returns up to limit entries about a person whose index is at least
// from, in order; the next page begins after the last one's index. It sees
// every entry that was durable when it was called.
func (f *Follower) BySubject(ctx context.Context, s privacy.SubjectID, from uint64, limit int) ([]Ref, error) {
	return f.refs(ctx, subjectBucket, s, from, limit)
}

func (f *Follower) refs(ctx context.Context, b store.Bucket, of [16]byte, from uint64, limit int) ([]Ref, error) {
	if err := f.CatchUp(ctx, f.cfg.Store.Size()); err != nil {
		return nil, err
	}
	var refs []Ref
	first, end := makeRow(of, from, 0), after(of)
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) error {
		refs = refs[:0]
		return s.Scan(b, first.key(), end, func(key, value []byte) error {
			if len(refs) == limit {
				return store.ErrStop
			}
			_, ref, err := parseRow(key, value)
			if err != nil {
				return err
			}
			refs = append(refs, ref)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading the log's index: %w", err)
	}
	return refs, nil
}

// after returns the first key behind all rows of one identifier.
func after(of [16]byte) []byte {
	for i := len(of) - 1; i >= 0; i-- {
		if of[i]++; of[i] != 0 {
			return of[:]
		}
	}
	return nil
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
