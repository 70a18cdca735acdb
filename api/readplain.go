package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// maxPlain is how many names one look through each of them for another takes.
const maxPlain = 16

// decodeRead is decode for the body of a read. Most look alike and need no
// decoder: what plainRead takes is what decode would, a fuzz test holds.
// Everything else, and all that is wrong, is decode's to judge.
func decodeRead(body []byte) (wire.ReadRequest, error) {
	var in wire.ReadRequest
	if plainRead(body, &in) {
		return in, nil
	}
	var other wire.ReadRequest // another, since only it outlives the call
	err := decode(body, &other)
	return other, err
}

// plainRead reads a body whose texts are printable ASCII without escapes, whose
// context holds texts and booleans, and which nothing is wrong with. It is false
// for any other, of which it leaves half behind.
func plainRead(body []byte, in *wire.ReadRequest) bool {
	p := &plain{rest: string(body)}
	ok := p.object(func(name string) bool {
		switch {
		case name == "subject" && in.Subject.IsZero():
			return p.subject(&in.Subject)
		case name == "purpose" && in.Purpose == "":
			purpose, ok := p.text()
			in.Purpose = privacy.PurposeID(purpose)
			return ok && purpose != ""
		case name == "fields" && in.Fields == nil:
			return p.fields(&in.Fields)
		case name == "context" && in.Context == nil:
			return p.context(&in.Context)
		}
		return false
	})
	return ok && p.end() && !in.Subject.IsZero() && in.Purpose != ""
}

// plain is what is left of a body.
type plain struct{ rest string }

// next takes a byte if it comes next, after spaces.
func (p *plain) next(c byte) bool {
	p.spaces()
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *plain) spaces() {
	for p.rest != "" && (p.rest[0] == ' ' || p.rest[0] == '\n' || p.rest[0] == '\r' || p.rest[0] == '\t') {
		p.rest = p.rest[1:]
	}
}

func (p *plain) end() bool {
	p.spaces()
	return p.rest == ""
}

// text takes a text of printable ASCII without escapes.
func (p *plain) text() (string, bool) {
	if !p.next('"') {
		return "", false
	}
	for i := range len(p.rest) {
		switch c := p.rest[i]; {
		case c == '"':
			s := p.rest[:i]
			p.rest = p.rest[i+1:]
			return s, true
		case c < ' ' || c > '~' || c == '\\':
			return "", false
		}
	}
	return "", false
}

// object takes an object, and the value of each member by the function.
func (p *plain) object(member func(name string) bool) bool {
	if !p.next('{') {
		return false
	}
	for first := true; ; first = false {
		if first && p.next('}') {
			return true
		}
		name, ok := p.text()
		if !ok || !p.next(':') || !member(name) {
			return false
		}
		if p.next('}') {
			return true
		}
		if !p.next(',') {
			return false
		}
	}
}

// subject takes an ID, or an object of one identifier that is a text.
func (p *plain) subject(s *wire.Subject) bool {
	if p.spaces(); !strings.HasPrefix(p.rest, "{") {
		id, ok := p.text()
		if !ok || s.ID.UnmarshalText([]byte(id)) != nil {
			return false
		}
		return s.ID != privacy.Nobody
	}
	return p.object(func(name string) bool {
		if name == "" || s.Field != "" {
			return false
		}
		value, ok := p.text()
		s.Field, s.Value = privacy.FieldName(name), wire.Value{Sensitive: privacy.NewSensitive([]byte(`"` + value + `"`))}
		return ok
	})
}

// fields takes a list of a few names, each once.
func (p *plain) fields(to *[]privacy.FieldName) bool {
	if !p.next('[') {
		return false
	}
	list := make([]privacy.FieldName, 0, strings.Count(p.rest, ",")+1)
	for {
		name, ok := p.text()
		if !ok || name == "" || len(list) == maxPlain || slices.Contains(list, privacy.FieldName(name)) {
			return false
		}
		list = append(list, privacy.FieldName(name))
		if p.next(']') {
			*to = list
			return true
		}
		if !p.next(',') {
			return false
		}
	}
}

// context takes an object of texts and booleans.
func (p *plain) context(to *map[string]any) bool {
	all := map[string]any{}
	*to = all
	return p.object(func(name string) bool {
		if _, twice := all[name]; twice || len(all) == maxPlain {
			return false
		}
		p.spaces()
		for _, value := range [...]bool{true, false} {
			if rest, ok := strings.CutPrefix(p.rest, strconv.FormatBool(value)); ok {
				p.rest, all[name] = rest, value
				return true
			}
		}
		value, ok := p.text()
		all[name] = value
		return ok
	})
}
