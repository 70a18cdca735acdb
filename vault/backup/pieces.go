package backup

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// pieceSize is how much of a file one hash covers.
const pieceSize = 4 << 20

func pieces(size int64) int64 { return (size + pieceSize - 1) / pieceSize }

// Hasher hashes a file piece by piece as it is written to it.
type Hasher struct {
	name string
	size int64
	h    hash.Hash
	sums [][]byte
}

// NewHasher hashes the file of a name.
func NewHasher(name string) *Hasher { return &Hasher{name: name, h: sha256.New()} }

// Write implements io.Writer.
func (h *Hasher) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		take := min(int64(len(b)), pieceSize-h.size%pieceSize)
		h.h.Write(b[:take])
		h.size += take
		if h.size%pieceSize == 0 {
			h.cut()
		}
		b = b[take:]
	}
	return n, nil
}

func (h *Hasher) cut() {
	h.sums = append(h.sums, h.h.Sum(nil))
	h.h.Reset()
}

// File returns what was hashed. Nothing may be written after it.
func (h *Hasher) File() File {
	if h.size%pieceSize != 0 {
		h.cut()
	}
	return File{Name: h.name, Size: h.size, Piece: pieceSize, SHA256: h.sums}
}

// checked reads a file and ends with an error at the first piece that is not
// what the manifest says. What it gave before that was right.
type checked struct {
	r    io.Reader
	f    *File
	buf  []byte // of the piece that is being given
	read int64
}

func newChecked(r io.Reader, f *File) *checked { return &checked{r: r, f: f} }

func (c *checked) Read(b []byte) (int, error) {
	if len(c.buf) == 0 {
		if err := c.piece(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.buf)
	c.buf = c.buf[n:]
	return n, nil
}

func (c *checked) piece() error {
	want := min(pieceSize, c.f.Size-c.read)
	if want == 0 {
		if n, err := io.ReadFull(c.r, make([]byte, 1)); n > 0 {
			return c.bad("it has more than its %d bytes", c.f.Size)
		} else if err != io.EOF {
			return fmt.Errorf("reading %s: %w", c.f.Name, err)
		}
		return io.EOF
	}
	buf := make([]byte, want)
	n, err := io.ReadFull(c.r, buf)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return c.bad("it was cut off: %d bytes of %d are there", c.read+int64(n), c.f.Size)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", c.f.Name, err)
	}
	if sum := sha256.Sum256(buf); !bytes.Equal(sum[:], c.f.SHA256[c.read/pieceSize]) {
		return c.bad("its bytes from %d to %d were changed", c.read, c.read+want-1)
	}
	c.read += want
	c.buf = buf
	return nil
}

func (c *checked) bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrBad, c.f.Name, fmt.Sprintf(format, args...))
}
