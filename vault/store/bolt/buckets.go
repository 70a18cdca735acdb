package bolt

import (
	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// Buckets returns how many bytes each bucket takes of the file, by walking all
// of it. Pages are counted whole, as they lie on disk.
func (db *DB) Buckets() (sizes map[store.Bucket]int64, err error) {
	snap, err := db.snapshots.acquire()
	if err != nil {
		return nil, err
	}
	defer db.snapshots.release(snap)
	defer damage(&err)()
	sizes = map[store.Bucket]int64{}
	err = snap.tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		s := b.Stats()
		sizes[store.Bucket(name)] = int64(s.BranchAlloc + s.LeafAlloc)
		return nil
	})
	return sizes, err
}
