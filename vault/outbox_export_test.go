package vault

import (
	"context"

	"github.com/sayso-vault/sayso/vault/store"
)

// DeliverDue sends all that is due to webhooks now.
func (v *Vault) DeliverDue(ctx context.Context, send func(context.Context, Delivery) Delivered) error {
	for again := true; again; {
		again = false
		hooks, err := v.hooksNow(ctx)
		if err != nil {
			return err
		}
		for _, id := range hooks {
			r, err := v.planRound(ctx, id)
			if err != nil {
				return err
			}
			if r == nil {
				continue
			}
			r.send(ctx, send)
			if err := v.noteRound(ctx, r); err != nil {
				return err
			}
			again = again || r.more || len(r.parcels) > 0
		}
	}
	return nil
}

// SweepEvents removes the events whose time is over.
func (v *Vault) SweepEvents(ctx context.Context) error {
	for more := true; more; {
		var err error
		if more, err = v.sweepEvents(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Outbox counts what lies in the outbox.
func (v *Vault) Outbox(ctx context.Context) (events int, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		events = 0
		return s.Scan(bucketOutbox, nil, nil, func(_, _ []byte) error { events++; return nil })
	})
	return events, err
}
