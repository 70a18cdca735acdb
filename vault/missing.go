package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Missing asks what a person would have to tell for a purpose: its fields that
// would be released to this channel if there were a value, or a fresher one,
// and that this channel may capture. It passes the same door as a read and is
// recorded like one, but opens no value.
//
// Where nothing would be released, nothing is missing, so that never given,
// withdrawn and restricted look like somebody of whom everything is known. Where
// the purpose is silent, so do people of whom nothing is released now because
// all of it is stale, and people unknown. Elsewhere an unknown person is refused
// as in a read.
func (v *Vault) Missing(ctx context.Context, by Caller, id privacy.SubjectID, purpose privacy.PurposeID) ([]Missing, error) {
	for range attempts {
		a, err := v.decide(ctx, by, ReadRequest{Subject: SubjectRef{ID: id}, Purpose: purpose}, gaps)
		if err != nil {
			return nil, v.refusal(err)
		}
		_, err = v.cfg.Store.Append(ctx, a.entry, a.conditions...)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, v.refusal(fmt.Errorf("recording a read: %w", err))
		}
		var refused *Error
		if errors.As(a.refused, &refused) {
			return nil, refused
		}
		return a.result.Missing, nil
	}
	return nil, unavailable("what this was decided on kept changing; try again")
}

// gaps returns what is missing of the fields that were decided about. Whether a
// stale one would be released is decided as if it were fresh: staleness is
// looked at before the matrix and the officers' rules.
func (v *Vault) gaps(ctx context.Context, q *question, p *person, outcomes []policy.Outcome, at moments) ([]Missing, error) {
	fresh := outcomes
	for _, o := range outcomes {
		if o.Action == policy.Withhold && o.Code == privacy.CodeStale {
			asIf := *q
			asIf.fresh = true
			var err error
			if fresh, err = v.outcomesAt(ctx, &asIf, p, at); err != nil {
				return nil, err
			}
			break
		}
	}
	var missing []Missing
	for i, o := range fresh {
		field, ok := q.regime.register.Field(o.Field)
		if !ok || o.Action == policy.Withhold || !contains(q.channel.Captures, o.Field) {
			continue
		}
		switch {
		case v.present(q, p, field, at) == nil:
			missing = append(missing, Missing{Field: o.Field, Why: WhyAbsent})
		case outcomes[i].Action == policy.Withhold:
			missing = append(missing, Missing{Field: o.Field, Why: WhyStale})
		}
	}
	return missing, nil
}
