package wire

import "github.com/sayso-vault/sayso/vault/privacy"

// ReadRequest asks for a person's fields for a purpose. Without Fields it asks
// for all that the purpose lists.
type ReadRequest struct {
	Subject Subject             `json:"subject"`
	Purpose privacy.PurposeID   `json:"purpose"`
	Fields  []privacy.FieldName `json:"fields,omitempty"`
	Context map[string]any      `json:"context,omitempty"`
}

// Check names what is missing or malformed. An empty list of fields is refused,
// because whoever sends one does not mean "everything".
func (r *ReadRequest) Check() []FieldError {
	var c check
	c.must("subject", !r.Subject.IsZero())
	c.must("purpose", r.Purpose != "")
	c.valid("fields", r.Fields == nil || len(r.Fields) > 0, "leave it out to ask for all fields of the purpose")
	names(&c, "fields", r.Fields)
	return c.errs
}

// ReadAnswer is what a read released, and what it did not.
type ReadAnswer struct {
	Decision privacy.DecisionID           `json:"decision"`
	Subject  privacy.SubjectID            `json:"subject"`
	Purpose  privacy.PurposeID            `json:"purpose"`
	Policy   string                       `json:"policy"`
	Fields   Values                       `json:"fields"`
	Masked   map[privacy.FieldName]Masked `json:"masked"`
	Withheld []Withheld                   `json:"withheld"`
	Missing  []Missing                    `json:"missing"`
	Inferred Inferences                   `json:"inferred,omitempty" doc:"of what is released or masked, what a model made"`
	Register uint64                       `json:"register"`
	LogIndex uint64                       `json:"log_index"`
	Log      LogPosition                  `json:"log"`
}

// ReadLine is the answer to one line of a batch: with status 200 what a read by
// itself answers, else what its problem says.
type ReadLine struct {
	N      int `json:"n" doc:"which line, from 1"`
	Status int `json:"status"`

	Decision *privacy.DecisionID          `json:"decision,omitempty"`
	Subject  *privacy.SubjectID           `json:"subject,omitempty"`
	Purpose  privacy.PurposeID            `json:"purpose,omitempty"`
	Policy   string                       `json:"policy,omitempty"`
	Fields   Values                       `json:"fields,omitzero"`
	Masked   map[privacy.FieldName]Masked `json:"masked,omitzero"`
	Withheld []Withheld                   `json:"withheld,omitzero"`
	Missing  []Missing                    `json:"missing,omitzero"`
	Inferred Inferences                   `json:"inferred,omitempty"`
	Register uint64                       `json:"register,omitzero"`
	LogIndex *uint64                      `json:"log_index,omitempty"`
	Log      *LogPosition                 `json:"log,omitempty"`

	Type       string       `json:"type,omitempty"`
	Title      string       `json:"title,omitempty"`
	Code       string       `json:"code,omitempty"`
	Detail     string       `json:"detail,omitempty"`
	Errors     []FieldError `json:"errors,omitempty"`
	RetryAfter int          `json:"retry_after,omitzero" doc:"in how many seconds to try again"`
}

// Masked is a value of which less is shown.
type Masked struct {
	Value Value        `json:"value"`
	Mask  privacy.Mask `json:"mask"`
}

// Withheld is a field that was not released, and why.
type Withheld struct {
	Field  privacy.FieldName `json:"field"`
	Code   privacy.Code      `json:"code"`
	Detail string            `json:"detail"`
}

// Missing is an allowed field without a value.
type Missing struct {
	Field privacy.FieldName `json:"field"`
	Why   string            `json:"why" enum:"absent,stale"`
}

// MissingAnswer is what a person would have to tell for a purpose.
type MissingAnswer struct {
	Missing []Missing `json:"missing"`
}

// LogPosition is where the record of an act stands.
type LogPosition struct {
	Name  string `json:"name"`
	Index uint64 `json:"index"`
}
