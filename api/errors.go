package api

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/api/authn"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

const (
	codeDenied   = "denied"
	codeInternal = "internal"
	codeWrong    = "wrong_code"
	codeOver     = "code_over"
	typePrefix   = "urn:sayso:problem:"
)

// refusals is the one table of codes: the status and the title of each. A code
// of the vault that does not stand here is a fault of ours, and answered as one.
var refusals = map[string]struct {
	status int
	title  string
}{
	codeDenied:                     {http.StatusForbidden, "Nothing may be released"},
	vault.CodePurposeNotGranted:    {http.StatusForbidden, "The purpose is not granted to this client"},
	vault.CodeUnknownPurpose:       {http.StatusForbidden, "The register has no such purpose"},
	vault.CodeConsentNotObtainable: {http.StatusForbidden, "This channel does not obtain consent for the purpose"},
	vault.CodeChannelSuspended:     {http.StatusForbidden, "The channel is suspended"},
	vault.CodeForbidden:            {http.StatusForbidden, "Not for this client"},
	vault.CodeStepUpRequired:       {http.StatusForbidden, "A verified login is needed"},
	vault.CodeFourEyes:             {http.StatusForbidden, "A second officer is needed"},
	vault.CodeUnknownSubject:       {http.StatusNotFound, "No such person"},
	vault.CodeNotFound:             {http.StatusNotFound, "Not found"},
	vault.CodeGone:                 {http.StatusGone, "Erased"},
	vault.CodeTooOld:               {http.StatusGone, "No longer kept"},
	vault.CodeAlreadyBeingAsked:    {http.StatusConflict, "Another channel is asking"},
	vault.CodeContactCap:           {http.StatusConflict, "The person was contacted often enough"},
	vault.CodeQuietHours:           {http.StatusConflict, "Not at this hour"},
	vault.CodeAlreadyOrdered:       {http.StatusConflict, "It is ordered already"},
	vault.CodeAlreadyAnswered:      {http.StatusConflict, "It is answered already"},
	vault.CodeExpired:              {http.StatusConflict, "It has expired"},
	string(privacy.CodeNoConsent):  {http.StatusConflict, "No say-so for this contact"},
	vault.CodePolicy:               {http.StatusConflict, "The rules in force keep this contact back"},
	vault.CodeIdentityConflict:     {http.StatusConflict, "The identifiers belong to different persons"},
	vault.CodeRevisionConflict:     {http.StatusConflict, "The register has changed since"},
	vault.CodeWrongState:           {http.StatusConflict, "Not possible in this state"},
	vault.CodeInProgress:           {http.StatusConflict, "The first request with this key is still running"},
	vault.CodeAlreadyDone:          {http.StatusConflict, "Already done"},
	vault.CodeKeyReused:            {http.StatusUnprocessableEntity, "This key was used for another request"},
	vault.CodeInvalidRequest:       {http.StatusUnprocessableEntity, "The request cannot be accepted"},
	vault.CodeContextRequired:      {http.StatusUnprocessableEntity, "The rules in force need more context"},
	vault.CodeOneIdentifier:        {http.StatusUnprocessableEntity, "One identifier names a person"},
	vault.CodeFieldNotCapturable:   {http.StatusUnprocessableEntity, "This channel may not capture the field"},
	vault.CodeRateLimited:          {http.StatusTooManyRequests, "Too many requests"},
	vault.CodeUnavailable:          {http.StatusServiceUnavailable, "The vault cannot answer now"},
	"unauthenticated":              {http.StatusUnauthorized, "Who calls is not known"},
	"invalid_token":                {http.StatusUnauthorized, "The access token is not valid"},
	"method_not_allowed":           {http.StatusMethodNotAllowed, "Not with this method"},
	"unsupported_media_type":       {http.StatusUnsupportedMediaType, "Not in this format"},
	"too_large":                    {http.StatusRequestEntityTooLarge, "The body is too large"},
	codeWrong:                      {http.StatusForbidden, "Not the code"},
	codeOver:                       {http.StatusGone, "This code is over"},
	codeInternal:                   {http.StatusInternalServerError, "Something went wrong here"},
}

// refusal is an answer that is not what was asked for. A zero status is that of
// its code in the table.
type refusal struct {
	status     int
	code       string
	detail     string
	fields     []wire.FieldError
	lines      []wire.LineProblem
	conflict   *wire.Conflict
	retryAfter time.Duration
	challenge  string // WWW-Authenticate (RFC 6750)
	allow      string
	until      time.Time // of a contact that may not happen yet
	hangUp     bool
}

func (r refusal) Error() string { return r.code + ": " + r.detail }

// seconds is when to try again, as Retry-After tells it.
func (r refusal) seconds() int { return max(1, int(math.Ceil(r.retryAfter.Seconds()))) }

var (
	errSuspended = refusal{code: vault.CodeChannelSuspended, detail: "an officer suspended this channel"}
	errWrongRole = refusal{code: vault.CodeForbidden, detail: "this route is not for clients of this kind", challenge: `Bearer realm="sayso", error="insufficient_scope"`}
	errInternal  = refusal{code: codeInternal}
	errNotFound  = refusal{code: vault.CodeNotFound, detail: "there is nothing here"}
)

// unprocessable is the refusal of one member of a request.
func unprocessable(field, code, detail string) refusal {
	return refusal{status: http.StatusUnprocessableEntity, code: vault.CodeInvalidRequest, detail: invalidDetail,
		fields: []wire.FieldError{{Field: field, Code: code, Detail: detail}}}
}

// refusalOf maps an error to its answer. What it does not know is an internal
// error of which the client is told nothing.
func refusalOf(err error) (r refusal, known bool) {
	if errors.As(err, &r) {
		return r, true
	}
	var refused *vault.Error
	if errors.As(err, &refused) {
		if _, ok := refusals[refused.Code]; !ok {
			return errInternal, false
		}
		r = refusal{code: refused.Code, detail: refused.Detail, retryAfter: refused.RetryAfter, until: refused.Until}
		for _, f := range refused.Fields {
			r.fields = append(r.fields, wire.FieldError(f))
		}
		return r, true
	}
	var register *vault.RegisterProblems
	if errors.As(err, &register) {
		r = refusal{code: vault.CodeInvalidRequest, detail: "the register has problems; nothing was applied"}
		for _, p := range register.Problems {
			r.lines = append(r.lines, wire.LineProblem{File: p.File, Line: p.Line, Column: p.Column, Key: p.Key, Detail: p.Detail})
		}
		return r, true
	}
	var conflict *vault.RevisionConflict
	if errors.As(err, &conflict) {
		r = refusal{code: vault.CodeRevisionConflict, detail: conflict.Error(), conflict: &wire.Conflict{Revision: conflict.Revision, By: conflict.By,
			Theirs: changes(conflict.Theirs), Yours: changes(conflict.Yours)}}
		if !conflict.At.IsZero() {
			r.conflict.At = &conflict.At
		}
		return r, true
	}
	var policy *vault.PolicyProblems
	if errors.As(err, &policy) {
		r = refusal{code: vault.CodeInvalidRequest, detail: "the rules have problems; nothing was kept"}
		for _, p := range policy.Problems {
			r.lines = append(r.lines, wire.LineProblem{Module: p.Module, Line: p.Line, Column: p.Column, Message: p.Message})
		}
		return r, true
	}
	switch {
	case errors.Is(err, authn.ErrNoToken):
		return refusal{code: "unauthenticated", detail: authn.ErrNoToken.Error(), challenge: `Bearer realm="sayso"`}, true
	case errors.Is(err, authn.ErrToken), errors.Is(err, vault.ErrInvalidClient): // the secret was revoked in between
		return refusal{code: "invalid_token", detail: authn.ErrToken.Error(), challenge: `Bearer realm="sayso", error="invalid_token"`}, true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refusal{code: vault.CodeUnavailable, detail: "the answer took too long", retryAfter: time.Second}, true
	}
	return errInternal, false
}

// refuse answers a request with a problem.
func (x *exchange) refuse(err error) {
	var denied *vault.DeniedError
	if errors.As(err, &denied) {
		x.code = codeDenied
		x.write(http.StatusForbidden, mediaProblem, appendDenied(nil, denied))
		return
	}
	r, known := refusalOf(err)
	if !known {
		x.failed(err)
	}
	entry := refusals[r.code]
	if r.status == 0 {
		r.status = entry.status
	}
	h := x.w.Header()
	if r.challenge != "" {
		h.Set("WWW-Authenticate", r.challenge)
	}
	if r.allow != "" {
		h.Set("Allow", r.allow)
	}
	if r.hangUp {
		h.Set("Connection", "close")
	}
	if r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable {
		wait := strconv.Itoa(r.seconds())
		h.Set("Retry-After", wait)
		if r.status == http.StatusTooManyRequests {
			x.tellLimits(r.seconds())
		}
	}
	x.code = r.code
	body, err := json.Marshal(wire.Problem{Type: typePrefix + r.code, Title: entry.title, Status: r.status, Code: r.code,
		Detail: r.detail, RequestID: x.requestID, Errors: r.fields, Problems: r.lines, Conflict: r.conflict, Until: pointer(r.until)})
	if err != nil {
		body = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal"}`)
		r.status = http.StatusInternalServerError
	}
	x.write(r.status, mediaProblem, body)
}

// failed tells the operators of an error that clients are told nothing of.
func (x *exchange) failed(err error) {
	x.logger.LogAttrs(x.ctx, slog.LevelError, "a request failed", slog.String("route", x.route.pattern),
		slog.String("request_id", x.requestID), slog.String("error", err.Error()))
}

// appendDenied appends the problem of a read that released nothing. It holds
// the decision, the purpose, what was withheld, and nothing else: with the same
// fields withheld for the same reasons it has the same members and the same
// length, whoever was asked about.
func appendDenied(b []byte, d *vault.DeniedError) []byte {
	return append(appendReasons(append(b, `{"status":403,`...), d), '}')
}

// appendReasons appends the members of such a problem but the status.
func appendReasons(b []byte, d *vault.DeniedError) []byte {
	b = append(b, `"type":"`+typePrefix+codeDenied+`","title":"Nothing may be released","code":"`+codeDenied+
		`","detail":"nothing may be released for this purpose; the reasons stand in withheld","decision":"`...)
	b = append(b, d.Decision.String()...)
	b = append(b, `","purpose":`...)
	b = quote(b, string(d.Purpose))
	b = append(b, `,"withheld":`...)
	return appendWithheld(b, d.Withheld)
}

// quote appends a JSON string. What is not UTF-8 is replaced.
func quote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
