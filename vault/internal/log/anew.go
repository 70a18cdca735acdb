package log

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

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

// Viewer gives snapshots.
type Viewer interface {
	View(ctx context.Context, fn func(store.Snapshot) error) error
}
