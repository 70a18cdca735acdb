package page

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
)

// Redirect sends the browser to another page with GET.
func Redirect(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// Leave sends the browser to another page, also when it asked for a part of this
// one: that would show the other page within it.
func Leave(w http.ResponseWriter, r *http.Request, to string) {
	if r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	Redirect(w, r, to)
}

// Fail answers a request that err ended with the page that show renders under
// status. The logger is told what is the server's fault. Who went away is answered
// nothing.
func Fail(w http.ResponseWriter, r *http.Request, logger *slog.Logger, err error, status int, show func() error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	told := func(err error) {
		logger.LogAttrs(r.Context(), slog.LevelError, "a page could not be shown", slog.String("route", r.Pattern), slog.Any("err", err))
	}
	if status >= http.StatusInternalServerError {
		told(err)
	}
	if err := show(); err != nil {
		told(err)
		http.Error(w, "something went wrong", http.StatusInternalServerError)
	}
}
