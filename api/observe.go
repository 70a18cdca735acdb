package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/sayso-vault/sayso/api/authn"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Observer is told of every request, for metrics and traces. It is called on
// the way of each, so it must be quick and safe for concurrent use.
type Observer interface {
	// Arrived is told of a request, and when it began, before anything is done
	// about it. The context it returns is the request's from then on.
	Arrived(context.Context, time.Time, http.Header) context.Context
	// Answered is told what became of it, with that context.
	Answered(context.Context, Answered)
}

// Answered is a request and its answer as metrics and traces may know them:
// the route's pattern, never a path or anything else that a client made up.
type Answered struct {
	Method, Route string
	Status        int
	Code          string            // of the problem, if that was the answer
	RequestID     string            // made by a machine
	Channel       privacy.ChannelID // empty: not a channel's

	Began    time.Time
	Routed   time.Duration // since Began, when the route was found
	Admitted time.Duration // when it was known who calls
	Encoding time.Duration // when the answer began to be written; 0: it was not
	Took     time.Duration
}

// Metrics shows what was counted, in the text format of Prometheus.
type Metrics interface {
	Expose(io.Writer) error
}

// TokenCache tells how often a token had been checked before.
func (s *Server) TokenCache() authn.CacheStats { return s.tokens.Cache() }

// arrival carries the time of a request's arrival past the mux.
type arrival struct {
	http.ResponseWriter
	at time.Time
}

// arriving notes when requests arrive, if somebody wants to know.
func (s *Server) arriving(next http.Handler) http.Handler {
	if s.observer == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := s.arrivals.Get().(*arrival)
		if !ok {
			a = new(arrival)
		}
		a.ResponseWriter, a.at = w, time.Now()
		defer func() {
			a.ResponseWriter = nil
			s.arrivals.Put(a)
		}()
		next.ServeHTTP(a, r)
	})
}

// arrived takes apart what arriving put together.
func arrived(w http.ResponseWriter) (http.ResponseWriter, time.Time) {
	if a, ok := w.(*arrival); ok {
		return a.ResponseWriter, a.at
	}
	return w, time.Now()
}

// since is the time a request is under way, if somebody wants to know.
func (x *exchange) since() time.Duration {
	if x.observer == nil {
		return 0
	}
	return time.Since(x.began)
}

// encodes notes that the answer is being made.
func (x *exchange) encodes() {
	if x.encoding == 0 {
		x.encoding = x.since()
	}
}

// tell tells the observer of an answered request.
func (x *exchange) tell() {
	if x.observer == nil {
		return
	}
	a := Answered{Method: safeMethod(x.r.Method), Route: x.route.pattern, Status: x.status, Code: x.code, RequestID: x.requestID,
		Began: x.began, Routed: x.routed, Admitted: x.admitted, Encoding: x.encoding, Took: time.Since(x.began)}
	if x.caller.Client.Role == vault.RoleChannel {
		a.Channel = x.caller.Client.Channel
	}
	x.observer.Answered(x.ctx, a)
}
