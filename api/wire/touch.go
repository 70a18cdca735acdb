package wire

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// TouchRequest is one thing that a channel has, or would have, to do with a
// person: to record it, or to ask whether it may happen.
type TouchRequest struct {
	Subject   Subject           `json:"subject"`
	Kind      string            `json:"kind" enum:"contact,offer,order,answer,event"`
	Topic     string            `json:"topic" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$"`
	Medium    string            `json:"medium,omitempty" pattern:"^[a-z][a-z0-9_-]{0,63}$"`
	Purpose   privacy.PurposeID `json:"purpose,omitempty"`
	Ref       string            `json:"ref,omitempty"`
	At        *time.Time        `json:"at,omitempty" doc:"when it happened; without it, now"`
	ExpiresAt *time.Time        `json:"expires_at,omitempty"`
	Ended     bool              `json:"ended,omitempty" doc:"what was told of before is over"`
	IfAllowed bool              `json:"if_allowed,omitempty" doc:"record it only if it may happen"`
	Context   map[string]any    `json:"context,omitempty" doc:"for officers' rules, where it is asked whether it may happen"`
}

var touchKinds = []string{"contact", "offer", "order", "answer", "event"}

// Check names what is missing or malformed.
func (r *TouchRequest) Check() []FieldError {
	var c check
	c.must("subject", !r.Subject.IsZero())
	c.must("kind", r.Kind != "")
	c.valid("kind", r.Kind == "" || slices.Contains(touchKinds, r.Kind), "is one of contact, offer, order, answer, event")
	c.must("topic", r.Topic != "")
	c.valid("at", r.At == nil || !r.At.IsZero(), "is no point in time")
	c.valid("expires_at", r.ExpiresAt == nil || !r.ExpiresAt.IsZero(), "is no point in time")
	c.must("purpose", r.Purpose != "" || !r.IfAllowed)
	return c.errs
}

// TouchAnswer is the touch as recorded, the same for a person known or not.
type TouchAnswer struct {
	Kind  string    `json:"kind"`
	Topic string    `json:"topic"`
	At    time.Time `json:"at"`
}

// TouchCheckAnswer says whether a contact may happen, or until when not.
type TouchCheckAnswer struct {
	Allowed bool       `json:"allowed"`
	Code    string     `json:"code,omitempty" doc:"one of contact_cap, quiet_hours, already_ordered, already_answered, expired, no_consent, policy"`
	Until   *time.Time `json:"until,omitempty" doc:"when it may, if nothing else happens; absent if that is not known, or never"`
	Detail  string     `json:"detail,omitempty"`
}

// AskRequest names fields of a purpose that a channel is going to ask a person
// for, or that the person would not tell.
type AskRequest struct {
	Purpose privacy.PurposeID   `json:"purpose"`
	Fields  []privacy.FieldName `json:"fields"`
	Context map[string]any      `json:"context,omitempty"`
}

// Check names what is missing or malformed.
func (r *AskRequest) Check() []FieldError {
	var c check
	c.must("purpose", r.Purpose != "")
	c.must("fields", len(r.Fields) > 0)
	names(&c, "fields", r.Fields)
	return c.errs
}

// AskAnswer is a lease: until then no other channel asks the person for these
// fields.
type AskAnswer struct {
	Subject string              `json:"subject" doc:"as the question names them"`
	Purpose privacy.PurposeID   `json:"purpose"`
	Fields  []privacy.FieldName `json:"fields" doc:"of those asked for, the ones that are missing"`
	Until   time.Time           `json:"until"`
}

// RefusalAnswer is a refusal to answer as recorded.
type RefusalAnswer struct {
	Subject string              `json:"subject" doc:"as the request names them"`
	Purpose privacy.PurposeID   `json:"purpose"`
	Fields  []privacy.FieldName `json:"fields"`
}
