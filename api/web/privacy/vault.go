package privacy

import (
	"context"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Vault is what the pages ask and tell: each act as the person of a session.
type Vault interface {
	Titles() (*vault.Titles, error)

	EnterByCode(ctx context.Context, code string) (*vault.OpenedSession, error)
	MayLogin(ctx context.Context, field privacy.FieldName, value privacy.Sensitive) (bool, error)
	LoginByIdentifier(context.Context, vault.Login) (*vault.OpenedSession, error)
	Subject(ctx context.Context, token string) (vault.Caller, error)
	OwnSessions(context.Context, vault.Caller) ([]vault.SubjectSession, error)
	EndOwnSession(context.Context, vault.Caller, privacy.SessionID) error

	Me(context.Context, vault.Caller) (*vault.Me, error)
	ActOwn(context.Context, vault.Caller, vault.ConsentRequest) (*vault.ConsentResult, error)
	Correct(context.Context, vault.Caller, []vault.CapturedField) (*vault.CaptureResult, error)
	ContestOwn(ctx context.Context, by vault.Caller, field privacy.FieldName, reason string, who *privacy.Actor) (*vault.Contest, error)
	ObjectOwn(ctx context.Context, by vault.Caller, purpose privacy.PurposeID, reason string, who *privacy.Actor) (*vault.Objection, error)
	OwnConsents(ctx context.Context, by vault.Caller, before privacy.ConsentID, limit int) ([]vault.OwnConsent, error)
	Receipt(context.Context, vault.Caller, privacy.ConsentID) (string, error)
	Accesses(context.Context, vault.Caller, vault.AccessRequest) (*vault.Accesses, error)
	ProveAccess(context.Context, vault.Caller, privacy.DecisionID) (*vault.Proof, error)

	Export(context.Context, vault.Caller, vault.Scope) (*vault.Takeout, error)
	RestrictOwn(ctx context.Context, by vault.Caller, reason string, who *privacy.Actor) (*vault.Restriction, error)
	LiftOwn(ctx context.Context, by vault.Caller, who *privacy.Actor) (*vault.Restriction, error)
	PreviewErasure(context.Context, vault.Caller) (*vault.ErasurePreview, error)
	Erase(context.Context, vault.Caller, vault.EraseRequest) (*vault.Request, error)
	TakeBackErasure(ctx context.Context, by vault.Caller, who *privacy.Actor) (*vault.Request, error)
	OwnRequests(context.Context, vault.Caller) ([]vault.Request, error)
	RequestLink(privacy.RequestID) string
	RequestByLink(ctx context.Context, link string) (*vault.Request, error)
}
