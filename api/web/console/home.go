package console

import (
	"net/http"

	"github.com/sayso-vault/sayso/vault"
)

// homePage is where things stand: what is in force, what waits, and what somebody
// should look at.
type homePage struct {
	InForce   *vault.RegisterView // nil: none was applied yet
	Register  *registerView
	Rules     *vault.Policy // in force; nil: the guardrails alone
	Officers  int
	Suspended []string
	Waiting   []waiting
	NotReady  []string
	NoStepUp  []string // channels whose sessions ask nobody who they are
	Unlimited []string
}

func showHome(v *visit) error {
	p := homePage{NotReady: v.vault.Ready()}
	var err error
	if p.InForce, err = v.inForce(); err != nil {
		return err
	}
	if p.InForce != nil {
		d, err := parseDocument(p.InForce.YAML)
		if err != nil {
			return err
		}
		p.Register = d.view()
		for _, c := range p.Register.Channels {
			if c.StepUp == "none" {
				p.NoStepUp = append(p.NoStepUp, c.ID)
			}
			if !c.Limits && len(c.Purposes) > 0 {
				p.Unlimited = append(p.Unlimited, c.ID)
			}
		}
	}
	channels, err := v.vault.Channels(v.ctx, v.by)
	if err != nil {
		return err
	}
	for _, c := range channels {
		if c.Suspended {
			p.Suspended = append(p.Suspended, string(c.ID))
		}
	}
	policies, err := v.vault.Policies(v.ctx, v.by)
	if err != nil {
		return err
	}
	for i := range policies {
		if policies[i].Status == vault.StatusActive && policies[i].ID != vault.Guardrails {
			p.Rules = &policies[i]
		}
	}
	officers, err := v.vault.Officers(v.ctx, v.by)
	if err != nil {
		return err
	}
	for _, o := range officers {
		if o.Pending != "add" {
			p.Officers++
		}
	}
	if p.Waiting, err = v.waits(); err != nil {
		return err
	}
	return v.render(http.StatusOK, "home.html", p)
}
