package api

import (
	"bytes"
	"encoding/json"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// schema is a JSON schema as far as our own document uses them.
type schema struct {
	Ref         string `json:"$ref"`
	Type        any
	Description string
	Format      string
	Pattern     string
	Enum        []any
	Properties  map[string]*schema
	Required    []string
	Items       *schema
	OneOf       []*schema
	Minimum     *float64
	More        json.RawMessage `json:"additionalProperties"` // false, true or a schema
}

// word is the type of values, empty for any.
func (s *schema) word() string {
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		for _, of := range t {
			if word, ok := of.(string); ok && word != "null" {
				return word
			}
		}
	}
	return ""
}

// name is the shape that a schema refers to.
func (s *schema) name() string { return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:] }

// more is the schema of members that have any name, nil if there are none.
func (s *schema) more() *schema {
	var of schema
	switch text := string(s.More); {
	case text == "" || text == "false":
		return nil
	case text == "true" || json.Unmarshal(s.More, &of) != nil:
		return &schema{}
	}
	return &of
}

// words says what a schema admits, with links to the shapes it names.
func (s *schema) words() template.HTML {
	text := template.HTMLEscapeString
	var words string
	switch {
	case s.Ref != "":
		words = `<a href="#shape-` + text(s.name()) + `">` + text(s.name()) + `</a>`
	case len(s.OneOf) > 0:
		var of []string
		for _, one := range s.OneOf {
			of = append(of, string(one.words()))
		}
		words = strings.Join(of, " or ")
	case s.Items != nil:
		words = "list of " + string(s.Items.words())
	case s.word() == "object" && s.more() != nil && s.Description == "":
		words = "object of name to " + string(s.more().words())
	case s.Description != "" && s.word() != "":
		words = text(s.word() + ", " + s.Description)
	case s.word() == "":
		words = "any"
	default:
		words = text(s.word())
	}
	return template.HTML(words) //nolint:gosec // G203: all texts in it are escaped above
}

// note says what values must be beside their type.
func (s *schema) note() string {
	var notes []string
	if len(s.Enum) > 0 {
		var of []string
		for _, v := range s.Enum {
			b, _ := json.Marshal(v)
			of = append(of, string(b))
		}
		notes = append(notes, "one of "+strings.Join(of, ", "))
	}
	if s.Format != "" && !strings.HasPrefix(s.Format, "int") {
		notes = append(notes, s.Format)
	}
	if s.Pattern != "" {
		notes = append(notes, "matches "+s.Pattern)
	}
	if s.Minimum != nil {
		notes = append(notes, "at least "+strconv.FormatFloat(*s.Minimum, 'g', -1, 64))
	}
	if s.Description != "" && s.word() != "object" {
		notes = append(notes, s.Description)
	}
	return strings.Join(notes, "; ")
}

func (s *schema) shape(name string) docsShape {
	shape := docsShape{Name: name, Closed: string(s.More) == "false"}
	for _, member := range s.members() {
		of := s.Properties[member]
		shape.Members = append(shape.Members, docsMember{Name: member, Type: of.words(), Note: of.note(), Required: slices.Contains(s.Required, member)})
	}
	if more := s.more(); more != nil {
		shape.Members = append(shape.Members, docsMember{Name: "…", Type: more.words(), Note: "any other name"})
	}
	return shape
}

// members lists what must be there first, in the order it is told in.
func (s *schema) members() []string {
	names := slices.Clone(s.Required)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// example writes a body of a shape, its texts left open.
func (d *openAPI) example(s *schema, inOneLine bool) string {
	var b bytes.Buffer
	d.sample(&b, s, 0)
	if inOneLine {
		return b.String()
	}
	var out bytes.Buffer
	if json.Indent(&out, b.Bytes(), "", "  ") != nil {
		return b.String()
	}
	return out.String()
}

// deepest is how far an example goes into shapes that hold themselves.
const deepest = 5

func (d *openAPI) sample(b *bytes.Buffer, s *schema, depth int) {
	quote := func(v any) {
		text, _ := json.Marshal(v)
		b.Write(text)
	}
	if s.Ref != "" {
		if s = d.Components.Schemas[s.name()]; s == nil {
			s = &schema{}
		}
	}
	switch word := s.word(); {
	case depth > deepest:
		b.WriteString("null")
	case len(s.Enum) > 0:
		quote(s.Enum[0])
	case len(s.OneOf) > 0:
		d.sample(b, s.OneOf[0], depth)
	case word == "array":
		b.WriteByte('[')
		if s.Items != nil {
			d.sample(b, s.Items, depth+1)
		}
		b.WriteByte(']')
	case word == "object":
		b.WriteByte('{')
		for i, name := range s.members() {
			if i > 0 {
				b.WriteByte(',')
			}
			quote(name)
			b.WriteByte(':')
			d.sample(b, s.Properties[name], depth+1)
		}
		if more := s.more(); more != nil {
			if len(s.Properties) > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"…":`)
			d.sample(b, more, depth+1)
		}
		b.WriteByte('}')
	case word == "boolean":
		b.WriteString("true")
	case word == "integer", word == "number":
		b.WriteByte('0')
	case s.Format == "date-time":
		b.WriteString(`"2026-03-01T08:00:00Z"`)
	case strings.HasPrefix(s.Pattern, "^sub_"):
		b.WriteString(`"sub_…"`)
	default:
		b.WriteString(`"…"`)
	}
}
