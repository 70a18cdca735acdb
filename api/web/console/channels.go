package console

import (
	"net/http"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// What is done to a channel at once, by one officer: none of it lets more out than
// the register in force says.
func channelRoutes() []route {
	return []route{
		{pattern: "POST /console/channels/{name}/suspend", do: suspendChannel},
		{pattern: "POST /console/channels/{name}/resume", do: resumeChannel},
		{pattern: "POST /console/channels/{name}/secrets", do: newChannelSecret},
		{pattern: "POST /console/channels/{name}/secrets/{secret}/revoke", do: revokeChannelSecret},
	}
}

func (v *visit) channelID() privacy.ChannelID { return privacy.ChannelID(v.r.PathValue("name")) }

func suspendChannel(v *visit) error {
	if _, err := v.vault.SuspendChannel(v.ctx, v.by, v.channelID()); err != nil {
		return err
	}
	return v.done("/console/channels/"+v.r.PathValue("name"), "suspended", "name", v.r.PathValue("name"))
}

func resumeChannel(v *visit) error {
	if _, err := v.vault.ResumeChannel(v.ctx, v.by, v.channelID()); err != nil {
		return err
	}
	return v.done("/console/channels/"+v.r.PathValue("name"), "resumed", "name", v.r.PathValue("name"))
}

func newChannelSecret(v *visit) error {
	made, err := v.vault.NewSecret(v.ctx, v.by, v.channelID())
	if err != nil {
		return err
	}
	p, err := v.itemPage("channels", string(made.ID), nil, nil)
	if err != nil {
		return err
	}
	p.Shown = &shownSecret{Name: string(made.ID), ClientID: made.ClientID, Secret: made.ClientSecret}
	return v.render(http.StatusCreated, "item.html", p)
}

func revokeChannelSecret(v *visit) error {
	if err := v.vault.RevokeSecret(v.ctx, v.by, v.channelID(), v.r.PathValue("secret")); err != nil {
		return err
	}
	return v.done("/console/channels/"+v.r.PathValue("name"), "credential_revoked")
}
