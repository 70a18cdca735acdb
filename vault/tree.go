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
func (v *Vault) origin() string { return v.originOf(v.cfg.LogName) }

func (v *Vault) originOf(name string) string { return "sayso/" + v.id.String() + "/" + name }

func (v *Vault) logConfig() log.Config {
	return log.Config{Store: v.cfg.Store, Vault: v.id, Signer: v.keyring().LogSigner(), Origin: v.origin(), HistoryKey: v.historyKey, Logger: v.cfg.Logger}
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
		return nil, v.withoutKeys(ctx, id)
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
	Entries   uint64 `json:"entries"`
	Hashed    uint64 `json:"hashed"` // of them, those under the checkpoint
	Opened    uint64 `json:"opened"` // those whose record matches its commitment
	Erased    uint64 `json:"erased"`
	Trails    uint64 `json:"trails"`    // people whose trail matches
	Standings uint64 `json:"standings"` // people whose standing is the one the log led to
	Root      string `json:"root"`
}

// VerifyLog walks the whole log of an open vault. See [Verify].
func (v *Vault) VerifyLog(ctx context.Context, progress func(stage string, done, of uint64)) (*LogReport, error) {
	if err := v.follower.CatchUp(ctx, v.cfg.Store.Size()); err != nil {
		return nil, err
	}
	return v.verify(ctx, nil, progress)
}

// Verify walks the whole log of a vault that is not open, one that Open refuses
// too: it holds every opening against its commitment, the tree against its
// checkpoint and the ledger, and every person's standing against the act that
// the log says made it, so that a person who was put back is found; what is in
// force likewise. The error names the first bad index. progress may be nil.
func Verify(ctx context.Context, cfg Config, progress func(stage string, done, of uint64)) (*LogReport, error) {
	cfg = cfg.withDefaults()
	v := newVault(cfg)
	if err := v.checkFormat(ctx); err != nil {
		return nil, err
	}
	var err error
	if v.cfg.LogName, err = v.readLogName(ctx, cfg.Store); err != nil {
		return nil, err
	}
	if v.ledger, err = openLedger(v); err != nil {
		return nil, err
	}
	if err := v.ledger.checkWhole(ctx, cfg.Store); err != nil {
		return nil, err
	}
	if err := v.loadNobody(ctx); err != nil {
		return nil, err
	}
	return v.verify(ctx, nil, progress)
}

// led is the row that the log led to, of a person's standing or of what is in
// force, and where the log says so.
type led struct {
	rowDigest
	index uint64
}

// follow takes the next record of the row. A version that was made before tells
// that the row was put back in between.
func (l *led) follow(next rowDigest, index uint64, what string) error {
	switch {
	case next.Version == 0: // not of this row
		return nil
	case next.Version > l.Version:
		*l = led{next, index}
		return nil
	case next.Version == l.Version && string(next.Hash) == string(l.Hash):
		return nil // more records of one act
	}
	return &log.BadIndexError{Index: index, Why: fmt.Sprintf("version %d of %s was made before, at record %d: it was put back in between", next.Version, what, l.index)}
}

// verify does it, and calls each, unless nil, with every entry that it has
// opened.
func (v *Vault) verify(ctx context.Context, each func(log.Entry, *log.Opening), progress func(stage string, done, of uint64)) (*LogReport, error) {
	if progress == nil {
		progress = func(string, uint64, uint64) {}
	}
	key, err := log.VerifierKey(v.origin(), v.keyring().LogSigner().Public())
	if err != nil {
		return nil, err
	}
	standings, dealings, inForce := map[privacy.SubjectID]led{}, map[privacy.SubjectID]led{}, led{}
	report, err := log.Verify(ctx, log.VerifyConfig{Store: v.cfg.Store, Vault: v.id, VerifierKey: key, HistoryKey: v.historyKey,
		Erased: v.wasErased, Orphaned: orphanedBy, Erasing: v.beingErased,
		Each: func(index uint64, e log.Entry, o *log.Opening, undone bool) error {
			if each != nil {
				each(e, o)
			}
			if o == nil || e.Kind.Trailed() || undone {
				return nil
			}
			var record struct {
				Standing   rowDigest `json:"standing"`
				Dealings   rowDigest `json:"dealings"`
				Governance rowDigest `json:"governance"`
			}
			if err := json.Unmarshal(o.Record, &record); err != nil {
				return err
			}
			if e.Subject == privacy.Nobody {
				return inForce.follow(record.Governance, index, "what is in force")
			}
			if e.Kind == log.Touch {
				return follow(dealings, e.Subject, record.Dealings, index, "the dealings with ")
			}
			return follow(standings, e.Subject, record.Standing, index, "the standing of ")
		},
	}, func(p log.Progress) { progress(p.Stage, p.Done, p.Of) })
	if err != nil {
		return nil, err
	}
	if err := v.ledger.checkHead(ctx, report.Checkpoint); err != nil {
		return nil, err
	}
	if err := v.verifyInForce(ctx, inForce); err != nil {
		return nil, err
	}
	for id, want := range dealings {
		if err := v.verifyDealings(ctx, id, want); err != nil {
			return nil, err
		}
	}
	done := uint64(0)
	for id, want := range standings {
		if err := v.verifyStanding(ctx, id, want); err != nil {
			return nil, err
		}
		done++
		progress("standings", done, uint64(len(standings)))
	}
	return &LogReport{Entries: report.Entries, Hashed: report.Hashed, Opened: report.Opened, Erased: report.Erased, Trails: report.Trails,
		Standings: done, Root: report.Checkpoint.Root.String()}, nil
}

// follow takes the next record of a person's row.
func follow(rows map[privacy.SubjectID]led, id privacy.SubjectID, next rowDigest, index uint64, what string) error {
	l := rows[id]
	if err := l.follow(next, index, what+id.String()); err != nil {
		return err
	}
	if l.Version > 0 {
		rows[id] = l
	}
	return nil
}

func (v *Vault) verifyDealings(ctx context.Context, id privacy.SubjectID, want led) error {
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		row, err := bucketDealings.get(s, v.place(id))
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(row); row != nil && string(sum[:]) == string(want.Hash) {
			return nil
		}
		p, err := v.load(ctx, s, id)
		if err == nil && p != nil {
			if d, err := v.dealings(s, p); err == nil && d.Version > want.Version {
				return nil // a touch came while we looked
			}
		}
		if once, lookup := v.wasErased(ctx, id); lookup != nil || once && p == nil {
			return lookup // they were erased while we looked
		}
		return &log.BadIndexError{Index: want.index, Why: fmt.Sprintf("the dealings with %s are not those this record made", id)}
	})
}

func (v *Vault) verifyInForce(ctx context.Context, want led) error {
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		row, err := s.Get(bucketGovernance, keyCurrent)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(row); row != nil && string(sum[:]) == string(want.Hash) {
			return nil
		}
		gov, err := v.openGovernance(row)
		if err == nil && gov.Version > want.Version {
			return nil // it changed while we looked
		}
		return &log.BadIndexError{Index: want.index, Why: "what is in force is not what this record made"}
	})
}

func (v *Vault) verifyStanding(ctx context.Context, id privacy.SubjectID, want led) error {
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		row, err := bucketStanding.get(s, v.place(id))
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(row); row != nil && string(sum[:]) == string(want.Hash) {
			return nil
		}
		p, err := v.load(ctx, s, id)
		if err == nil && p != nil && p.standing.Version > want.Version {
			return nil // an act came while we looked
		}
		if once, lookup := v.wasErased(ctx, id); lookup != nil || once && p == nil {
			return lookup // they were erased while we looked
		}
		return &log.BadIndexError{Index: want.index, Why: fmt.Sprintf("the standing of %s is not the one this record made", id)}
	})
}
