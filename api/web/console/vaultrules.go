package console

import (
	"context"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// ruleVault is what the pages about rules and records ask of the vault.
type ruleVault interface {
	Policies(context.Context, vault.Caller) ([]vault.Policy, error)
	PolicyByID(ctx context.Context, by vault.Caller, id string) (*vault.Policy, error)
	PolicyEffects(ctx context.Context, by vault.Caller, id string) ([]policy.Effect, error)
	CheckPolicy(ctx context.Context, by vault.Caller, modules map[string]string) (*vault.PolicyTest, error)
	FormatPolicy(ctx context.Context, by vault.Caller, modules map[string]string) (map[string]string, error)
	InputDocument(context.Context, vault.Caller) ([]policy.InputPath, error)
	DraftPolicy(ctx context.Context, by vault.Caller, modules map[string]string, note string) (*vault.Policy, error)
	TestPolicy(ctx context.Context, by vault.Caller, id string) (*vault.PolicyTest, error)
	SubmitPolicy(ctx context.Context, by vault.Caller, id string) (*vault.Policy, error)
	ActivatePolicy(ctx context.Context, by vault.Caller, id string) (*vault.Policy, error)
	ApprovePolicy(ctx context.Context, by vault.Caller, id string) (*vault.Policy, error)
	RollbackPolicy(ctx context.Context, by vault.Caller, id string) (*vault.Policy, error)

	ReplayPolicy(ctx context.Context, by vault.Caller, id string, req vault.ReplayRequest, progress func(done, of uint64)) (*vault.PolicyReplay, error)
	ReplayPendingRegister(ctx context.Context, by vault.Caller, number uint64, req vault.ReplayRequest, progress func(done, of uint64)) (*vault.RegisterReplay, error)
	ReplayRegister(ctx context.Context, by vault.Caller, file string, yaml []byte, req vault.ReplayRequest, progress func(done, of uint64)) (*vault.RegisterReplay, error)

	Decision(ctx context.Context, by vault.Caller, id privacy.DecisionID) (*vault.DecisionView, error)
	Decisions(ctx context.Context, by vault.Caller, q vault.DecisionQuery) (*vault.DecisionsFound, error)

	ConsentsOverTime(ctx context.Context, by vault.Caller, req vault.ReportRequest) (*vault.ConsentsOverTime, error)
	Denials(ctx context.Context, by vault.Caller, req vault.ReportRequest) (*vault.Denials, error)
	Gaps(ctx context.Context, by vault.Caller, req vault.ReportRequest) (*vault.Gaps, error)
	Unread(ctx context.Context, by vault.Caller, req vault.ReportRequest) (*vault.Unread, error)
	ProcessingActivities(ctx context.Context, by vault.Caller) (*vault.ProcessingActivities, error)

	LogState(ctx context.Context, by vault.Caller) (*vault.LogState, error)
	Prove(ctx context.Context, id string) (*vault.Proof, error)

	Requests(ctx context.Context, by vault.Caller, before privacy.RequestID, limit int) ([]vault.Request, error)
	OpenRequests(ctx context.Context, by vault.Caller, after privacy.RequestID, limit int) ([]vault.Request, error)
	Request(ctx context.Context, by vault.Caller, id privacy.RequestID) (*vault.Request, error)
	EnterRequest(context.Context, vault.Caller, vault.EnterRequest) (*vault.Request, error)
	ApproveRequest(ctx context.Context, by vault.Caller, id privacy.RequestID) (*vault.Request, error)
	DeclineRequest(ctx context.Context, by vault.Caller, id privacy.RequestID, reason string) (*vault.Request, error)
	ConfirmIdentity(ctx context.Context, by vault.Caller, id privacy.RequestID, how string) (*vault.Request, error)
	ExtendRequest(ctx context.Context, by vault.Caller, id privacy.RequestID, reason string) (*vault.Request, error)
	AnswerRequest(ctx context.Context, by vault.Caller, id privacy.RequestID, what string) (*vault.Request, error)
}
