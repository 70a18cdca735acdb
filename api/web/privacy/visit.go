package privacy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/authn/codes"
	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/api/web/page"
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
			v.toLogin()
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
	token := v.jar.Value(v.r, sessionCookie)
	if token == "" {
		return nil
	}
	by, err := v.vault.Subject(v.ctx, token)
	if errors.Is(err, vault.ErrInvalidClient) {
		v.jar.Forget(v.w, sessionCookie)
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
func (v *visit) toLogin() {
	to := loginPath
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/privacy" && openid.OwnPath(v.r.URL.Path) {
		to += "?next=" + url.QueryEscape(v.r.URL.Path)
	}
	page.Leave(v.w, v.r, to)
}

// frame is what every page sees as .Data; its own is .Data.Page.
type frame struct {
	Controller string // whose pages these are
	Contact    string
	DPO        string
	Authority  string
	Inside     bool
	Sections   []section
	Flash      string // what was just done
	At         string // what on the page that is about; "": the page
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
	f := &frame{Page: data, Inside: v.inside}
	f.Flash, f.At = v.site.TakeFlash(v.w, v.r, v.jar)
	if of, ok := data.(interface{ has(at string) bool }); !ok || !of.has(f.At) {
		f.At = ""
	}
	if v.titles != nil {
		c := &v.titles.controller
		f.Controller, f.Contact, f.DPO, f.Authority = c.Name, c.Contact, c.DPO, c.Authority
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
	page.Redirect(v.w, v.r, to)
	return nil
}

// done redirects with words about what was done: the message "flash.KEY" with its
// {names}, none of which is personal.
func (v *visit) done(to, key string, pairs ...string) error {
	v.site.PutFlash(v.w, v.jar, page.Flash{Key: key, Pairs: pairs})
	return v.redirect(to)
}

// doneAt is done with one of the things on a page: that is where the words stand,
// and where a browser without JavaScript goes.
func (v *visit) doneAt(to, at, key string, pairs ...string) error {
	v.site.PutFlash(v.w, v.jar, page.Flash{Key: key, Pairs: pairs, At: at})
	return v.redirect(to + "#" + at)
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
		v.jar.Forget(v.w, sessionCookie)
		v.inside = false
		v.toLogin()
		return
	}
	p := problemOf(err)
	page.Fail(v.w, v.r, v.logger, err, p.Status, func() error { return v.render(p.Status, "problem.html", p) })
}
