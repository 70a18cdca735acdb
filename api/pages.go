package api

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Pages are what people look at in a browser: the console, the privacy centre.
type Pages interface {
	// Mount binds the pages' patterns, each below a path of the family's own.
	Mount(*http.ServeMux)
}

// pages binds families of pages beside the routes. Whatever they do not answer
// goes on to next.
func (s *Server) pages(families []Pages, next http.Handler) http.Handler {
	if len(families) == 0 {
		return next
	}
	mux := http.NewServeMux()
	for _, f := range families {
		f.Mount(mux)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return
		}
		if _, pattern := mux.Handler(r); pattern != "" {
			s.page(w, r, pattern, mux)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// page answers with a page, and writes a line of the access log: the pattern, never
// the path, which may hold what somebody typed.
func (s *Server) page(w http.ResponseWriter, r *http.Request, pattern string, pages http.Handler) {
	began, id := s.now(), requestID(r)
	seen := &pageWriter{ResponseWriter: w}
	w.Header().Set("X-Request-Id", id)
	r.Header.Set("X-Request-Id", id) // what the page records names the same request
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(http.ErrAbortHandler)
			}
			s.logger.LogAttrs(r.Context(), slog.LevelError, "a page panicked", slog.String("route", pattern),
				slog.String("request_id", id), slog.String("at", panickedAt()))
			if seen.status == 0 {
				http.Error(seen, "something went wrong", http.StatusInternalServerError)
			}
		}
		level := slog.LevelInfo
		if seen.status >= http.StatusInternalServerError {
			level = slog.LevelWarn
		}
		_, route, _ := strings.Cut(pattern, " ")
		if route == "" {
			route = pattern
		}
		s.logger.LogAttrs(r.Context(), level, "request", slog.String("method", safeMethod(r.Method)), slog.String("route", route),
			slog.Int("status", seen.status), slog.Duration("took", time.Since(began)), slog.String("request_id", id))
	}()
	pages.ServeHTTP(seen, r)
}

// pageWriter notes the status of a page.
type pageWriter struct {
	http.ResponseWriter
	status int
}

func (s *pageWriter) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *pageWriter) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] find what the server gave.
func (s *pageWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
