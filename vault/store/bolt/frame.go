package bolt

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/sayso-vault/sayso/vault/store"
)

// A frame is one entry as it lies in a segment or in the ledger, little endian,
// padded with zeros to a multiple of eight bytes:
//
//	 0  magic "sfrm"
//	 4  length of the payload
//	 8  CRC-32C of the bytes from 12 to the end of the payload, then of the length
//	12  kind: 1 appended, 2 recorded with state, 3 seal (no payload, no index of its own)
//	16  index: entries before this one
//	24  durable: how many entries were known to be synced when this was written
//	32  state: the largest state sequence up to and including this entry
//	40  payload
//
// The durable count is what tells damage from a torn tail: a bad frame that a
// later good one counts as synced was once acknowledged.
type frame struct {
	kind    uint32
	index   uint64
	durable uint64
	state   uint64
	payload []byte
}

const (
	frameMagic  = 0x6d726673 // "sfrm"
	frameHeader = 40
	frameAlign  = 8

	kindAppended = 1
	kindRecorded = 2
	kindSeal     = 3
)

// errEnd: only zeros where a frame would begin. errBad: anything else that is
// not a frame.
var (
	errEnd = errors.New("end of frames")
	errBad = errors.New("bad frame")
)

func frameSize(payload int) int {
	return (frameHeader + payload + frameAlign - 1) &^ (frameAlign - 1)
}

func appendFrame(buf []byte, f frame) []byte {
	at := len(buf)
	buf = append(buf, blankHeader[:]...)
	buf = append(buf, f.payload...)
	for len(buf)%frameAlign != 0 {
		buf = append(buf, 0)
	}
	h := buf[at:]
	binary.LittleEndian.PutUint32(h[0:], frameMagic)
	binary.LittleEndian.PutUint32(h[4:], uint32(len(f.payload)))
	binary.LittleEndian.PutUint32(h[12:], f.kind)
	binary.LittleEndian.PutUint64(h[16:], f.index)
	binary.LittleEndian.PutUint64(h[24:], f.durable)
	binary.LittleEndian.PutUint64(h[32:], f.state)
	binary.LittleEndian.PutUint32(h[8:], frameSum(h, len(f.payload)))
	return buf
}

var blankHeader [frameHeader]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func frameSum(h []byte, payload int) uint32 {
	sum := crc32.Update(0, castagnoli, h[12:frameHeader+payload])
	return crc32.Update(sum, castagnoli, h[4:8])
}

// payloadLen reads the length at the start of b, which holds a whole header.
func payloadLen(b []byte) int {
	return int(binary.LittleEndian.Uint32(b[4:]))
}

// parseFrame reads the frame at the start of b. It returns io.ErrShortBuffer
// and the size it needs if b ends before the frame does.
func parseFrame(b []byte) (f frame, size int, err error) {
	if len(b) < frameHeader {
		return f, frameHeader, io.ErrShortBuffer
	}
	if binary.LittleEndian.Uint32(b) != frameMagic {
		for _, c := range b[:frameHeader] {
			if c != 0 {
				return f, 0, errBad
			}
		}
		return f, 0, errEnd
	}
	n := payloadLen(b)
	if n > store.MaxEntry {
		return f, 0, errBad
	}
	size = frameSize(n)
	if len(b) < size {
		return f, size, io.ErrShortBuffer
	}
	if binary.LittleEndian.Uint32(b[8:]) != frameSum(b, n) {
		return f, 0, errBad
	}
	for _, c := range b[frameHeader+n : size] {
		if c != 0 {
			return f, 0, errBad
		}
	}
	f = frame{
		kind:    binary.LittleEndian.Uint32(b[12:]),
		index:   binary.LittleEndian.Uint64(b[16:]),
		durable: binary.LittleEndian.Uint64(b[24:]),
		state:   binary.LittleEndian.Uint64(b[32:]),
		payload: b[frameHeader : frameHeader+n : frameHeader+n],
	}
	if f.kind < kindAppended || f.kind > kindSeal || f.durable > f.index || (f.kind == kindSeal) != (n == 0) {
		return f, 0, errBad
	}
	return f, size, nil
}

// frames reads the frames of a file one after another.
type frames struct {
	r        io.ReaderAt
	off, end int64 // of the next frame, and where the file ends
	buf      []byte
	lo, hi   int // what of buf is still unread; buf[lo] lies at off
	ahead    int // how much to read at a time: more, the longer it goes on
}

const (
	firstAhead = 16 << 10
	mostAhead  = 256 << 10
)

func newFrames(r io.ReaderAt, from, end int64) *frames {
	return &frames{r: r, off: from, end: end}
}

// next returns the next frame; its payload is valid until the next call. It
// returns errEnd where frames end, and errBad where something else begins.
func (s *frames) next() (frame, error) {
	for {
		f, size, err := parseFrame(s.buf[s.lo:s.hi])
		switch {
		case err == nil:
			s.lo += size
			s.off += int64(size)
			return f, nil
		case !errors.Is(err, io.ErrShortBuffer):
			return f, err
		case s.end-s.off < int64(size):
			// No frame fits any more: an end if all that is left is zero.
			if err := s.fill(int(s.end - s.off)); err != nil {
				return f, err
			}
			for _, c := range s.buf[s.lo:s.hi] {
				if c != 0 {
					return f, errBad
				}
			}
			return f, errEnd
		}
		if err := s.fill(size); err != nil {
			return f, err
		}
	}
}

// fill makes at least need bytes from off on available.
func (s *frames) fill(need int) error {
	if s.hi-s.lo >= need {
		return nil
	}
	s.ahead = min(max(2*s.ahead, firstAhead), mostAhead)
	want := int(min(int64(max(need, s.ahead)), s.end-s.off))
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	s.buf = s.buf[:want]
	s.lo, s.hi = 0, 0
	n, err := s.r.ReadAt(s.buf, s.off)
	if n < want {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	s.hi = n
	return nil
}
