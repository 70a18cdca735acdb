package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Register returns the register in force.
func (c *Client) Register(ctx context.Context) (*wire.RegisterAnswer, error) {
	return get[wire.RegisterAnswer](ctx, c, "/v1/register", nil)
}

// ApplyOptions say how a register is applied. Nil means the defaults.
type ApplyOptions struct {
	// DryRun only tells what would change.
	DryRun bool
	// IfRevision, unless zero, refuses with "revision_conflict" if another
	// revision is in force.
	IfRevision uint64
}

// Apply applies a register. The secrets of new channels stand in the answer and
// are shown nowhere again. Problems come as an *Error with their lines.
func (c *Client) Apply(ctx context.Context, yaml []byte, o *ApplyOptions) (*wire.Applied, error) {
	out := new(wire.Applied)
	what := call{method: http.MethodPut, path: "/v1/register", media: "application/yaml", in: yaml, out: out, header: http.Header{}}
	if o != nil && o.DryRun {
		what.query = url.Values{"dry_run": {"true"}}
	}
	if o != nil && o.IfRevision != 0 {
		what.header.Set("If-Match", `"`+strconv.FormatUint(o.IfRevision, 10)+`"`)
	}
	if err := c.do(ctx, what); err != nil {
		return nil, err
	}
	return out, nil
}

// ApproveRegister puts in force the register that another officer proposed.
func (c *Client) ApproveRegister(ctx context.Context, revision uint64) (*wire.Applied, error) {
	return post[wire.Applied](ctx, c, revisionPath(revision)+"/approve", nil)
}

// RejectRegister ends the proposal of a register, with words.
func (c *Client) RejectRegister(ctx context.Context, revision uint64, reason string) (*wire.Applied, error) {
	return post[wire.Applied](ctx, c, revisionPath(revision)+"/reject", &wire.Rejection{Reason: reason})
}

func revisionPath(revision uint64) string { return "/v1/register/" + strconv.FormatUint(revision, 10) }

// Officers returns all officers, and those who are proposed.
func (c *Client) Officers(ctx context.Context) ([]wire.Officer, error) {
	return all(ctx, c, "/v1/officers", func(p *wire.OfficerList) ([]wire.Officer, string) { return p.Officers, p.Next })
}

// AddOfficer adds an officer, or proposes to. The credentials of a new one stand
// in the answer and are shown nowhere again.
func (c *Client) AddOfficer(ctx context.Context, name string) (*wire.OfficerChange, error) {
	return post[wire.OfficerChange](ctx, c, "/v1/officers", &wire.OfficerRequest{Name: name})
}

// InviteOfficer adds an officer, or proposes to, who gets a link to the console that
// works once in the place of a secret. Its path stands in the answer and is shown
// nowhere again.
func (c *Client) InviteOfficer(ctx context.Context, name string) (*wire.OfficerChange, error) {
	return post[wire.OfficerChange](ctx, c, "/v1/officers", &wire.OfficerRequest{Name: name, Enrol: true})
}

// RemoveOfficer removes an officer, or proposes to.
func (c *Client) RemoveOfficer(ctx context.Context, name string) (*wire.OfficerChange, error) {
	out := new(wire.OfficerChange)
	return out, c.do(ctx, call{method: http.MethodDelete, path: officerPath(name), out: out})
}

// ApproveOfficer does what another officer proposed about one. The credentials of
// a new one stand in the answer and are shown nowhere again.
func (c *Client) ApproveOfficer(ctx context.Context, name string) (*wire.OfficerChange, error) {
	return post[wire.OfficerChange](ctx, c, officerPath(name)+"/approve", nil)
}

// RejectOfficer ends a proposal about an officer, with words.
func (c *Client) RejectOfficer(ctx context.Context, name, reason string) (*wire.OfficerChange, error) {
	return post[wire.OfficerChange](ctx, c, officerPath(name)+"/reject", &wire.Rejection{Reason: reason})
}

// NewOfficerSecret makes the calling officer a second secret, shown once.
func (c *Client) NewOfficerSecret(ctx context.Context, name string) (*wire.OfficerChange, error) {
	return post[wire.OfficerChange](ctx, c, officerPath(name)+"/secrets", nil)
}

// RevokeOfficerSecret ends one of the calling officer's secrets, by its ID.
func (c *Client) RevokeOfficerSecret(ctx context.Context, name, secret string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: officerPath(name) + "/secrets/" + url.PathEscape(secret)})
}

func officerPath(name string) string { return "/v1/officers/" + url.PathEscape(name) }

// Lookup finds who holds an identifier. The person sees the reason.
func (c *Client) Lookup(ctx context.Context, in *wire.LookupRequest) (*wire.LookupAnswer, error) {
	return post[wire.LookupAnswer](ctx, c, "/v1/subjects/lookup", in)
}

// Request says where a request stands.
func (c *Client) Request(ctx context.Context, id privacy.RequestID) (*wire.Request, error) {
	return get[wire.Request](ctx, c, "/v1/requests/"+id.String(), nil)
}

// OpenRequests returns the requests that are not answered yet, the one due first first.
func (c *Client) OpenRequests(ctx context.Context) ([]wire.Request, error) {
	return allOf(ctx, c, "/v1/requests", url.Values{"open": {"true"}}, func(p *wire.RequestList) ([]wire.Request, string) { return p.Requests, p.Next })
}

// Requests returns all requests, the latest first.
func (c *Client) Requests(ctx context.Context) ([]wire.Request, error) {
	return all(ctx, c, "/v1/requests", func(p *wire.RequestList) ([]wire.Request, string) { return p.Requests, p.Next })
}

// PlaceHold forbids that anything of a person is erased.
func (c *Client) PlaceHold(ctx context.Context, who wire.Subject, reason string) (*wire.Hold, error) {
	return post[wire.Hold](ctx, c, "/v1/subjects/holds", &wire.HoldRequest{Subject: who, Reason: reason})
}

// Holds returns the holds on a person.
func (c *Client) Holds(ctx context.Context, id privacy.SubjectID) (*wire.HoldList, error) {
	return get[wire.HoldList](ctx, c, "/v1/subjects/"+id.String()+"/holds", nil)
}

// ReleaseHolds releases one hold on a person, or all if none is named, and
// returns what it released.
func (c *Client) ReleaseHolds(ctx context.Context, id privacy.SubjectID, hold *privacy.HoldID) (*wire.HoldList, error) {
	path := "/v1/subjects/" + id.String() + "/holds"
	if hold != nil {
		path += "/" + hold.String()
	}
	out := new(wire.HoldList)
	return out, c.do(ctx, call{method: http.MethodDelete, path: path, out: out})
}

// Channels returns all channels.
func (c *Client) Channels(ctx context.Context) ([]wire.Channel, error) {
	return all(ctx, c, "/v1/channels", func(p *wire.ChannelList) ([]wire.Channel, string) { return p.Channels, p.Next })
}

// SuspendChannel stops a channel at once.
func (c *Client) SuspendChannel(ctx context.Context, id privacy.ChannelID) (*wire.Channel, error) {
	return post[wire.Channel](ctx, c, channelPath(id)+"/suspend", nil)
}

// ResumeChannel lets a suspended channel go on.
func (c *Client) ResumeChannel(ctx context.Context, id privacy.ChannelID) (*wire.Channel, error) {
	return post[wire.Channel](ctx, c, channelPath(id)+"/resume", nil)
}

// NewSecret makes a channel a second secret, shown once.
func (c *Client) NewSecret(ctx context.Context, id privacy.ChannelID) (*wire.Credentials, error) {
	return post[wire.Credentials](ctx, c, channelPath(id)+"/secrets", nil)
}

// RevokeSecret ends a secret, by its ID, and every token got with it.
func (c *Client) RevokeSecret(ctx context.Context, id privacy.ChannelID, secret string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: channelPath(id) + "/secrets/" + url.PathEscape(secret)})
}

func channelPath(id privacy.ChannelID) string { return "/v1/channels/" + url.PathEscape(string(id)) }

// CheckPolicy compiles rules and runs their tests without keeping them. Problems
// come as an *Error with their lines; that tests fail is told.
func (c *Client) CheckPolicy(ctx context.Context, in *wire.DraftRequest) (*wire.PolicyTest, error) {
	return post[wire.PolicyTest](ctx, c, "/v1/policies/check", in)
}

// DraftPolicy keeps a set of rules as a draft.
func (c *Client) DraftPolicy(ctx context.Context, in *wire.DraftRequest) (*wire.Policy, error) {
	return post[wire.Policy](ctx, c, "/v1/policies", in)
}

// Policies returns all sets of rules, without their modules.
func (c *Client) Policies(ctx context.Context) ([]wire.Policy, error) {
	return all(ctx, c, "/v1/policies", func(p *wire.PolicyList) ([]wire.Policy, string) { return p.Policies, p.Next })
}

// Policy returns a set of rules with its modules, or the one that a change which
// waits would put in force.
func (c *Client) Policy(ctx context.Context, id string) (*wire.Policy, error) {
	return get[wire.Policy](ctx, c, policyPath(id), nil)
}

// TestPolicy runs the tests that came with a set of rules.
func (c *Client) TestPolicy(ctx context.Context, id string) (*wire.PolicyTest, error) {
	return post[wire.PolicyTest](ctx, c, policyPath(id)+"/test", nil)
}

// SubmitPolicy asks another officer to approve a set of rules.
func (c *Client) SubmitPolicy(ctx context.Context, id string) (*wire.Policy, error) {
	return post[wire.Policy](ctx, c, policyPath(id)+"/submit", nil)
}

// ApprovePolicy puts in force what another officer submitted.
func (c *Client) ApprovePolicy(ctx context.Context, id string) (*wire.Policy, error) {
	return post[wire.Policy](ctx, c, policyPath(id)+"/approve", nil)
}

// RejectPolicy ends a change that waits, or the life of a draft, with words.
func (c *Client) RejectPolicy(ctx context.Context, id, reason string) (*wire.Policy, error) {
	return post[wire.Policy](ctx, c, policyPath(id)+"/reject", &wire.Rejection{Reason: reason})
}

// ActivatePolicy puts a set of rules in force, or lets it wait for another
// officer.
func (c *Client) ActivatePolicy(ctx context.Context, id string) (*wire.Policy, error) {
	return post[wire.Policy](ctx, c, policyPath(id)+"/activate", nil)
}

// RollbackPolicy makes a former set of rules active again, or lets that wait for
// another officer.
func (c *Client) RollbackPolicy(ctx context.Context, id string) (*wire.Policy, error) {
	return post[wire.Policy](ctx, c, policyPath(id)+"/rollback", nil)
}

func policyPath(id string) string { return "/v1/policies/" + url.PathEscape(id) }

// all reads a list page by page.
func all[Page, Item any](ctx context.Context, c *Client, path string, of func(*Page) ([]Item, string)) ([]Item, error) {
	return allOf(ctx, c, path, url.Values{}, of)
}

// allOf is all with parameters.
func allOf[Page, Item any](ctx context.Context, c *Client, path string, query url.Values, of func(*Page) ([]Item, string)) ([]Item, error) {
	items := []Item{}
	for {
		page, err := get[Page](ctx, c, path, query)
		if err != nil {
			return nil, err
		}
		some, next := of(page)
		items = append(items, some...)
		if next == "" || len(some) == 0 {
			return items, nil
		}
		query.Set("after", next)
	}
}
