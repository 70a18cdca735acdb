package vault

import (
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// What a channel verified was shown by whoever is before it; all else that they
// say may be somebody else's: an address typed into a form, a card that lay on the
// counter. So what they showed decides who they are, and what they only said makes
// nobody theirs. Whoever had a number of their own verified beside somebody's
// address would log in as them otherwise, and whoever registers with somebody's
// address before they do would see what they tell later.

// evidence is what a capture has to say of who somebody known is.
type evidence struct {
	p *person
	// own: this channel captured one of the identifiers for them before.
	own bool
	// said: own, by an identifier that the capture does not verify.
	said bool
	// both: both sides verified one.
	both bool
	// first: the capture verifies one that they had before any other.
	first bool
}

// shows reports whether the capture verifies any identifier that logs people in.
func (c *capture) shows() bool {
	for _, k := range c.values {
		if k.verified && k.value.Lookup != "" && k.field.Identifier == register.Unique {
			return true
		}
	}
	return false
}

// itself reports whether what the capture verifies leaves it possible that it is
// of them: they have shown nothing themselves, or the same.
func (e *evidence) itself(c *capture) bool {
	switch {
	case e.both:
		return true
	case hasShown(e.p.standing, c.regime.register):
		return false
	}
	return e.first || e.said
}

// proves reports whether what the capture verifies is verified of p, too, as
// whose it is kept: they are named, they are new, both showed the same, or it is
// the first identifier of somebody who showed nothing yet. Whoever was found by
// what was only said keeps the rest as said.
func (c *capture) proves(p *person, plain map[privacy.FieldName]privacy.Sensitive) bool {
	if c.given != privacy.Nobody || p.standing.Version == 0 || p.standing.KnownByNarrowingOnly() {
		return true
	}
	shown := hasShown(p.standing, c.regime.register)
	for _, k := range c.values {
		fact := p.standing.Value(k.field.Name)
		if !k.verified || k.value.Lookup == "" || k.field.Identifier != register.Unique || fact == nil || !sameLookup(k.field, plain[k.field.Name], k.value.Lookup) {
			continue
		}
		if fact.Verified || !shown && cameFirst(p.standing, c.regime.register, fact) {
			return true
		}
	}
	return false
}

// hasShown reports whether somebody has a verified identifier that is theirs alone.
func hasShown(s *consent.Standing, reg *register.Register) bool {
	for i := range s.Values {
		if s.Values[i].Verified && isUnique(reg, s.Values[i].Field) {
			return true
		}
	}
	return false
}

// cameFirst reports whether somebody had no other identifier before this one.
func cameFirst(s *consent.Standing, reg *register.Register, fact *consent.Value) bool {
	for i := range s.Values {
		if other := &s.Values[i]; other.Field != fact.Field && isUnique(reg, other.Field) && other.Recorded.Before(fact.Recorded) {
			return false
		}
	}
	return true
}

func isUnique(reg *register.Register, name privacy.FieldName) bool {
	f, ok := reg.Field(name)
	return ok && f.Identifier == register.Unique
}

// mayStepUp reports whether an identifier that nobody verified may step up a session
// of the person who has it: they came with it or wrote it themselves, and have none
// that is verified. What a channel wrote down later shows nothing: whoever has
// somebody's account there, or stands at its counter, can have it written.
func mayStepUp(s *consent.Standing, reg *register.Register, fact *consent.Value) bool {
	return !hasShown(s, reg) && (fact.Version == 1 || fact.Channel == SelfChannel)
}
