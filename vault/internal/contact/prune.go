package contact

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// What is remembered at least, for officers' rules to look at, and at most.
var least = privacy.Period{Days: 30}

// most bounds the touches of each group that are remembered of one person:
// contacts and offers, orders, answers, events. Where there are more, the oldest
// go, but no contact that a cap needs to hold.
const most = 250

// Prune drops what no rule of the register can ask for any more. It reports
// whether anything was dropped, and when the next is due: zero for never.
func (d *Dealings) Prune(reg *register.Register, now time.Time) (dropped bool, due time.Time) {
	before := len(d.Touches) + len(d.Leases) + len(d.Refusals)
	all := allCaps(reg)
	keep := func(end time.Time) bool { // and notes when it goes
		if !end.IsZero() && !now.Before(end) {
			return false
		}
		if !end.IsZero() && (due.IsZero() || end.Before(due)) {
			due = end
		}
		return true
	}
	d.Leases = slices.DeleteFunc(d.Leases, func(l Lease) bool { return !keep(l.Until) })
	again := reg.Settings.Asking.Refused()
	d.Refusals = slices.DeleteFunc(d.Refusals, func(r Refusal) bool { return !keep(again.After(r.At)) })
	d.bound(all)
	d.Touches = slices.DeleteFunc(d.Touches, func(t Touch) bool { return !keep(t.end(reg, all)) })
	return len(d.Touches)+len(d.Leases)+len(d.Refusals) != before, due
}

// end returns when a touch can be asked for no more; zero if that is not known.
// What was told late is kept as long as if it had happened then: others may be
// told that it counts with.
func (t *Touch) end(reg *register.Register, caps []limit) time.Time {
	over, at := t.over(), latest(t.At, t.Recorded)
	end := least.After(latest(at, over))
	switch t.Kind {
	case Contact, Offer:
		for i := range caps {
			if caps[i].counts(t.Purpose, t.Medium) {
				end = latest(end, caps[i].Per.After(at))
			}
		}
	case Event:
		for i := range reg.Purposes {
			c := reg.Purposes[i].Contact
			if c == nil {
				continue
			}
			for _, cooldown := range c.Cooldowns {
				if cooldown.After == t.Topic {
					end = latest(end, cooldown.For.After(latest(at, over)))
				}
			}
		}
	case Order, Answer:
		if !over.IsZero() {
			break
		}
		if end = (time.Time{}); !reg.Settings.Contact.Keep.IsZero() {
			end = reg.Settings.Contact.Keep.After(at)
		}
	}
	return end
}

// allCaps returns every cap of a register once.
func allCaps(reg *register.Register) []limit {
	var all []limit
	for i := range reg.Purposes {
		if p := &reg.Purposes[i]; p.Contact != nil {
			own := &Rules{}
			own.add(reg, p)
			all = append(all, own.caps...)
		}
	}
	return append(all, overall(reg)...)
}

// bound drops the oldest touches of a group that has too many.
func (d *Dealings) bound(caps []limit) {
	var groups [4][]int // places, the oldest first
	for i := range d.Touches {
		g := slices.Index([]Kind{Order, Answer, Event}, d.Touches[i].Kind) + 1
		groups[g] = append(groups[g], i)
	}
	drop := map[int]bool{}
	for g, places := range groups {
		for _, i := range places[:max(0, len(places)-most)] {
			drop[i] = g > 0 || !d.needed(i, caps)
		}
	}
	if len(drop) == 0 {
		return
	}
	i := -1
	d.Touches = slices.DeleteFunc(d.Touches, func(Touch) bool { i++; return drop[i] })
}

// needed reports whether a contact is among the latest that fill a cap.
func (d *Dealings) needed(at int, caps []limit) bool {
	t := &d.Touches[at]
	for i := range caps {
		l := &caps[i]
		if !l.counts(t.Purpose, t.Medium) {
			continue
		}
		later := 0
		for j := at + 1; j < len(d.Touches) && later < l.Count; j++ {
			if o := &d.Touches[j]; o.Kind.Counts() && l.counts(o.Purpose, o.Medium) {
				later++
			}
		}
		if later < l.Count {
			return true
		}
	}
	return false
}
