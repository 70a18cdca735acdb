package wire

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The media types of events: an event by itself in the structured mode of
// CloudEvents, as a webhook gets it, and a stream of them.
const (
	MediaEvent       = "application/cloudevents+json"
	MediaEventStream = "text/event-stream"
)

// The headers of a webhook's request, as Standard Webhooks has them. The
// signature is over "id.timestamp.body"; while a secret is replaced there are
// two, apart by a space.
const (
	HeaderWebhookID        = "webhook-id"
	HeaderWebhookTimestamp = "webhook-timestamp"
	HeaderWebhookSignature = "webhook-signature"
)

// Event tells a channel that something changed for a person whom it may see, and
// no more: a CloudEvent 1.0 without any value. What is so by now, the channel
// asks. The same event has the same ID whichever way and how often it comes.
type Event struct {
	SpecVersion     string            `json:"specversion" enum:"1.0"`
	ID              string            `json:"id"`
	Source          string            `json:"source" doc:"the address of the vault"`
	Type            privacy.EventType `json:"type"`
	Subject         privacy.SubjectID `json:"subject"`
	Time            time.Time         `json:"time" doc:"when the vault took it in"`
	DataContentType string            `json:"datacontenttype" enum:"application/json"`
	Data            EventData         `json:"data"`
}

// EventData names what an event is about.
type EventData struct {
	Purpose privacy.PurposeID   `json:"purpose,omitempty"`
	Fields  []privacy.FieldName `json:"fields,omitempty" doc:"the names of the fields that changed, of those the channel may see"`
}

// EventAck says which event a channel has dealt with, and all before it.
type EventAck struct {
	Event string `json:"event" doc:"the ID of the last event that was dealt with"`
}

// Check names what is missing.
func (r *EventAck) Check() []FieldError {
	var c check
	c.must("event", r.Event != "")
	return c.errs
}

// WebhookRequest says where to send events, and which.
type WebhookRequest struct {
	URL   string              `json:"url" doc:"https, on a host that the register lists for this channel"`
	Types []privacy.EventType `json:"types"`
}

// Check names what is missing or malformed.
func (r *WebhookRequest) Check() []FieldError {
	var c check
	c.must("url", r.URL != "")
	c.valid("url", len(r.URL) <= 2048, "has at most 2048 bytes")
	c.must("types", len(r.Types) > 0)
	names(&c, "types", r.Types)
	for _, t := range r.Types {
		c.valid("types", slices.Contains(privacy.EventTypes, t), "has only types of events that there are")
	}
	return c.errs
}

// WebhookSecret is a webhook with a secret that is shown here and never again.
type WebhookSecret struct {
	Webhook string              `json:"webhook"`
	URL     string              `json:"url"`
	Types   []privacy.EventType `json:"types"`
	Secret  string              `json:"secret" doc:"whsec_ and 32 bytes in base64; it signs as Standard Webhooks says"`
	// OldUntil is until when the secret before signs as well.
	OldUntil *time.Time `json:"old_until,omitempty"`
}

// Webhook is where a channel has events sent, and how that goes.
type Webhook struct {
	Webhook     string              `json:"webhook"`
	URL         string              `json:"url"`
	Types       []privacy.EventType `json:"types"`
	CreatedAt   time.Time           `json:"created_at"`
	State       string              `json:"state" enum:"active,failing,paused,disabled"`
	Detail      string              `json:"detail,omitempty" doc:"why it is not active"`
	Waiting     int                 `json:"waiting" doc:"events that were sent, were not taken and are sent again; what waits behind them does not count"`
	Dead        int                 `json:"dead" doc:"events that were given up; replay sends them again"`
	LastStatus  int                 `json:"last_status,omitempty" doc:"what it answered last"`
	DeliveredAt *time.Time          `json:"delivered_at,omitempty" doc:"when it last took an event"`
}

// WebhookList is a page of a channel's webhooks.
type WebhookList struct {
	Webhooks []Webhook `json:"webhooks"`
	Next     string    `json:"next,omitempty"`
}

// DeadLetter is an event that a webhook did not take over all the time that it
// was tried.
type DeadLetter struct {
	Event    string    `json:"event"`
	Attempts int       `json:"attempts"`
	FirstAt  time.Time `json:"first_at"`
	LastAt   time.Time `json:"last_at"`
	Status   int       `json:"status,omitempty" doc:"what it answered last; absent if nothing"`
}

// DeadLetterList is a page of dead letters, the oldest first.
type DeadLetterList struct {
	DeadLetters []DeadLetter `json:"dead_letters"`
	Next        string       `json:"next,omitempty"`
}

// WebhookReplay asks for dead letters to be sent again; none named means all. It
// also lets a disabled webhook go on from where it was.
type WebhookReplay struct {
	Events []string `json:"events,omitempty"`
}

// Optional says that a request may come without a body.
func (*WebhookReplay) Optional() {}

// WebhookReplayed says how many dead letters are sent again.
type WebhookReplayed struct {
	Webhook  string `json:"webhook"`
	Replayed int    `json:"replayed"`
}

// NoticeList is what happened to a person within the week, and whether the channels
// that may know of it have heard.
type NoticeList struct {
	Notices []Notice `json:"notices"`
}

// Notice is one event and one channel.
type Notice struct {
	Type    privacy.EventType   `json:"type"`
	Time    time.Time           `json:"time"`
	Purpose privacy.PurposeID   `json:"purpose,omitempty"`
	Fields  []privacy.FieldName `json:"fields,omitempty"`
	Channel privacy.ChannelID   `json:"channel"`
	State   string              `json:"state" enum:"taken,acknowledged,waiting,given_up,kept"`
}
