package policy

import (
	"embed"
	"fmt"
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"
)

//go:embed guardrails/guardrails.rego guardrails/rules.rego
var guardrailFiles embed.FS

// Guardrails returns the embedded guardrails by file name, as they are in force
// under every rule set, for officers and for the record.
func Guardrails() map[string]string { return maps.Collect(guardrails) }

// guardrails yields the name and text of each guardrail file.
func guardrails(yield func(name, text string) bool) {
	files, err := guardrailFiles.ReadDir("guardrails")
	if err != nil {
		return
	}
	for _, f := range files {
		text, err := guardrailFiles.ReadFile("guardrails/" + f.Name())
		if err != nil || !yield("guardrails/"+f.Name(), string(text)) {
			return
		}
	}
}

// The packages and names that join guardrails and rules.
const (
	rulesPackage = "data.sayso.rules"
	baseName     = "guardrails/rules.rego" // makes withhold and mask defined without officers' rules
	testSuffix   = "_test.rego"
)

// query asks for the one decision of the guardrails.
var query = ast.MustParseBody("data.sayso.guardrails.decision")

// guardrailModules parses the guardrails.
func guardrailModules() (map[string]*ast.Module, error) {
	all := map[string]*ast.Module{}
	for name, text := range guardrails {
		m, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("parsing guardrails: %w", err)
		}
		all[name] = m
	}
	return all, nil
}
