package consent

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Act is one act of say-so, bound to what was shown.
type Act struct {
	ID       privacy.ConsentID
	Purpose  privacy.PurposeID
	Status   privacy.ConsentStatus
	At       time.Time // from ActTime
	Recorded time.Time // when the vault came to know of it
	// Shown is the purpose as the register had it when it was shown; only a
	// given needs it.
	Shown    *register.Purpose
	Revision uint64
}

// Begins returns when the time runs from that a consent lasts: from the act, but
// never from later than when the vault heard of it. An act can be put after one
// that a wrong clock put years ahead.
func (a Act) Begins() time.Time {
	if !a.Recorded.IsZero() && a.Recorded.Before(a.At) {
		return a.Recorded
	}
	return a.At
}

// Record folds an act into the standing and reports whether it takes effect. A
// narrowing act always does. A given does not if it is not later than the
// latest narrowing act: ties narrow. Of two givens the later one counts.
func (s *Standing) Record(a Act) (effective bool) {
	s.acted(a.At)
	c := s.Consent(a.Purpose)
	if c == nil {
		s.Consents = append(s.Consents, Consent{Purpose: a.Purpose, Status: privacy.StatusNone})
		slices.SortFunc(s.Consents, func(x, y Consent) int { return compare(x.Purpose, y.Purpose) })
		c = s.Consent(a.Purpose)
	}
	if a.Status.Narrows() {
		next := Consent{Purpose: a.Purpose, ID: a.ID, Status: a.Status, At: a.At, Recorded: a.Recorded, Narrowed: c.Narrowed, Revision: a.Revision,
			Objected: c.Objected || a.Status == privacy.StatusObjected}
		if a.At.After(next.Narrowed) {
			next.Narrowed = a.At
		}
		*c = next
		return true
	}
	if !c.Narrowed.IsZero() && !a.At.After(c.Narrowed) {
		return false
	}
	if c.Status == privacy.StatusGiven && a.At.Before(c.At) {
		return true // an earlier grant of what a later one covers
	}
	*c = Consent{Purpose: a.Purpose, ID: a.ID, Status: privacy.StatusGiven, At: a.At, Recorded: a.Recorded, Narrowed: c.Narrowed, Revision: a.Revision,
		Fields: slices.Clone(a.Shown.Fields), Recipients: slices.Clone(a.Shown.Recipients)}
	if terms := a.Shown.Consent; terms != nil {
		c.Explicit = terms.Explicit
		c.Narrower = slices.Clone(terms.Notice.Purposes)
		if !terms.ValidFor.IsZero() {
			c.Until = terms.ValidFor.After(a.Begins())
		}
	}
	return true
}

// BeginGround begins a ground, unless one with the same reference stands that no
// narrowing act came after. It reports whether anything changed.
func (s *Standing) BeginGround(p privacy.PurposeID, ref string, at time.Time) bool {
	s.acted(at)
	for i := range s.Grounds {
		g := &s.Grounds[i]
		if g.Purpose != p || g.Ref != ref {
			continue
		}
		if g.Until.IsZero() && !s.narrowedSince(p, g.Since) {
			return false
		}
		if !g.Until.IsZero() && !at.After(g.Until) {
			return false // ties narrow
		}
		g.Since, g.Until = at, time.Time{}
		return true
	}
	s.Grounds = append(s.Grounds, Ground{Purpose: p, Ref: ref, Since: at})
	slices.SortFunc(s.Grounds, func(a, b Ground) int {
		if c := compare(a.Purpose, b.Purpose); c != 0 {
			return c
		}
		return compare(a.Ref, b.Ref)
	})
	return true
}

// HasGround reports whether a ground with this reference was ever begun.
func (s *Standing) HasGround(p privacy.PurposeID, ref string) bool {
	return slices.ContainsFunc(s.Grounds, func(g Ground) bool { return g.Purpose == p && g.Ref == ref })
}

// LimitGround gives the ground with a reference an end, if it has none that is
// earlier, and reports whether that let it last less long.
func (s *Standing) LimitGround(p privacy.PurposeID, ref string, until time.Time) bool {
	for i := range s.Grounds {
		g := &s.Grounds[i]
		if g.Purpose == p && g.Ref == ref && (g.Until.IsZero() || until.Before(g.Until)) {
			g.Until = until
			return true
		}
	}
	return false
}

// EndGround ends the ground with a reference, or every ground of the purpose if ref
// is empty.
func (s *Standing) EndGround(p privacy.PurposeID, ref string, at time.Time) {
	s.acted(at)
	for i := range s.Grounds {
		g := &s.Grounds[i]
		if g.Purpose == p && (ref == "" || g.Ref == ref) && (g.Until.IsZero() || at.Before(g.Until)) {
			g.Until = at
		}
	}
}

func (s *Standing) narrowedSince(p privacy.PurposeID, since time.Time) bool {
	c := s.Consent(p)
	return c != nil && !c.Narrowed.IsZero() && !since.After(c.Narrowed)
}

// Overrule ends an objection that an officer decided against, with reasons: the
// purpose rests on its ground again, as if the person had said nothing. What they
// say later counts anew. It reports whether there was one, made no later than at.
func (s *Standing) Overrule(p privacy.PurposeID, at time.Time) bool {
	c := s.Consent(p)
	if c == nil || !c.Objected || c.Status != privacy.StatusObjected || c.At.After(at) {
		return false
	}
	s.Consents = slices.DeleteFunc(s.Consents, func(c Consent) bool { return c.Purpose == p })
	s.acted(at)
	return true
}
