package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Audience gives everybody whom this channel may use a purpose for now, as they
// come: each is decided about when they do, so whoever takes their time gets what
// holds then. An answer that broke off is gone on with behind the last person, as
// far as Config.Patience says.
//
// An answer that does not come to its end gives an error, last: ErrBrokenOff, or the
// *Error that ended it, such as one of code "rate_limited" when the people of the
// day are used up. Who came before was released.
func (c *Client) Audience(ctx context.Context, in *wire.AudienceRequest) iter.Seq2[*wire.AudienceLine, error] {
	return func(yield func(*wire.AudienceLine, error) bool) {
		ask := *in
		ask.End = true
		stopped := false
		err := c.patiently(ctx, func() error {
			return c.list(ctx, &ask, func(line *wire.AudienceLine) bool {
				ask.After = line.Subject
				stopped = !yield(line, nil)
				return !stopped
			})
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// list gives the lines of one answer until some wants no more.
func (c *Client) list(ctx context.Context, ask *wire.AudienceRequest, some func(*wire.AudienceLine) bool) error {
	body, err := c.begin(ctx, call{method: http.MethodPost, path: "/v1/audiences", in: ask})
	if err != nil {
		return err
	}
	defer body.Close()
	in := jsontext.NewDecoder(body)
	for lines := 0; ; lines++ {
		var line struct {
			wire.AudienceLine
			wire.BatchEnd
		}
		switch err := json.UnmarshalDecode(in, &line); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("%w: %w", ErrBrokenOff, err)
		case line.End && line.Lines != lines:
			return ErrBrokenOff
		case line.End:
			return nil
		case line.LineRefusal != nil:
			return refusedLine(line.LineRefusal)
		case line.Subject == privacy.Nobody:
			return ErrBrokenOff
		case !some(&line.AudienceLine):
			return nil
		}
	}
}

// refusedLine is the refusal that a line tells of.
func refusedLine(r *wire.LineRefusal) *Error {
	return &Error{Problem: wire.Problem{Type: r.Type, Title: r.Title, Status: r.Status, Code: r.Code, Detail: r.Detail, Errors: r.Errors},
		RetryAfter: time.Duration(r.RetryAfter) * time.Second}
}
