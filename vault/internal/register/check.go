package register

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// check reports what is wrong between the parts of a register: names that are
// used and not declared, and promises that contradict each other.
func (p *parser) check(r *Register) {
	p.checkNames(r)
	for i := range r.Fields {
		p.checkField(fmt.Sprintf("fields[%d]", i), &r.Fields[i])
	}
	for i, c := range r.Context {
		if c.Type != ContextString && c.Type != "" && len(c.Enum) > 0 {
			p.fault(fmt.Sprintf("context[%d].enum", i), "is for type string, not for %s", c.Type)
		}
	}
	for i := range r.Purposes {
		at := fmt.Sprintf("purposes[%d]", i)
		p.checkPurpose(r, at, &r.Purposes[i])
		p.checkBasis(at, &r.Purposes[i])
		p.checkNotice(r, at, &r.Purposes[i])
		p.checkContact(at, r.Purposes[i].Contact)
	}
	for i := range r.Channels {
		p.checkChannel(r, fmt.Sprintf("channels[%d]", i), &r.Channels[i])
	}
	for i, c := range r.Matrix {
		p.checkCell(r, fmt.Sprintf("matrix[%d]", i), c)
	}
	p.checkSettings(r)
}

// fault reports a problem with the value at a path, or where there is none,
// with what holds it.
func (p *parser) fault(path, format string, args ...any) {
	p.problemAt(p.nearest(path), path, format, args...)
}

func (p *parser) warn(path, format string, args ...any) {
	p.warnings = append(p.warnings, Warning(p.place(p.nearest(path), path, fmt.Sprintf(format, args...))))
}

// checkNames reports what is declared twice.
func (p *parser) checkNames(r *Register) {
	p.unique("fields[%d].name", len(r.Fields), func(i int) string { return string(r.Fields[i].Name) })
	p.unique("context[%d].name", len(r.Context), func(i int) string { return r.Context[i].Name })
	p.unique("purposes[%d].id", len(r.Purposes), func(i int) string { return string(r.Purposes[i].ID) })
	p.unique("channels[%d].id", len(r.Channels), func(i int) string { return string(r.Channels[i].ID) })
	p.unique("matrix[%d]", len(r.Matrix), func(i int) string {
		c := r.Matrix[i]
		if c.Purpose == "" || c.Channel == "" || c.Field == "" {
			return ""
		}
		return fmt.Sprintf("%s for %s in %s", c.Field, c.Purpose, c.Channel)
	})
}

func (p *parser) unique(path string, n int, name func(int) string) {
	first := map[string]int{}
	for i := range n {
		s := name(i)
		at, twice := first[s]
		switch {
		case s == "":
		case twice:
			line := p.nearest(fmt.Sprintf(path, at)).Line
			p.fault(fmt.Sprintf(path, i), "%s is declared twice, first on line %d", s, line)
		default:
			first[s] = i
		}
	}
}

// identifierTypes are the types whose values can find a person.
var identifierTypes = []privacy.Type{privacy.TypeString, privacy.TypeEmail, privacy.TypePhone}

func (p *parser) checkField(at string, f *Field) {
	if f.Identifier != NotIdentifier && f.Type != "" && !slices.Contains(identifierTypes, f.Type) {
		p.fault(at+".identifier", "type %s cannot find a person (expected one of %s)", f.Type, list(identifierTypes))
	}
	if f.Identifier != NotIdentifier && (f.Name == "subject" || f.Name == "reason") {
		p.fault(at+".name", "%s cannot be an identifier: where a person is looked up, it means something else", f.Name)
	}
	if f.Mask != "" && f.Type != "" && !f.Mask.Fits(f.Type) {
		p.fault(at+".mask", "mask %s does not fit type %s (%s)", f.Mask, f.Type, fitting(f.Type))
	}
	if f.Identifier != NotIdentifier && !f.TTL.IsZero() {
		p.fault(at+".ttl", "%s finds people, so it cannot be of the moment", f.Name)
	}
	p.checkCategory(at, f)
}

// fitting says which masks a type can have.
func fitting(t privacy.Type) string {
	masks := slices.DeleteFunc(privacy.Masks(), func(m privacy.Mask) bool { return !m.Fits(t) })
	if len(masks) == 0 {
		return "no mask does; withhold it"
	}
	return "expected one of " + list(masks)
}

// declaredField reports a field that is named and not declared.
func (p *parser) declaredField(r *Register, at string, name privacy.FieldName) (*Field, bool) {
	f, ok := r.Field(name)
	if !ok && name != "" {
		all := make([]string, len(r.Fields))
		for i := range r.Fields {
			all[i] = string(r.Fields[i].Name)
		}
		p.fault(at, "%s is not declared under fields%s", name, didYouMean(string(name), all))
	}
	return f, ok && name != ""
}

// declaredPurpose reports a purpose that is named and not declared.
func (p *parser) declaredPurpose(r *Register, at string, id privacy.PurposeID) (*Purpose, bool) {
	purpose, ok := r.Purpose(id)
	if !ok && id != "" {
		all := make([]string, len(r.Purposes))
		for i := range r.Purposes {
			all[i] = string(r.Purposes[i].ID)
		}
		p.fault(at, "%s is not declared under purposes%s", id, didYouMean(string(id), all))
	}
	return purpose, ok && id != ""
}

func (p *parser) checkPurpose(r *Register, at string, purpose *Purpose) {
	if p.has(at+".fields") && p.empty(at+".fields") {
		p.fault(at+".fields", "expected at least one field: a purpose without any reads nothing")
	}
	for j, name := range purpose.Fields {
		path := fmt.Sprintf("%s.fields[%d]", at, j)
		f, ok := p.declaredField(r, path, name)
		if ok && f.Special && purpose.Basis != "" && !explicit(purpose) {
			p.fault(path, "%s is of a special category (GDPR Art. 9): it needs basis consent, with explicit: true under consent", name)
		}
	}
	if broader, ok := p.declaredPurpose(r, at+".broader", purpose.Broader); ok && within(r, broader, purpose.ID) {
		p.fault(at+".broader", "%s is itself within %s: a purpose cannot be broader than itself", broader.ID, purpose.ID)
	}
	p.checkDPV(at, purpose)
}

func explicit(p *Purpose) bool {
	return p.Basis == privacy.Consent && p.Consent != nil && p.Consent.Explicit
}

// within reports whether a purpose is the one named or, by its broader ones,
// part of it.
func within(r *Register, p *Purpose, id privacy.PurposeID) bool {
	for steps := 0; steps <= len(r.Purposes); steps++ {
		if p.ID == id {
			return true
		}
		next, ok := r.Purpose(p.Broader)
		if !ok {
			return false
		}
		p = next
	}
	return false
}

var jurisdiction = regexp.MustCompile(`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`)

func (p *parser) checkBasis(at string, purpose *Purpose) {
	switch basis := purpose.Basis; {
	case basis == privacy.Consent && !p.has(at+".consent"):
		p.fault(at+".basis", "consent needs a consent block with the notice people are shown")
	case basis != "" && !consentable(purpose) && p.has(at+".consent"):
		p.fault(at+".consent", "goes with basis consent or opt_out, not with %s", basis)
	}
	switch basis := purpose.Basis; {
	case basis == privacy.OptOut && p.empty(at+".jurisdictions"):
		p.fault(at+".basis", "opt_out needs jurisdictions: where it holds, such as [US-CA]")
	case basis != "" && basis != privacy.OptOut && p.has(at+".jurisdictions"):
		p.fault(at+".jurisdictions", "goes with basis opt_out, not with %s", basis)
	}
	for j, s := range purpose.Jurisdictions {
		if s != "" && (!jurisdiction.MatchString(s) || !isCountry(s[:2])) {
			p.fault(fmt.Sprintf("%s.jurisdictions[%d]", at, j), "%s is no jurisdiction: expected a country such as US or a part of one such as US-CA (ISO 3166)", quoted(s))
		}
	}
}

// consentable reports whether a consent can allow the purpose.
func consentable(p *Purpose) bool {
	return p.Basis == privacy.Consent || p.Basis == privacy.OptOut
}

func (p *parser) checkChannel(r *Register, at string, c *Channel) {
	for j, id := range c.Purposes {
		path := fmt.Sprintf("%s.purposes[%d]", at, j)
		purpose, ok := p.declaredPurpose(r, path, id)
		if ok && c.Recipient != "" && !slices.Contains(purpose.Recipients, c.Recipient) {
			p.fault(path, "%s reads here and is not among the recipients of %s", quoted(c.Recipient), id)
		}
	}
	for j, name := range c.Captures {
		p.declaredField(r, fmt.Sprintf("%s.captures[%d]", at, j), name)
	}
	for j, id := range c.Obtains {
		path := fmt.Sprintf("%s.obtains[%d]", at, j)
		switch purpose, ok := p.declaredPurpose(r, path, id); {
		case !ok || purpose.Basis == "":
		case !consentable(purpose):
			p.fault(path, "%s rests on %s: there is no consent to obtain (expected a purpose with basis consent or opt_out)", id, purpose.Basis)
		case purpose.Basis == privacy.OptOut && purpose.Consent == nil:
			p.fault(path, "%s has no consent block, so there is no notice to show", id)
		}
	}
	p.checkStops(r, at, c)
}

func (p *parser) checkCell(r *Register, at string, c Cell) {
	purpose, knownPurpose := p.declaredPurpose(r, at+".purpose", c.Purpose)
	f, knownField := p.declaredField(r, at+".field", c.Field)
	channel, knownChannel := r.Channel(c.Channel)
	if !knownChannel && c.Channel != "" {
		all := make([]string, len(r.Channels))
		for i := range r.Channels {
			all[i] = string(r.Channels[i].ID)
		}
		p.fault(at+".channel", "%s is not declared under channels%s", c.Channel, didYouMean(string(c.Channel), all))
	}
	if knownPurpose && knownField && !slices.Contains(purpose.Fields, c.Field) {
		p.fault(at+".field", "%s is not a field of purpose %s, so there is nothing to show less of", c.Field, c.Purpose)
	}
	if knownPurpose && knownChannel && c.Channel != "" && !slices.Contains(channel.Purposes, c.Purpose) {
		p.fault(at+".channel", "channel %s does not have purpose %s, so there is nothing to show less of", c.Channel, c.Purpose)
	}
	switch {
	case !knownField || c.As == "" || c.As == Withhold || f.Type == "":
	case c.As == ownMask && f.Mask == "":
		p.fault(at+".as", "field %s has no mask of its own (%s)", c.Field, fitting(f.Type))
	case c.As != ownMask && !privacy.Mask(c.As).Fits(f.Type):
		p.fault(at+".as", "mask %s does not fit %s, which is of type %s (%s)", c.As, c.Field, f.Type, fitting(f.Type))
	}
}

func (p *parser) has(path string) bool { return p.at[path] != nil }

// empty reports whether a list is not there or has nothing in it.
func (p *parser) empty(path string) bool {
	n := p.at[path]
	return n == nil || n.Kind == yaml.SequenceNode && len(n.Content) == 0
}

// nearest returns the value at a path, or what holds it.
func (p *parser) nearest(path string) *yaml.Node {
	for {
		if n := p.at[path]; n != nil {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return &yaml.Node{Line: 1, Column: 1}
		}
		path = path[:i]
	}
}
