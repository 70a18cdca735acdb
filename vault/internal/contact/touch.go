package contact

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Kind is what a touch is.
type Kind string

// The kinds of touches.
const (
	Contact Kind = "contact" // somebody wrote, called or asked
	Offer   Kind = "offer"   // a contact that offers something
	Order   Kind = "order"   // the person ordered; it lasts until it has ended
	Answer  Kind = "answer"  // the person answered; likewise
	Event   Kind = "event"   // something happened to the person: a fault, a claim, a move
)

// Kinds lists every kind.
var Kinds = []Kind{Contact, Offer, Order, Answer, Event}

// Counts reports whether a touch of this kind is a contact, which caps count and
// which has its hours.
func (k Kind) Counts() bool { return k == Contact || k == Offer }

// Touch is one thing that a channel had to do with a person.
type Touch struct {
	Kind     Kind
	Topic    string
	Medium   string
	Purpose  privacy.PurposeID
	Ref      string
	Channel  privacy.ChannelID
	At       time.Time
	Recorded time.Time // when the vault came to know of it
	Expires  time.Time
	Ended    time.Time
}

// over returns when a touch was over: when it ended or expired, whatever came
// first; zero if it is not.
func (t *Touch) over() time.Time {
	if t.Expires.IsZero() || !t.Ended.IsZero() && t.Ended.Before(t.Expires) {
		return t.Ended
	}
	return t.Expires
}

// stands reports whether a touch had happened at a time and was not over.
func (t *Touch) stands(at time.Time) bool {
	over := t.over()
	return !t.At.After(at.Add(skew)) && (over.IsZero() || at.Before(over))
}

// Add records a touch. If it says that it ended, so have all of its kind, topic
// and reference that happened before; one without a reference ends all of the
// topic. An order, an answer or an event that was told of before under the same
// reference is the same one: what is later counts. Contacts count each: a
// reference may be that of a whole campaign.
func (d *Dealings) Add(t Touch, ended bool) {
	if ended && d.end(&t) {
		return
	}
	if ended {
		t.Ended = t.At // told before its beginning was, which may still come
	}
	if t.Ref != "" && !t.Kind.Counts() {
		for i := range d.Touches {
			if old := &d.Touches[i]; old.same(&t) {
				old.retell(&t)
				d.sort()
				return
			}
		}
	}
	if t.Ended.IsZero() && !t.Kind.Counts() {
		t.Ended = d.endedBefore(&t)
	}
	d.Touches = append(d.Touches, t)
	d.sort()
}

// endedBefore returns when a touch ended whose end was told of before it was,
// without a reference; zero if none was.
func (d *Dealings) endedBefore(t *Touch) time.Time {
	for i := range d.Touches {
		if end := &d.Touches[i]; end.Kind == t.Kind && end.Topic == t.Topic && end.Ref == "" && end.At.Equal(end.Ended) && !t.At.After(end.At) {
			return end.Ended
		}
	}
	return time.Time{}
}

func (t *Touch) same(o *Touch) bool { return t.Kind == o.Kind && t.Topic == o.Topic && t.Ref == o.Ref }

// end ends what a touch says has ended, and reports whether there was any.
func (d *Dealings) end(t *Touch) (found bool) {
	for i := range d.Touches {
		old := &d.Touches[i]
		if old.Kind != t.Kind || old.Topic != t.Topic || t.Ref != "" && old.Ref != t.Ref || old.At.After(t.At) {
			continue
		}
		if old.Ended.IsZero() {
			old.Ended = t.At
			found = true
		} else if t.Ref != "" {
			found = true // it had ended
		}
	}
	return found
}

// retell takes over what is later told of the same thing. What had ended and is
// told of as of a later time has begun again.
func (t *Touch) retell(o *Touch) {
	if o.At.Before(t.At) {
		return
	}
	ended := t.Ended
	if o.At.After(ended) {
		ended = time.Time{}
	}
	*t = *o
	if t.Ended.IsZero() {
		t.Ended = ended
	}
}

func (d *Dealings) sort() {
	slices.SortStableFunc(d.Touches, func(a, b Touch) int { return a.At.Compare(b.At) })
}
