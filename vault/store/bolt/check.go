package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"

	"github.com/sayso-vault/sayso/vault/store"
)

// bbolt maps its file and trusts it: a page past the end of the file kills the
// process. So the length is held against both meta pages before it is mapped.
// A meta page (after a page header of 16 bytes, in the byte order of the
// machine) is
//
//	 0  magic, version, page size, flags: 4 bytes each
//	16  root page, sequence, freelist page, number of pages, transaction
//	56  FNV-1a of the bytes before
const (
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	pageHeader   = 16
	metaLen      = 64
	smallestPage = 1 << 10
	largestPage  = 64 << 10
)

type boltMeta struct {
	pageSize, root, freelist, pages, tx uint64
}

// parseMeta returns store.ErrFormat for what is no meta page of bbolt, and
// store.ErrDamaged for one whose checksum is wrong.
func parseMeta(page []byte) (boltMeta, error) {
	b := page[pageHeader:]
	if binary.NativeEndian.Uint32(b) != boltMagic {
		return boltMeta{}, store.ErrFormat
	}
	if binary.NativeEndian.Uint32(b[4:]) != boltVersion {
		return boltMeta{}, store.ErrFormat
	}
	sum := fnv.New64a()
	sum.Write(b[:56])
	if sum.Sum64() != binary.NativeEndian.Uint64(b[56:]) {
		return boltMeta{}, store.ErrDamaged
	}
	return boltMeta{
		pageSize: uint64(binary.NativeEndian.Uint32(b[8:])),
		root:     binary.NativeEndian.Uint64(b[16:]),
		freelist: binary.NativeEndian.Uint64(b[32:]),
		pages:    binary.NativeEndian.Uint64(b[40:]),
		tx:       binary.NativeEndian.Uint64(b[48:]),
	}, nil
}

// checkFile refuses a file that is not a whole bbolt database. Both meta pages
// must be good: bbolt would fall back from a bad one to the state before, which
// is to lose an acknowledged write in silence.
func checkFile(f *os.File) error {
	name := filepath.Base(f.Name())
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return fmt.Errorf("%w: %s is empty", store.ErrDamaged, name)
	}
	first, err0 := metaAt(f, 0)
	size := first.pageSize
	if err0 != nil { // look for the other one where it can be
		for size = smallestPage; size <= largestPage; size *= 2 {
			if _, err := metaAt(f, int64(size)); err == nil {
				return fmt.Errorf("%w: first meta page of %s", store.ErrDamaged, name)
			}
		}
		return fmt.Errorf("%w: %s", err0, name)
	}
	if size < smallestPage || size > largestPage || size&(size-1) != 0 {
		return fmt.Errorf("%w: page size of %s", store.ErrDamaged, name)
	}
	second, err := metaAt(f, int64(size))
	if err != nil || second.pageSize != size {
		return fmt.Errorf("%w: second meta page of %s", store.ErrDamaged, name)
	}
	for _, m := range []boltMeta{first, second} {
		if have := uint64(info.Size()) / size; m.pages > have {
			return fmt.Errorf("%w: %s has been cut off: %d pages of %d", store.ErrDamaged, name, have, m.pages)
		}
	}
	return nil
}

func metaAt(f io.ReaderAt, off int64) (boltMeta, error) {
	b := make([]byte, pageHeader+metaLen)
	if _, err := f.ReadAt(b, off); err == io.EOF {
		return boltMeta{}, store.ErrFormat
	} else if err != nil {
		return boltMeta{}, err
	}
	return parseMeta(b)
}
