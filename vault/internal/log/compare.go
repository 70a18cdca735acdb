package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/store"
)

// compare holds a batch of entries against tiles and index rows, and adds it to
// the tree. The batch lies within one tile of level 0.
func (v *verifier) compare(ctx context.Context, from uint64, batch []seen) error {
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		for i, e := range batch {
			index := from + uint64(i)
			hashed := index < v.report.Hashed
			if hashed {
				if err := hasRow(s, idBucket, makeRow(e.id, index, e.kind)); err != nil {
					return bad(index, "its row in the index of identifiers", err)
				}
				if err := hasRow(s, subjectBucket, makeRow(e.subject, index, e.kind)); err != nil {
					return bad(index, "its row in the index of people", err)
				}
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

// index looks for rows too many: entries showed that every row is there that
// should be.
func (v *verifier) index(ctx context.Context) error {
	for _, b := range []store.Bucket{idBucket, subjectBucket} {
		var rows uint64
		err := v.pages(ctx, b, func(_ store.Reader, key, value []byte) error {
			_, ref, err := parseRow(key, value)
			switch {
			case err != nil:
				return err
			case ref.Index >= v.cfg.Store.Size():
				return bad(ref.Index, "a row of the index points to it, behind the end of the log", nil)
			case ref.Index < v.report.Hashed:
				rows++
			}
			return nil
		})
		if err != nil {
			return err
		}
		if rows > v.report.Hashed {
			return v.surplus(ctx, b)
		}
	}
	return nil
}

// surplus names the entry that a row too many points to.
func (v *verifier) surplus(ctx context.Context, b store.Bucket) error {
	err := v.pages(ctx, b, func(_ store.Reader, key, value []byte) error {
		of, ref, err := parseRow(key, value)
		if err != nil || ref.Index >= v.report.Hashed {
			return err
		}
		e, err := readEntry(ctx, v.cfg.Store, ref.Index)
		if err != nil {
			return err
		}
		has := [16]byte(e.ID)
		if b == subjectBucket {
			has = e.Subject
		}
		if has != of {
			return bad(ref.Index, "a row of the index gives it another identifier", nil)
		}
		return nil
	})
	if err == nil {
		err = fmt.Errorf("the log's index has rows too many: %w", store.ErrDamaged)
	}
	return err
}

// pages calls fn for every row of a bucket, a snapshot a page.
func (v *verifier) pages(ctx context.Context, b store.Bucket, fn func(r store.Reader, key, value []byte) error) error {
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
				return fn(s, key, value)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
