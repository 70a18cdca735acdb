package vault

import (
	"math"
	"regexp"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// modelForm is a model's name or version.
var modelForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}$`)

// checkOrigins says how the captured values came to be known. What a model
// inferred is captured only by a channel that may read it again: for a purpose
// that lists the field and allows profiling.
func (c *capture) checkOrigins(req CaptureRequest, bad func(field, code, format string, args ...any)) {
	seen := map[privacy.FieldName]*captured{}
	for i := range c.values {
		seen[c.values[i].field.Name] = &c.values[i]
	}
	for _, name := range req.Observed {
		k := seen[name]
		if k == nil {
			bad("observed", "not_captured", "expected only fields that this request captures")
			continue
		}
		k.origin = privacy.Observed
	}
	for name, by := range req.Inferred {
		k := seen[name]
		switch {
		case k == nil:
			bad("inferred", "not_captured", "expected only fields that this request captures")
		case k.origin == privacy.Observed:
			bad(string(name), "invalid_value", "a value is observed or inferred, not both")
		case k.field.Identifier != register.NotIdentifier:
			bad(string(name), "identifier", "what finds people is not inferred: expected it as it was told")
		case k.verified:
			bad(string(name), "invalid_value", "an inferred value is not verified; capture it as declared")
		case !modelForm.MatchString(by.Model) || !modelForm.MatchString(by.Version):
			bad(string(name), "invalid_value", "expected model and version, of 1 to 64 letters, digits and . _ : / + -")
		case !(by.Confidence >= 0 && by.Confidence <= 1) || math.Round(by.Confidence*1e4)/1e4 != by.Confidence: // also if it is no number
			bad(string(name), "invalid_value", "expected a confidence from 0 to 1, of at most four decimals")
		case !c.profiles(name):
			bad(string(name), "profiling_not_allowed", "none of this channel's purposes lists the field and allows profiling")
		default:
			k.origin, k.inference = privacy.Inferred, &by
		}
	}
}

// profiles reports whether the channel holds a purpose that lists a field and
// allows profiling.
func (c *capture) profiles(name privacy.FieldName) bool {
	for _, id := range c.channel.Purposes {
		if p, ok := c.regime.register.Purpose(id); ok && p.Profiling && c.holds(id) && contains(p.Fields, name) {
			return true
		}
	}
	return false
}

// told returns the captured fields that somebody told or saw.
func (c *capture) told() []privacy.FieldName {
	var names []privacy.FieldName
	for _, k := range c.values {
		if k.origin != privacy.Inferred {
			names = append(names, k.field.Name)
		}
	}
	return names
}

// loses reports whether a captured value gives way to the one that is known: a
// guess does to what was told or seen, and of others what was observed earlier.
func (k *captured) loses(old *consent.Value, c *capture) bool {
	if guess, guessed := k.origin == privacy.Inferred, old.Origin == privacy.Inferred; guess != guessed {
		return guess
	}
	return c.observed.Before(old.Observed)
}

// confirms changes what is known of a value by capturing the same again.
func (k *captured) confirms(fact *consent.Value, c *capture) {
	switch {
	case k.origin == privacy.Inferred && fact.Origin != privacy.Inferred:
		return // a guess makes nothing fresher that was told
	case k.origin != privacy.Inferred && fact.Origin == privacy.Inferred:
		fact.Origin, fact.Inference, fact.Channel, fact.By = k.origin, nil, c.channel.ID, c.teller
	case k.origin == privacy.Inferred && !c.observed.Before(fact.Observed):
		fact.Inference, fact.Channel = k.inference, c.channel.ID
	}
	fact.Observed = latest(fact.Observed, c.observed)
	fact.Verified = fact.Verified || k.verified
}

// lasting returns the values that facts about the person are derived from: what was
// told or seen, is not of the moment and not of an erased life. A guess makes no
// jurisdiction.
func lasting(s *consent.Standing, plain map[privacy.FieldName]privacy.Sensitive, reg *register.Register) map[privacy.FieldName]privacy.Sensitive {
	lasting := make(map[privacy.FieldName]privacy.Sensitive, len(plain))
	for i := range s.Values {
		v := &s.Values[i]
		if v.Origin == privacy.Inferred || v.Kept && s.CameBack() {
			continue
		}
		if f, ok := reg.Field(v.Field); ok && f.TTL.IsZero() {
			lasting[v.Field] = plain[v.Field]
		}
	}
	return lasting
}
