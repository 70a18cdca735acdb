package vault

import (
	"context"
	"encoding/binary"

	"github.com/sayso-vault/sayso/vault/store"
)

// maxDesk bounds what an officer may have lying open.
const maxDesk = 2 << 20

// Desk returns what an officer works at and has not applied, as it was put there;
// nil if there is nothing. It is the officer's own affair, and nothing that the
// vault acts on.
func (v *Vault) Desk(ctx context.Context, by Caller) (work []byte, err error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		raw, err := s.Get(bucketDesks, []byte(by.Client.Officer))
		if err != nil || raw == nil {
			return err
		}
		version, n := binary.Uvarint(raw)
		if n <= 0 {
			return errIntegrity
		}
		return v.unsealOwn(deskField(by.Client.Officer), version, raw[n:], &work)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return work, nil
}

// PutDesk keeps what an officer works at, in the place of what was there; nil
// clears the desk.
func (v *Vault) PutDesk(ctx context.Context, by Caller, work []byte) error {
	if err := v.mustOfficer(by); err != nil {
		return err
	}
	if len(work) > maxDesk {
		return invalid("work", "too_long", "expected at most %d bytes", maxDesk)
	}
	name := []byte(by.Client.Officer)
	err := v.update(ctx, func(tx store.Tx) error {
		now, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		if err := now.gov.officerStill(by); err != nil {
			return err
		}
		if work == nil {
			return tx.Delete(bucketDesks, name)
		}
		raw, err := tx.Get(bucketDesks, name)
		if err != nil {
			return err
		}
		before, _ := binary.Uvarint(raw) // 0 if there is none
		sealed, err := v.sealOwn(deskField(by.Client.Officer), before+1, work)
		if err != nil {
			return err
		}
		return tx.Put(bucketDesks, name, append(binary.AppendUvarint(nil, before+1), sealed...))
	})
	if err != nil {
		return v.refusal(err)
	}
	return nil
}

func deskField(officer string) string { return "desk/" + officer }
