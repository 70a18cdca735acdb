package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// The waits before a call is tried again: they double from the shortest on, and
// each is between a half and the whole of that, so that many clients do not come
// back at one moment.
const (
	shortest = 100 * time.Millisecond
	longest  = 10 * time.Second
)

// patiently calls fn until it is done, fails for good, or patience is over. When
// the vault says when to come back, nobody comes before.
func (c *Client) patiently(ctx context.Context, fn func() error) error {
	waited := time.Duration(0)
	for n := 0; ; n++ {
		err := fn()
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
		next := pause(n, err)
		if waited += next; waited > c.cfg.Patience || c.cfg.Wait(ctx, next) != nil {
			return err
		}
	}
}

// pause is how long to wait before the try after the nth failed.
func pause(n int, err error) time.Duration {
	d := min(shortest<<min(n, 10), longest)
	d = d/2 + rand.N(d/2+1) //nolint:gosec // nothing rests on that it cannot be guessed
	var refused *Error
	if errors.As(err, &refused) {
		d = max(d, refused.RetryAfter)
	}
	return d
}

// lost is an exchange of which nobody knows what became of it.
type lost struct{ error }

func (l *lost) Unwrap() error { return l.error }

// passing reports whether the same call may go well later.
func passing(err error) bool {
	var refused *Error
	if !errors.As(err, &refused) {
		var gone *lost
		return errors.As(err, &gone) || errors.Is(err, ErrBrokenOff)
	}
	switch refused.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return refused.Code == "idempotency_in_progress"
}

// wait is Config.Wait by a timer.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
