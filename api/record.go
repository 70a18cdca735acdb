package api

import (
	"net/http"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func capture(x *exchange, in *wire.CaptureRequest) (int, *wire.CaptureAnswer, error) {
	ask := captureOf(in)
	ask.GPC = x.gpc()
	out, err := x.door.Capture(x.ctx, once(x, captured), ask)
	if err != nil {
		return 0, nil, err
	}
	status, answer := captured(out)
	return status, answer, nil
}

// captureOf is a capture in the vault's words.
func captureOf(in *wire.CaptureRequest) vault.CaptureRequest {
	ask := vault.CaptureRequest{Verified: in.Verified, Observed: in.Observed, Inferred: in.Inferred, Purposes: in.Purposes, ObservedAt: moment(in.ObservedAt)}
	if in.Subject != nil {
		who := ref(*in.Subject)
		if in.Subject.Strange { // a capture for an ID makes its person: not by any text
			who.ID = privacy.Nobody
		}
		ask.Subject = &who
	}
	for _, f := range in.Fields {
		ask.Fields = append(ask.Fields, vault.CapturedField{Field: f.Name, Value: f.Value.Sensitive})
	}
	if in.Grounds != nil {
		ask.Grounds = make([]vault.GroundTerm, 0, len(in.Grounds))
	}
	for _, g := range in.Grounds {
		ask.Grounds = append(ask.Grounds, vault.GroundTerm{Purpose: g.Purpose, Ref: g.Ref, Since: moment(g.Since), Until: moment(g.Until)})
	}
	for _, c := range in.Consents {
		ask.Consents = append(ask.Consents, consentOf(c))
	}
	return ask
}

// captured is what became of a capture, in the words of the wire.
func captured(out *vault.CaptureResult) (int, *wire.CaptureAnswer) {
	answer := wire.CaptureAnswer{Subject: out.Subject, Created: out.Created, Accepted: out.Accepted, Unchanged: out.Unchanged, Superseded: out.Superseded}
	for _, c := range out.Consents {
		answer.Consents = append(answer.Consents, wire.ConsentAnswer(c))
	}
	if out.Created {
		return http.StatusCreated, &answer
	}
	return http.StatusOK, &answer
}

func recordConsent(x *exchange, in *wire.ConsentRequest) (int, *wire.ConsentAnswer, error) {
	ask, record := consentOf(in.Consent), x.door.RecordConsent
	switch own := x.caller.Client.Role == vault.RoleSubject; {
	case own && !in.Subject.IsZero():
		return 0, nil, unprocessable("subject", wire.CodeUnknownMember, "a session is of one person: leave it out")
	case own:
		record = x.door.ActOwn
		if ask.Method == "" {
			ask.Method = ownMethod
		}
	default:
		if errs := in.CheckSubject(); len(errs) > 0 {
			return 0, nil, refusal{code: vault.CodeInvalidRequest, detail: invalidDetail, fields: errs}
		}
		ask.Subject = ref(in.Subject)
	}
	out, err := record(x.ctx, once(x, consented), ask)
	if err != nil {
		return 0, nil, err
	}
	status, answer := consented(out)
	return status, answer, nil
}

// ownMethod is how a person in a session said something, unless they say another.
const ownMethod = "privacy_centre"

func consented(out *vault.ConsentResult) (int, *wire.ConsentAnswer) {
	answer := wire.ConsentAnswer(*out)
	return http.StatusCreated, &answer
}

func consentOf(c wire.Consent) vault.ConsentRequest {
	ask := vault.ConsentRequest{Purpose: c.Purpose, Status: c.Status, Method: c.Method, NoticeVersion: c.NoticeVersion,
		Language: c.Language, Jurisdiction: c.Jurisdiction, At: moment(c.At), Evidence: c.Evidence}
	if c.By != nil {
		ask.By = &privacy.Actor{Role: c.By.Role, Ref: c.By.Ref}
	}
	return ask
}

func receipt(x *exchange) (*wire.ReceiptAnswer, error) {
	id, err := privacy.ParseConsentID(x.r.PathValue("id"))
	if err != nil {
		return nil, errNotFound
	}
	text, err := x.door.Receipt(x.ctx, x.caller, id)
	if err != nil {
		return nil, err
	}
	return &wire.ReceiptAnswer{Consent: id, Receipt: text}, nil
}

func recordGround(x *exchange, in *wire.GroundRequest) (int, *wire.GroundAnswer, error) {
	answer := &wire.GroundAnswer{Purpose: in.Purpose, Status: in.Status}
	by := once(x, func(any) (int, *wire.GroundAnswer) { return http.StatusCreated, answer })
	err := x.door.RecordGround(x.ctx, by, vault.GroundRequest{
		Subject: ref(in.Subject), Purpose: in.Purpose, Status: in.Status, Ref: in.Ref, At: moment(in.At),
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, answer, nil
}

func consentState(x *exchange) (*wire.ConsentStateAnswer, error) {
	id, purpose, err := x.personAndPurpose()
	if err != nil {
		return nil, err
	}
	out, err := x.door.ConsentState(x.ctx, x.caller, id, purpose)
	if err != nil {
		return nil, err
	}
	answer := wire.ConsentStateAnswer{Subject: x.r.PathValue("id"), Purpose: out.Purpose, Allowed: out.Allowed}
	if !out.Until.IsZero() {
		answer.Until = &out.Until
	}
	return &answer, nil
}

func missing(x *exchange) (*wire.MissingAnswer, error) {
	id, purpose, err := x.personAndPurpose()
	if err != nil {
		return nil, err
	}
	out, err := x.door.Missing(x.ctx, x.caller, id, purpose)
	if err != nil {
		return nil, err
	}
	answer := wire.MissingAnswer{Missing: []wire.Missing{}}
	for _, m := range out {
		answer.Missing = append(answer.Missing, wire.Missing(m))
	}
	return &answer, nil
}

// personAndPurpose reads what a question in a path is about.
func (x *exchange) personAndPurpose() (privacy.SubjectID, privacy.PurposeID, error) {
	id, err := x.person()
	if err != nil {
		return id, "", err
	}
	purpose := privacy.PurposeID(x.query.Get("purpose"))
	if purpose == "" {
		return id, "", unprocessable("purpose", wire.CodeRequired, "is required")
	}
	return id, purpose, nil
}

func whoami(x *exchange) (*wire.Whoami, error) {
	out, err := x.door.Whoami(x.caller)
	if err != nil {
		return nil, err
	}
	answer := wire.Whoami{Client: out.Client, Role: string(out.Role), Channel: out.Channel, Kind: out.Kind, Purposes: out.Purposes,
		Fields: out.Fields, Captures: out.Captures, Obtains: out.Obtains, Identifiers: out.Identifiers, Audiences: out.Audiences}
	for _, l := range out.Limits {
		answer.Limits = append(answer.Limits, wire.Limit{Name: l.Name, Limit: l.Limit, Left: l.Left, Resets: l.Resets})
	}
	return &answer, nil
}

// moment is a time a client gave, or the zero time: the vault's "now".
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
