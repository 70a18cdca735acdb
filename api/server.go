package api

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/api/authn"
	"github.com/sayso-vault/sayso/api/lane"
	"github.com/sayso-vault/sayso/api/webhook"
	"github.com/sayso-vault/sayso/vault"
)

// Config is what a Server is made of. Vault and Issuer are required.
type Config struct {
	// Vault is the vault behind the routes.
	Vault *vault.Vault
	// Issuer is the address under which clients reach this server, such as
	// https://vault.example.org. Tokens are issued by and for it.
	Issuer string
	// Version of the program, told in the OpenAPI document. Default: "dev".
	Version string
	// Logger takes the access log and what went wrong, never a personal value.
	// Default: none.
	Logger *slog.Logger
	// Observer is told of every request. Default: none.
	Observer Observer
	// Metrics are shown at /metrics. Default: none, and there is no such page.
	Metrics Metrics
	// Pages are families of pages to serve beside the routes. Default: none.
	Pages []Pages
	// Codes sends people codes to log in with. Default: none, and nobody logs in
	// by one.
	Codes Codes
	// Webhooks sends events; it says here which URLs it would send to. Default: one
	// that sends to public addresses only.
	Webhooks *webhook.Sender
	// Now tells the time tokens are issued and checked at. Default: time.Now.
	Now func() time.Time
}

// Server answers HTTP requests for one vault. It is safe for concurrent use.
type Server struct {
	door     door
	tokens   *authn.Authority
	codes    Codes // nil: none are sent
	logger   *slog.Logger
	observer Observer
	metrics  Metrics
	arrivals sync.Pool // of *arrival
	answers  sync.Pool // of *[]byte: what reads were answered in
	handler  http.Handler
	lane     []lane.Route
	openapi  []byte
	docs     *docs
	now      func() time.Time // measures how long something took
	hooks    *webhook.Sender
	stopping chan struct{} // closed when streams are to end
	lingers  time.Duration // how long those go on that may come to an end by themselves
	stop     func()
}

// inLane are the routes of the lane.
var inLane = []string{"POST /v1/reads", "POST /oauth/token"}

// New returns a Server, or an error that says what is wrong with the
// configuration.
func New(cfg Config) (*Server, error) {
	if cfg.Vault == nil {
		return nil, errors.New("the vault is missing")
	}
	return newServer(cfg.Vault, cfg)
}

func newServer(d door, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Webhooks == nil {
		cfg.Webhooks = webhook.New(webhook.Config{})
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	tokens, err := authn.New(authn.Config{Clients: d, Key: d.TokenKey(), Issuer: cfg.Issuer, Now: cfg.Now})
	if err != nil {
		return nil, fmt.Errorf("setting up access tokens: %w", err)
	}
	s, table := &Server{door: d, tokens: tokens, codes: cfg.Codes, logger: cfg.Logger, observer: cfg.Observer, metrics: cfg.Metrics, now: time.Now, hooks: cfg.Webhooks, stopping: make(chan struct{}), lingers: lingers}, routes()
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	if s.openapi, err = describe(table, tokens.Issuer(), cfg.Version); err != nil {
		return nil, fmt.Errorf("describing the routes: %w", err)
	}
	if s.docs, err = document(table, s.openapi); err != nil {
		return nil, fmt.Errorf("documenting the routes: %w", err)
	}
	s.handler = s.pages(cfg.Pages, s.arriving(s.mux(table)))
	for i := range table {
		if rt := &table[i]; slices.Contains(inLane, rt.method+" "+rt.pattern) {
			s.lane = append(s.lane, lane.Route{Method: rt.method, Path: rt.pattern, Handler: s.arriving(s.serve(rt))})
		}
	}
	return s, nil
}

// Handler returns what answers all routes.
func (s *Server) Handler() http.Handler { return s.handler }

// HTTP returns a server for the routes that slow and oversized clients cannot
// hold up. The caller listens, serves and shuts it down.
func (s *Server) HTTP() *http.Server {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		// What net/http says of broken connections names addresses of clients.
		ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.stop)
	return server
}

// Lane puts a lane for what channels ask again and again, tokens and reads,
// between a listener and a server that HTTP returned, which then serves the lane:
// see package lane. It is for connections in the clear; over TLS the server serves
// them all.
func (s *Server) Lane(l net.Listener, server *http.Server) *lane.Lane {
	return lane.New(l, lane.Config{Routes: s.lane, Server: server})
}

// mux binds the table to the standard ServeMux, and what is not in the table to
// problems: a wrong method, an unknown path. Below /v1 nobody learns even that
// much without a token.
func (s *Server) mux(table []route) http.Handler {
	byMethod, byPath := http.NewServeMux(), http.NewServeMux()
	methods := map[string][]string{}
	for i := range table {
		rt := &table[i]
		byMethod.Handle(rt.method+" "+rt.pattern, s.serve(rt))
		methods[rt.pattern] = append(methods[rt.pattern], rt.method)
	}
	for i := range table {
		if allowed, ok := methods[table[i].pattern]; ok {
			byPath.Handle(table[i].pattern, s.serve(wrongMethod(&table[i], allowed)))
			delete(methods, table[i].pattern)
		}
	}
	below := s.serve(&route{pattern: "/v1/", role: eitherRole, do: notFound})
	for _, pattern := range []string{"/v1", "/v1/"} {
		byPath.Handle(pattern, below)
	}
	elsewhere := s.serve(&route{pattern: "/", role: anyone, do: notFound})
	byPath.Handle("/", elsewhere)
	byMethod.Handle("/", byPath)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case p == "/" || path.Clean(p) == p:
			byMethod.ServeHTTP(w, r)
		// The mux would redirect an unclean path and repeat it; there is
		// nothing to be found there.
		case strings.HasPrefix(p, "/v1"):
			below.ServeHTTP(w, r)
		default:
			elsewhere.ServeHTTP(w, r)
		}
	})
}

// serve takes a request through what all routes have in common: its ID, the
// deadline, who calls, and what becomes of errors.
func (s *Server) serve(rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w, began := arrived(w)
		x := &exchange{Server: s, route: rt, w: w, r: r, ctx: r.Context(), began: began, requestID: requestID(r)}
		if s.observer != nil {
			x.routed = time.Since(began)
			x.ctx = s.observer.Arrived(x.ctx, began, r.Header)
		}
		h := w.Header()
		x.texts[0] = x.requestID
		h["X-Request-Id"] = x.texts[0:1:1]
		h["X-Content-Type-Options"] = noSniff
		h["Cache-Control"] = noStore
		defer x.finish()
		if rt.deadline > 0 {
			x.until = deadline{Context: x.ctx, at: began.Add(rt.deadline)}
			defer x.until.stop()
			x.ctx = &x.until
		}
		err := x.admit()
		x.admitted = x.since()
		if err == nil {
			err = x.serve()
		}
		if err != nil {
			x.refuse(err)
		}
	})
}

// admit finds out who calls and whether this route is theirs. The order is part
// of the promise: nobody learns about routes, no suspended channel about
// limits.
func (x *exchange) admit() error {
	if x.route.role == anyone {
		return nil
	}
	caller, err := x.whoCalls()
	if err != nil {
		return err
	}
	caller.RequestID = x.requestID
	x.caller = caller
	if caller.Client.Suspended {
		return errSuspended
	}
	if err := x.door.AllowRequest(caller); err != nil {
		return err
	}
	if !x.route.role.admits(caller.Client.Role) {
		return errWrongRole
	}
	if x.route.method == "" {
		return nil // not found anyway, with or without a query
	}
	return x.checkQuery()
}

// finish writes the access log, and answers for a handler that panicked. The
// value of a panic may hold anything, so only its type and place are told.
func (x *exchange) finish() {
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(http.ErrAbortHandler)
		}
		x.logger.LogAttrs(x.ctx, slog.LevelError, "a handler panicked", slog.String("route", x.route.pattern),
			slog.String("request_id", x.requestID), slog.String("type", fmt.Sprintf("%T", p)), slog.String("at", panickedAt()))
		if x.status == 0 {
			x.refuse(errInternal)
		}
	}
	x.logAccess()
	x.tell()
}

// panickedAt names the functions and lines of a panic, without any argument.
func panickedAt() string {
	pcs := make([]uintptr, 24)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var b strings.Builder
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s:%d ", f.Function, f.Line)
		if !more {
			return strings.TrimSpace(b.String())
		}
	}
}

// logAccess writes one line a request: the route's pattern, never the path. A
// read that went as it should is told at debug level only, because the log of
// the vault already has its record.
func (x *exchange) logAccess() {
	level := slog.LevelInfo
	switch {
	case x.status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case x.route.quiet && (x.status < 300 || x.code == codeDenied):
		level = slog.LevelDebug
	}
	if !x.logger.Enabled(x.ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", safeMethod(x.r.Method)),
		slog.String("route", x.route.pattern),
		slog.Int("status", x.status),
		slog.Int("bytes", x.size),
		slog.Duration("took", time.Since(x.began)),
		slog.String("request_id", x.requestID),
	}
	if x.caller.Client.ID != "" {
		attrs = append(attrs, slog.String("client", x.caller.Client.ID))
	}
	if x.code != "" {
		attrs = append(attrs, slog.String("code", x.code))
	}
	x.logger.LogAttrs(x.ctx, level, "request", attrs...)
}

// safeMethod keeps what a client made up out of the log.
func safeMethod(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "other"
}

// requestID returns the client's X-Request-ID if it is sane, else a fresh one.
// Sane means made by a machine: letters and digits both, so that no name,
// number or address of a person gets into the log as one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) < 16 || len(id) > 64 {
		return freshID()
	}
	var letters, digits bool
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			letters = true
		case '0' <= c && c <= '9':
			digits = true
		case c == '-' || c == '_':
		default:
			return freshID()
		}
	}
	if !letters || !digits {
		return freshID()
	}
	return id
}

// freshID names a request. Nothing rests on that it cannot be guessed.
func freshID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var id [24]byte
	for half := 0; half < len(id); half += 12 {
		n := rand.Uint64() //nolint:gosec,forbidigo // see above
		for i := range 12 {
			id[half+i] = letters[n>>(5*i)&31]
		}
	}
	return string(id[:])
}
