package log

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Roots hashes the entries of a log one after another, and knows the root of
// those so far.
type Roots struct{ tree frontier }

// Add adds the next entry.
func (r *Roots) Add(e *Entry) {
	_ = r.tree.add(leafHash(&e.Commitment), func(int, uint64, tlog.Hash) error { return nil })
}

// Size is how many were added.
func (r *Roots) Size() uint64 { return r.tree.size }

// Root is the root of the tree of them.
func (r *Roots) Root() tlog.Hash { return r.tree.root() }

// Buckets are those that a follower writes: of what they hold nothing is lost
// when a log is begun anew, since it follows from the entries.
func Buckets() []store.Bucket {
	return []store.Bucket{tileBucket, idBucket, personBucket, cellBucket, stateBucket}
}

// Anew is what the first record of a log that a restore began says of the log
// before. Indexes in it are of the new log, of which it is number 0.
type Anew struct {
	Old  string    `json:"old"`  // origin of the log before
	Size uint64    `json:"size"` // records that it is known to have had
	Tree uint64    `json:"tree"` // the largest tree of it that is known
	Root tlog.Hash `json:"root"` // of that tree
	// Carried are the records that follow this one. Of them Whole were read from
	// a log, with this root; the rest was committed, and not in the log yet.
	Carried   uint64    `json:"carried"`
	Whole     uint64    `json:"whole"`
	WholeRoot tlog.Hash `json:"whole_root"`
	// Undone is from which index on carried acts are not in the data that was
	// restored; none: zero.
	Undone uint64 `json:"undone,omitempty"`
	// Lapsed says that the ledger was not whole.
	Lapsed bool `json:"lapsed,omitempty"`
}

// AnewRecord is the record of an entry of kind Start that holds an Anew.
type AnewRecord struct {
	Format int       `json:"v"`
	At     time.Time `json:"at"`
	Anew   Anew      `json:"anew"`
}

// ParseAnew returns what a record of kind Start says of the log before, if it is
// of a restore.
func ParseAnew(record []byte) (*Anew, bool) {
	var r struct {
		Anew *Anew `json:"anew"`
	}
	if json.Unmarshal(record, &r) != nil || r.Anew == nil {
		return nil, false
	}
	return r.Anew, true
}

// Restores are the records of restores that a log begins with, as a walk through
// it meets them: the last restore first. What follows from them is which of the
// entries behind stood in logs before, and which are of acts that were undone.
type Restores struct {
	all   []restored
	Ended bool // no further one can come
}

type restored struct {
	Anew
	at    uint64 // its own index
	roots Roots
}

func (r *restored) carried(index uint64) bool { return index > r.at && index-r.at <= r.Carried }

// Follow takes the next entry of a walk, with its opening unless that is gone. It
// errs if the entries up to it are not those that a record says were carried
// over.
func (r *Restores) Follow(index uint64, e *Entry, o *Opening) error {
	for i := range r.all {
		one := &r.all[i]
		if !one.carried(index) {
			continue
		}
		if one.roots.Add(e); one.roots.Size() == one.Whole && one.roots.Root() != one.WholeRoot {
			return errors.New("the entries up to it are not those of the log before, which the first record commits to")
		}
	}
	var a *Anew
	ok := false
	if !r.Ended && o != nil && e.Kind == Start && e.Subject == privacy.Nobody {
		a, ok = ParseAnew(o.Record)
	}
	if r.Ended = !ok; ok {
		if a.Undone > a.Carried {
			return fmt.Errorf("a record of a restore that cannot be: %w", store.ErrDamaged)
		}
		r.all = append(r.all, restored{Anew: *a, at: index})
	}
	return nil
}

// Undid reports whether the entry is of an act that a restore undid, if it is of
// one at all.
func (r *Restores) Undid(index uint64) bool {
	for i := range r.all {
		if one := &r.all[i]; one.Undone > 0 && one.carried(index) && index >= one.at+one.Undone {
			return true
		}
	}
	return false
}

// Shift is how much larger an entry's index is than it was when the entry was
// made: once for each restore since.
func (r *Restores) Shift(index uint64) (n uint64) {
	for i := range r.all {
		if r.all[i].carried(index) {
			n++
		}
	}
	return n
}

// Viewer gives snapshots.
type Viewer interface {
	View(ctx context.Context, fn func(store.Snapshot) error) error
}
