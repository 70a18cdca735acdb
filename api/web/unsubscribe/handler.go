package unsubscribe

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/vault"
)

//go:embed templates
var templateFiles embed.FS

//go:embed messages
var messageFiles embed.FS

// Vault is what the page asks of a vault.
type Vault interface {
	Titles() (*vault.Titles, error)
	LookAtUnsubscribe(ctx context.Context, token string) (*vault.Unsubscription, error)
	Unsubscribe(ctx context.Context, token string) (*vault.Unsubscription, error)
}

// Handler serves the page. It is safe for concurrent use.
type Handler struct {
	vault  Vault
	site   *page.Site
	logger *slog.Logger
}

// New returns a Handler that tells the logger, which may be nil, what went wrong.
func New(v Vault, logger *slog.Logger) (*Handler, error) {
	if v == nil {
		return nil, errors.New("the vault is missing")
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	templates, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		return nil, err
	}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, err
	}
	site, err := page.New(page.Config{Templates: templates, Messages: messages})
	if err != nil {
		return nil, err
	}
	return &Handler{vault: v, site: site, logger: logger}, nil
}

// Mount binds the page below /unsubscribe.
func (h *Handler) Mount(mux *http.ServeMux) {
	mux.Handle("GET /unsubscribe/{token}", page.Guard(http.HandlerFunc(h.ask)))
	mux.Handle("POST /unsubscribe/{token}", page.Guard(http.HandlerFunc(h.click)))
}

// shown is what the page tells.
type shown struct {
	*vault.Unsubscription
	Controller           string // whose mails these are
	Done, Unknown, Later bool
}

// ask asks whether to say no, and does nothing.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request) {
	of, err := h.vault.LookAtUnsubscribe(r.Context(), r.PathValue("token"))
	h.show(w, r, of, err, false)
}

// maxForm bounds the form of a click, in bytes.
const maxForm = 4 << 10

// click says no. Mail programs send the form as one of two media types; nothing else
// is a click, so that no program says no by accident.
func (h *Handler) click(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.PostFormValue("List-Unsubscribe") != "One-Click" {
		http.Error(w, "List-Unsubscribe=One-Click was expected", http.StatusBadRequest)
		return
	}
	of, err := h.vault.Unsubscribe(r.Context(), r.PathValue("token"))
	h.show(w, r, of, err, true)
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, of *vault.Unsubscription, err error, clicked bool) {
	status, what := http.StatusOK, shown{Unsubscription: of, Done: clicked || of != nil && of.Gone}
	var refused *vault.Error
	switch {
	case errors.As(err, &refused) && refused.Code == vault.CodeNotFound:
		status, what = http.StatusNotFound, shown{Unknown: true}
	case err != nil:
		status, what = http.StatusServiceUnavailable, shown{Later: true}
		w.Header().Set("Retry-After", "60")
		h.logger.Warn("a no by a link could not be done", "err", err)
	}
	if titles, err := h.vault.Titles(); err == nil { // without, the page still does what it is for
		what.Controller = titles.Controller.Name
	}
	if err := h.site.Render(w, r, status, "unsubscribe.html", what); err != nil {
		h.logger.Error("rendering a page", "err", err)
		http.Error(w, "something went wrong", http.StatusInternalServerError)
	}
}
