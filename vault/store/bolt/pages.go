package bolt

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/sayso-vault/sayso/vault/store"
)

// The pages of a bbolt file, read as they lie on disk. A page begins with a
// header of 16 bytes, in the byte order of the machine:
//
//	 0  page, 8 bytes
//	 8  kind, 2 bytes: 1 branch, 2 leaf, 4 meta, 16 free list
//	10  number of elements, 2 bytes
//	12  how many pages it goes on for, 4 bytes
//
// An element of a branch is position, length of the key, page (4, 4, 8); one of a
// leaf flags, position, length of the key, length of the value (4 each). Flag 1
// marks a bucket, whose value begins with its root page, 0 if it lies in the
// value itself. The free list is the pages' numbers in order; if there are too
// many to count in two bytes, the count is 0xFFFF and the first number.
const (
	pageBranch   = 1
	pageLeaf     = 2
	pageFreelist = 16

	elementLen     = 16
	bucketElement  = 1
	countElsewhere = 0xFFFF
)

// pageSet is a set of pages.
type pageSet []uint64

func newPageSet(pages uint64) pageSet { return make(pageSet, (pages+63)/64) }

func (s pageSet) has(id uint64) bool { return id/64 < uint64(len(s)) && s[id/64]&(1<<(id%64)) != 0 }

func (s pageSet) add(id uint64) { s[id/64] |= 1 << (id % 64) }

// page reads a page with all that it goes on for into buf, which it may replace.
func (m boltMeta) page(f io.ReaderAt, id uint64, buf *[]byte) (page []byte, kind uint16, err error) {
	bad := func() error { return fmt.Errorf("%w: page %d", store.ErrDamaged, id) }
	if id < 2 || id >= m.pages {
		return nil, 0, bad()
	}
	if len(*buf) < int(m.pageSize) {
		*buf = make([]byte, m.pageSize)
	}
	b := (*buf)[:m.pageSize]
	if _, err := f.ReadAt(b, int64(id*m.pageSize)); err != nil {
		return nil, 0, err
	}
	more := uint64(binary.NativeEndian.Uint32(b[12:]))
	if binary.NativeEndian.Uint64(b) != id || more >= m.pages-id {
		return nil, 0, bad()
	}
	if more > 0 {
		if need := (more + 1) * m.pageSize; uint64(len(*buf)) < need {
			*buf = make([]byte, need)
		}
		b = (*buf)[:(more+1)*m.pageSize]
		if _, err := f.ReadAt(b, int64(id*m.pageSize)); err != nil {
			return nil, 0, err
		}
	}
	return b, binary.NativeEndian.Uint16(b[8:]), nil
}

// reachable returns the pages that the state needs: those of its tree and of its
// free list, and both meta pages.
func (m boltMeta) reachable(ctx context.Context, f io.ReaderAt) (pageSet, error) {
	used := newPageSet(m.pages)
	used.add(0)
	used.add(1)
	take := func(id, n uint64) error {
		for ; n > 0; id, n = id+1, n-1 {
			if used.has(id) {
				return fmt.Errorf("%w: page %d is reached twice", store.ErrDamaged, id)
			}
			used.add(id)
		}
		return nil
	}
	var buf []byte
	list, kind, err := m.page(f, m.freelist, &buf)
	if err == nil && kind != pageFreelist {
		err = fmt.Errorf("%w: the free list", store.ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	if err := take(m.freelist, uint64(len(list))/m.pageSize); err != nil {
		return nil, err
	}
	todo := []uint64{m.root}
	for n := 0; len(todo) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		b, kind, err := m.page(f, id, &buf)
		if err != nil {
			return nil, err
		}
		if err := take(id, uint64(len(b))/m.pageSize); err != nil {
			return nil, err
		}
		var ok bool
		if todo, ok = children(b, kind, todo); !ok {
			return nil, fmt.Errorf("%w: page %d", store.ErrDamaged, id)
		}
	}
	return used, nil
}

// children appends the pages that a page of the tree leads to.
func children(b []byte, kind uint16, to []uint64) (_ []uint64, ok bool) {
	count := int(binary.NativeEndian.Uint16(b[10:]))
	if kind != pageBranch && kind != pageLeaf || pageHeader+count*elementLen > len(b) {
		return to, false
	}
	for i := range count {
		at := pageHeader + i*elementLen
		e := b[at:]
		if kind == pageBranch {
			to = append(to, binary.NativeEndian.Uint64(e[8:]))
			continue
		}
		if binary.NativeEndian.Uint32(e)&bucketElement == 0 {
			continue
		}
		at += int(binary.NativeEndian.Uint32(e[4:])) + int(binary.NativeEndian.Uint32(e[8:]))
		if at+8 > len(b) {
			return to, false
		}
		if root := binary.NativeEndian.Uint64(b[at:]); root != 0 {
			to = append(to, root)
		}
	}
	return to, true
}

// free returns the pages that the state's free list names.
func (m boltMeta) free(f io.ReaderAt) (pageSet, error) {
	bad := fmt.Errorf("%w: the free list", store.ErrDamaged)
	var buf []byte
	b, kind, err := m.page(f, m.freelist, &buf)
	if err != nil {
		return nil, err
	}
	if kind != pageFreelist {
		return nil, bad
	}
	n, ids := uint64(binary.NativeEndian.Uint16(b[10:])), b[pageHeader:]
	if n == countElsewhere {
		n, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		return nil, bad
	}
	free := newPageSet(m.pages)
	for i := range n {
		id := binary.NativeEndian.Uint64(ids[i*8:])
		if id < 2 || id >= m.pages {
			return nil, bad
		}
		free.add(id)
	}
	return free, nil
}
