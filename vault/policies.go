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
}

// The statuses of a rule set.
const (
	PolicyDraft      = "draft"
	PolicyActive     = "active"
	PolicySuperseded = "superseded" // was active once
)

// policyRow is a rule set as it is stored.
type policyRow struct {
	ID        string            `json:"policy"`
	Note      string            `json:"note"`
	Modules   map[string]string `json:"modules"`
	By        string            `json:"by"`
	At        time.Time         `json:"at"`
	Activated bool              `json:"activated"`
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
	if len(note) > 2000 {
		return nil, invalid("note", "too_long", "expected at most 2000 bytes")
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := checkModules(ctx, now, modules); err != nil {
		return nil, err
	}
	at := micro(v.cfg.Now())
	id := privacy.NewID(at)
	row := policyRow{ID: "pol_" + privacy.DecisionID(id).String()[len("dec_"):], Note: note, Modules: modules, By: by.Client.Officer, At: at}
	err = v.update(ctx, func(tx store.Tx) error {
		if err := v.putPolicy(tx, row); err != nil {
			return err
		}
		if err := by.Once.keep(tx, row.view("")); err != nil {
			return err
		}
		return v.note(tx, log.Policy, id, policyRecord{Format: 1, At: at, Officer: by.Client.Officer, Policy: row.ID, Act: "drafted", Note: note})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return row.view(""), nil
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
func checkModules(ctx context.Context, now *regime, modules map[string]string) error {
	err := policy.Check(ctx, schemaOf(now.register), modules)
	var problems *policy.ProblemsError
	if errors.As(err, &problems) {
		return policyProblems(problems)
	}
	return err
}

func policyProblems(e *policy.ProblemsError) *PolicyProblems {
	told := &PolicyProblems{}
	for _, p := range e.Problems {
		told.Problems = append(told.Problems, PolicyProblem(p))
	}
	return told
}

func (row policyRow) view(active string) *Policy {
	p := &Policy{ID: row.ID, Status: PolicyDraft, Note: row.Note, Modules: row.Modules, By: row.By, At: row.At}
	switch {
	case row.ID == active:
		p.Status = PolicyActive
	case row.Activated:
		p.Status = PolicySuperseded
	}
	return p
}

func (v *Vault) putPolicy(tx store.Tx, row policyRow) error {
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
			list = append(list, *row.view(now.gov.Policy))
		}
		return nil
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return list, nil
}

// PolicyByID returns one rule set.
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
		row, err := v.policyRow(s, id)
		if err == nil {
			view = row.view(now.gov.Policy)
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}

// ActivatePolicy puts a rule set in force at once, for all readers.
func (v *Vault) ActivatePolicy(ctx context.Context, by Caller, id string) (*Policy, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	draft, err := v.PolicyByID(ctx, by, id)
	if err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	// It compiled when it was drafted; the register may have changed since.
	if err := checkModules(ctx, now, draft.Modules); err != nil {
		return nil, err
	}
	var view *Policy
	err = v.update(ctx, func(tx store.Tx) error {
		raw, err := tx.Get(bucketGovernance, keyCurrent)
		if err != nil {
			return err
		}
		if string(raw) != string(now.raw) {
			return refuse(CodeWrongState, "what is in force changed meanwhile; try again")
		}
		row, err := v.policyRow(tx, id)
		if err != nil {
			return err
		}
		before := now.gov.Policy
		digest, err := v.govern(tx, func(gov *governance) error { gov.Policy = id; return nil })
		if err != nil {
			return err
		}
		if row.Activated = true; id != Guardrails {
			if err := v.putPolicy(tx, *row); err != nil {
				return err
			}
		}
		view = row.view(id)
		if err := by.Once.keep(tx, view); err != nil {
			return err
		}
		at := micro(v.cfg.Now())
		return v.note(tx, log.Policy, privacy.NewID(at), policyRecord{Format: 1, At: at, Officer: by.Client.Officer, Policy: id, Act: "activated", Before: before, Governance: digest})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}
