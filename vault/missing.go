package vault

import (
	"context"
	"errors"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Missing asks what a person would have to tell for a purpose: its fields that
// would be released to this channel if there were a value, or a fresher one,
// and that this channel may capture. It passes the same door as a read and is
// recorded like one, but opens no value.
//
// What the person would not tell for the purpose is not missing until its time is
// over. Where nothing would be released, nothing is missing, so that never given,
// withdrawn and restricted look like somebody of whom everything is known. Where
// the purpose is silent, so do people of whom nothing is released now because
// all of it is stale, and people unknown. Elsewhere an unknown person is refused
// as in a read.
func (v *Vault) Missing(ctx context.Context, by Caller, id privacy.SubjectID, purpose privacy.PurposeID) ([]Missing, error) {
	req := ReadRequest{Subject: SubjectRef{ID: id}, Purpose: purpose}
	a, err := v.decide(ctx, by, req, gaps)
	if a, err = v.keepRecord(ctx, by, req, gaps, a, err); err != nil {
		return nil, err
	}
	var refused *Error
	if errors.As(a.refused, &refused) {
		return nil, refused
	}
	return a.result.Missing, nil
}

// guessed is the guardrail by which what a model inferred is nothing to a purpose
// that allows no profiling, and the one by which it is nothing to any while the
// person contests it: they may still be asked.
const (
	guessed       = "guardrails:profiling"
	guessDisputed = "guardrails:contest"
)

// gaps returns what is missing of the fields that were decided about. Whether a
// stale one, or one that was inferred, would be released is decided as if the
// person had just told it: that is looked at before the matrix and the officers'
// rules.
func (v *Vault) gaps(ctx context.Context, q *question, p *person, outcomes []policy.Outcome, at moments) ([]Missing, error) {
	fresh := outcomes
	for _, o := range outcomes {
		if o.Action == policy.Withhold && (o.Code == privacy.CodeStale || o.Rule == guessed || o.Rule == guessDisputed) {
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
		if !ok || o.Action == policy.Withhold || !contains(q.channel.Captures, o.Field) || q.refusedBy(p, o.Field, at) {
			continue
		}
		switch {
		case v.present(q, p, field, at) == nil, outcomes[i].Rule == guessed, outcomes[i].Rule == guessDisputed:
			missing = append(missing, Missing{Field: o.Field, Why: WhyAbsent})
		case outcomes[i].Action == policy.Withhold:
			missing = append(missing, Missing{Field: o.Field, Why: WhyStale})
		}
	}
	return missing, nil
}

// refusedBy reports whether the person would not tell a field, at any of the
// moments.
func (q *question) refusedBy(p *person, f privacy.FieldName, at moments) bool {
	again := q.regime.register.Settings.Asking.Refused()
	for _, t := range at {
		if p.dealings.Refused(q.purpose, f, again, t) {
			return true
		}
	}
	return false
}
