package vault

import (
	"context"
	"fmt"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// loadRestores reads the records of restores that the log begins with.
func (v *Vault) loadRestores(ctx context.Context) (*log.Restores, error) {
	r := &log.Restores{}
	for n := uint64(0); !r.Ended && n < v.cfg.Store.Size(); n++ {
		err := v.cfg.Store.Entries(ctx, n, n+1, func(index uint64, b []byte) error {
			e, err := log.ParseEntry(b)
			if err != nil {
				return err
			}
			var opened *log.Opening
			if e.Kind == log.Start && e.Subject == privacy.Nobody {
				o, err := e.Open(v.nobody.history, v.id)
				if err != nil {
					return err
				}
				opened = &o
			}
			return r.Follow(index, &e, opened)
		})
		if err != nil {
			return nil, fmt.Errorf("reading log entry %d: %w", n, err)
		}
	}
	return r, nil
}
