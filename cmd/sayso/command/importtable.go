package command

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// row is one row of a file: what stands in the columns that the mapping names.
type row struct {
	line  int    // of the file, where it begins
	cells []cell // by the mapping's numbers
}

// cell is what stands in one column.
type cell struct {
	text string // without white space around it
	raw  []byte // the JSON it is, in a file of JSON
	odd  bool   // it is an object or a list, and no text
	bad  bool   // it is not UTF-8
}

func (c cell) empty() bool { return c.text == "" && !c.odd && !c.bad }

// rows gives the rows of a file one after the other: a row, or why it is none;
// io.EOF at the end. Any other error ends the file, because what is a row cannot
// be told any more. A row is valid until the next.
type rows interface {
	next() (*row, *reject, error)
}

// survey is what one look at a whole file told of it.
type survey struct {
	rows    int
	columns int // of the file; of JSON it is not told
	unused  int // columns that the mapping leaves aside
	sum     [sha256.Size]byte
}

// takeSurvey reads a whole file: how many rows it has, whether it has what the
// mapping names, and which file it is. It is asked before anything is imported.
func takeSurvey(in io.Reader, name string, m *mapping) (survey, error) {
	var s survey
	hash := sha256.New()
	r, err := openRows(io.TeeReader(in, hash), name, m)
	if err != nil {
		return s, err
	}
	if t, ok := r.(*table); ok {
		if err := t.fits(m); err != nil {
			return s, err
		}
		s.columns, s.unused = len(t.header), len(t.header)-len(m.columns) // each is there once
	}
	for {
		_, _, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s, err
		}
		s.rows++
	}
	if l, ok := r.(*lines); ok && s.rows > 0 {
		if err := l.fits(m, s.rows); err != nil {
			return s, err
		}
	}
	hash.Sum(s.sum[:0])
	return s, nil
}

var (
	bomUTF8 = []byte("\xef\xbb\xbf")
	errWide = errors.New("line 1: the file is in UTF-16: say so in the mapping, with encoding: utf-16le or utf-16be, or save it as UTF-8")
)

// openRows reads the beginning of a file, as the mapping says it is written or
// else as it is named.
func openRows(in io.Reader, name string, m *mapping) (rows, error) {
	if m.encoding != "" {
		encoding, err := htmlindex.Get(m.encoding)
		if err != nil {
			return nil, err
		}
		in = encoding.NewDecoder().Reader(in)
	}
	endless := &endless{in: in, left: longestRow}
	buffered := bufio.NewReaderSize(endless, 256<<10)
	switch first, _ := buffered.Peek(3); {
	case bytes.Equal(first, bomUTF8):
		_, _ = buffered.Discard(len(bomUTF8))
	case bytes.HasPrefix(first, []byte("\xff\xfe")), bytes.HasPrefix(first, []byte("\xfe\xff")):
		return nil, errWide
	}
	if m.isNDJSON(name) {
		return newLines(buffered, m), nil
	}
	t, err := openTable(buffered, m)
	if err == nil {
		t.endless = endless
	}
	return t, err
}

// longestRow bounds what a row of CSV is read for, in bytes: one that is too long
// to be imported is rejected alone, but a quote that is never closed makes one row
// of all that follows, which is not to be held in memory.
const longestRow = 16 << 20

var errEndless = errors.New("a row goes on for more than 16 MiB: is a quote not closed, or are there no line breaks?")

// endless ends a file of which more than was left is read for one row.
type endless struct {
	in   io.Reader
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, errEndless
	}
	n, err := e.in.Read(p)
	e.left -= n
	return n, err
}

// isNDJSON reports whether a file has a JSON object a line.
func (m *mapping) isNDJSON(name string) bool {
	if m.ndjson != nil {
		return *m.ndjson
	}
	return slices.Contains([]string{".ndjson", ".jsonl"}, strings.ToLower(filepath.Ext(name)))
}

// missing tells of columns that a file lacks. What it says names the mapping's
// columns and only counts the file's: where a header is missing line 1 is
// somebody's values.
func (m *mapping) missing(why func(i int) string) error {
	var problems []string
	for i := range m.columns {
		if text := why(i); text != "" {
			problems = append(problems, fmt.Sprintf("%s: the file %s", m.named[i], text))
		}
	}
	if problems != nil {
		return &mappingError{problems}
	}
	return nil
}
