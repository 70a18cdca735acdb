package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// maxText bounds the text of a register, so that parsing one is never long.
const maxText = 1 << 20

// Parse reads the text of a register; file is its name in problems. Either the
// register is whole – every key known and enforced, every name that is used
// declared – or the error is a *ProblemsError with every problem found.
// Warnings come with either.
func Parse(file string, text []byte) (*Register, []Warning, error) {
	p := &parser{file: file, at: map[string]*yaml.Node{}}
	r := &Register{}
	if root := p.root(text); root != nil {
		r = p.read(root, "").register()
		r.index()
		p.check(r)
	}
	slices.SortStableFunc(p.problems, byPlace)
	slices.SortStableFunc(p.warnings, func(a, b Warning) int { return byPlace(Problem(a), Problem(b)) })
	if len(p.problems) > 0 {
		return nil, p.warnings, &ProblemsError{p.problems}
	}
	return r, p.warnings, nil
}

type parser struct {
	file     string
	problems []Problem
	warnings []Warning
	at       map[string]*yaml.Node // where each value that was read stands
}

func (p *parser) problemAt(n *yaml.Node, path, format string, args ...any) {
	p.problems = append(p.problems, p.place(n, path, fmt.Sprintf(format, args...)))
}

func (p *parser) place(n *yaml.Node, path, detail string) Problem {
	line, column := 1, 1
	if n != nil && n.Line > 0 {
		line, column = n.Line, n.Column
	}
	return Problem{p.file, line, column, path, detail}
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// root reads the text as one YAML document of plain values, or says why not.
func (p *parser) root(text []byte) *yaml.Node {
	if len(text) > maxText {
		p.problemAt(nil, "", "expected at most %d bytes, found %d", maxText, len(text))
		return nil
	}
	if !utf8.Valid(text) {
		p.problemAt(nil, "", "expected text in UTF-8")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(joinSurrogates(text)))
	var doc, next yaml.Node
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		p.syntax(err)
		return nil
	}
	if len(doc.Content) == 0 {
		p.problemAt(nil, "", "expected a register, found nothing")
		return nil
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		p.problemAt(&next, "", "expected the end of the text, found a second document")
	case !errors.Is(err, io.EOF):
		p.syntax(err)
		return nil
	}
	p.plain(doc.Content[0])
	return doc.Content[0]
}

// joinSurrogates writes out what JSON escapes in two halves, as many JSON
// writers do with emoji and YAML does not know. Other texts stay as they are.
func joinSurrogates(text []byte) []byte {
	if !json.Valid(text) {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		n := 1
		if text[i] == '\\' { // and so within a string, with something behind it
			n = 2
			if r := utf16.DecodeRune(escaped(text[i:]), escaped(text[min(i+6, len(text)):])); r != utf8.RuneError {
				out, i = utf8.AppendRune(out, r), i+12
				continue
			}
		}
		out, i = append(out, text[i:i+n]...), i+n
	}
	return out
}

// escaped returns the code unit that a text beginning with \uXXXX escapes, or
// RuneError.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return utf8.RuneError
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(unit)
}

func (p *parser) syntax(err error) {
	n, detail := &yaml.Node{Line: 1, Column: 1}, err.Error()
	if m := yamlLine.FindStringSubmatch(detail); m != nil {
		n.Line, _ = strconv.Atoi(m[1])
		detail = detail[len(m[0]):]
	}
	p.problemAt(n, "", "not valid YAML: %s", detail)
}

// read returns the value of a node. An alias, reported before, counts as
// absent.
func (p *parser) read(n *yaml.Node, path string) value {
	p.at[path] = n
	if n.Kind == yaml.AliasNode {
		return value{}
	}
	return value{p, n, path}
}

// plain refuses what makes a text mean something else than what it says at
// the place one looks at.
func (p *parser) plain(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		p.problemAt(n, "", "*%s is an alias; write the value out", n.Value)
	case n.Anchor != "":
		p.problemAt(n, "", "&%s is an anchor; write the value out where it is used", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		p.problemAt(n, "", "%s is a tag; write a plain value", n.Tag)
	}
	for _, child := range n.Content {
		p.plain(child)
	}
}

func (v value) register() *Register {
	o := v.object("controller", "fields", "context", "purposes", "channels", "matrix", "settings")
	r := &Register{Controller: o.need("controller").controller()}
	for _, item := range o.need("fields").list() {
		r.Fields = append(r.Fields, item.field())
	}
	for _, item := range o.get("context").list() {
		r.Context = append(r.Context, item.contextKey())
	}
	for _, item := range o.need("purposes").list() {
		r.Purposes = append(r.Purposes, item.purpose())
	}
	for _, item := range o.need("channels").list() {
		r.Channels = append(r.Channels, item.channel())
	}
	for _, item := range o.get("matrix").list() {
		r.Matrix = append(r.Matrix, item.cell())
	}
	r.Settings = o.get("settings").settings()
	return r
}

func (v value) controller() Controller {
	o := v.object("name", "contact", "address", "country", "authority", "dpo")
	return Controller{
		Name:      o.need("name").str(),
		Contact:   o.need("contact").str(),
		Address:   o.get("address").str(),
		Country:   o.need("country").country(),
		Authority: o.get("authority").str(),
		DPO:       o.get("dpo").str(),
	}
}

func (v value) field() Field {
	o := v.object("name", "title", "type", "identifier", "category", "special", "mask", "retention", "max_age", "history", "ttl")
	return Field{
		Name:       privacy.FieldName(o.need("name").id()),
		Title:      o.get("title").text(),
		Type:       oneOf(o.need("type"), privacy.Types),
		Identifier: oneOf(o.get("identifier"), []Identifier{Unique, Shared}),
		Category:   privacy.Category(o.get("category").str()),
		Special:    o.get("special").boolean(),
		Mask:       oneOf(o.get("mask"), privacy.Masks()),
		Retention:  o.get("retention").period(),
		MaxAge:     o.get("max_age").period(),
		History:    o.get("history").period(),
		TTL:        o.get("ttl").period(),
	}
}

func (v value) contextKey() ContextKey {
	o := v.object("name", "type", "enum")
	return ContextKey{
		Name: o.need("name").id(),
		Type: oneOf(o.need("type"), []string{ContextString, ContextNumber, ContextBoolean}),
		Enum: strs(o.get("enum")),
	}
}

func (v value) purpose() Purpose {
	o := v.object("id", "title", "benefit", "dpv", "basis", "fields", "retention", "broader", "jurisdictions", "recipients", "consent", "profiling", "contact", "confidential_for")
	return Purpose{
		ID:            privacy.PurposeID(o.need("id").id()),
		Title:         o.need("title").text(),
		Benefit:       o.get("benefit").text(),
		DPV:           o.get("dpv").str(),
		Basis:         oneOf(o.need("basis"), privacy.LegalBases),
		Fields:        ids[privacy.FieldName](o.need("fields")),
		Retention:     o.get("retention").period(),
		Broader:       privacy.PurposeID(o.get("broader").id()),
		Jurisdictions: strs(o.get("jurisdictions")),
		Recipients:    strs(o.get("recipients")),
		Consent:       o.get("consent").consent(),
		Profiling:     o.get("profiling").boolean(),
		Contact:       o.get("contact").contact(),

		ConfidentialFor: o.get("confidential_for").period(),
	}
}

func (v value) consent() *ConsentTerms {
	if !v.present() {
		return nil
	}
	o := v.object("valid_for", "explicit", "notice")
	n := o.need("notice").object("version", "text", "purposes")
	return &ConsentTerms{
		ValidFor: o.get("valid_for").period(),
		Explicit: o.get("explicit").boolean(),
		Notice: Notice{
			Version:  n.need("version").str(),
			Text:     n.need("text").text(),
			Purposes: ids[privacy.PurposeID](n.get("purposes")),
		},
	}
}

func (v value) channel() Channel {
	o := v.object("id", "kind", "title", "purposes", "captures", "obtains", "recipient", "limits", "bulk", "sessions", "webhooks", "stops")
	c := Channel{
		ID:        privacy.ChannelID(o.need("id").id()),
		Kind:      o.need("kind").id(),
		Title:     o.get("title").text(),
		Purposes:  ids[privacy.PurposeID](o.get("purposes")),
		Captures:  ids[privacy.FieldName](o.get("captures")),
		Obtains:   ids[privacy.PurposeID](o.get("obtains")),
		Recipient: o.get("recipient").str(),
		Limits:    o.get("limits").limits(),
		Bulk:      o.get("bulk").bulk(),
		Sessions:  o.get("sessions").sessions(),
		Webhooks:  hosts(o.get("webhooks")),
	}
	for _, item := range o.get("stops").list() {
		c.Stops = append(c.Stops, item.stop())
	}
	return c
}

func (v value) bulk() Bulk {
	o := v.object("audiences")
	return Bulk{Audiences: o.get("audiences").boolean()}
}

// sessions reads true, which means step_up verified, or an object.
func (v value) sessions() StepUp {
	if !v.present() {
		return NoSessions
	}
	if v.node.Kind == yaml.ScalarNode {
		if v.boolean() {
			return StepUpVerified
		}
		return NoSessions
	}
	o := v.object("step_up")
	return oneOf(o.need("step_up"), []StepUp{StepUpVerified, StepUpNone})
}

func (v value) limits() Limits {
	o := v.object("requests_per_minute", "people_per_day", "empty_answers_per_day", "captures_per_person_per_day")
	return Limits{
		RequestsPerMinute:       o.get("requests_per_minute").count(),
		PeoplePerDay:            o.get("people_per_day").count(),
		EmptyAnswersPerDay:      o.get("empty_answers_per_day").count(),
		CapturesPerPersonPerDay: o.get("captures_per_person_per_day").count(),
	}
}

func (v value) cell() Cell {
	o := v.object("purpose", "channel", "field", "as")
	return Cell{
		Purpose: privacy.PurposeID(o.need("purpose").id()),
		Channel: privacy.ChannelID(o.need("channel").id()),
		Field:   privacy.FieldName(o.need("field").id()),
		As:      oneOf(o.need("as"), append([]string{Withhold, ownMask}, toStrings(privacy.Masks())...)),
	}
}
