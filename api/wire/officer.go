package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// RegisterAnswer is the register in force, and beside it the one that waits for
// another officer. Before any is in force the revision is 0.
type RegisterAnswer struct {
	Revision   uint64           `json:"revision"`
	Register   string           `json:"register" doc:"the register's YAML, as applied"`
	At         time.Time        `json:"at,omitzero"`
	By         string           `json:"by,omitempty"`
	ApprovedBy string           `json:"approved_by,omitempty"`
	Pending    *PendingRegister `json:"pending,omitempty"`
}

// PendingRegister is a register that waits for another officer.
type PendingRegister struct {
	Revision uint64    `json:"revision"`
	Register string    `json:"register" doc:"the register's YAML, as proposed"`
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Changes  []Change  `json:"changes"`
}

// Applied is what a register changed. The secrets of new channels are shown
// here and never again.
type Applied struct {
	Revision uint64        `json:"revision"`
	Status   string        `json:"status" enum:"active,pending,unchanged,rejected"`
	Changes  []Change      `json:"changes"`
	Warnings []string      `json:"warnings"`
	Channels []Credentials `json:"channels"`
}

// Change is one line of a register's diff, and what it does.
type Change struct {
	Op     string `json:"op"`
	Path   string `json:"path"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Widens bool   `json:"widens" doc:"it can let more out, so that it waits for another officer"`
	Why    string `json:"why,omitempty"`
}

// OfficerRequest names an officer to be.
type OfficerRequest struct {
	Name string `json:"name"`
	// Enrol asks for an enrolment link in the place of a secret.
	Enrol bool `json:"enrol,omitempty" doc:"with an enrolment link to the console in the place of a secret"`
}

// Check names what is missing.
func (r *OfficerRequest) Check() []FieldError {
	var c check
	c.must("name", r.Name != "")
	return c.errs
}

// OfficerChange is what became of a change of officers. Credentials are shown
// here and never again.
type OfficerChange struct {
	Name         string `json:"name"`
	Status       string `json:"status" enum:"active,pending,removed,rejected"`
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
	Secret       string `json:"secret,omitempty" doc:"the secret's ID, by which it is revoked"`
	// Enrolment is the path of a link that works once, below the vault's address.
	Enrolment      string     `json:"enrolment,omitempty" doc:"path of an enrolment link, shown once"`
	EnrolmentUntil *time.Time `json:"enrolment_until,omitempty"`
}

// OfficerList is a page of officers.
type OfficerList struct {
	Officers []Officer `json:"officers"`
	Next     string    `json:"next,omitempty"`
}

// Officer is who governs, or is proposed to.
type Officer struct {
	Name       string     `json:"name"`
	ClientID   string     `json:"client_id"`
	Secrets    []Secret   `json:"secrets"`
	Pending    string     `json:"pending,omitempty" enum:"add,remove" doc:"what waits for another officer than who proposed it"`
	ProposedBy string     `json:"proposed_by,omitempty"`
	ProposedAt *time.Time `json:"proposed_at,omitempty"`
}

// Rejection says why a change is not wanted.
type Rejection struct {
	Reason string `json:"reason,omitempty"`
}

// Optional says that a request may come without a body.
func (*Rejection) Optional() {}

// Credentials are a channel's, shown once.
type Credentials struct {
	ID           privacy.ChannelID `json:"id"`
	ClientID     string            `json:"client_id"`
	ClientSecret string            `json:"client_secret"`
	Secret       string            `json:"secret,omitempty" doc:"the secret's ID, by which it is revoked"`
}

// ChannelList is a page of channels.
type ChannelList struct {
	Channels []Channel `json:"channels"`
	Next     string    `json:"next,omitempty"`
}

// Channel is a client that captures and reads.
type Channel struct {
	ID        privacy.ChannelID `json:"id"`
	Kind      string            `json:"kind"`
	ClientID  string            `json:"client_id"`
	Suspended bool              `json:"suspended"`
	Secrets   []Secret          `json:"secrets"`
}

// Secret is a channel's secret, which itself is kept only as a keyed hash.
type Secret struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Revoked bool      `json:"revoked"`
}

// DraftRequest proposes a set of rules: modules of rego by name.
type DraftRequest struct {
	Modules map[string]string `json:"modules"`
	Note    string            `json:"note,omitempty"`
}

// Check names what is missing or malformed.
func (r *DraftRequest) Check() []FieldError {
	var c check
	c.must("modules", r.Modules != nil)
	c.valid("note", len(r.Note) <= 2000, "has more than 2000 characters")
	return c.errs
}

// Policy is a set of rules, or a change of which waits, by that change's ID.
// Modules are left out of lists.
type Policy struct {
	Policy  string            `json:"policy"`
	Status  string            `json:"status" enum:"draft,tested,replayed,submitted,pending,active,superseded,rejected"`
	Note    string            `json:"note,omitempty"`
	By      string            `json:"by,omitempty"`
	At      *time.Time        `json:"at,omitempty"`
	Steps   []PolicyStep      `json:"steps,omitempty"`
	Change  *PolicyChange     `json:"change,omitempty"`
	Modules map[string]string `json:"modules,omitempty"`
}

// PolicyStep is one thing that happened to a set of rules.
type PolicyStep struct {
	Act    string    `json:"act"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
	Passed bool      `json:"passed,omitzero" doc:"of tests: all did"`

	Replay *ReplaySummary `json:"replay,omitempty" doc:"of a replay: what it came to"`
}

// ReplaySummary is what a set's life keeps of a replay.
type ReplaySummary struct {
	From          time.Time `json:"from,omitzero"`
	To            time.Time `json:"to,omitzero"`
	Decisions     int       `json:"decisions"`
	Changed       int       `json:"changed"`
	People        int       `json:"people"`
	NotReplayable int       `json:"not_replayable"`
}

// PolicyChange is a set of rules on its way into force.
type PolicyChange struct {
	Change   string       `json:"change"`
	Policy   string       `json:"policy"`
	Base     string       `json:"base" doc:"what was in force when it was submitted"`
	By       string       `json:"by"`
	At       time.Time    `json:"at"`
	Rollback bool         `json:"rollback,omitzero"`
	Needed   bool         `json:"needed" doc:"it can let more out, so that another officer has to approve it"`
	Stale    bool         `json:"stale,omitzero" doc:"other rules are in force since: submit it again"`
	Effects  []RuleEffect `json:"effects,omitempty"`
}

// RuleEffect is what a rule that came or went does.
type RuleEffect struct {
	Module string `json:"module"`
	Line   int    `json:"line"`
	Rule   string `json:"rule"`
	Op     string `json:"op" enum:"added,removed"`
	Widens bool   `json:"widens"`
	Why    string `json:"why"`
}

// PolicyList is a page of sets of rules.
type PolicyList struct {
	Policies []Policy `json:"policies"`
	Next     string   `json:"next,omitempty"`
}

// PolicyTest is what the tests that came with a set of rules said.
type PolicyTest struct {
	Policy   string       `json:"policy,omitempty" doc:"absent of modules that were only checked"`
	Status   string       `json:"status"`
	Passed   int          `json:"passed"`
	Failed   int          `json:"failed"`
	Results  []TestResult `json:"results"`
	Coverage Coverage     `json:"coverage" doc:"of the rules, by the tests"`
}

// Coverage is how much of the rules their tests reach.
type Coverage struct {
	Percent float64          `json:"percent"`
	Modules []ModuleCoverage `json:"modules"`
}

// ModuleCoverage is how much of one module the tests reach.
type ModuleCoverage struct {
	Module  string  `json:"module"`
	Percent float64 `json:"percent"`
	Missed  []int   `json:"missed" doc:"lines that no test reaches"`
}

// TestResult is the outcome of one test.
type TestResult struct {
	Module string `json:"module"`
	Line   int    `json:"line"`
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Error  string `json:"error,omitempty"`
}

// Done says that an act without another answer was done.
type Done struct {
	Status string `json:"status"`
}

// Nothing is the empty object: the body of an act that its path says all about.
type Nothing struct{}

// Optional says that a request may come without a body.
func (*Nothing) Optional() {}
