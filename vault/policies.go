package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Policy is a rule set: officers' modules that withhold or mask more than
// register and consent do. The first one, pol_guardrails, has none.
type Policy struct {
	ID      string            `json:"policy"`
	Status  string            `json:"status"`
	Note    string            `json:"note,omitempty"`
	Modules map[string]string `json:"modules"`
	By      string            `json:"by,omitempty"`
	At      time.Time         `json:"at,omitzero"`
	Steps   []PolicyStep      `json:"steps,omitempty"` // of its life, in order
	Change  *PolicyChange     `json:"change,omitempty"`
}

// The statuses of a rule set, beside those of changes: active, pending and
// rejected.
const (
	PolicyDraft      = "draft"     // it was checked, or it would not be kept
	PolicyTested     = "tested"    // its tests passed
	PolicyReplayed   = "replayed"  // over what really happened
	PolicySubmitted  = "submitted" // for approval, though its author could activate it alone
	PolicySuperseded = "superseded"
)

// PolicyStep is one thing that happened to a rule set: who did what, when and why.
type PolicyStep struct {
	Act    string    `json:"act"` // tested, replayed, submitted, approved, activated, rolled back or rejected
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
	Passed bool      `json:"passed,omitempty"` // of tests: all did

	Replay *ReplaySummary `json:"replay,omitempty"` // of a replay: what it came to
}

// PolicyChange is a rule set on its way into force, which waits for another
// officer.
type PolicyChange struct {
	ID       string          `json:"change"`
	Policy   string          `json:"policy"`
	Base     string          `json:"base"` // what was in force when it was submitted
	By       string          `json:"by"`
	At       time.Time       `json:"at"`
	Rollback bool            `json:"rollback,omitempty"`
	Needed   bool            `json:"needed"`          // it can let more out, so its author cannot activate it
	Stale    bool            `json:"stale,omitempty"` // something else is in force since, so it must be submitted again
	Effects  []policy.Effect `json:"effects"`         // against what is in force now
}

// policyRow is a rule set as it is stored.
type policyRow struct {
	ID        string            `json:"policy"`
	Note      string            `json:"note"`
	Modules   map[string]string `json:"modules"`
	By        string            `json:"by"`
	At        time.Time         `json:"at"`
	Activated bool              `json:"activated"`
	Steps     []PolicyStep      `json:"steps,omitempty"`
}

// PolicyProblem is one thing wrong with a module, and where.
type PolicyProblem struct {
	Module  string `json:"module"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// PolicyProblems is all that is wrong with modules that were refused.
type PolicyProblems struct{ Problems []PolicyProblem }

// Error tells the first problem and how many there are.
func (e *PolicyProblems) Error() string {
	if len(e.Problems) == 0 {
		return "the modules were refused"
	}
	p := e.Problems[0]
	return fmt.Sprintf("%s:%d:%d: %s (%d in all)", p.Module, p.Line, p.Column, p.Message, len(e.Problems))
}

// Bounds on a rule set.
const (
	maxModules    = 64
	maxModuleSize = 256 << 10
)

// policyRecord is the log's record of a rule set made or put in force.
type policyRecord struct {
	Format  int       `json:"v"`
	At      time.Time `json:"at"`
	Officer string    `json:"officer"`
	Policy  string    `json:"policy"`
	Act     string    `json:"act"`
	Before  string    `json:"before,omitempty"`
	Note    string    `json:"note,omitempty"`

	Change   string          `json:"change,omitempty"`   // chg_…, if it waited or waits
	Proposed string          `json:"proposed,omitempty"` // by whom, if another officer approved it
	Reason   string          `json:"reason,omitempty"`
	Effects  []policy.Effect `json:"effects,omitempty"` // those that widen
	Replay   *ReplaySummary  `json:"replay,omitempty"`

	Governance rowDigest `json:"governance,omitzero"` // none of a draft
}

// DraftPolicy keeps modules as a draft, or refuses them with *PolicyProblems.
func (v *Vault) DraftPolicy(ctx context.Context, by Caller, modules map[string]string, note string) (*Policy, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if err := boundModules(modules); err != nil {
		return nil, err
	}
	if len(note) > 2000 || !privacy.Plain(note) {
		return nil, invalid("note", "too_long", "expected at most 2000 bytes of plain text")
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := v.checkModules(ctx, now, modules); err != nil {
		return nil, err
	}
	at := micro(v.cfg.Now())
	id := privacy.NewID(at)
	row := policyRow{ID: namedID("pol_", at), Note: note, Modules: modules, By: by.Client.Officer, At: at}
	err = v.update(ctx, func(tx store.Tx) error {
		if err := v.putPolicy(tx, row); err != nil {
			return err
		}
		if err := by.Once.keep(tx, row.view(&governance{})); err != nil {
			return err
		}
		return v.note(tx, log.Policy, id, policyRecord{Format: 1, At: at, Officer: by.Client.Officer, Policy: row.ID, Act: "drafted", Note: note})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return row.view(&governance{}), nil
}

// boundModules refuses none, too many and too large ones.
func boundModules(modules map[string]string) error {
	if len(modules) == 0 || len(modules) > maxModules {
		return invalid("modules", "invalid_value", "expected one to %d modules", maxModules)
	}
	for _, name := range moduleNames(modules) {
		if len(modules[name]) > maxModuleSize || len(name) > 128 {
			return invalid("modules", "too_long", "expected modules of at most 256 KiB with names of at most 128 bytes")
		}
	}
	return nil
}

// checkModules says what speaks against modules with the register in force.
func (v *Vault) checkModules(ctx context.Context, now *regime, modules map[string]string) error {
	return v.trying(ctx, func() error {
		err := policy.Check(ctx, schemaOf(now.register), modules)
		var problems *policy.ProblemsError
		if errors.As(err, &problems) {
			return policyProblems(problems)
		}
		return err
	})
}

// trying does something with rules that nobody looked at yet, when nothing else of
// the kind is done: what takes long does not take all processors.
func (v *Vault) trying(ctx context.Context, do func() error) error {
	select {
	case v.checking <- struct{}{}:
		defer func() { <-v.checking }()
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func policyProblems(e *policy.ProblemsError) *PolicyProblems {
	told := &PolicyProblems{}
	for _, p := range e.Problems {
		told.Problems = append(told.Problems, PolicyProblem(p))
	}
	return told
}

// view shows a rule set as it is now. It leaves out what a change of it would do.
func (row policyRow) view(gov *governance) *Policy {
	p := &Policy{ID: row.ID, Status: PolicyDraft, Note: row.Note, Modules: row.Modules, By: row.By, At: row.At, Steps: row.Steps}
	for _, step := range row.Steps {
		switch {
		case step.Act == actTested && step.Passed && p.Status == PolicyDraft:
			p.Status = PolicyTested
		case step.Act == actReplayed:
			p.Status = PolicyReplayed
		case step.Act == actRejected:
			p.Status = StatusRejected
		}
	}
	if waits := gov.waiting(func(p *pending) bool { return p.Kind == pendingPolicy && p.Policy == row.ID }); waits != nil {
		p.Change = waits.policyChange(gov)
	}
	switch {
	case row.ID == gov.Policy:
		p.Status = StatusActive
	case p.Change != nil && p.Change.Needed:
		p.Status = StatusPending
	case p.Change != nil:
		p.Status = PolicySubmitted
	case row.Activated:
		p.Status = PolicySuperseded
	}
	return p
}

func (p *pending) policyChange(gov *governance) *PolicyChange {
	return &PolicyChange{ID: p.ID, Policy: p.Policy, Base: p.Base, By: p.By, At: p.At, Rollback: p.Rollback, Needed: !p.Alone, Stale: p.Base != gov.Policy}
}

// did adds a step to a rule set's life. Of tests and replays the last counts.
func (row *policyRow) did(step PolicyStep) {
	if step.Act == actTested || step.Act == actReplayed {
		row.Steps = slices.DeleteFunc(row.Steps, func(s PolicyStep) bool { return s.Act == step.Act })
	}
	row.Steps = append(row.Steps, step)
}

// putPolicy keeps a rule set. The guardrails alone are none that is kept.
func (v *Vault) putPolicy(tx store.Tx, row policyRow) error {
	if row.ID == Guardrails {
		return nil
	}
	sealed, err := v.sealOwn("policy/"+row.ID, 1, row)
	if err != nil {
		return err
	}
	return tx.Put(bucketPolicies, []byte(row.ID), sealed)
}

func (v *Vault) policyRow(r store.Reader, id string) (*policyRow, error) {
	if id == Guardrails {
		return &policyRow{ID: id, Note: "The guardrails alone.", Modules: map[string]string{}, Activated: true}, nil
	}
	sealed, err := r.Get(bucketPolicies, []byte(id))
	if err != nil || sealed == nil {
		return nil, orNotFound(err, "no rule set of this ID")
	}
	row := new(policyRow)
	if err := v.unsealOwn("policy/"+id, 1, sealed, row); err != nil {
		return nil, fmt.Errorf("opening rule set %s: %w", id, err)
	}
	return row, nil
}

// modules returns the modules of a rule set.
func (v *Vault) modules(r store.Reader, id string) (map[string]string, error) {
	row, err := v.policyRow(r, id)
	if err != nil {
		return nil, err
	}
	return row.Modules, nil
}

// Policies lists all rule sets, the newest first, the guardrails alone last.
func (v *Vault) Policies(ctx context.Context, by Caller) ([]Policy, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	list := []Policy{}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		ids := []string{Guardrails}
		err = s.Scan(bucketPolicies, nil, nil, func(key, _ []byte) error {
			ids = append(ids, string(key))
			return nil
		})
		if err != nil {
			return err
		}
		slices.Reverse(ids)
		for _, id := range ids {
			row, err := v.policyRow(s, id)
			if err != nil {
				return err
			}
			list = append(list, *row.view(now.gov))
		}
		return nil
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return list, nil
}

// PolicyByID returns one rule set, or the one that a change (chg_…) which waits
// would put in force, with what that would let out.
func (v *Vault) PolicyByID(ctx context.Context, by Caller, id string) (*Policy, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var view *Policy
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		if p := now.gov.waiting(func(p *pending) bool { return p.Kind == pendingPolicy && p.ID == id }); p != nil {
			id = p.Policy
		}
		row, err := v.policyRow(s, id)
		if err != nil {
			return err
		}
		view = row.view(now.gov)
		if view.Change != nil {
			view.Change.Effects, err = v.policyEffects(s, now.gov, row.Modules)
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}

// policyEffects says what other modules do that those in force do not, and the
// other way round.
func (v *Vault) policyEffects(r store.Reader, gov *governance, modules map[string]string) ([]policy.Effect, error) {
	inForce, err := v.modules(r, gov.Policy)
	if err != nil {
		return nil, err
	}
	effects, err := policy.Effects(inForce, modules)
	if effects == nil {
		effects = []policy.Effect{}
	}
	return effects, err
}
