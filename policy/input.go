package policy

import (
	"errors"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// ErrInput is returned for an input that does not fit the schema of the rule
// set: a missing path, an undeclared context key, a value of the wrong type. A
// rule over it could be undefined and so release, hence the read is denied.
var ErrInput = errors.New("input does not fit the rule set")

// Unknown stands in the input where nothing is known. No path is ever null.
const Unknown = "unknown"

// Input is all that a decision depends on: facts, never values. Officers'
// rules see everything but Guard.
type Input struct {
	Channel Channel `json:"channel"`
	Purpose Purpose `json:"purpose"`
	Subject Subject `json:"subject"`
	// Consents holds the status of every purpose of the schema, StatusNone
	// where nothing was ever recorded; expiry is resolved before.
	Consents map[privacy.PurposeID]privacy.ConsentStatus `json:"consents"`
	// Objected holds an entry for every purpose of the schema.
	Objected map[privacy.PurposeID]bool `json:"objected"`
	// Fields are the names asked for, in order.
	Fields  []privacy.FieldName `json:"fields"`
	Touches Touches             `json:"touches"`
	// Context is what the caller says about the read: strings, numbers and
	// booleans under keys that the schema declares.
	Context map[string]any `json:"context"`
	// Now is the time of the read, as [Time] writes it.
	Now   string `json:"now"`
	Guard Guard  `json:"guard"`
}

// Channel is who reads.
type Channel struct {
	ID   privacy.ChannelID `json:"id"`
	Kind string            `json:"kind"`
}

// Purpose is what the channel reads for.
type Purpose struct {
	ID    privacy.PurposeID  `json:"id"`
	DPV   string             `json:"dpv"`
	Basis privacy.LegalBasis `json:"basis"`
}

// Subject is what may be known of the person without a value of theirs.
type Subject struct {
	Jurisdiction string   `json:"jurisdiction"`
	AgeBand      string   `json:"age_band"`
	Standing     Standing `json:"standing"`
}

// Standing is in which state the person's record is.
type Standing string

// The standings. Only an active one releases anything.
const (
	StandingActive     Standing = "active"
	StandingRestricted Standing = "restricted"
	StandingErasing    Standing = "erasing"
	StandingUnknown    Standing = "unknown"
)

// Guard is what the guardrails look at. Officers' rules may not: they would
// depend on how the vault arrives at its facts.
type Guard struct {
	// Granted says that the purpose is among the effective ones of the
	// credential and of the channel.
	Granted bool `json:"granted"`
	// Ground says that the person has a ground for the purpose.
	Ground bool `json:"ground"`
	// OptOut says that the opt-out basis applies where the person lives.
	OptOut bool `json:"opt_out"`
	// Fields holds the facts of every asked field.
	Fields map[privacy.FieldName]Facts `json:"fields"`
}

// Facts are what the vault knows of one asked field. The zero Facts release
// nothing.
type Facts struct {
	Declared  bool `json:"declared"`   // the register has the field
	InPurpose bool `json:"in_purpose"` // the purpose lists it
	Covered   bool `json:"covered"`    // an effective consent covers it
	Special   bool `json:"special"`    // it is of a special category
	Explicit  bool `json:"explicit"`   // the consent that covers it is explicit
	Stale     bool `json:"stale"`      // its value is past its maximum age
	Inferred  bool `json:"inferred"`   // its value is inferred, and the purpose allows no profiling
	Contested bool `json:"contested"`  // its value is inferred, and the person said that it is not right
	// As is the matrix's word for it: "", "withhold" or a mask.
	As string `json:"as"`
}

// timeLayout is RFC 3339 in whole seconds UTC. Rules see no finer time, so that
// a decision holds within its second.
const timeLayout = "2006-01-02T15:04:05Z"

// Time returns t as [Input.Now] wants it.
func Time(t time.Time) string { return t.UTC().Format(timeLayout) }

// validTime reports whether s is a time as Time writes it.
func validTime(s string) bool {
	// Parse takes less than two digits for the hour, and fractions of a second.
	if len(s) != len(timeLayout) || s[len("2006-01-02T15")] != ':' || s[len("2006-01-02T15:04:05")] != 'Z' {
		return false
	}
	_, err := time.Parse(timeLayout, s)
	return err == nil
}
