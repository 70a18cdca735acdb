package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/sayso-vault/sayso/api/authn"
	"github.com/sayso-vault/sayso/api/authn/codes"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

// Codes sends people codes to log in with, and knows them again. Routes and pages
// have the same, so that they share its throttles: nobody gets more tries by using
// both. It is safe for concurrent use.
type Codes interface {
	// AskCode has a code sent to an address, if somebody could log in with it, and
	// names the attempt. It tells nothing about the address, and takes as long for
	// any. It returns a *vault.Error if no code goes to what the register has no
	// such identifier for, and *codes.ThrottledError.
	AskCode(r *http.Request, to codes.Address, language string) (attempt string, err error)
	// CheckCode returns the address that the code of an attempt was sent to: once.
	// It returns codes.ErrWrong, codes.ErrOver or *codes.ThrottledError.
	CheckCode(r *http.Request, attempt, code string) (codes.Address, error)
}

var (
	errNoCodes   = refusal{code: vault.CodeNotFound, detail: "this vault mails no codes: people come by a channel's link, or log in at /privacy"}
	errLinkOver  = refusal{code: codeOver, detail: "this link is over: it works once, for a minute"}
	errCodeOver  = refusal{code: codeOver, detail: codes.ErrOver.Error()}
	errWrongCode = refusal{code: codeWrong, detail: codes.ErrWrong.Error()}
)

// enterByLink opens a session by a channel's one-time link, as [EnterPath] does for
// a browser.
func enterByLink(x *exchange, in *wire.LinkCode) (int, *wire.OwnSession, error) {
	opened, err := x.door.EnterByCode(x.ctx, in.Code)
	if errors.Is(err, vault.ErrInvalidClient) {
		err = errLinkOver
	}
	return ownSession(opened, err)
}

// askLoginCode has a code sent. What it answers, and how fast, is the same for any
// address.
func askLoginCode(x *exchange, in *wire.LoginCodeRequest) (int, *wire.LoginAttempt, error) {
	if x.codes == nil {
		return 0, nil, errNoCodes
	}
	attempt, err := x.codes.AskCode(x.r, codes.Address{Field: in.Subject.Field, Value: in.Subject.Value.Sensitive}, in.Language)
	if err != nil {
		return 0, nil, throttled(err)
	}
	return http.StatusAccepted, &wire.LoginAttempt{Attempt: attempt}, nil
}

// confirmLoginCode logs in who received a code. The session that steps up so, if
// the request comes in one, ends.
func confirmLoginCode(x *exchange, in *wire.LoginCode) (int, *wire.OwnSession, error) {
	if x.codes == nil {
		return 0, nil, errNoCodes
	}
	from, err := x.stepsUp()
	if err != nil {
		return 0, nil, err
	}
	to, err := x.codes.CheckCode(x.r, in.Attempt, in.Code)
	switch {
	case errors.Is(err, codes.ErrWrong):
		err = errWrongCode
	case errors.Is(err, codes.ErrOver):
		err = errCodeOver
	}
	if err != nil {
		return 0, nil, throttled(err)
	}
	return ownSession(x.door.LoginByIdentifier(x.ctx, vault.Login{Field: to.Field, Value: to.Value, How: "code", From: from}))
}

// stepsUp is the token of the session that a login comes from, "" for none. One that
// is over is refused, before a code is used up.
func (x *exchange) stepsUp() (string, error) {
	token, err := authn.Bearer(x.r)
	if err != nil || !strings.HasPrefix(token, vault.TokenPrefix) {
		return "", nil //nolint:nilerr // this route is anybody's
	}
	_, err = x.door.Subject(x.ctx, token)
	return token, err
}

func ownSession(opened *vault.OpenedSession, err error) (int, *wire.OwnSession, error) {
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, &wire.OwnSession{Token: opened.Token, Session: opened.ID, Assurance: string(opened.Assurance), ExpiresAt: opened.Expires}, nil
}

// throttled says when to come again as the vault does.
func throttled(err error) error {
	if wait, ok := errors.AsType[*codes.ThrottledError](err); ok {
		return refusal{code: vault.CodeRateLimited, detail: wait.Error(), retryAfter: wait.After}
	}
	return err
}
