package console

import (
	"context"
	"encoding/json"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Vault is all that the console asks of the vault.
type Vault interface {
	ruleVault

	Ready() []string

	Authenticate(clientID, secret string) (vault.Client, error)
	BeginSession(ctx context.Context, client vault.Client, agent string) (token string, err error)
	OfficerSession(ctx context.Context, token string) (vault.Caller, *vault.SessionView, error)
	EndSession(ctx context.Context, token string) error
	Sessions(context.Context, vault.Caller) ([]vault.SessionView, error)
	RevokeSession(ctx context.Context, by vault.Caller, id string) error

	Credentials(context.Context, vault.Caller) ([]vault.CredentialView, error)
	UserHandle(officer string) []byte
	OfficerByHandle(ctx context.Context, handle []byte) (officer string, passkeys []vault.Passkey, err error)
	Passkeys(context.Context, vault.Caller) ([]vault.Passkey, error)
	AddPasskey(ctx context.Context, by vault.Caller, label string, credential json.RawMessage) (*vault.CredentialView, error)
	PasskeyUsed(ctx context.Context, officer, id string, credential json.RawMessage) (vault.Client, error)
	AddIdentity(ctx context.Context, by vault.Caller, label, issuer, subject string) (*vault.CredentialView, error)
	OfficerByIdentity(ctx context.Context, issuer, subject string) (vault.Client, error)
	EnrolmentOf(ctx context.Context, code string) (officer string, err error)
	Enrol(ctx context.Context, code string) (vault.Client, error)

	Desk(context.Context, vault.Caller) (work []byte, mark string, err error)
	PutDesk(ctx context.Context, by vault.Caller, work []byte, on string) error

	Register(context.Context, vault.Caller) (*vault.RegisterView, error)
	ApplyRegister(ctx context.Context, by vault.Caller, file string, yaml []byte, ifMatch *uint64, dryRun bool) (*vault.Applied, error)
	ApproveRegister(ctx context.Context, by vault.Caller, number uint64) (*vault.Applied, error)
	RejectRegister(ctx context.Context, by vault.Caller, number uint64, reason string) (*vault.Applied, error)

	Channels(context.Context, vault.Caller) ([]vault.ChannelView, error)
	SuspendChannel(context.Context, vault.Caller, privacy.ChannelID) (*vault.ChannelView, error)
	ResumeChannel(context.Context, vault.Caller, privacy.ChannelID) (*vault.ChannelView, error)
	NewSecret(context.Context, vault.Caller, privacy.ChannelID) (*vault.ChannelCredentials, error)
	RevokeSecret(ctx context.Context, by vault.Caller, id privacy.ChannelID, secretID string) error

	Officers(context.Context, vault.Caller) ([]vault.OfficerView, error)
	AddOfficer(ctx context.Context, by vault.Caller, name string) (*vault.OfficerChange, error)
	InviteOfficer(ctx context.Context, by vault.Caller, name string) (*vault.OfficerChange, error)
	RenewEnrolment(ctx context.Context, by vault.Caller, name string) (*vault.OfficerChange, error)
	RemoveOfficer(ctx context.Context, by vault.Caller, name string) (*vault.OfficerChange, error)
	ApproveOfficer(ctx context.Context, by vault.Caller, name string) (*vault.OfficerChange, error)
	RejectOfficer(ctx context.Context, by vault.Caller, name, reason string) (*vault.OfficerChange, error)
	NewOfficerSecret(ctx context.Context, by vault.Caller, name string) (*vault.OfficerChange, error)
	RevokeOfficerSecret(ctx context.Context, by vault.Caller, name, secretID string) error

	Policies(context.Context, vault.Caller) ([]vault.Policy, error)
	ApprovePolicy(context.Context, vault.Caller, string) (*vault.Policy, error)
	RejectPolicy(ctx context.Context, by vault.Caller, id, reason string) (*vault.Policy, error)

	Lookup(ctx context.Context, by vault.Caller, ref vault.SubjectRef, reason string) (privacy.SubjectID, error)
}
