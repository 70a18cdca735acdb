package vault

import (
	"context"
	"errors"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// CaptureOutcome is what became of one capture of a batch: a result, or the
// *Error it was refused with.
type CaptureOutcome struct {
	Result *CaptureResult
	Err    error
}

// CaptureBatch captures many people in one transaction: what is accepted is
// durable together, what is refused is told by itself and leaves nothing. Later
// captures of a batch see the earlier ones, so that a person who comes twice in
// a file is one. An error means that nothing of the batch was kept.
//
// Captures with narrowing consents are not for batches: each is promised in the
// ledger before it is done.
func (v *Vault) CaptureBatch(ctx context.Context, by Caller, reqs []CaptureRequest) ([]CaptureOutcome, error) {
	for range attempts {
		outcomes, err := v.captureBatch(ctx, by, reqs)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return outcomes, nil
	}
	return nil, unavailable("what is in force kept changing; try again")
}

func (v *Vault) captureBatch(ctx context.Context, by Caller, reqs []CaptureRequest) ([]CaptureOutcome, error) {
	outcomes, captures, err := v.prepareBatch(ctx, by, reqs)
	if err != nil {
		return nil, err
	}
	used := map[privacy.SubjectID]bool{}
	defer func() { v.dropUnused(ctx, captures, used) }()
	err = v.update(ctx, func(tx store.Tx) error {
		clear(used)
		var about []privacy.SubjectID
		for i, c := range captures {
			if c == nil {
				continue
			}
			if err := c.stillInForce(tx); err != nil {
				return err
			}
			p, err := c.person(ctx, tx)
			if err == nil {
				// Whatever refuses a capture from here on does so before
				// anything of it is written.
				if err = c.keep(ctx, tx, p); err == nil && c.fresh != nil && p.id == c.fresh.id {
					used[p.id] = true
				}
			}
			var refused *Error
			switch {
			case errors.As(err, &refused):
				outcomes[i] = CaptureOutcome{Err: refused}
			case err != nil:
				return err
			default:
				outcomes[i] = CaptureOutcome{Result: c.result}
				about = append(about, c.result.Subject)
			}
		}
		return by.Once.keep(tx, outcomes, about...)
	})
	return outcomes, err
}

// prepareBatch checks every request and makes keys for all who look new in one
// commit.
func (v *Vault) prepareBatch(ctx context.Context, by Caller, reqs []CaptureRequest) ([]CaptureOutcome, []*capture, error) {
	now, believed, _ := v.clock.now()
	outcomes, captures := make([]CaptureOutcome, len(reqs)), make([]*capture, len(reqs))
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		r, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		channel, err := r.channelOf(by)
		if err != nil {
			return err
		}
		for i, req := range reqs {
			c := &capture{v: v, by: by, regime: r, channel: channel, now: now, observed: now}
			err := c.check(s, req, believed)
			if err == nil && narrows(c.acts) {
				err = invalid("consents", "not_in_batch", "a narrowing act is sent by itself, with POST /v1/consents")
			}
			var refused *Error
			if errors.As(err, &refused) && refused.Code != CodeUnavailable {
				outcomes[i].Err = refused
				continue
			}
			if err != nil {
				return err
			}
			captures[i] = c
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return outcomes, captures, v.makeKeysFor(ctx, captures)
}

// makeKeysFor makes keys for everybody who could turn out to be new.
func (v *Vault) makeKeysFor(ctx context.Context, captures []*capture) error {
	var made []*person
	var rows [][]byte
	for _, c := range captures {
		if c == nil {
			continue
		}
		if c.given != privacy.Nobody {
			var err error
			if c.fresh, err = v.keysOf(ctx, c.given); err != nil {
				return err
			}
			continue
		}
		p, row, err := v.newKeys(privacy.NewSubjectID())
		if err != nil {
			return err
		}
		c.fresh = p
		made, rows = append(made, p), append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := v.cfg.Keys.Update(ctx, func(tx store.Tx) error {
		for i, p := range made {
			if err := v.putKeys(tx, p, rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// dropUnused removes the keys of those who turned out to be known or refused.
func (v *Vault) dropUnused(ctx context.Context, captures []*capture, used map[privacy.SubjectID]bool) {
	var unused []privacy.SubjectID
	for _, c := range captures {
		if c != nil && c.fresh != nil && c.given == privacy.Nobody && !used[c.fresh.id] {
			unused = append(unused, c.fresh.id)
		}
	}
	v.dropKeys(ctx, unused...)
}
