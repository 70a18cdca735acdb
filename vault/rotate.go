package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Rotation says which keys to rotate. The zero value means all.
type Rotation struct {
	KEK   bool // the key that wraps everybody's keys
	Index bool // the key of the blind index
}

// RotationReport says what a rotation did.
type RotationReport struct {
	KEKEpoch   uint32 `json:"kek_epoch"`   // in use now
	IndexEpoch uint32 `json:"index_epoch"` // in use now
	Keys       uint64 `json:"keys"`        // people whose keys were wrapped anew
	Rows       uint64 `json:"rows"`        // rows of the index that were made
	Continued  bool   `json:"continued"`   // it finished one that was begun before
}

// ErrRotating is returned while another rotation runs.
var ErrRotating = errors.New("keys are being rotated already")

// Errors of Open for files of different times.
var (
	// ErrOlderKeyring: the vault was moved on to keys that the keyring lacks.
	ErrOlderKeyring = errors.New("the keyring is an older copy: keys were rotated since")
	// ErrOlderKeys: what keys.db was wrapped under is gone. That is how a rotation
	// makes old copies worthless.
	ErrOlderKeys = errors.New("keys.db is an older copy: keys were rotated since")
)

var errNoSaveKeyring = errors.New("this vault was opened without a way to save its keyring")

// RotateKeys puts fresh keys in the place of the KEK, of the blind index's key or
// of both, while everybody goes on. When it returns nil, the old ones are gone
// from keyring, memory and files, and what was wrapped or found with them opens
// and finds nothing any more, in any copy.
//
// It can be interrupted at any point, by ctx or by a crash: what it had begun is
// finished by the next call, and until then the vault works with old and new. It
// returns ErrRotating while another one runs. Old copies of keys.db are as good as
// destroyed by it, and old copies of the keyring open nothing newer: keep new
// ones. progress may be nil.
func (v *Vault) RotateKeys(ctx context.Context, what Rotation, progress func(stage string, done, of uint64)) (*RotationReport, error) {
	if v.cfg.SaveKeyring == nil {
		return nil, errNoSaveKeyring
	}
	if !v.rotating.TryLock() {
		return nil, ErrRotating
	}
	defer v.rotating.Unlock()
	if what == (Rotation{}) {
		what = Rotation{KEK: true, Index: true}
	}
	if progress == nil {
		progress = func(string, uint64, uint64) {}
	}
	report := &RotationReport{}
	r, err := v.unfinished(ctx)
	if err == nil && r != nil {
		r.v, r.progress, r.report = v, progress, report
		report.Continued = true
		what.KEK, what.Index = what.KEK && r.KEK == nil, what.Index && r.Index == nil
		err = r.run(ctx)
	}
	if err == nil && what != (Rotation{}) {
		r = &rotation{v: v, progress: progress, report: report}
		if err = r.begin(ctx, what); err == nil {
			err = r.run(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	ring := v.keyring()
	report.KEKEpoch, report.IndexEpoch = ring.KEKEpoch(), ring.IndexEpoch()
	v.cfg.Logger.Info("keys were rotated", "kek_epoch", report.KEKEpoch, "index_epoch", report.IndexEpoch)
	v.erasures.look() // some may have waited for it
	return report, nil
}

// KeyEpochs says which epochs the vault's keys are in.
type KeyEpochs struct {
	KEK, Index uint32
	Rotating   bool // a rotation was begun and is not finished
}

// KeyEpochs returns the epochs in use now.
func (v *Vault) KeyEpochs(ctx context.Context) (KeyEpochs, error) {
	r, err := v.unfinished(ctx)
	ring := v.keyring()
	return KeyEpochs{KEK: ring.KEKEpoch(), Index: ring.IndexEpoch(), Rotating: r != nil}, err
}

// rotation is one that was begun. Its record lies in vault.db until it is done,
// so that it is finished after a crash:
//
//	rotation = version(uvarint) envelope of the JSON, under the vault's own key
//
// Each of its turns does one step after another, and each step finds out by
// itself whether it was done: the keyring says which keys there are, the rows
// which are used.
type rotation struct {
	Version uint64    `json:"v"`
	Begun   time.Time `json:"begun"`
	KEK     *turn     `json:"kek,omitempty"`
	Index   *turn     `json:"index,omitempty"`

	v        *Vault
	progress func(stage string, done, of uint64)
	report   *RotationReport
}

// turn moves one kind of key from an epoch to the next.
type turn struct {
	From   uint32 `json:"from"`
	To     uint32 `json:"to"`
	Cursor []byte `json:"cursor,omitempty"` // the last person whose rows were made
	Done   bool   `json:"done,omitempty"`
}

var keyRotation = []byte("rotation")

// unfinished returns the rotation that was begun and not finished, or nil.
func (v *Vault) unfinished(ctx context.Context) (r *rotation, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		row, err := s.Get(bucketMeta, keyRotation)
		if row == nil || err != nil {
			return err
		}
		version, n := binary.Uvarint(row)
		if n <= 0 {
			return fmt.Errorf("reading a rotation of keys: %w", errIntegrity)
		}
		r = new(rotation)
		if err := v.unsealOwn("rotation", version, row[n:], r); err != nil {
			return fmt.Errorf("opening a rotation of keys: %w", err)
		}
		return nil
	})
	return r, err
}

// tellUnfinished says so to the operators.
func (v *Vault) tellUnfinished(ctx context.Context) {
	switch r, err := v.unfinished(ctx); {
	case err != nil:
		v.cfg.Logger.Warn("what a rotation of keys left cannot be read", "err", err)
	case r != nil:
		v.cfg.Logger.Warn("a rotation of keys was begun and is not finished", "begun", r.Begun)
	}
}

// save writes the record as its next version.
func (r *rotation) save(tx store.Tx) error {
	next := *r
	next.Version++ // fn can be called more than once
	sealed, err := r.v.sealOwn("rotation", next.Version, &next)
	if err != nil {
		return err
	}
	return tx.Put(bucketMeta, keyRotation, append(binary.AppendUvarint(nil, next.Version), sealed...))
}

// update does a step in vault.db and what the record says of it in one commit.
func (r *rotation) update(ctx context.Context, step func(store.Tx) error) error {
	err := r.v.update(ctx, func(tx store.Tx) error {
		if err := step(tx); err != nil {
			return err
		}
		return r.save(tx)
	})
	if err == nil {
		r.Version++
	}
	return err
}

func (r *rotation) begin(ctx context.Context, what Rotation) error {
	ring := r.v.keyring()
	now, _, _ := r.v.clock.now()
	r.Begun = now
	if what.KEK {
		r.KEK = &turn{From: ring.KEKEpoch(), To: ring.KEKEpoch() + 1}
	}
	if what.Index {
		e, err := r.v.epochsNow(ctx)
		if err != nil {
			return err
		}
		r.Index = &turn{From: e.asked, To: e.asked + 1}
	}
	if err := r.at("begin"); err != nil {
		return err
	}
	return r.update(ctx, func(tx store.Tx) error { return r.note(tx, "rotation begun") })
}

// note records a key event: the epochs it is about.
func (r *rotation) note(tx store.Tx, act string) error {
	ring := r.v.keyring()
	now, _, _ := r.v.clock.now()
	record := keyRecord{Format: 1, At: now.Unix(), Act: act, KEKEpoch: ring.KEKEpoch(), IndexEpoch: ring.IndexEpoch()}
	if r.KEK != nil {
		record.KEKFrom, record.KEKEpoch = r.KEK.From, r.KEK.To
	}
	if r.Index != nil {
		record.IndexFrom, record.IndexEpoch = r.Index.From, r.Index.To
	}
	return r.v.note(tx, log.Key, privacy.NewID(now), record)
}

// run does what is left.
func (r *rotation) run(ctx context.Context) error {
	if r.KEK != nil && !r.KEK.Done {
		if err := r.turnKEK(ctx); err != nil {
			return fmt.Errorf("rotating the KEK: %w", err)
		}
	}
	if r.Index != nil && !r.Index.Done {
		if err := r.turnIndex(ctx); err != nil {
			return fmt.Errorf("rotating the blind index: %w", err)
		}
	}
	if err := r.at("all done"); err != nil {
		return err
	}
	return r.v.update(ctx, func(tx store.Tx) error {
		if err := r.note(tx, "rotated"); err != nil {
			return err
		}
		return tx.Delete(bucketMeta, keyRotation)
	})
}

// swap makes the next keyring durable, and only then the vault's own.
func (r *rotation) swap(next *keys.Keyring, err error) error {
	if err != nil {
		return err
	}
	if err := r.at("keyring to save"); err != nil {
		return err
	}
	if err := r.v.cfg.SaveKeyring(next); err != nil {
		return fmt.Errorf("saving the keyring: %w", err)
	}
	r.v.ring.Store(next)
	return r.at("keyring saved")
}

// rotating lets one rotation run at a time.
type rotating struct {
	sync.Mutex
	fault atomic.Pointer[func(step string) error] // ends a rotation at a step, as a crash would; for tests
}

// at is where a crash can come.
func (r *rotation) at(step string) error {
	fault := r.v.rotating.fault.Load()
	if fault == nil {
		return nil
	}
	return (*fault)(step)
}

// checkKeyring refuses a keyring and stores of different times.
func (v *Vault) checkKeyring(ctx context.Context) error {
	if err := v.checkKeys(ctx); err != nil {
		return err
	}
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		e, err := v.epochs(s)
		if err != nil {
			return err
		}
		held := v.keyring().IndexEpochs()
		for _, epoch := range e.live() {
			switch {
			case epoch > held[len(held)-1]:
				return ErrOlderKeyring
			case epoch < held[0]:
				return fmt.Errorf("%w: its index is from before keys were rotated", store.ErrOlder)
			}
		}
		return nil
	})
}

// checkKeys refuses a keyring and a keys.db of different times.
func (v *Vault) checkKeys(ctx context.Context) error {
	return v.cfg.Keys.View(ctx, func(s store.Snapshot) error {
		under, err := keysEpoch(s)
		switch ring := v.keyring(); {
		case err != nil:
			return err
		case under > ring.KEKEpoch():
			return ErrOlderKeyring
		case under < ring.KEKEpochs()[0]:
			return ErrOlderKeys
		}
		return nil
	})
}

// count returns how many rows a bucket has.
func count(ctx context.Context, e store.Engine, b store.Bucket) (n uint64, err error) {
	err = pages(ctx, e, b, func(rows []row) error {
		n += uint64(len(rows))
		return nil
	})
	return n, err
}
