package consent

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Status returns the effective status of a purpose at a time, with expiry
// resolved.
func (s *Standing) Status(p privacy.PurposeID, now time.Time) privacy.ConsentStatus {
	c := s.Consent(p)
	switch {
	case c == nil:
		return privacy.StatusNone
	case c.Status == privacy.StatusGiven && !c.in(now):
		return privacy.StatusExpired
	}
	return c.Status
}

// Objected reports whether an objection to the purpose stands.
func (s *Standing) Objected(p privacy.PurposeID) bool {
	c := s.Consent(p)
	return c != nil && c.Objected
}

func (c *Consent) in(now time.Time) bool { return c.Until.IsZero() || now.Before(c.Until) }

// Coverage is what an effective consent lets a channel see of a purpose.
type Coverage struct {
	Fields   []privacy.FieldName
	Explicit bool
	Until    time.Time // zero: does not expire
}

// Covers returns what consent covers of a purpose for a channel now: what was
// shown when it was given, as far as the register still grants it. A broader
// purpose's consent covers a narrower one only if its notice named it, its
// fields are a subset, neither is special-category, and nobody said no to the
// narrower one since.
func (s *Standing) Covers(reg *register.Register, p *register.Purpose, ch *register.Channel, now time.Time) Coverage {
	var cover Coverage
	if c := s.Consent(p.ID); c != nil && c.covers(ch, now) {
		cover = Coverage{Fields: intersect(p.Fields, c.Fields), Explicit: c.Explicit, Until: c.Until}
	}
	if special(reg, p) {
		return cover
	}
	for id := p.Broader; id != ""; {
		b, ok := reg.Purpose(id)
		if !ok {
			break
		}
		c := s.Consent(b.ID)
		if c != nil && c.covers(ch, now) && slices.Contains(c.Narrower, p.ID) &&
			!special(reg, b) && subset(p.Fields, b.Fields) && !s.narrowedSince(p.ID, c.At) {
			for _, f := range intersect(p.Fields, c.Fields) {
				if !slices.Contains(cover.Fields, f) {
					cover.Fields = append(cover.Fields, f)
				}
			}
			cover.Until = earlier(cover.Until, c.Until)
		}
		id = b.Broader
	}
	return cover
}

func (c *Consent) covers(ch *register.Channel, now time.Time) bool {
	return c.Status == privacy.StatusGiven && c.in(now) &&
		(ch.Recipient == "" || slices.Contains(c.Recipients, ch.Recipient))
}

// GroundStands reports whether a ground for the purpose stands now. Saying no
// to a purpose ends what rested on an earlier ground: a contract begins anew
// with the next ground, a task or an interest only with a given; what the law
// demands goes on.
func (s *Standing) GroundStands(p *register.Purpose, now time.Time) bool {
	c := s.Consent(p.ID)
	for i := range s.Grounds {
		g := &s.Grounds[i]
		if g.Purpose != p.ID || !(g.Until.IsZero() || now.Before(g.Until)) {
			continue
		}
		switch p.Basis {
		case privacy.LegalObligation, privacy.VitalInterests:
			return true
		case privacy.Contract:
			if !s.narrowedSince(p.ID, g.Since) || c.Status == privacy.StatusGiven {
				return true
			}
		default:
			if c == nil || !c.Status.Narrows() && !(s.Lapsed(p.ID) && s.narrowedSince(p.ID, g.Since)) {
				return true
			}
		}
	}
	return false
}

// Live reports whether a purpose is in force for the person: somebody may act
// on it now. It decides how long values live.
func (s *Standing) Live(reg *register.Register, p *register.Purpose, now time.Time) bool {
	switch p.Basis {
	case privacy.Consent:
		// Recipients narrow who may read, not how long a value lives.
		c := s.Consent(p.ID)
		return c != nil && c.Status == privacy.StatusGiven && c.in(now) ||
			p.Broader != "" && len(s.Covers(reg, p, &register.Channel{}, now).Fields) > 0
	case privacy.OptOut:
		return !s.Status(p.ID, now).Narrows()
	}
	return s.GroundStands(p, now)
}

// ValueEnd returns when a value observed at a time ends: the latest end among the
// live purposes that list its field, capped by the field's own retention
// unless a legal obligation is longer. A value of the moment ends with it. Zero
// means it does not end.
func (s *Standing) ValueEnd(reg *register.Register, f *register.Field, observed, now time.Time) time.Time {
	end := s.kept(reg, f, observed, now)
	if !f.TTL.IsZero() {
		end = earlier(end, f.TTL.After(observed))
	}
	return end
}

// kept returns when what asks for a value to be kept ends.
func (s *Standing) kept(reg *register.Register, f *register.Field, observed, now time.Time) time.Time {
	var latest, obliged time.Time
	live, forever, obligedForever := false, false, false
	for i := range reg.Purposes {
		p := &reg.Purposes[i]
		if !slices.Contains(p.Fields, f.Name) || !s.Live(reg, p, now) {
			continue
		}
		live = true
		legal := p.Basis == privacy.LegalObligation
		if p.Retention.IsZero() {
			forever, obligedForever = true, obligedForever || legal
			continue
		}
		end := p.Retention.After(observed)
		latest = later(latest, end)
		if legal {
			obliged = later(obliged, end)
		}
	}
	if obligedForever {
		return time.Time{}
	}
	end := latest
	if forever || !live {
		end = time.Time{}
	}
	if !f.Retention.IsZero() {
		end = earlier(end, f.Retention.After(observed))
	}
	if !end.IsZero() {
		end = later(end, obliged)
	}
	return end
}

// Ended reports whether a value observed at a time has come to its end by now.
func (s *Standing) Ended(reg *register.Register, f *register.Field, observed, now time.Time) bool {
	if now.Sub(observed) < reg.Lasts(f.Name) {
		return false
	}
	end := s.ValueEnd(reg, f, observed, now)
	return !end.IsZero() && !now.Before(end)
}

func special(reg *register.Register, p *register.Purpose) bool {
	return slices.ContainsFunc(p.Fields, func(name privacy.FieldName) bool {
		f, ok := reg.Field(name)
		return !ok || f.Special
	})
}

func intersect(a, b []privacy.FieldName) []privacy.FieldName {
	var both []privacy.FieldName
	for _, f := range a {
		if slices.Contains(b, f) {
			both = append(both, f)
		}
	}
	return both
}

func subset(a, b []privacy.FieldName) bool { return len(intersect(a, b)) == len(a) }

// earlier and later take zero for "never".
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
