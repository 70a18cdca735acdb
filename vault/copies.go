package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// BackupFacts is what a backup's manifest says of the vault it is of.
type BackupFacts struct {
	Vault      string
	Origin     string // of the log
	Checkpoint string // the last one signed
	At         time.Time
	KeysUntil  time.Time // when a copy of the keys ends; zero if none is made
}

// Copying is what a backup takes out.
type Copying struct {
	ID         string
	Data, Keys bool
}

// BeginBackup records that copies of the vault are made, before anything leaves
// it: in the log, and where keys are copied in the ledger, so that every
// certificate of an erasure knows until when a copy of the keys could still open
// what is erased.
func (v *Vault) BeginBackup(ctx context.Context, what Copying) (*BackupFacts, error) {
	now, believed, _ := v.clock.now()
	facts := &BackupFacts{Vault: v.id.String(), Origin: v.origin(), At: now}
	if what.Keys {
		if !believed {
			return nil, fmt.Errorf("the clock is not believed, and a copy of the keys must end in time: an officer confirms the clock with POST /v1/clock/confirm")
		}
		days, err := v.keyBackupDays(ctx)
		if err != nil {
			return nil, err
		}
		facts.KeysUntil = now.AddDate(0, 0, days)
		if err := v.ledger.append(ctx, ledgerEntry{Kind: ledgerKeysCopied, ID: privacy.NewID(now), Written: now, At: facts.KeysUntil}); err != nil {
			return nil, err
		}
	}
	record := backupRecord{Format: 1, At: now, Backup: what.ID, Data: what.Data, Keys: what.Keys, Until: facts.KeysUntil}
	if err := v.update(ctx, func(tx store.Tx) error { return v.note(tx, log.Backup, privacy.NewID(now), record) }); err != nil {
		return nil, fmt.Errorf("recording a backup: %w", err)
	}
	checkpoint, err := v.follower.Checkpoint(ctx)
	facts.Checkpoint = string(checkpoint)
	return facts, err
}

// backupRecord is the log's record of a backup that was begun.
type backupRecord struct {
	Format int       `json:"v"`
	At     time.Time `json:"at"`
	Backup string    `json:"backup"`
	Data   bool      `json:"data,omitempty"`
	Keys   bool      `json:"keys,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// KeepBackup notes in the ledger that a copy of the data made at a time was
// kept, whole.
func (v *Vault) KeepBackup(ctx context.Context, at time.Time) error {
	now, _, _ := v.clock.now()
	return v.ledger.append(ctx, ledgerEntry{Kind: ledgerDataCopied, ID: privacy.NewID(now), Written: now, At: micro(at)})
}

// BackupMAC authenticates the manifests of backups.
func (v *Vault) BackupMAC(label string, parts ...[]byte) [32]byte {
	return v.keyring().MAC(label, parts...)
}

// KEKEpochs returns the epochs of the keys that wrap everybody's. Called while a
// copy of keys.db is held, it names every one that the copy needs.
func (v *Vault) KEKEpochs() []uint32 { return v.keyring().KEKEpochs() }

// keyBackupDays is how long a copy of the keys may be restored.
func (v *Vault) keyBackupDays(ctx context.Context) (days int, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		r, err := v.regime(ctx, s)
		if err == nil {
			days = r.register.KeyBackupDays()
		}
		return err
	})
	return days, err
}

// KeyBackupsEnd returns the day the last copy of the keys ends that was made so
// far: the zero time if none was.
func (v *Vault) KeyBackupsEnd() time.Time {
	v.ledger.mu.Lock()
	defer v.ledger.mu.Unlock()
	return v.ledger.copied.keys
}

// copied is what the ledger tells of backups.
type copied struct {
	data time.Time // when the newest copy of the data was made that was kept
	keys time.Time // when the last copy of the keys ends
}

func (c *copied) note(e ledgerEntry) {
	switch {
	case e.Kind == ledgerDataCopied && e.At.After(c.data):
		c.data = e.At
	case e.Kind == ledgerKeysCopied && e.At.After(c.keys):
		c.keys = e.At
	}
}
