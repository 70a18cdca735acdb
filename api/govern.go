package api

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// showRegisterHandler gives the register, in YAML to those who ask for it, else in JSON.
var showRegisterHandler = handler{
	out: reflect.TypeFor[wire.RegisterAnswer](), gives: []string{mediaYAML}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		view, err := x.door.Register(x.ctx, x.caller)
		if err != nil {
			return err
		}
		x.w.Header().Set("ETag", etag(view.Revision))
		x.w.Header().Set("Vary", "Accept")
		if wantsYAML(x.r.Header.Get("Accept")) {
			x.write(http.StatusOK, mediaYAML, view.YAML)
			return nil
		}
		answer := wire.RegisterAnswer{Revision: view.Revision, Register: string(view.YAML), At: view.At, By: view.By, ApprovedBy: view.ApprovedBy}
		if p := view.Pending; p != nil {
			answer.Pending = &wire.PendingRegister{Revision: p.Revision, Register: string(p.YAML), At: p.At, By: p.By, Changes: changes(p.Changes)}
		}
		return x.encode(http.StatusOK, &answer)
	},
}

// applyRegisterHandler applies a register: the body is the register itself. JSON is YAML too.
var applyRegisterHandler = handler{
	takes: []string{mediaYAML, mediaJSON}, out: reflect.TypeFor[wire.Applied](), statuses: []int{http.StatusOK, http.StatusAccepted},
	serve: func(x *exchange) error {
		body, err := x.body(mediaYAML, mediaJSON, "text/yaml", "application/x-yaml")
		if err != nil {
			return err
		}
		if len(body) == 0 {
			return unprocessable("body", wire.CodeRequired, "the register's text is missing")
		}
		ifMatch, err := revisionOf(x.r.Header.Values("If-Match"))
		if err != nil {
			return err
		}
		dryRun, err := x.flag("dry_run")
		if err != nil {
			return err
		}
		by := x.once(func(result any) (vault.Answer, error) {
			out, ok := result.(*vault.Applied)
			if !ok {
				return vault.Answer{}, errResult
			}
			answer, err := worded(applied(out))
			if out.Status != vault.StatusPending {
				answer.Header["ETag"] = etag(out.Revision)
			}
			return answer, err
		})
		out, err := x.door.ApplyRegister(x.ctx, by, "register.yaml", body, ifMatch, dryRun)
		if err != nil {
			return err
		}
		if !dryRun && out.Status != vault.StatusPending { // the tag is of what is in force
			x.w.Header().Set("ETag", etag(out.Revision))
		}
		status, answer := applied(out)
		if dryRun {
			status = http.StatusOK
		}
		return x.encode(status, answer)
	},
}

func applied(out *vault.Applied) (int, *wire.Applied) {
	answer := wire.Applied{Revision: out.Revision, Status: out.Status, Warnings: out.Warnings, Changes: changes(out.Changes)}
	for _, c := range out.Channels {
		answer.Channels = append(answer.Channels, credentials(c))
	}
	return accepted(out.Status), &answer
}

// accepted is the status of an answer to a change: that it waits is told by the
// status, too.
func accepted(status string) int {
	if status == vault.StatusPending {
		return http.StatusAccepted
	}
	return http.StatusOK
}

func changes(all []vault.Change) []wire.Change {
	out := []wire.Change{}
	for _, c := range all {
		out = append(out, wire.Change(c))
	}
	return out
}

func approveRegister(x *exchange, _ *wire.Nothing) (int, *wire.Applied, error) {
	number, err := x.revision()
	if err != nil {
		return 0, nil, err
	}
	out, err := x.door.ApproveRegister(x.ctx, once(x, applied), number)
	if err != nil {
		return 0, nil, err
	}
	status, answer := applied(out)
	return status, answer, nil
}

func rejectRegister(x *exchange, in *wire.Rejection) (int, *wire.Applied, error) {
	number, err := x.revision()
	if err != nil {
		return 0, nil, err
	}
	out, err := x.door.RejectRegister(x.ctx, once(x, applied), number, in.Reason)
	if err != nil {
		return 0, nil, err
	}
	status, answer := applied(out)
	return status, answer, nil
}

// revision reads the number of a register revision from the path.
func (x *exchange) revision() (uint64, error) {
	text := x.r.PathValue("revision")
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != text {
		return 0, errNotFound
	}
	return number, nil
}

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// revisionOf reads If-Match: one strong entity tag, which is a revision.
func revisionOf(ifMatch []string) (*uint64, error) {
	if len(ifMatch) == 0 {
		return nil, nil
	}
	tag := strings.TrimSpace(ifMatch[0])
	revision, err := strconv.ParseUint(strings.Trim(tag, `"`), 10, 64)
	if len(ifMatch) > 1 || err != nil || etag(revision) != tag {
		return nil, unprocessable("If-Match", wire.CodeInvalid, `names one revision, such as "7"`)
	}
	return &revision, nil
}

// wantsYAML reports whether YAML is asked for before JSON.
func wantsYAML(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		switch kind, _, _ := mime.ParseMediaType(part); kind {
		case mediaYAML, "text/yaml", "application/x-yaml":
			return true
		case mediaJSON:
			return false
		}
	}
	return false
}

// flag reads a yes-or-no parameter.
func (x *exchange) flag(name string) (bool, error) {
	switch x.query.Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, unprocessable(name, wire.CodeInvalid, "is true or false")
}

func draftPolicy(x *exchange, in *wire.DraftRequest) (int, *wire.Policy, error) {
	say := func(out *vault.Policy) (int, *wire.Policy) { return http.StatusCreated, policyStatus(out) }
	out, err := x.door.DraftPolicy(x.ctx, once(x, say), in.Modules, in.Note)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, policyStatus(out), nil
}

func policyStatus(p *vault.Policy) *wire.Policy { return &wire.Policy{Policy: p.ID, Status: p.Status} }

func policyNow(p *vault.Policy) (int, *wire.Policy) { return accepted(p.Status), policyStatus(p) }

func checkPolicy(x *exchange, in *wire.DraftRequest) (int, *wire.PolicyTest, error) {
	out, err := x.door.CheckPolicy(x.ctx, x.caller, in.Modules)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, policyTest(out), nil
}

func listPolicies(x *exchange) (*wire.PolicyList, error) {
	all, err := x.door.Policies(x.ctx, x.caller)
	if err != nil {
		return nil, err
	}
	all, next, err := page(x, all, func(p vault.Policy) string { return p.ID })
	if err != nil {
		return nil, err
	}
	list := wire.PolicyList{Next: next}
	for _, p := range all {
		p.Modules = nil
		list.Policies = append(list.Policies, policy(p))
	}
	return &list, nil
}

func showPolicy(x *exchange) (*wire.Policy, error) {
	out, err := x.door.PolicyByID(x.ctx, x.caller, x.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	answer := policy(*out)
	return &answer, nil
}

func testPolicy(x *exchange, _ *wire.Nothing) (int, *wire.PolicyTest, error) {
	out, err := x.door.TestPolicy(x.ctx, x.caller, x.r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, policyTest(out), nil
}

func policyTest(out *vault.PolicyTest) *wire.PolicyTest {
	answer := &wire.PolicyTest{Policy: out.Policy, Status: out.Status, Passed: out.Passed, Failed: out.Failed, Coverage: wire.Coverage{Percent: out.Coverage.Percent}}
	for _, r := range out.Results {
		answer.Results = append(answer.Results, wire.TestResult(r))
	}
	for _, m := range out.Coverage.Modules {
		answer.Coverage.Modules = append(answer.Coverage.Modules, wire.ModuleCoverage(m))
	}
	return answer
}

// turnsPolicy makes a handler of what an officer does with a set of rules.
func turnsPolicy(turn func(door, context.Context, vault.Caller, string) (*vault.Policy, error)) func(*exchange, *wire.Nothing) (int, *wire.Policy, error) {
	return func(x *exchange, _ *wire.Nothing) (int, *wire.Policy, error) {
		out, err := turn(x.door, x.ctx, once(x, policyNow), x.r.PathValue("id"))
		if err != nil {
			return 0, nil, err
		}
		status, answer := policyNow(out)
		return status, answer, nil
	}
}

func rejectPolicy(x *exchange, in *wire.Rejection) (int, *wire.Policy, error) {
	out, err := x.door.RejectPolicy(x.ctx, once(x, policyNow), x.r.PathValue("id"), in.Reason)
	if err != nil {
		return 0, nil, err
	}
	status, answer := policyNow(out)
	return status, answer, nil
}

func policy(p vault.Policy) wire.Policy {
	out := wire.Policy{Policy: p.ID, Status: p.Status, Note: p.Note, By: p.By, Modules: p.Modules}
	if !p.At.IsZero() {
		out.At = &p.At
	}
	for _, s := range p.Steps {
		step := wire.PolicyStep{Act: s.Act, By: s.By, At: s.At, Reason: s.Reason, Passed: s.Passed}
		if s.Replay != nil {
			summary := wire.ReplaySummary(*s.Replay)
			step.Replay = &summary
		}
		out.Steps = append(out.Steps, step)
	}
	if c := p.Change; c != nil {
		out.Change = &wire.PolicyChange{Change: c.ID, Policy: c.Policy, Base: c.Base, By: c.By, At: c.At, Rollback: c.Rollback, Needed: c.Needed, Stale: c.Stale}
		for _, e := range c.Effects {
			out.Change.Effects = append(out.Change.Effects, wire.RuleEffect(e))
		}
	}
	return out
}

func showDecision(x *exchange) (*vault.DecisionView, error) {
	id, err := privacy.ParseDecisionID(x.r.PathValue("id"))
	if err != nil {
		return nil, errNotFound
	}
	return x.door.Decision(x.ctx, x.caller, id)
}

func lookup(x *exchange, in *wire.LookupRequest) (int, *wire.LookupAnswer, error) {
	id, err := x.door.Lookup(x.ctx, x.caller, vault.SubjectRef{Field: in.Field, Value: in.Value.Sensitive}, in.Reason)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, &wire.LookupAnswer{Subject: id}, nil
}

func listChannels(x *exchange) (*wire.ChannelList, error) {
	all, err := x.door.Channels(x.ctx, x.caller)
	if err != nil {
		return nil, err
	}
	all, next, err := page(x, all, func(c vault.ChannelView) string { return string(c.ID) })
	if err != nil {
		return nil, err
	}
	list := wire.ChannelList{Next: next}
	for _, c := range all {
		list.Channels = append(list.Channels, *channel(&c))
	}
	return &list, nil
}

func suspendChannel(x *exchange, _ *wire.Nothing) (int, *wire.Channel, error) {
	out, err := x.door.SuspendChannel(x.ctx, once(x, channelNow), privacy.ChannelID(x.r.PathValue("id")))
	if err != nil {
		return 0, nil, err
	}
	status, answer := channelNow(out)
	return status, answer, nil
}

func resumeChannel(x *exchange, _ *wire.Nothing) (int, *wire.Channel, error) {
	out, err := x.door.ResumeChannel(x.ctx, once(x, channelNow), privacy.ChannelID(x.r.PathValue("id")))
	if err != nil {
		return 0, nil, err
	}
	status, answer := channelNow(out)
	return status, answer, nil
}

func newSecret(x *exchange, _ *wire.Nothing) (int, *wire.Credentials, error) {
	out, err := x.door.NewSecret(x.ctx, x.once(noWords), privacy.ChannelID(x.r.PathValue("id")))
	if err != nil {
		return 0, nil, err
	}
	answer := credentials(*out)
	return http.StatusCreated, &answer, nil
}

var revokeSecretHandler = handler{
	statuses: []int{http.StatusNoContent},
	serve: func(x *exchange) error {
		by := x.once(func(any) (vault.Answer, error) { return vault.Answer{Status: http.StatusNoContent}, nil })
		if err := x.door.RevokeSecret(x.ctx, by, privacy.ChannelID(x.r.PathValue("id")), x.r.PathValue("secret")); err != nil {
			return err
		}
		x.write(http.StatusNoContent, "", nil)
		return nil
	},
}

func credentials(c vault.ChannelCredentials) wire.Credentials {
	return wire.Credentials{ID: c.ID, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Secret: c.SecretID}
}

func channelNow(c *vault.ChannelView) (int, *wire.Channel) { return http.StatusOK, channel(c) }

func channel(c *vault.ChannelView) *wire.Channel {
	out := wire.Channel{ID: c.ID, Kind: c.Kind, ClientID: c.ClientID, Suspended: c.Suspended}
	for _, s := range c.Secrets {
		out.Secrets = append(out.Secrets, wire.Secret{ID: s.ID, Created: s.Created, Revoked: s.Revoked})
	}
	return &out
}

func confirmClock(x *exchange, _ *wire.Nothing) (int, *wire.Done, error) {
	done := &wire.Done{Status: "confirmed"}
	if err := x.door.ConfirmClock(x.ctx, once(x, func(any) (int, *wire.Done) { return http.StatusOK, done })); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, done, nil
}

// limit reads how many entries of a list are asked for. Who asks for more than there
// are on a page gets a page, and is told that it goes on.
func (x *exchange) limit() (int, error) {
	const most = 1000
	text := x.query.Get("limit")
	if text == "" {
		return most, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil && !errors.Is(err, strconv.ErrRange) || limit < 1 {
		return 0, unprocessable("limit", wire.CodeInvalid, "is 1 to 1000")
	}
	return min(limit, most), nil
}

// page cuts ?limit entries out of a list, those behind the one named ?after;
// next names where the following page begins.
func page[T any](x *exchange, all []T, id func(T) string) (some []T, next string, err error) {
	limit, err := x.limit()
	if err != nil {
		return nil, "", err
	}
	if after := x.query.Get("after"); after != "" {
		for i, item := range all {
			if id(item) == after {
				some = all[i+1:]
				break
			}
			if i == len(all)-1 {
				return nil, "", unprocessable("after", wire.CodeInvalid, "names no entry of this list")
			}
		}
	} else {
		some = all
	}
	if len(some) > limit {
		return some[:limit], id(some[limit-1]), nil
	}
	return some, "", nil
}
