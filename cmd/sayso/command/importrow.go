package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// reject is why a row was not imported. It never holds a value.
type reject struct {
	line                int // of the file, where the row begins
	field, code, detail string
}

// The codes of rejects that are found before anything is sent.
const (
	rejectCells    = "wrong_number_of_cells"
	rejectQuotes   = "invalid_quotes"
	rejectEncoding = "invalid_encoding"
	rejectEmpty    = "empty"
	rejectDate     = "invalid_date"
	rejectType     = "invalid_type"
	rejectLong     = "too_long"
)

// row is one line of the file under its header.
type row struct {
	line  int
	cells []string
	at    map[string]int // column → cell
}

// text returns what a source holds in this row, "" if all its cells are empty.
func (r *row) text(s source) (string, *reject) {
	if len(s.columns) == 0 {
		return s.constant, nil
	}
	var filled []string
	for _, c := range s.columns {
		cell := r.cells[r.at[c]]
		if !utf8.ValidString(cell) {
			return "", &reject{code: rejectEncoding, detail: "expected UTF-8 in column " + strconv.Quote(c)}
		}
		if cell = strings.TrimSpace(cell); cell != "" {
			filled = append(filled, cell)
		}
	}
	return strings.Join(filled, s.join), nil
}

// value returns what a source holds in this row as JSON, nil if nothing.
func (r *row) value(s source) ([]byte, *reject) {
	text, wrong := r.text(s)
	if text == "" || wrong != nil {
		return nil, wrong
	}
	switch s.as {
	case asNumber:
		if raw := jsontext.Value(text); raw.IsValid() && raw.Kind() == '0' {
			return raw, nil
		}
		return nil, &reject{code: rejectType, detail: "expected a number with a point for decimals"}
	case asBoolean:
		switch strings.ToLower(text) {
		case "true", "yes", "1":
			return []byte("true"), nil
		case "false", "no", "0":
			return []byte("false"), nil
		}
		return nil, &reject{code: rejectType, detail: "expected true or false, yes or no, 1 or 0"}
	}
	if s.layout != "" {
		day, wrong := s.day(text)
		if wrong != nil {
			return nil, wrong
		}
		text = day.Format(time.DateOnly)
	}
	return quoted(text), nil
}

func quoted(text string) []byte {
	raw, _ := jsontext.AppendQuote(nil, text) // of valid UTF-8, as text checks
	return raw
}

// capture makes a capture of a row, or says everything that is wrong with it.
func (m *mapping) capture(r *row) (*wire.CaptureRequest, []reject) {
	req := &wire.CaptureRequest{Fields: wire.Values{}, Purposes: m.purposes}
	var rejects []reject
	add := func(name string, wrong *reject) {
		wrong.line, wrong.field = r.line, name
		rejects = append(rejects, *wrong)
	}
	for _, f := range m.fields {
		raw, wrong := f.read(r)
		if wrong != nil {
			add(string(f.name), wrong)
			continue
		}
		if raw == nil {
			continue
		}
		req.Fields = append(req.Fields, wire.NamedValue{Name: f.name, Value: wire.Value{Sensitive: privacy.NewSensitive(raw)}})
		for _, v := range m.verified {
			if v == f.name {
				req.Verified = append(req.Verified, v)
			}
		}
	}
	if m.observed != nil {
		text, wrong := r.text(*m.observed)
		if text != "" && wrong == nil {
			var at time.Time
			at, wrong = m.observed.moment(text)
			req.ObservedAt = &at
		}
		if wrong != nil {
			add("observed_at", wrong)
		}
	}
	if len(rejects) == 0 && !m.saysAnything(req) {
		add("", &reject{code: rejectEmpty, detail: "no mapped column has anything in this row"})
	}
	return req, rejects
}

// saysAnything reports whether a column filled any of the fields: constants
// alone are about nobody.
func (m *mapping) saysAnything(req *wire.CaptureRequest) bool {
	for _, f := range m.fields {
		if _, ok := req.Fields.Get(f.name); ok && f.fromColumns() {
			return true
		}
	}
	return false
}

func (f *mapped) fromColumns() bool {
	for _, p := range f.parts {
		if len(p.columns) > 0 {
			return true
		}
	}
	return len(f.columns) > 0
}

// read returns the field's value in a row as JSON, nil if there is none. An
// object whose columns are all empty is none, whatever constants it has.
func (f *mapped) read(r *row) ([]byte, *reject) {
	if f.parts == nil {
		return r.value(f.source)
	}
	raw, filled := []byte("{"), false
	for _, p := range f.parts {
		value, wrong := r.value(p.source)
		if wrong != nil {
			wrong.detail = p.name + ": " + wrong.detail
			return nil, wrong
		}
		if value == nil {
			continue
		}
		if len(raw) > 1 {
			raw = append(raw, ',')
		}
		raw = fmt.Appendf(raw, "%s:%s", quoted(p.name), value)
		filled = filled || len(p.columns) > 0 || !f.fromColumns()
	}
	if !filled {
		return nil, nil
	}
	return append(raw, '}'), nil
}
