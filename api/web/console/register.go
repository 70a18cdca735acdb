package console

import (
	"cmp"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// wording is a text for people in the languages that it is written in.
type wording map[string]string

// In is the text in a language, else in English, else in any there is.
func (w wording) In(lang string) string {
	for _, l := range append([]string{lang, "", "en"}, slices.Sorted(maps.Keys(w))...) {
		if t := w[l]; t != "" {
			return t
		}
	}
	return ""
}

// The register as pages show it, in the order it is written in.
type (
	fieldView struct {
		Name, Type, Identifier, Category, Mask, Retention, MaxAge, TTL string
		Title                                                          wording
		Special                                                        bool
		Purposes                                                       []string // that list it
	}
	purposeView struct {
		ID, DPV, Basis, Retention, Broader string
		Title, Benefit                     wording
		Fields, Recipients                 []string
		Notice                             *noticeView
		Channels                           []string // that hold it
	}
	noticeView struct {
		Version, ValidFor string
		Text              wording
		Explicit          bool
	}
	channelView struct {
		ID, Kind, Recipient, StepUp string
		Title                       wording
		Purposes, Captures, Obtains []string
		Limits                      bool
	}
	// registerView is a register and how its matrix shows fields.
	registerView struct {
		Controller string
		Fields     []fieldView
		Purposes   []purposeView
		Channels   []channelView
		cells      map[[3]string]string
	}
)

// As is how the matrix shows a field for a purpose in a channel: "withhold", a
// mask, or "" as it is.
func (r *registerView) As(purpose, channel, field string) string {
	return r.cells[[3]string{purpose, channel, field}]
}

// Field returns the field of that name, or nil.
func (r *registerView) Field(name string) *fieldView {
	if i := slices.IndexFunc(r.Fields, func(f fieldView) bool { return f.Name == name }); i >= 0 {
		return &r.Fields[i]
	}
	return nil
}

// Purpose returns the purpose of that ID, or nil.
func (r *registerView) Purpose(id string) *purposeView {
	if i := slices.IndexFunc(r.Purposes, func(p purposeView) bool { return p.ID == id }); i >= 0 {
		return &r.Purposes[i]
	}
	return nil
}

// Channel returns the channel of that ID, or nil.
func (r *registerView) Channel(id string) *channelView {
	if i := slices.IndexFunc(r.Channels, func(c channelView) bool { return c.ID == id }); i >= 0 {
		return &r.Channels[i]
	}
	return nil
}

// view reads the document for pages. The vault has checked the text; what could
// not be read is empty.
func (d *document) view() *registerView {
	r := &registerView{Controller: text(at(d.top(), "controller.name")), cells: map[[3]string]string{}}
	for _, n := range d.items("channels") {
		c := channelView{ID: text(member(n, "id")), Kind: text(member(n, "kind")), Title: words(member(n, "title")), Recipient: text(member(n, "recipient")),
			Purposes: texts(member(n, "purposes")), Captures: texts(member(n, "captures")), Obtains: texts(member(n, "obtains")),
			Limits: member(n, "limits") != nil, StepUp: stepUp(member(n, "sessions"))}
		r.Channels = append(r.Channels, c)
	}
	for _, n := range d.items("purposes") {
		p := purposeView{ID: text(member(n, "id")), Title: words(member(n, "title")), Benefit: words(member(n, "benefit")), DPV: text(member(n, "dpv")),
			Basis: text(member(n, "basis")), Retention: text(member(n, "retention")), Broader: text(member(n, "broader")),
			Fields: texts(member(n, "fields")), Recipients: texts(member(n, "recipients"))}
		if c := member(n, "consent"); c != nil {
			p.Notice = &noticeView{Version: text(at(c, "notice.version")), Text: words(at(c, "notice.text")), ValidFor: text(member(c, "valid_for")),
				Explicit: text(member(c, "explicit")) == "true"}
		}
		for _, c := range r.Channels {
			if slices.Contains(c.Purposes, p.ID) {
				p.Channels = append(p.Channels, c.ID)
			}
		}
		r.Purposes = append(r.Purposes, p)
	}
	for _, n := range d.items("fields") {
		f := fieldView{Name: text(member(n, "name")), Title: words(member(n, "title")), Type: text(member(n, "type")), Identifier: text(member(n, "identifier")),
			Category: text(member(n, "category")), Mask: text(member(n, "mask")), Retention: text(member(n, "retention")), MaxAge: text(member(n, "max_age")),
			TTL: text(member(n, "ttl")), Special: text(member(n, "special")) == "true"}
		for _, p := range r.Purposes {
			if slices.Contains(p.Fields, f.Name) {
				f.Purposes = append(f.Purposes, p.ID)
			}
		}
		r.Fields = append(r.Fields, f)
	}
	for _, n := range d.items("matrix") {
		as := text(member(n, "as"))
		field := text(member(n, "field"))
		if f := r.Field(field); as == "mask" && f != nil {
			as = f.Mask
		}
		r.cells[[3]string{text(member(n, "purpose")), text(member(n, "channel")), field}] = as
	}
	return r
}

// stepUp is what a channel's sessions ask of a person: "" if it opens none.
func stepUp(sessions *yaml.Node) string {
	switch {
	case sessions == nil || text(sessions) == "false":
		return ""
	case sessions.Kind == yaml.MappingNode:
		return cmp.Or(text(member(sessions, "step_up")), "verified")
	}
	return "verified"
}

// fitting are the masks that fit a type, as the register names them.
func fitting(of string) (all []string) {
	for _, m := range privacy.Masks() {
		if m.Fits(privacy.Type(of)) {
			all = append(all, string(m))
		}
	}
	return all
}
