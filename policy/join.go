package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// types compiles officers' modules alone, against the schema of the input.
// Their tests follow without it, for tests make up the input.
func (c *checker) types(rules, tests map[string]*ast.Module) error {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, c.schema.jsonSchema())
	typed, err := alone(rules, nil, typedCalls)
	if err != nil {
		return err
	}
	compiler := newCompiler(allowed, checkedDeclarations()).WithSchemas(schemas)
	if compiler.Compile(typed); compiler.Failed() {
		c.refuseAll("", compiler.Errors)
		return nil
	}
	if len(tests) == 0 {
		return nil
	}
	tested, err := alone(rules, tests, typedCalls)
	if err != nil {
		return err
	}
	compiler = newCompiler(allowed, checkedDeclarations())
	if compiler.Compile(tested); compiler.Failed() {
		c.refuseAll("", compiler.Errors)
	}
	return nil
}

// newCompiler returns a compiler that knows the listed built-ins and these more
// and ignores annotations, which could claim another schema.
func newCompiler(builtins []string, more map[string]*ast.Builtin) *ast.Compiler {
	//nolint:staticcheck // WithCapabilities alone does not declare built-ins of our own
	return ast.NewCompiler().WithCapabilities(capabilities(builtins)).WithBuiltins(more).WithUseTypeCheckAnnotations(false)
}

// alone puts officers' modules, each changed by f, together with nothing but
// what makes withhold and mask defined. Their file names get folders of their
// own, so that none can take the place of a guardrail.
func alone(rules, tests map[string]*ast.Module, f func(*ast.Module) *ast.Module) (map[string]*ast.Module, error) {
	base, err := guardrailModules()
	if err != nil {
		return nil, err
	}
	all := map[string]*ast.Module{baseName: base[baseName]}
	for name, m := range rules {
		all["rules/"+name] = f(m)
	}
	for name, m := range tests {
		all["tests/"+name] = f(m)
	}
	return all, nil
}

// join compiles the guardrails with officers' modules. A built-in that rewriting
// left unguarded does not compile here.
func join(rules map[string]*ast.Module) (*ast.Compiler, error) {
	all, err := guardrailModules()
	if err != nil {
		return nil, err
	}
	for name, m := range rules {
		all["rules/"+name] = notePlaces(guardCalls(m))
	}
	compiler := newCompiler(plain, declarations())
	if compiler.Compile(all); compiler.Failed() {
		c := &checker{}
		c.refuseAll("", compiler.Errors)
		return nil, c.found.err()
	}
	return compiler, nil
}
