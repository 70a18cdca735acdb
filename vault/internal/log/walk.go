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

// people goes through the index of people, which was found to be right, and
// holds each trail against its rows and the leaves.
func (v *verifier) people(ctx context.Context) error {
	var w *walk
	var cursor []byte
	var passed uint64
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
				passed++
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
		v.progress(Progress{Stage: "people", Done: min(passed, v.report.Hashed), Of: v.report.Hashed})
	}
	return v.endTrail(w)
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

// strays looks for trails of people the log does not know.
func (v *verifier) strays(ctx context.Context) error {
	var rows uint64
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
		rows++
		v.progress(Progress{Stage: "trails", Done: rows, Of: rows})
		return err
	})
}
