package vault

import (
	"context"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// bury begins to remove somebody of whom nothing opens any more, and so not what
// would say by which rows they are found: those are looked for.
func (v *Vault) bury(tx store.Tx, id privacy.SubjectID, request privacy.RequestID, at time.Time) error {
	q, err := v.runningFor(tx, id)
	if err != nil {
		return err
	}
	if q == nil {
		q = &requestRecord{ID: request, Kind: RequestErasure, Received: at, Due: answerWithin.After(at), Subject: id}
	}
	if err := v.putTombstone(tx, id, tombstone{tombDigging, q.ID}); err != nil {
		return err
	}
	q.Status, q.Step, q.Erased, q.Partly, q.Stays, q.Lost = RequestInProgress, stepDecided, at, false, nil, true
	return v.saveRequest(tx, q)
}

// dig says of people whom the state does not know that their keys are about to be
// destroyed; close, once the log is followed, what it cannot open of them any more.
func (v *Vault) dig(ctx context.Context, ids []privacy.SubjectID) error {
	return v.entomb(ctx, ids, func(tx store.Tx, id privacy.SubjectID, _ log.Orphans) error {
		return v.putTombstone(tx, id, tombstone{state: tombDigging})
	})
}

func (v *Vault) close(ctx context.Context, ids []privacy.SubjectID) error {
	return v.entomb(ctx, ids, func(tx store.Tx, id privacy.SubjectID, left log.Orphans) error {
		if err := v.putTombstone(tx, id, tombstone{state: tombClosed}); err != nil {
			return err
		}
		if err := log.Forget(tx, id); err != nil {
			return err
		}
		now, _, _ := v.clock.now()
		return v.note(tx, log.Erasure, privacy.NewID(now), erasureRecord{Format: 1, At: now, Restored: true, Orphans: &orphans{left.Count, left.Head[:]},
			KEKEpoch: v.keyring().KEKEpoch(), IndexEpoch: v.keyring().IndexEpoch()})
	})
}

func (v *Vault) entomb(ctx context.Context, ids []privacy.SubjectID, do func(store.Tx, privacy.SubjectID, log.Orphans) error) error {
	for page := range slices.Chunk(ids, pageRows) {
		left := make([]log.Orphans, len(page))
		for i, id := range page {
			if v.follower == nil {
				break
			}
			var err error
			if left[i], err = v.follower.Orphans(ctx, id); err != nil {
				return err
			}
		}
		err := v.update(ctx, func(tx store.Tx) error {
			for i, id := range page {
				if err := do(tx, id, left[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
