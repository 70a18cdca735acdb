package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// ExportPerson returns a person's data for whoever asked for it by letter, as it
// is: scope access or portable, in format json, csv or schemaorg. The person sees
// the reason, and who asked for them.
func (c *Client) ExportPerson(ctx context.Context, id privacy.SubjectID, scope, format string, in *wire.TakeoutRequest) ([]byte, error) {
	var out []byte
	err := c.do(ctx, call{method: http.MethodPost, path: "/v1/subjects/" + id.String() + "/export",
		query: url.Values{"scope": {scope}, "format": {format}}, in: in, out: &out})
	return out, err
}

// Restrict restricts the processing of a person's data (Art. 18).
func (c *Client) Restrict(ctx context.Context, id privacy.SubjectID, reason string) (*wire.Restriction, error) {
	return post[wire.Restriction](ctx, c, "/v1/subjects/"+id.String()+"/restriction", &wire.Because{Reason: reason})
}

// Lift ends a restriction, of which the person was told before.
func (c *Client) Lift(ctx context.Context, id privacy.SubjectID, reason string) (*wire.Restriction, error) {
	return post[wire.Restriction](ctx, c, "/v1/subjects/"+id.String()+"/restriction/lift", &wire.Because{Reason: reason})
}

// EnterRequest enters what a person asked for by letter or phone.
func (c *Client) EnterRequest(ctx context.Context, in *wire.PersonRequest) (*wire.Request, error) {
	return post[wire.Request](ctx, c, "/v1/requests", in)
}

// The words that an officer says of a request.
const (
	RequestIdentity = "identity" // how it is known that it is the person
	RequestExtend   = "extend"   // why the time to answer is longer
	RequestComplete = "complete" // what was done
	RequestRefuse   = "refuse"   // why not
)

// SayOfRequest says one of these words of a request, with the reason.
func (c *Client) SayOfRequest(ctx context.Context, id privacy.RequestID, word, reason string) (*wire.Request, error) {
	return post[wire.Request](ctx, c, "/v1/requests/"+id.String()+"/"+word, &wire.Because{Reason: reason})
}

// OpenSession opens a session of a person: a token for the channel, a one-time link
// for the person.
func (c *Client) OpenSession(ctx context.Context, in *wire.SessionRequest) (*wire.OpenedSession, error) {
	return post[wire.OpenedSession](ctx, c, "/v1/subject-sessions", in)
}
