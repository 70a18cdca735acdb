package policy

import (
	"errors"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The ways a decision fails. Whatever the error, the caller denies the read.
var (
	// ErrDeadline is returned when evaluation took longer than allowed.
	ErrDeadline = errors.New("rules took too long")
	// ErrEvaluation is returned when a rule could not be evaluated: a
	// built-in error, two values for one rule, an undefined decision.
	ErrEvaluation = errors.New("rules could not be evaluated")
	// ErrOutcome is returned when rules were evaluated but did not give what
	// they must: exact keys, a declared field, a known mask that fits it.
	ErrOutcome = errors.New("rules gave a malformed outcome")
)

// Action is what happens to one asked field.
type Action string

// The actions.
const (
	Release  Action = "release"
	Mask     Action = "mask"
	Withhold Action = "withhold"
)

// Outcome is what a decision says about one asked field. A channel sees Code
// and Detail; Rule is for officers and the person.
type Outcome struct {
	Field  privacy.FieldName `json:"field"`
	Action Action            `json:"action"`
	Mask   privacy.Mask      `json:"mask,omitempty"`   // set if masked
	Code   privacy.Code      `json:"code,omitempty"`   // set if withheld
	Detail string            `json:"detail,omitempty"` // why, in words
	// Rule names what decided: "guardrails:" and the guardrail, "matrix", or
	// an officer's module and line. It is empty if released.
	Rule string `json:"rule,omitempty"`
}

// Decision has one outcome for each asked field, in the order asked.
type Decision struct {
	Outcomes []Outcome `json:"outcomes"`
}

// Releases reports whether anything is released, in full or masked.
func (d Decision) Releases() bool {
	for _, o := range d.Outcomes {
		if o.Action == Release || o.Action == Mask {
			return true
		}
	}
	return false
}
