package register

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// value is one value of the text and where it stands. The zero value stands
// for a key that is not there: every method then returns nothing and complains
// of nothing, so that one mistake makes one problem.
type value struct {
	p    *parser
	node *yaml.Node
	path string
}

// object is a value with named members.
type object struct {
	value
	members map[string]value
}

func (v value) present() bool { return v.node != nil }

func (v value) problem(format string, args ...any) {
	v.p.problemAt(v.node, v.path, format, args...)
}

// object reads a mapping that may have these keys and no other.
func (v value) object(keys ...string) object {
	o := object{value: v, members: map[string]value{}}
	if !v.present() {
		return o
	}
	if v.node.Kind != yaml.MappingNode {
		v.problem("expected keys and values (%s), found %s", list(keys), kindOf(v.node))
		return o
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, node := v.node.Content[i], v.node.Content[i+1]
		path := key.Value
		if v.path != "" {
			path = v.path + "." + key.Value
		}
		switch _, twice := o.members[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			v.p.problemAt(key, v.path, "expected a key (%s), found %s", list(keys), kindOf(key))
		case twice:
			v.p.problemAt(key, path, "is there twice; keep one of them")
		case slices.Contains(keys, key.Value):
			o.members[key.Value] = v.p.read(node, path)
		default:
			v.p.problemAt(key, path, "unknown key%s%s (expected %s)", didYouMean(key.Value, keys), torn(v.node, node), list(keys))
		}
	}
	return o
}

// torn is the hint that a key without a value, within braces, is mostly the
// rest of a text that has a comma.
func torn(in, n *yaml.Node) string {
	if in.Style&yaml.FlowStyle == 0 || n == nil || n.Kind != yaml.ScalarNode || n.Value != "" || n.ShortTag() != "!!null" {
		return ""
	}
	return " (a text with a comma needs quotes here)"
}

// need returns a member that must be there.
func (o object) need(key string) value {
	v, ok := o.members[key]
	if !ok && o.present() && o.node.Kind == yaml.MappingNode {
		o.problem("%s is missing", key)
	}
	return v
}

// get returns a member that may be there.
func (o object) get(key string) value { return o.members[key] }

// list reads a sequence.
func (v value) list() []value {
	if !v.present() {
		return nil
	}
	if v.node.Kind != yaml.SequenceNode {
		v.problem("expected a list, found %s", kindOf(v.node))
		return nil
	}
	var all []value
	for i, node := range v.node.Content {
		all = append(all, v.p.read(node, fmt.Sprintf("%s[%d]", v.path, i)))
	}
	return all
}

// str reads a text on one line.
func (v value) str() string {
	s := v.lines()
	if strings.ContainsAny(s, "\n\t") {
		v.problem("expected text on one line")
		return ""
	}
	return s
}

// lines reads a text of one line or more, trimmed and in Unicode's NFC.
func (v value) lines() string {
	if !v.present() {
		return ""
	}
	// An unquoted 2026-03-01 is a date to YAML 1.1 and text to us.
	if tag := v.node.ShortTag(); v.node.Kind != yaml.ScalarNode || (tag != "!!str" && tag != "!!timestamp") {
		hint := ""
		if v.node.Kind == yaml.ScalarNode && tag != "!!null" {
			hint = "; put it in quotes to make it text"
		}
		v.problem("expected text, found %s%s", kindOf(v.node), hint)
		return ""
	}
	s := norm.NFC.String(strings.TrimSpace(v.node.Value))
	if s == "" {
		v.problem("expected text, found none")
	}
	if at := strings.IndexFunc(s, unprintable); at >= 0 {
		v.problem("expected plain text, found the character %U, which is not seen for what it is", []rune(s[at:])[0])
		return ""
	}
	return s
}

// unprintable are the characters that have no place in a text people read, or
// that YAML and JSON do not both carry.
func unprintable(r rune) bool {
	return privacy.Steers(r) && r != '\n' && r != '\t' || r == '\ufeff' || r&0xfffe == 0xfffe
}

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// id reads a name by which other parts of the register refer to this one.
func (v value) id() string {
	s := v.str()
	if s != "" && !idPattern.MatchString(s) {
		v.problem("%s is no name: expected a to z first, then a to z, 0 to 9, - and _, at most 64 characters", quoted(s))
		return ""
	}
	return s
}

// ids reads a list of names, each of them once. A name at fault leaves "", so
// that places stay places of the text.
func ids[T ~string](v value) []T { return once[T](v, value.id) }

// hosts reads a list of names or addresses of machines, each of them once.
func hosts(v value) []string { return once[string](v, value.host) }

// host reads the name or the address of a machine, as it stands in a URL, without
// a port.
func (v value) host() string {
	s := v.str()
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.Unmap().String()
	}
	if s != "" && (len(s) > 253 || !hostPattern.MatchString(s)) {
		v.problem("%s is no host: expected a name such as hooks.example.org in lower case, or an address, without scheme, port and path", quoted(s))
		return ""
	}
	return s
}

var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// strs reads a list of texts, each of them once.
func strs(v value) []string { return once[string](v, value.str) }

func once[T ~string](v value, read func(value) string) []T {
	var all []T
	for _, item := range v.list() {
		s := T(read(item))
		if s != "" && slices.Contains(all, s) {
			item.problem("%s is in this list twice; keep one of them", s)
		}
		all = append(all, s)
	}
	return all
}

// oneOf reads one of the words of a closed list.
func oneOf[T ~string](v value, all []T) T {
	s := T(v.str())
	if s != "" && !slices.Contains(all, s) {
		v.problem("%s is not known%s (expected one of %s)", quoted(string(s)), didYouMean(string(s), toStrings(all)), list(all))
		return ""
	}
	return s
}

// text reads what people read: a string, or a map of strings by language.
func (v value) text() privacy.Text {
	if !v.present() {
		return nil
	}
	if v.node.Kind != yaml.MappingNode {
		if s := v.lines(); s != "" {
			return privacy.Text{"": s}
		}
		return nil
	}
	t := privacy.Text{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, path := v.node.Content[i], v.path+"."+v.node.Content[i].Value
		in := v.p.read(v.node.Content[i+1], path)
		tag, err := language.Parse(key.Value)
		if err != nil || tag == language.Und {
			v.p.problemAt(key, path, "%s is no language%s: expected a BCP 47 tag such as en or de-AT", quoted(key.Value), torn(v.node, in.node))
			continue
		}
		if _, twice := t[tag.String()]; twice {
			v.p.problemAt(key, path, "is there twice; keep one of them")
		}
		t[tag.String()] = in.lines()
	}
	if len(v.node.Content) == 0 {
		v.problem("expected text, found none")
	}
	return t
}

// period reads an ISO 8601 duration.
func (v value) period() privacy.Period {
	s := v.str()
	if s == "" {
		return privacy.Period{}
	}
	p, err := privacy.ParsePeriod(s)
	if err != nil {
		v.problem("%s is %v", quoted(s), err)
	}
	return p
}

// boolean reads true or false.
func (v value) boolean() bool {
	if !v.present() {
		return false
	}
	if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() != "!!bool" {
		v.problem("expected true or false, found %s", kindOf(v.node))
		return false
	}
	return strings.EqualFold(v.node.Value, "true")
}

// count reads a whole number of at least one.
func (v value) count() int {
	if !v.present() {
		return 0
	}
	n, err := strconv.ParseUint(v.node.Value, 10, 31)
	if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() != "!!int" || err != nil || n == 0 {
		v.problem("expected a whole number from 1 to 2147483647, found %s; leave the key out for no limit", kindOf(v.node))
		return 0
	}
	return int(n)
}

// country reads an ISO 3166-1 alpha-2 code.
func (v value) country() string {
	s := v.str()
	if s != "" && !isCountry(s) {
		v.problem("%s is no country: expected an ISO 3166-1 code of two capitals such as DE", quoted(s))
		return ""
	}
	return s
}

func isCountry(s string) bool {
	r, err := language.ParseRegion(s)
	return err == nil && len(s) == 2 && r.IsCountry() && r.String() == s
}

// kindOf says what a value is, to somebody who expected something else.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + quoted(n.Value)
	case "!!bool":
		return "the truth value " + n.Value
	}
	return quoted(n.Value)
}
