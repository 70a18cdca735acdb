package log

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// walk is one person's row, and the access records that it leads to.
type walk struct {
	subject privacy.SubjectID
	row     []byte
	until   uint64 // how far rows of their share were written when this one was read
}

// people holds every person's row against the entries: it leads to the latest,
// and its trail is what the leaves say. A log in use moves on meanwhile, so a
// row can know of more than the entries that were walked.
func (v *verifier) people(ctx context.Context) error {
	of := uint64(len(v.rows))
	var cursor []byte
	for done, more := uint64(0), true; more; {
		page, next, err := v.page(ctx, cursor)
		if err != nil {
			return err
		}
		for _, w := range page {
			if err := v.person(ctx, w); err != nil {
				return err
			}
		}
		done += uint64(len(page))
		cursor, more = next, next != nil
		v.progress(Progress{Stage: "people", Done: min(done, of), Of: of})
	}
	first := uint64(none)
	for s, index := range v.rows { // those of whom no row was seen
		if _, erased := v.late[s]; erased {
			continue
		}
		if _, err := v.cfg.HistoryKey(ctx, s); errors.Is(err, ErrErased) {
			continue // and none is to be
		}
		first = min(first, index)
	}
	if first != none {
		return bad(first, "its person is missing from the index", nil)
	}
	return nil
}

// pagePeople is how many people's rows one snapshot reads.
const pagePeople = 1000

func (v *verifier) page(ctx context.Context, cursor []byte) (page []walk, next []byte, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		page, next = page[:0], nil
		head, err := readHead(s, v.cfg.VerifierKey)
		if err != nil {
			return err
		}
		to, err := readPeople(s, head.Size)
		if err != nil {
			return err
		}
		return s.Scan(personBucket, cursor, nil, func(key, value []byte) error {
			if len(key) != len(privacy.SubjectID{}) {
				return fmt.Errorf("key of a person in the log's index: %w", store.ErrDamaged)
			}
			if len(page) == pagePeople {
				next = append([]byte(nil), key...)
				return store.ErrStop
			}
			page = append(page, walk{privacy.SubjectID(key), append([]byte(nil), value...), to[shareOf([16]byte(key))]})
			return nil
		})
	})
	return page, next, err
}

// person checks one row. The cells of the entries that were walked are known to
// lead back rightly from the latest about each person.
func (v *verifier) person(ctx context.Context, w walk) error {
	latest, known := v.rows[w.subject]
	if _, erased := v.late[w.subject]; erased {
		delete(v.rows, w.subject)
		return nil
	}
	if !known {
		latest = none
		if _, was := v.forgotten[w.subject]; was {
			if _, err := v.cfg.HistoryKey(ctx, w.subject); errors.Is(err, ErrErased) {
				return nil
			}
		}
	}
	delete(v.rows, w.subject)
	last, sealed, err := parsePerson(w.row)
	switch {
	case err != nil:
		return bad(min(latest, v.report.Hashed), "the row of its person", err)
	case last >= w.until:
		return bad(last, "the row of a person points to it, behind the end of the log", nil)
	}
	start := last
	if known && last < latest {
		start = latest
	}
	var access []uint64 // latest first
	missed, entered := uint64(none), uint64(none)
	err = v.back(ctx, start, func(index uint64, k Kind) {
		if index > last {
			missed = index
		}
		if index < v.rowsTo[shareOf(w.subject)] && entered == none {
			entered = index
		}
		if k.Trailed() {
			access = append(access, index)
		}
	})
	switch {
	case err != nil:
		return bad(last, "the way back from it", err)
	case missed != none:
		return bad(missed, "the row of its person leads only to entries before it", nil)
	case entered != latest:
		return bad(last, "the row of another person leads to it", nil)
	}
	return v.trail(ctx, w.subject, sealed, access)
}

// back follows the cells from an entry to the first about the same person.
func (v *verifier) back(ctx context.Context, from uint64, fn func(index uint64, k Kind)) error {
	for from != none {
		err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			for range pageRows {
				before, k, err := readCell(s, from)
				if err != nil {
					return err
				}
				fn(from, k)
				if from = before; from == none {
					break
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trail holds a person's trail against the access records, latest first, and
// their leaves.
func (v *verifier) trail(ctx context.Context, s privacy.SubjectID, sealed []byte, access []uint64) error {
	if len(access) == 0 && len(sealed) == 0 {
		return nil
	}
	dek, err := v.cfg.HistoryKey(ctx, s)
	if errors.Is(err, ErrErased) {
		return nil
	}
	var wants Trail
	if err == nil {
		wants, err = openTrail(sealed, dek, v.cfg.Vault, s)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		first := v.report.Hashed
		if len(access) > 0 {
			first = access[len(access)-1]
		}
		return bad(first, "the trail of its person", err)
	}
	var got Trail
	for len(access) > 0 {
		err := v.cfg.Store.View(ctx, func(r store.Snapshot) error {
			for n := 0; n < pageRows && len(access) > 0; n++ {
				index := access[len(access)-1]
				access = access[:len(access)-1]
				tile, err := readTile(r, 0, index>>tileHeight, int(index%tileWidth)+1)
				if err != nil {
					return err
				}
				if got.Count == wants.Count {
					return bad(index, fmt.Sprintf("the trail of its person ends before it, after %d access records", wants.Count), nil)
				}
				leaf := tlog.Hash(tile[index%tileWidth*tlog.HashSize:])
				got.next(index, &leaf)
				if got.Count == wants.Count && got.Head != wants.Head {
					return bad(index, "the trail of its person has another head here", nil)
				}
				if len(access) == 0 && got.Count < wants.Count {
					return bad(index, fmt.Sprintf("the trail of its person counts %d access records, the log has %d", wants.Count, got.Count), nil)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if got.Count < wants.Count {
		return bad(v.report.Hashed, fmt.Sprintf("a trail counts %d access records, the log has none", wants.Count), nil)
	}
	v.report.Trails++
	return nil
}
