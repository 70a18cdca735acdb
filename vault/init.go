package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// The format of vault.db's records, and whose vault it is. It begins with a
// version like everything on disk.
const metaFormat = 2 // 1 kept rows of people by their IDs

var keyFormat = []byte("format")

// firstOfficer is the officer that Init makes.
const firstOfficer = "first"

// Init makes the records of a fresh vault in empty stores: its own keys and
// standing, what is in force (no register, the guardrails alone) and the first
// officer, whose credentials it returns once.
func Init(ctx context.Context, cfg Config) (Credentials, error) {
	cfg = cfg.withDefaults()
	v := newVault(cfg)
	v.clock = &clock{read: cfg.Now, start: cfg.Now()}
	if err := v.checkFormat(ctx); !errors.Is(err, ErrFresh) {
		return Credentials{}, fmt.Errorf("there is a vault here already (%w)", err)
	}
	var err error
	if v.nobody, err = v.makeKeys(ctx, privacy.Nobody); err != nil {
		return Credentials{}, err
	}
	now := micro(cfg.Now())
	officer := Credentials{ClientID: officerPrefix + firstOfficer}
	var secret secretInfo
	secret, officer.ClientSecret = newSecret(v, officer.ClientID, now)
	err = v.update(ctx, func(tx store.Tx) error {
		if err := tx.Put(bucketMeta, keyFormat, append([]byte{metaFormat}, v.id[:]...)); err != nil {
			return err
		}
		if err := tx.Put(bucketMeta, keyIndexEpochs, v.packEpochs(cfg.Keyring.IndexEpoch(), 0)); err != nil {
			return err
		}
		nobody := *v.nobody
		standing := *v.nobody.standing
		nobody.standing = &standing
		if err := v.save(tx, &nobody); err != nil {
			return err
		}
		gov := &governance{Version: 1, Policy: Guardrails, Channels: map[privacy.ChannelID]*clientRecord{},
			Officers: map[string]*clientRecord{firstOfficer: {Secrets: []secretInfo{secret}}}}
		digest, err := v.putGovernance(tx, gov)
		if err != nil {
			return err
		}
		if err := v.note(tx, log.Start, privacy.NewID(now), startRecord{Format: 1, At: now.Unix(), Vault: v.id.String()}); err != nil {
			return err
		}
		event := keyRecord{Format: 1, At: now.Unix(), Act: "made", KEKEpoch: cfg.Keyring.KEKEpoch(), IndexEpoch: cfg.Keyring.IndexEpoch()}
		if err := v.note(tx, log.Key, privacy.NewID(now), event); err != nil {
			return err
		}
		return v.note(tx, log.Client, privacy.NewID(now), clientEvent{Format: 1, At: now, Officer: firstOfficer, Client: officer.ClientID, Act: "made", Secret: secret.ID, Governance: digest})
	})
	return officer, err
}

type startRecord struct {
	Format int    `json:"v"`
	At     int64  `json:"at"`
	Vault  string `json:"vault"`
}

// keyRecord is the log's record of a key event.
type keyRecord struct {
	Format     int    `json:"v"`
	At         int64  `json:"at"`
	Act        string `json:"act"`
	KEKEpoch   uint32 `json:"kek_epoch"`
	IndexEpoch uint32 `json:"index_epoch"`
	KEKFrom    uint32 `json:"kek_from,omitempty"` // of a rotation: the epochs before
	IndexFrom  uint32 `json:"index_from,omitempty"`
}

// checkFormat tells a fresh store from this vault's from another's.
func (v *Vault) checkFormat(ctx context.Context) error { return v.checkFormatOf(ctx, v.cfg.Store) }

func (v *Vault) checkFormatOf(ctx context.Context, data log.Viewer) error {
	return data.View(ctx, func(s store.Snapshot) error {
		format, err := s.Get(bucketMeta, keyFormat)
		switch {
		case err != nil:
			return err
		case format == nil:
			return ErrFresh
		case len(format) > 0 && format[0] != metaFormat:
			return fmt.Errorf("%w: vault.db is of format %d, and this program knows format %d alone", store.ErrFormat, format[0], metaFormat)
		case len(format) != 1+len(v.id):
			return store.ErrFormat
		case string(format[1:]) != string(v.id[:]):
			return ErrForeign
		}
		return nil
	})
}
