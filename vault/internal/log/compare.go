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

// walk is one person's trail while the rows about them pass.
type walk struct {
	subject privacy.SubjectID
	kept    []byte // the row
	until   uint64 // it covers the entries before this one
	got     Trail
	wants   Trail
	erased  bool
	first   uint64 // index of the first entry about the person
	last    uint64 // and of the last access record
}

// people goes through the index of people, which entries showed to hold every
// row it should: now that no row is too many, and that each trail is what the
// rows and the leaves say.
func (v *verifier) people(ctx context.Context) error {
	var w *walk
	var cursor []byte
	var rows uint64
	for more := true; more; {
		// A trail needs its person's key, which is asked for between snapshots:
		// a page ends where a new person begins.
		var begin *walk
		more = false
		err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			read := 0
			more, begin = false, nil
			return s.Scan(subjectBucket, cursor, nil, func(key, value []byte) error {
				of, ref, err := parseRow(key, value)
				if err != nil {
					return err
				}
				if w == nil || w.subject != of {
					kept, err := s.Get(TrailBucket, of[:])
					if err != nil {
						return err
					}
					until, err := v.followed(s)
					if err != nil {
						return err
					}
					begin = &walk{subject: of, kept: append([]byte(nil), kept...), until: until, first: ref.Index}
					cursor, more = append([]byte(nil), key...), true
					return store.ErrStop
				}
				if read++; read > pageRows {
					cursor, more = append([]byte(nil), key...), true
					return store.ErrStop
				}
				if err := v.beyond(ref); err != nil {
					return err
				}
				if ref.Index < v.report.Hashed {
					rows++
				}
				return v.pass(s, w, ref)
			})
		})
		if err != nil {
			return err
		}
		if begin != nil {
			if err := v.endTrail(w); err != nil {
				return err
			}
			if err := v.beginTrail(ctx, begin); err != nil {
				return err
			}
			w = begin
		}
		v.progress(Progress{Stage: "people", Done: rows, Of: v.report.Hashed})
	}
	if err := v.endTrail(w); err != nil {
		return err
	}
	if rows > v.report.Hashed {
		return v.surplus(ctx, subjectBucket)
	}
	return nil
}

// pass adds one row to a person's trail.
func (v *verifier) pass(r store.Reader, w *walk, ref Ref) error {
	if w.erased || !ref.Kind.Trailed() || ref.Index >= w.until {
		return nil
	}
	tile, err := readTile(r, 0, ref.Index>>tileHeight, int(ref.Index%tileWidth)+1)
	if err != nil {
		return err
	}
	if w.got.Count == w.wants.Count {
		return bad(ref.Index, fmt.Sprintf("the trail of its person ends before it, after %d access records", w.wants.Count), nil)
	}
	leaf := tlog.Hash(tile[ref.Index%tileWidth*tlog.HashSize:])
	w.got.next(ref.Index, &leaf)
	w.last = ref.Index
	if w.got.Count == w.wants.Count && w.got.Head != w.wants.Head {
		return bad(ref.Index, "the trail of its person has another head here", nil)
	}
	return nil
}

func (v *verifier) beginTrail(ctx context.Context, w *walk) error {
	dek, err := v.cfg.HistoryKey(ctx, w.subject)
	if errors.Is(err, ErrErased) {
		w.erased = true
		return nil
	}
	if err == nil {
		w.wants, err = openTrail(w.kept, dek, v.cfg.Vault, w.subject)
	}
	if err != nil && ctx.Err() == nil {
		return bad(w.first, "the trail of its person", err)
	}
	return err
}

func (v *verifier) endTrail(w *walk) error {
	if w == nil || w.erased {
		return nil
	}
	if w.got.Count < w.wants.Count {
		return bad(w.last, fmt.Sprintf("the trail of its person counts %d access records, the log has %d", w.wants.Count, w.got.Count), nil)
	}
	if w.got.Count > 0 {
		v.report.Trails++
	}
	return nil
}

// followed returns how far the log is followed in a snapshot.
func (v *verifier) followed(r store.Reader) (uint64, error) {
	signed, err := r.Get(stateBucket, checkpointKey)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(signed, v.head.signed) { // checking a signature takes long
		h, err := readHead(r, v.cfg.VerifierKey)
		if err != nil {
			return 0, err
		}
		v.head = h
	}
	return v.head.Size, nil
}

// beyond refuses a row that points to no entry.
func (v *verifier) beyond(ref Ref) error {
	if ref.Index >= v.cfg.Store.Size() {
		return bad(ref.Index, "a row of the index points to it, behind the end of the log", nil)
	}
	return nil
}

// strays looks for identifiers that point to entries which have them not, and
// for trails of people the log does not know.
func (v *verifier) strays(ctx context.Context) error {
	var ids, trails uint64
	err := v.pages(ctx, idBucket, func(_ store.Reader, key, value []byte) error {
		_, ref, err := parseRow(key, value)
		if err != nil {
			return err
		}
		if ref.Index < v.report.Hashed {
			ids++
		}
		return v.beyond(ref)
	})
	if err != nil {
		return err
	}
	if ids > v.report.Hashed {
		return v.surplus(ctx, idBucket)
	}
	return v.pages(ctx, TrailBucket, func(r store.Reader, key, _ []byte) error {
		if len(key) != 16 {
			return fmt.Errorf("row of a trail: %w", store.ErrDamaged)
		}
		known := false
		of := [16]byte(key)
		from := makeRow(of, 0, 0)
		err := r.Scan(subjectBucket, from.key(), after(of), func(_, _ []byte) error {
			known = true
			return store.ErrStop
		})
		if err == nil && !known {
			err = bad(v.report.Hashed, "a trail counts records about a person whom the log does not know", nil)
		}
		trails++
		v.progress(Progress{Stage: "trails", Done: trails, Of: trails})
		return err
	})
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
