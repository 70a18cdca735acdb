package log

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// TrailBucket keeps one row per person: subject → version (1) ‖ count (8, big
// endian) ‖ envelope of the head under the subject's history key, bound to
// vault, subject, "trail" and the count.
//
// An erasure deletes the row: destroy the key, catch the follower up with an
// entry appended after that, then delete, and no run can put it back.
const TrailBucket store.Bucket = "log/trail"

const trailVersion = 1

// Trail is the count and head of the access records about a person. The head
// chains them in order, so that a row put back to an older state, or a record
// taken away, is found by Verify:
//
//	head = SHA-256("sayso trail v1" ‖ 0 ‖ head before ‖ log index ‖ leaf hash)
type Trail struct {
	Count uint64
	Head  [32]byte
}

const trailDomain = "sayso trail v1\x00"

// next adds one access record.
func (t *Trail) next(index uint64, leaf *tlog.Hash) {
	var b [len(trailDomain) + 32 + 8 + 32]byte
	p := append(b[:0], trailDomain...)
	p = append(p, t.Head[:]...)
	p = binary.BigEndian.AppendUint64(p, index)
	p = append(p, leaf[:]...)
	t.Head = sha256.Sum256(p)
	t.Count++
}

func trailBinding(vault keys.VaultID, s privacy.SubjectID, count uint64) keys.Binding {
	return keys.Binding{Vault: vault, Subject: s, Field: "trail", Version: count}
}

func (t *Trail) seal(dek *keys.DEK, vault keys.VaultID, s privacy.SubjectID) ([]byte, error) {
	sealed, err := keys.Seal(dek, trailBinding(vault, s, t.Count), t.Head[:])
	if err != nil {
		return nil, fmt.Errorf("sealing a trail: %w", err)
	}
	b := make([]byte, 0, 9+len(sealed))
	b = binary.BigEndian.AppendUint64(append(b, trailVersion), t.Count)
	return append(b, sealed...), nil
}

// openTrail reads a row; none, or an empty one, is the empty trail.
func openTrail(row []byte, dek *keys.DEK, vault keys.VaultID, s privacy.SubjectID) (Trail, error) {
	if len(row) == 0 {
		return Trail{}, nil
	}
	if len(row) < 9 || row[0] != trailVersion {
		return Trail{}, fmt.Errorf("opening a trail: %w", store.ErrDamaged)
	}
	t := Trail{Count: binary.BigEndian.Uint64(row[1:])}
	head, err := keys.Unseal(dek, trailBinding(vault, s, t.Count), row[9:])
	if err != nil {
		return Trail{}, fmt.Errorf("opening a trail: %w", err)
	}
	if len(head) != len(t.Head) {
		return Trail{}, fmt.Errorf("opening a trail: %w", store.ErrDamaged)
	}
	t.Head = [32]byte(head)
	return t, nil
}

// Trail returns a person's trail as far as it is followed. It returns ErrErased
// when the person's keys are gone.
func (f *Follower) Trail(ctx context.Context, s privacy.SubjectID) (Trail, error) {
	dek, err := f.cfg.HistoryKey(ctx, s)
	if err != nil {
		return Trail{}, fmt.Errorf("key of a trail: %w", err)
	}
	var t Trail
	err = f.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		row, err := snap.Get(TrailBucket, s[:])
		if err != nil {
			return fmt.Errorf("reading a trail: %w", err)
		}
		t, err = openTrail(row, dek, f.cfg.Vault, s)
		return err
	})
	return t, err
}

// damaged reports whether an error says that one person's key or trail is not
// what was written: the log goes on without it.
func damaged(err error) bool {
	return errors.Is(err, keys.ErrIntegrity) || errors.Is(err, keys.ErrFormat) || errors.Is(err, store.ErrDamaged)
}
