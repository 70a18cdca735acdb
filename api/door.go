package api

import (
	"context"
	"crypto"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// door is all that this package asks of the vault.
type door interface {
	Ready() []string

	Authenticate(clientID, secret string) (vault.Client, error)
	Client(clientID, secretID string) (vault.Client, error)
	TokenKey() crypto.Signer
	EvidenceKeys() []keys.EvidenceKey
	AllowRequest(vault.Caller) error
	Limits(vault.Caller) []vault.LimitState
	Once(context.Context, vault.Caller, vault.OnceRequest) (*vault.Once, *vault.Answer, error)
	Whoami(vault.Caller) (*vault.Whoami, error)

	Read(context.Context, vault.Caller, vault.ReadRequest) (*vault.ReadResult, error)
	ReadBatch(context.Context, vault.Caller, []vault.ReadRequest) []vault.ReadOutcome
	Audience(context.Context, vault.Caller, vault.AudienceRequest, func(time.Time, []vault.ReadOutcome) (used, next int, err error)) error
	Capture(context.Context, vault.Caller, vault.CaptureRequest) (*vault.CaptureResult, error)
	CaptureBatch(context.Context, vault.Caller, []vault.CaptureRequest) ([]vault.CaptureOutcome, error)
	ImportRows(context.Context, vault.Caller, vault.ImportRequest) (*vault.Import, []vault.Reject, error)
	Import(context.Context, vault.Caller, vault.ImportID) (*vault.Import, error)
	ImportRejects(ctx context.Context, c vault.Caller, id vault.ImportID, after uint64) ([]vault.Reject, uint64, error)
	CheckRows(ctx context.Context, c vault.Caller, from uint64, rows []vault.ImportRow) ([]vault.Reject, error)
	RecordConsent(context.Context, vault.Caller, vault.ConsentRequest) (*vault.ConsentResult, error)
	OpenSession(ctx context.Context, c vault.Caller, who vault.SubjectRef) (*vault.OpenedSession, error)
	EnterByCode(ctx context.Context, code string) (*vault.OpenedSession, error)
	LoginByIdentifier(context.Context, vault.Login) (*vault.OpenedSession, error)
	Subject(ctx context.Context, token string) (vault.Caller, error)
	OwnSessions(context.Context, vault.Caller) ([]vault.SubjectSession, error)
	EndOwnSession(context.Context, vault.Caller, privacy.SessionID) error
	Me(context.Context, vault.Caller) (*vault.Me, error)
	Correct(context.Context, vault.Caller, []vault.CapturedField) (*vault.CaptureResult, error)
	ActOwn(context.Context, vault.Caller, vault.ConsentRequest) (*vault.ConsentResult, error)
	OwnConsents(ctx context.Context, c vault.Caller, before privacy.ConsentID, limit int) ([]vault.OwnConsent, error)
	Accesses(context.Context, vault.Caller, vault.AccessRequest) (*vault.Accesses, error)
	Export(ctx context.Context, c vault.Caller, scope vault.Scope) (*vault.Takeout, error)
	ExportFor(ctx context.Context, c vault.Caller, id privacy.SubjectID, scope vault.Scope, reason string) (*vault.Takeout, error)
	PreviewErasure(context.Context, vault.Caller) (*vault.ErasurePreview, error)
	TakeBackErasure(ctx context.Context, by vault.Caller, who *privacy.Actor) (*vault.Request, error)
	RequestLink(privacy.RequestID) string
	RequestByLink(ctx context.Context, link string) (*vault.Request, error)
	RestrictOwn(ctx context.Context, c vault.Caller, reason string, who *privacy.Actor) (*vault.Restriction, error)
	LiftOwn(ctx context.Context, c vault.Caller, who *privacy.Actor) (*vault.Restriction, error)
	Restrict(ctx context.Context, c vault.Caller, id privacy.SubjectID, reason string) (*vault.Restriction, error)
	Lift(ctx context.Context, c vault.Caller, id privacy.SubjectID, reason string) (*vault.Restriction, error)
	ProveAccess(context.Context, vault.Caller, privacy.DecisionID) (*vault.Proof, error)
	Receipt(context.Context, vault.Caller, privacy.ConsentID) (string, error)
	Reply(context.Context, vault.Caller, vault.ReplyRequest) (*vault.ReplyResult, error)
	UnsubscribeToken(context.Context, vault.Caller, privacy.SubjectID, privacy.PurposeID) (string, error)
	RegisterSince(context.Context) (time.Time, error)
	RecordGround(context.Context, vault.Caller, vault.GroundRequest) error
	ConsentState(context.Context, vault.Caller, privacy.SubjectID, privacy.PurposeID) (*vault.ConsentState, error)
	Missing(context.Context, vault.Caller, privacy.SubjectID, privacy.PurposeID) ([]vault.Missing, error)
	AskMissing(context.Context, vault.Caller, vault.AskRequest) (*vault.AskResult, error)
	RecordRefusal(context.Context, vault.Caller, vault.AskRequest) error
	CheckTouch(context.Context, vault.Caller, vault.TouchRequest) (*vault.TouchVerdict, error)
	RecordTouch(context.Context, vault.Caller, vault.TouchRequest) (*vault.TouchResult, error)
	StreamEvents(ctx context.Context, c vault.Caller, req vault.EventsRequest, tell func(some []vault.Event, mark func() string) error) error
	Notices(context.Context, vault.Caller, privacy.SubjectID) ([]vault.Notice, error)
	Matches(ctx context.Context, c vault.Caller, after vault.Pair, limit int) ([]vault.Match, error)
	AckEvents(ctx context.Context, c vault.Caller, id string) error
	AddWebhook(context.Context, vault.Caller, vault.WebhookRequest) (*vault.WebhookSecret, error)
	Webhooks(context.Context, vault.Caller) ([]vault.Webhook, error)
	RemoveWebhook(ctx context.Context, c vault.Caller, id string) error
	RotateWebhook(ctx context.Context, c vault.Caller, id string) (*vault.WebhookSecret, error)
	DeadLetters(ctx context.Context, c vault.Caller, id string) ([]vault.DeadLetter, error)
	ReplayWebhook(ctx context.Context, c vault.Caller, id string, events []string) (int, error)

	Register(context.Context, vault.Caller) (*vault.RegisterView, error)
	ApplyRegister(ctx context.Context, c vault.Caller, file string, yaml []byte, ifMatch *uint64, dryRun bool) (*vault.Applied, error)
	ApproveRegister(ctx context.Context, c vault.Caller, number uint64) (*vault.Applied, error)
	ReplayRegister(ctx context.Context, c vault.Caller, file string, yaml []byte, req vault.ReplayRequest, progress func(done, of uint64)) (*vault.RegisterReplay, error)
	ReplayPendingRegister(ctx context.Context, c vault.Caller, number uint64, req vault.ReplayRequest, progress func(done, of uint64)) (*vault.RegisterReplay, error)
	RejectRegister(ctx context.Context, c vault.Caller, number uint64, reason string) (*vault.Applied, error)
	ProcessingActivities(context.Context, vault.Caller) (*vault.ProcessingActivities, error)
	Breach(ctx context.Context, c vault.Caller, req vault.BreachRequest, some func([]vault.BreachLine) error) (*vault.BreachReport, error)
	Officers(context.Context, vault.Caller) ([]vault.OfficerView, error)
	AddOfficer(ctx context.Context, c vault.Caller, name string) (*vault.OfficerChange, error)
	InviteOfficer(ctx context.Context, c vault.Caller, name string) (*vault.OfficerChange, error)
	RemoveOfficer(ctx context.Context, c vault.Caller, name string) (*vault.OfficerChange, error)
	ApproveOfficer(ctx context.Context, c vault.Caller, name string) (*vault.OfficerChange, error)
	RejectOfficer(ctx context.Context, c vault.Caller, name, reason string) (*vault.OfficerChange, error)
	NewOfficerSecret(ctx context.Context, c vault.Caller, name string) (*vault.OfficerChange, error)
	RevokeOfficerSecret(ctx context.Context, c vault.Caller, name, secretID string) error
	CheckPolicy(ctx context.Context, c vault.Caller, modules map[string]string) (*vault.PolicyTest, error)
	DraftPolicy(ctx context.Context, c vault.Caller, modules map[string]string, note string) (*vault.Policy, error)
	Policies(context.Context, vault.Caller) ([]vault.Policy, error)
	PolicyByID(context.Context, vault.Caller, string) (*vault.Policy, error)
	TestPolicy(context.Context, vault.Caller, string) (*vault.PolicyTest, error)
	ReplayPolicy(ctx context.Context, c vault.Caller, id string, req vault.ReplayRequest, progress func(done, of uint64)) (*vault.PolicyReplay, error)
	SubmitPolicy(context.Context, vault.Caller, string) (*vault.Policy, error)
	ApprovePolicy(context.Context, vault.Caller, string) (*vault.Policy, error)
	RejectPolicy(ctx context.Context, c vault.Caller, id, reason string) (*vault.Policy, error)
	ActivatePolicy(context.Context, vault.Caller, string) (*vault.Policy, error)
	RollbackPolicy(context.Context, vault.Caller, string) (*vault.Policy, error)
	Decision(context.Context, vault.Caller, privacy.DecisionID) (*vault.DecisionView, error)
	Decisions(context.Context, vault.Caller, vault.DecisionQuery) (*vault.DecisionsFound, error)
	ConsentsOverTime(context.Context, vault.Caller, vault.ReportRequest) (*vault.ConsentsOverTime, error)
	Denials(context.Context, vault.Caller, vault.ReportRequest) (*vault.Denials, error)
	Gaps(context.Context, vault.Caller, vault.ReportRequest) (*vault.Gaps, error)
	Unread(context.Context, vault.Caller, vault.ReportRequest) (*vault.Unread, error)
	Erase(context.Context, vault.Caller, vault.EraseRequest) (*vault.Request, error)
	Requests(ctx context.Context, c vault.Caller, before privacy.RequestID, limit int) ([]vault.Request, error)
	OpenRequests(ctx context.Context, c vault.Caller, after privacy.RequestID, limit int) ([]vault.Request, error)
	Request(context.Context, vault.Caller, privacy.RequestID) (*vault.Request, error)
	ApproveRequest(context.Context, vault.Caller, privacy.RequestID) (*vault.Request, error)
	DeclineRequest(ctx context.Context, c vault.Caller, id privacy.RequestID, reason string) (*vault.Request, error)
	EnterRequest(context.Context, vault.Caller, vault.EnterRequest) (*vault.Request, error)
	ConfirmIdentity(ctx context.Context, c vault.Caller, id privacy.RequestID, how string) (*vault.Request, error)
	ExtendRequest(ctx context.Context, c vault.Caller, id privacy.RequestID, reason string) (*vault.Request, error)
	AnswerRequest(ctx context.Context, c vault.Caller, id privacy.RequestID, what string) (*vault.Request, error)
	OwnRequests(context.Context, vault.Caller) ([]vault.Request, error)
	ContestOwn(ctx context.Context, c vault.Caller, field privacy.FieldName, reason string, who *privacy.Actor) (*vault.Contest, error)
	ObjectOwn(ctx context.Context, c vault.Caller, purpose privacy.PurposeID, reason string, who *privacy.Actor) (*vault.Objection, error)
	PlaceHold(context.Context, vault.Caller, vault.HoldRequest) (*vault.Hold, error)
	ReleaseHold(ctx context.Context, c vault.Caller, id privacy.SubjectID, hold *privacy.HoldID) ([]vault.Hold, error)
	Holds(context.Context, vault.Caller, privacy.SubjectID) ([]vault.Hold, error)
	Lookup(ctx context.Context, c vault.Caller, who vault.SubjectRef, reason string) (privacy.SubjectID, error)
	Channels(context.Context, vault.Caller) ([]vault.ChannelView, error)
	SuspendChannel(context.Context, vault.Caller, privacy.ChannelID) (*vault.ChannelView, error)
	ResumeChannel(context.Context, vault.Caller, privacy.ChannelID) (*vault.ChannelView, error)
	NewSecret(context.Context, vault.Caller, privacy.ChannelID) (*vault.ChannelCredentials, error)
	RevokeSecret(ctx context.Context, c vault.Caller, channel privacy.ChannelID, secretID string) error
	ConfirmClock(context.Context, vault.Caller) error
	ExportRegister(context.Context, vault.Caller, vault.ExportRequest, func([]vault.RegisterLine) error) (*vault.Exported, error)
	ExportConsents(context.Context, vault.Caller, vault.ExportRequest, func([]vault.ConsentLine) error) (*vault.Exported, error)
	ExportDecisions(context.Context, vault.Caller, vault.ExportRequest, func([]vault.DecisionLine) error) (*vault.Exported, error)

	Checkpoint(context.Context) ([]byte, error)
	VerifierKey() string
	Tile(ctx context.Context, level int, n int64, width int) ([]byte, error)
	EntryBundle(ctx context.Context, n int64, width int) ([]byte, error)
}

var _ door = (*vault.Vault)(nil)
