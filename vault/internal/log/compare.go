package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// compare holds a batch of entries against tiles and index, and adds it to the
// tree. The batch lies within one tile of level 0.
func (v *verifier) compare(ctx context.Context, from uint64, batch []seen) error {
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		for i, e := range batch {
			index := from + uint64(i)
			hashed := index < v.report.Hashed
			if hashed {
				if err := hasRow(s, idBucket, makeRow(e.id, index, e.kind)); err != nil {
					return bad(index, "its row in the index of identifiers", err)
				}
				if err := v.hasCell(s, index, e); err != nil {
					return bad(index, "its place in the index of people", err)
				}
			}
			if e.frees != nil {
				v.free(index, *e.frees)
			}
			err := v.tree.add(e.leaf, func(level int, n uint64, h tlog.Hash) error {
				if !hashed || level%tileHeight != 0 {
					return nil
				}
				if err := inTile(s, level/tileHeight, n, h); err != nil {
					return bad(n<<level, "the tree", err)
				}
				return nil
			})
			if err != nil {
				return err
			}
			v.remember()
		}
		return nil
	})
}

// free takes note that everything so far about a person was orphaned.
func (v *verifier) free(index uint64, s privacy.SubjectID) {
	if index < v.report.Hashed {
		if was, ok := v.latest[s]; ok && v.restores.Shift(index) > 0 {
			v.freed[s] = was
		}
		delete(v.latest, s)
	}
	if index < v.rowsTo[shareOf(s)] {
		delete(v.rows, s)
		v.forgotten[s] = struct{}{}
	} else {
		v.late[s] = struct{}{}
	}
}

func hasRow(r store.Reader, b store.Bucket, want row) error {
	got, err := r.Get(b, want.key())
	switch {
	case err != nil:
		return err
	case got == nil:
		return errors.New("is missing")
	case !bytes.Equal(got, want.value()):
		return errors.New("names another kind")
	}
	return nil
}

// hasCell checks that an entry's cell leads to the one before it about the same
// person, and remembers it as the latest.
func (v *verifier) hasCell(r store.Reader, index uint64, e seen) error {
	before, kind, err := readCell(r, index)
	if err != nil {
		return err
	}
	// A restore followed the log anew, and linked what an erasure had parted.
	if was, freed := v.freed[e.subject]; freed {
		delete(v.freed, e.subject)
		if before == was {
			v.latest[e.subject] = was
		}
	}
	want, ok := v.latest[e.subject]
	if !ok {
		want = none
	}
	v.latest[e.subject] = index
	if index < v.rowsTo[shareOf(e.subject)] {
		v.rows[e.subject] = index
	}
	switch {
	case before != want:
		return errors.New("leads to another entry")
	case kind != e.kind:
		return errors.New("names another kind")
	}
	return nil
}

func inTile(r store.Reader, level int, n uint64, want tlog.Hash) error {
	tile, err := readTile(r, level, n>>tileHeight, int(n%tileWidth)+1)
	if err != nil {
		return err
	}
	if got := tile[n%tileWidth*tlog.HashSize:]; !bytes.Equal(got, want[:]) {
		return fmt.Errorf("hash %d of level %d is another", n, level)
	}
	return nil
}

// pageRows bounds the rows read in one snapshot: an old one pins pages.
const pageRows = 10_000

// index looks for identifiers too many: entries showed that every one is there
// that should be.
func (v *verifier) index(ctx context.Context) error {
	var rows uint64
	err := v.pages(ctx, idBucket, func(key, value []byte) error {
		_, index, err := parseRow(key, value)
		switch {
		case err != nil:
			return err
		case index >= v.cfg.Store.Size():
			return bad(index, "a row of the index points to it, behind the end of the log", nil)
		case index < v.report.Hashed:
			rows++
		}
		return nil
	})
	if err == nil && rows > v.report.Hashed {
		err = v.surplus(ctx)
	}
	return err
}

// surplus names the entry that a row too many points to.
func (v *verifier) surplus(ctx context.Context) error {
	err := v.pages(ctx, idBucket, func(key, value []byte) error {
		of, index, err := parseRow(key, value)
		if err != nil || index >= v.report.Hashed {
			return err
		}
		e, err := readEntry(ctx, v.cfg.Store, index)
		if err == nil && e.ID != of {
			err = bad(index, "a row of the index gives it another identifier", nil)
		}
		return err
	})
	if err == nil {
		err = fmt.Errorf("the log's index has rows too many: %w", store.ErrDamaged)
	}
	return err
}

// pages calls fn for every row of a bucket, a snapshot a page.
func (v *verifier) pages(ctx context.Context, b store.Bucket, fn func(key, value []byte) error) error {
	var cursor []byte
	for more := true; more; {
		more = false
		read := 0
		err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			return s.Scan(b, cursor, nil, func(key, value []byte) error {
				if read++; read > pageRows {
					cursor, more = append([]byte(nil), key...), true
					return store.ErrStop
				}
				return fn(key, value)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
