package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// LinkCode is the code of a channel's one-time link, as it stands in the link.
type LinkCode struct {
	Code string `json:"code"`
}

// Check names what is missing.
func (r *LinkCode) Check() []FieldError {
	var c check
	c.must("code", r.Code != "")
	c.valid("code", len(r.Code) <= 64, "has more than 64 characters")
	return c.errs
}

// LoginCodeRequest asks for a code to log in with, which goes to an identifier of
// the person's.
type LoginCodeRequest struct {
	Subject  Subject `json:"subject" doc:"an object of one identifier"`
	Language string  `json:"language,omitempty" doc:"of the mail, if it is there in it"`
}

// Check names what is missing.
func (r *LoginCodeRequest) Check() []FieldError {
	var c check
	c.must("subject", !r.Subject.IsZero())
	c.valid("subject", r.Subject.IsZero() || r.Subject.Field != "", `an object of one identifier was expected`)
	c.valid("language", len(r.Language) <= 64, "has more than 64 characters")
	return c.errs
}

// LoginAttempt names the attempt that a code is good for. Who confirms needs both.
type LoginAttempt struct {
	Attempt string `json:"attempt"`
}

// LoginCode is a code that came, and the attempt that it was asked for in.
type LoginCode struct {
	Attempt string `json:"attempt"`
	Code    string `json:"code"`
}

// Check names what is missing.
func (r *LoginCode) Check() []FieldError {
	var c check
	c.must("attempt", r.Attempt != "")
	c.must("code", r.Code != "")
	c.valid("attempt", len(r.Attempt) <= 64, "has more than 64 characters")
	c.valid("code", len(r.Code) <= 64, "has more than 64 characters")
	return c.errs
}

// OwnSession is a session that a person opened themselves. The token opens it:
// whoever has it is the person.
type OwnSession struct {
	Token     string            `json:"token"`
	Session   privacy.SessionID `json:"session"`
	Assurance string            `json:"assurance" enum:"channel,verified"`
	ExpiresAt time.Time         `json:"expires_at"`
}
