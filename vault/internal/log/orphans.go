package log

import (
	"context"
	"fmt"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"

	"golang.org/x/mod/sumdb/tlog"
)

// Orphans are the entries about a person whose key was destroyed: how many, and
// a head that chains index and leaf of each in order, as a trail does. The entry
// that records an erasure holds them, so that nobody can take an opening away
// and say that it was one.
type Orphans = Trail

// Orphans returns what an erasure of a person leaves of them in the log. It sees
// every entry that was durable when it was called.
func (f *Follower) Orphans(ctx context.Context, s privacy.SubjectID) (Orphans, error) {
	if err := f.CatchUp(ctx, f.cfg.Store.Size()); err != nil {
		return Orphans{}, err
	}
	var indexes []uint64 // latest first
	var next uint64
	err := f.cfg.Store.View(ctx, func(r store.Snapshot) (err error) {
		next, err = latest(r, s)
		return err
	})
	for err == nil && next != none {
		err = f.cfg.Store.View(ctx, func(r store.Snapshot) (err error) {
			for n := 0; n < pageRows && err == nil && next != none; n++ {
				indexes = append(indexes, next)
				next, _, err = readCell(r, next)
			}
			return err
		})
	}
	var o Orphans
	for err == nil && len(indexes) > 0 {
		err = f.cfg.Store.View(ctx, func(r store.Snapshot) error {
			for n := 0; n < pageRows && len(indexes) > 0; n++ {
				index := indexes[len(indexes)-1]
				indexes = indexes[:len(indexes)-1]
				tile, err := readTile(r, 0, index>>tileHeight, int(index%tileWidth)+1)
				if err != nil {
					return err
				}
				leaf := tlog.Hash(tile[index%tileWidth*tlog.HashSize:])
				o.next(index, &leaf)
			}
			return nil
		})
	}
	if err != nil {
		return Orphans{}, fmt.Errorf("reading the entries about a person: %w", err)
	}
	return o, nil
}

// orphan is a person of whom openings were found gone. What an erasure says of
// them it says with the indexes of when it was recorded: so they are chained with
// the indexes as they are, as they were before the last restore, before the last
// two, and so on.
type orphan struct {
	of []Orphans // since the last erasure that was recorded
	// linked are all of them. A restore follows the log anew, and links what an
	// erasure from before it had parted.
	linked []Orphans
	first  uint64 // index of the first that no erasure accounts for yet
	open   bool   // there is one
}

// lose takes note of an entry whose opening is gone.
func (v *verifier) lose(index uint64, e *Entry) {
	v.report.Erased++
	o := v.orphans[e.Subject]
	if o == nil {
		n := 1 + len(v.restores.all)
		o = &orphan{of: make([]Orphans, n), linked: make([]Orphans, n)}
		v.orphans[e.Subject] = o
	}
	if !o.open {
		o.open, o.first = true, index
	}
	leaf := leafHash(&e.Commitment)
	for shift := range o.of {
		o.of[shift].next(index-uint64(shift), &leaf)
		o.linked[shift].next(index-uint64(shift), &leaf)
	}
}

// erased returns whose openings an entry says were orphaned, if it records an
// erasure and they are those that are gone.
func (v *verifier) erased(index uint64, e *Entry, o *Opening) *privacy.SubjectID {
	if v.cfg.Orphaned == nil || e.Kind != Erasure || o == nil {
		return nil
	}
	said, ok := v.cfg.Orphaned(o.Record)
	if !ok || said.Count == 0 {
		return nil
	}
	shift := v.restores.Shift(index)
	for s, gone := range v.orphans {
		if !gone.open || shift >= uint64(len(gone.of)) || gone.of[shift] != said && gone.linked[shift] != said {
			continue
		}
		if shift == 0 {
			delete(v.orphans, s)
		} else {
			gone.of, gone.open = make([]Orphans, len(gone.of)), false
		}
		return &s
	}
	return nil
}

// accounted looks whether an erasure was recorded of everybody whose openings are
// gone: within what was walked, or since; or is about to be.
func (v *verifier) accounted(ctx context.Context) error {
	if v.cfg.Orphaned == nil {
		return nil
	}
	size := v.cfg.Store.Size()
	for from := v.report.Entries; from < size && v.unaccounted(); from = min(size, from+pageRows) {
		err := v.cfg.Store.Entries(ctx, from, min(size, from+pageRows), func(index uint64, b []byte) error {
			e, err := ParseEntry(b)
			if err != nil || e.Kind != Erasure {
				return nil //nolint:nilerr // the next walk names it
			}
			dek, err := v.cfg.HistoryKey(ctx, e.Subject)
			if err != nil {
				return nil //nolint:nilerr // likewise
			}
			if o, err := e.Open(dek, v.cfg.Vault); err == nil {
				if s := v.erased(index, &e, &o); s != nil {
					v.late[*s] = struct{}{}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	first := uint64(none)
	for s, o := range v.orphans {
		if !o.open {
			continue
		}
		if v.cfg.Erasing != nil {
			under, err := v.cfg.Erasing(ctx, s)
			if err != nil {
				return err
			}
			if under {
				continue
			}
		}
		first = min(first, o.first)
	}
	if first != none {
		return bad(first, "its opening is gone, and no erasure accounts for it", nil)
	}
	return nil
}

func (v *verifier) unaccounted() bool {
	for _, o := range v.orphans {
		if o.open {
			return true
		}
	}
	return false
}
