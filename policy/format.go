package policy

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// Format returns a module's text as opa fmt writes it, or *ProblemsError if it does
// not parse. It says nothing about whether the module may be put in force.
func Format(name, text string) (string, error) {
	c := &checker{}
	if len(text) > maxModuleText {
		c.refuse(ast.NewLocation(nil, name, 1, 1), "a module has at most %d bytes", maxModuleText)
		return "", c.found.err()
	}
	out, err := format.SourceWithOpts(name, []byte(text), format.Opts{RegoVersion: ast.RegoV1})
	if err != nil {
		var all ast.Errors
		if !errors.As(err, &all) {
			var one *ast.Error
			if errors.As(err, &one) {
				err = ast.Errors{one}
			}
		}
		c.refuseAll(name, err)
		return "", c.found.err()
	}
	return string(out), nil
}
