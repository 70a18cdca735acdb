package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Reports count what the log and the standings hold. They name nobody and open no
// value, keep nothing in memory that grows with the log, and stand back while
// somebody reads.

// ReportRequest says of which time a report is: From is in it, To is not. Zero is
// no bound. Progress, which may be nil, is told how far it is of how much.
type ReportRequest struct {
	From, To time.Time
	Progress func(done, of uint64)
}

func (r *ReportRequest) check() error {
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		return invalid("to", "invalid_value", "expected a time after from")
	}
	if r.Progress == nil {
		r.Progress = func(uint64, uint64) {}
	}
	return nil
}

// Reported is what every report begins with.
type Reported struct {
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
	Lost int        `json:"lost" doc:"records that cannot be counted: of people who were erased since"`
}

func (r *ReportRequest) reported() Reported {
	var out Reported
	if !r.From.IsZero() {
		out.From = &r.From
	}
	if !r.To.IsZero() {
		out.To = &r.To
	}
	return out
}

// eachQuestion gives every recorded question of a time, in the order of the log.
func (v *Vault) eachQuestion(ctx context.Context, by Caller, req *ReportRequest, out *Reported, fn func(*accessRecord) error) error {
	span, end, pace := ExportRequest{From: req.From, To: req.To}, v.cfg.Store.Size(), v.newPace(0)
	for next := uint64(0); next < end; {
		if err := v.stillOfficer(by); err != nil {
			return err
		}
		began := time.Now()
		page, after, err := v.exportPage(ctx, span, next, end, []log.Kind{log.Access})
		if err != nil {
			return err
		}
		deks := map[privacy.SubjectID]*keys.DEK{}
		for _, e := range page {
			opening, lost, err := v.openEntry(ctx, e.Entry, deks)
			if err != nil {
				return fmt.Errorf("opening log entry %d: %w", e.index, err)
			}
			if lost != "" {
				out.Lost++
				continue
			}
			var r accessRecord
			if err := json.Unmarshal(opening.Record, &r); err != nil {
				return fmt.Errorf("reading log entry %d: %w", e.index, errIntegrity)
			}
			if err := fn(&r); err != nil {
				return err
			}
			worked := time.Since(began)
			if err := pace.rest(ctx, worked); err != nil {
				return err
			}
			began = time.Now()
		}
		next = after
		req.Progress(next, end)
		if err := pace.rest(ctx, time.Since(began)); err != nil {
			return err
		}
	}
	return nil
}

// eachStanding gives everybody who is known, as they are now. Of whom nothing
// verifies is left out, and in the log of the program.
func (v *Vault) eachStanding(ctx context.Context, by Caller, fn func(*person, *register.Register)) error {
	pace := v.newPace(0)
	return pages(ctx, v.cfg.Store, bucketStanding.all(), func(rows []row) error {
		if err := v.stillOfficer(by); err != nil {
			return err
		}
		for _, row := range rows {
			began := time.Now()
			err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
				now, err := v.regime(ctx, s)
				if err != nil {
					return err
				}
				id, err := v.personAt(row.key)
				if err != nil || id == privacy.Nobody {
					return err
				}
				p, err := v.load(ctx, s, id)
				if errors.Is(err, keys.ErrIntegrity) || errors.Is(err, errIntegrity) {
					v.cfg.Logger.Warn("somebody is left out of a report", "subject", id, "err", err)
					return nil
				}
				if p == nil || err != nil {
					return err
				}
				fn(p, now.register)
				return nil
			})
			if err != nil {
				return err
			}
			if err := pace.rest(ctx, time.Since(began)); err != nil {
				return err
			}
		}
		return nil
	})
}
