package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/store"
)

const (
	sweepEvery = time.Minute
	sweepMost  = 256 // rows removed in one transaction, which others wait for
)

// sweepOver removes what is over as its time comes: kept answers, what the
// channels had to do with people, values of the moment, events.
func (v *Vault) sweepOver(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		again := false
		for what, sweep := range map[string]func(context.Context) (bool, error){"answers": v.sweep, "dealings": v.sweepDealings, "values": v.sweepMoments, "sessions": v.sweepSessions, "events": v.sweepEvents} {
			more, err := sweep(ctx)
			if err != nil && ctx.Err() == nil {
				v.cfg.Logger.Error("removing what is over", "what", what, "err", err)
			}
			again = again || more && err == nil
		}
		if again {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweep removes some of the answers whose time is over, and reports whether
// there may be more.
func (v *Vault) sweep(ctx context.Context) (more bool, err error) {
	var over [][]byte
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		return s.Scan(bucketAnswersAt, nil, nil, func(key, _ []byte) error {
			if len(key) < 8 || !v.answerEnded(time.UnixMicro(int64(binary.BigEndian.Uint64(key)))) || len(over) == sweepMost {
				return store.ErrStop
			}
			over = append(over, bytes.Clone(key))
			return nil
		})
	})
	if err != nil || len(over) == 0 {
		return false, err
	}
	return len(over) == sweepMost, v.update(ctx, func(tx store.Tx) error {
		for _, key := range over {
			row, at, err := v.answerAt(tx, key[8:])
			if err != nil {
				return err
			}
			if row != nil && at.UnixMicro() == int64(binary.BigEndian.Uint64(key)) { // not one that took its place
				err = v.dropAnswer(tx, key[8:])
			} else {
				err = tx.Delete(bucketAnswersAt, key)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// sweepDealings drops some of the touches, leases and refusals that no rule can
// ask for any more, and reports whether there may be more.
func (v *Vault) sweepDealings(ctx context.Context) (more bool, err error) {
	now, believed, _ := v.clock.now()
	if !believed {
		return false, nil
	}
	due, err := v.due(ctx, bucketDue, now)
	if err != nil || len(due) == 0 {
		return false, err
	}
	return len(due) == sweepMost, v.update(ctx, func(tx store.Tx) error {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		for _, key := range due {
			if err := v.dropOver(ctx, tx, r.register, key, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// due returns the first keys of a bucket that begin with a time which has come.
func (v *Vault) due(ctx context.Context, bucket store.Bucket, now time.Time) (due [][]byte, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		return s.Scan(bucket, nil, nil, func(key, _ []byte) error {
			if len(key) < 8 {
				return fmt.Errorf("reading when something is due: %w", errIntegrity)
			}
			if now.Before(time.UnixMicro(int64(binary.BigEndian.Uint64(key)))) || len(due) == sweepMost {
				return store.ErrStop
			}
			due = append(due, bytes.Clone(key))
			return nil
		})
	})
	return due, err
}

// dropOver drops what is over of one person's dealings.
func (v *Vault) dropOver(ctx context.Context, tx store.Tx, reg *register.Register, key []byte, now time.Time) error {
	if err := tx.Delete(bucketDue, key); err != nil {
		return err
	}
	id, err := v.personAt(key[8:])
	if err != nil {
		return err
	}
	p, err := v.load(ctx, tx, id)
	if living(p) == nil || err != nil {
		return err
	}
	d, err := v.dealings(tx, p)
	if err != nil || d.Due.UnixMicro() != int64(binary.BigEndian.Uint64(key)) {
		return err
	}
	return v.saveDealings(tx, reg, p, d, now, touchRecord{Format: 1, At: now, Recorded: now, Kind: dealtOver})
}
