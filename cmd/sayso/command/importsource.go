package command

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/unicode/norm"
)

// source is where a text comes from: columns, or the same for every row.
type source struct {
	columns  []string
	join     string // between several columns
	constant string // if there are no columns
	as       string // asText, asNumber, asBoolean
	date     string // how dates are written there, "" as in 2026-03-01
	layout   string // the same for package time
}

const (
	asText    = "text"
	asNumber  = "number"
	asBoolean = "boolean"
)

// source reads "Column", or {column}, {columns, join} or {constant} with how
// the text is written.
func (r *mappingReader) source(what string, n *yaml.Node) (source, bool) {
	s := source{as: asText, join: " "}
	before := len(r.problems)
	if n.Kind == yaml.ScalarNode {
		s.columns = r.column(what, n)
		return s, len(r.problems) == before
	}
	_, m := r.members(n, what, "column", "columns", "join", "constant", "as", "date")
	given := 0
	if c := m["column"]; c != nil {
		given++
		s.columns = r.column(what+".column", c)
	}
	if c := m["columns"]; c != nil {
		given++
		for _, one := range r.list(c, what+".columns") {
			s.columns = append(s.columns, r.column(what+".columns", one)...)
		}
	}
	if c := m["constant"]; c != nil {
		given++
		if c.Kind != yaml.ScalarNode || strings.TrimSpace(c.Value) == "" || c.ShortTag() == "!!null" {
			r.problem(c, "%s.constant: expected a text, the same for every row", what)
		}
		s.constant = c.Value
	}
	if given != 1 && len(r.problems) == before {
		r.problem(n, "%s: expected one of column, columns and constant", what)
	}
	if c := m["join"]; c != nil {
		if s.join = c.Value; len(s.columns) < 2 || c.Kind != yaml.ScalarNode {
			r.problem(c, "%s.join: expected a text to put between several columns", what)
		}
	}
	if c := m["as"]; c != nil {
		if s.as = c.Value; !slices.Contains([]string{asText, asNumber, asBoolean}, s.as) {
			r.problem(c, "%s.as: expected text, number or boolean", what)
		}
	}
	if c := m["date"]; c != nil {
		var ok bool
		if s.date = c.Value; s.as != asText || len(s.columns) == 0 {
			r.problem(c, "%s.date: is how dates are written in a column of text", what)
		} else if s.layout, ok = dateLayout(s.date); !ok {
			r.problem(c, "%s.date: expected YYYY, MM or M, and DD or D, once each, such as DD.MM.YYYY", what)
		}
	}
	return s, len(r.problems) == before
}

func (r *mappingReader) column(what string, n *yaml.Node) []string {
	name := columnName(n.Value)
	if n.Kind != yaml.ScalarNode || name == "" || n.ShortTag() == "!!null" {
		r.problem(n, "%s: expected the name of a column", what)
		return nil
	}
	return []string{name}
}

// columnName is how the names of columns are compared.
func columnName(s string) string { return norm.NFC.String(strings.TrimSpace(s)) }

var dateParts = regexp.MustCompile(`[A-Za-z]+`)

// dateLayout translates DD.MM.YYYY for package time. Years of two digits are
// refused: nobody can tell 1926 from 2026.
func dateLayout(written string) (string, bool) {
	known := map[string]string{"YYYY": "2006", "MM": "01", "M": "1", "DD": "02", "D": "2"}
	var parts []string
	layout := dateParts.ReplaceAllStringFunc(written, func(token string) string {
		if known[token] == "" {
			return token
		}
		parts = append(parts, token[:1])
		return known[token]
	})
	slices.Sort(parts)
	between := dateParts.ReplaceAllString(written, "")
	return layout, slices.Equal(parts, []string{"D", "M", "Y"}) && strings.Trim(between, " ./-") == "" && !dateParts.MatchString(layout)
}

// day reads a date as the mapping says it is written.
func (s source) day(text string) (time.Time, *reject) {
	day, err := time.Parse(s.layout, text)
	if err != nil {
		return day, &reject{code: rejectDate, detail: "expected a date written " + s.date}
	}
	return day, nil
}

// moment reads a time: RFC 3339, or the beginning of a day.
func (s source) moment(text string) (time.Time, *reject) {
	if s.layout != "" {
		return s.day(text)
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &reject{code: rejectDate, detail: "expected a time such as 2026-03-01T12:00:00Z, or a date such as 2026-03-01"}
}
