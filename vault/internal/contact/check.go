package contact

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
)

// The codes of a contact that may not happen now.
const (
	CodeExpired         = "expired"
	CodeAlreadyOrdered  = "already_ordered"
	CodeAlreadyAnswered = "already_answered"
	CodePolicy          = "policy" // a cooldown, or an officer's rule
	CodeCap             = "contact_cap"
	CodeQuietHours      = "quiet_hours"
)

// skew is how far the clocks may differ of those who tell of what happened. What
// is told to begin a little later than now has begun.
const skew = time.Minute

// Plan is a touch that somebody wants to happen at a time.
type Plan struct {
	Kind    Kind
	Topic   string
	Medium  string
	Ref     string
	At      time.Time
	Expires time.Time
}

// Verdict says whether it may.
type Verdict struct {
	Code   string // empty: it may
	Detail string
	// Until is when it may, if nothing else happens; zero if that is not known,
	// or never.
	Until time.Time
}

// Allowed reports whether it may.
func (v Verdict) Allowed() bool { return v.Code == "" }

// Wall tells the time on the person's wall.
type Wall struct {
	// Zones are those that the person may be in, none if nothing is known of it; Else
	// is taken for those of whom neither that nor the rule's own is known.
	Zones []string
	Else  string
	// Load returns a time zone by name.
	Load func(name string) (*time.Location, error)
}

// reason is one thing that keeps a plan from happening at a time, and until
// when: zero for as long as nothing else happens.
type reason struct {
	code, detail string
	until        time.Time
}

// maxSteps bounds how far Until is looked for.
const maxSteps = 64

// Check says whether a plan may happen when it wants to. The code is that of the
// reason that lasts longest by nature; Until looks at all of them.
func (r *Rules) Check(d *Dealings, p Plan, w Wall) Verdict {
	first := r.against(d, p, w)
	if len(first) == 0 {
		return Verdict{}
	}
	v := Verdict{Code: first[0].code, Detail: first[0].detail}
	why := first
	for range maxSteps {
		next := p.At
		for _, one := range why {
			if one.until.IsZero() {
				return v
			}
			next = latest(next, one.until)
		}
		p.At = next
		if why = r.against(d, p, w); len(why) == 0 {
			v.Until = next
			return v
		}
	}
	return v
}

// against returns what speaks against a plan at its time.
func (r *Rules) against(d *Dealings, p Plan, w Wall) []reason {
	var all []reason
	add := func(one *reason) {
		if one != nil {
			all = append(all, *one)
		}
	}
	add(d.expired(p))
	if p.Kind == Offer || p.Kind == Order {
		add(d.standing(p, Order, CodeAlreadyOrdered, "it is ordered, and the order has not ended"))
	}
	if p.Kind.Counts() || p.Kind == Answer {
		add(d.standing(p, Answer, CodeAlreadyAnswered, "it is answered"))
	}
	if !p.Kind.Counts() {
		return all
	}
	for _, c := range r.cooldowns {
		add(d.cooling(p, c))
	}
	for i := range r.caps {
		add(d.capped(p, r, &r.caps[i]))
	}
	for _, q := range r.quiet {
		add(quiet(p, q, w))
	}
	return all
}

// expired refuses what has expired, by what the plan says or what an earlier
// offer under the same reference said.
func (d *Dealings) expired(p Plan) *reason {
	gone := &reason{code: CodeExpired, detail: "it has expired"}
	if !p.Expires.IsZero() && !p.At.Before(p.Expires) {
		return gone
	}
	if p.Ref == "" || !p.Kind.Counts() {
		return nil
	}
	for _, t := range slices.Backward(d.Touches) {
		if t.Kind != Offer || t.Topic != p.Topic || t.Ref != p.Ref || t.At.After(p.At.Add(skew)) {
			continue
		}
		if over := t.over(); !over.IsZero() && !p.At.Before(over) && p.Expires.IsZero() {
			return gone
		}
		break // the latest counts
	}
	return nil
}

// standing refuses what is ordered or answered and not over.
func (d *Dealings) standing(p Plan, k Kind, code, detail string) *reason {
	var found *reason
	for i := range d.Touches {
		t := &d.Touches[i]
		if t.Kind != k || t.Topic != p.Topic || !t.stands(p.At) {
			continue
		}
		over := t.over()
		if found == nil {
			found = &reason{code: code, detail: detail, until: over}
		} else if found.until.IsZero() || over.IsZero() {
			found.until = time.Time{}
		} else {
			found.until = latest(found.until, over)
		}
	}
	return found
}

// cooling refuses contacts after an event, while it lasts and for a period after
// it was told of and after it ended.
func (d *Dealings) cooling(p Plan, c register.Cooldown) *reason {
	var found *reason
	for i := range d.Touches {
		t := &d.Touches[i]
		if t.Kind != Event || t.Topic != c.After || t.At.After(p.At.Add(skew)) {
			continue
		}
		until := c.For.After(t.At)
		if over := t.over(); !over.IsZero() {
			until = latest(until, c.For.After(over))
		}
		if p.At.Before(until) && (found == nil || until.After(found.until)) {
			found = &reason{code: CodePolicy, detail: fmt.Sprintf("contacts pause for %s after %s", c.For, c.After), until: until}
		}
	}
	return found
}

// capped refuses a contact that would be one too many. A contact takes a place
// for the length of the period from when it happens; at no time may more places
// be taken than there are.
func (d *Dealings) capped(p Plan, r *Rules, l *limit) *reason {
	if !l.counts(r.purpose, p.Medium) {
		return nil
	}
	var taken []span
	for i := range d.Touches {
		if t := &d.Touches[i]; t.Kind.Counts() && l.counts(t.Purpose, t.Medium) {
			taken = append(taken, span{t.At, l.Per.After(t.At)})
		}
	}
	if !full(taken, p.At, l) {
		return nil
	}
	slices.SortFunc(taken, func(a, b span) int { return a.to.Compare(b.to) })
	until := time.Time{}
	for _, s := range taken { // places come free only where one is given back
		if s.to.After(p.At) && !full(taken, s.to, l) {
			until = s.to
			break
		}
	}
	medium := ""
	if l.Medium != "" {
		medium = " by " + l.Medium
	}
	return &reason{code: CodeCap, detail: fmt.Sprintf("at most %d contacts%s within %s for %s", l.Count, medium, l.Per, l.about), until: until}
}

// span is how long a contact takes a place: from is within, to is not.
type span struct{ from, to time.Time }

// full reports whether a contact at a time would be one too many: whether at some
// time while it takes its place all places are taken by others.
func full(taken []span, at time.Time, l *limit) bool {
	until := l.Per.After(at)
	places := func(t time.Time) (n int) {
		for _, s := range taken {
			if !s.from.After(t) && t.Before(s.to) {
				n++
			}
		}
		return n
	}
	if places(at) >= l.Count {
		return true
	}
	for _, s := range taken { // how many are taken grows only where one is taken
		if s.from.After(at) && s.from.Before(until) && places(s.from) >= l.Count {
			return true
		}
	}
	return false
}

// quiet refuses contacts in quiet hours: where the person may be in several time
// zones, in those of any.
func quiet(p Plan, q *register.QuietHours, w Wall) *reason {
	if len(q.Media) > 0 && p.Medium != "" && !slices.Contains(q.Media, p.Medium) {
		return nil
	}
	names := w.Zones
	if name := cmp.Or(q.Zone, w.Else); len(names) == 0 && name != "" {
		names = []string{name}
	}
	if len(names) == 0 {
		return &reason{code: CodeQuietHours, detail: "the person's time zone is not known, and quiet_hours names none"}
	}
	var walls []*time.Location
	for _, name := range names {
		zone, err := w.Load(name)
		if err != nil {
			return &reason{code: CodeQuietHours, detail: "the person's time zone is not known here"}
		}
		walls = append(walls, zone)
	}
	until := loud(q, p.At, walls)
	if until.Equal(p.At) {
		return nil
	}
	return &reason{code: CodeQuietHours, detail: fmt.Sprintf("quiet hours from %s to %s", q.From, q.To), until: until}
}

// loud returns the first moment from a time on at which it is quiet on no wall: zero
// if there is none within two days, because of all zones some are always asleep.
func loud(q *register.QuietHours, at time.Time, walls []*time.Location) time.Time {
	until := at
	quiet := func(zone *time.Location) bool { return within(q, until.In(zone)) }
	for i := slices.IndexFunc(walls, quiet); i >= 0; i = slices.IndexFunc(walls, quiet) {
		if until.Sub(at) > 48*time.Hour {
			return time.Time{}
		}
		// Minute by minute, so that the days on which clocks change need no rule of
		// their own.
		t := until.In(walls[i])
		t = t.Add(-time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
		for within(q, t) {
			t = t.Add(time.Minute)
		}
		until = t.UTC()
	}
	return until
}

func within(q *register.QuietHours, t time.Time) bool {
	return q.Holds(register.WallTime(t.Hour()*60 + t.Minute()))
}
