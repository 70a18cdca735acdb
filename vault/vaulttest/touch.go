package vaulttest

import (
	"context"
	"errors"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Touch records what the channel had to do with somebody.
func (c *Channel) Touch(who Person, t vault.TouchRequest) *vault.TouchResult {
	c.v.T.Helper()
	t.Subject = who
	res, err := c.v.RecordTouch(context.Background(), c.Caller, t)
	if err != nil {
		c.v.T.Fatalf("%s records a touch: %v", c.Caller.Client.ID, err)
	}
	return res
}

// Verdict is what a channel was told of a contact.
type Verdict struct {
	c      *Channel
	Result *vault.TouchVerdict
	Err    error
}

// May asks whether the channel may contact somebody for the purpose.
func (a *Act) May(who Person, t vault.TouchRequest) *Verdict {
	a.v.T.Helper()
	t.Subject, t.Purpose, t.Context = who, a.purpose, a.context
	res, err := a.v.CheckTouch(context.Background(), a.Caller, t)
	return &Verdict{a.Channel, res, err}
}

// Do contacts somebody for the purpose if that is allowed.
func (a *Act) Do(who Person, t vault.TouchRequest) *Verdict {
	a.v.T.Helper()
	t.Subject, t.Purpose, t.Context, t.IfAllowed = who, a.purpose, a.context, true
	_, err := a.v.RecordTouch(context.Background(), a.Caller, t)
	var refused *vault.Error
	switch {
	case err == nil:
		return &Verdict{a.Channel, &vault.TouchVerdict{Allowed: true}, nil}
	case errors.As(err, &refused) && refused.RetryAfter == 0:
		return &Verdict{a.Channel, &vault.TouchVerdict{Code: refused.Code, Detail: refused.Detail, Until: refused.Until}, err}
	}
	return &Verdict{a.Channel, nil, err}
}

// Yes checks that the contact is allowed.
func (v *Verdict) Yes() {
	v.c.v.T.Helper()
	if v.Result == nil || !v.Result.Allowed {
		v.c.v.T.Errorf("%s asks: got %+v, %v, want yes", v.c.Caller.Client.ID, v.Result, v.Err)
	}
}

// No checks that it is refused with a code, and until when: zero for a time that
// is not told.
func (v *Verdict) No(code string, until time.Time) {
	v.c.v.T.Helper()
	if v.Result == nil || v.Result.Allowed || v.Result.Code != code || !v.Result.Until.Equal(until) {
		v.c.v.T.Errorf("%s asks: got %+v, %v, want %s until %v", v.c.Caller.Client.ID, v.Result, v.Err, code, until)
	}
}

// Ask asks to be the one who asks somebody for fields that are missing.
func (a *Act) Ask(who Person, fields ...privacy.FieldName) (*vault.AskResult, error) {
	return a.v.AskMissing(context.Background(), a.Caller, vault.AskRequest{Subject: who.ID, Purpose: a.purpose, Fields: fields, Context: a.context})
}
