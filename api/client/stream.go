package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// begin sends a call and returns the answer's body, to be read as it comes. It
// breaks off when nothing comes for too long.
func (c *Client) begin(ctx context.Context, what call) (io.ReadCloser, error) {
	for first := true; ; first = false {
		token, err := c.accessToken(ctx)
		if err != nil {
			return nil, err
		}
		body, err := c.beginWith(ctx, what, token)
		var refused *Error
		if first && errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
			c.forget(token)
			continue
		}
		return body, err
	}
}

func (c *Client) beginWith(ctx context.Context, what call, token string) (io.ReadCloser, error) {
	ctx, giveUp := context.WithCancel(ctx)
	r, err := c.request(ctx, what, token, "")
	if err != nil {
		giveUp()
		return nil, err
	}
	patient := *c.cfg.HTTP
	patient.Timeout = 0
	quiet := time.AfterFunc(silence, giveUp)
	resp, err := patient.Do(r) //nolint:bodyclose // coming closes it
	if err != nil {
		quiet.Stop()
		giveUp()
		return nil, fmt.Errorf("asking the vault: %w", &lost{err})
	}
	body := &coming{resp.Body, quiet, giveUp}
	if resp.StatusCode == http.StatusOK {
		return body, nil
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the vault's answer: %w", &lost{err})
	}
	return nil, refusal(resp, text)
}

// coming is a body that may take its time as long as something comes.
type coming struct {
	io.ReadCloser
	quiet  *time.Timer
	giveUp func()
}

func (b *coming) Read(p []byte) (int, error) {
	b.quiet.Reset(silence)
	defer b.quiet.Stop() // whoever reads may take their time over what came
	return b.ReadCloser.Read(p)
}

func (b *coming) Close() error {
	b.quiet.Stop()
	b.giveUp()
	return b.ReadCloser.Close()
}
