package console

import (
	"net/http"
	"time"

	"github.com/sayso-vault/sayso/vault"
)

func homeRoutes() []route {
	return []route{
		{pattern: "GET /console/{$}", do: func(v *visit) error { return v.redirect("/console") }},
		{pattern: "GET /console", do: showHome},
		{pattern: "GET /console/you", do: showYou},
		{pattern: "POST /console/you/passkeys/options", do: passkeyOptions},
		{pattern: "POST /console/you/passkeys", do: addPasskey},
		{pattern: "POST /console/you/secrets", do: newOwnSecret},
		{pattern: "POST /console/you/credentials/{id}/revoke", do: revokeOwnCredential},
		{pattern: "POST /console/you/sessions/{id}/end", do: endOwnSession},
	}
}

// youPage is what an officer sees of their own access.
type youPage struct {
	Credentials []vault.CredentialView
	Sessions    []vault.SessionView
	Current     string // ID of the session that asks
	Passkeys    bool   // can be made here
	PasskeyHost string // where they could be, if not here
	Provider    string // of OpenID, "" if there is none
	Shown       *shownSecret
}

// shownSecret is what is shown once, right after it was made: it is on no other
// page and in no cookie.
type shownSecret struct {
	Name, ClientID, Secret string
	Link                   string // of an enrolment
	Until                  time.Time
}

func showYou(v *visit) error { return v.renderYou(nil) }

func (v *visit) renderYou(shown *shownSecret) error {
	credentials, err := v.vault.Credentials(v.ctx, v.by)
	if err != nil {
		return err
	}
	sessions, err := v.vault.Sessions(v.ctx, v.by)
	if err != nil {
		return err
	}
	page := youPage{Credentials: credentials, Sessions: sessions, Current: v.session.ID, Passkeys: v.passkeys.at(v.r), Shown: shown}
	if v.openID != nil {
		page.Provider = v.provider
	}
	if v.passkeys.party != nil {
		page.PasskeyHost = v.passkeys.party.Config.RPOrigins[0] + "/console"
	}
	return v.render(http.StatusOK, "you.html", page)
}

func newOwnSecret(v *visit) error {
	made, err := v.vault.NewOfficerSecret(v.ctx, v.by, v.by.Client.Officer)
	if err != nil {
		return err
	}
	if v.session.How == vault.CredentialEnrolment {
		if err := v.rest(made.SecretID); err != nil {
			return err
		}
		v.by.Client.SecretID = made.SecretID
	}
	return v.renderYou(&shownSecret{Name: made.Name, ClientID: made.Credentials.ClientID, Secret: made.Credentials.ClientSecret})
}

func revokeOwnCredential(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.vault.RevokeOfficerSecret(v.ctx, v.by, v.by.Client.Officer, id); err != nil {
		return err
	}
	return v.done("/console/you", "credential_revoked")
}

func endOwnSession(v *visit) error {
	if err := v.vault.RevokeSession(v.ctx, v.by, v.r.PathValue("id")); err != nil {
		return err
	}
	return v.done("/console/you", "session_ended")
}
