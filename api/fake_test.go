package api

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/policy/replay"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// fake is a vault that says what a test wants it to say.
type fake struct {
	key     ed25519.PrivateKey
	clients map[string]vault.Client // by client ID; the secret is "secret of " + ID
	calls   []string

	read     func(vault.Caller, vault.ReadRequest) (*vault.ReadResult, error)
	capture  func(vault.CaptureRequest) (*vault.CaptureResult, error)
	consent  func(vault.ConsentRequest) (*vault.ConsentResult, error)
	apply    func(text []byte, ifMatch *uint64, dryRun bool) (*vault.Applied, error)
	lookup   func(vault.SubjectRef, string) (privacy.SubjectID, error)
	audience func(vault.AudienceRequest, func(time.Time, []vault.ReadOutcome) (int, int, error)) error
	limits   func() []vault.LimitState
	allow    error
	ready    []string
	any      error // what every other method answers

	exporting vault.ExportRequest // the last
	consents  []vault.ConsentLine
	breaks    error // after the last line of an export
}

var (
	ana      = privacy.SubjectID{1, 2, 3}
	decision = privacy.DecisionID{4, 5, 6}
	record   = privacy.ConsentID{7, 8, 9}
	morning  = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
)

func newFake() *fake {
	return &fake{
		key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)),
		clients: map[string]vault.Client{
			"web":     {ID: "web", Role: vault.RoleChannel, Channel: "web", SecretID: "s1", Purposes: []privacy.PurposeID{"delivery", "marketing"}},
			"officer": {ID: "officer", Role: vault.RoleOfficer, Officer: "first", SecretID: "s2"},
		},
	}
}

func (f *fake) called(what string) error { f.calls = append(f.calls, what); return f.any }

func (f *fake) Ready() []string { return f.ready }
func (f *fake) Authenticate(id, secret string) (vault.Client, error) {
	c, ok := f.clients[id]
	if !ok || secret != "secret of "+id || c.Suspended {
		return vault.Client{}, vault.ErrInvalidClient
	}
	return c, nil
}
func (f *fake) Client(id, secretID string) (vault.Client, error) {
	c, ok := f.clients[id]
	if !ok || c.SecretID != secretID {
		return vault.Client{}, vault.ErrInvalidClient
	}
	return c, nil
}
func (f *fake) TokenKey() crypto.Signer { return f.key }
func (f *fake) EvidenceKeys() []keys.EvidenceKey {
	pub := f.key.Public().(ed25519.PublicKey)
	return []keys.EvidenceKey{{ID: keys.Thumbprint(pub), Public: pub, Since: morning, Until: morning.Add(time.Hour)}}
}
func (f *fake) AllowRequest(vault.Caller) error { return f.allow }
func (f *fake) Limits(vault.Caller) []vault.LimitState {
	if f.limits == nil {
		return nil
	}
	return f.limits()
}
func (f *fake) Once(context.Context, vault.Caller, vault.OnceRequest) (*vault.Once, *vault.Answer, error) {
	return nil, nil, f.called("once")
}
func (f *fake) Whoami(c vault.Caller) (*vault.Whoami, error) {
	return &vault.Whoami{Client: c.Client.ID, Role: c.Client.Role}, f.called("whoami")
}
func (f *fake) Read(_ context.Context, c vault.Caller, r vault.ReadRequest) (*vault.ReadResult, error) {
	if err := f.called("read"); err != nil || f.read == nil {
		return &vault.ReadResult{}, err
	}
	return f.read(c, r)
}
func (f *fake) ReadBatch(ctx context.Context, c vault.Caller, asks []vault.ReadRequest) []vault.ReadOutcome {
	out := make([]vault.ReadOutcome, len(asks))
	for i, ask := range asks {
		out[i].Result, out[i].Err = f.Read(ctx, c, ask)
	}
	return out
}
func (f *fake) Audience(_ context.Context, c vault.Caller, r vault.AudienceRequest, some func(time.Time, []vault.ReadOutcome) (int, int, error)) error {
	if err := f.called("audience"); err != nil || f.audience == nil {
		return err
	}
	return f.audience(r, some)
}
func (f *fake) Reply(context.Context, vault.Caller, vault.ReplyRequest) (*vault.ReplyResult, error) {
	return &vault.ReplyResult{}, f.called("reply")
}
func (f *fake) UnsubscribeToken(context.Context, vault.Caller, privacy.SubjectID, privacy.PurposeID) (string, error) {
	return "token", f.called("unsubscribe")
}
func (f *fake) RegisterSince(context.Context) (time.Time, error) { return morning, nil }
func (f *fake) Capture(_ context.Context, _ vault.Caller, r vault.CaptureRequest) (*vault.CaptureResult, error) {
	if err := f.called("capture"); err != nil || f.capture == nil {
		return &vault.CaptureResult{Subject: ana, Created: true}, err
	}
	return f.capture(r)
}
func (f *fake) StreamEvents(_ context.Context, _ vault.Caller, r vault.EventsRequest, tell func([]vault.Event, func() string) error) error {
	if err := f.called("events"); err != nil {
		return err
	}
	return tell([]vault.Event{{ID: "evt_1", Type: privacy.EventConsentWithdrawn, Subject: ana, Time: morning, Purpose: "marketing"}}, func() string { return "evt_0" })
}
func (f *fake) Notices(context.Context, vault.Caller, privacy.SubjectID) ([]vault.Notice, error) {
	return []vault.Notice{{Type: privacy.EventProfileUpdated, Channel: "web", State: vault.NoticeTaken}}, f.called("notices")
}
func (f *fake) Matches(_ context.Context, _ vault.Caller, _ vault.Pair, limit int) ([]vault.Match, error) {
	all := []vault.Match{{Pair: vault.Pair{ana, {1}}, Fields: []privacy.FieldName{"email"}}, {Pair: vault.Pair{ana, {2}}, Fields: []privacy.FieldName{"email"}}}
	return all[:min(limit, 2)], f.called("matches")
}
func (f *fake) AckEvents(context.Context, vault.Caller, string) error { return f.called("ack") }
func (f *fake) AddWebhook(_ context.Context, _ vault.Caller, r vault.WebhookRequest) (*vault.WebhookSecret, error) {
	return &vault.WebhookSecret{ID: "whk_1", URL: r.URL, Types: r.Types, Secret: "whsec_x"}, f.called("webhook")
}
func (f *fake) Webhooks(context.Context, vault.Caller) ([]vault.Webhook, error) {
	return []vault.Webhook{{ID: "whk_1"}}, f.called("webhooks")
}
func (f *fake) RemoveWebhook(context.Context, vault.Caller, string) error {
	return f.called("remove webhook")
}
func (f *fake) RotateWebhook(_ context.Context, _ vault.Caller, id string) (*vault.WebhookSecret, error) {
	return &vault.WebhookSecret{ID: id, Secret: "whsec_y", OldUntil: morning}, f.called("rotate webhook")
}
func (f *fake) DeadLetters(context.Context, vault.Caller, string) ([]vault.DeadLetter, error) {
	return []vault.DeadLetter{{Event: "evt_1", Attempts: 9}}, f.called("dead letters")
}
func (f *fake) ReplayWebhook(context.Context, vault.Caller, string, []string) (int, error) {
	return 1, f.called("replay webhook")
}
func (f *fake) CaptureBatch(ctx context.Context, c vault.Caller, asks []vault.CaptureRequest) ([]vault.CaptureOutcome, error) {
	if err := f.called("batch"); err != nil {
		return nil, err
	}
	var out []vault.CaptureOutcome
	for _, ask := range asks {
		result, err := f.Capture(ctx, c, ask)
		out = append(out, vault.CaptureOutcome{Result: result, Err: err})
	}
	return out, nil
}
func (f *fake) ImportRows(_ context.Context, _ vault.Caller, r vault.ImportRequest) (*vault.Import, []vault.Reject, error) {
	if err := f.called("import"); err != nil {
		return nil, nil, err
	}
	now := &vault.Import{ID: r.ID, Rows: r.Of, Next: r.From + uint64(len(r.Rows))}
	return now, []vault.Reject{{Row: 2, Field: "email", Code: "invalid_email"}}, nil
}
func (f *fake) Import(_ context.Context, _ vault.Caller, id vault.ImportID) (*vault.Import, error) {
	return &vault.Import{ID: id}, f.called("import")
}
func (f *fake) ImportRejects(context.Context, vault.Caller, vault.ImportID, uint64) ([]vault.Reject, uint64, error) {
	return nil, 0, f.called("rejects")
}
func (f *fake) CheckRows(context.Context, vault.Caller, uint64, []vault.ImportRow) ([]vault.Reject, error) {
	return nil, f.called("check")
}
func (f *fake) RecordConsent(_ context.Context, _ vault.Caller, r vault.ConsentRequest) (*vault.ConsentResult, error) {
	if err := f.called("consent"); err != nil || f.consent == nil {
		return &vault.ConsentResult{Consent: record, Status: r.Status, Effective: true, Receipt: "a.b.c"}, err
	}
	return f.consent(r)
}
func (f *fake) Receipt(context.Context, vault.Caller, privacy.ConsentID) (string, error) {
	return "a.b.c", f.called("receipt")
}
func (f *fake) RecordGround(context.Context, vault.Caller, vault.GroundRequest) error {
	return f.called("ground")
}
func (f *fake) ConsentState(_ context.Context, _ vault.Caller, id privacy.SubjectID, p privacy.PurposeID) (*vault.ConsentState, error) {
	return &vault.ConsentState{Subject: id, Purpose: p, Allowed: true, Until: morning}, f.called("state")
}
func (f *fake) Missing(context.Context, vault.Caller, privacy.SubjectID, privacy.PurposeID) ([]vault.Missing, error) {
	return []vault.Missing{{Field: "birthdate", Why: vault.WhyAbsent}}, f.called("missing")
}
func (f *fake) AskMissing(_ context.Context, _ vault.Caller, r vault.AskRequest) (*vault.AskResult, error) {
	return &vault.AskResult{Fields: r.Fields, Until: morning, New: true}, f.called("ask")
}
func (f *fake) RecordRefusal(context.Context, vault.Caller, vault.AskRequest) error {
	return f.called("refusal")
}
func (f *fake) CheckTouch(context.Context, vault.Caller, vault.TouchRequest) (*vault.TouchVerdict, error) {
	return &vault.TouchVerdict{Code: "contact_cap", Until: morning}, f.called("check touch")
}
func (f *fake) RecordTouch(context.Context, vault.Caller, vault.TouchRequest) (*vault.TouchResult, error) {
	return &vault.TouchResult{At: morning}, f.called("touch")
}
func (f *fake) Register(context.Context, vault.Caller) (*vault.RegisterView, error) {
	return &vault.RegisterView{Revision: 7, YAML: []byte("controller: {name: Northgate}\n"), At: morning, By: "first"}, f.called("register")
}
func (f *fake) ApplyRegister(_ context.Context, _ vault.Caller, _ string, text []byte, ifMatch *uint64, dryRun bool) (*vault.Applied, error) {
	if err := f.called("apply"); err != nil || f.apply == nil {
		return &vault.Applied{Revision: 8, Status: "active"}, err
	}
	return f.apply(text, ifMatch, dryRun)
}
func (f *fake) CheckPolicy(context.Context, vault.Caller, map[string]string) (*vault.PolicyTest, error) {
	return &vault.PolicyTest{Status: "checked"}, f.called("check")
}
func (f *fake) DraftPolicy(context.Context, vault.Caller, map[string]string, string) (*vault.Policy, error) {
	return &vault.Policy{ID: "pol_1", Status: "draft"}, f.called("draft")
}
func (f *fake) Policies(context.Context, vault.Caller) ([]vault.Policy, error) {
	return []vault.Policy{{ID: "pol_1", Status: "active", At: morning, Modules: map[string]string{"a": "b"}}, {ID: "pol_2", Status: "draft", At: morning}, {ID: "pol_3", Status: "draft", At: morning}}, f.called("policies")
}
func (f *fake) PolicyByID(_ context.Context, _ vault.Caller, id string) (*vault.Policy, error) {
	return &vault.Policy{ID: id, Modules: map[string]string{"a": "b"}}, f.called("policy")
}
func (f *fake) TestPolicy(_ context.Context, _ vault.Caller, id string) (*vault.PolicyTest, error) {
	return &vault.PolicyTest{Policy: id}, f.called("test")
}
func (f *fake) ApproveRegister(_ context.Context, _ vault.Caller, n uint64) (*vault.Applied, error) {
	return &vault.Applied{Revision: n, Status: "active"}, f.called("approve register")
}
func (f *fake) ReplayRegister(_ context.Context, _ vault.Caller, _ string, text []byte, req vault.ReplayRequest, _ func(done, of uint64)) (*vault.RegisterReplay, error) {
	return &vault.RegisterReplay{Report: replay.Report{Decisions: 2}}, f.called("replay register " + req.From.Format(time.DateOnly))
}
func (f *fake) ReplayPendingRegister(_ context.Context, _ vault.Caller, n uint64, _ vault.ReplayRequest, _ func(done, of uint64)) (*vault.RegisterReplay, error) {
	return &vault.RegisterReplay{Revision: n, Report: replay.Report{Decisions: 2}}, f.called("replay pending")
}
func (f *fake) RejectRegister(_ context.Context, _ vault.Caller, n uint64, _ string) (*vault.Applied, error) {
	return &vault.Applied{Revision: n, Status: "rejected"}, f.called("reject register")
}
func (f *fake) ProcessingActivities(context.Context, vault.Caller) (*vault.ProcessingActivities, error) {
	return &vault.ProcessingActivities{Register: 7, Controller: vault.Controller{Name: "Northgate"}, Activities: []vault.Activity{{Purpose: "delivery", Title: privacy.Text{"": "=Deliver"}, Basis: privacy.Contract, Article: "Art. 6(1)(b)",
		Fields: []vault.ActivityField{{Field: "email"}, {Field: "address"}}, Channels: []vault.ActivityChannel{{Channel: "web"}}}}}, f.called("activities")
}
func (f *fake) Breach(_ context.Context, _ vault.Caller, r vault.BreachRequest, some func([]vault.BreachLine) error) (*vault.BreachReport, error) {
	if err := f.called("breach " + string(r.Channel) + " " + r.From.Format(time.DateOnly)); err != nil {
		return nil, err
	}
	if some != nil {
		if err := some([]vault.BreachLine{{Subject: ana, Decisions: 2, First: morning, Last: morning, Released: []privacy.FieldName{"email"}}}); err != nil {
			return nil, err
		}
	}
	return &vault.BreachReport{Channel: r.Channel, Asked: 3, Answered: 2, People: 1, Log: vault.LogPlace{Name: "main", Index: 57}}, nil
}
func (f *fake) Officers(context.Context, vault.Caller) ([]vault.OfficerView, error) {
	return []vault.OfficerView{{Name: "first", ClientID: "officer.first"}}, f.called("officers")
}
func (f *fake) InviteOfficer(ctx context.Context, by vault.Caller, name string) (*vault.OfficerChange, error) {
	return f.AddOfficer(ctx, by, name)
}

func (f *fake) AddOfficer(_ context.Context, _ vault.Caller, name string) (*vault.OfficerChange, error) {
	return &vault.OfficerChange{Name: name, Status: "active", Credentials: &vault.Credentials{ClientID: "officer." + name, ClientSecret: "shown once"}}, f.called("add officer")
}
func (f *fake) RemoveOfficer(_ context.Context, _ vault.Caller, name string) (*vault.OfficerChange, error) {
	return &vault.OfficerChange{Name: name, Status: "pending"}, f.called("remove officer")
}
func (f *fake) ApproveOfficer(_ context.Context, _ vault.Caller, name string) (*vault.OfficerChange, error) {
	return &vault.OfficerChange{Name: name, Status: "removed"}, f.called("approve officer")
}
func (f *fake) RejectOfficer(_ context.Context, _ vault.Caller, name, _ string) (*vault.OfficerChange, error) {
	return &vault.OfficerChange{Name: name, Status: "rejected"}, f.called("reject officer")
}
func (f *fake) NewOfficerSecret(_ context.Context, _ vault.Caller, name string) (*vault.OfficerChange, error) {
	return &vault.OfficerChange{Name: name, Status: "active", Credentials: &vault.Credentials{ClientID: "officer." + name, ClientSecret: "shown once"}}, f.called("officer secret")
}
func (f *fake) RevokeOfficerSecret(context.Context, vault.Caller, string, string) error {
	return f.called("revoke officer secret")
}
func (f *fake) ReplayPolicy(_ context.Context, _ vault.Caller, id string, req vault.ReplayRequest, progress func(done, of uint64)) (*vault.PolicyReplay, error) {
	if progress != nil {
		progress(1, 2)
	}
	return &vault.PolicyReplay{Policy: id, Status: "replayed", Report: replay.Report{Decisions: 2, By: []replay.Row{{Channel: "web", Field: "email", From: "release", To: "withhold"}}}}, f.called("replay " + req.From.Format(time.DateOnly))
}
func (f *fake) SubmitPolicy(_ context.Context, _ vault.Caller, id string) (*vault.Policy, error) {
	return &vault.Policy{ID: "chg_1", Status: "pending"}, f.called("submit")
}
func (f *fake) ApprovePolicy(_ context.Context, _ vault.Caller, id string) (*vault.Policy, error) {
	return &vault.Policy{ID: id, Status: "active"}, f.called("approve")
}
func (f *fake) RejectPolicy(_ context.Context, _ vault.Caller, id, _ string) (*vault.Policy, error) {
	return &vault.Policy{ID: id, Status: "rejected"}, f.called("reject")
}
func (f *fake) RollbackPolicy(_ context.Context, _ vault.Caller, id string) (*vault.Policy, error) {
	return &vault.Policy{ID: id, Status: "active"}, f.called("rollback")
}
func (f *fake) ActivatePolicy(_ context.Context, _ vault.Caller, id string) (*vault.Policy, error) {
	return &vault.Policy{ID: id, Status: "active"}, f.called("activate")
}
func (f *fake) Decision(context.Context, vault.Caller, privacy.DecisionID) (*vault.DecisionView, error) {
	return &vault.DecisionView{}, f.called("decision")
}
func (f *fake) Decisions(_ context.Context, _ vault.Caller, q vault.DecisionQuery) (*vault.DecisionsFound, error) {
	return &vault.DecisionsFound{Decisions: []vault.DecisionLine{{LogIndex: 3, Kind: vault.LineRead, Decision: &decision, At: morning}}, Next: "3"}, f.called(fmt.Sprintf("decisions %s %s %s %d", q.Channel, q.Code, q.After, q.Limit))
}
func (f *fake) ConsentsOverTime(context.Context, vault.Caller, vault.ReportRequest) (*vault.ConsentsOverTime, error) {
	return &vault.ConsentsOverTime{Step: "day", Purposes: []vault.ConsentsToPurpose{{Purpose: "marketing", Points: []vault.ConsentPoint{{Begins: morning, Given: 2, Standing: 5}}}}}, f.called("consents report")
}
func (f *fake) Denials(_ context.Context, _ vault.Caller, r vault.ReportRequest) (*vault.Denials, error) {
	return &vault.Denials{Asked: 9, By: []vault.Denial{{Channel: "web", Code: "no_consent", Decisions: 2, Last: morning, Example: decision}}}, f.called("denials report " + r.From.Format(time.DateOnly))
}
func (f *fake) Gaps(context.Context, vault.Caller, vault.ReportRequest) (*vault.Gaps, error) {
	return &vault.Gaps{Gaps: []vault.Gap{{Channel: "web", Purpose: "delivery", Field: "birthdate", Code: "field_not_in_purpose", Asked: 4, First: morning, Last: morning, Example: decision}}}, f.called("gaps report")
}
func (f *fake) Unread(context.Context, vault.Caller, vault.ReportRequest) (*vault.Unread, error) {
	return &vault.Unread{People: 1, Fields: []vault.UnreadField{{Field: "birthdate", Held: 1, Purposes: []vault.UnreadPurpose{{Purpose: "delivery"}}}}}, f.called("unread report")
}
func (f *fake) Erase(context.Context, vault.Caller, vault.EraseRequest) (*vault.Request, error) {
	return &vault.Request{ID: privacy.RequestID(record), Kind: vault.RequestErasure, Status: vault.RequestInProgress, ReceivedAt: morning, DueAt: morning}, f.called("erase")
}
func (f *fake) OpenRequests(context.Context, vault.Caller, privacy.RequestID, int) ([]vault.Request, error) {
	return nil, nil
}

func (f *fake) Requests(context.Context, vault.Caller, privacy.RequestID, int) ([]vault.Request, error) {
	return []vault.Request{{ID: privacy.RequestID(record), Kind: vault.RequestErasure, Status: vault.RequestBlocked, ReceivedAt: morning, DueAt: morning}}, f.called("requests")
}
func (f *fake) Request(_ context.Context, _ vault.Caller, id privacy.RequestID) (*vault.Request, error) {
	return &vault.Request{ID: id, Kind: vault.RequestErasure, Status: vault.RequestCompleted, ReceivedAt: morning, DueAt: morning, CompletedAt: morning,
		Certificate: "a.b.c", Kept: []vault.Stay{{Purpose: "invoices", Basis: privacy.LegalObligation, Fields: []privacy.FieldName{"address"}}}}, f.called("request")
}
func (f *fake) ApproveRequest(ctx context.Context, c vault.Caller, id privacy.RequestID) (*vault.Request, error) {
	return f.Request(ctx, c, id)
}
func (f *fake) DeclineRequest(ctx context.Context, c vault.Caller, id privacy.RequestID, _ string) (*vault.Request, error) {
	return f.Request(ctx, c, id)
}
func (f *fake) PlaceHold(_ context.Context, _ vault.Caller, r vault.HoldRequest) (*vault.Hold, error) {
	return &vault.Hold{ID: privacy.HoldID(record), Subject: r.Subject.ID, Since: morning, By: "first", Reason: r.Reason}, f.called("hold")
}
func (f *fake) ReleaseHold(_ context.Context, _ vault.Caller, id privacy.SubjectID, _ *privacy.HoldID) ([]vault.Hold, error) {
	return []vault.Hold{{ID: privacy.HoldID(record), Subject: id, Since: morning}}, f.called("release")
}
func (f *fake) Holds(_ context.Context, _ vault.Caller, id privacy.SubjectID) ([]vault.Hold, error) {
	return []vault.Hold{{ID: privacy.HoldID(record), Subject: id, Since: morning}}, f.called("holds")
}
func (f *fake) Lookup(_ context.Context, _ vault.Caller, who vault.SubjectRef, reason string) (privacy.SubjectID, error) {
	if err := f.called("lookup"); err != nil || f.lookup == nil {
		return ana, err
	}
	return f.lookup(who, reason)
}
func (f *fake) Channels(context.Context, vault.Caller) ([]vault.ChannelView, error) {
	return []vault.ChannelView{{ID: "web", Kind: "web", ClientID: "web", Secrets: []vault.SecretView{{ID: "s1", Created: morning}}}}, f.called("channels")
}
func (f *fake) SuspendChannel(_ context.Context, _ vault.Caller, id privacy.ChannelID) (*vault.ChannelView, error) {
	return &vault.ChannelView{ID: id, Suspended: true}, f.called("suspend")
}
func (f *fake) ResumeChannel(_ context.Context, _ vault.Caller, id privacy.ChannelID) (*vault.ChannelView, error) {
	return &vault.ChannelView{ID: id}, f.called("resume")
}
func (f *fake) NewSecret(_ context.Context, _ vault.Caller, id privacy.ChannelID) (*vault.ChannelCredentials, error) {
	return &vault.ChannelCredentials{ID: id, Credentials: vault.Credentials{ClientID: string(id), ClientSecret: "shown once"}, SecretID: "s9"}, f.called("secret")
}
func (f *fake) RevokeSecret(context.Context, vault.Caller, privacy.ChannelID, string) error {
	return f.called("revoke")
}
func (f *fake) ExportRegister(_ context.Context, _ vault.Caller, _ vault.ExportRequest, some func([]vault.RegisterLine) error) (*vault.Exported, error) {
	if err := f.called("export register"); err != nil {
		return nil, err
	}
	return f.exported(some([]vault.RegisterLine{{Revision: 1, At: morning, By: "first", Kind: vault.LineField, ID: "email"}}))
}
func (f *fake) ExportConsents(_ context.Context, _ vault.Caller, r vault.ExportRequest, some func([]vault.ConsentLine) error) (*vault.Exported, error) {
	f.exporting = r
	if err := f.called("export consents"); err != nil {
		return nil, err
	}
	for i := range f.consents {
		if err := some(f.consents[i : i+1]); err != nil {
			return nil, err
		}
	}
	return f.exported(nil)
}
func (f *fake) ExportDecisions(_ context.Context, _ vault.Caller, _ vault.ExportRequest, some func([]vault.DecisionLine) error) (*vault.Exported, error) {
	if err := f.called("export decisions"); err != nil {
		return nil, err
	}
	return f.exported(some([]vault.DecisionLine{{LogIndex: 3, Kind: vault.LineRead, Decision: &decision, At: morning, Subject: &ana}}))
}
func (f *fake) exported(err error) (*vault.Exported, error) {
	if err == nil {
		err = f.breaks
	}
	return &vault.Exported{Log: "main", Record: 57}, err
}
func (f *fake) ConfirmClock(context.Context, vault.Caller) error { return f.called("clock") }
func (f *fake) Checkpoint(context.Context) ([]byte, error) {
	return []byte("origin\n1\nAAAA\n\n— sig\n"), f.called("checkpoint")
}
func (f *fake) VerifierKey() string { return "origin+key" }
func (f *fake) Tile(_ context.Context, level int, n int64, width int) ([]byte, error) {
	return bytes.Repeat([]byte{byte(level), byte(n)}, width), f.called("tile")
}
func (f *fake) EntryBundle(_ context.Context, n int64, width int) ([]byte, error) {
	return bytes.Repeat([]byte{byte(n)}, width), f.called("bundle")
}

// bench is a server over a fake vault, its log, and how to speak to it.
type bench struct {
	*fake
	t   *testing.T
	srv *Server
	log bytes.Buffer
}

const issuer = "http://127.0.0.1:8650"

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{fake: newFake(), t: t}
	var err error
	b.srv, err = newServer(b.fake, Config{Issuer: issuer, Metrics: counted{}, Codes: fakeCodes{}, Logger: slog.New(slog.NewJSONHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type answer struct {
	status int
	header http.Header
	raw    string
	json   map[string]any
}

func (b *bench) do(r *http.Request) answer {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.srv.Handler().ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	a := answer{status: w.Code, header: w.Header(), raw: string(body)}
	_ = json.Unmarshal(body, &a.json)
	return a
}

// token gets an access token over the token endpoint.
func (b *bench) token(who string) string {
	b.t.Helper()
	if who == "person" {
		return personToken
	}
	r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(who), url.QueryEscape("secret of "+who))
	a := b.do(r)
	if a.status != http.StatusOK {
		b.t.Fatalf("token for %s: %d %s", who, a.status, a.raw)
	}
	return a.json["access_token"].(string)
}

// call makes a request as somebody; "" is nobody.
func (b *bench) call(method, path, body, who string) answer {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		if strings.HasSuffix(path, "/batch") || strings.HasPrefix(path, "/v1/imports/") {
			r.Header.Set("Content-Type", "application/x-ndjson")
		}
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+b.token(who))
	}
	return b.do(r)
}

func (a answer) code() string { s, _ := a.json["code"].(string); return s }

// fields are the members a problem names, with their codes.
func (a answer) fields() map[string]string {
	out := map[string]string{}
	list, _ := a.json["errors"].([]any)
	for _, e := range list {
		m := e.(map[string]any)
		out[m["field"].(string)] = m["code"].(string)
	}
	return out
}
