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

// A person's row in the index, numbers big endian:
//
//	version  1  0x01
//	last     8  index of the latest entry about the person
//	count    8  of access records, unless there is no trail
//	trail       envelope of the head under the subject's history key, bound to
//	            vault, subject, "trail" and the count
const (
	personVersion = 1
	trailAt       = 1 + 8
)

func makePerson(last uint64, trail []byte) []byte {
	b := make([]byte, 0, trailAt+len(trail))
	b = binary.BigEndian.AppendUint64(append(b, personVersion), last)
	return append(b, trail...)
}

func parsePerson(b []byte) (last uint64, trail []byte, err error) {
	if len(b) < trailAt || b[0] != personVersion {
		return none, nil, fmt.Errorf("row of a person in the log's index: %w", store.ErrDamaged)
	}
	return binary.BigEndian.Uint64(b[1:]), b[trailAt:], nil
}

// Forget removes a person's row, and with it the trail and the way to the entries
// about them, as an erasure does; the entries stay. Destroy the key first, catch
// the follower up with an entry appended after that, and no run can put the row
// back. Entries that come later begin it anew.
func Forget(tx store.Tx, s privacy.SubjectID) error { return tx.Delete(personBucket, s[:]) }

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
	b := make([]byte, 0, 8+len(sealed))
	return append(binary.BigEndian.AppendUint64(b, t.Count), sealed...), nil
}

// openTrail reads what seal wrote; nothing is the empty trail.
func openTrail(b []byte, dek *keys.DEK, vault keys.VaultID, s privacy.SubjectID) (Trail, error) {
	if len(b) == 0 {
		return Trail{}, nil
	}
	if len(b) < 8 {
		return Trail{}, fmt.Errorf("opening a trail: %w", store.ErrDamaged)
	}
	t := Trail{Count: binary.BigEndian.Uint64(b)}
	head, err := keys.Unseal(dek, trailBinding(vault, s, t.Count), b[8:])
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
		row, err := snap.Get(personBucket, s[:])
		if err != nil || row == nil {
			return err
		}
		_, sealed, err := parsePerson(row)
		if err != nil {
			return err
		}
		t, err = openTrail(sealed, dek, f.cfg.Vault, s)
		return err
	})
	if err != nil {
		return Trail{}, fmt.Errorf("reading a trail: %w", err)
	}
	return t, nil
}

// damaged reports whether an error says that one person's key or trail is not
// what was written: the log goes on without it.
func damaged(err error) bool {
	return errors.Is(err, keys.ErrIntegrity) || errors.Is(err, keys.ErrFormat) || errors.Is(err, store.ErrDamaged)
}
