package wire

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Consent is an act of a person about a purpose, whoever the person is.
type Consent struct {
	Purpose       privacy.PurposeID     `json:"purpose"`
	Status        privacy.ConsentStatus `json:"status" enum:"given,refused,withdrawn,objected,opted_out"`
	Method        string                `json:"method" pattern:"^[a-z_]{1,32}$"`
	NoticeVersion string                `json:"notice_version,omitempty"`
	Language      string                `json:"language,omitempty"`
	Jurisdiction  string                `json:"jurisdiction,omitempty"`
	At            *time.Time            `json:"at,omitempty"`
	By            *Actor                `json:"by,omitempty"`
	Evidence      map[string]any        `json:"evidence,omitempty"`
}

// Actor is who made an act: the person, a guardian or an agent.
type Actor struct {
	Role privacy.Role `json:"role" enum:"subject,guardian,agent"`
	Ref  string       `json:"ref,omitempty"`
}

// ConsentRequest records a consent, a refusal, a withdrawal, an objection or an
// opt-out. Channels name the person and the method; people in a session of theirs
// name nobody, and the method only if they like.
type ConsentRequest struct {
	Subject Subject `json:"subject,omitzero"`
	Consent
}

// Check names what is malformed, or missing whoever asks.
func (r *ConsentRequest) Check() []FieldError {
	var c check
	if r.Method == "" {
		said := r.Consent
		said.Method = "of_a_session"
		said.check(&c, "")
		return c.errs
	}
	r.check(&c, "")
	return c.errs
}

// CheckSubject names what is missing if a channel asks.
func (r *ConsentRequest) CheckSubject() []FieldError {
	var c check
	c.must("subject", !r.Subject.IsZero())
	c.must("method", r.Method != "")
	return c.errs
}

var method = regexp.MustCompile(`^[a-z_]{1,32}$`)

func (r *Consent) check(c *check, at string) {
	c.must(at+"purpose", r.Purpose != "")
	c.must(at+"status", r.Status != "")
	c.valid(at+"status", r.Status == "" || slices.Contains(privacy.ConsentStatuses, r.Status),
		"is one of given, refused, withdrawn, objected, opted_out")
	c.must(at+"method", r.Method != "")
	c.valid(at+"method", r.Method == "" || method.MatchString(r.Method), "is 1 to 32 of a-z and _")
	c.valid(at+"at", r.At == nil || !r.At.IsZero(), "is no point in time")
	for _, text := range []struct{ name, is string }{{"notice_version", r.NoticeVersion}, {"language", r.Language}, {"jurisdiction", r.Jurisdiction}} {
		c.valid(at+text.name, len(text.is) <= 64, "has more than 64 characters")
	}
	r.By.check(c, at+"by")
}

// check names what is malformed of who made an act; nobody needs to be named.
func (a *Actor) check(c *check, at string) {
	if a == nil {
		return
	}
	c.valid(at+".role", slices.Contains([]privacy.Role{privacy.BySubject, privacy.ByGuardian, privacy.ByAgent}, a.Role), "is one of subject, guardian, agent")
	c.valid(at+".ref", len(a.Ref) <= 200, "has more than 200 characters")
}

// ConsentAnswer is the record that was made. Effective is false only for a
// backdated "given" that a later act already outweighs.
type ConsentAnswer struct {
	Consent   privacy.ConsentID     `json:"consent"`
	Status    privacy.ConsentStatus `json:"status"`
	Effective bool                  `json:"effective"`
	Receipt   string                `json:"receipt"`
}

// ReceiptAnswer is a consent receipt again: a compact JWS that anyone can check
// against /.well-known/evidence-keys.json.
type ReceiptAnswer struct {
	Consent privacy.ConsentID `json:"consent"`
	Receipt string            `json:"receipt"`
}

// ConsentStateAnswer says whether a purpose the channel holds is allowed for a
// person now.
type ConsentStateAnswer struct {
	Subject string            `json:"subject" doc:"as the question names them"`
	Purpose privacy.PurposeID `json:"purpose"`
	Allowed bool              `json:"allowed"`
	Until   *time.Time        `json:"until,omitempty"`
}

// GroundRequest begins or ends what makes a legal basis other than consent true
// for a person.
type GroundRequest struct {
	Subject Subject           `json:"subject"`
	Purpose privacy.PurposeID `json:"purpose"`
	Status  string            `json:"status" enum:"begun,ended"`
	Ref     string            `json:"ref,omitempty"`
	At      *time.Time        `json:"at,omitempty"`
}

// Check names what is missing or malformed.
func (r *GroundRequest) Check() []FieldError {
	var c check
	c.must("subject", !r.Subject.IsZero())
	c.must("purpose", r.Purpose != "")
	c.must("status", r.Status != "")
	c.valid("status", slices.Contains([]string{"", "begun", "ended"}, r.Status), "is begun or ended")
	c.valid("ref", len(r.Ref) <= 200, "has more than 200 characters")
	c.valid("at", r.At == nil || !r.At.IsZero(), "is no point in time")
	return c.errs
}

// GroundAnswer is the ground as recorded.
type GroundAnswer struct {
	Purpose privacy.PurposeID `json:"purpose"`
	Status  string            `json:"status"`
}

func itoa(i int) string { return strconv.Itoa(i) }
