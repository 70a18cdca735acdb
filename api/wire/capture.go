package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// CaptureRequest is what a person told a channel. It is stored whole or not at
// all.
type CaptureRequest struct {
	Subject    *Subject            `json:"subject,omitempty"`
	Fields     Values              `json:"fields"`
	Verified   []privacy.FieldName `json:"verified,omitempty"`
	Observed   []privacy.FieldName `json:"observed,omitempty" doc:"captured fields that the channel saw"`
	Inferred   Inferences          `json:"inferred,omitempty" doc:"captured fields that a model made, and which"`
	Purposes   []privacy.PurposeID `json:"purposes,omitzero"`
	Grounds    []Ground            `json:"grounds,omitzero"`
	Consents   []Consent           `json:"consents,omitempty"`
	ObservedAt *time.Time          `json:"observed_at,omitempty"`
}

// Check names what is missing or malformed.
func (r *CaptureRequest) Check() []FieldError {
	var c check
	c.must("fields", r.Fields != nil)
	names(&c, "verified", r.Verified)
	names(&c, "observed", r.Observed)
	names(&c, "purposes", r.Purposes)
	for i := range r.Grounds {
		r.Grounds[i].check(&c, "grounds["+itoa(i)+"].")
	}
	for i := range r.Consents {
		r.Consents[i].check(&c, "consents["+itoa(i)+"].")
	}
	c.valid("observed_at", r.ObservedAt == nil || !r.ObservedAt.IsZero(), "is no point in time")
	return c.errs
}

// Inferences say by field which model inferred a value.
type Inferences map[privacy.FieldName]privacy.Inference

// CaptureAnswer says what became of each field. Created is also true for a
// person the channel does not know: a capture is no way to ask who is known.
type CaptureAnswer struct {
	Subject    privacy.SubjectID   `json:"subject"`
	Created    bool                `json:"created"`
	Accepted   []privacy.FieldName `json:"accepted"`
	Unchanged  []privacy.FieldName `json:"unchanged"`
	Superseded []privacy.FieldName `json:"superseded"`
	Consents   []ConsentAnswer     `json:"consents,omitempty"`
}

// CaptureLine is the answer to one line of a batch: what became of it with
// status 200 or 201, else the code and the members at fault, never a value.
type CaptureLine struct {
	N      int `json:"n" doc:"which line, from 1"`
	Status int `json:"status"`
	*CaptureAnswer
	Code   string       `json:"code,omitempty"`
	Detail string       `json:"detail,omitempty"`
	Errors []FieldError `json:"errors,omitempty"`
}

// BatchEnd is the last line of every batch, by which a client knows that it has
// all the others.
type BatchEnd struct {
	End   bool `json:"end"`
	Lines int  `json:"lines"`
}
