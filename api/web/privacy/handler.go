package privacy

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/api/authn/codes"
	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/vault"
)

//go:embed all:templates
var templateFiles embed.FS

//go:embed messages
var messageFiles embed.FS

// Config is what a [Handler] is made of. Vault, Origin and Takeout are required.
type Config struct {
	// Vault is asked and told everything, as the person of the session.
	Vault Vault
	// Origin is the address under which browsers reach the pages, such as
	// https://vault.example.org. Over https their cookie is bound to the host; in
	// the clear, which is for loopback, it cannot be.
	Origin string
	// Providers are whom people may log in with. Default: none.
	Providers []Provider
	// Mail sends codes to log in with. Default: none, and nobody logs in by one.
	Mail Mail
	// Takeout writes somebody's data in a format – json, csv or schemaorg – as the
	// route for it does.
	Takeout func(format string, t *vault.Takeout) (name, media string, content []byte, err error)
	// Location is where times are shown in. Default: UTC.
	Location *time.Location
	// BehindProxy is whether the last address of X-Forwarded-For is where a request
	// comes from, because a proxy of ours put it there.
	BehindProxy bool
	// Logger is told what went wrong, never a personal value. Default: none.
	Logger *slog.Logger
	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// Provider is one whom people may log in with. What it verified of a person – an
// address, a number – must be an identifier of theirs.
type Provider struct {
	// Name is what people call it.
	Name string
	// Login is at the provider. Its browsers come back to [BackPath] of its place
	// among the providers.
	Login *openid.Provider
}

// BackPath is where the browsers of the nth provider come back to.
func BackPath(n int) string { return fmt.Sprintf("/privacy/login/openid/%d/back", n) }

// Mail sends a text to one address.
type Mail interface {
	Send(ctx context.Context, to, subject, text string) error
}

// Handler serves the privacy centre. It is safe for concurrent use.
type Handler struct {
	vault     Vault
	site      *page.Site
	jar       page.Jar
	providers []Provider
	mail      Mail
	desk      *codes.Desk // nil: no codes
	proxied   bool
	takeout   func(string, *vault.Takeout) (string, string, []byte, error)
	location  *time.Location
	logger    *slog.Logger
	now       func() time.Time
}

// New returns a Handler, or an error that says what is wrong with the
// configuration. Close it when it is not served any more.
func New(cfg Config) (*Handler, error) {
	if cfg.Vault == nil || cfg.Takeout == nil {
		return nil, errors.New("the vault, and what writes files of data, are required")
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
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	h := &Handler{vault: cfg.Vault, jar: page.Jar{Family: cookieFamily, Secure: origin.Scheme == "https"}, providers: cfg.Providers, mail: cfg.Mail, takeout: cfg.Takeout, proxied: cfg.BehindProxy,
		location: cfg.Location, logger: cfg.Logger, now: cfg.Now}
	templates, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		return nil, err
	}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, err
	}
	if h.site, err = page.New(page.Config{Templates: templates, Messages: messages, Location: cfg.Location}); err != nil {
		return nil, fmt.Errorf("reading the pages: %w", err)
	}
	if cfg.Mail != nil {
		h.desk, err = codes.New(codes.Config{Known: h.mayLogin, Send: h.sendCode, Logger: cfg.Logger, Now: cfg.Now})
	}
	return h, err
}

// Close ends what is being sent.
func (h *Handler) Close() error {
	if h.desk == nil {
		return nil
	}
	return h.desk.Close()
}

// route is one line of the table: what a visitor may ask for.
type route struct {
	pattern string // of the standard ServeMux
	do      func(*visit) error
	open    bool // to who has no session
}

// routes are all pages and forms. A family of them stands in its own file.
func routes() []route {
	return slices.Concat(
		loginRoutes(),
		homeRoutes(),
		dataRoutes(),
		contestRoutes(),
		useRoutes(),
		accessRoutes(),
		takeRoutes(),
		deviceRoutes(),
	)
}

// Mount binds the privacy centre below /privacy.
func (h *Handler) Mount(mux *http.ServeMux) {
	own := http.NewServeMux()
	for _, rt := range routes() {
		own.Handle(rt.pattern, h.serve(rt))
	}
	own.Handle("/privacy/", h.serve(route{do: func(*visit) error { return errNotFound }, open: true}))
	guarded := page.Guard(own)
	for _, rt := range routes() {
		mux.Handle(rt.pattern, guarded)
	}
	mux.Handle("/privacy/", guarded)
}

// origin is where a request comes from, for throttles.
func (h *Handler) origin(r *http.Request) string { return page.Origin(r, h.proxied) }
