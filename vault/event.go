package vault

import (
	"time"

	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// eventful is a record of the log of which channels are told: what they are told of
// it. Every record of something that happened to a person goes by noteOf, which puts
// its events into the outbox in the same transaction (outbox.go); who may know them
// is decided when they are told (visible.go).
type eventful interface {
	events() []event.Event
}

// raiser is a transaction that takes events: of [Vault.update], or a rehearsal of
// one.
type raiser interface {
	raise(raised)
}

// raised is an event of a person on its way into the outbox.
type raised struct {
	of *person
	event.Event
	request privacy.RequestID // that keeps who hears of it; zero: none
}

// raise puts what channels are told of a record into the outbox: also of what was
// done to nobody, which nobody is told, so that it takes the same steps.
func (v *Vault) raise(tx store.Tx, p *person, record any) {
	told, ok := record.(eventful)
	if !ok {
		return
	}
	var request privacy.RequestID
	if of, ok := record.(interface{ requested() privacy.RequestID }); ok {
		request = of.requested()
	}
	for _, e := range told.events() {
		tx.(raiser).raise(raised{p, e, request})
	}
}

// before is the version of the standing that a record's took the place of.
func (d rowDigest) before() uint64 { return d.Version - min(d.Version, 1) }

var consentEvents = map[privacy.ConsentStatus]privacy.EventType{
	privacy.StatusGiven: privacy.EventConsentGiven, privacy.StatusRefused: privacy.EventConsentRefused, privacy.StatusWithdrawn: privacy.EventConsentWithdrawn,
	privacy.StatusObjected: privacy.EventConsentObjected, privacy.StatusOptedOut: privacy.EventConsentOptedOut,
}

// events of an act that changed nothing are none.
func (r consentEntry) events() []event.Event {
	if !r.Effective {
		return nil
	}
	return []event.Event{{Type: consentEvents[r.Status], Time: r.Recorded, Purpose: r.Purpose, Before: r.Standing.before()}}
}

func (r groundRecord) events() []event.Event {
	t := privacy.EventGroundBegun
	if r.Status == GroundEnded {
		t = privacy.EventGroundEnded
	}
	return []event.Event{{Type: t, Time: r.Recorded, Purpose: r.Purpose, Before: r.Standing.before()}}
}

func (r captureRecord) events() []event.Event {
	if len(r.Accepted) == 0 {
		return nil
	}
	e := event.Event{Type: privacy.EventProfileUpdated, Time: r.At, Fields: r.Accepted, Before: r.Standing.before()}
	return []event.Event{r.corrects.at(r.Accepted, r.At).tells(e, true)}
}

// events of dealings are those of touches: who asks for what, and what was over, is
// told to nobody.
func (r touchRecord) events() []event.Event {
	switch contact.Kind(r.Kind) {
	case contact.Contact, contact.Offer, contact.Order, contact.Answer, contact.Event:
		return []event.Event{{Type: privacy.EventTouchRecorded, Time: r.Recorded, Purpose: r.Purpose}}
	}
	return nil
}

func (r finishedRecord) events() []event.Event {
	if r.told == "" {
		return nil
	}
	return []event.Event{{Type: r.told, Time: r.At, Purpose: r.about, Fields: r.fields, Before: r.Standing.before()}}
}

// Event is what a channel is told of something that happened to a person whom it
// may see: no value, and of fields the names of those that it may see.
type Event struct {
	ID      string // the channel's own of this event, the same however often it is told
	Type    privacy.EventType
	Subject privacy.SubjectID
	Time    time.Time
	Purpose privacy.PurposeID
	Fields  []privacy.FieldName
}
