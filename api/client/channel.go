package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Whoami asks what this client may do.
func (c *Client) Whoami(ctx context.Context) (*wire.Whoami, error) {
	return get[wire.Whoami](ctx, c, "/v1/whoami", nil)
}

// Capture stores what a person told, all of it or nothing.
func (c *Client) Capture(ctx context.Context, in *wire.CaptureRequest) (*wire.CaptureAnswer, error) {
	return post[wire.CaptureAnswer](ctx, c, "/v1/captures", in)
}

// Read asks for a person's fields for a purpose. If nothing may be released it
// returns an *Error of code "denied", with the decision and the reasons.
func (c *Client) Read(ctx context.Context, in *wire.ReadRequest) (*wire.ReadAnswer, error) {
	return post[wire.ReadAnswer](ctx, c, "/v1/reads", in)
}

// RecordConsent records a consent, a refusal, a withdrawal, an objection or an
// opt-out.
func (c *Client) RecordConsent(ctx context.Context, in *wire.ConsentRequest) (*wire.ConsentAnswer, error) {
	return post[wire.ConsentAnswer](ctx, c, "/v1/consents", in)
}

// Receipt returns the receipt of a consent record again.
func (c *Client) Receipt(ctx context.Context, id privacy.ConsentID) (*wire.ReceiptAnswer, error) {
	return get[wire.ReceiptAnswer](ctx, c, "/v1/consents/"+id.String()+"/receipt", nil)
}

// RecordGround begins or ends what makes a legal basis true for a person.
func (c *Client) RecordGround(ctx context.Context, in *wire.GroundRequest) (*wire.GroundAnswer, error) {
	return post[wire.GroundAnswer](ctx, c, "/v1/grounds", in)
}

// ConsentState asks whether a purpose is allowed for a person now.
func (c *Client) ConsentState(ctx context.Context, id privacy.SubjectID, purpose privacy.PurposeID) (*wire.ConsentStateAnswer, error) {
	return get[wire.ConsentStateAnswer](ctx, c, "/v1/subjects/"+id.String()+"/consents", url.Values{"purpose": {string(purpose)}})
}

// Missing asks which fields of a purpose a person would have to tell this
// channel: what it may capture and the vault does not have, or has too old.
func (c *Client) Missing(ctx context.Context, id privacy.SubjectID, purpose privacy.PurposeID) (*wire.MissingAnswer, error) {
	return get[wire.MissingAnswer](ctx, c, "/v1/subjects/"+id.String()+"/missing", url.Values{"purpose": {string(purpose)}})
}

// AskMissing takes, or prolongs, a short lease on asking a person for missing
// fields. Another channel's is an *Error of code "already_being_asked".
func (c *Client) AskMissing(ctx context.Context, id privacy.SubjectID, in *wire.AskRequest) (*wire.AskAnswer, error) {
	return post[wire.AskAnswer](ctx, c, "/v1/subjects/"+id.String()+"/missing/ask", in)
}

// RecordRefusal records that a person would not tell fields for a purpose.
func (c *Client) RecordRefusal(ctx context.Context, id privacy.SubjectID, in *wire.AskRequest) (*wire.RefusalAnswer, error) {
	return post[wire.RefusalAnswer](ctx, c, "/v1/subjects/"+id.String()+"/missing/refusals", in)
}

// RecordTouch records what this channel had to do with a person. With IfAllowed
// it is recorded only if it may happen; else it is an *Error with the code.
func (c *Client) RecordTouch(ctx context.Context, in *wire.TouchRequest) (*wire.TouchAnswer, error) {
	return post[wire.TouchAnswer](ctx, c, "/v1/touches", in)
}

// CheckTouch asks whether a contact may happen, or until when not.
func (c *Client) CheckTouch(ctx context.Context, in *wire.TouchRequest) (*wire.TouchCheckAnswer, error) {
	return post[wire.TouchCheckAnswer](ctx, c, "/v1/touches/check", in)
}

func get[Out any](ctx context.Context, c *Client, path string, query url.Values) (*Out, error) {
	out := new(Out)
	if err := c.do(ctx, call{method: http.MethodGet, path: path, query: query, out: out}); err != nil {
		return nil, err
	}
	return out, nil
}

func post[Out any](ctx context.Context, c *Client, path string, in any) (*Out, error) {
	out := new(Out)
	if err := c.do(ctx, call{method: http.MethodPost, path: path, in: in, out: out}); err != nil {
		return nil, err
	}
	return out, nil
}

// Reply tells what a person wrote or pressed; if it is a no by the register's words, it
// is recorded.
func (c *Client) Reply(ctx context.Context, in *wire.ReplyRequest) (*wire.ReplyAnswer, error) {
	return post[wire.ReplyAnswer](ctx, c, "/v1/replies", in)
}

// UnsubscribeLink returns a link for a mail, with the mail's headers, by which the
// person says no to a purpose with one click (RFC 8058).
func (c *Client) UnsubscribeLink(ctx context.Context, in *wire.UnsubscribeLinkRequest) (*wire.UnsubscribeLink, error) {
	return post[wire.UnsubscribeLink](ctx, c, "/v1/unsubscribe-links", in)
}

// CaptureFromBrowser is Capture with Global Privacy Control (Sec-GPC) as the person's
// browser sent it: "1" opts them out of every purpose that rests on opt_out.
func (c *Client) CaptureFromBrowser(ctx context.Context, in *wire.CaptureRequest, browser http.Header) (*wire.CaptureAnswer, error) {
	out := new(wire.CaptureAnswer)
	header := http.Header{}
	if browser.Get("Sec-GPC") == "1" {
		header.Set("Sec-GPC", "1")
	}
	if err := c.do(ctx, call{method: http.MethodPost, path: "/v1/captures", in: in, header: header, out: out}); err != nil {
		return nil, err
	}
	return out, nil
}
