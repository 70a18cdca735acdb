package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/sayso-vault/sayso/vault/store"
)

// maxDepth is more than any tree has: a page that leads to itself is damage.
const maxDepth = 32

// rooted says where a bucket's tree begins, 0 if it lies in its parent's page.
type rooted struct {
	name store.Bucket
	root uint64
}

// rootOf returns where a bucket's tree begins in this snapshot. There are few
// buckets, and looking through them is shorter than hashing a name.
func (s *snapshot) rootOf(b store.Bucket) uint64 {
	known := s.roots.Load()
	if known != nil {
		for i := range *known {
			if (*known)[i].name == b {
				return (*known)[i].root
			}
		}
	}
	found := rooted{name: b}
	if bucket := s.bucket(b); bucket != nil {
		found.root = uint64(bucket.Root())
	}
	var all []rooted
	if known != nil {
		all = append(all, *known...)
	}
	all = append(all, found)
	s.roots.CompareAndSwap(known, &all) // who is late looks again
	return found.root
}

// lookup returns the value at key in the tree that begins at a page, or nil. It
// reads pages as they lie in the file (see pages.go), with every length checked,
// in a fraction of the time a cursor takes.
func (m mapping) lookup(root uint64, key []byte) ([]byte, error) {
	id := root
	for range maxDepth {
		page, kind, n := m.page(id)
		at, exact, ok := search(page, kind, n, key)
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: page %d", store.ErrDamaged, id)
		case kind == pageLeaf && !exact:
			return nil, nil
		case kind == pageLeaf:
			return leafValue(page, at, id)
		}
		// A branch's key is the first of the page it leads to.
		if !exact && at > 0 {
			at--
		}
		id = binary.NativeEndian.Uint64(page[pageHeader+at*elementLen+8:])
	}
	return nil, fmt.Errorf("%w: page %d leads to itself", store.ErrDamaged, root)
}

// page returns a page of the mapping with all that it goes on for; of another
// kind than branch and leaf if it is none.
func (m mapping) page(id uint64) (page []byte, kind uint16, n int) {
	pages := m.count
	if id < 2 || id >= pages {
		return nil, 0, 0
	}
	page = m.pages[id*m.pageSize:]
	more := uint64(binary.NativeEndian.Uint32(page[12:]))
	n = int(binary.NativeEndian.Uint16(page[10:]))
	if binary.NativeEndian.Uint64(page) != id || more >= pages-id || pageHeader+n*elementLen > int((more+1)*m.pageSize) {
		return nil, 0, 0
	}
	size := (more + 1) * m.pageSize
	return page[:size:size], binary.NativeEndian.Uint16(page[8:]), n
}

// search returns the first element of a page whose key is not before key.
func search(page []byte, kind uint16, n int, key []byte) (at int, exact, ok bool) {
	// Where an element says how far behind itself its key lies, and how long it is.
	var field int
	switch kind {
	case pageLeaf:
		field = 4
	case pageBranch:
		field = 0
	default:
		return 0, false, false
	}
	if kind == pageBranch && n == 0 {
		return 0, false, false
	}
	var begins uint64 // its first eight bytes: mostly they tell
	if len(key) >= 8 {
		begins = binary.BigEndian.Uint64(key)
	}
	lo, hi := 0, n
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		element := pageHeader + mid*elementLen
		from := uint64(element) + uint64(binary.NativeEndian.Uint32(page[element+field:]))
		to := from + uint64(binary.NativeEndian.Uint32(page[element+field+4:]))
		if to > uint64(len(page)) {
			return 0, false, false
		}
		order := 0
		if to-from >= 8 && len(key) >= 8 {
			order = cmp.Compare(binary.BigEndian.Uint64(page[from:]), begins)
		}
		if order == 0 {
			order = bytes.Compare(page[from:to], key)
		}
		switch {
		case order == 0:
			return mid, true, true
		case order < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false, true
}

// leafValue returns the value of an element whose key was checked.
func leafValue(page []byte, at int, id uint64) ([]byte, error) {
	element := pageHeader + at*elementLen
	e := page[element:]
	if binary.NativeEndian.Uint32(e)&bucketElement != 0 {
		return nil, nil
	}
	from := uint64(element) + uint64(binary.NativeEndian.Uint32(e[4:])) + uint64(binary.NativeEndian.Uint32(e[8:]))
	to := from + uint64(binary.NativeEndian.Uint32(e[12:]))
	if to > uint64(len(page)) {
		return nil, fmt.Errorf("%w: page %d", store.ErrDamaged, id)
	}
	return page[from:to:to], nil
}
