package api

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends at a time, like context.WithDeadline's, but
// sets no timer until somebody waits for it. A read that was decided before
// never does.
type deadline struct {
	context.Context
	at time.Time

	mu     sync.Mutex // guards both
	timed  context.Context
	cancel context.CancelFunc
}

// Deadline returns when the context ends.
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Done returns what is closed when the context ends.
func (d *deadline) Done() <-chan struct{} { return d.timer().Done() }

// Err returns why the context ended, nil while it did not.
func (d *deadline) Err() error {
	d.mu.Lock()
	timed := d.timed
	d.mu.Unlock()
	if timed != nil {
		return timed.Err()
	}
	if err := d.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at) {
		return context.DeadlineExceeded
	}
	return nil
}

// AfterFunc is how contexts derived from this one, and context.AfterFunc, learn
// of its end without a goroutine.
func (d *deadline) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(d.timer(), f) }

func (d *deadline) timer() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.cancel = context.WithDeadline(d.Context, d.at)
	}
	return d.timed
}

// stop ends the context, if anybody may be waiting for it.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cancel != nil {
		d.cancel()
	}
}
