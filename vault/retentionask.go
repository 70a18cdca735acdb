package vault

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// A run that would touch more than one in twenty people asks an officer: a
// mistyped limit, or a clock that was set wrong while nobody looked, must not
// remove what a company lives on. It asks by a request of kind retention, which
// waits until it is approved or refused.

// keyRetentionRefused is where the time stands at which an officer last refused a
// run: for a day nobody is asked again.
var keyRetentionRefused = []byte("retention refused")

// mayTouch returns the request by which a run was approved, if it may touch so
// many. If it may not, it asks.
func (v *Vault) mayTouch(ctx context.Context, people, touched uint64) (approved *requestRecord, err error) {
	open, err := v.openRequests(ctx)
	if err != nil {
		return nil, err
	}
	var asked *requestRecord
	if i := slices.IndexFunc(open, func(q *requestRecord) bool { return q.Kind == RequestRetention }); i >= 0 {
		asked = open[i]
	}
	many := touched*mostTouched > people
	switch {
	case asked == nil && !many:
		return nil, nil
	case asked != nil && asked.Approved && touched <= asked.People+people/mostTouched:
		return asked, nil
	case asked != nil && !asked.Approved && asked.People == touched && many:
		return nil, nil
	}
	return nil, v.update(ctx, func(tx store.Tx) error {
		now, _, _ := v.clock.now()
		q := asked
		if q != nil {
			if q, err = v.requestOf(tx, asked.ID); err != nil || q == nil || !q.open() || q.Approved != asked.Approved {
				return err // an officer was quicker: the next run sees it
			}
		}
		switch {
		case !many: // nobody has to be asked any more
			q.Status, q.Done, q.People = RequestRefused, now, touched
		case q == nil:
			refused, err := v.retentionRefused(tx)
			if err != nil || now.Before(refused.Add(askAgain)) {
				return err
			}
			q = &requestRecord{ID: privacy.NewRequestID(now), Kind: RequestRetention, Received: now, Due: answerWithin.After(now)}
			fallthrough
		default:
			q.Status, q.People, q.Approved = RequestBlocked, touched, false
		}
		return v.saveRequest(tx, q)
	})
}

func (v *Vault) retentionRefused(r store.Reader) (time.Time, error) {
	row, err := r.Get(bucketMeta, keyRetentionRefused)
	if row == nil || err != nil {
		return time.Time{}, err
	}
	if len(row) != 8 {
		return time.Time{}, fmt.Errorf("reading when a run was refused: %w", errIntegrity)
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(row))).UTC(), nil
}

// doneTouching completes the request by which a run was approved.
func (v *Vault) doneTouching(ctx context.Context, id privacy.RequestID, k *kept) error {
	return v.update(ctx, func(tx store.Tx) error {
		q, err := v.requestOf(tx, id)
		if err != nil || q == nil || !q.open() {
			return err
		}
		now, _, _ := v.clock.now()
		q.Status, q.Done, q.Step = RequestCompleted, now, stepDone
		q.Removed = map[string]uint64{"people": k.Touched, "values": k.Values, "past_values": k.Past, "erased": k.Erased}
		return v.saveRequest(tx, q)
	})
}

// runRecord is the log's record of what an officer said to a run.
type runRecord struct {
	Format  int               `json:"v"`
	At      time.Time         `json:"at"`
	Run     privacy.RequestID `json:"run"`
	Act     string            `json:"act"` // approved, refused
	People  uint64            `json:"people"`
	Officer string            `json:"officer"`
}

// ApproveRequest lets a run go on that asked whether it may touch so many people.
// Other requests wait for nobody's approval.
func (v *Vault) ApproveRequest(ctx context.Context, by Caller, id privacy.RequestID) (*Request, error) {
	q, err := v.answerRun(ctx, by, id, "approved", func(_ store.Tx, q *requestRecord, _ time.Time) error {
		q.Status, q.Approved = RequestInProgress, true
		return nil
	})
	if err == nil {
		v.runAgain()
	}
	return q, err
}

// DeclineRequest refuses a person's request, with the reasons they are told (Art.
// 12(4)); an objection is overruled by that. Of a run it is RefuseRequest.
func (v *Vault) DeclineRequest(ctx context.Context, by Caller, id privacy.RequestID, reason string) (*Request, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var q *requestRecord
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		q, err = v.requestOf(s, id)
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	if q != nil && q.Kind != RequestRetention {
		return v.refuseRight(ctx, by, q, reason)
	}
	return v.RefuseRequest(ctx, by, id)
}

// RefuseRequest ends a run that asked. A day later it asks again, if it has to.
func (v *Vault) RefuseRequest(ctx context.Context, by Caller, id privacy.RequestID) (*Request, error) {
	return v.answerRun(ctx, by, id, "refused", func(tx store.Tx, q *requestRecord, now time.Time) error {
		q.Status, q.Done = RequestRefused, now
		return tx.Put(bucketMeta, keyRetentionRefused, binary.BigEndian.AppendUint64(nil, uint64(now.UnixMicro())))
	})
}

func (v *Vault) answerRun(ctx context.Context, by Caller, id privacy.RequestID, act string, change func(store.Tx, *requestRecord, time.Time) error) (*Request, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var view Request
	err := v.update(ctx, func(tx store.Tx) error {
		q, err := v.requestOf(tx, id)
		switch {
		case err != nil:
			return err
		case q == nil:
			return refuse(CodeNotFound, "no request of this ID")
		case q.Kind != RequestRetention || q.Status != RequestBlocked:
			return refuse(CodeWrongState, "only a run that asks whether it may touch so many people is approved or refused")
		}
		now, _, _ := v.clock.now()
		if err := change(tx, q, now); err != nil {
			return err
		}
		if err := v.saveRequest(tx, q); err != nil {
			return err
		}
		view = v.viewRequest(ctx, q)
		if err := by.Once.keep(tx, &view); err != nil {
			return err
		}
		return v.note(tx, log.Erasure, privacy.NewID(now), runRecord{Format: 1, At: now, Run: q.ID, Act: act, People: q.People, Officer: by.Client.Officer})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return &view, nil
}
