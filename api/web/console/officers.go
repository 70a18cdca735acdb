package console

import (
	"errors"
	"net/http"

	"github.com/sayso-vault/sayso/vault"
)

func officerRoutes() []route {
	return []route{
		{pattern: "GET /console/officers", do: func(v *visit) error { return v.renderOfficers(officersPage{}) }},
		{pattern: "POST /console/officers", do: addOfficer},
		{pattern: "POST /console/officers/{name}/remove", do: removeOfficer},
		{pattern: "POST /console/officers/{name}/link", do: renewLink},
	}
}

// officersPage is who the officers are, and the form to add one.
type officersPage struct {
	Officers []vault.OfficerView
	You      string
	Living   int    // how many there are
	Name     string // as typed
	How      string
	Wrong    string
	Shown    *shownSecret
}

func (v *visit) renderOfficers(p officersPage) error {
	all, err := v.vault.Officers(v.ctx, v.by)
	if err != nil {
		return err
	}
	p.Officers, p.You = all, v.by.Client.Officer
	for _, o := range all {
		if o.Pending != "add" {
			p.Living++
		}
	}
	status := http.StatusOK
	if p.Wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	return v.render(status, "officers.html", p)
}

// addOfficer adds one with an enrolment link or, for who works by the command
// line, with a secret.
func addOfficer(v *visit) error {
	p := officersPage{Name: v.value("name"), How: v.value("how")}
	add := v.vault.InviteOfficer
	if p.How == "secret" {
		add = v.vault.AddOfficer
	}
	made, err := add(v.ctx, v.by, p.Name)
	var refused *vault.Error
	if errors.As(err, &refused) && (refused.Code == vault.CodeInvalidRequest || refused.Code == vault.CodeWrongState) {
		if p.Wrong = refused.Detail; len(refused.Fields) > 0 {
			p.Wrong = refused.Fields[0].Detail
		}
		return v.renderOfficers(p)
	}
	if err != nil {
		return err
	}
	if made.Status == vault.StatusPending {
		return v.done("/console/approvals", "officer_proposed", "name", made.Name)
	}
	return v.renderOfficers(officersPage{Shown: v.shownOf(made)})
}

// shownOf is what is shown once of an officer who was just made, nil if nothing.
func (v *visit) shownOf(made *vault.OfficerChange) *shownSecret {
	switch {
	case made.Enrolment != "":
		return &shownSecret{Name: made.Name, Link: v.origin.Scheme + "://" + v.origin.Host + "/console/enrol/" + made.Enrolment, Until: made.Until}
	case made.Credentials != nil:
		return &shownSecret{Name: made.Name, ClientID: made.Credentials.ClientID, Secret: made.Credentials.ClientSecret}
	}
	return nil
}

func removeOfficer(v *visit) error {
	made, err := v.vault.RemoveOfficer(v.ctx, v.by, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	if made.Status == vault.StatusPending {
		return v.done("/console/approvals", "removal_proposed", "name", made.Name)
	}
	return v.done("/console/officers", "officer_removed", "name", made.Name)
}

func renewLink(v *visit) error {
	made, err := v.vault.RenewEnrolment(v.ctx, v.by, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	return v.renderOfficers(officersPage{Shown: v.shownOf(made)})
}
