package vault

import "context"

// PolicyChecked is the status of modules that were checked and not kept.
const PolicyChecked = "checked"

// CheckPolicy compiles modules against the register in force as DraftPolicy does,
// runs their tests, and keeps nothing. It returns *PolicyProblems if they would be
// refused; that tests fail is told.
func (v *Vault) CheckPolicy(ctx context.Context, by Caller, modules map[string]string) (*PolicyTest, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if err := boundModules(modules); err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := v.checkModules(ctx, now, modules); err != nil {
		return nil, err
	}
	return v.runTests(ctx, now, &Policy{Status: PolicyChecked, Modules: modules})
}
