package vault

import (
	"context"
	"errors"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// GroundRequest says that a basis other than consent began or ended to be true
// for a person.
type GroundRequest struct {
	Subject SubjectRef
	Purpose privacy.PurposeID
	Status  string // GroundBegun or GroundEnded
	Ref     string // an order, a contract, a case; none ends every ground of the purpose
	At      time.Time
}

// The statuses of a ground.
const (
	GroundBegun = "begun"
	GroundEnded = "ended"
)

// maxRef bounds what a ground is of, in bytes.
const maxRef = 200

// groundRecord is the log's record of a ground.
type groundRecord struct {
	Format   int               `json:"v"`
	At       time.Time         `json:"at"`
	Recorded time.Time         `json:"recorded_at"`
	Channel  privacy.ChannelID `json:"channel"`
	Purpose  privacy.PurposeID `json:"purpose"`
	Status   string            `json:"status"`
	Ref      string            `json:"ref,omitempty"`
	Unknown  bool              `json:"unknown,omitempty"`
	Standing rowDigest         `json:"standing"`
}

// RecordGround records that a ground began or ended. A channel begins grounds
// only for purposes it holds; ending one lets less out and is accepted from
// every channel. The answer is the same for a person known or not.
func (v *Vault) RecordGround(ctx context.Context, by Caller, req GroundRequest) error {
	began := time.Now()
	for range attempts {
		err := v.recordGround(ctx, by, req)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return v.refusal(err)
		}
		onTheBeat(began)
		return nil
	}
	return unavailable("the person this ground is about kept changing; try again")
}

func (v *Vault) recordGround(ctx context.Context, by Caller, req GroundRequest) error {
	now, believed, _ := v.clock.now()
	ends := req.Status == GroundEnded
	w, err := v.aim(ctx, by, req.Subject, ends, func(_ store.Snapshot, r *regime, ch *register.Channel) error {
		return checkGround(r, ch, by, req, now, believed)
	})
	if err != nil {
		return err
	}
	defer w.close(ctx)
	w.makes = req.Status == GroundBegun
	everybody := w.everybody()
	ids := make([]privacy.ID, len(everybody))
	for i, id := range everybody {
		ids[i] = privacy.NewID(now)
		if !ends {
			continue
		}
		if err := v.ledger.add(ctx, ledgerGroundEnded, ids[i], id, req.Purpose, req.At); err != nil {
			return err
		}
	}
	err = v.update(ctx, func(tx store.Tx) error {
		people, err := w.hitAll(ctx, tx)
		if err != nil {
			return err
		}
		if err := by.Once.keep(tx, nil, everybody...); err != nil {
			return err
		}
		for i, p := range people {
			if ends {
				if err := v.ledger.kept(tx, ids[i]); err != nil {
					return err
				}
			}
			if err := v.ground(tx, p, ids[i], w.channel.ID, req, now); err != nil {
				return err
			}
		}
		return nil
	})
	if ends {
		err = v.ledger.done(ctx, err)
	}
	return err
}

// ground changes one person's grounds and records it; nil is nobody.
func (v *Vault) ground(tx store.Tx, p *person, id privacy.ID, channel privacy.ChannelID, req GroundRequest, now time.Time) (err error) {
	record := groundRecord{Format: 1, Recorded: now, Channel: channel, Purpose: req.Purpose, Status: req.Status, Ref: req.Ref}
	if p == nil {
		record.At, record.Unknown = orNow(micro(req.At), now), true
		return v.note(tx, log.Ground, id, record)
	}
	record.At = p.standing.ActTime(req.At, now)
	if req.Status == GroundBegun {
		p.standing.BeginGround(req.Purpose, req.Ref, record.At)
	} else {
		p.standing.EndGround(req.Purpose, req.Ref, record.At)
	}
	if record.Standing, err = v.saveDigest(tx, p); err != nil {
		return err
	}
	return v.noteOf(tx, p, log.Ground, id, record)
}

func checkGround(r *regime, ch *register.Channel, by Caller, req GroundRequest, now time.Time, believed bool) error {
	p, ok := r.register.Purpose(req.Purpose)
	switch {
	case !ok:
		return unknownPurpose(req.Purpose, ch)
	case req.Status != GroundBegun && req.Status != GroundEnded:
		return invalid("status", "invalid_value", "expected begun or ended")
	case len(req.Ref) > maxRef:
		return invalid("ref", "too_long", "expected at most %d bytes", maxRef)
	case micro(req.At).After(now.Add(aheadTolerance)):
		return invalid("at", "in_future", "expected a time at most 60 s ahead")
	case req.Status == GroundEnded:
		return nil
	case !contains(ch.Purposes, req.Purpose) || by.Purposes != nil && !contains(by.Purposes, req.Purpose):
		return purposeNotGranted()
	case p.Basis == privacy.Consent || p.Basis == privacy.OptOut:
		return invalid("purpose", "needs_consent", "the purpose rests on %s: record it with POST /v1/consents", p.Basis)
	case !believed:
		return unavailable("the clock is not believed, so no ground is begun until an officer confirms it")
	}
	return nil
}
