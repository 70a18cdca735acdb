package vault

import (
	"context"
	"errors"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// recalled is somebody whom the data does not know, and of whom the ledger knows
// noes and by what they are found.
type recalled struct {
	id  privacy.SubjectID
	all []foundBy
}

// recall finds those among people whom the data does not know, and returns the
// others.
func (r *restore) recall(ctx context.Context, unknown []privacy.SubjectID) (others []privacy.SubjectID, err error) {
	v, known := r.v, r.v.ledger.notedOf()
	for _, id := range unknown {
		e, is := known[v.ledger.subject(id)]
		if !is {
			others = append(others, id)
			continue
		}
		p, err := v.loadKeys(ctx, id)
		if err != nil {
			return nil, err
		}
		all, err := v.unsealNoted(p, e)
		switch {
		case errors.Is(err, keys.ErrIntegrity), err == nil && len(all) == 0:
			others = append(others, id)
		case err != nil:
			return nil, err
		default:
			r.recalled = append(r.recalled, recalled{id, all})
		}
	}
	return others, nil
}

// remember makes them somebody of whom nothing is known but what finds them. The
// noes follow, when what the ledger promised is done.
func (r *restore) remember(ctx context.Context) error {
	v := r.v
	for _, one := range r.recalled {
		err := v.update(ctx, func(tx store.Tx) error {
			p, err := v.loadKeys(ctx, one.id)
			if err != nil {
				return err
			}
			p.standing = &consent.Standing{}
			now, err := v.regime(ctx, tx)
			if err != nil {
				return err
			}
			at := r.report.At
			c := &capture{v: v, regime: now, channel: &register.Channel{}, now: at, observed: at, recorded: at}
			for _, n := range one.all {
				f, ok := now.register.Field(n.Field)
				if !ok {
					continue // of a register that was undone
				}
				value, wrong := profile.Normalise(f, n.Value, now.register.Controller.Country, at)
				if wrong == nil && value.Lookup != "" {
					c.values = append(c.values, captured{field: f, value: value})
				}
			}
			if err := c.merge(ctx, tx, p, &valuesOf{v: v, p: p}, &CaptureResult{}); err != nil {
				return err
			}
			for i := range p.standing.Values {
				p.standing.Values[i].Channels = nil // no channel has a hold on them
			}
			return r.noteRestored(tx, p)
		})
		if err != nil {
			return err
		}
	}
	r.report.Recalled = uint64(len(r.recalled))
	return nil
}
