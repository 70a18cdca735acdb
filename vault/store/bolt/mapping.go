package bolt

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// mapping reads from bbolt as from a disk that may lie. bbolt believes what a
// page says of itself; a page that was damaged makes it panic, follow an offset
// past the end of the file, or give a slice that reaches there. All three become
// store.ErrDamaged.
type mapping struct {
	base, limit uintptr // of the file's pages in memory
	pages       []byte  // the same
	pageSize    uint64
	count       uint64 // of pages
	// only is whether all that is read lies there, but for buckets that lie in
	// another's page: so it is until something is written.
	only bool
}

func mappingOf(tx *bbolt.Tx) mapping {
	info := tx.DB().Info()
	// bbolt gives the address as a number. It is not of Go's memory, so that the
	// collector neither moves nor frees it.
	at := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	return mapping{
		base: info.Data, limit: info.Data + uintptr(tx.Size()),
		pages: unsafe.Slice((*byte)(at), tx.Size()), pageSize: uint64(info.PageSize), count: uint64(tx.Size()) / uint64(info.PageSize),
		only: true,
	}
}

// whole panics, for damage to catch, if b, which was read from a bucket, begins
// in the mapped file and does not end there, or begins outside though nothing of
// this bucket can lie there. What bbolt copied to the heap does.
func (m mapping) whole(in *bbolt.Bucket, b []byte) {
	if len(b) == 0 {
		return
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if at >= m.base && at < m.limit {
		if uintptr(len(b)) > m.limit-at {
			panic("a value reaches past the end of the file")
		}
	} else if m.only && in.Root() != 0 {
		panic("a value lies outside the file")
	}
}

// get tells an empty value from none: bbolt may return nil for both.
func (m mapping) get(b *bbolt.Bucket, key []byte) []byte {
	if b == nil || len(key) == 0 {
		return nil
	}
	k, v := b.Cursor().Seek(key)
	m.whole(b, k)
	if !bytes.Equal(k, key) {
		return nil
	}
	m.whole(b, v)
	return full(v)
}

func full(v []byte) []byte {
	if v == nil {
		return []byte{}
	}
	return v[:len(v):len(v)]
}

// seek returns a cursor at the first key not before from, and a nil key if there
// is none.
func (m mapping) seek(bucket func(store.Bucket) *bbolt.Bucket, name store.Bucket, from []byte) (c *bbolt.Cursor, k, v []byte, err error) {
	defer damage(&err)()
	b := bucket(name)
	if b == nil {
		return nil, nil, nil, nil
	}
	c = b.Cursor()
	if len(from) == 0 {
		k, v = c.First()
	} else {
		k, v = c.Seek(from)
	}
	m.whole(b, k)
	m.whole(b, v)
	return c, k, full(v), nil
}

func (m mapping) step(c *bbolt.Cursor) (k, v []byte, err error) {
	defer damage(&err)()
	k, v = c.Next()
	m.whole(c.Bucket(), k)
	m.whole(c.Bucket(), v)
	return k, full(v), nil
}

// damage, deferred around calls of bbolt, turns its panics and faults into
// store.ErrDamaged.
func damage(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		switch r := recover(); r {
		case nil:
			debug.SetPanicOnFault(old)
		default:
			*err = asDamage(r, old)
		}
	}
}

// damaged is damage for where each read comes by: it is deferred itself, with
// what debug.SetPanicOnFault(true) returned, and takes no allocation.
func damaged(err *error, old bool) {
	switch r := recover(); r {
	case nil:
		debug.SetPanicOnFault(old)
	default:
		*err = asDamage(r, old)
	}
}

func asDamage(r any, old bool) error {
	debug.SetPanicOnFault(old)
	if fault, ok := r.(runtime.Error); ok {
		return fmt.Errorf("%w: %w", store.ErrDamaged, fault)
	}
	return fmt.Errorf("%w: %v", store.ErrDamaged, r)
}
