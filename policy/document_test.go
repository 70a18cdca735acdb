package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Each path that is offered to who writes a rule can be looked at, and each value
// it is said to have can be compared with.
func TestWhatIsOfferedCompiles(t *testing.T) {
	s := policy.Schema{
		Fields: []policy.Field{{Name: "email", Type: "email"}}, Purposes: []privacy.PurposeID{"order-fulfilment", "sms_marketing"}, Channels: []privacy.ChannelID{"web"},
		Context: []policy.ContextKey{{Name: "step", Type: "string", Enum: []string{"offer", "support"}}, {Name: "age-of-order", Type: "number"}},
	}
	seen := 0
	for _, p := range policy.Document(s) {
		conditions := map[string]string{"string": p.Path + ` == "x"`, "number": p.Path + " > 3", "boolean": p.Path, "strings": `"x" in ` + p.Path}[p.Type]
		for _, value := range p.Values {
			if p.Type == "string" {
				conditions += fmt.Sprintf("\n\t%s != %q", p.Path, value)
			}
		}
		err := policy.Check(t.Context(), s, map[string]string{"rules.rego": "package sayso.rules\n\nwithhold contains {\"field\": \"email\", \"reason\": \"r\"} if {\n\t" + conditions + "\n}\n"})
		if err != nil && p.Path != "input.context.step" {
			t.Errorf("%s: %v", p.Path, err)
		}
		seen++
	}
	if seen < 25 {
		t.Errorf("only %d paths are offered", seen)
	}
}

func TestFormatIsThatOfOPA(t *testing.T) {
	got, err := policy.Format("rules.rego", "package sayso.rules\n# why\nwithhold contains {\"field\":\"email\",\"reason\":\"r\"} if {input.channel.id==\"web\"}")
	if err != nil || !strings.Contains(got, "# why") || !strings.Contains(got, `if input.channel.id == "web"`) {
		t.Errorf("got %q, %v", got, err)
	}
	again, err := policy.Format("rules.rego", got)
	if err != nil || again != got {
		t.Errorf("again: got %q, %v", again, err)
	}
	var problems *policy.ProblemsError
	if _, err := policy.Format("rules.rego", "package sayso.rules\n\nwithhold contains {"); !errors.As(err, &problems) || problems.Problems[0].Line < 3 || problems.Problems[0].Module != "rules.rego" {
		t.Errorf("what does not parse: %v", err)
	}
}
