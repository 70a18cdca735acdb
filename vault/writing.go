package vault

import (
	"context"
	"errors"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/store"
)

// What helps officers to write rules.

// InputDocument lists every path that rules may look at under the register in
// force.
func (v *Vault) InputDocument(_ context.Context, by Caller) ([]policy.InputPath, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	return policy.Document(schemaOf(now.register)), nil
}

// FormatPolicy lays modules out as opa fmt does, or says with *PolicyProblems what
// of them does not parse.
func (v *Vault) FormatPolicy(ctx context.Context, by Caller, modules map[string]string) (map[string]string, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if err := boundModules(modules); err != nil {
		return nil, err
	}
	laid := map[string]string{}
	err := v.trying(ctx, func() error {
		for _, name := range moduleNames(modules) {
			text, err := policy.Format(name, modules[name])
			var problems *policy.ProblemsError
			if errors.As(err, &problems) {
				return policyProblems(problems)
			}
			if err != nil {
				return err
			}
			laid[name] = text
		}
		return nil
	})
	return laid, err
}

// PolicyEffects says, rule by rule, what a rule set does that the one in force does
// not, and the other way round.
func (v *Vault) PolicyEffects(ctx context.Context, by Caller, id string) (effects []policy.Effect, err error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		row, err := v.policyRow(s, id)
		if err != nil {
			return err
		}
		effects, err = v.policyEffects(s, now.gov, row.Modules)
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return effects, nil
}

// LogState is how the log stands: what is durable, what of it is under a signed
// checkpoint, and by which key that can be checked.
type LogState struct {
	Name        string
	Size        uint64 // entries that are durable
	Checkpoint  string // a C2SP signed note
	Signed      uint64 // entries under it
	Root        string // of the tree over them, base64
	VerifierKey string
}

// LogState tells officers how the log stands.
func (v *Vault) LogState(ctx context.Context, by Caller) (*LogState, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	note, err := v.Checkpoint(ctx)
	if err != nil {
		return nil, v.refusal(err)
	}
	head, err := log.OpenCheckpoint(note, v.VerifierKey())
	if err != nil {
		return nil, v.refusal(err)
	}
	return &LogState{Name: v.cfg.LogName, Size: v.cfg.Store.Size(), Checkpoint: string(note), Signed: head.Size, Root: head.Root.String(), VerifierKey: v.VerifierKey()}, nil
}
