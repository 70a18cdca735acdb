package vault_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Who writes rules is told what they may look at, how the text is laid out, and
// what it does that the rules in force do not.
func TestWritingRules(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: shop})
	paths, err := v.InputDocument(t.Context(), v.Officer)
	if err != nil || !slices.ContainsFunc(paths, func(p policy.InputPath) bool { return p.Path == `input.consents["sms-marketing"]` }) || !slices.ContainsFunc(paths, func(p policy.InputPath) bool { return p.Path == "input.context.step" }) {
		t.Errorf("the input: %v, %v", paths, err)
	}
	crooked := "package sayso.rules\nwithhold contains {\"field\":\"email\",\"reason\":\"r\"} if input.channel.id==\"web\""
	laid, err := v.FormatPolicy(t.Context(), v.Officer, map[string]string{"rules.rego": crooked})
	if err != nil || !strings.Contains(laid["rules.rego"], `{"field": "email", "reason": "r"} if input.channel.id == "web"`) {
		t.Errorf("laid out: %q, %v", laid, err)
	}
	var problems *vault.PolicyProblems
	if _, err := v.FormatPolicy(t.Context(), v.Officer, map[string]string{"rules.rego": crooked + " {"}); !errors.As(err, &problems) || problems.Problems[0].Line != 2 {
		t.Errorf("what does not parse: %v", err)
	}
	draft, err := v.DraftPolicy(t.Context(), v.Officer, laid, "")
	if err != nil {
		t.Fatal(err)
	}
	effects, err := v.PolicyEffects(t.Context(), v.Officer, draft.ID)
	if err != nil || len(effects) != 1 || effects[0].Op != policy.RuleAdded || effects[0].Widens {
		t.Errorf("a rule that came: %+v, %v", effects, err)
	}
	v.Activate(laid["rules.rego"])
	if effects, err = v.PolicyEffects(t.Context(), v.Officer, vault.Guardrails); err != nil || len(effects) != 1 || !effects[0].Widens {
		t.Errorf("one that would go: %+v, %v", effects, err)
	}
	web := v.As("web").Caller
	_, err = v.InputDocument(t.Context(), web)
	refusedWith(t, err, vault.CodeForbidden)
	_, err = v.FormatPolicy(t.Context(), web, laid)
	refusedWith(t, err, vault.CodeForbidden)
	_, err = v.PolicyEffects(t.Context(), web, draft.ID)
	refusedWith(t, err, vault.CodeForbidden)
}

// The state of the log names a signed checkpoint, and the key
// by which a stranger checks it.
func TestTheStateOfTheLog(t *testing.T) {
	v := vaulttest.New(t, nil)
	v.As("web").Capture(map[string]any{"email": "mina@example.org"})
	state, err := v.LogState(t.Context(), v.Officer)
	if err != nil || state.Signed > state.Size || state.Signed == 0 || !strings.HasPrefix(state.Checkpoint, strings.SplitN(state.VerifierKey, "+", 2)[0]+"\n") || !strings.Contains(state.Checkpoint, state.Root) {
		t.Errorf("got %+v, %v", state, err)
	}
	_, err = v.LogState(t.Context(), v.As("web").Caller)
	refusedWith(t, err, vault.CodeForbidden)
}
