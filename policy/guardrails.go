package policy

import (
	"embed"
	"maps"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

//go:embed guardrails/*.rego
var guardrailFiles embed.FS

// Guardrails returns the embedded guardrails by file name, as they are in force
// under every rule set, for officers and for the record.
func Guardrails() map[string]string { return maps.Collect(embedded) }

// embedded yields the guardrails without their tests.
func embedded(yield func(name, text string) bool) {
	files, err := guardrailFiles.ReadDir("guardrails")
	if err != nil {
		return
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), testSuffix) {
			continue
		}
		text, err := guardrailFiles.ReadFile("guardrails/" + f.Name())
		if err != nil || !yield(f.Name(), string(text)) {
			return
		}
	}
}

// query asks for the one decision of the guardrails.
var query = ast.MustParseBody("data.sayso.guardrails.decision")

const (
	testSuffix   = "_test.rego"
	rulesPackage = "data.sayso.rules"
)
