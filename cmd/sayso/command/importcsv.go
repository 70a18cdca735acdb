package command

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is a CSV file with a header, read row by row.
type table struct {
	csv    *csv.Reader
	header []string
	at     map[string]int // column → cell; -1 if two columns have the name
}

var bom = []byte("\xef\xbb\xbf")

// openTable reads the header. What is wrong with it is wrong with the whole
// file.
func openTable(in io.Reader, separator rune) (*table, error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	switch first, _ := buffered.Peek(3); {
	case bytes.Equal(first, bom):
		_, _ = buffered.Discard(len(bom))
	case bytes.HasPrefix(first, []byte("\xff\xfe")), bytes.HasPrefix(first, []byte("\xfe\xff")):
		return nil, errors.New("line 1: the file is in UTF-16; save it as UTF-8")
	}
	t := &table{csv: csv.NewReader(buffered), at: map[string]int{}}
	t.csv.Comma = separator
	t.csv.FieldsPerRecord = -1 // counted here, so that one ragged row is one reject
	header, err := t.csv.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("line 1: expected the names of the columns, found nothing")
	case errors.As(err, new(*csv.ParseError)):
		return nil, errors.New("line 1: the names of the columns cannot be read: " + badQuotes)
	case err != nil:
		return nil, err
	}
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, errors.New("line 1: expected UTF-8 in the header; save the file as UTF-8")
		}
		name = columnName(name)
		t.header = append(t.header, name)
		if _, twice := t.at[name]; twice {
			i = -1
		}
		t.at[name] = i
	}
	return t, nil
}

// fits checks that every column the mapping names is there, once. What it says
// names the mapping's columns and only counts the file's: where a header is
// missing line 1 is somebody's values.
func (t *table) fits(m *mapping) error {
	var problems []string
	hint := ""
	if len(t.header) == 1 {
		hint = "; is the mapping's separator the file's?"
	}
	need := func(where place, what string, s source) {
		for _, c := range s.columns {
			switch at, ok := t.at[c]; {
			case !ok:
				problems = append(problems, fmt.Sprintf("%s: %s: the file has no column %q among the %s of line 1%s", where, what, c, count(len(t.header), "name"), hint))
			case at < 0:
				problems = append(problems, fmt.Sprintf("%s: %s: the file has more than one column %q in line 1; rename one of them", where, what, c))
			}
		}
	}
	for _, f := range m.fields {
		need(f.where, string(f.name), f.source)
		for _, p := range f.parts {
			need(f.where, string(f.name)+"."+p.name, p.source)
		}
	}
	if m.observed != nil {
		need(place{m.fields[0].where.file, 1, 1}, "observed_at", *m.observed)
	}
	if problems != nil {
		return &mappingError{problems}
	}
	return nil
}

// unused is how many columns the mapping leaves aside.
func (t *table) unused(m *mapping) int {
	used := map[string]bool{}
	use := func(s source) {
		for _, c := range s.columns {
			used[c] = true
		}
	}
	for _, f := range m.fields {
		use(f.source)
		for _, p := range f.parts {
			use(p.source)
		}
	}
	if m.observed != nil {
		use(*m.observed)
	}
	return len(t.header) - len(used) // each is there once, as fits checks
}

// next returns the next row, or why it is none; io.EOF at the end. Lines with
// nothing in any cell are passed over. Any other error ends the file: where a
// quoted cell is not closed, what is a row cannot be told any more.
func (t *table) next() (*row, *reject, error) {
	for {
		cells, err := t.csv.Read()
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad) && bad.Line > bad.StartLine:
			return nil, nil, fmt.Errorf("line %d: a quoted cell of this row runs on to line %d and is not closed as it must be", bad.StartLine, bad.Line)
		case errors.As(err, &bad):
			return nil, &reject{line: bad.StartLine, code: rejectQuotes, detail: badQuotes}, nil
		case err != nil:
			return nil, nil, err
		}
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue
		}
		line, _ := t.csv.FieldPos(0)
		if len(cells) != len(t.header) {
			return nil, &reject{line: line, code: rejectCells, detail: fmt.Sprintf("expected %d cells, as the header has, found %d", len(t.header), len(cells))}, nil
		}
		return &row{line: line, cells: cells, at: t.at}, nil, nil
	}
}

const badQuotes = `expected quotes only around a whole cell, and "" for a quote in it`

// countRows reads a whole file and returns how many rows it has, or why it is
// no CSV. It is asked before anything is imported.
func countRows(in io.Reader, m *mapping) (int, *table, error) {
	t, err := openTable(in, m.separator)
	if err != nil {
		return 0, nil, err
	}
	if err := t.fits(m); err != nil {
		return 0, nil, err
	}
	for n := 0; ; n++ {
		if _, _, err := t.next(); errors.Is(err, io.EOF) {
			return n, t, nil
		} else if err != nil {
			return 0, nil, err
		}
	}
}
