package policy

import (
	"context"
	"slices"
	"time"
)

// Cost is what one decision takes on this machine: medians.
type Cost struct {
	Query time.Duration // the prepared query alone, on an input that is ready
	First time.Duration // a decision that was not made before
	Seen  time.Duration // one that was
}

// Cost decides n times each way and takes the time. The three ways alternate,
// so that what else the machine does falls on all.
func (r *Revision) Cost(ctx context.Context, in *Input, n int) (Cost, error) {
	value, err := r.value(in)
	if err != nil {
		return Cost{}, err
	}
	const seen = 100 // at a time: one is shorter than a clock can tell
	ways := []func() error{
		func() error { _, err := r.eval(ctx, value); return err },
		func() error { _, err := r.decide(ctx, in); return err },
		func() error {
			for range seen {
				if _, err := r.Decide(ctx, in); err != nil {
					return err
				}
			}
			return nil
		},
	}
	var took [3][]time.Duration
	for range max(n, 1) {
		for i, way := range ways {
			began := time.Now()
			if err := way(); err != nil {
				return Cost{}, err
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	median := func(all []time.Duration) time.Duration {
		slices.Sort(all)
		return all[len(all)/2]
	}
	return Cost{Query: median(took[0]), First: median(took[1]), Seen: median(took[2]) / seen}, nil
}
