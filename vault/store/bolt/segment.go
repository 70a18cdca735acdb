package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/sayso-vault/sayso/vault/store"
)

// A segment is a file of fixed size, filled with zeros before its first frame
// is written, so that a sync writes data and no metadata. It begins with
//
//	 0  "saysolog"
//	 8  format version, 1
//	12  number of the segment, from 1
//	16  log ID, 16 random bytes that vault.db holds too
//	32  size of the file
//	40  CRC-32C of the bytes before
//	44  zeros up to byte 64, where the first frame begins
type segment struct {
	path   string
	number int
	size   int64
	first  uint64 // index of its first entry, if it has any
	marks  []mark // where to begin reading; nil until needed
}

// mark says that the entry with this index begins at this offset.
type mark struct {
	index uint64
	off   int64
}

const (
	segmentMagic   = "saysolog"
	segmentVersion = 1
	segmentHeader  = 64
	firstSegment   = 1<<20 + 4096 // holds the largest frame
	maxSegment     = 64 << 20
	markEvery      = 32 << 10
)

type logID [16]byte

func segmentSize(number int) int64 {
	if number > 6 {
		return maxSegment
	}
	return min(int64(firstSegment)<<(number-1), maxSegment)
}

func segmentName(number int) string { return fmt.Sprintf("%08d.log", number) }

func marshalHeader(id logID, number int, size int64) []byte {
	h := make([]byte, segmentHeader)
	copy(h, segmentMagic)
	binary.LittleEndian.PutUint32(h[8:], segmentVersion)
	binary.LittleEndian.PutUint32(h[12:], uint32(number))
	copy(h[16:], id[:])
	binary.LittleEndian.PutUint64(h[32:], uint64(size))
	binary.LittleEndian.PutUint32(h[40:], crc32.Checksum(h[:40], castagnoli))
	return h
}

// createSegment makes segment number, zero-filled and durable, name included.
// Its own syncs come in pieces, so that those of the log need not wait long.
func createSegment(folder string, id logID, number int) (*segment, error) {
	s := &segment{path: filepath.Join(folder, segmentName(number)), number: number, size: segmentSize(number)}
	tmp := s.path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < s.size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), s.size-at)], at); err != nil {
			return nil, fmt.Errorf("preparing %s: %w", segmentName(number), err)
		}
		if err := fdatasync(f); err != nil {
			return nil, fmt.Errorf("preparing %s: %w", segmentName(number), err)
		}
	}
	if _, err := f.WriteAt(marshalHeader(id, number, s.size), 0); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", segmentName(number), err)
	}
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", segmentName(number), err)
	}
	if err := os.Rename(tmp, s.path); err != nil {
		return nil, err
	}
	return s, syncFolder(folder)
}

var segmentFile = regexp.MustCompile(`^(\d{8})\.log$`)

// listSegments opens nothing but headers: it says which segments there are and
// refuses a folder in which one is missing, foreign or of another length.
func listSegments(folder string, id logID) ([]*segment, error) {
	names, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the folder of the log, %s, is missing", store.ErrDamaged, filepath.Base(folder))
	}
	if err != nil {
		return nil, err
	}
	var segs []*segment
	for _, e := range names { // in order of names, which is that of numbers
		m := segmentFile.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		number, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		if number != len(segs)+1 {
			return nil, fmt.Errorf("%w: log segment %s is missing", store.ErrDamaged, segmentName(len(segs)+1))
		}
		s := &segment{path: filepath.Join(folder, e.Name()), number: number}
		if err := s.readHeader(id); err != nil {
			return nil, err
		}
		segs = append(segs, s)
	}
	if len(segs) == 0 {
		return nil, fmt.Errorf("%w: log segment %s is missing", store.ErrDamaged, segmentName(1))
	}
	return segs, nil
}

func (s *segment) readHeader(id logID) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	name := filepath.Base(s.path)
	h := make([]byte, segmentHeader)
	if _, err := f.ReadAt(h, 0); err != nil {
		return fmt.Errorf("%w: header of log segment %s: %w", store.ErrDamaged, name, err)
	}
	if !bytes.HasPrefix(h, []byte(segmentMagic)) {
		return fmt.Errorf("%w: %s is not a log segment", store.ErrDamaged, name)
	}
	if v := binary.LittleEndian.Uint32(h[8:]); v != segmentVersion {
		return fmt.Errorf("%w: log segment %s has version %d", store.ErrFormat, name, v)
	}
	s.size = int64(binary.LittleEndian.Uint64(h[32:]))
	if !bytes.Equal(h, marshalHeader(logID(h[16:32]), s.number, s.size)) {
		return fmt.Errorf("%w: header of log segment %s", store.ErrDamaged, name)
	}
	if logID(h[16:32]) != id {
		return fmt.Errorf("%w: log segment %s belongs to another store", store.ErrDamaged, name)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != s.size {
		return fmt.Errorf("%w: log segment %s has %d bytes instead of %d", store.ErrDamaged, name, info.Size(), s.size)
	}
	return nil
}

// firstFrame reads the first frame after the header.
func (s *segment) firstFrame() (frame, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return frame{}, err
	}
	defer f.Close()
	return newFrames(f, segmentHeader, s.size).next()
}
