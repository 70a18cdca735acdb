package command

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is a CSV file with a header.
type table struct {
	csv    *csv.Reader
	header []string
	at     []int // for each of the mapping's columns which of the file's; -1 none, -2 more than one
	row    row

	endless *endless // what it is read from
}

// openTable reads the header. What is wrong with it is wrong with the whole
// file.
func openTable(in io.Reader, m *mapping) (*table, error) {
	t := &table{csv: csv.NewReader(in)}
	t.csv.Comma = m.separator
	t.csv.FieldsPerRecord = -1 // counted here, so that one ragged row is one reject
	header, err := t.csv.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("line 1: expected the names of the columns, found nothing")
	case errors.As(err, new(*csv.ParseError)):
		return nil, errors.New("line 1: the names of the columns cannot be read: " + badQuotes)
	case errors.Is(err, errEndless):
		return nil, fmt.Errorf("line 1: %w", err)
	case err != nil:
		return nil, err
	}
	for _, name := range header {
		if !utf8.ValidString(name) {
			return nil, errors.New("line 1: expected UTF-8 in the header: say in the mapping what it is, such as encoding: windows-1252")
		}
		t.header = append(t.header, columnName(name))
	}
	for _, name := range m.columns {
		at := slices.Index(t.header, name)
		if at >= 0 && slices.Contains(t.header[at+1:], name) {
			at = -2
		}
		t.at = append(t.at, at)
	}
	t.row.cells = make([]cell, len(t.at))
	t.csv.ReuseRecord = true
	return t, nil
}

// fits checks that every column the mapping names is there, once.
func (t *table) fits(m *mapping) error {
	hint := ""
	if len(t.header) == 1 {
		hint = "; is the mapping's separator the file's?"
	}
	return m.missing(func(i int) string {
		switch t.at[i] {
		case -1:
			return fmt.Sprintf("has no column %q among the %s of line 1%s", m.columns[i], count(len(t.header), "name"), hint)
		case -2:
			return fmt.Sprintf("has more than one column %q in line 1; rename one of them", m.columns[i])
		}
		return ""
	})
}

const badQuotes = `expected quotes only around a whole cell, and "" for a quote in it`

// next implements rows. Lines with nothing in any cell are passed over.
func (t *table) next() (*row, *reject, error) {
	for {
		t.endless.left = longestRow
		cells, err := t.csv.Read()
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad) && bad.Line > bad.StartLine:
			return nil, nil, fmt.Errorf("line %d: a quoted cell of this row runs on to line %d and is not closed as it must be", bad.StartLine, bad.Line)
		case errors.As(err, &bad):
			return nil, &reject{line: bad.StartLine, code: rejectQuotes, detail: badQuotes}, nil
		case errors.Is(err, errEndless):
			return nil, nil, fmt.Errorf("behind line %d: %w", max(t.row.line, 1), err)
		case err != nil:
			return nil, nil, err
		}
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue
		}
		t.row.line, _ = t.csv.FieldPos(0)
		if len(cells) != len(t.header) {
			return nil, &reject{line: t.row.line, code: rejectCells, detail: fmt.Sprintf("expected %d cells, as the header has, found %d", len(t.header), len(cells))}, nil
		}
		for i, at := range t.at {
			if at >= 0 {
				t.row.cells[i] = cell{text: strings.TrimSpace(cells[at]), bad: !utf8.ValidString(cells[at])}
			}
		}
		return &t.row, nil, nil
	}
}
