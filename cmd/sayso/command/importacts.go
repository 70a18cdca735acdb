package command

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// condition is for which rows something holds: those in which a column has one
// of some texts, or anything.
type condition struct {
	source
	is []string // nil: anything
}

// mappedGround is a ground that a row begins.
type mappedGround struct {
	purpose           privacy.PurposeID
	where             place
	when              *condition
	ref, since, until *source
}

// mappedConsent is an act of say-so that a row tells of.
type mappedConsent struct {
	purpose                                privacy.PurposeID
	where                                  place
	when                                   *condition
	status, method, at                     *source
	notice, language, jurisdiction, byRole *source
	byRef                                  *source
	evidence                               []part
}

// gives reports whether it can tell of a yes.
func (c *mappedConsent) gives() bool {
	return slices.Contains(c.statuses(), string(privacy.StatusGiven))
}

// statuses are those it can tell of, as far as the mapping shows.
func (c *mappedConsent) statuses() []string {
	switch {
	case c.status == nil:
		return nil
	case len(c.status.columns) == 0:
		return []string{c.status.constant}
	case c.status.values == nil:
		return []string{string(privacy.StatusGiven)}
	}
	var all []string
	for _, v := range c.status.values {
		all = append(all, v)
	}
	if c.status.other != nil {
		all = append(all, *c.status.other)
	}
	return all
}

// noAct is the status of who said neither yes nor no.
const noAct = "none"

func (r *mappingReader) condition(what string, n *yaml.Node) *condition {
	_, m := r.members(n, what, "column", "is", "filled")
	if m["column"] == nil {
		r.problem(n, "%s.column is missing", what)
		return nil
	}
	c := &condition{source: source{where: r.place(n), columns: r.column(what+".column", m["column"])}}
	if f := m["filled"]; f != nil && (f.Value != "true" || m["is"] != nil) {
		r.problem(f, "%s.filled: expected true, and no is beside it", what)
	}
	switch is := m["is"]; {
	case is == nil:
	case is.Kind == yaml.ScalarNode:
		c.is = []string{is.Value}
	default:
		for _, one := range r.list(is, what+".is") {
			c.is = append(c.is, one.Value)
		}
	}
	return c
}

// fixed reads a text that no column fills.
func (r *mappingReader) fixed(what string, in, n *yaml.Node) string {
	if n == nil {
		r.problem(in, "%s is missing", what)
		return ""
	}
	if n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "" {
		r.problem(n, "%s: expected a text", what)
	}
	return n.Value
}

// textOf reads "text", which is the same for every row, or a source. Other than
// for fields a bare text is no column: what a purpose's acts have in common is
// mostly not in the file.
func (r *mappingReader) textOf(what string, n *yaml.Node) *source {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		return &source{where: r.place(n), constant: r.fixed(what, n, n)}
	}
	s, ok := r.source(what, n)
	if !ok {
		return nil
	}
	return &s
}

func (r *mappingReader) ground(what string, n *yaml.Node) mappedGround {
	_, m := r.members(n, what, "purpose", "if", "ref", "since", "until")
	g := mappedGround{where: r.place(n)}
	if n.Kind != yaml.MappingNode {
		return g
	}
	g.purpose = privacy.PurposeID(r.fixed(what+".purpose", n, m["purpose"]))
	if m["if"] != nil {
		g.when = r.condition(what+".if", m["if"])
	}
	if m["ref"] != nil {
		if s, ok := r.source(what+".ref", m["ref"]); ok {
			g.ref = &s
		}
	}
	if m["since"] != nil {
		g.since = r.moment(what+".since", m["since"])
	}
	if m["until"] != nil {
		g.until = r.moment(what+".until", m["until"])
	}
	return g
}

func (r *mappingReader) consent(what string, n *yaml.Node) mappedConsent {
	_, m := r.members(n, what, "purpose", "if", "status", "method", "at", "notice_version", "language", "jurisdiction", "by", "evidence")
	c := mappedConsent{where: r.place(n)}
	if n.Kind != yaml.MappingNode {
		return c
	}
	c.purpose = privacy.PurposeID(r.fixed(what+".purpose", n, m["purpose"]))
	if m["if"] != nil {
		c.when = r.condition(what+".if", m["if"])
	}
	if m["status"] == nil {
		r.problem(n, "%s.status is missing: given, refused, withdrawn, objected or opted_out, or the column that says which", what)
	}
	if m["method"] == nil {
		r.problem(n, "%s.method is missing: how the person said it, such as web_form or double_opt_in", what)
	}
	c.status, c.method = r.textOf(what+".status", m["status"]), r.textOf(what+".method", m["method"])
	if m["at"] != nil {
		c.at = r.moment(what+".at", m["at"])
	}
	for _, status := range c.statuses() {
		if status != "" && status != noAct && !slices.Contains(privacy.ConsentStatuses, privacy.ConsentStatus(status)) {
			r.problem(m["status"], "%s.status: expected given, refused, withdrawn, objected or opted_out, or none for who said nothing", what)
			break
		}
	}
	if c.gives() && m["at"] == nil {
		r.problem(n, "%s.at is missing: a yes counts from when it was said, not from when it is imported", what)
	}
	c.notice, c.language, c.jurisdiction = r.textOf(what+".notice_version", m["notice_version"]), r.textOf(what+".language", m["language"]), r.textOf(what+".jurisdiction", m["jurisdiction"])
	if m["by"] != nil {
		_, by := r.members(m["by"], what+".by", "role", "ref")
		c.byRole, c.byRef = r.textOf(what+".by.role", by["role"]), r.textOf(what+".by.ref", by["ref"])
		if by["role"] == nil {
			r.problem(m["by"], "%s.by.role is missing: subject, guardian or agent", what)
		}
	}
	if m["evidence"] != nil {
		names, parts := r.members(m["evidence"], what+".evidence")
		for _, name := range names {
			if s, ok := r.source(what+".evidence."+name, parts[name]); ok {
				c.evidence = append(c.evidence, part{name, s})
			}
		}
	}
	return c
}
