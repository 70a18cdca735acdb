package command

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

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
	rejectJSON     = "invalid_json"
	rejectEncoding = "invalid_encoding"
	rejectEmpty    = "empty"
	rejectDate     = "invalid_date"
	rejectType     = "invalid_type"
	rejectValue    = "unknown_value"
	rejectRequired = "required"
	rejectLong     = "too_long"
)

// rowBytes bounds one capture, as the vault does.
const rowBytes = 256 << 10

// capture is what becomes of one row: a capture as a line of JSON, or rejects, or
// neither for a row that is left out.
type capture struct {
	line    []byte
	rejects []reject

	filled   []bool   // for each of the mapping's fields
	statuses []string // for each of its consents; "" for none
	begun    []bool   // for each of its grounds
}

// text returns what a source holds in a row, "" if nothing.
func (r *row) text(s *source) (string, *reject) {
	if len(s.columns) == 0 {
		return s.constant, nil
	}
	var text string
	for i, at := range s.columns {
		c := &r.cells[at]
		switch {
		case c.bad:
			return "", &reject{code: rejectEncoding, detail: "expected UTF-8 there: say in the mapping what it is, such as encoding: windows-1252"}
		case c.odd:
			return "", &reject{code: rejectType, detail: "expected a text there, not an object or a list"}
		case i > 0 && text != "" && c.text != "":
			text += s.join + c.text
		case c.text != "":
			text = c.text
		}
	}
	if s.split != "" {
		text = s.cut(text)
	}
	if s.values == nil || text == "" {
		return text, nil
	}
	meant, known := s.values[columnName(text)]
	if !known && s.other == nil {
		return "", &reject{code: rejectValue, detail: "expected one of the " + strconv.Itoa(len(s.values)) + " texts that the mapping's values name"}
	}
	if !known {
		meant = *s.other
	}
	return meant, nil
}

// cut returns the part of a text that is meant. White space that it is split at
// counts once.
func (s *source) cut(text string) string {
	var parts []string
	if strings.TrimSpace(s.split) == "" {
		parts = strings.Fields(text)
	} else {
		for p := range strings.SplitSeq(text, s.split) {
			parts = append(parts, strings.TrimSpace(p))
		}
	}
	switch n := len(parts); {
	case n == 0:
		return ""
	case s.part == partRest:
		return strings.Join(parts[1:], s.split)
	case s.part == partLead:
		return strings.Join(parts[:n-1], s.split)
	case s.part == partLast:
		return parts[n-1]
	case s.part <= n:
		return parts[s.part-1]
	}
	return ""
}

// value appends what a source holds in a row as JSON; nothing if there is none.
func (r *row) value(b []byte, s *source) ([]byte, *reject) {
	if len(s.columns) == 1 && s.as == "" && s.split == "" && s.values == nil && s.layout == "" {
		if c := &r.cells[s.columns[0]]; c.raw != nil && (c.odd || c.raw[0] != '"') {
			return append(b, c.raw...), nil // what it is in JSON it is here
		}
	}
	text, wrong := r.text(s)
	if text == "" || wrong != nil {
		return b, wrong
	}
	switch s.as {
	case asNumber:
		if raw := jsontext.Value(text); raw.IsValid() && raw.Kind() == '0' {
			return append(b, raw...), nil
		}
		return b, &reject{code: rejectType, detail: "expected a number with a point for decimals"}
	case asBoolean:
		yes, wrong := truth(text)
		if wrong != nil {
			return b, wrong
		}
		return strconv.AppendBool(b, yes), nil
	}
	if s.layout != "" {
		day, wrong := s.day(text)
		if wrong != nil {
			return b, wrong
		}
		text = day.Format(time.DateOnly)
	}
	return appendQuoted(b, text), nil
}

func truth(text string) (bool, *reject) {
	switch strings.ToLower(text) {
	case "true", "yes", "1":
		return true, nil
	case "false", "no", "0":
		return false, nil
	}
	return false, &reject{code: rejectType, detail: "expected true or false, yes or no, 1 or 0"}
}

// appendQuoted appends valid UTF-8 as JSON.
func appendQuoted(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

func appendMoment(b []byte, at time.Time) []byte {
	return append(at.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

// holds reports whether a condition is met in a row.
func (r *row) holds(c *condition) bool {
	if c == nil {
		return true
	}
	at := &r.cells[c.columns[0]]
	if c.is == nil {
		return !at.empty()
	}
	return slices.Contains(c.is, at.text)
}

// filling makes captures of rows. What it returns is valid until the next.
type filling struct {
	m *mapping
	c capture
	r *row
}

func newFilling(m *mapping) *filling {
	return &filling{m: m, c: capture{filled: make([]bool, len(m.fields)), statuses: make([]string, len(m.consents)), begun: make([]bool, len(m.grounds))}}
}

func (f *filling) wrong(field string, why *reject) {
	why.line, why.field = f.r.line, field
	f.c.rejects = append(f.c.rejects, *why)
}

// capture makes a capture of a row, or says everything that is wrong with it.
func (f *filling) capture(r *row) *capture {
	c := &f.c
	f.r, c.line, c.rejects = r, c.line[:0], c.rejects[:0]
	clear(c.filled)
	clear(c.statuses)
	clear(c.begun)
	if !r.holds(f.m.only) {
		return c
	}
	b := append(c.line, `{"fields":{`...)
	b = f.fields(b)
	b = f.verified(append(b, '}'))
	if f.m.purposes != nil {
		b = append(b, `,"purposes":[`...)
		for i, p := range f.m.purposes {
			b = appendQuoted(comma(b, i), string(p))
		}
		b = append(b, ']')
	}
	b = f.grounds(b)
	b = f.consents(b)
	if s := f.m.observed; s != nil {
		if at, told := f.moment("observed_at", s); told {
			b = appendMoment(append(b, `,"observed_at":`...), at)
		}
	}
	if len(c.rejects) == 0 && !f.saysAnything() {
		f.wrong("", &reject{code: rejectEmpty, detail: "no mapped column has anything in this row"})
	}
	if b = append(b, '}'); len(b) > rowBytes {
		f.wrong("", &reject{code: rejectLong, detail: "expected at most 256 KiB in one row"})
	}
	c.line = b
	if len(c.rejects) > 0 {
		c.line = b[:0]
	}
	return c
}

func comma(b []byte, i int) []byte {
	if i == 0 {
		return b
	}
	return append(b, ',')
}

func (f *filling) fields(b []byte) []byte {
	n := 0
	for i := range f.m.fields {
		field := &f.m.fields[i]
		before := len(b)
		b = append(appendQuoted(comma(b, n), string(field.name)), ':')
		start := len(b)
		var wrong *reject
		if b, wrong = f.field(b, field); wrong != nil {
			f.wrong(string(field.name), wrong)
		}
		if wrong != nil || len(b) == start {
			b = b[:before]
			continue
		}
		f.c.filled[i] = true
		n++
	}
	return b
}

// field appends a field's value; nothing if there is none. An object whose
// columns are all empty is none, whatever constants it has.
func (f *filling) field(b []byte, field *mapped) ([]byte, *reject) {
	if field.parts == nil {
		return f.r.value(b, &field.source)
	}
	start, n, filled := len(b), 0, false
	b = append(b, '{')
	for i := range field.parts {
		p := &field.parts[i]
		before := len(b)
		b = append(appendQuoted(comma(b, n), p.name), ':')
		value := len(b)
		var wrong *reject
		if b, wrong = f.r.value(b, &p.source); wrong != nil {
			wrong.detail = p.name + ": " + wrong.detail
			return b[:start], wrong
		}
		if len(b) == value {
			b = b[:before]
			continue
		}
		n++
		filled = filled || len(p.columns) > 0 || !field.fromColumns()
	}
	if !filled {
		return b[:start], nil
	}
	return append(b, '}'), nil
}

func (f *mapped) fromColumns() bool {
	for _, p := range f.parts {
		if len(p.columns) > 0 {
			return true
		}
	}
	return len(f.columns) > 0
}

// saysAnything reports whether a column filled any of the fields: constants
// alone are about nobody.
func (f *filling) saysAnything() bool {
	for i := range f.m.fields {
		if f.c.filled[i] && f.m.fields[i].fromColumns() {
			return true
		}
	}
	return false
}

func (f *filling) verified(b []byte) []byte {
	n := 0
	for _, v := range f.m.verified {
		at := slices.IndexFunc(f.m.fields, func(m mapped) bool { return m.name == v.name })
		if !f.c.filled[at] {
			continue
		}
		if !f.r.holds(v.when) {
			continue
		}
		if v.says != nil {
			text, wrong := f.r.text(v.says)
			yes := false
			if wrong == nil && text != "" {
				yes, wrong = truth(text)
			}
			if wrong != nil {
				f.wrong("verified."+string(v.name), wrong)
			}
			if !yes {
				continue
			}
		}
		if n++; n == 1 {
			b = append(b, `,"verified":[`...)
		}
		b = appendQuoted(comma(b, n-1), string(v.name))
	}
	if n > 0 {
		b = append(b, ']')
	}
	return b
}

// moment reads a time; none is told where the columns are empty.
func (f *filling) moment(what string, s *source) (at time.Time, told bool) {
	if s == nil {
		return at, false
	}
	text, wrong := f.r.text(s)
	if text != "" && wrong == nil {
		at, wrong = s.moment(text)
	}
	if wrong != nil {
		f.wrong(what, wrong)
	}
	return at, text != "" && wrong == nil
}

// grounds appends what a row begins. Where the mapping tells of grounds the vault
// begins no other, in no row.
func (f *filling) grounds(b []byte) []byte {
	if len(f.m.grounds) == 0 {
		return b
	}
	b = append(b, `,"grounds":[`...)
	n := 0
	for i := range f.m.grounds {
		g := &f.m.grounds[i]
		if !f.r.holds(g.when) {
			continue
		}
		what := "grounds[" + strconv.Itoa(i) + "]."
		since, told := f.moment(what+"since", g.since)
		if g.since != nil && !told {
			continue // nothing began
		}
		b = appendQuoted(append(comma(b, n), `{"purpose":`...), string(g.purpose))
		b = f.member(b, `,"ref":`, what+"ref", g.ref)
		if told {
			b = appendMoment(append(b, `,"since":`...), since)
		}
		if until, told := f.moment(what+"until", g.until); told {
			b = appendMoment(append(b, `,"until":`...), until)
		}
		b = append(b, '}')
		f.c.begun[i] = true
		n++
	}
	return append(b, ']')
}

// member appends a text with the name before it; nothing if there is none.
func (f *filling) member(b []byte, name, what string, s *source) []byte {
	if s == nil {
		return b
	}
	text, wrong := f.r.text(s)
	if wrong != nil {
		f.wrong(what, wrong)
	}
	if text == "" || wrong != nil {
		return b
	}
	return appendQuoted(append(b, name...), text)
}

func (f *filling) consents(b []byte) []byte {
	n := 0
	for i := range f.m.consents {
		before := len(b)
		if n == 0 {
			b = append(b, `,"consents":[`...)
		}
		if more, said := f.consent(comma(b, n), i); said {
			b = more
			n++
		} else {
			b = b[:before]
		}
	}
	if n > 0 {
		b = append(b, ']')
	}
	return b
}

// consent appends the act of say-so that a row tells of. A yes that is always one
// is said only where there is a date of it.
func (f *filling) consent(b []byte, i int) ([]byte, bool) {
	c, what := &f.m.consents[i], "consents["+strconv.Itoa(i)+"]."
	if !f.r.holds(c.when) {
		return b, false
	}
	status, wrong := f.r.text(c.status)
	if wrong != nil {
		f.wrong(what+"status", wrong)
	}
	if status == "" || status == noAct {
		return b, false
	}
	if !slices.Contains(privacy.ConsentStatuses, privacy.ConsentStatus(status)) {
		f.wrong(what+"status", &reject{code: rejectValue, detail: "expected given, refused, withdrawn, objected or opted_out there; the mapping's values can say what means which"})
		return b, false
	}
	before := len(f.c.rejects)
	at, told := f.moment(what+"at", c.at)
	if !told && status == string(privacy.StatusGiven) {
		if len(c.status.columns) > 0 && len(f.c.rejects) == before {
			f.wrong(what+"at", &reject{code: rejectRequired, detail: "expected when the yes was said"})
		}
		return b, false
	}
	b = appendQuoted(append(b, `{"purpose":`...), string(c.purpose))
	b = appendQuoted(append(b, `,"status":`...), status)
	b = f.member(b, `,"method":`, what+"method", c.method)
	b = f.member(b, `,"notice_version":`, what+"notice_version", c.notice)
	b = f.member(b, `,"language":`, what+"language", c.language)
	b = f.member(b, `,"jurisdiction":`, what+"jurisdiction", c.jurisdiction)
	if told {
		b = appendMoment(append(b, `,"at":`...), at)
	}
	if c.byRole != nil {
		role, wrong := f.r.text(c.byRole)
		if wrong != nil {
			f.wrong(what+"by.role", wrong)
		}
		if role != "" {
			b = appendQuoted(append(b, `,"by":{"role":`...), role)
			b = append(f.member(b, `,"ref":`, what+"by.ref", c.byRef), '}')
		}
	}
	b = f.evidence(b, what, c.evidence)
	f.c.statuses[i] = status
	return append(b, '}'), true
}

func (f *filling) evidence(b []byte, what string, parts []part) []byte {
	n := 0
	for i := range parts {
		p := &parts[i]
		before := len(b)
		if n == 0 {
			b = append(b, `,"evidence":{`...)
		}
		b = append(appendQuoted(comma(b, n), p.name), ':')
		start := len(b)
		var wrong *reject
		if b, wrong = f.r.value(b, &p.source); wrong != nil {
			f.wrong(what+"evidence."+p.name, wrong)
		}
		if wrong != nil || len(b) == start {
			b = b[:before]
			continue
		}
		n++
	}
	if n > 0 {
		b = append(b, '}')
	}
	return b
}
