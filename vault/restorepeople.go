package vault

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// people removes those whom nothing opens any more, and the keys of those whom
// the data does not know.
func (r *restore) people(ctx context.Context) error {
	v := r.v
	if err := v.ledger.bury(ctx); err != nil {
		return err
	}
	lost, err := v.without(ctx, v.cfg.Store, bucketStanding, v.cfg.Keys, bucketDEKs)
	if err == nil {
		lost, err = v.notErased(ctx, lost)
	}
	if err != nil {
		return err
	}
	if len(lost) > 0 && !r.from.DropUnreadable {
		return fmt.Errorf("%w: of %d people, the first of them %s", ErrUnreadable, len(lost), lost[0])
	}
	for _, id := range lost {
		err := v.update(ctx, func(tx store.Tx) error {
			return v.bury(tx, id, privacy.NewRequestID(r.report.At), r.report.At)
		})
		if err != nil {
			return err
		}
	}
	r.report.Dropped = uint64(len(lost))
	unknown, err := v.without(ctx, v.cfg.Keys, bucketDEKs, v.cfg.Store, bucketStanding)
	if err != nil {
		return err
	}
	if unknown, err = r.recall(ctx, unknown); err != nil {
		return err
	}
	r.report.Tidied = uint64(len(unknown))
	vanished, err := r.vanished(ctx)
	if err != nil {
		return err
	}
	if r.unknown = append(unknown, vanished...); len(r.unknown) == 0 {
		return nil
	}
	if err := v.dig(ctx, r.unknown); err != nil || len(unknown) == 0 {
		return err
	}
	v.dropKeys(ctx, unknown...)
	return v.cfg.Keys.Scrub(ctx, func(done, of uint64) { r.from.Progress("clearing", done, of) })
}

// vanished returns those of whom only the log tells: they came after the data was
// copied, and were erased before it was restored.
func (r *restore) vanished(ctx context.Context) ([]privacy.SubjectID, error) {
	v := r.v
	gone, err := v.notErased(ctx, slices.Collect(maps.Keys(r.undone.keyless)))
	if err != nil || len(gone) == 0 || r.from.DropUnreadable {
		return gone, err
	}
	for _, id := range gone {
		if !v.erasedSince[v.ledger.subject(id)] {
			return nil, fmt.Errorf("%w: of %s, of whom the log tells", ErrUnreadable, id)
		}
	}
	return gone, nil
}

// without returns the subjects who have a row in one bucket and none in another.
func (v *Vault) without(ctx context.Context, in store.Engine, bucket personal, other store.Engine, lacking personal) (lost []privacy.SubjectID, err error) {
	err = pages(ctx, in, bucket.all(), func(rows []row) error {
		return other.View(ctx, func(s store.Snapshot) error {
			for _, row := range rows {
				id, err := v.personAt(row.key)
				if err != nil {
					return err
				}
				found, err := lacking.get(s, place{row.key})
				if err != nil {
					return err
				}
				if found == nil {
					lost = append(lost, id)
				}
			}
			return nil
		})
	})
	return lost, err
}
