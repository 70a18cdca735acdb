package privacy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/authn/codes"
	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

const loginPath = "/privacy/login"

func loginRoutes() []route {
	return []route{
		{"GET /privacy/enter", enter, true},
		{"POST /privacy/enter", enterAnyway, true},
		{"GET " + loginPath, showLogin, true},
		{"GET /privacy/login/openid/{n}", beginOpenID, true},
		{"GET /privacy/login/openid/{n}/back", finishOpenID, true},
		{"POST /privacy/login/code", askCode, true},
		{"GET /privacy/login/code", showCode, true},
		{"POST /privacy/login/check", checkCode, true},
		{"POST /privacy/logout", logOut, true},
	}
}

// loginPage is how somebody may log in.
type loginPage struct {
	Problem   string // a message; "" for none
	After     int    // minutes, of one that names them
	Providers []string
	Codes     bool
	Address   string // what a code is sent to is called
	Next      string
	StepUp    bool // they have a session that shows less
}

func (v *visit) loginPage(problem string) loginPage {
	p := loginPage{Problem: problem, Next: next(v.r.FormValue("next")), StepUp: v.inside}
	for _, one := range v.providers {
		p.Providers = append(p.Providers, one.Name)
	}
	if v.desk != nil && len(v.titles.unique) > 0 {
		p.Codes, p.Address = true, v.titles.field(v.titles.unique[0].Field)
	}
	return p
}

// next is where to go on after a login: a page of these.
func next(path string) string {
	if openid.OwnPath(path) && strings.HasPrefix(path, "/privacy/") && !strings.HasPrefix(path, loginPath) {
		return path
	}
	return "/privacy"
}

func showLogin(v *visit) error { return v.render(http.StatusOK, "login.html", v.loginPage("")) }

// refuseLogin shows the ways to log in again, and why one did not work.
func (v *visit) refuseLogin(status int, problem string) error {
	return v.render(status, "login.html", v.loginPage(problem))
}

// enter takes the code of a channel's link. What only looks ahead – a browser that
// loads pages before they are wanted, a program that asks for the head – does not
// use it up. Who is logged in is asked first: the link shows less, or may be of
// somebody who wants them to act as another.
func enter(v *visit) error {
	if v.r.Method != http.MethodGet || strings.Contains(v.r.Header.Get("Sec-Purpose"), "prefetch") {
		v.w.WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	code := v.r.URL.Query().Get("code")
	if v.verified() {
		return v.render(http.StatusOK, "enter.html", code)
	}
	return v.enterBy(code)
}

// enterAnyway opens the link of who would rather have that than their login.
func enterAnyway(v *visit) error { return v.enterBy(v.value("code")) }

// verified reports whether the session is a login of the person's own.
func (v *visit) verified() bool {
	if !v.inside {
		return false
	}
	sessions, err := v.vault.OwnSessions(v.ctx, v.by)
	return err == nil && slices.ContainsFunc(sessions, func(s vault.SubjectSession) bool { return s.Current && s.Assurance == vault.AssuranceVerified })
}

func (v *visit) enterBy(code string) error {
	opened, err := v.vault.EnterByCode(v.ctx, code)
	if errors.Is(err, vault.ErrInvalidClient) {
		return v.refuseLogin(http.StatusGone, "login.link_over")
	}
	if err != nil {
		return err
	}
	if v.inside {
		v.end() // the browser is one person's at a time
	}
	return v.welcome(opened, "/privacy")
}

// welcome lets the browser go on in a session.
func (v *visit) welcome(opened *vault.OpenedSession, to string) error {
	v.jar.Put(v.w, sessionCookie, opened.Token, opened.Expires.Sub(v.now()))
	v.jar.Forget(v.w, codeCookie)
	return v.redirect(to)
}

// end ends the session of the browser. One that cannot be ended now ends by itself.
func (v *visit) end() {
	sessions, err := v.vault.OwnSessions(v.ctx, v.by)
	if err != nil {
		return
	}
	for _, s := range sessions {
		if s.Current {
			_ = v.vault.EndOwnSession(v.ctx, v.by, s.ID)
		}
	}
}

// logOut ends the session, and has the browser drop what it kept of the pages.
func logOut(v *visit) error {
	if v.inside {
		v.end()
		v.inside = false
	}
	v.jar.Forget(v.w, sessionCookie)
	v.w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	return v.done(loginPath, "logged_out")
}

func (v *visit) provider() (*Provider, error) {
	n, err := strconv.Atoi(v.r.PathValue("n"))
	if err != nil || n < 0 || n >= len(v.providers) {
		return nil, errNotFound
	}
	return &v.providers[n], nil
}

func beginOpenID(v *visit) error {
	p, err := v.provider()
	if err != nil {
		return err
	}
	// Whoever steps up proves again who they are.
	err = p.Login.Begin(v.w, v.r, openid.Ask{Return: next(v.r.URL.Query().Get("next")), Fresh: v.inside, Language: v.lang})
	if _, down := errors.AsType[*openid.UnavailableError](err); down {
		v.logger.WarnContext(v.ctx, "a login provider cannot be reached", "err", err)
		return v.refuseLogin(http.StatusServiceUnavailable, "login.provider_down")
	}
	return err
}

func finishOpenID(v *visit) error {
	p, err := v.provider()
	if err != nil {
		return err
	}
	who, err := p.Login.Finish(v.w, v.r)
	_, down := errors.AsType[*openid.UnavailableError](err)
	switch {
	case down:
		v.logger.WarnContext(v.ctx, "a login provider cannot be reached", "err", err)
		return v.refuseLogin(http.StatusServiceUnavailable, "login.provider_down")
	case errors.Is(err, openid.ErrDeclined):
		return v.refuseLogin(http.StatusForbidden, "login.declined")
	case errors.Is(err, openid.ErrNoLogin):
		return v.refuseLogin(http.StatusForbidden, "login.again")
	case errors.Is(err, openid.ErrAnswer):
		v.logger.WarnContext(v.ctx, "a login provider's answer does not hold", "err", err)
		return v.refuseLogin(http.StatusForbidden, "login.again")
	case err != nil:
		return err
	}
	claims := v.titles.claims(who)
	if len(claims) == 0 {
		return v.refuseLogin(http.StatusForbidden, "login.unverified")
	}
	for _, claim := range claims {
		opened, err := v.logIn(claim, "openid")
		if err == nil {
			return v.welcome(opened, next(who.Return))
		}
		if !isCode(err, vault.CodeUnknownSubject) {
			return err
		}
	}
	return v.refuseLogin(http.StatusForbidden, "login.unknown")
}

// claims are the identifiers that a provider verified, in the order in which they
// are tried: first in the field that is called like the claim, a mail address
// before a number. Where they are of two people, it is always the same one who is let in.
func (t *titles) claims(who *openid.Identity) []codes.Address {
	var all []codes.Address
	for name, f := range t.fields {
		switch {
		case !f.Unique:
		case f.Type == privacy.TypeEmail && who.EmailVerified:
			all = append(all, codes.Address{Field: name, Value: quoted(who.Email)})
		case f.Type == privacy.TypePhone && who.PhoneVerified:
			all = append(all, codes.Address{Field: name, Value: quoted(who.Phone)})
		}
	}
	like := func(a codes.Address) int {
		return slices.Index([]privacy.FieldName{"phone_number", "email"}, a.Field)
	}
	slices.SortFunc(all, func(a, b codes.Address) int {
		return cmp.Or(cmp.Compare(like(b), like(a)), cmp.Compare(a.Field, b.Field))
	})
	return all
}

// quoted is a text as the JSON it is kept as.
func quoted(text string) privacy.Sensitive {
	raw, err := json.Marshal(text)
	if err != nil {
		raw = []byte(`""`) // a string always marshals
	}
	return privacy.NewSensitive(raw)
}

func isCode(err error, code string) bool {
	refused, ok := errors.AsType[*vault.Error](err)
	return ok && refused.Code == code
}

// logIn opens the session of who has an identifier; the one before it ends.
func (v *visit) logIn(by codes.Address, how string) (*vault.OpenedSession, error) {
	login := vault.Login{Field: by.Field, Value: by.Value, How: how}
	if v.inside {
		login.From = v.jar.Value(v.r, sessionCookie)
	}
	return v.vault.LoginByIdentifier(v.ctx, login)
}

func (h *Handler) mayLogin(ctx context.Context, to codes.Address) (bool, error) {
	known, err := h.vault.MayLogin(ctx, to.Field, to.Value)
	if isCode(err, vault.CodeRateLimited) || isCode(err, vault.CodeInvalidRequest) {
		return false, nil // no code; whoever asked is told what everybody is told
	}
	return known, err
}

func (h *Handler) sendCode(ctx context.Context, to codes.Address, code, lang string) error {
	titles, err := h.readTitles(lang)
	if err != nil {
		return err
	}
	subject, err := h.site.SayIn(lang, "mail.subject", "controller", titles.controller.Name)
	if err != nil {
		return err
	}
	text, err := h.site.SayIn(lang, "mail.text", "controller", titles.controller.Name, "code", code)
	if err != nil {
		return err
	}
	var address string
	if err := json.Unmarshal(to.Value.Reveal(), &address); err != nil {
		return errors.New("the address cannot be read")
	}
	return h.mail.Send(ctx, address, subject, text)
}

// askCode has a code sent. What it answers, and how fast, is the same for any
// address.
func askCode(v *visit) error {
	if v.desk == nil || len(v.titles.unique) == 0 {
		return errNotFound
	}
	address := v.value("address")
	if !isAddress(address) {
		return v.refuseLogin(http.StatusUnprocessableEntity, "login.no_address")
	}
	attempt, err := v.desk.Ask(v.origin(v.r), codes.Address{Field: v.titles.unique[0].Field, Value: quoted(address)}, v.lang)
	if err != nil {
		return err
	}
	v.jar.Put(v.w, codeCookie, attempt, 10*time.Minute)
	return v.redirect("/privacy/login/code?next=" + url.QueryEscape(next(v.value("next"))))
}

// codePage is where a code is typed.
type codePage struct {
	Problem string
	Next    string
}

func showCode(v *visit) error {
	if v.jar.Value(v.r, codeCookie) == "" {
		return v.redirect(loginPath)
	}
	return v.render(http.StatusOK, "code.html", codePage{Next: next(v.r.URL.Query().Get("next"))})
}

func checkCode(v *visit) error {
	if v.desk == nil {
		return errNotFound
	}
	to, err := v.desk.Check(v.origin(v.r), v.jar.Value(v.r, codeCookie), v.value("code"))
	switch {
	case errors.Is(err, codes.ErrWrong):
		return v.render(http.StatusForbidden, "code.html", codePage{Problem: "code.wrong", Next: next(v.value("next"))})
	case errors.Is(err, codes.ErrOver):
		v.jar.Forget(v.w, codeCookie)
		return v.refuseLogin(http.StatusForbidden, "code.over")
	case err != nil:
		return err
	}
	opened, err := v.logIn(to, "code")
	if isCode(err, vault.CodeUnknownSubject) {
		return v.refuseLogin(http.StatusForbidden, "login.unknown")
	}
	if err != nil {
		return fmt.Errorf("logging in by a code: %w", err)
	}
	return v.welcome(opened, next(v.value("next")))
}
