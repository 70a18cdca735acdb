package contact

import (
	"slices"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Rules are what the register says of contacts for one purpose: its own rules,
// those of the purposes it is part of, and those of all purposes together. They
// are immutable.
type Rules struct {
	purpose   privacy.PurposeID
	caps      []limit
	quiet     []*register.QuietHours
	cooldowns []register.Cooldown
}

// limit is a cap with what it counts.
type limit struct {
	register.Cap
	// of are the purposes whose contacts count, nil for those of all but except.
	of, except map[privacy.PurposeID]bool
	about      string // what it is of, in words
}

// RulesOf gathers what the register says of contacts for a purpose. For "" it is
// what holds for contacts of no purpose in particular.
func RulesOf(reg *register.Register, id privacy.PurposeID) *Rules {
	r := &Rules{purpose: id}
	exempt := false
	if p, ok := reg.Purpose(id); ok {
		exempt = p.Contact != nil && p.Contact.Exempt
		for _, above := range upwards(reg, p) {
			r.add(reg, above)
		}
	}
	if !exempt {
		r.caps = append(r.caps, overall(reg)...)
		if q := reg.Settings.Contact.Quiet; q != nil {
			r.quiet = append(r.quiet, q)
		}
	}
	return r
}

// overall returns the caps of all purposes together.
func overall(reg *register.Register) []limit {
	except := map[privacy.PurposeID]bool{}
	for i := range reg.Purposes {
		if p := &reg.Purposes[i]; p.Contact != nil && p.Contact.Exempt {
			except[p.ID] = true
		}
	}
	var caps []limit
	for _, c := range reg.Settings.Contact.Caps {
		caps = append(caps, limit{Cap: c, except: except, about: "all purposes"})
	}
	return caps
}

// add takes the rules of a purpose, which count the contacts of all its parts.
func (r *Rules) add(reg *register.Register, p *register.Purpose) {
	if p.Contact == nil {
		return
	}
	of := map[privacy.PurposeID]bool{}
	for i := range reg.Purposes {
		if part := &reg.Purposes[i]; slices.Contains(upwards(reg, part), p) {
			of[part.ID] = true
		}
	}
	for _, c := range p.Contact.Caps {
		r.caps = append(r.caps, limit{Cap: c, of: of, about: string(p.ID)})
	}
	if p.Contact.Quiet != nil {
		r.quiet = append(r.quiet, p.Contact.Quiet)
	}
	r.cooldowns = append(r.cooldowns, p.Contact.Cooldowns...)
}

// upwards returns a purpose and those it is part of.
func upwards(reg *register.Register, p *register.Purpose) []*register.Purpose {
	all := []*register.Purpose{p}
	for range reg.Purposes { // which have no cycle, but who knows
		next, ok := reg.Purpose(p.Broader)
		if !ok {
			break
		}
		all, p = append(all, next), next
	}
	return all
}

// counts reports whether a contact for a purpose by a medium counts. One by a
// medium that is not told could have been by any.
func (l *limit) counts(p privacy.PurposeID, medium string) bool {
	if l.Medium != "" && medium != "" && l.Medium != medium {
		return false
	}
	if l.of != nil {
		return l.of[p]
	}
	return !l.except[p]
}
