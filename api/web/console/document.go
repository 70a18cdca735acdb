package console

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is the text of a register as it can be edited: what an officer changes
// is changed where it stands, so that comments and order stay for those who keep
// the text elsewhere.
type document struct{ root *yaml.Node }

// errMoved is returned for an edit of something that the register has no more.
var errMoved = errors.New("the register has no such thing any more")

func parseDocument(text []byte) (*document, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("reading the register's text: %w", err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("the register's text is no mapping")
	}
	return &document{root: &doc}, nil
}

// text is the document as YAML.
func (d *document) text() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(d.root), e.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (d *document) top() *yaml.Node { return d.root.Content[0] }

// member is the value of a key of a mapping, nil if it has none.
func member(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// put sets a key of a mapping; nil takes it away.
func put(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			continue
		}
		if value == nil {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
		value.HeadComment, value.LineComment, value.FootComment = n.Content[i+1].HeadComment, n.Content[i+1].LineComment, n.Content[i+1].FootComment
		n.Content[i+1] = value
		return
	}
	if value != nil {
		n.Content = append(n.Content, scalar(key), value)
	}
}

// at follows a path such as consent.notice.version below n.
func at(n *yaml.Node, path string) *yaml.Node {
	for key := range strings.SplitSeq(path, ".") {
		n = member(n, key)
	}
	return n
}

// set puts a value at a path below n, making what lies between; nil takes it away,
// and what is empty then with it.
func set(n *yaml.Node, path string, value *yaml.Node) {
	key, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		put(n, key, value)
		return
	}
	inner := member(n, key)
	if inner == nil || inner.Kind != yaml.MappingNode {
		if value == nil {
			return
		}
		inner = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: n.Style & yaml.FlowStyle}
		put(n, key, inner)
	}
	set(inner, rest, value)
	if len(inner.Content) == 0 {
		put(n, key, nil)
	}
}

// scalar is a text, quoted where YAML would take it for something else.
func scalar(text string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(text)
	return n
}

func boolean(is bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(is)}
}

// number is what was typed, as a number if it is one; if not, the register says
// that it expected one.
func number(text string) *yaml.Node {
	if _, err := strconv.Atoi(text); err != nil {
		return scalar(text)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: text}
}

func listOf(all []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, one := range all {
		n.Content = append(n.Content, scalar(one))
	}
	return n
}

// items are those of a list of the register, such as purposes.
func (d *document) items(list string) []*yaml.Node {
	n := member(d.top(), list)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// keyOf is the key that names the items of a list.
func keyOf(list string) string {
	if list == "fields" {
		return "name"
	}
	return "id"
}

// item is one of a list by its name, and where in the list; -1 if there is none.
func (d *document) item(list, name string) (*yaml.Node, int) {
	for i, n := range d.items(list) {
		if v := member(n, keyOf(list)); v != nil && v.Value == name {
			return n, i
		}
	}
	return nil, -1
}

// add appends an empty item to a list.
func (d *document) add(list string) (*yaml.Node, int) {
	n := member(d.top(), list)
	if n == nil || n.Kind != yaml.SequenceNode {
		n = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		put(d.top(), list, n)
	}
	item := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if len(n.Content) > 0 {
		item.Style = n.Content[len(n.Content)-1].Style & yaml.FlowStyle
	}
	n.Content = append(n.Content, item)
	return item, len(n.Content) - 1
}

// remove takes an item from a list, and the matrix' cells that name it.
func (d *document) remove(list, name string) error {
	_, i := d.item(list, name)
	if i < 0 {
		return errMoved
	}
	n := member(d.top(), list)
	n.Content = slices.Delete(n.Content, i, i+1)
	of := map[string]string{"purposes": "purpose", "channels": "channel", "fields": "field"}[list]
	d.deleteCells(func(cell *yaml.Node) bool { return text(member(cell, of)) == name })
	return nil
}

func (d *document) deleteCells(is func(*yaml.Node) bool) {
	if m := member(d.top(), "matrix"); m != nil {
		m.Content = slices.DeleteFunc(m.Content, is)
		if len(m.Content) == 0 {
			put(d.top(), "matrix", nil)
		}
	}
}

// setCell says how a field is shown for a purpose in a channel; "" is the field as
// it is.
func (d *document) setCell(purpose, channel, field, as string) {
	same := func(cell *yaml.Node) bool {
		return text(member(cell, "purpose")) == purpose && text(member(cell, "channel")) == channel && text(member(cell, "field")) == field
	}
	if as == "" {
		d.deleteCells(same)
		return
	}
	m := member(d.top(), "matrix")
	if m == nil || m.Kind != yaml.SequenceNode {
		m = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		put(d.top(), "matrix", m)
	}
	for _, cell := range m.Content {
		if same(cell) {
			put(cell, "as", scalar(as))
			return
		}
	}
	m.Style &^= yaml.FlowStyle
	cell := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
	for _, pair := range [][2]string{{"purpose", purpose}, {"channel", channel}, {"field", field}, {"as", as}} {
		put(cell, pair[0], scalar(pair[1]))
	}
	m.Content = append(m.Content, cell)
}

// text is a scalar's, "" of what is none.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// texts are those of a list's items.
func texts(n *yaml.Node) (all []string) {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range n.Content {
		all = append(all, text(item))
	}
	return all
}

// words are a text for people, by language; under "" what is said in no language
// of its own.
func words(n *yaml.Node) map[string]string {
	all := map[string]string{}
	if n == nil {
		return all
	}
	if n.Kind != yaml.MappingNode {
		all[""] = text(n)
		return all
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		all[n.Content[i].Value] = text(n.Content[i+1])
	}
	return all
}
