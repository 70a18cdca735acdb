package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Of whom everything was erased, one row stays, which names nobody: it tells keys
// that were destroyed from keys that were lost, and lets the log's entries about
// them count as erased. Its key is a keyed hash of the subject's ID, so who has
// neither the ID nor the keyring learns from it that somebody was erased once.
//
//	erased    keyed hash(16) → 0x01 state(1) request(16)
type tombstone struct {
	state   tombState
	request privacy.RequestID
}

type tombState byte

const (
	tombDigging tombState = iota // the key may be there still, and so may data
	tombClosed                   // nothing is
)

const (
	tombFormat = 1
	tombLen    = 1 + 1 + 16
)

func (v *Vault) tombKey(id privacy.SubjectID) []byte {
	sum := v.keyring().MAC("erased subject", id[:])
	return sum[:16]
}

// tombstone returns what stands where somebody was, nil if they were never erased.
func (v *Vault) tombstone(r store.Reader, id privacy.SubjectID) (*tombstone, error) {
	row, err := r.Get(bucketErased, v.tombKey(id))
	if row == nil || err != nil {
		return nil, err
	}
	if len(row) != tombLen || row[0] != tombFormat || tombState(row[1]) > tombClosed {
		return nil, fmt.Errorf("reading who was erased: %w", errIntegrity)
	}
	return &tombstone{state: tombState(row[1]), request: privacy.RequestID(row[2:])}, nil
}

func (v *Vault) putTombstone(tx store.Tx, id privacy.SubjectID, t tombstone) error {
	return tx.Put(bucketErased, v.tombKey(id), append([]byte{tombFormat, byte(t.state)}, t.request[:]...))
}

// wasErased reports whether somebody was erased once, or is being erased. What
// they were until then opens under no key; they may have come back since.
func (v *Vault) wasErased(ctx context.Context, id privacy.SubjectID) (bool, error) {
	var t *tombstone
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		t, err = v.tombstone(s, id)
		return err
	})
	return t != nil, err
}

// notErased returns those of whom no erasure is known.
func (v *Vault) notErased(ctx context.Context, ids []privacy.SubjectID) (others []privacy.SubjectID, err error) {
	for _, id := range ids {
		once, err := v.wasErased(ctx, id)
		if err != nil {
			return nil, err
		}
		if !once {
			others = append(others, id)
		}
	}
	return others, nil
}

// ofAnErasedLife reports whether an opening failed because its key was destroyed:
// whom it is about came back since, under another.
func (v *Vault) ofAnErasedLife(ctx context.Context, id privacy.SubjectID, opening error) (bool, error) {
	if !errors.Is(opening, keys.ErrIntegrity) {
		return false, nil
	}
	return v.wasErased(ctx, id)
}

// beingErased reports whether somebody's key may be gone before the log says so.
func (v *Vault) beingErased(ctx context.Context, id privacy.SubjectID) (bool, error) {
	var t *tombstone
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		t, err = v.tombstone(s, id)
		return err
	})
	return t != nil && t.state == tombDigging, err
}

// withoutKeys says what it means that somebody has none: log.ErrErased if they
// were destroyed, damage if they were not.
func (v *Vault) withoutKeys(ctx context.Context, id privacy.SubjectID) error {
	once, err := v.wasErased(ctx, id)
	switch {
	case err != nil:
		return err
	case once:
		return log.ErrErased
	}
	return fmt.Errorf("the keys of %s are missing: %w", id, errIntegrity)
}
