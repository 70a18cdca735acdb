package vault

import (
	"context"
	"errors"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// PolicyTest is what became of the tests that travel with a rule set.
type PolicyTest struct {
	Policy  string              `json:"policy"`
	Status  string              `json:"status"`
	Passed  int                 `json:"passed"`
	Failed  int                 `json:"failed"`
	Results []policy.TestResult `json:"results"`

	Coverage policy.Coverage `json:"coverage"` // of the rules, by the tests
}

// TestPolicy runs the tests among a rule set's modules, and notes in its life how
// they went. A set without tests passes none and fails none.
func (v *Vault) TestPolicy(ctx context.Context, by Caller, id string) (*PolicyTest, error) {
	set, err := v.PolicyByID(ctx, by, id)
	if err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	test, err := v.runTests(ctx, now, set)
	if err != nil {
		return nil, err
	}
	test.Status, err = v.step(ctx, by, set.ID, PolicyStep{Act: actTested, Passed: test.Failed == 0})
	if err != nil {
		return nil, err
	}
	return test, nil
}

func (v *Vault) runTests(ctx context.Context, now *regime, set *Policy) (*PolicyTest, error) {
	var run policy.TestRun
	err := v.trying(ctx, func() (err error) {
		run, err = policy.RunTests(ctx, schemaOf(now.register), set.Modules)
		return err
	})
	var problems *policy.ProblemsError
	if errors.As(err, &problems) {
		return nil, policyProblems(problems)
	}
	if err != nil {
		return nil, v.refusal(err)
	}
	test := &PolicyTest{Policy: set.ID, Status: set.Status, Results: []policy.TestResult{}, Coverage: run.Coverage}
	for _, r := range run.Results {
		if test.Results = append(test.Results, r); r.Passed {
			test.Passed++
		} else {
			test.Failed++
		}
	}
	return test, nil
}

// step notes in a rule set's life what was done with it, and returns its status
// then. The guardrails have no life.
func (v *Vault) step(ctx context.Context, by Caller, id string, step PolicyStep) (status string, err error) {
	if id == Guardrails {
		set, err := v.PolicyByID(ctx, by, id)
		if err != nil {
			return "", err
		}
		return set.Status, nil
	}
	err = v.update(ctx, func(tx store.Tx) error {
		now, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		if err := now.gov.officerStill(by); err != nil {
			return err
		}
		row, err := v.policyRow(tx, id)
		if err != nil {
			return err
		}
		step.By, step.At = by.Client.Officer, micro(v.cfg.Now())
		row.did(step)
		status = row.view(now.gov).Status
		if err := v.putPolicy(tx, *row); err != nil {
			return err
		}
		act := step.Act
		if act == actTested && !step.Passed {
			act = "tests failed"
		}
		return v.note(tx, log.Policy, privacy.NewID(step.At), policyRecord{Format: 1, At: step.At, Officer: step.By, Policy: id, Act: act, Replay: step.Replay})
	})
	if err != nil {
		return "", v.refusal(err)
	}
	return status, nil
}
