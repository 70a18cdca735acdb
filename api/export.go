package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

const mediaCSV = "text/csv; charset=utf-8"

// exporter is a method of the vault that gives lines a page at a time.
type exporter[Line any] func(door, context.Context, vault.Caller, vault.ExportRequest, func([]Line) error) (*vault.Exported, error)

// exports makes a handler that streams what officers take out for an audit: a
// line an item, or a row an item, and a last one that shows that none is missing.
func exports[Line any](name string, columns []column[Line], export exporter[Line]) handler {
	return handler{
		out: reflect.TypeFor[Line](), gives: []string{mediaNDJSON, mediaCSV}, statuses: []int{http.StatusOK},
		serve: func(x *exchange) error {
			req, format, err := exportOf(x)
			if err != nil {
				return err
			}
			s := &sheet[Line]{x: x, wire: http.NewResponseController(x.w), name: name, columns: columns, asCSV: format == wire.FormatCSV}
			if x.r.Method == http.MethodHead { // nothing is taken out
				return s.begin()
			}
			end, err := export(x.door, x.ctx, x.caller, req, s.page)
			return s.end(end, err)
		},
	}
}

func exportOf(x *exchange) (req vault.ExportRequest, format string, err error) {
	if req.From, err = bound(x, "from"); err != nil {
		return req, "", err
	}
	if req.To, err = bound(x, "to"); err != nil {
		return req, "", err
	}
	req.Reason = x.r.Header.Get(wire.ReasonHeader)
	switch format = x.query.Get("format"); format {
	case "":
		return req, wire.FormatNDJSON, nil
	case wire.FormatNDJSON, wire.FormatCSV:
		return req, format, nil
	}
	return req, "", unprocessable("format", wire.CodeInvalid, "is ndjson or csv")
}

// bound reads a parameter that is a time, or the beginning of a day in UTC.
func bound(x *exchange, name string) (time.Time, error) {
	text := x.query.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, unprocessable(name, wire.CodeInvalid, "is a day or a time, such as 2026-03-01 or 2026-03-01T12:00:00Z")
}

// sheet is an export on its way. It holds one page.
type sheet[Line any] struct {
	x       *exchange
	wire    *http.ResponseController
	name    string
	columns []column[Line]
	asCSV   bool
	buf     bytes.Buffer
	lines   int
}

// begin sends the headers, and of a table the names of its columns.
func (s *sheet[Line]) begin() error {
	if s.x.status != 0 {
		return nil
	}
	media, file := mediaNDJSON, s.name+".ndjson"
	if s.asCSV {
		media, file = mediaCSV, s.name+".csv"
		names := []string{"n"}
		for _, c := range s.columns {
			names = append(names, c.name)
		}
		if err := s.row(names); err != nil {
			return err
		}
	}
	s.x.encodes()
	h := s.x.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file}))
	s.x.status = http.StatusOK
	s.x.w.WriteHeader(http.StatusOK)
	return nil
}

// page writes a page through to the connection. It waits for a client that does
// not read, and so does everything before it.
func (s *sheet[Line]) page(lines []Line) error {
	if err := s.begin(); err != nil {
		return err
	}
	for i := range lines {
		s.lines++
		if err := s.line(&lines[i]); err != nil {
			return err
		}
	}
	return s.send()
}

func (s *sheet[Line]) line(l *Line) error {
	if s.asCSV {
		cells := []string{strconv.Itoa(s.lines)}
		for _, c := range s.columns {
			cells = append(cells, c.of(l))
		}
		return s.row(cells)
	}
	b, err := json.Marshal(l, json.Deterministic(true))
	if err != nil {
		return err
	}
	s.buf.WriteString(`{"n":` + strconv.Itoa(s.lines) + `,`)
	s.buf.Write(b[1:]) // every line has members of its own
	return s.buf.WriteByte('\n')
}

// row writes a row of a table (RFC 4180). A cell that a spreadsheet would take
// for a formula is marked as text.
func (s *sheet[Line]) row(cells []string) error {
	w := csv.NewWriter(&s.buf)
	if err := w.Write(unformula(cells)); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

func (s *sheet[Line]) send() error {
	if err := s.x.r.Context().Err(); err != nil {
		return err
	}
	s.x.size += s.buf.Len()
	_ = s.wire.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.x.w.Write(s.buf.Bytes())
	s.buf.Reset()
	if err != nil {
		return err
	}
	return s.wire.Flush()
}

// end writes the last line: that none is missing, or why no more come. What went
// wrong before the first is answered as any refusal.
func (s *sheet[Line]) end(end *vault.Exported, err error) error {
	if err != nil && s.x.status == 0 {
		return err
	}
	if began := s.begin(); began != nil {
		return began
	}
	switch {
	case err != nil:
		err = s.brokenOff(err)
	case s.asCSV:
		err = s.last("end", strconv.Itoa(s.lines), end.Log+"/"+strconv.FormatUint(end.Record, 10))
	default:
		err = s.object(wire.ExportEnd{End: true, Lines: uint64(s.lines), Log: wire.LogPosition{Name: end.Log, Index: end.Record}})
	}
	if err == nil {
		err = s.send()
	}
	if err != nil {
		s.x.code = refusedCode(err)
	}
	return nil // said on the wire as far as it can be
}

// brokenOff writes what a problem would say, in the place of the next line.
func (s *sheet[Line]) brokenOff(err error) error {
	s.x.code = refusedCode(err)
	r, known := refusalOf(err)
	if !known {
		s.x.failed(err)
	}
	entry := refusals[r.code]
	if r.status == 0 {
		r.status = entry.status
	}
	s.buf.Reset() // half a page
	if s.asCSV {
		return s.last("broken off", r.code, r.detail)
	}
	return s.object(wire.ReadLine{N: s.lines + 1, Status: r.status, Type: typePrefix + r.code, Title: entry.title, Code: r.code, Detail: r.detail})
}

// last writes a row that is none of the lines, as wide as they are.
func (s *sheet[Line]) last(cells ...string) error {
	row := make([]string, 1+len(s.columns))
	copy(row, cells)
	return s.row(row)
}

func (s *sheet[Line]) object(v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	s.buf.Write(b)
	return s.buf.WriteByte('\n')
}
