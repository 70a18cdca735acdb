package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// What happens to a rule set.
const (
	actTested     = "tested"
	actReplayed   = "replayed"
	actSubmitted  = "submitted"
	actApproved   = "approved"
	actActivated  = "activated"
	actRolledBack = "rolled back"
	actRejected   = "rejected"
)

// SubmitPolicy asks another officer to approve a rule set. The answer's ID is the
// change's own where one is needed, because it can let more out; another one can
// be activated without.
func (v *Vault) SubmitPolicy(ctx context.Context, by Caller, id string) (*Policy, error) {
	return v.changePolicy(ctx, by, id, actSubmitted)
}

// ActivatePolicy puts a rule set in force at once and for all readers, if it can
// only narrow or there is no other officer; else it waits for one, and the
// answer's ID is the change's own. Its tests must pass.
func (v *Vault) ActivatePolicy(ctx context.Context, by Caller, id string) (*Policy, error) {
	return v.changePolicy(ctx, by, id, actActivated)
}

// RollbackPolicy makes a rule set that was in force active again, likewise: each
// decision is then what it was under it. pol_guardrails is the first of all.
func (v *Vault) RollbackPolicy(ctx context.Context, by Caller, id string) (*Policy, error) {
	return v.changePolicy(ctx, by, id, actRolledBack)
}

func (v *Vault) changePolicy(ctx context.Context, by Caller, id, act string) (*Policy, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if strings.HasPrefix(id, "chg_") {
		return nil, v.noRuleSet(id)
	}
	set, err := v.PolicyByID(ctx, by, id)
	if err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := v.fitForForce(ctx, now, set); err != nil {
		return nil, err
	}
	var view *Policy
	err = v.update(ctx, func(tx store.Tx) error {
		if err := v.stillRegime(tx, now); err != nil {
			return err
		}
		if err := now.gov.officerStill(by); err != nil {
			return err
		}
		row, err := v.policyRow(tx, id)
		if err != nil {
			return err
		}
		if err := row.may(act, by, now.gov); err != nil {
			return err
		}
		effects, err := v.policyEffects(tx, now.gov, row.Modules)
		if err != nil {
			return err
		}
		wide := slices.DeleteFunc(effects, func(e policy.Effect) bool { return !e.Widens })
		waits := now.gov.waits(len(wide) > 0)
		if act != actSubmitted && !waits {
			view, err = v.activate(tx, by, row, policyRecord{Act: act, Effects: wide})
		} else {
			view, err = v.proposePolicy(tx, by, row, act, waits, wide)
		}
		if err != nil {
			return err
		}
		return by.Once.keep(tx, view)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}

// noRuleSet refuses what can be done to a rule set, but not to a change.
func (v *Vault) noRuleSet(id string) error {
	now, err := v.current()
	if err != nil {
		return err
	}
	if now.gov.waiting(func(p *pending) bool { return p.ID == id }) != nil {
		return refuse(CodeWrongState, "this change waits for another officer's approval")
	}
	return refuse(CodeNotFound, "no change of this ID waits")
}

// stillRegime refuses to go on with what was found out about another regime.
func (v *Vault) stillRegime(tx store.Tx, now *regime) error {
	raw, err := tx.Get(bucketGovernance, keyCurrent)
	if err != nil {
		return err
	}
	if string(raw) != string(now.raw) {
		return refuse(CodeWrongState, "what is in force changed meanwhile; try again")
	}
	return nil
}

// fitForForce refuses a rule set that does not compile with the register in
// force, which may have changed since it was drafted, or whose tests fail. Tests
// are no hindrance to a rollback.
func (v *Vault) fitForForce(ctx context.Context, now *regime, set *Policy) error {
	if err := v.checkModules(ctx, now, set.Modules); err != nil {
		return err
	}
	if set.Status == StatusActive || set.Status == PolicySuperseded {
		return nil
	}
	test, err := v.runTests(ctx, now, set)
	if err != nil {
		return err
	}
	for _, r := range test.Results {
		if !r.Passed {
			return refuse(CodeWrongState, "%d of %d tests fail, the first is %s (%s:%d)", test.Failed, test.Passed+test.Failed, r.Name, r.Module, r.Line)
		}
	}
	return nil
}

// may refuses what cannot be done to a rule set in the state it is in.
func (row *policyRow) may(act string, by Caller, gov *governance) error {
	view := row.view(gov)
	switch status := view.Status; {
	case status == StatusPending && !view.Change.Stale && view.Change.By != by.Client.Officer:
		return refuse(CodeWrongState, "another officer submitted this rule set; approve or reject it")
	case status == StatusActive:
		return refuse(CodeWrongState, "this rule set is in force")
	case status == StatusRejected:
		return refuse(CodeWrongState, "this rule set was rejected; draft another")
	case act == actRolledBack && !row.Activated:
		return refuse(CodeWrongState, "this rule set was never in force; activate it")
	}
	return nil
}

// activate puts a rule set in force. What it was to replace may be in force no
// more for other changes that wait; they stay, and have to be submitted again.
func (v *Vault) activate(tx store.Tx, by Caller, row *policyRow, record policyRecord) (*Policy, error) {
	at := micro(v.cfg.Now())
	var gov *governance
	digest, err := v.govern(tx, func(g *governance) error {
		gov, record.Before = g, g.Policy
		g.Policy = row.ID
		g.drop(func(p *pending) bool { return p.Kind == pendingPolicy && p.Policy == row.ID })
		return nil
	})
	if err != nil {
		return nil, err
	}
	row.Activated = true
	row.did(PolicyStep{Act: record.Act, By: by.Client.Officer, At: at})
	if err := v.putPolicy(tx, *row); err != nil {
		return nil, err
	}
	record.Format, record.At, record.Officer, record.Policy, record.Governance = 1, at, by.Client.Officer, row.ID, digest
	return row.view(gov), v.note(tx, log.Policy, privacy.NewID(at), record)
}

// proposePolicy lets a rule set wait for another officer. The same again changes
// nothing, unless something else came into force since.
func (v *Vault) proposePolicy(tx store.Tx, by Caller, row *policyRow, act string, needed bool, wide []policy.Effect) (*Policy, error) {
	at := micro(v.cfg.Now())
	p := pending{ID: newChangeID(at), Kind: pendingPolicy, By: by.Client.Officer, At: at, Policy: row.ID, Rollback: act == actRolledBack, Alone: !needed}
	var gov *governance
	digest, err := v.govern(tx, func(g *governance) error {
		gov, p.Base = g, g.Policy
		mine := func(other *pending) bool { return other.Kind == pendingPolicy && other.Policy == row.ID }
		if before := g.waiting(mine); before != nil && before.Base == p.Base && before.Alone == p.Alone && before.By == p.By {
			p = *before
		}
		g.drop(mine)
		return g.propose(p)
	})
	if err != nil {
		return nil, err
	}
	row.did(PolicyStep{Act: actSubmitted, By: by.Client.Officer, At: at})
	if err := v.putPolicy(tx, *row); err != nil {
		return nil, err
	}
	record := policyRecord{Format: 1, At: at, Officer: by.Client.Officer, Policy: row.ID, Act: actSubmitted, Change: p.ID, Before: p.Base, Effects: wide, Governance: digest}
	view := row.view(gov)
	if needed {
		view.ID = p.ID
	}
	return view, v.note(tx, log.Policy, privacy.NewID(at), record)
}

// ApprovePolicy puts in force what another officer submitted, named by the change
// or by its rule set. Its author is refused with four_eyes.
func (v *Vault) ApprovePolicy(ctx context.Context, by Caller, id string) (*Policy, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	p, err := v.policyWaiting(ctx, now.gov, id)
	if err != nil {
		return nil, v.refusal(err)
	}
	if err := p.mayApprove(now.gov, by); err != nil {
		return nil, err
	}
	if p.Base != now.gov.Policy {
		return nil, refuse(CodeWrongState, "other rules are in force since this was submitted; look at it and submit it again")
	}
	set, err := v.PolicyByID(ctx, by, p.Policy)
	if err != nil {
		return nil, err
	}
	if err := v.fitForForce(ctx, now, set); err != nil {
		return nil, err
	}
	var view *Policy
	err = v.update(ctx, func(tx store.Tx) error {
		if err := v.stillRegime(tx, now); err != nil {
			return err
		}
		row, err := v.policyRow(tx, p.Policy)
		if err != nil {
			return err
		}
		effects, err := v.policyEffects(tx, now.gov, row.Modules)
		if err != nil {
			return err
		}
		wide := slices.DeleteFunc(effects, func(e policy.Effect) bool { return !e.Widens })
		if view, err = v.activate(tx, by, row, policyRecord{Act: actApproved, Change: p.ID, Proposed: p.By, Effects: wide}); err != nil {
			return err
		}
		return by.Once.keep(tx, view)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}

// RejectPolicy ends a change that waits, or the life of a draft, with words. The
// author can take it back so.
func (v *Vault) RejectPolicy(ctx context.Context, by Caller, id, reason string) (*Policy, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	reason, err := wordsOf("reason", reason)
	if err != nil {
		return nil, err
	}
	var view *Policy
	err = v.update(ctx, func(tx store.Tx) error {
		at := micro(v.cfg.Now())
		record := policyRecord{Format: 1, At: at, Officer: by.Client.Officer, Policy: id, Act: actRejected, Reason: reason}
		var gov *governance
		digest, err := v.govern(tx, func(g *governance) error {
			gov = g
			if err := g.officerStill(by); err != nil {
				return err
			}
			if p := g.waiting(func(p *pending) bool { return p.Kind == pendingPolicy && (p.ID == id || p.Policy == id) }); p != nil {
				record.Policy, record.Change, record.Proposed = p.Policy, p.ID, p.By
				change := p.ID
				g.drop(func(p *pending) bool { return p.ID == change })
			}
			return nil
		})
		if err != nil {
			return err
		}
		if record.Change == "" && strings.HasPrefix(id, "chg_") {
			return refuse(CodeNotFound, "no change of this ID waits")
		}
		row, err := v.policyRow(tx, record.Policy)
		if err != nil {
			return err
		}
		if status := row.view(gov).Status; record.Change == "" && (status == StatusActive || status == PolicySuperseded || status == StatusRejected) {
			return refuse(CodeWrongState, "this rule set is %s, and no change of it waits", status)
		}
		row.did(PolicyStep{Act: actRejected, By: by.Client.Officer, At: at, Reason: reason})
		if err := v.putPolicy(tx, *row); err != nil {
			return err
		}
		record.Governance = digest
		view = row.view(gov)
		if view.Status = StatusRejected; record.Change != "" {
			view.ID = record.Change
		}
		if err := by.Once.keep(tx, view); err != nil {
			return err
		}
		return v.note(tx, log.Policy, privacy.NewID(at), record)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}

// policyWaiting returns the change that waits, by its own ID or its rule set's.
func (v *Vault) policyWaiting(ctx context.Context, gov *governance, id string) (*pending, error) {
	if p := gov.waiting(func(p *pending) bool { return p.Kind == pendingPolicy && (p.ID == id || p.Policy == id) }); p != nil {
		return p, nil
	}
	if strings.HasPrefix(id, "chg_") {
		return nil, refuse(CodeWrongState, "no change of this ID waits: it was approved, rejected or replaced")
	}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		_, err := v.policyRow(s, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for what waits: %w", err)
	}
	return nil, refuse(CodeWrongState, "no change of this rule set waits for approval; submit it first")
}
