package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// ReplyRequest is what a person wrote or pressed in a channel, to find out whether it
// is a no.
type ReplyRequest struct {
	Subject Subject    `json:"subject"`
	Text    Value      `json:"text" doc:"as it came: a message, a key of a telephone"`
	At      *time.Time `json:"at,omitempty"`
	By      *Actor     `json:"by,omitempty"`
}

// Check names what is missing or malformed.
func (r *ReplyRequest) Check() []FieldError {
	var c check
	c.must("subject", !r.Subject.IsZero())
	c.must("text", !r.Text.IsZero())
	c.valid("text", r.Text.IsZero() || r.Text.Reveal()[0] == '"', "is a text")
	c.valid("at", r.At == nil || !r.At.IsZero(), "is no point in time")
	if r.By != nil {
		c.valid("by.role", r.By.Role == privacy.BySubject || r.By.Role == privacy.ByGuardian || r.By.Role == privacy.ByAgent, "is one of subject, guardian, agent")
		c.valid("by.ref", len(r.By.Ref) <= 200, "has more than 200 characters")
	}
	return c.errs
}

// ReplyAnswer says whether it was a no, and what was recorded of it.
type ReplyAnswer struct {
	Stopped bool              `json:"stopped"`
	Purpose privacy.PurposeID `json:"purpose,omitempty"`
	*ConsentAnswer
}

// UnsubscribeLinkRequest asks for a link by which a person says no to a purpose.
type UnsubscribeLinkRequest struct {
	Subject privacy.SubjectID `json:"subject"`
	Purpose privacy.PurposeID `json:"purpose"`
}

// Check names what is missing.
func (r *UnsubscribeLinkRequest) Check() []FieldError {
	var c check
	c.must("subject", r.Subject != privacy.Nobody)
	c.must("purpose", r.Purpose != "")
	return c.errs
}

// OneClick is what a mail program posts to such a link (RFC 8058), and the header
// that says so.
const OneClick = "List-Unsubscribe=One-Click"

// UnsubscribeLink is the link, and the headers of the mail to put it in.
type UnsubscribeLink struct {
	URL     string             `json:"url"`
	Headers UnsubscribeHeaders `json:"headers"`
}

// UnsubscribeHeaders are headers of a mail.
type UnsubscribeHeaders struct {
	Link string `json:"List-Unsubscribe"`
	Post string `json:"List-Unsubscribe-Post"`
}

// GPCSupport says that Global Privacy Control is heard.
type GPCSupport struct {
	GPC        bool   `json:"gpc"`
	LastUpdate string `json:"lastUpdate,omitempty" doc:"the day of the register in force"`
}
