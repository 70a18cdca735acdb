package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/sayso-vault/sayso/vault"
)

func loginRoutes() []route {
	return []route{
		{pattern: "GET /console/login", do: showLogin, open: true},
		{pattern: "POST /console/login", do: logIn, open: true},
		{pattern: "POST /console/logout", do: logOut, open: true},
		{pattern: "GET /console/enrol/{code}", do: showEnrolment, open: true},
		{pattern: "POST /console/enrol/{code}", do: enrol, open: true},
		{pattern: "POST /console/login/passkey/options", do: passkeyLoginOptions, open: true},
		{pattern: "POST /console/login/passkey", do: passkeyLogin, open: true},
	}
}

// loginPage is what the page before all others sees.
type loginPage struct {
	Next     string
	ClientID string
	Problem  string // key of a message, "" if nothing went wrong
	Passkeys bool
	Provider string // of OpenID, "" if there is none
}

func (v *visit) loginPage(problem string) loginPage {
	p := loginPage{Next: next(v.r.FormValue("next")), ClientID: v.r.PostFormValue("client_id"), Problem: problem, Passkeys: v.passkeys.at(v.r)}
	if v.openID != nil {
		p.Provider = v.provider
	}
	return p
}

func showLogin(v *visit) error {
	if v.session != nil {
		return v.redirect(next(v.r.URL.Query().Get("next")))
	}
	return v.render(http.StatusOK, "login.html", v.loginPage(""))
}

// next is where to go after the login: a page of the console, whatever the query
// says.
func next(wanted string) string {
	if wanted == "/console" || strings.HasPrefix(wanted, "/console/") && !strings.HasPrefix(wanted, "/console/login") && !strings.HasPrefix(wanted, "/console/logout") && !strings.ContainsAny(wanted, "\\\r\n") {
		return wanted
	}
	return "/console"
}

// logIn lets an officer in by client ID and secret. Whatever is wrong with these,
// the answer is the same: nobody learns who is an officer.
func logIn(v *visit) error {
	id := v.value("client_id")
	if !v.tries.allow(v.r, id) {
		v.w.Header().Set("Retry-After", "10")
		return v.render(http.StatusTooManyRequests, "login.html", v.loginPage("login.too_often"))
	}
	client, err := v.vault.Authenticate(id, v.value("client_secret"))
	if errors.Is(err, vault.ErrInvalidClient) || err == nil && client.Role != vault.RoleOfficer {
		return v.render(http.StatusUnauthorized, "login.html", v.loginPage("login.wrong"))
	}
	if err != nil {
		return err
	}
	if err := v.begin(client); err != nil {
		return err
	}
	return v.redirect(next(v.r.PostFormValue("next")))
}

// begin begins a session in the place of the one that the browser has.
func (v *visit) begin(client vault.Client) error {
	if old := v.jar.Value(v.r, sessionCookie); old != "" {
		if err := v.vault.EndSession(v.ctx, old); err != nil {
			return err
		}
	}
	token, err := v.vault.BeginSession(v.ctx, client, v.r.UserAgent())
	if err != nil {
		return err
	}
	v.jar.Put(v.w, sessionCookie, token, 0)
	return nil
}

// rest lets the session of somebody who came by an enrolment link rest on the
// credential that they have made since; others go on with theirs.
func (v *visit) rest(credential string) error {
	if v.session.How != vault.CredentialEnrolment {
		return nil
	}
	client := v.by.Client
	client.SecretID = credential
	return v.begin(client)
}

func logOut(v *visit) error {
	if token := v.jar.Value(v.r, sessionCookie); token != "" {
		if err := v.vault.EndSession(v.ctx, token); err != nil {
			return err
		}
	}
	v.jar.Forget(v.w, sessionCookie)
	return v.done("/console/login", "logged_out")
}

// enrolmentPage is what somebody sees who follows an enrolment link.
type enrolmentPage struct {
	Code, Officer string // no officer: the link is no good
}

func showEnrolment(v *visit) error {
	if !v.tries.allow(v.r, "enrolment") {
		return errTooOften
	}
	code := v.r.PathValue("code")
	officer, err := v.vault.EnrolmentOf(v.ctx, code)
	if errors.Is(err, vault.ErrInvalidClient) {
		return v.render(http.StatusNotFound, "enrol.html", enrolmentPage{})
	}
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, "enrol.html", enrolmentPage{Code: code, Officer: officer})
}

// enrol uses the link up. A program that only looks at links, as mail servers do,
// does not.
func enrol(v *visit) error {
	if !v.tries.allow(v.r, "enrolment") {
		return errTooOften
	}
	client, err := v.vault.Enrol(v.ctx, v.r.PathValue("code"))
	if errors.Is(err, vault.ErrInvalidClient) {
		return v.render(http.StatusNotFound, "enrol.html", enrolmentPage{})
	}
	if err != nil {
		return err
	}
	if err := v.begin(client); err != nil {
		return err
	}
	return v.redirect("/console/you")
}
