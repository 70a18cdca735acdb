package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// RegisterAnswer is the register in force.
type RegisterAnswer struct {
	Revision uint64    `json:"revision"`
	Register string    `json:"register" doc:"the register's YAML, as applied"`
	At       time.Time `json:"at"`
	By       string    `json:"by"`
}

// Applied is what a register changed. The secrets of new channels are shown
// here and never again.
type Applied struct {
	Revision uint64        `json:"revision"`
	Status   string        `json:"status"`
	Changes  []Change      `json:"changes"`
	Warnings []string      `json:"warnings"`
	Channels []Credentials `json:"channels"`
}

// Change is one line of a register's diff.
type Change struct {
	Op   string `json:"op"`
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

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

// Policy is a set of rules. Modules are left out of lists.
type Policy struct {
	Policy  string            `json:"policy"`
	Status  string            `json:"status"`
	Note    string            `json:"note,omitempty"`
	By      string            `json:"by,omitempty"`
	At      *time.Time        `json:"at,omitempty"`
	Modules map[string]string `json:"modules,omitempty"`
}

// PolicyList is a page of sets of rules.
type PolicyList struct {
	Policies []Policy `json:"policies"`
	Next     string   `json:"next,omitempty"`
}

// PolicyTest is what the tests that came with a set of rules said.
type PolicyTest struct {
	Policy  string       `json:"policy"`
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Results []TestResult `json:"results"`
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
