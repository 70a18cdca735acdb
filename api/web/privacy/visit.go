package privacy

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/authn/codes"
	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/vault"
)

const (
	// patience bounds what a page may ask of the vault.
	patience = 30 * time.Second
	// maxForm is the largest form.
	maxForm = 256 << 10
)

// visit is one request, by a person or by somebody who has no session yet.
type visit struct {
	*Handler
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context
	by     vault.Caller // zero: no session
	inside bool         // by is somebody
	lang   string
	titles *titles
}

// errNotFound is answered with a page that says so.
var errNotFound = errors.New("there is no such page")

// serve takes a request through what all pages have in common: who it is, how
// long it may take, and what becomes of errors.
func (h *Handler) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		v := &visit{Handler: h, w: w, r: r, ctx: ctx}
		v.lang = v.say("lang")
		err := v.recognise()
		switch {
		case err != nil:
		case !v.inside && !rt.open:
			err = v.toLogin()
		default:
			err = rt.do(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

// recognise finds out whose session this is.
func (v *visit) recognise() (err error) {
	if v.titles, err = v.Handler.readTitles(v.lang); err != nil {
		return err
	}
	token := v.cookie(sessionCookie)
	if token == "" {
		return nil
	}
	by, err := v.vault.Subject(v.ctx, token)
	if errors.Is(err, vault.ErrInvalidClient) {
		v.forget(sessionCookie)
		return nil
	}
	if err != nil {
		return err
	}
	by.RequestID = v.r.Header.Get("X-Request-Id")
	v.by, v.inside = by, true
	return nil
}

// toLogin sends somebody who has no session to where they can begin one, and from
// there back to the page they asked for.
func (v *visit) toLogin() error {
	to := loginPath
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/privacy" && openid.OwnPath(v.r.URL.Path) {
		to += "?next=" + url.QueryEscape(v.r.URL.Path)
	}
	if v.r.Header.Get("HX-Request") == "true" { // not into a part of the page
		v.w.Header().Set("HX-Redirect", to)
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return v.redirect(to)
}

// frame is what every page sees as .Data; its own is .Data.Page.
type frame struct {
	Controller string // whose pages these are
	Contact    string
	Inside     bool
	Sections   []section
	Flash      string // what was just done
	Page       any
}

// section is a place of the navigation. Message keys name it.
type section struct {
	Key, Path string
	Here      bool
}

func sections() []section {
	return []section{
		{Key: "home", Path: "/privacy"},
		{Key: "data", Path: "/privacy/data"},
		{Key: "uses", Path: "/privacy/uses"},
		{Key: "accesses", Path: "/privacy/accesses"},
		{Key: "take", Path: "/privacy/take"},
	}
}

// render answers with a page.
func (v *visit) render(status int, name string, data any) error {
	f := &frame{Page: data, Inside: v.inside, Flash: v.takeFlash()}
	if v.titles != nil {
		f.Controller, f.Contact = v.titles.controller.Name, v.titles.controller.Contact
	}
	if v.inside {
		f.Sections = sections()
		here := -1
		for i, s := range f.Sections {
			if v.r.URL.Path == s.Path || i > 0 && strings.HasPrefix(v.r.URL.Path, s.Path+"/") {
				here = i
			}
		}
		if here >= 0 {
			f.Sections[here].Here = true
		}
	}
	return v.site.Render(v.w, v.r, status, name, f)
}

// redirect sends the browser to another page with GET.
func (v *visit) redirect(to string) error {
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// done redirects with words about what was done: the message "flash.KEY" with its
// {names}, none of which is personal.
func (v *visit) done(to, key string, pairs ...string) error {
	v.putFlash(flash{Key: key, Pairs: pairs})
	return v.redirect(to)
}

// value is a field of the form, without blanks around it.
func (v *visit) value(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }

// say is a message in the language of the visit.
func (v *visit) say(key string, pairs ...any) string {
	text, err := v.site.Say(v.w, v.r, key, pairs...)
	if err != nil {
		v.logger.LogAttrs(v.ctx, slog.LevelError, "a message is missing", slog.String("key", key))
		return key
	}
	return text
}

// file answers with a file to keep.
func (v *visit) file(name, media string, content []byte) error {
	h := v.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, err := v.w.Write(content)
	return err
}

// problem is what an error page tells.
type problem struct {
	Status int
	Code   string // of messages "problem.CODE" and "problem.CODE_words"
	After  int    // minutes to wait, of rate_limited
	// StepUp leads to a login that may do what was asked.
	StepUp bool
}

// problemOf turns an error into what can be told of it.
func problemOf(err error) problem {
	var refused *vault.Error
	var tooLarge *http.MaxBytesError
	var throttled *codes.ThrottledError
	switch {
	case errors.Is(err, errNotFound):
		return problem{Status: http.StatusNotFound, Code: "not_found"}
	case errors.As(err, &tooLarge):
		return problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid"}
	case errors.As(err, &throttled):
		return problem{Status: http.StatusTooManyRequests, Code: "rate_limited", After: minutes(throttled.After)}
	case errors.As(err, &refused):
		switch refused.Code {
		case vault.CodeNotFound, vault.CodeUnknownSubject, vault.CodeGone:
			return problem{Status: http.StatusNotFound, Code: "not_found"}
		case vault.CodeStepUpRequired:
			return problem{Status: http.StatusForbidden, Code: "step_up", StepUp: true}
		case vault.CodeForbidden, vault.CodeConsentNotObtainable, vault.CodeUnknownPurpose, vault.CodePurposeNotGranted:
			return problem{Status: http.StatusForbidden, Code: "forbidden"}
		case vault.CodeWrongState, vault.CodeRevisionConflict:
			return problem{Status: http.StatusConflict, Code: "changed"}
		case vault.CodeInvalidRequest, vault.CodeOneIdentifier:
			return problem{Status: http.StatusUnprocessableEntity, Code: "invalid"}
		case vault.CodeRateLimited:
			return problem{Status: http.StatusTooManyRequests, Code: "rate_limited", After: minutes(refused.RetryAfter)}
		}
		return problem{Status: http.StatusServiceUnavailable, Code: "unavailable"}
	case errors.Is(err, context.DeadlineExceeded):
		return problem{Status: http.StatusServiceUnavailable, Code: "unavailable"}
	}
	return problem{Status: http.StatusInternalServerError, Code: "internal"}
}

func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

// fail answers with a page about what went wrong. Whose session is over is sent to
// begin another.
func (v *visit) fail(err error) {
	if errors.Is(err, vault.ErrInvalidClient) {
		v.forget(sessionCookie)
		v.inside = false
		_ = v.toLogin() // a redirect cannot fail
		return
	}
	if errors.Is(err, context.Canceled) {
		return // nobody waits
	}
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		v.logger.LogAttrs(v.ctx, slog.LevelError, "a page could not be shown", slog.String("route", v.r.Pattern), slog.Any("err", err))
	}
	if err := v.render(p.Status, "problem.html", p); err != nil {
		v.logger.LogAttrs(v.ctx, slog.LevelError, "a page could not be shown", slog.String("route", v.r.Pattern), slog.Any("err", err))
		http.Error(v.w, "something went wrong", http.StatusInternalServerError)
	}
}

// flash is what the page after a redirect says of what was done: a message, never
// a value, in a cookie of its own.
type flash struct {
	Key   string   `json:"k"`
	Pairs []string `json:"p,omitempty"`
}

func (v *visit) putFlash(f flash) {
	text, err := json.Marshal(f)
	if err != nil {
		return
	}
	v.remember(flashCookie, base64.RawURLEncoding.EncodeToString(text), time.Minute)
}

// takeFlash is the text of the flash, which is shown once; "" if there is none.
func (v *visit) takeFlash() string {
	sent := v.cookie(flashCookie)
	if sent == "" {
		return ""
	}
	v.forget(flashCookie)
	text, err := base64.RawURLEncoding.DecodeString(sent)
	var f flash
	if err != nil || json.Unmarshal(text, &f) != nil {
		return ""
	}
	var pairs []any
	for _, p := range f.Pairs {
		pairs = append(pairs, p)
	}
	said, err := v.site.Say(v.w, v.r, "flash."+f.Key, pairs...)
	if err != nil {
		return "" // made up
	}
	return said
}
