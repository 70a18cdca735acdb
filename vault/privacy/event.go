package privacy

// EventType says what happened to a person.
type EventType string

// The types of events. Other ones may follow; who gets events ignores those it
// does not know.
const (
	EventConsentGiven        EventType = "consent.given"
	EventConsentRefused      EventType = "consent.refused"
	EventConsentWithdrawn    EventType = "consent.withdrawn"
	EventConsentObjected     EventType = "consent.objected"
	EventConsentOptedOut     EventType = "consent.opted_out"
	EventGroundBegun         EventType = "ground.begun"
	EventGroundEnded         EventType = "ground.ended"
	EventProfileUpdated      EventType = "profile.updated"
	EventProfileRestricted   EventType = "profile.restricted"
	EventProfileUnrestricted EventType = "profile.unrestricted"
	EventSubjectRestricted   EventType = "subject.restricted"
	EventSubjectUnrestricted EventType = "subject.unrestricted"
	EventSubjectErased       EventType = "subject.erased"
	EventTouchRecorded       EventType = "touch.recorded"
)

// EventTypes lists every type of event.
var EventTypes = []EventType{EventConsentGiven, EventConsentRefused, EventConsentWithdrawn, EventConsentObjected, EventConsentOptedOut,
	EventGroundBegun, EventGroundEnded, EventProfileUpdated, EventProfileRestricted, EventProfileUnrestricted, EventSubjectRestricted, EventSubjectUnrestricted, EventSubjectErased, EventTouchRecorded}

// Narrows reports whether an event of this type says that less may be let out:
// such a one reaches who could see the person until then.
func (t EventType) Narrows() bool {
	switch t {
	case EventConsentRefused, EventConsentWithdrawn, EventConsentObjected, EventConsentOptedOut, EventGroundEnded, EventProfileRestricted, EventSubjectRestricted, EventSubjectErased:
		return true
	}
	return false
}
