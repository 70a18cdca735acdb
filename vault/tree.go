package vault

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// origin names the log in its checkpoints.
func (v *Vault) origin() string { return "sayso/" + v.id.String() + "/" + v.cfg.LogName }

func (v *Vault) logConfig() log.Config {
	return log.Config{Store: v.cfg.Store, Vault: v.id, Signer: v.keyring.LogSigner(), Origin: v.origin(), HistoryKey: v.historyKey, Logger: v.cfg.Logger}
}

// historyKey returns a subject's history key for the log's own work.
func (v *Vault) historyKey(ctx context.Context, id privacy.SubjectID) (*keys.DEK, error) {
	if id == privacy.Nobody {
		return v.nobody.history, nil
	}
	p, err := v.loadKeys(ctx, id)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fmt.Errorf("the keys of %s are missing: %w", id, errIntegrity)
	}
	return p.history, nil
}

// Checkpoint returns the signed head of the log (C2SP tlog-checkpoint), at most
// a second behind.
func (v *Vault) Checkpoint(ctx context.Context) ([]byte, error) { return v.follower.Checkpoint(ctx) }

// VerifierKey returns the key that checkpoints are verified with (C2SP
// signed-note).
func (v *Vault) VerifierKey() string { return v.follower.VerifierKey() }

// Tile returns a tile of the log's tree (C2SP tlog-tiles), or an *Error
// not_found.
func (v *Vault) Tile(ctx context.Context, level int, n int64, width int) ([]byte, error) {
	return tileOr(v.follower.Tile(ctx, level, uint64(n), width))
}

// EntryBundle returns the leaves of a tile of level 0: salted commitments.
func (v *Vault) EntryBundle(ctx context.Context, n int64, width int) ([]byte, error) {
	return tileOr(v.follower.EntryBundle(ctx, uint64(n), width))
}

func tileOr(b []byte, err error) ([]byte, error) {
	if errors.Is(err, log.ErrNotFound) {
		return nil, refuse(CodeNotFound, "the log has no such tile yet")
	}
	return b, err
}

// LogReport is what a verification of the log saw.
type LogReport struct {
	Entries    uint64 `json:"entries"`
	Opened     uint64 `json:"opened"`
	Erased     uint64 `json:"erased"`
	Trails     uint64 `json:"trails"`
	Standings  uint64 `json:"standings"` // people whose standing is the one the log led to
	Checkpoint string `json:"checkpoint"`
}

// VerifyLog walks the whole log, holds its tree against its checkpoints and the
// ledger, and every person's standing against the act that the log says made
// it, so that a person who was put back is found. The error names the first bad
// index.
func (v *Vault) VerifyLog(ctx context.Context, progress func(stage string, done, of uint64)) (*LogReport, error) {
	if progress == nil {
		progress = func(string, uint64, uint64) {}
	}
	if err := v.follower.CatchUp(ctx, v.cfg.Store.Size()); err != nil {
		return nil, err
	}
	if err := v.ledger.checkHead(ctx); err != nil {
		return nil, err
	}
	type last struct {
		standingDigest
		index uint64
	}
	led := map[privacy.SubjectID]last{}
	report, err := log.Verify(ctx, log.VerifyConfig{
		Store: v.cfg.Store, Vault: v.id, VerifierKey: v.follower.VerifierKey(), HistoryKey: v.historyKey,
		Each: func(index uint64, e log.Entry, o *log.Opening) error {
			if o == nil || e.Subject == privacy.Nobody {
				return nil
			}
			var record struct {
				Standing json.RawMessage `json:"standing"`
			}
			if err := json.Unmarshal(o.Record, &record); err != nil {
				return err
			}
			var digest standingDigest
			if e.Kind == log.Access || e.Kind == log.Lookup || json.Unmarshal(record.Standing, &digest) != nil || digest.Version == 0 {
				return nil
			}
			if digest.Version >= led[e.Subject].Version {
				led[e.Subject] = last{digest, index}
			}
			return nil
		},
	}, func(p log.Progress) { progress(p.Stage, p.Done, p.Of) })
	if err != nil {
		return nil, err
	}
	for id, want := range led {
		err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			row, err := s.Get(bucketStanding, id[:])
			if err != nil {
				return err
			}
			sum := sha256.Sum256(row)
			if string(sum[:]) == string(want.Hash) {
				return nil
			}
			p, err := v.load(ctx, s, id)
			if err == nil && p != nil && p.standing.Version > want.Version {
				return nil // changed while we looked
			}
			return &log.BadIndexError{Index: want.index, Why: fmt.Sprintf("the standing of %s is not the one this record made", id)}
		})
		if err != nil {
			return nil, err
		}
	}
	checkpoint, err := v.follower.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	return &LogReport{Entries: report.Entries, Opened: report.Opened, Erased: report.Erased, Trails: report.Trails, Standings: uint64(len(led)),
		Checkpoint: string(checkpoint)}, nil
}
