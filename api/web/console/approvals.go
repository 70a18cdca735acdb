package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault"
)

func approvalRoutes() []route {
	return []route{
		{pattern: "GET /console/approvals", do: func(v *visit) error { return v.renderApprovals(approvalsPage{}) }},
		{pattern: "POST /console/approvals/{kind}/{id}/approve", do: approve},
		{pattern: "POST /console/approvals/{kind}/{id}/reject", do: reject},
	}
}

// waiting is a change that waits for another officer, whatever it changes.
type waiting struct {
	Kind string // register, policy, add or remove
	ID   string // revision, change or name
	By   string
	At   time.Time
	// Mine says that this officer proposed it, and so cannot approve it. Barred
	// that they cannot for another reason, a message's key.
	Mine     bool
	Barred   string
	Changes  []changeView      // of a register
	Policy   *vault.Policy     // of rules
	Rollback bool              // of rules
	Stale    bool              // of rules: something else is in force since
	Effects  []policy.Effect   // of rules
	Officer  vault.OfficerView // of an addition or removal
}

type approvalsPage struct {
	Waiting []waiting
	Shown   *shownSecret
}

// waits is all that waits for an officer, the oldest first.
func (v *visit) waits() ([]waiting, error) {
	var all []waiting
	me := v.by.Client.Officer
	view, err := v.vault.Register(v.ctx, v.by)
	var refused *vault.Error
	if err != nil && (!errors.As(err, &refused) || refused.Code != vault.CodeNotFound) {
		return nil, err
	}
	if err == nil && view.Pending != nil {
		p := view.Pending
		all = append(all, waiting{Kind: "register", ID: strconv.FormatUint(p.Revision, 10), By: p.By, At: p.At, Mine: p.By == me, Changes: v.explain(p.Changes, view.YAML, p.YAML)})
	}
	policies, err := v.vault.Policies(v.ctx, v.by)
	if err != nil {
		return nil, err
	}
	for i := range policies {
		c := policies[i].Change
		if c == nil {
			continue
		}
		all = append(all, waiting{Kind: "policy", ID: c.ID, By: c.By, At: c.At, Mine: c.By == me, Policy: &policies[i], Rollback: c.Rollback, Stale: c.Stale, Effects: c.Effects})
	}
	officers, err := v.vault.Officers(v.ctx, v.by)
	if err != nil {
		return nil, err
	}
	living := 0
	for _, o := range officers {
		if o.Pending != "add" {
			living++
		}
	}
	for _, o := range officers {
		if o.Pending == "" {
			continue
		}
		w := waiting{Kind: o.Pending, ID: o.Name, By: o.ProposedBy, At: o.ProposedAt, Mine: o.ProposedBy == me, Officer: o}
		if o.Pending == "remove" && living == 2 && o.Name != me {
			w.Barred = "waits.barred_two"
		}
		all = append(all, w)
	}
	slices.SortStableFunc(all, func(a, b waiting) int { return cmp.Compare(a.At.UnixMicro(), b.At.UnixMicro()) })
	return all, nil
}

func (v *visit) renderApprovals(p approvalsPage) error {
	var err error
	if p.Waiting, err = v.waits(); err != nil {
		return err
	}
	return v.render(http.StatusOK, "approvals.html", p)
}

func (v *visit) revision() (uint64, error) {
	number, err := strconv.ParseUint(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, errNotFound
	}
	return number, nil
}

func approve(v *visit) error {
	id := v.r.PathValue("id")
	switch v.r.PathValue("kind") {
	case "register":
		number, err := v.revision()
		if err != nil {
			return err
		}
		if _, err := v.vault.ApproveRegister(v.ctx, v.by, number); err != nil {
			return err
		}
		return v.done("/console/approvals", "approved_register", "revision", id)
	case "policy":
		if _, err := v.vault.ApprovePolicy(v.ctx, v.by, id); err != nil {
			return err
		}
		return v.done("/console/approvals", "approved_policy")
	case "add", "remove":
		made, err := v.vault.ApproveOfficer(v.ctx, v.by, id)
		if err != nil {
			return err
		}
		if shown := v.shownOf(made); shown != nil {
			return v.renderApprovals(approvalsPage{Shown: shown})
		}
		return v.done("/console/approvals", "approved_officer", "name", id)
	}
	return errNotFound
}

// reject ends a proposal with words, which stand in the log. Its author takes it
// back so.
func reject(v *visit) error {
	id, words := v.r.PathValue("id"), v.value("reason")
	var err error
	switch v.r.PathValue("kind") {
	case "register":
		var number uint64
		if number, err = v.revision(); err == nil {
			_, err = v.vault.RejectRegister(v.ctx, v.by, number, words)
		}
	case "policy":
		_, err = v.vault.RejectPolicy(v.ctx, v.by, id, words)
	case "add", "remove":
		_, err = v.vault.RejectOfficer(v.ctx, v.by, id, words)
	default:
		return errNotFound
	}
	if err != nil {
		return err
	}
	return v.done("/console/approvals", "rejected")
}
