package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Error is a request that was refused as a whole. It never carries a personal
// value.
type Error struct {
	Code       string // a request code of docs/api.md
	Detail     string
	Fields     []FieldError
	RetryAfter time.Duration // for rate_limited and unavailable
	Until      time.Time     // when a contact may happen that may not now; zero: not known, or never
}

// FieldError is what is wrong with one field of a request.
type FieldError struct {
	Field  string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// The request codes.
const (
	CodePurposeNotGranted    = "purpose_not_granted"
	CodeUnknownPurpose       = "unknown_purpose"
	CodeConsentNotObtainable = "consent_not_obtainable"
	CodeChannelSuspended     = "channel_suspended"
	CodeForbidden            = "forbidden"
	CodeStepUpRequired       = "step_up_required"
	CodeFourEyes             = "four_eyes"
	CodeUnknownSubject       = "unknown_subject"
	CodeNotFound             = "not_found"
	CodeGone                 = "gone"
	CodeIdentityConflict     = "identity_conflict"
	CodeAlreadyBeingAsked    = "already_being_asked"
	CodeRevisionConflict     = "revision_conflict"
	CodeWrongState           = "wrong_state"
	CodeInProgress           = "idempotency_in_progress"
	CodeAlreadyDone          = "already_done"
	CodeKeyReused            = "idempotency_key_reused"
	CodeInvalidRequest       = "invalid_request"
	CodeContextRequired      = "context_required"
	CodeOneIdentifier        = "one_identifier"
	CodeFieldNotCapturable   = "field_not_capturable"
	CodeRateLimited          = "rate_limited"
	CodeUnavailable          = "unavailable"
)

// Error returns the code and the detail.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// Is matches another *Error of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// ErrInvalidClient is returned for credentials that are not, or no longer, good.
var ErrInvalidClient = errors.New("unknown client, or a secret that is wrong or revoked")

// ErrLogShorter is returned by Open for a vault whose log ends before what its
// ledger saw: it was cut, or is an older copy.
var ErrLogShorter = errors.New("the log is shorter than the ledger has seen it: only a restore may accept this vault")

// ErrLedgerShorter is returned by Open for a vault whose ledger lacks narrowing
// acts that the vault did: it was cut, or is an older copy.
var ErrLedgerShorter = errors.New("the ledger lacks acts that the vault did: it was cut, or is an older copy, and only a restore may accept it")

// ErrFresh is returned by Open for stores that Init never ran on.
var ErrFresh = errors.New("no vault has been initialised here")

// ErrForeign is returned by Open when the keyring is another vault's.
var ErrForeign = errors.New("the keyring belongs to another vault")

// errIntegrity marks a record that is not what the vault wrote there. What it
// touches is refused, never served.
var errIntegrity = fmt.Errorf("a stored record does not verify: %w", keys.ErrIntegrity)

// Withheld is one field of a decision that was not released, and why.
type Withheld struct {
	Field  privacy.FieldName `json:"field"`
	Code   privacy.Code      `json:"code"`
	Detail string            `json:"detail"`
}

// DeniedError is the outcome of a read that released nothing.
type DeniedError struct {
	Decision privacy.DecisionID
	Purpose  privacy.PurposeID
	Withheld []Withheld // in asked order
}

// Error names the decision.
func (e *DeniedError) Error() string {
	return fmt.Sprintf("denied: nothing may be released for %s (decision %s)", e.Purpose, e.Decision)
}

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func invalid(field, code, format string, args ...any) *Error {
	return &Error{Code: CodeInvalidRequest, Detail: "the request has a member that cannot be accepted",
		Fields: []FieldError{{Field: field, Code: code, Detail: fmt.Sprintf(format, args...)}}}
}

func unavailable(detail string) *Error {
	return &Error{Code: CodeUnavailable, Detail: detail, RetryAfter: time.Second}
}

// noDecision reports whether an error is the rules' fault: they gave none.
func noDecision(err error) bool {
	return errors.Is(err, policy.ErrDeadline) || errors.Is(err, policy.ErrEvaluation) || errors.Is(err, policy.ErrOutcome) || errors.Is(err, policy.ErrInput)
}

// refusal turns what went wrong below into an answer that tells nothing, and
// the operators what it was. Whatever it is, nothing is released.
func (v *Vault) refusal(err error) error {
	var refused *Error
	var denied *DeniedError
	var conflict *RevisionConflict
	switch {
	case errors.As(err, &refused), errors.As(err, &denied), errors.As(err, &conflict), errors.Is(err, ErrInvalidClient), errors.Is(err, errNotAmong):
		return err
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, policy.ErrDeadline):
		return err
	case noDecision(err):
		v.cfg.Logger.Error("the rules in force gave no decision; nothing was released", "err", err)
		return unavailable("no decision could be made")
	case errors.Is(err, store.ErrClosed):
		return unavailable("the vault's storage is closed: it is stopping, or could not write to its disk; GET /readyz says which")
	}
	v.cfg.Logger.Error("nothing was released or changed", "err", err)
	return unavailable("the vault cannot answer now")
}
