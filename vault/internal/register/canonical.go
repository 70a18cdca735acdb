package register

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// A register is described once, as a tree of members in the order a person
// would read them; Canonical, NoticeHash and Diff all walk it, so that none of
// them forgets a key the others know.
type (
	member struct {
		key   string
		value any // string, int, bool, []string, privacy.Text, []member or []element
	}
	// element is a member of a list, told from the others by its name.
	element struct {
		name    string
		members []member
	}
)

// Canonical returns the one form of a register: JSON as of RFC 8785, with the
// keys Parse reads and without those that are not set. Two registers say the
// same if and only if these bytes are equal, and Parse reads them back to an
// equal Register. The revision is not in it.
func (r *Register) Canonical() []byte { return canonical(r.members()) }

// MarshalJSON returns Canonical.
func (r *Register) MarshalJSON() ([]byte, error) { return r.Canonical(), nil }

func (r *Register) members() []member {
	var context, fields, purposes, channels, matrix []element
	for _, f := range r.Fields {
		fields = append(fields, element{string(f.Name), f.members()})
	}
	for _, c := range r.Context {
		context = append(context, element{c.Name, []member{{"name", c.Name}, {"type", c.Type}, {"enum", c.Enum}}})
	}
	for _, p := range r.Purposes {
		purposes = append(purposes, element{string(p.ID), p.members()})
	}
	for _, c := range r.Channels {
		channels = append(channels, element{string(c.ID), c.members()})
	}
	for _, c := range r.Matrix {
		name := string(c.Purpose) + "/" + string(c.Channel) + "/" + string(c.Field)
		matrix = append(matrix, element{name, []member{
			{"purpose", string(c.Purpose)}, {"channel", string(c.Channel)}, {"field", string(c.Field)}, {"as", c.As},
		}})
	}
	return []member{
		{"controller", r.Controller.members()},
		{"fields", fields},
		{"context", context},
		{"purposes", purposes},
		{"channels", channels},
		{"matrix", matrix},
		{"settings", r.Settings.members()},
	}
}

func (c *Controller) members() []member {
	return []member{
		{"name", c.Name},
		{"contact", c.Contact},
		{"address", c.Address},
		{"country", c.Country},
		{"authority", c.Authority},
		{"dpo", c.DPO},
	}
}

func (f *Field) members() []member {
	return []member{
		{"name", string(f.Name)},
		{"title", f.Title},
		{"type", string(f.Type)},
		{"identifier", string(f.Identifier)},
		{"category", string(f.Category)},
		{"special", f.Special},
		{"mask", string(f.Mask)},
		{"retention", period(f.Retention)},
		{"max_age", period(f.MaxAge)},
		{"history", period(f.History)},
		{"ttl", period(f.TTL)},
	}
}

func (p *Purpose) members() []member {
	all := []member{
		{"id", string(p.ID)},
		{"title", p.Title},
		{"benefit", p.Benefit},
		{"dpv", p.DPV},
		{"basis", string(p.Basis)},
		{"fields", toStrings(p.Fields)},
		{"retention", period(p.Retention)},
		{"broader", string(p.Broader)},
		{"jurisdictions", p.Jurisdictions},
		{"recipients", p.Recipients},
		{"profiling", p.Profiling},
		{"confidential_for", period(p.ConfidentialFor)},
	}
	if c := p.Consent; c != nil {
		all = append(all, member{"consent", []member{
			{"valid_for", period(c.ValidFor)},
			{"explicit", c.Explicit},
			{"notice", c.Notice.members()},
		}})
	}
	if p.Contact != nil {
		all = append(all, member{"contact", p.Contact.members()})
	}
	return all
}

func (n *Notice) members() []member {
	return []member{{"version", n.Version}, {"text", n.Text}, {"purposes", toStrings(n.Purposes)}}
}

func (c *Channel) members() []member {
	return []member{
		{"id", string(c.ID)},
		{"kind", c.Kind},
		{"title", c.Title},
		{"purposes", toStrings(c.Purposes)},
		{"captures", toStrings(c.Captures)},
		{"obtains", toStrings(c.Obtains)},
		{"recipient", c.Recipient},
		{"limits", []member{
			{"requests_per_minute", c.Limits.RequestsPerMinute},
			{"people_per_day", c.Limits.PeoplePerDay},
			{"empty_answers_per_day", c.Limits.EmptyAnswersPerDay},
			{"captures_per_person_per_day", c.Limits.CapturesPerPersonPerDay},
		}},
		{"stops", stopMembers(c.Stops)},
		{"bulk", []member{{"audiences", c.Bulk.Audiences}}},
		{"sessions", []member{{"step_up", string(c.Sessions)}}},
		{"webhooks", c.Webhooks},
	}
}

func period(p privacy.Period) string {
	if p.IsZero() {
		return ""
	}
	return p.String()
}

// canonical writes members as JSON by RFC 8785.
func canonical(members []member) []byte {
	// Marshalling maps of strings, numbers and truth values cannot fail, nor
	// can canonicalising what was just marshalled.
	text, _ := json.Marshal(plainObject(members, true))
	out := jsontext.Value(text)
	_ = out.Canonicalize()
	return out
}

// plainObject turns members into what encoding/json writes, without those that
// are not set. The lists of the register itself are always there, for Parse
// wants them.
func plainObject(members []member, whole bool) map[string]any {
	out := map[string]any{}
	for _, m := range members {
		switch v := m.value.(type) {
		case string:
			if v != "" {
				out[m.key] = v
			}
		case int:
			if v != 0 {
				out[m.key] = v
			}
		case bool:
			if v {
				out[m.key] = v
			}
		case []string:
			if len(v) > 0 {
				out[m.key] = v
			}
		case privacy.Text:
			if s, unnamed := v[""]; unnamed {
				out[m.key] = s
			} else if len(v) > 0 {
				out[m.key] = map[string]string(v)
			}
		case []member:
			if o := plainObject(v, false); len(o) > 0 {
				out[m.key] = o
			}
		case []element:
			all := []any{}
			for _, e := range v {
				all = append(all, plainObject(e.members, false))
			}
			if len(all) > 0 || whole {
				out[m.key] = all
			}
		}
	}
	return out
}

// languages returns the languages of a text in a stable order.
func languages(texts ...privacy.Text) []string {
	seen := map[string]bool{}
	for _, t := range texts {
		for l := range t {
			seen[l] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
