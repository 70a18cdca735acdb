package consent

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Lapse narrows the standing of somebody who was known when it was lost what
// people said no to until a time: consents from before count as none, and what
// rests on nobody having said no to one of the purposes has to begin anew, with
// a consent or with a ground. Lapsing again changes nothing.
func (s *Standing) Lapse(until time.Time, purposes []privacy.PurposeID) {
	if !s.knownBefore(until) || s.KnownByNarrowingOnly() {
		return
	}
	for i := range s.Consents {
		c := &s.Consents[i]
		if c.Status == privacy.StatusGiven && !c.Recorded.After(until) {
			*c = Consent{Purpose: c.Purpose, ID: c.ID, Status: privacy.StatusNone, At: c.At, Recorded: c.Recorded, Narrowed: c.Narrowed, Revision: c.Revision}
		}
		if c.Status == privacy.StatusNone && until.After(c.Narrowed) {
			c.Narrowed = until
		}
	}
	for _, p := range purposes {
		if s.Consent(p) == nil {
			s.Consents = append(s.Consents, Consent{Purpose: p, Status: privacy.StatusNone, Narrowed: until})
		}
	}
	slices.SortFunc(s.Consents, func(x, y Consent) int { return compare(x.Purpose, y.Purpose) })
}

// Lapsed reports whether it was lost what the person said of the purpose, and
// they said nothing since.
func (s *Standing) Lapsed(p privacy.PurposeID) bool {
	c := s.Consent(p)
	return c != nil && c.Status == privacy.StatusNone && !c.Narrowed.IsZero()
}

func (s *Standing) knownBefore(t time.Time) bool {
	before := func(at time.Time) bool { return !at.IsZero() && !at.After(t) }
	return slices.ContainsFunc(s.Values, func(v Value) bool { return before(v.Recorded) }) ||
		slices.ContainsFunc(s.Consents, func(c Consent) bool { return before(c.Recorded) || before(c.Narrowed) }) ||
		slices.ContainsFunc(s.Grounds, func(g Ground) bool { return before(g.Since) })
}
