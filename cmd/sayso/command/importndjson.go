package command

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// lines is a file with a JSON object a line.
type lines struct {
	in   *bufio.Reader
	line int
	want *branch
	seen []int // for each of the mapping's columns in how many rows it was there
	row  row
	json *jsontext.Decoder
}

// branch is where the members of an object lead to.
type branch struct {
	column int // of the mapping's that stands here; -1 none
	below  map[string]*branch
}

// newLines looks for the mapping's columns by their names: a member of the
// object, or with points a member of a member.
func newLines(in *bufio.Reader, m *mapping) *lines {
	l := &lines{in: in, want: &branch{column: -1}, seen: make([]int, len(m.columns)), json: new(jsontext.Decoder)}
	l.row.cells = make([]cell, len(m.columns))
	for i, name := range m.columns {
		l.want.at([]string{name}).column = i
		l.want.at(strings.Split(name, ".")).column = i
	}
	return l
}

func (b *branch) at(path []string) *branch {
	if len(path) == 0 {
		return b
	}
	if b.below == nil {
		b.below = map[string]*branch{}
	}
	next := b.below[path[0]]
	if next == nil {
		next = &branch{column: -1}
		b.below[path[0]] = next
	}
	return next.at(path[1:])
}

// fits checks that what the mapping names is in any of the rows. Members are left
// out where they have nothing, so it takes all rows to tell.
func (l *lines) fits(m *mapping, rows int) error {
	return m.missing(func(i int) string {
		if l.seen[i] > 0 {
			return ""
		}
		return fmt.Sprintf("has no member %q in any of its %s", m.columns[i], count(rows, "row"))
	})
}

// maxLine bounds one row of JSON, in bytes.
const maxLine = 1 << 20

func badLine(line int) *reject {
	return &reject{line: line, code: rejectJSON, detail: "expected one JSON object on the line, in UTF-8 and without a member twice"}
}

// whole reads a line, and reports whether it is an object and nothing else.
func (l *lines) whole() bool {
	if l.json.PeekKind() != '{' || l.object(l.want) != nil {
		return false
	}
	_, err := l.json.ReadToken()
	return errors.Is(err, io.EOF)
}

// next implements rows. Empty lines are passed over.
func (l *lines) next() (*row, *reject, error) {
	for {
		text, err := l.readLine()
		if err != nil {
			return nil, nil, err
		}
		l.line++
		if text == nil {
			return nil, &reject{line: l.line, code: rejectLong, detail: "expected at most 1 MiB on a line"}, nil
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		clear(l.row.cells)
		l.row.line = l.line
		l.json.Reset(bytes.NewReader(text))
		if !l.whole() {
			return nil, badLine(l.line), nil
		}
		for i := range l.row.cells {
			if c := &l.row.cells[i]; !c.empty() {
				l.seen[i]++
			}
		}
		return &l.row, nil, nil
	}
}

// readLine returns the next line, nil for one that is too long.
func (l *lines) readLine() ([]byte, error) {
	var long []byte
	for n := 0; ; {
		text, err := l.in.ReadSlice('\n')
		n += len(text)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if n <= maxLine {
				long = append(long, text...)
			}
			continue
		case err != nil && (!errors.Is(err, io.EOF) || n == 0):
			return nil, err
		case n > maxLine:
			return nil, nil
		case long != nil:
			return append(long, text...), nil
		}
		return text, nil
	}
}

// object reads an object and keeps what is wanted of it.
func (l *lines) object(want *branch) error {
	if _, err := l.json.ReadToken(); err != nil {
		return err
	}
	for l.json.PeekKind() != '}' {
		name, err := l.json.ReadToken()
		if err != nil {
			return err
		}
		next := want.below[name.String()]
		switch {
		case next == nil:
			err = l.json.SkipValue()
		case next.below != nil && next.column < 0 && l.json.PeekKind() == '{':
			err = l.object(next)
		default:
			err = l.value(next)
		}
		if err != nil {
			return err
		}
	}
	_, err := l.json.ReadToken()
	return err
}

// value keeps a value; of an object also what stands below it.
func (l *lines) value(want *branch) error {
	raw, err := l.json.ReadValue()
	if err != nil || want.column < 0 {
		return err
	}
	c := cell{raw: raw.Clone()}
	switch raw.Kind() {
	case 'n':
		return nil
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		c.text = strings.TrimSpace(string(text))
	case '{', '[':
		c.odd = true
	default:
		c.text = string(raw)
	}
	l.row.cells[want.column] = c
	if want.below == nil || raw.Kind() != '{' {
		return nil
	}
	inner := &lines{want: want, row: row{cells: l.row.cells}, json: jsontext.NewDecoder(bytes.NewReader(c.raw))}
	return inner.object(want)
}
