package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// undone is what the log says was done after the data was copied: the last
// versions that were made of records, so that they are not made a second time.
type undone struct {
	from       uint64 // index in the old log of the first such act
	standings  map[privacy.SubjectID]uint64
	governance uint64
	revision   uint64                     // of registers, the last that was numbered
	keyless    map[privacy.SubjectID]bool // whom it is about and who have no keys
}

// walkUndone looks at the acts that the data does not know. A no among them that
// the ledger lacks tells that the ledger was cut.
func (r *restore) walkUndone(ctx context.Context) error {
	if r.carry.log == nil || r.undone.from >= r.carry.n {
		return nil
	}
	told := map[privacy.ID]bool{}
	for _, e := range r.v.ledger.pending {
		told[e.ID] = true
	}
	index := uint64(0)
	err := r.carry.log.Entries(ctx, func(o store.OldEntry) error {
		if index == r.carry.n {
			return store.ErrStop
		}
		index++
		if index <= r.undone.from || !o.Recorded {
			return nil
		}
		e, err := log.ParseEntry(o.Entry)
		if err != nil {
			return err
		}
		r.report.Undone++
		return r.undo(ctx, &e, told)
	})
	if errors.Is(err, store.ErrStop) || errors.Is(err, store.ErrDamaged) && index == r.carry.n {
		return nil
	}
	return err
}

func (r *restore) undo(ctx context.Context, e *log.Entry, told map[privacy.ID]bool) error {
	dek := r.v.nobody.history
	if e.Subject != privacy.Nobody {
		p, err := r.v.loadKeys(ctx, e.Subject)
		if err != nil {
			return err
		}
		if p == nil {
			r.undone.keyless[e.Subject] = true
			return nil
		}
		dek = p.history
	}
	if e.Kind.Trailed() { // it changed no state
		return nil
	}
	o, err := e.Open(dek, r.v.id)
	if errors.Is(err, keys.ErrIntegrity) {
		return nil // the carried log is verified once it is one
	}
	if err != nil {
		return err
	}
	var record struct {
		Status     privacy.ConsentStatus `json:"status"`
		Standing   rowDigest             `json:"standing"`
		Governance rowDigest             `json:"governance"`
		At         json.RawMessage       `json:"at"`
		Revision   uint64                `json:"revision"`
		Policy     string                `json:"policy"`
		Client     string                `json:"client"`
		Act        string                `json:"act"`
	}
	if err := json.Unmarshal(o.Record, &record); err != nil {
		return fmt.Errorf("reading a record: %w", errIntegrity)
	}
	if e.Subject == privacy.Nobody {
		r.undone.governance = max(r.undone.governance, record.Governance.Version)
		switch e.Kind {
		case log.Register:
			r.undone.revision = max(r.undone.revision, record.Revision)
			if record.Act == actReplayed {
				break // nothing changed
			}
			r.report.Changes = append(r.report.Changes, fmt.Sprintf("register revision %d was applied", record.Revision))
		case log.Policy:
			r.report.Changes = append(r.report.Changes, fmt.Sprintf("rules %s: %s", record.Policy, record.Act))
		case log.Client:
			if record.Act == ledgerSuspended.word() || record.Act == ledgerRevoked.word() || record.Act == ledgerRemoved.word() {
				break // the ledger knows
			}
			r.report.Changes = append(r.report.Changes, fmt.Sprintf("credentials of %s: %s", record.Client, record.Act))
		}
		return nil
	}
	r.undone.standings[e.Subject] = max(r.undone.standings[e.Subject], record.Standing.Version)
	if e.Kind == log.Consent && record.Status.Narrows() && !told[e.ID] && !r.from.LedgerLost {
		return ErrLedgerShorter
	}
	return nil
}

// restoredRecord is the log's record of what a restore made of a standing, or of
// what is in force.
type restoredRecord struct {
	Format     int       `json:"v"`
	At         time.Time `json:"at"`
	Restored   bool      `json:"restored"`
	Lapsed     time.Time `json:"lapsed,omitzero"`
	Standing   rowDigest `json:"standing,omitzero"`
	Governance rowDigest `json:"governance,omitzero"`
}

// noteRestored saves a standing that a restore changed, and records it.
func (r *restore) noteRestored(tx store.Tx, p *person) error {
	digest, err := r.v.saveDigest(tx, p)
	if err != nil {
		return err
	}
	return r.v.noteOf(tx, p, log.Start, privacy.NewID(r.report.At), restoredRecord{Format: 1, At: r.report.At, Restored: true, Standing: digest})
}

// outgrowPage is how many people are done in one transaction.
const outgrowPage = 256

// outgrow makes a version of each standing beyond those that the log says were
// made: a row that somebody kept of them is never the newest again.
func (r *restore) outgrow(ctx context.Context) error {
	v := r.v
	people := slices.SortedFunc(maps.Keys(r.undone.standings), func(a, b privacy.SubjectID) int { return bytes.Compare(a[:], b[:]) })
	for page := range slices.Chunk(people, outgrowPage) {
		err := v.update(ctx, func(tx store.Tx) error {
			for _, id := range page {
				p, err := v.load(ctx, tx, id)
				if err != nil {
					return err
				}
				if p == nil || p.standing.Version >= r.undone.standings[id] {
					continue
				}
				row, err := bucketStanding.get(tx, p.at)
				if err != nil {
					return err
				}
				if err := errors.Join(bucketStandings.put(tx, p.at.with(versionKey(p.standing.Version)...), bytes.Clone(row)), bucketStanding.delete(tx, p.at)); err != nil {
					return err
				}
				p.standing.Version = r.undone.standings[id]
				if err := r.noteRestored(tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// govern makes what is in force known to the new log.
func (r *restore) govern(ctx context.Context) error {
	v := r.v
	record := restoredRecord{Format: 1, At: r.report.At, Restored: true}
	if r.from.LedgerLost {
		at, _, _ := v.clock.now()
		record.Lapsed = at
		r.report.LapsedAt = &record.Lapsed
	}
	return v.update(ctx, func(tx store.Tx) error {
		digest, err := v.govern(tx, func(gov *governance) error {
			gov.Version = max(gov.Version, r.undone.governance)
			gov.Numbered = max(gov.Numbered, r.undone.revision) // decisions name it, and must not get another
			if !record.Lapsed.IsZero() {
				gov.Lapsed = record.Lapsed
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := errors.Join(v.endSessions(tx), v.endOwnSessions(tx)); err != nil { // some may have ended after the copy was made
			return err
		}
		record.Governance = digest
		return v.note(tx, log.Start, privacy.NewID(r.report.At), record)
	})
}
