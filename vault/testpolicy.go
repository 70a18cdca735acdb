package vault

import (
	"context"
	"errors"

	"github.com/sayso-vault/sayso/policy"
)

// PolicyTest is what became of the tests that travel with a rule set.
type PolicyTest struct {
	Policy  string              `json:"policy"`
	Passed  int                 `json:"passed"`
	Failed  int                 `json:"failed"`
	Results []policy.TestResult `json:"results"`
}

// TestPolicy runs the tests among a rule set's modules. A set without tests
// passes none and fails none.
func (v *Vault) TestPolicy(ctx context.Context, by Caller, id string) (*PolicyTest, error) {
	set, err := v.PolicyByID(ctx, by, id)
	if err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	results, err := policy.RunTests(ctx, schemaOf(now.register), set.Modules)
	var problems *policy.ProblemsError
	if errors.As(err, &problems) {
		return nil, policyProblems(problems)
	}
	if err != nil {
		return nil, v.refusal(err)
	}
	test := &PolicyTest{Policy: id, Results: []policy.TestResult{}}
	for _, r := range results {
		if test.Results = append(test.Results, r); r.Passed {
			test.Passed++
		} else {
			test.Failed++
		}
	}
	return test, nil
}
