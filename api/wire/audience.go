package wire

import "github.com/sayso-vault/sayso/vault/privacy"

// AudienceRequest asks whom this channel may use a purpose for now. Without Fields
// only who they are is told, and no value is opened.
type AudienceRequest struct {
	Purpose privacy.PurposeID   `json:"purpose"`
	Fields  []privacy.FieldName `json:"fields,omitempty"`
	Context map[string]any      `json:"context,omitempty"`
	// After goes on behind the person of the last line that came of an answer that
	// broke off.
	After privacy.SubjectID `json:"after,omitzero" doc:"go on behind this person"`
	// End asks for a last line that shows that none is missing.
	End bool `json:"end,omitempty" doc:"end with {\"end\":true,\"lines\":n}"`
}

// Check names what is missing or malformed.
func (r *AudienceRequest) Check() []FieldError {
	var c check
	c.must("purpose", r.Purpose != "")
	c.valid("fields", r.Fields == nil || len(r.Fields) > 0, "leave it out to be told who they are and nothing else")
	names(&c, "fields", r.Fields)
	return c.errs
}

// AudienceLine is one person of an audience. Only a last line has another shape:
// that of a refusal, after which no line comes, or of a BatchEnd.
type AudienceLine struct {
	Subject  privacy.SubjectID            `json:"subject,omitzero"`
	Decision privacy.DecisionID           `json:"decision,omitzero"`
	Fields   Values                       `json:"fields,omitzero" doc:"of those asked for, what is released"`
	Masked   map[privacy.FieldName]Masked `json:"masked,omitzero"`

	*LineRefusal
}

// LineRefusal is what a problem says, as a line of a stream.
type LineRefusal struct {
	Status     int          `json:"status,omitzero"`
	Type       string       `json:"type,omitempty"`
	Title      string       `json:"title,omitempty"`
	Code       string       `json:"code,omitempty"`
	Detail     string       `json:"detail,omitempty"`
	Errors     []FieldError `json:"errors,omitempty"`
	RetryAfter int          `json:"retry_after,omitzero" doc:"in how many seconds to try again"`
}
