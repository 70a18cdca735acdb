package vault

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// A personal bucket keeps rows of people. Their keys begin with the person's
// place, never with their ID: see [keys.Keyring.Place]. So it is no store.Bucket,
// and takes no bare bytes as a key.
//
// Its order is that in which people came. A channel must not be shown people in
// that order, or it learns who was known before it captured them.
type personal string

// place is a key of a personal bucket.
type place struct{ key []byte }

func (v *Vault) place(id privacy.SubjectID) place { return place{v.keyring().Place(id)} }

// with returns the key of one of many rows of a person.
func (p place) with(rest ...byte) place { return place{slices.Concat(p.key, rest)} }

// end returns the first key behind all those that begin with this one.
func (p place) end() []byte { return after(p.key) }

func (b personal) get(r store.Reader, at place) ([]byte, error) {
	return r.Get(store.Bucket(b), at.key)
}

func (b personal) put(tx store.Tx, at place, value []byte) error {
	return tx.Put(store.Bucket(b), bytes.Clone(at.key), value)
}

func (b personal) delete(tx store.Tx, at place) error {
	return tx.Delete(store.Bucket(b), at.key)
}

// scan calls fn with a person's rows: what of the key follows the place, and the
// value.
func (b personal) scan(r store.Reader, of place, fn func(rest, value []byte) error) error {
	return r.Scan(store.Bucket(b), of.key, of.end(), func(key, value []byte) error { return fn(key[len(of.key):], value) })
}

// all is the bucket as it is walked through whole.
func (b personal) all() store.Bucket { return store.Bucket(b) }

// personAt returns whose place a key is.
func (v *Vault) personAt(key []byte) (privacy.SubjectID, error) {
	id, err := v.keyring().SubjectAt(key)
	if err != nil {
		return privacy.Nobody, fmt.Errorf("a row of nobody: %w", errIntegrity)
	}
	return id, nil
}
