package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Problem is how a request is refused (RFC 9457, application/problem+json).
// Code is stable and what programs look at; the texts are for people.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	// Errors name each member at fault.
	Errors []FieldError `json:"errors,omitempty"`
	// Problems are what is wrong with a register or with rules, by line.
	Problems []LineProblem `json:"problems,omitempty"`
	// Conflict comes with code "revision_conflict": both sides of it.
	Conflict *Conflict `json:"conflict,omitempty"`
	// Until comes with the refusal of a contact that may happen then.
	Until *time.Time `json:"until,omitempty"`
	// Decision, Purpose and Withheld come with code "denied", and nothing else
	// of the person does.
	Decision *privacy.DecisionID `json:"decision,omitempty"`
	Purpose  privacy.PurposeID   `json:"purpose,omitempty"`
	Withheld []Withheld          `json:"withheld,omitempty"`
}

// Conflict is what two officers did to one register: what is in force was changed
// since the revision that a change was made from.
type Conflict struct {
	Revision uint64     `json:"revision" doc:"in force"`
	At       *time.Time `json:"at,omitempty"`
	By       string     `json:"by,omitempty"`
	Theirs   []Change   `json:"theirs" doc:"what changed since the revision of If-Match"`
	Yours    []Change   `json:"yours" doc:"what this register would have changed"`
}

// FieldError is what is wrong with one member of a request. It never repeats
// the value.
type FieldError struct {
	Field  string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// LineProblem is what is wrong at one place of a register (file, key, detail)
// or of a module of rules (module, message).
type LineProblem struct {
	File    string `json:"file,omitempty"`
	Module  string `json:"module,omitempty"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Key     string `json:"key,omitempty"`
	Detail  string `json:"detail,omitempty"`
	Message string `json:"message,omitempty"`
}

// The codes of members at fault that the shape of a request alone can show.
const (
	CodeRequired      = "required"
	CodeUnknownMember = "unknown_member"
	CodeDuplicate     = "duplicate"
	CodeWrongType     = "wrong_type"
	CodeInvalid       = "invalid"
	CodeTooLong       = "too_long"
)

// check gathers what is wrong with a request's shape.
type check struct{ errs []FieldError }

func (c *check) must(field string, there bool) {
	if !there {
		c.errs = append(c.errs, FieldError{Field: field, Code: CodeRequired, Detail: "is required"})
	}
}

func (c *check) valid(field string, ok bool, want string) {
	if !ok {
		c.errs = append(c.errs, FieldError{Field: field, Code: CodeInvalid, Detail: want})
	}
}

// names checks a list of names: none empty, none twice, not too many.
func names[T ~string](c *check, field string, list []T) {
	const most = 256
	if len(list) > most {
		c.errs = append(c.errs, FieldError{Field: field, Code: CodeTooLong, Detail: "has more than 256 entries"})
		return
	}
	seen := make(map[T]bool, len(list))
	for _, name := range list {
		if name == "" || seen[name] {
			c.errs = append(c.errs, FieldError{Field: field, Code: CodeInvalid, Detail: "names something twice, or nothing"})
			return
		}
		seen[name] = true
	}
}
