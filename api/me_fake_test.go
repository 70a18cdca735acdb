package api

import (
	"context"
	"net/http"

	"github.com/sayso-vault/sayso/api/authn/codes"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// personToken is the token of the fake vault's one session of a person.
const personToken = vault.TokenPrefix + "person"

func (f *fake) Subject(_ context.Context, token string) (vault.Caller, error) {
	if token != personToken {
		return vault.Caller{}, vault.ErrInvalidClient
	}
	return vault.Caller{Client: vault.Client{ID: "subject.ses_1", Role: vault.RoleSubject, Channel: "web"}}, nil
}

func (f *fake) OpenSession(context.Context, vault.Caller, vault.SubjectRef) (*vault.OpenedSession, error) {
	return &vault.OpenedSession{SubjectSession: vault.SubjectSession{Expires: morning}, Token: personToken, Code: "once"}, f.called("open session")
}

func (f *fake) EnterByCode(context.Context, string) (*vault.OpenedSession, error) {
	return &vault.OpenedSession{Token: personToken}, f.called("enter")
}

func (f *fake) LoginByIdentifier(context.Context, vault.Login) (*vault.OpenedSession, error) {
	return &vault.OpenedSession{Token: personToken}, f.called("login")
}

// fakeCodes sends nothing, and knows any code.
type fakeCodes struct{}

func (fakeCodes) AskCode(*http.Request, codes.Address, string) (string, error) { return "attempt", nil }
func (fakeCodes) CheckCode(*http.Request, string, string) (codes.Address, error) {
	return codes.Address{Field: "email"}, nil
}

func (f *fake) OwnSessions(context.Context, vault.Caller) ([]vault.SubjectSession, error) {
	return []vault.SubjectSession{{ID: privacy.SessionID(record), Channel: "web", Assurance: vault.AssuranceChannel, How: "link", Opened: morning, Expires: morning, Current: true}}, f.called("sessions")
}

func (f *fake) EndOwnSession(context.Context, vault.Caller, privacy.SessionID) error {
	return f.called("end session")
}

func (f *fake) Me(context.Context, vault.Caller) (*vault.Me, error) {
	return &vault.Me{Decision: decision, Assurance: vault.AssuranceVerified, Full: true, Restricted: morning,
		Values: []vault.OwnValue{{Field: "given_name", Title: privacy.Text{"de": "Vorname"}, Value: privacy.NewSensitive([]byte(`"Anahita"`)), Observed: morning,
			Recorded: morning, Channel: "web", Origin: privacy.Declared, For: []vault.Holding{{Purpose: "delivery", Title: privacy.Text{"": "Delivery"}, Basis: privacy.Contract, Until: morning}}}},
		Purposes: []vault.OwnPurpose{{Purpose: "delivery", Basis: privacy.Contract, Fields: []privacy.FieldName{"given_name"}, Status: privacy.StatusNone,
			Notice: &vault.OwnNotice{Version: "1"}, Retention: privacy.Period{Years: 1}, Allowed: true}}}, f.called("me")
}

func (f *fake) Correct(context.Context, vault.Caller, []vault.CapturedField) (*vault.CaptureResult, error) {
	return &vault.CaptureResult{Subject: ana, Accepted: []privacy.FieldName{"given_name"}}, f.called("correct")
}

func (f *fake) ActOwn(ctx context.Context, c vault.Caller, r vault.ConsentRequest) (*vault.ConsentResult, error) {
	return f.RecordConsent(ctx, c, r)
}

func (f *fake) OwnConsents(context.Context, vault.Caller, privacy.ConsentID, int) ([]vault.OwnConsent, error) {
	return []vault.OwnConsent{{Consent: record, Purpose: "marketing", Status: privacy.StatusGiven, At: morning, Recorded: morning, Method: "web_form", By: privacy.Actor{Role: privacy.BySubject}}}, f.called("own consents")
}

func (f *fake) Accesses(context.Context, vault.Caller, vault.AccessRequest) (*vault.Accesses, error) {
	return &vault.Accesses{Accesses: []vault.OwnAccess{{Decision: decision, At: morning, Kind: vault.AccessRead, Channel: "web", Purpose: "delivery",
		Released: []privacy.FieldName{"given_name"}, Masked: map[privacy.FieldName]privacy.Mask{"email": "partial"}, LogIndex: 4}}, Count: 5}, f.called("accesses")
}

func (f *fake) ProveAccess(context.Context, vault.Caller, privacy.DecisionID) (*vault.Proof, error) {
	return &vault.Proof{Format: "sayso-proof/1"}, f.called("prove")
}

func (f *fake) Export(_ context.Context, _ vault.Caller, scope vault.Scope) (*vault.Takeout, error) {
	return &vault.Takeout{Scope: scope, Subject: ana}, f.called("export own")
}

func (f *fake) ExportFor(_ context.Context, _ vault.Caller, id privacy.SubjectID, scope vault.Scope, _ string) (*vault.Takeout, error) {
	return &vault.Takeout{Scope: scope, Subject: id}, f.called("export person")
}

func (f *fake) PreviewErasure(context.Context, vault.Caller) (*vault.ErasurePreview, error) {
	return &vault.ErasurePreview{Remains: []vault.Stay{{Purpose: "invoices", Basis: privacy.LegalObligation}}}, f.called("preview")
}

func (f *fake) TakeBackErasure(context.Context, vault.Caller, *privacy.Actor) (*vault.Request, error) {
	return &vault.Request{Kind: vault.RequestErasure, Status: vault.RequestWithdrawn}, f.called("take back")
}

func (f *fake) RequestLink(privacy.RequestID) string { return "link" }

func (f *fake) RequestByLink(context.Context, string) (*vault.Request, error) {
	return &vault.Request{ID: privacy.RequestID(record), Kind: vault.RequestErasure, Status: vault.RequestCompleted, ReceivedAt: morning, DueAt: morning}, f.called("status")
}

func (f *fake) RestrictOwn(context.Context, vault.Caller, string, *privacy.Actor) (*vault.Restriction, error) {
	return &vault.Restriction{Restricted: true, Since: morning}, f.called("restrict own")
}

func (f *fake) LiftOwn(context.Context, vault.Caller, *privacy.Actor) (*vault.Restriction, error) {
	return &vault.Restriction{}, f.called("lift own")
}

func (f *fake) Restrict(context.Context, vault.Caller, privacy.SubjectID, string) (*vault.Restriction, error) {
	return &vault.Restriction{Restricted: true, Since: morning}, f.called("restrict")
}

func (f *fake) Lift(context.Context, vault.Caller, privacy.SubjectID, string) (*vault.Restriction, error) {
	return &vault.Restriction{}, f.called("lift")
}

func (f *fake) EnterRequest(ctx context.Context, c vault.Caller, r vault.EnterRequest) (*vault.Request, error) {
	return f.Erase(ctx, c, vault.EraseRequest{Subject: r.Subject, Reason: r.Reason})
}

func (f *fake) ConfirmIdentity(ctx context.Context, c vault.Caller, id privacy.RequestID, _ string) (*vault.Request, error) {
	return f.Request(ctx, c, id)
}

func (f *fake) ExtendRequest(ctx context.Context, c vault.Caller, id privacy.RequestID, _ string) (*vault.Request, error) {
	return f.Request(ctx, c, id)
}

func (f *fake) AnswerRequest(ctx context.Context, c vault.Caller, id privacy.RequestID, _ string) (*vault.Request, error) {
	return f.Request(ctx, c, id)
}

func (f *fake) OwnRequests(context.Context, vault.Caller) ([]vault.Request, error) {
	return []vault.Request{{ID: privacy.RequestID(record), Kind: vault.RequestObjection, Status: vault.RequestInProgress, ReceivedAt: morning, DueAt: morning}}, f.called("own requests")
}

func (f *fake) ContestOwn(_ context.Context, _ vault.Caller, field privacy.FieldName, _ string, _ *privacy.Actor) (*vault.Contest, error) {
	return &vault.Contest{Field: field, Status: vault.RequestInProgress}, f.called("contest")
}

func (f *fake) ObjectOwn(context.Context, vault.Caller, privacy.PurposeID, string, *privacy.Actor) (*vault.Objection, error) {
	return &vault.Objection{ConsentResult: vault.ConsentResult{Consent: record, Status: privacy.StatusObjected, Receipt: "a.b.c"}, Absolute: true}, f.called("object")
}
