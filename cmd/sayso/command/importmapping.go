package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// mapping says which columns of a file fill which fields, which of them tell of
// consents and grounds, and how the file is written.
type mapping struct {
	file      string
	ndjson    *bool // nil: as the file is named
	encoding  string
	separator rune

	columns []string // every column that is named, each once
	named   []place  // where first

	only     *condition // rows that are imported; nil: all
	fields   []mapped
	verified []vouched
	purposes []privacy.PurposeID // nil: see captures
	grounds  []mappedGround
	consents []mappedConsent
	observed *source // nil: now
}

// mapped is one field, filled from one source or put together from parts.
type mapped struct {
	name  privacy.FieldName
	where place
	source
	parts []part // of an address or another object; then source is not used
}

type part struct {
	name string
	source
}

// vouched is a field that the channel has verified, in every row or where a
// column says so.
type vouched struct {
	name privacy.FieldName
	when *condition // nil: always, unless says
	says *source    // a yes or a no
}

// place is where something stands in the mapping file.
type place struct {
	file         string
	line, column int
}

func (p place) String() string { return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column) }

// mappingError holds everything that is wrong with a mapping, in order.
type mappingError struct{ problems []string }

// Error returns a line for each problem.
func (e *mappingError) Error() string { return strings.Join(e.problems, "\n") }

// parseMapping reads a mapping strictly; the error is a *mappingError.
func parseMapping(file string, text []byte) (*mapping, error) {
	m := &mapping{file: file, separator: ','}
	r := &mappingReader{file: file, m: m}
	if root := r.root(text); root != nil {
		r.mapping(root, m)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b problemAt) int {
			return (a.where.line-b.where.line)*100_000 + a.where.column - b.where.column
		})
		e := &mappingError{}
		for _, p := range r.problems {
			e.problems = append(e.problems, p.where.String()+": "+p.detail)
		}
		return nil, e
	}
	return m, nil
}

type mappingReader struct {
	file     string
	m        *mapping
	problems []problemAt
}

type problemAt struct {
	where  place
	detail string
}

func (r *mappingReader) place(n *yaml.Node) place {
	return place{r.file, max(1, n.Line), max(1, n.Column)}
}

func (r *mappingReader) problem(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, problemAt{r.place(n), fmt.Sprintf(format, args...)})
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// root reads the text as one YAML document of plain values.
func (r *mappingReader) root(text []byte) *yaml.Node {
	top := &yaml.Node{Line: 1, Column: 1}
	if !utf8.Valid(text) {
		r.problem(top, "expected text in UTF-8")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc, next yaml.Node
	err := decoder.Decode(&doc)
	if err == nil {
		if again := decoder.Decode(&next); !errors.Is(again, io.EOF) {
			err = again
			if again == nil {
				r.problem(&next, "expected the end of the text, found a second document")
				return nil
			}
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		detail := err.Error()
		if m := yamlLine.FindStringSubmatch(detail); m != nil {
			top.Line, _ = strconv.Atoi(m[1])
			detail = detail[len(m[0]):]
		}
		r.problem(top, "not valid YAML: %s", detail)
		return nil
	}
	if len(doc.Content) == 0 {
		r.problem(top, "expected a mapping of fields to columns, found nothing")
		return nil
	}
	if !r.plain(doc.Content[0]) {
		return nil
	}
	return doc.Content[0]
}

// plain refuses what makes a text mean something else than it says where one
// looks.
func (r *mappingReader) plain(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		r.problem(n, "expected plain values, without anchors, aliases and tags")
		return false
	}
	for _, child := range n.Content {
		if !r.plain(child) {
			return false
		}
	}
	return true
}

// members returns the values of a YAML mapping by key, in order. With allowed
// keys, every other is refused by name.
func (r *mappingReader) members(n *yaml.Node, what string, allowed ...string) (keys []string, values map[string]*yaml.Node) {
	values = map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		r.problem(n, "%s: expected keys and values", what)
		return nil, values
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Value == "":
			r.problem(key, "%s: expected a name", what)
		case values[key.Value] != nil:
			r.problem(key, "%s.%s is there twice; keep one of them", what, key.Value)
		case len(allowed) > 0 && !slices.Contains(allowed, key.Value):
			r.problem(key, "%s: unknown key %s (expected %s)", what, key.Value, strings.Join(allowed, ", "))
		default:
			keys, values[key.Value] = append(keys, key.Value), value
		}
	}
	return keys, values
}

func (r *mappingReader) mapping(root *yaml.Node, m *mapping) {
	_, top := r.members(root, "mapping", "format", "encoding", "separator", "only", "fields", "verified", "purposes", "grounds", "consents", "observed_at")
	if top["fields"] == nil {
		if len(r.problems) == 0 {
			r.problem(root, "fields is missing: which column fills which field")
		}
		return
	}
	r.written(top, m)
	names, fields := r.members(top["fields"], "fields")
	for _, name := range names {
		if f, ok := r.field(name, fields[name]); ok {
			m.fields = append(m.fields, f)
		}
	}
	if len(names) == 0 {
		r.problem(top["fields"], "fields: expected at least one")
	}
	r.verified(top["verified"], fields, m)
	if n := top["only"]; n != nil {
		m.only = r.condition("only", n)
	}
	if top["purposes"] != nil {
		m.purposes = []privacy.PurposeID{}
	}
	for _, n := range r.list(top["purposes"], "purposes") {
		m.purposes = append(m.purposes, privacy.PurposeID(n.Value))
	}
	for i, n := range r.items(top["grounds"], "grounds") {
		m.grounds = append(m.grounds, r.ground("grounds["+strconv.Itoa(i)+"]", n))
	}
	for i, n := range r.items(top["consents"], "consents") {
		m.consents = append(m.consents, r.consent("consents["+strconv.Itoa(i)+"]", n))
	}
	if n := top["observed_at"]; n != nil {
		m.observed = r.moment("observed_at", n)
	}
}

// written reads how the file is written.
func (r *mappingReader) written(top map[string]*yaml.Node, m *mapping) {
	if n := top["format"]; n != nil {
		if n.Value != "csv" && n.Value != "ndjson" {
			r.problem(n, "format: expected csv or ndjson")
		}
		is := n.Value == "ndjson"
		m.ndjson = &is
	}
	if n := top["encoding"]; n != nil {
		m.encoding = n.Value
		if _, err := htmlindex.Get(n.Value); err != nil {
			r.problem(n, "encoding: expected a name such as utf-8, windows-1252 or utf-16le")
		}
	}
	if n := top["separator"]; n != nil {
		if !slices.Contains([]string{",", ";", "|", "\t"}, n.Value) {
			r.problem(n, `separator: expected ",", ";", "|" or "\t"`)
			return
		}
		m.separator = rune(n.Value[0])
	}
}

// verified reads which fields the channel has verified: a list, or for each a
// column that says in which rows.
func (r *mappingReader) verified(n *yaml.Node, fields map[string]*yaml.Node, m *mapping) {
	if n == nil || n.Kind != yaml.MappingNode {
		for _, name := range r.list(n, "verified") {
			if fields[name.Value] == nil {
				r.problem(name, "verified: %s is not among the fields", name.Value)
			}
			m.verified = append(m.verified, vouched{name: privacy.FieldName(name.Value)})
		}
		return
	}
	names, when := r.members(n, "verified")
	for _, name := range names {
		if fields[name] == nil {
			r.problem(when[name], "verified: %s is not among the fields", name)
		}
		v := vouched{name: privacy.FieldName(name)}
		if slices.ContainsFunc(when[name].Content, func(c *yaml.Node) bool { return c.Value == "is" || c.Value == "filled" }) {
			v.when = r.condition("verified."+name, when[name])
		} else if s, ok := r.source("verified."+name, when[name]); ok {
			v.says = &s
		}
		m.verified = append(m.verified, v)
	}
}

// items returns the members of a YAML list of anything.
func (r *mappingReader) items(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.problem(n, "%s: expected a list", what)
		return nil
	}
	return n.Content
}

// list returns the texts of a YAML list, each once.
func (r *mappingReader) list(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.problem(n, "%s: expected a list", what)
		return nil
	}
	var seen []string
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode || item.Value == "" || slices.Contains(seen, item.Value) {
			r.problem(item, "%s: expected names, each of them once", what)
			return nil
		}
		seen = append(seen, item.Value)
	}
	return n.Content
}

func (r *mappingReader) field(name string, n *yaml.Node) (mapped, bool) {
	f := mapped{name: privacy.FieldName(name), where: r.place(n)}
	if n.Kind == yaml.MappingNode && slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return c.Value == "parts" }) {
		_, whole := r.members(n, name, "parts")
		if whole["parts"] == nil {
			return f, false
		}
		names, parts := r.members(whole["parts"], name+".parts")
		for _, p := range names {
			s, ok := r.source(name+"."+p, parts[p])
			if !ok {
				return f, false
			}
			f.parts = append(f.parts, part{p, s})
		}
		if len(names) == 0 {
			r.problem(whole["parts"], "%s.parts: expected at least one", name)
		}
		return f, len(names) > 0
	}
	s, ok := r.source(name, n)
	f.source = s
	return f, ok
}
