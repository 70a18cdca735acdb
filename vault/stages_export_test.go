package vault

import (
	"context"
	"errors"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ReadStage is one part of a read, to be done again and again.
type ReadStage struct {
	Name string
	Do   func() error
}

// Stages calls fn with the parts of a read of somebody by ID, in order. Each
// stage does its own work alone: what it needs of those before is done once.
func (v *Vault) Stages(ctx context.Context, by Caller, req ReadRequest, fn func([]ReadStage)) error {
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		channel, err := now.channelOf(by)
		if err != nil {
			return err
		}
		q := question{by: by, channel: channel, regime: now, fields: req.Fields, context: req.Context, purpose: req.Purpose}
		if err := q.mayAsk(); err != nil {
			return err
		}
		p, err := v.find(ctx, s, &reference{id: req.Subject.ID})
		if err != nil {
			return err
		}
		t, _, _ := v.clock.now()
		decided, err := v.decide(ctx, by, req, values)
		if err != nil {
			return err
		}
		fn([]ReadStage{
			{"snapshot", func() error {
				return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
					now, err := v.regime(ctx, s)
					if err != nil {
						return err
					}
					ref, err := v.reference(now.register, nil, req.Subject)
					if err != nil {
						return err
					}
					_, err = v.find(ctx, s, ref)
					return err
				})
			}},
			{"decide", func() error {
				outcomes, err := v.outcomes(ctx, &q, p, t)
				if err == nil && outcomes[0].Action == policy.Withhold {
					err = errors.New("nothing is released")
				}
				return err
			}},
			{"open", func() error {
				values, err := v.valuesOf(s, p)
				for i := range p.standing.Values {
					if err == nil {
						_, err = values.open(&p.standing.Values[i])
					}
				}
				return err
			}},
			{"record", func() error {
				_, err := v.recordAccess(&q, p, decided.result, t, false)
				return err
			}},
			{"append", func() error {
				_, err := v.cfg.Store.Append(ctx, decided.entry, decided.conditions...)
				return err
			}},
			{"read", func() error {
				_, err := v.Read(ctx, by, req)
				return err
			}},
		})
		return nil
	})
}
