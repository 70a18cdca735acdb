package vault

import (
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// input gathers the facts that a decision about one person at one time depends
// on. It opens no value.
func (q *question) input(p *person, at time.Time) *policy.Input {
	in := new(policy.Input)
	q.fill(in, p, at, policy.Time(at))
	q.said(in, p, at)
	if in.Context == nil {
		in.Context = map[string]any{}
	}
	return in
}

// fill is input into one that was used before, whose maps are used again. Of what
// the person said to purposes it holds only the asked one: said adds the others.
func (q *question) fill(in *policy.Input, p *person, at time.Time, now string) {
	reg, s := q.regime.register, p.standing
	known := factsOf(s).At(at)
	consents, objected, fields := in.Consents, in.Objected, in.Guard.Fields
	if consents == nil {
		consents = make(map[privacy.PurposeID]privacy.ConsentStatus, len(reg.Purposes))
		objected = make(map[privacy.PurposeID]bool, len(reg.Purposes))
		fields = make(map[privacy.FieldName]policy.Facts, len(q.fields))
	}
	clear(consents)
	clear(objected)
	clear(fields)
	*in = policy.Input{
		Channel: policy.Channel{ID: q.channel.ID, Kind: q.channel.Kind},
		Purpose: policy.Purpose{ID: q.asked.ID, DPV: q.asked.DPV, Basis: q.asked.Basis},
		Subject: policy.Subject{
			Jurisdiction: known.Jurisdiction,
			AgeBand:      known.AgeBand,
			Standing:     state(p),
		},
		Consents: consents,
		Objected: objected,
		Fields:   q.fields,
		Context:  q.context,
		Now:      now,
		Guard: policy.Guard{
			Granted: true, // or mayAsk had refused
			Ground:  s.GroundStands(q.asked, at),
			OptOut:  q.asked.Basis == privacy.OptOut && profile.Within(known.Jurisdiction, q.asked.Jurisdictions) && !s.Lapsed(q.asked.ID),
			Fields:  fields,
		},
	}
	if q.regime.touches && p.dealings != nil {
		in.Touches = touchesOf(reg, p.dealings, at)
	}
	consents[q.asked.ID], objected[q.asked.ID] = s.Status(q.asked.ID, at), s.Objected(q.asked.ID)
	cover := s.Covers(reg, q.asked, q.channel, at)
	for _, name := range q.fields {
		fields[name] = facts(reg, q, s, cover, name, at)
	}
}

// said adds what the person said to all purposes.
func (q *question) said(in *policy.Input, p *person, at time.Time) {
	for i := range q.regime.register.Purposes {
		id := q.regime.register.Purposes[i].ID
		in.Consents[id], in.Objected[id] = p.standing.Status(id, at), p.standing.Objected(id)
	}
}

// second is a second as rules see it.
type second struct {
	unix int64
	text string
}

// secondOf returns the text of a second, which is made once for all reads in it.
func (v *Vault) secondOf(at time.Time) string {
	if s := v.second.Load(); s != nil && s.unix == at.Unix() {
		return s.text
	}
	s := &second{at.Unix(), policy.Time(at)}
	v.second.Store(s)
	return s.text
}

func facts(reg *register.Register, q *question, s *consent.Standing, cover consent.Coverage, name privacy.FieldName, at time.Time) policy.Facts {
	f, ok := reg.Field(name)
	if !ok {
		return policy.Facts{}
	}
	stale := false
	if fact := s.Value(name); fact != nil && !f.MaxAge.IsZero() && !q.fresh {
		stale = !at.Before(f.MaxAge.After(fact.Observed))
	}
	// A value that is over is withheld for no reason of its own: there is none.
	fact := s.Value(name)
	guess := fact != nil && fact.Origin == privacy.Inferred && !q.fresh && !s.Ended(reg, f, fact.Observed, at)
	return policy.Facts{
		Declared:  true,
		InPurpose: slices.Contains(q.asked.Fields, name),
		Covered:   slices.Contains(cover.Fields, name),
		Special:   f.Special,
		Explicit:  cover.Explicit,
		Stale:     stale,
		Inferred:  guess && !q.asked.Profiling,
		Contested: guess && s.Contested(name),
		As:        reg.As(q.asked.ID, q.channel.ID, name),
	}
}

func state(p *person) policy.Standing {
	switch {
	case !p.known():
		return policy.StandingUnknown
	case p.standing.Phase != consent.Active:
		return policy.StandingErasing
	case !p.standing.Restricted.IsZero():
		return policy.StandingRestricted
	}
	return policy.StandingActive
}

// factsOf returns what is known of a person without a value of theirs. The
// standing keeps "" for what is unknown.
func factsOf(s *consent.Standing) profile.Facts {
	return profile.Facts{Jurisdiction: orUnknown(s.Jurisdiction), TimeZone: orUnknown(s.TimeZone), AgeBand: orUnknown(s.AgeBand), AgeBandUntil: s.AgeBandUntil}
}

func orUnknown(s string) string {
	if s == "" {
		return profile.Unknown
	}
	return s
}

// maxFields bounds what one question asks for.
const maxFields = 256

// checkFields refuses fields that are asked for twice, or too many.
func (q *question) checkFields() error {
	if len(q.fields) > maxFields {
		return invalid("fields", "too_long", "expected at most %d fields", maxFields)
	}
	for i, f := range q.fields {
		if slices.Contains(q.fields[:i], f) {
			return invalid("fields", "duplicate", "expected each field once")
		}
	}
	return nil
}

// checkContext refuses context the register does not declare, and asks for what
// the rules in force look at, before they run.
func (q *question) checkContext() error {
	for name, value := range q.context {
		i := slices.IndexFunc(q.regime.register.Context, func(k register.ContextKey) bool { return k.Name == name })
		if i < 0 {
			return invalid("context", "unknown_context", "a context key is not declared in the register; it declares: %s", declared(q.regime.register.Context))
		}
		key := q.regime.register.Context[i]
		text, isText := value.(string)
		_, isNumber := value.(float64)
		_, isBool := value.(bool)
		switch {
		case key.Type == register.ContextString && !isText, key.Type == register.ContextNumber && !isNumber, key.Type == register.ContextBoolean && !isBool:
			return invalid("context."+key.Name, "invalid_type", "expected a %s", key.Type)
		case len(key.Enum) > 0 && !slices.Contains(key.Enum, text):
			return invalid("context."+key.Name, "invalid_value", "expected one of %s", strings.Join(key.Enum, ", "))
		}
	}
	for _, name := range q.regime.rules.ContextKeys() {
		if _, ok := q.context[name]; !ok {
			return &Error{Code: CodeContextRequired, Detail: "the rules in force look at context that the request lacks",
				Fields: []FieldError{{Field: "context." + name, Code: CodeContextRequired, Detail: "declared in the register; send it with the request"}}}
		}
	}
	return nil
}

func declared(keys []register.ContextKey) string {
	if len(keys) == 0 {
		return "none"
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	return strings.Join(names, ", ")
}

func contains[T comparable](list []T, one T) bool { return slices.Contains(list, one) }
