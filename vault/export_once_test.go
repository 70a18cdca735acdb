package vault

import "context"

// SweepAnswers removes some of the answers whose time is over.
func (v *Vault) SweepAnswers(ctx context.Context) (more bool, err error) { return v.sweep(ctx) }

func (v *Vault) SweepDealings(ctx context.Context) (more bool, err error) {
	return v.sweepDealings(ctx)
}

func (v *Vault) SweepMoments(ctx context.Context) (more bool, err error) { return v.sweepMoments(ctx) }
