package register

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The operations of a Change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Change is one difference between two registers, for a person to read.
type Change struct {
	Op   string `json:"op"`
	Path string `json:"path"` // as purposes.sms-marketing.fields
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// String returns a line such as "added purposes.sms-marketing.fields: email".
func (c Change) String() string {
	line := c.Op + " " + c.Path
	switch {
	case c.From != "" && c.To != "":
		return line + ": " + c.From + " → " + c.To
	case c.From != "" || c.To != "":
		return line + ": " + c.From + c.To
	}
	return line
}

// Diff returns what changes from old to new, in the order of the register. It
// is empty if and only if both have the same Canonical. old may be nil.
func Diff(old, new *Register) []Change {
	if old == nil {
		old = &Register{}
	}
	var d differ
	d.objects("", old.members(), new.members())
	return d.changes
}

type differ struct{ changes []Change }

func (d *differ) add(path, from, to string) {
	op := Changed
	switch {
	case from == to:
		return
	case from == "":
		op = Added
	case to == "":
		op = Removed
	}
	d.changes = append(d.changes, Change{op, path, from, to})
}

// objects compares two lists of members, either of which may lack some.
func (d *differ) objects(path string, old, new []member) {
	for _, key := range keys(old, new) {
		at := key
		if path != "" {
			at = path + "." + key
		}
		d.values(at, get(old, key), get(new, key))
	}
}

func (d *differ) values(path string, old, new any) {
	switch either(old, new).(type) {
	case []string:
		a, _ := old.([]string)
		b, _ := new.([]string)
		d.lists(path, a, b)
	case privacy.Text:
		a, _ := old.(privacy.Text)
		b, _ := new.(privacy.Text)
		for _, l := range languages(a, b) {
			d.add(strings.TrimSuffix(path+"."+l, "."), a[l], b[l])
		}
	case []member:
		a, _ := old.([]member)
		b, _ := new.([]member)
		d.objects(path, a, b)
	case []element:
		a, _ := old.([]element)
		b, _ := new.([]element)
		d.elements(path, a, b)
	default:
		d.add(path, scalar(old), scalar(new))
	}
}

// lists tells which members came and went, or else that the order is another.
func (d *differ) lists(path string, old, new []string) {
	before := len(d.changes)
	for _, s := range old {
		if !slices.Contains(new, s) {
			d.add(path, s, "")
		}
	}
	for _, s := range new {
		if !slices.Contains(old, s) {
			d.add(path, "", s)
		}
	}
	if len(d.changes) == before {
		d.add(path, strings.Join(old, ", "), strings.Join(new, ", "))
	}
}

func (d *differ) elements(path string, old, new []element) {
	find := func(all []element, name string) ([]member, bool) {
		i := slices.IndexFunc(all, func(e element) bool { return e.name == name })
		if i < 0 {
			return nil, false
		}
		return all[i].members, true
	}
	moved := len(old) == len(new)
	for _, e := range old {
		if _, stays := find(new, e.name); !stays {
			d.changes = append(d.changes, Change{Op: Removed, Path: path + "." + e.name})
			moved = false
		}
	}
	for _, e := range new {
		if was, known := find(old, e.name); known {
			d.objects(path+"."+e.name, was, e.members)
		} else {
			d.changes = append(d.changes, Change{Op: Added, Path: path + "." + e.name, To: summary(e.members)})
			moved = false
		}
	}
	if moved {
		d.add(path, order(old), order(new))
	}
}

func order(all []element) string {
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = e.name
	}
	return strings.Join(names, ", ")
}

// summary says what a new element holds: its members on one line.
func summary(members []member) string {
	var parts []string
	for _, m := range members[1:] { // the first is its name
		if s := scalar(m.value); s != "" {
			parts = append(parts, m.key+" "+s)
		}
	}
	return strings.Join(parts, "; ")
}

// scalar shows a value on one line, "" if it is not set.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
	case int:
		if v != 0 {
			return strconv.Itoa(v)
		}
	case []string:
		return strings.Join(v, ", ")
	case privacy.Text:
		return v.In()
	case []element:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = fmt.Sprintf("%s (%s)", e.name, summary(e.members))
		}
		return strings.Join(parts, ", ")
	case []member:
		var parts []string
		for _, m := range v {
			if s := scalar(m.value); s != "" {
				parts = append(parts, m.key+" "+s)
			}
		}
		if len(parts) > 0 {
			return fmt.Sprintf("(%s)", strings.Join(parts, "; "))
		}
	}
	return ""
}

func either(a, b any) any {
	if a != nil {
		return a
	}
	return b
}

func get(members []member, key string) any {
	for _, m := range members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// keys returns the keys of both, in the order of the longer.
func keys(a, b []member) []string {
	if len(b) > len(a) {
		a = b
	}
	all := make([]string, len(a))
	for i, m := range a {
		all[i] = m.key
	}
	return all
}
