package command

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/unicode/norm"
)

// source is where a text comes from: columns, or the same for every row.
type source struct {
	where    place
	columns  []int  // of the mapping's
	join     string // between several columns
	constant string // if there are no columns

	split  string            // "" does not split
	part   int               // which of the parts, from 1; the others are below
	values map[string]string // what its texts mean, nil: themselves
	other  *string           // what all others mean; nil: they are rejected

	as     string // asText, asNumber, asBoolean; "": a text, or the JSON that is there
	date   string // how dates and times are written there, "" as in 2026-03-01
	layout string // the same for package time
	zone   *time.Location
}

const (
	asText    = "text"
	asNumber  = "number"
	asBoolean = "boolean"
)

// Parts that are not counted.
const (
	partRest = -1 - iota // all but the first
	partLead             // all but the last
	partLast
)

// How times are written that are counted since 1970.
const (
	layoutUnix   = "unix"
	layoutUnixMS = "unix_ms"
)

// source reads "Column", or {column}, {columns, join} or {constant} with how
// the text is written.
func (r *mappingReader) source(what string, n *yaml.Node) (source, bool) {
	s := source{where: r.place(n), join: " "}
	before := len(r.problems)
	if n.Kind == yaml.ScalarNode {
		s.columns = r.column(what, n)
		return s, len(r.problems) == before
	}
	_, m := r.members(n, what, "column", "columns", "join", "constant", "split", "part", "values", "otherwise", "as", "date", "zone")
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
	r.split(what, &s, m["split"], m["part"])
	r.values(what, &s, m["values"], m["otherwise"])
	if c := m["as"]; c != nil {
		if s.as = c.Value; !slices.Contains([]string{asText, asNumber, asBoolean}, s.as) {
			r.problem(c, "%s.as: expected text, number or boolean", what)
		}
	}
	r.dates(what, &s, m["date"], m["zone"])
	return s, len(r.problems) == before
}

// split reads which part of a text is meant.
func (r *mappingReader) split(what string, s *source, split, part *yaml.Node) {
	if split == nil && part == nil {
		return
	}
	if split == nil || split.Kind != yaml.ScalarNode || split.Value == "" {
		r.problem(firstNode(split, part), "%s.split: expected the text that stands between the parts", what)
		return
	}
	words := map[string]int{"first": 1, "rest": partRest, "lead": partLead, "last": partLast}
	s.split = split.Value
	if part == nil {
		r.problem(split, "%s.part is missing: first, last, rest, lead or a number from 1", what)
		return
	}
	if s.part = words[part.Value]; s.part == 0 {
		s.part, _ = strconv.Atoi(part.Value)
		if s.part < 1 {
			r.problem(part, "%s.part: expected first, last, rest (all but the first), lead (all but the last) or a number from 1", what)
		}
	}
}

// values reads what texts mean. One that means nothing leaves out what it fills.
func (r *mappingReader) values(what string, s *source, values, other *yaml.Node) {
	if values == nil {
		if other != nil {
			r.problem(other, "%s.otherwise: is for texts that values does not name", what)
		}
		return
	}
	text := func(n *yaml.Node) string {
		if n.Kind != yaml.ScalarNode {
			r.problem(n, "%s: expected a text", what)
		}
		if n.ShortTag() == "!!null" {
			return ""
		}
		return n.Value
	}
	s.values = map[string]string{}
	names, all := r.members(values, what+".values")
	for _, name := range names {
		s.values[columnName(name)] = text(all[name])
	}
	if len(names) == 0 {
		r.problem(values, "%s.values: expected what at least one text means", what)
	}
	if len(s.columns) == 0 {
		r.problem(values, "%s.values: is for columns", what)
	}
	if other != nil {
		t := text(other)
		s.other = &t
	}
}

// dates reads how dates and times are written.
func (r *mappingReader) dates(what string, s *source, date, zone *yaml.Node) {
	if date != nil {
		var ok bool
		if s.date = date.Value; s.as != "" && s.as != asText || len(s.columns) == 0 {
			r.problem(date, "%s.date: is how dates are written in a column of text", what)
		} else if s.layout, ok = dateLayout(s.date); !ok {
			r.problem(date, "%s.date: expected YYYY, MM or M, DD or D, and maybe hh, mm and ss, once each, such as DD.MM.YYYY hh:mm; or unix, or unix_ms", what)
		}
	}
	if zone != nil {
		var err error
		if s.zone, err = time.LoadLocation(zone.Value); err != nil || zone.Value == "" || zone.Value == "Local" {
			r.problem(zone, "%s.zone: expected a time zone such as Europe/Berlin", what)
		}
	}
}

func firstNode(nodes ...*yaml.Node) *yaml.Node {
	for _, n := range nodes {
		if n != nil {
			return n
		}
	}
	return nil
}

// column reads the name of a column, and gives it its number.
func (r *mappingReader) column(what string, n *yaml.Node) []int {
	name := columnName(n.Value)
	if n.Kind != yaml.ScalarNode || name == "" || n.ShortTag() == "!!null" {
		r.problem(n, "%s: expected the name of a column", what)
		return nil
	}
	at := slices.Index(r.m.columns, name)
	if at < 0 {
		at = len(r.m.columns)
		r.m.columns, r.m.named = append(r.m.columns, name), append(r.m.named, r.place(n))
	}
	return []int{at}
}

// columnName is how the names of columns are compared.
func columnName(s string) string { return norm.NFC.String(strings.TrimSpace(s)) }

// dateLayout translates DD.MM.YYYY hh:mm for package time. Years of two digits
// are refused: nobody can tell 1926 from 2026.
func dateLayout(written string) (string, bool) {
	if written == layoutUnix || written == layoutUnixMS {
		return written, true
	}
	tokens := map[string]string{"YYYY": "2006", "MM": "01", "DD": "02", "hh": "15", "mm": "04", "ss": "05", "M": "1", "D": "2", "T": "T"}
	longestFirst := slices.SortedFunc(maps.Keys(tokens), func(a, b string) int { return len(b) - len(a) })
	var layout strings.Builder
	seen := ""
	for rest := written; rest != ""; {
		at := slices.IndexFunc(longestFirst, func(t string) bool { return strings.HasPrefix(rest, t) })
		if at < 0 {
			if !strings.Contains(" ./-:,", rest[:1]) {
				return "", false
			}
			layout.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		layout.WriteString(tokens[longestFirst[at]])
		if part := longestFirst[at][:1]; part != "T" {
			if strings.Contains(seen, part) {
				return "", false
			}
			seen += part
		}
		rest = rest[len(longestFirst[at]):]
	}
	whole := strings.Contains(seen, "Y") && strings.Contains(seen, "M") && strings.Contains(seen, "D")
	hours := !strings.ContainsAny(seen, "hms") || strings.Contains(seen, "h") && (strings.Contains(seen, "m") || !strings.Contains(seen, "s"))
	return layout.String(), whole && hours
}

// moment reads a source of times.
func (r *mappingReader) moment(what string, n *yaml.Node) *source {
	s, ok := r.source(what, n)
	if !ok {
		return nil
	}
	if _, wrong := s.moment(s.constant); len(s.columns) == 0 && wrong != nil {
		r.problem(n, "%s: %s", what, wrong.detail)
	}
	return &s
}

// day reads a date as the mapping says it is written.
func (s *source) day(text string) (time.Time, *reject) {
	day, wrong := s.written(text)
	if wrong != nil {
		wrong.detail = "expected a date written " + s.date
	}
	return day, wrong
}

// moment reads a time: as the mapping says it is written, or RFC 3339, or the
// beginning of a day. Where no offset stands it is of the source's zone, or UTC.
func (s *source) moment(text string) (time.Time, *reject) {
	if s.layout != "" {
		return s.written(text)
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, s.location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &reject{code: rejectDate, detail: "expected a time such as 2026-03-01T12:00:00Z, or a date such as 2026-03-01"}
}

func (s *source) written(text string) (time.Time, *reject) {
	if s.layout == layoutUnix || s.layout == layoutUnixMS {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, &reject{code: rejectDate, detail: "expected a number of seconds or milliseconds since 1970"}
		}
		if s.layout == layoutUnix {
			return time.Unix(n, 0), nil
		}
		return time.UnixMilli(n), nil
	}
	at, err := time.ParseInLocation(s.layout, text, s.location())
	if err != nil {
		return at, &reject{code: rejectDate, detail: "expected a time written " + s.date}
	}
	return at, nil
}

func (s *source) location() *time.Location {
	if s.zone == nil {
		return time.UTC
	}
	return s.zone
}
