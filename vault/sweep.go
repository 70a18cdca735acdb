package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

const (
	sweepEvery = time.Minute
	sweepMost  = 256 // rows removed in one transaction, which others wait for
)

// sweepAnswers removes kept answers as their time ends.
func (v *Vault) sweepAnswers(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		more, err := v.sweep(ctx)
		if err != nil && ctx.Err() == nil {
			v.cfg.Logger.Error("removing kept answers", "err", err)
		}
		if more && err == nil {
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
