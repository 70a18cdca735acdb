package vault

import "context"

// CheckPolicy compiles modules against the register in force as DraftPolicy
// does, and keeps nothing. It returns *PolicyProblems if they would be refused.
func (v *Vault) CheckPolicy(ctx context.Context, by Caller, modules map[string]string) error {
	if err := v.mustOfficer(by); err != nil {
		return err
	}
	if err := boundModules(modules); err != nil {
		return err
	}
	now, err := v.current()
	if err != nil {
		return err
	}
	err = checkModules(ctx, now, modules)
	return err
}
