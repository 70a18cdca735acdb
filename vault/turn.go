package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// What was erased is gone from the vault's own files. Old copies of keys.db still
// hold the keys, wrapped, and old copies of vault.db the rows by which an
// identifier found somebody. So the KEK and the key of the blind index turn after
// an erasure; then those copies open and find nothing either. One turn does for
// all erasures since the last. It comes at once if none came within the time that
// the register names, else when that is over.

const (
	lookEvery   = time.Minute
	retryTurn   = 5 * time.Second // while somebody else rotates keys
	sweepsWait  = 24 * time.Hour  // for the turn after values whose time was over
	certifyMost = 64              // in one transaction

	restTimes = 10          // after a look it rests so many times as long as that took,
	restMost  = time.Second // and no longer: where many are erased, looks are long
)

// followErasures brings open erasures to their end: those that a crash or a fault
// cut off, and those that wait for the keys to turn.
func (v *Vault) followErasures(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	var rested time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		case <-v.erasures.kick:
			if left := time.Until(rested); left > 0 {
				wait.Reset(left)
				continue
			}
		}
		began := time.Now()
		next, err := v.pursue(ctx)
		rested = time.Now().Add(min(restMost, restTimes*time.Since(began)))
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			v.cfg.Logger.Error("erasures do not get on; they are tried again", "err", err)
			next = lookEvery
		}
		wait.Reset(next)
	}
}

// pursue does what can be done for all open erasures now, and returns when there
// may be more.
func (v *Vault) pursue(ctx context.Context) (next time.Duration, err error) {
	open, err := v.advanceAll(ctx)
	if err != nil {
		return 0, err
	}
	if err := v.complete(ctx, open); err != nil {
		return 0, err
	}
	want, due, err := v.turnWanted(ctx, open)
	if err != nil || want == (Rotation{}) {
		return lookEvery, err
	}
	if begun, err := v.unfinished(ctx); err != nil {
		return 0, err
	} else if begun != nil { // a turn that was cut off is this one
		due = time.Time{}
	}
	now, believed, _ := v.clock.now()
	if !believed { // nothing is destroyed
		return lookEvery, nil
	}
	if now.Before(due) {
		return min(lookEvery, due.Sub(now)), nil
	}
	if err := v.erasures.at("turn to begin"); err != nil {
		return 0, err
	}
	switch _, err = v.RotateKeys(ctx, want, nil); {
	case errors.Is(err, ErrRotating):
		return retryTurn, nil
	case err != nil:
		return 0, err
	}
	if err := v.erasures.at("turned"); err != nil {
		return 0, err
	}
	return 0, nil // completes them
}

// advanceAll does of every open erasure what needs no turn of keys, and returns the
// requests that are open then.
func (v *Vault) advanceAll(ctx context.Context) (open []*requestRecord, err error) {
	if open, err = v.openRequests(ctx); err != nil {
		return nil, err
	}
	tried := false
	for _, q := range open {
		if q.Kind != RequestErasure || q.Step >= stepErased {
			continue
		}
		if q.waits() {
			began, err := v.beginDue(ctx, q)
			if err != nil && ctx.Err() == nil {
				v.cfg.Logger.Error("an erasure whose period of grace is over does not begin; it is tried again", "request", q.ID, "err", err)
			}
			if !began {
				continue
			}
		}
		tried = true
		if err := v.erasures.advanceNow(ctx, v, q.ID); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			v.cfg.Logger.Error("an erasure does not get on; it is tried again", "request", q.ID, "err", err)
		}
	}
	if tried {
		return v.openRequests(ctx)
	}
	return open, nil
}

// resumeErasures does at start-up what a crash cut off. What it cannot do, the
// background tries again; nothing is released of those people meanwhile.
func (v *Vault) resumeErasures(ctx context.Context) {
	if _, err := v.advanceAll(ctx); err != nil {
		v.cfg.Logger.Error("erasures that were begun do not get on; they are tried again", "err", err)
	}
}

// turnWanted says which keys must turn for what was erased, and when.
func (v *Vault) turnWanted(ctx context.Context, open []*requestRecord) (want Rotation, due time.Time, err error) {
	var r *regime
	var e *epochs
	var swept *sweptMark
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		if r, err = v.regime(ctx, s); err != nil {
			return err
		}
		if e, err = v.epochs(s); err != nil {
			return err
		}
		swept, err = v.sweptMark(s)
		return err
	})
	if err != nil {
		return want, due, err
	}
	ring := v.keyring()
	need := func(kek, index uint32) (Rotation, bool) {
		n := Rotation{KEK: ring.KEKEpochs()[0] <= kek, Index: min(e.asked, ring.IndexEpochs()[0]) <= index}
		return n, n != Rotation{}
	}
	after := r.register.EpochEvery().After(v.lastTurn())
	for _, q := range open {
		if q.Kind != RequestErasure || q.Step != stepErased {
			continue
		}
		if n, any := need(q.KEKEpoch, q.IndexEpoch); any {
			want.KEK, want.Index, due = want.KEK || n.KEK, want.Index || n.Index, after
		}
	}
	if swept != nil {
		if n, any := need(swept.kek, 0); any {
			if want == (Rotation{}) {
				if due = swept.at.Add(sweepsWait); after.After(due) {
					due = after
				}
			}
			want.KEK = want.KEK || n.KEK
		}
	}
	return want, due, nil
}

// lastTurn returns when the KEK turned last, zero if it never did.
func (v *Vault) lastTurn() (last time.Time) {
	for _, a := range v.keyring().Ages() {
		if a.Use == "KEK" && a.Epoch > firstKEK && a.Since.After(last) {
			last = a.Since
		}
	}
	return last
}

// complete ends the erasures that no key is left for, and certifies them.
func (v *Vault) complete(ctx context.Context, open []*requestRecord) error {
	e, err := v.epochsNow(ctx)
	if err != nil {
		return err
	}
	ring := v.keyring()
	var over []privacy.RequestID
	for _, q := range open {
		if q.Kind == RequestErasure && q.Step == stepErased && ring.KEKEpochs()[0] > q.KEKEpoch && min(e.asked, ring.IndexEpochs()[0]) > q.IndexEpoch {
			over = append(over, q.ID)
		}
	}
	for some := range slices.Chunk(over, certifyMost) {
		if err := v.erasures.at("to certify"); err != nil {
			return err
		}
		err := v.update(ctx, func(tx store.Tx) error {
			for _, id := range some {
				if err := v.certify(ctx, tx, id); err != nil {
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

func (v *Vault) certify(ctx context.Context, tx store.Tx, id privacy.RequestID) error {
	q, err := v.requestOf(tx, id)
	if err != nil || q == nil || q.Step != stepErased {
		return err
	}
	r, err := v.regime(ctx, tx)
	if err != nil {
		return err
	}
	now, _, _ := v.clock.now()
	if q.Certificate, err = v.certificate(r.register, q, now); err != nil {
		return err
	}
	q.Step, q.Status, q.Done = stepDone, RequestCompleted, now
	if err := v.note(tx, log.Erasure, privacy.NewID(now), certifiedRecord{Format: 1, At: now, Certified: q.ID, Certificate: hashOf(q.Certificate)}); err != nil {
		return err
	}
	return v.saveRequest(tx, q)
}

// certifiedRecord is the log's record of a certificate.
type certifiedRecord struct {
	Format      int               `json:"v"`
	At          time.Time         `json:"at"`
	Certified   privacy.RequestID `json:"certified"`
	Certificate []byte            `json:"certificate"` // SHA-256
}
