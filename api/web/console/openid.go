package console

import (
	"errors"
	"net/http"

	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/vault"
)

// OpenIDPath is where an OpenID provider is to send browsers back to.
const OpenIDPath = "/console/openid"

// linking is where a login at the provider goes on that is to be an officer's from
// then on.
const linking = "/console/you/openid"

var errOpenID = errors.New("a login at the provider came to nothing")

func openIDRoutes() []route {
	return []route{
		{pattern: "GET /console/login/openid", do: openIDLogin, open: true},
		{pattern: "GET " + OpenIDPath, do: openIDBack, open: true},
		{pattern: "GET " + linking, do: linkOpenID},
	}
}

// openIDLogin sends the browser to the provider.
func openIDLogin(v *visit) error {
	if v.openID == nil {
		return errNotFound
	}
	if !v.tries.allow(v.r, "openid") {
		return errTooOften
	}
	return v.beginOpenID(openid.Ask{Return: next(v.r.URL.Query().Get("next")), Language: v.say("lang")})
}

// linkOpenID does, for an officer who wants to log in so from then on: the
// provider asks anew who they are.
func linkOpenID(v *visit) error {
	if v.openID == nil {
		return errNotFound
	}
	return v.beginOpenID(openid.Ask{Return: linking, Fresh: true, Language: v.say("lang")})
}

func (v *visit) beginOpenID(ask openid.Ask) error {
	err := v.openID.Begin(v.w, v.r, ask)
	var down *openid.UnavailableError
	if errors.As(err, &down) {
		v.logger.Warn("the OpenID provider of officers does not answer", "err", err)
		return errOpenID
	}
	return err
}

// openIDBack takes the browser's return. Who logs in is the officer whose account
// it is: by issuer and subject, which no address can become.
func openIDBack(v *visit) error {
	if v.openID == nil {
		return errNotFound
	}
	who, err := v.openID.Finish(v.w, v.r)
	if err != nil {
		var down *openid.UnavailableError
		if errors.As(err, &down) {
			v.logger.Warn("the OpenID provider of officers does not answer", "err", err)
		}
		return v.openIDFailed()
	}
	if who.Return == linking {
		return v.link(who)
	}
	client, err := v.vault.OfficerByIdentity(v.ctx, who.Issuer, who.Subject)
	if errors.Is(err, vault.ErrInvalidClient) {
		return v.openIDFailed()
	}
	if err != nil {
		return err
	}
	if err := v.begin(client); err != nil {
		return err
	}
	return v.redirect(next(who.Return))
}

// openIDFailed says the same of whatever went wrong.
func (v *visit) openIDFailed() error {
	if v.session != nil {
		return errOpenID
	}
	return v.render(http.StatusUnauthorized, "login.html", v.loginPage("login.openid_failed"))
}

func (v *visit) link(who *openid.Identity) error {
	if v.session == nil {
		return v.toLogin()
	}
	made, err := v.vault.AddIdentity(v.ctx, v.by, "", who.Issuer, who.Subject)
	if err != nil {
		return err
	}
	if err := v.rest(made.ID); err != nil {
		return err
	}
	return v.done("/console/you", "linked")
}
