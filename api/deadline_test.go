package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A deadline without a timer ends as one with: whoever waits is told, whoever
// looks sees it, and what is derived from it ends, too.
func TestADeadlineEndsWhetherOrNotSomebodyWaits(t *testing.T) {
	for name, wait := range map[string]func(context.Context){
		"nobody waits":    func(context.Context) { time.Sleep(time.Second) },
		"somebody waits":  func(ctx context.Context) { <-ctx.Done() },
		"derived from it": func(ctx context.Context) { derived, stop := context.WithCancel(ctx); defer stop(); <-derived.Done() },
		"called afterwards": func(ctx context.Context) {
			called := make(chan struct{})
			context.AfterFunc(ctx, func() { close(called) })
			<-called
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				d := &deadline{Context: t.Context(), at: began.Add(time.Second)}
				defer d.stop()
				if at, ok := d.Deadline(); !ok || !at.Equal(d.at) || d.Err() != nil {
					t.Fatalf("before: got %v, %v, %v", at, ok, d.Err())
				}
				wait(d)
				if took := time.Since(began); took != time.Second || !errors.Is(d.Err(), context.DeadlineExceeded) {
					t.Errorf("got %v after %v, want that the deadline is exceeded after a second", d.Err(), took)
				}
				<-d.Done()
			})
		})
	}
}

// A deadline ends with the request it is of, too.
func TestADeadlineEndsWithItsRequest(t *testing.T) {
	for name, look := range map[string]func(context.Context){"nobody waits": func(context.Context) {}, "somebody waits": func(ctx context.Context) { <-ctx.Done() }} {
		t.Run(name, func(t *testing.T) {
			request, cancel := context.WithCancel(t.Context())
			d := &deadline{Context: request, at: time.Now().Add(time.Hour)}
			defer d.stop()
			cancel()
			look(d)
			if !errors.Is(d.Err(), context.Canceled) {
				t.Errorf("got %v, want that it is cancelled", d.Err())
			}
		})
	}
}
