package vault

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/sayso-vault/sayso/vault/store"
)

// maxDesk bounds what an officer may have lying open.
const maxDesk = 2 << 20

// Desk returns what an officer works at and has not applied, as it was put there;
// nil if there is nothing. It is the officer's own affair, and nothing that the
// vault acts on. Its mark is another one whenever something is put there, and ""
// for nothing.
func (v *Vault) Desk(ctx context.Context, by Caller) (work []byte, mark string, err error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, "", err
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
		mark = deskMark(raw)
		return v.unsealOwn(deskField(by.Client.Officer), version, raw[n:], &work)
	})
	if err != nil {
		return nil, "", v.refusal(err)
	}
	return work, mark, nil
}

// deskMark tells one row from another: each is sealed with a nonce of its own.
func deskMark(raw []byte) string {
	if raw == nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

// PutDesk keeps what an officer works at, in the place of what bears the mark;
// nil clears the desk. If something else lies there, from another page of the
// officer's, that stays and the code is CodeWrongState: nothing laid there is lost.
func (v *Vault) PutDesk(ctx context.Context, by Caller, work []byte, on string) error {
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
		raw, err := tx.Get(bucketDesks, name)
		if err != nil {
			return err
		}
		if deskMark(raw) != on {
			return refuse(CodeWrongState, "something else was laid on the desk meanwhile")
		}
		if work == nil {
			return tx.Delete(bucketDesks, name)
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
