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

// Lookup finds who holds an identifier. The person sees the reason.
func (c *Client) Lookup(ctx context.Context, in *wire.LookupRequest) (*wire.LookupAnswer, error) {
	return post[wire.LookupAnswer](ctx, c, "/v1/subjects/lookup", in)
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

// CheckPolicy compiles rules without keeping them. Problems come as an *Error
// with their lines.
func (c *Client) CheckPolicy(ctx context.Context, in *wire.DraftRequest) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/v1/policies/check", in: in})
}

// DraftPolicy keeps a set of rules as a draft.
func (c *Client) DraftPolicy(ctx context.Context, in *wire.DraftRequest) (*wire.Policy, error) {
	return post[wire.Policy](ctx, c, "/v1/policies", in)
}

// Policies returns all sets of rules, without their modules.
func (c *Client) Policies(ctx context.Context) ([]wire.Policy, error) {
	return all(ctx, c, "/v1/policies", func(p *wire.PolicyList) ([]wire.Policy, string) { return p.Policies, p.Next })
}

// ActivatePolicy puts a set of rules in force.
func (c *Client) ActivatePolicy(ctx context.Context, id string) (*wire.Policy, error) {
	return post[wire.Policy](ctx, c, "/v1/policies/"+url.PathEscape(id)+"/activate", nil)
}

// all reads a list page by page.
func all[Page, Item any](ctx context.Context, c *Client, path string, of func(*Page) ([]Item, string)) ([]Item, error) {
	items := []Item{}
	query := url.Values{}
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
