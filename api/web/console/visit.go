package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/vault"
)

const (
	// patience bounds what a page may ask of the vault.
	patience = 30 * time.Second
	// maxForm is the largest form; a register's text is the largest of them.
	maxForm = 3 << 20
)

// visit is one request to the console, by an officer or by nobody yet.
type visit struct {
	*Handler
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	by      vault.Caller       // zero: nobody logged in
	session *vault.SessionView // likewise nil
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
		err := v.recognise()
		switch {
		case err != nil:
		case v.session == nil && !rt.open:
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
func (v *visit) recognise() error {
	token := v.jar.Value(v.r, sessionCookie)
	if token == "" {
		return nil
	}
	by, session, err := v.vault.OfficerSession(v.ctx, token)
	if errors.Is(err, vault.ErrInvalidClient) {
		v.jar.Forget(v.w, sessionCookie)
		return nil
	}
	if err != nil {
		return err
	}
	by.RequestID = v.r.Header.Get("X-Request-Id")
	v.by, v.session = by, session
	return nil
}

// toLogin sends somebody who is not logged in to where they can, and from there
// back to the page they asked for.
func (v *visit) toLogin() error {
	to := "/console/login"
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/console" {
		to += "?next=" + url.QueryEscape(v.r.URL.RequestURI())
	}
	page.Leave(v.w, v.r, to)
	return nil
}

// frame is what every page of the console sees as .Data; its own is .Data.Page.
type frame struct {
	Officer  string // "": nobody logged in
	Enrols   bool   // came by an enrolment link, and has nothing to log in with yet
	Sections []section
	Flash    string // what was just done
	Waiting  int    // changes that wait for this officer
	Unsaved  int    // changes on the officer's desk
	Page     any
}

// section is a place of the navigation. Message keys name it.
type section struct {
	Key, Path string
	Here      bool
}

// sections are the places of the navigation, in order. The path of a page begins
// with that of its section.
func sections() []section {
	return []section{
		{Key: "overview", Path: "/console"},
		{Key: "matrix", Path: "/console/matrix"},
		{Key: "purposes", Path: "/console/purposes"},
		{Key: "fields", Path: "/console/fields"},
		{Key: "channels", Path: "/console/channels"},
		{Key: "register", Path: "/console/register"},
		{Key: "rules", Path: "/console/rules"},
		{Key: "approvals", Path: "/console/approvals"},
		{Key: "decisions", Path: "/console/decisions"},
		{Key: "lookup", Path: "/console/lookup"},
		{Key: "requests", Path: "/console/requests"},
		{Key: "reports", Path: "/console/reports"},
		{Key: "log", Path: "/console/log"},
		{Key: "officers", Path: "/console/officers"},
		{Key: "you", Path: "/console/you"},
	}
}

// render answers with a page of the console.
func (v *visit) render(status int, name string, data any) error {
	f, err := v.frame(data)
	if err != nil {
		return err
	}
	return v.site.Render(v.w, v.r, status, name, f)
}

func (v *visit) frame(data any) (*frame, error) {
	f := &frame{Page: data}
	f.Flash, _ = v.site.TakeFlash(v.w, v.r, v.jar)
	if v.session == nil {
		return f, nil
	}
	f.Officer, f.Enrols = v.by.Client.Officer, v.session.How == vault.CredentialEnrolment
	f.Sections = sections()
	here := -1
	path := strings.Replace(v.r.URL.Path, "/console/replays", "/console/rules", 1)
	for i, s := range f.Sections {
		if path == s.Path || strings.HasPrefix(path, s.Path+"/") {
			if here < 0 || len(s.Path) > len(f.Sections[here].Path) {
				here = i
			}
		}
	}
	if here >= 0 {
		f.Sections[here].Here = true
	}
	w, err := v.work()
	if err != nil {
		return nil, err
	}
	if w != nil {
		f.Unsaved = len(w.Edits)
	}
	waits, err := v.waits()
	if err != nil {
		return nil, err
	}
	for _, c := range waits {
		if c.Mine {
			continue
		}
		f.Waiting++
	}
	return f, nil
}

// redirect sends the browser to another page with GET.
func (v *visit) redirect(to string) error {
	page.Redirect(v.w, v.r, to)
	return nil
}

// done redirects with words about what was done: the message "flash.KEY" with its
// {names}.
func (v *visit) done(to, key string, pairs ...string) error {
	v.site.PutFlash(v.w, v.jar, page.Flash{Key: key, Pairs: pairs})
	return v.redirect(to)
}

// value is a field of the form, without blanks around it.
func (v *visit) value(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }

// say is a message in the language of the visit.
func (v *visit) say(key string, pairs ...any) string {
	text, err := v.site.Say(v.w, v.r, key, pairs...)
	if err != nil {
		return key
	}
	return text
}

// problem is what an error page tells.
type problem struct {
	Status int
	Code   string // of a message "problem.CODE"
	Detail string // the vault's own words, in English
	Fields []vault.FieldError
}

// problemOf turns an error into what can be told of it.
func problemOf(err error) problem {
	var refused *vault.Error
	var tooLarge *http.MaxBytesError
	var problems *vault.PolicyProblems
	switch {
	case errors.Is(err, errNotFound):
		return problem{Status: http.StatusNotFound, Code: vault.CodeNotFound}
	case errors.As(err, &tooLarge):
		return problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large"}
	case errors.Is(err, errOpenID):
		return problem{Status: http.StatusBadGateway, Code: "openid"}
	case errors.As(err, &problems):
		return problem{Status: http.StatusUnprocessableEntity, Code: vault.CodeInvalidRequest, Detail: problems.Error()}
	case errors.Is(err, errBusy):
		return problem{Status: http.StatusTooManyRequests, Code: "busy"}
	case errors.Is(err, errTooOften):
		return problem{Status: http.StatusTooManyRequests, Code: vault.CodeRateLimited}
	case errors.As(err, &refused):
		p := problem{Status: http.StatusServiceUnavailable, Code: vault.CodeUnavailable, Detail: refused.Detail, Fields: refused.Fields}
		switch refused.Code {
		case vault.CodeNotFound, vault.CodeUnknownSubject, vault.CodeGone:
			p.Status, p.Code = http.StatusNotFound, vault.CodeNotFound
		case vault.CodeForbidden:
			p.Status, p.Code = http.StatusForbidden, refused.Code
		case vault.CodeFourEyes:
			p.Status, p.Code = http.StatusForbidden, refused.Code
		case vault.CodeWrongState, vault.CodeRevisionConflict:
			p.Status, p.Code = http.StatusConflict, vault.CodeWrongState
		case vault.CodeInvalidRequest, vault.CodeOneIdentifier:
			p.Status, p.Code = http.StatusUnprocessableEntity, vault.CodeInvalidRequest
		case vault.CodeRateLimited:
			p.Status, p.Code = http.StatusTooManyRequests, refused.Code
		}
		return p
	case errors.Is(err, context.DeadlineExceeded):
		return problem{Status: http.StatusServiceUnavailable, Code: vault.CodeUnavailable}
	}
	return problem{Status: http.StatusInternalServerError, Code: "internal"}
}

// fail answers with a page about what went wrong. Who is an officer no more is
// sent to log in.
func (v *visit) fail(err error) {
	if errors.Is(err, vault.ErrInvalidClient) {
		v.jar.Forget(v.w, sessionCookie)
		v.session = nil
		_ = v.toLogin() // a redirect cannot fail
		return
	}
	p := problemOf(err)
	page.Fail(v.w, v.r, v.logger, err, p.Status, func() error { return v.render(p.Status, "problem.html", p) })
}
