package console

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/api/web/page"
)

//go:embed all:templates
var templateFiles embed.FS

//go:embed messages
var messageFiles embed.FS

// Config is what a [Handler] is made of. Vault and Origin are required.
type Config struct {
	// Vault is asked and told everything, as the officer of the session.
	Vault Vault
	// Origin is the address under which browsers reach the console, such as
	// https://vault.example.org. Over https its cookies are bound to the host; in
	// the clear, which is for loopback, they cannot be.
	Origin string
	// OpenID is the provider that officers may log in with; its Redirect is
	// Origin and [OpenIDPath]. Default: none.
	OpenID *openid.Provider
	// OpenIDName is what the provider is called on the pages. Default: "OpenID".
	OpenIDName string
	// BehindProxy is whether the last address of X-Forwarded-For is where a request
	// comes from, because a proxy of ours put it there.
	BehindProxy bool
	// Location is where times are shown in. Default: UTC.
	Location *time.Location
	// Logger is told what went wrong, never a personal value. Default: none.
	Logger *slog.Logger
	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// Handler serves the console. It is safe for concurrent use.
type Handler struct {
	vault    Vault
	site     *page.Site
	origin   *url.URL
	logger   *slog.Logger
	now      func() time.Time
	tries    *tries
	jar      page.Jar
	passkeys *passkeys
	openID   *openid.Provider // nil: none
	provider string           // its name
	jobs     *jobs
}

// New returns a Handler, or an error that says what is wrong with the
// configuration.
func New(cfg Config) (*Handler, error) {
	if cfg.Vault == nil {
		return nil, errors.New("the vault is missing")
	}
	origin, err := url.Parse(cfg.Origin)
	if err != nil || origin.Host == "" || origin.Scheme != "https" && origin.Scheme != "http" {
		return nil, fmt.Errorf("%q is not an address such as https://vault.example.org", cfg.Origin)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Handler{vault: cfg.Vault, origin: origin, jar: page.Jar{Family: cookieFamily, Secure: origin.Scheme == "https"}, logger: cfg.Logger, now: cfg.Now, tries: newTries(cfg.Now, cfg.BehindProxy), jobs: newJobs(cfg.Now),
		openID: cfg.OpenID, provider: cmp.Or(cfg.OpenIDName, "OpenID")}
	if h.passkeys, err = newPasskeys(origin, cfg.Now); err != nil {
		return nil, fmt.Errorf("setting up passkeys: %w", err)
	}
	templates, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		return nil, err
	}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, err
	}
	if h.site, err = page.New(page.Config{Templates: templates, Messages: messages, Funcs: funcs(), Location: cfg.Location, KeepQuery: true}); err != nil {
		return nil, fmt.Errorf("reading the pages: %w", err)
	}
	return h, nil
}

// Close ends what still runs behind pages, and returns when it has ended. Requests
// must be over.
func (h *Handler) Close() { h.jobs.close() }

// route is one line of the table: what a visitor may ask for.
type route struct {
	pattern string // of the standard ServeMux
	do      func(*visit) error
	open    bool // to who has not logged in
}

// routes are all pages and forms. A family of them stands in its own file.
func routes() []route {
	return slices.Concat(
		loginRoutes(),
		openIDRoutes(),
		homeRoutes(),
		matrixRoutes(),
		itemRoutes(),
		registerRoutes(),
		channelRoutes(),
		officerRoutes(),
		approvalRoutes(),
		lookupRoutes(),
		ruleRoutes(),
		replayRoutes(),
		decisionRoutes(),
		reportRoutes(),
		recordRoutes(),
		letterRoutes(),
	)
}

// Mount binds the console below /console.
func (h *Handler) Mount(mux *http.ServeMux) {
	own := http.NewServeMux()
	for _, rt := range routes() {
		own.Handle(rt.pattern, h.serve(rt))
	}
	own.Handle("/console/", h.serve(route{do: notFound}))
	guarded := page.Guard(own)
	for _, rt := range routes() {
		mux.Handle(rt.pattern, guarded)
	}
	mux.Handle("/console/", guarded)
}

func notFound(*visit) error { return errNotFound }
