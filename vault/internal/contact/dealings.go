package contact

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Dealings are what all channels together have to do with one person. It is kept
// sealed, and holds no value of theirs.
type Dealings struct {
	Version  uint64    // 1, 2, 3 …
	Due      time.Time // when something is over that Prune would drop
	Touches  []Touch
	Leases   []Lease
	Refusals []Refusal
}

// Lease says that a channel is asking the person for a field.
type Lease struct {
	Field   privacy.FieldName
	Channel privacy.ChannelID
	Until   time.Time
}

// Refusal says that the person would not tell a field for a purpose.
type Refusal struct {
	Purpose privacy.PurposeID
	Field   privacy.FieldName
	At      time.Time
}

// Lease takes a lease on fields for a channel until a time, or prolongs those it
// has. It takes all or none: false if another channel is asking for one of them
// now. fresh is true if one of them is new.
func (d *Dealings) Lease(ch privacy.ChannelID, fields []privacy.FieldName, now, until time.Time) (fresh, ok bool) {
	for _, l := range d.Leases {
		if l.Channel != ch && slices.Contains(fields, l.Field) && now.Before(l.Until) {
			return false, false
		}
	}
	for _, f := range fields {
		at := slices.IndexFunc(d.Leases, func(l Lease) bool { return l.Field == f })
		if at < 0 {
			d.Leases = append(d.Leases, Lease{Field: f})
			at = len(d.Leases) - 1
		}
		l := &d.Leases[at]
		if l.Channel != ch || !now.Before(l.Until) {
			fresh = true
		}
		l.Channel, l.Until = ch, latest(l.Until, until)
	}
	return fresh, true
}

// Answered ends what was asked of fields: they were told, so that nobody needs to
// ask for them. It reports whether anything changed.
func (d *Dealings) Answered(fields []privacy.FieldName) bool {
	before := len(d.Leases) + len(d.Refusals)
	d.Leases = slices.DeleteFunc(d.Leases, func(l Lease) bool { return slices.Contains(fields, l.Field) })
	d.Refusals = slices.DeleteFunc(d.Refusals, func(r Refusal) bool { return slices.Contains(fields, r.Field) })
	return len(d.Leases)+len(d.Refusals) != before
}

// Refuse records that the person would not tell fields for a purpose. Nobody is
// asking for them any more.
func (d *Dealings) Refuse(p privacy.PurposeID, fields []privacy.FieldName, at time.Time) {
	d.Leases = slices.DeleteFunc(d.Leases, func(l Lease) bool { return slices.Contains(fields, l.Field) })
	for _, f := range fields {
		i := slices.IndexFunc(d.Refusals, func(r Refusal) bool { return r.Purpose == p && r.Field == f })
		if i < 0 {
			d.Refusals = append(d.Refusals, Refusal{Purpose: p, Field: f, At: at})
			continue
		}
		d.Refusals[i].At = latest(d.Refusals[i].At, at)
	}
}

// Refused reports whether the person would not tell a field for a purpose, so
// that it is not asked for again yet.
func (d *Dealings) Refused(p privacy.PurposeID, f privacy.FieldName, again privacy.Period, now time.Time) bool {
	return slices.ContainsFunc(d.Refusals, func(r Refusal) bool { return r.Purpose == p && r.Field == f && now.Before(again.After(r.At)) })
}

// Asked returns the channel that is asking for a field now, "" if none is.
func (d *Dealings) Asked(f privacy.FieldName, now time.Time) privacy.ChannelID {
	for _, l := range d.Leases {
		if l.Field == f && now.Before(l.Until) {
			return l.Channel
		}
	}
	return ""
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Counts is how many contacts there were lately.
type Counts struct{ Day, Week, Month int }

// Contacts counts the contacts and offers of the last 24 hours, 7 days and 30
// days: of a purpose, or all of them for "".
func (d *Dealings) Contacts(p privacy.PurposeID, now time.Time) (c Counts) {
	for i := range d.Touches {
		t := &d.Touches[i]
		if !t.Kind.Counts() || p != "" && t.Purpose != p {
			continue
		}
		within := func(days int, n *int) {
			if now.Before(t.At.AddDate(0, 0, days)) {
				*n++
			}
		}
		within(1, &c.Day)
		within(7, &c.Week)
		within(30, &c.Month)
	}
	return c
}

// Topics returns the topics of what stands, sorted: of orders, answers or offers
// that are not over. Of events, those of the last 30 days and those that last.
func (d *Dealings) Topics(k Kind, now time.Time) []string {
	topics := []string{}
	for i := range d.Touches {
		t := &d.Touches[i]
		recent := k == Event && now.Before(least.After(latest(t.At, t.over())))
		if t.Kind == k && (recent || k != Event && t.stands(now)) && !slices.Contains(topics, t.Topic) {
			topics = append(topics, t.Topic)
		}
	}
	slices.Sort(topics)
	return topics
}
