package vault

import (
	"bytes"
	"context"
	"fmt"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// people removes those whom nothing opens any more, and the keys of those whom
// the data does not know.
func (r *restore) people(ctx context.Context) error {
	v := r.v
	lost, err := v.without(ctx, v.cfg.Store, bucketStanding, v.cfg.Keys, bucketDEKs)
	if err != nil {
		return err
	}
	if len(lost) > 0 && !r.from.DropUnreadable {
		return fmt.Errorf("%w: of %d people, the first of them %s", ErrUnreadable, len(lost), lost[0])
	}
	if err := r.drop(ctx, lost); err != nil {
		return err
	}
	r.report.Dropped = uint64(len(lost))
	unknown, err := v.without(ctx, v.cfg.Keys, bucketDEKs, v.cfg.Store, bucketStanding)
	if err != nil {
		return err
	}
	if r.report.Tidied = uint64(len(unknown)); len(unknown) == 0 {
		return nil
	}
	v.dropKeys(ctx, unknown...)
	return v.cfg.Keys.Scrub(ctx, func(done, of uint64) { r.from.Progress("clearing", done, of) })
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

// drop removes everything of people whose keys are gone. Their rows do not open,
// so those of the index are found by whom they are about.
func (r *restore) drop(ctx context.Context, people []privacy.SubjectID) error {
	if len(people) == 0 {
		return nil
	}
	ids, places := make(map[string]bool, len(people)), make(map[string]bool, len(people))
	for _, id := range people {
		ids[string(id[:])], places[string(r.v.place(id).key)] = true, true
	}
	of := func(key []byte, at int) bool { return len(key) >= at+16 && ids[string(key[at:at+16])] }
	placed := func(key []byte) bool { return places[string(placeIn(key).key)] }
	var receipts, answers [][]byte
	for _, b := range []struct {
		name store.Bucket
		of   func(key []byte) bool
		also func(key []byte)
	}{
		{bucketStanding.all(), placed, nil},
		{bucketStandings.all(), placed, nil},
		{bucketProfiles.all(), placed, nil},
		{bucketHistory.all(), placed, nil},
		{bucketIndex, func(k []byte) bool { return len(k) > 16 && places[string(k[16:])] }, nil},
		{bucketIndexEven, func(k []byte) bool { return len(k) > 16 && places[string(k[16:])] }, nil},
		{bucketMatches, func(k []byte) bool { return of(k, 0) || of(k, 16) }, nil},
		{bucketConsents.all(), placed, func(k []byte) { receipts = append(receipts, k[len(placeIn(k).key):]) }},
		{bucketAnswersOf, func(k []byte) bool { return of(k, 0) }, func(k []byte) { answers = append(answers, k[16:]) }},
	} {
		if err := r.dropFrom(ctx, b.name, b.of, b.also); err != nil {
			return err
		}
	}
	return r.v.update(ctx, func(tx store.Tx) error {
		for _, key := range receipts {
			if err := tx.Delete(bucketReceipts, key); err != nil {
				return err
			}
		}
		for _, key := range answers {
			if err := r.v.dropAnswer(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *restore) dropFrom(ctx context.Context, b store.Bucket, is func(key []byte) bool, also func(key []byte)) error {
	return pages(ctx, r.v.cfg.Store, b, func(rows []row) error {
		var keys [][]byte
		for _, row := range rows {
			if is(row.key) {
				keys = append(keys, bytes.Clone(row.key))
				if also != nil {
					also(bytes.Clone(row.key))
				}
			}
		}
		if len(keys) == 0 {
			return nil
		}
		return r.v.update(ctx, func(tx store.Tx) error {
			for _, key := range keys {
				if err := tx.Delete(b, key); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
