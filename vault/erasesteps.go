package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// erasures are those that run.
type erasures struct {
	asking  [256]sync.Mutex // held while an erasure is asked for, by the first byte of whose
	mu      sync.Mutex      // guards running
	running map[privacy.RequestID]chan struct{}
	kick    chan struct{} // one waiting: look at the open requests now

	fault atomic.Pointer[func(step string) error] // ends an erasure at a step, as a crash would; for tests
}

// at is where a crash can come.
func (e *erasures) at(step string) error {
	if fault := e.fault.Load(); fault != nil {
		return (*fault)(step)
	}
	return nil
}

func (e *erasures) look() {
	select {
	case e.kick <- struct{}{}:
	default: // a look is due already
	}
}

// advance does all of a request that can be done now. What could not, the
// background does; so its caller need not know.
func (e *erasures) advance(ctx context.Context, v *Vault, id privacy.RequestID) {
	if err := e.advanceNow(ctx, v, id); err != nil && ctx.Err() == nil {
		v.cfg.Logger.Error("an erasure does not get on; it is tried again", "request", id, "err", err)
	}
	e.look()
}

// advanceNow is advance for whom it matters whether it could. Of a request that
// somebody else advances it waits for the end of that.
func (e *erasures) advanceNow(ctx context.Context, v *Vault, id privacy.RequestID) error {
	e.mu.Lock()
	if done := e.running[id]; done != nil {
		e.mu.Unlock()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if e.running == nil {
		e.running = map[privacy.RequestID]chan struct{}{}
	}
	done := make(chan struct{})
	e.running[id] = done
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.running, id)
		close(done)
	}()
	for {
		q, on, err := v.erasureStep(ctx, id)
		if err != nil || !on {
			return err
		}
		if err := e.at(fmt.Sprintf("step %d done", q.Step)); err != nil {
			return err
		}
	}
}

// erasureStep does the next step of an erasure, and reports whether there is
// another that can be done now.
func (v *Vault) erasureStep(ctx context.Context, id privacy.RequestID) (q *requestRecord, on bool, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		q, err = v.requestOf(s, id)
		return err
	})
	if err != nil || q == nil || q.Kind != RequestErasure || !q.open() || q.Status == RequestAwaiting || q.waits() {
		return q, false, err
	}
	switch q.Step {
	case stepAsked:
		if _, believed, _ := v.clock.now(); !believed {
			return q, false, nil // nothing is removed
		}
		return v.decideErasure(ctx, id)
	case stepDecided:
		return q, true, v.destroyKey(ctx, q)
	case stepKeys:
		return q, true, v.removeData(ctx, q)
	case stepRemoved:
		return q, true, v.closeErasure(ctx, q)
	}
	return q, false, nil // the rest waits for the keys to turn
}

// decideErasure decides what stays, unless a hold is in the way. From here on
// nothing is: whoever looks finds nobody, or whom a law keeps. What only values
// lead to, the rows of the blind index, is removed while there is a key to open
// them.
func (v *Vault) decideErasure(ctx context.Context, id privacy.RequestID) (q *requestRecord, on bool, err error) {
	var forgets *person
	var names [][32]byte
	var to []privacy.ChannelID
	var had []shownTo
	if subject, err := v.subjectOf(ctx, id); err != nil {
		return nil, false, err
	} else if subject != privacy.Nobody {
		to, had = v.erasedFor(ctx, subject)
	}
	err = v.update(ctx, func(tx store.Tx) error {
		forgets, names, on = nil, nil, false
		if q, err = v.requestOf(tx, id); err != nil || q == nil || q.Step != stepAsked {
			return err
		}
		p, err := v.load(ctx, tx, q.Subject)
		if err == nil && p == nil {
			err = missing(p, q.Subject)
		}
		if err != nil {
			return err
		}
		status := RequestInProgress
		if len(p.standing.Holds) > 0 {
			status = RequestBlocked
		}
		if status == RequestBlocked && q.Status == status {
			return errUnchanged
		}
		if q.Status = status; status == RequestBlocked {
			return v.saveRequest(tx, q)
		}
		on, forgets = true, p
		q.Told = tellings(had, privacy.EventSubjectErased)
		names, err = v.decided(ctx, tx, q, p)
		v.raiseErased(tx, p.id, q.ID, to, q.Erased)
		return err
	})
	if errors.Is(err, errUnchanged) {
		return q, false, nil
	}
	if err == nil && forgets != nil {
		v.limits.forget(forgets.id, names)
	}
	return q, on, err
}

// subjectOf returns whom a request is about that waits to be decided; Nobody if it
// does not.
func (v *Vault) subjectOf(ctx context.Context, id privacy.RequestID) (subject privacy.SubjectID, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		q, err := v.requestOf(s, id)
		if q != nil && q.Step == stepAsked {
			subject = q.Subject
		}
		return err
	})
	return subject, err
}

// decided is what decideErasure does to the state. It returns the names under
// which references to the person were counted.
func (v *Vault) decided(ctx context.Context, tx store.Tx, q *requestRecord, p *person) (names [][32]byte, err error) {
	r, err := v.regime(ctx, tx)
	if err != nil {
		return nil, err
	}
	now, _, _ := v.clock.now()
	q.Removed = map[string]uint64{}
	values, err := v.openAll(tx, p)
	if err != nil {
		return nil, err
	}
	if names, err = v.release(ctx, tx, r.register, p, values, q.Removed); err != nil {
		return nil, err
	}
	names = append(names, (&reference{id: p.id}).hash(v))
	stays := staysOf(r.register, p.standing, now)
	q.Stays, q.Partly, q.Step, q.Erased = stays, len(stays) > 0, stepDecided, now
	if err := v.endDealings(tx, r.register, p, values, q.Partly); err != nil {
		return nil, err
	}
	q.Lost = values.lost
	if err := v.leaveNever(ctx, tx, r.register, q, p, values); err != nil {
		return nil, err
	}
	if q.Partly {
		if err := v.keepOnly(tx, r.register, p, values, stays, q.Removed); err != nil {
			return nil, err
		}
	} else if err := v.putTombstone(tx, p.id, tombstone{tombDigging, q.ID}); err != nil {
		return nil, err
	}
	p.standing.Phase, p.standing.Kept = consent.Erased, purposesOf(stays)
	digest, err := v.saveDigest(tx, p)
	if err != nil {
		return nil, err
	}
	note := erasureNote{Format: 1, At: now, Request: q.ID, Act: "decided", Stays: stays, Standing: digest}
	if err := v.noteOf(tx, p, log.Erasure, privacy.NewID(now), note); err != nil {
		return nil, err
	}
	return names, v.saveRequest(tx, q)
}

// destroyKey destroys both keys of somebody of whom nothing stays, else replaces
// the values key by one that opens only what stays.
func (v *Vault) destroyKey(ctx context.Context, q *requestRecord) error {
	if err := v.erasures.at("key to destroy"); err != nil {
		return err
	}
	var err error
	if q.Partly {
		err = v.rekey(ctx, q.Subject)
	} else {
		_, err = v.cfg.Keys.Update(ctx, func(tx store.Tx) error { return bucketDEKs.delete(tx, v.place(q.Subject)) })
	}
	if err != nil {
		return err
	}
	if err := v.erasures.at("key destroyed"); err != nil {
		return err
	}
	kek := v.keyring().KEKEpoch() // after it: nothing was wrapped under a later one
	return v.updateRequest(ctx, q.ID, stepDecided, func(_ store.Tx, q *requestRecord) error {
		q.Step, q.KEKEpoch = stepKeys, max(q.KEKEpoch, kek)
		return nil
	})
}

// updateRequest changes a request that is at a step, and does nothing to one that
// is not.
func (v *Vault) updateRequest(ctx context.Context, id privacy.RequestID, at step, change func(store.Tx, *requestRecord) error) error {
	return v.update(ctx, func(tx store.Tx) error {
		q, err := v.requestOf(tx, id)
		if err != nil || q == nil || q.Step != at {
			return err
		}
		if err := change(tx, q); err != nil {
			return err
		}
		return v.saveRequest(tx, q)
	})
}

// removeData removes what is kept of the person, and records the erasure: what it
// left behind in the log that nobody can open any more, it commits to.
func (v *Vault) removeData(ctx context.Context, q *requestRecord) error {
	var left *orphans
	if !q.Partly {
		of, err := v.follower.Orphans(ctx, q.Subject)
		if err != nil {
			return err
		}
		left = &orphans{of.Count, of.Head[:]}
	}
	if q.Lost {
		if err := v.unlist(ctx, q.Subject); err != nil {
			return err
		}
	}
	for more := true; more; {
		if err := v.erasures.at("data to remove"); err != nil {
			return err
		}
		err := v.updateRequest(ctx, q.ID, stepKeys, func(tx store.Tx, q *requestRecord) (err error) {
			if q.Removed == nil {
				q.Removed = map[string]uint64{}
			}
			if more, err = v.forget(tx, q.Subject, q.Partly, q.Removed); more || err != nil {
				return err
			}
			e, err := v.epochs(tx)
			if err != nil {
				return err
			}
			q.IndexEpoch, q.Orphans, q.Step = max(e.asked, e.filling), left, stepRemoved
			now, _, _ := v.clock.now()
			return v.note(tx, log.Erasure, privacy.ID(q.ID), erasureRecord{Format: 1, At: now, Request: q.ID, Partly: q.Partly, Removed: q.Removed,
				Orphans: q.Orphans, Stays: q.Stays, Never: q.Hashes, KEKEpoch: q.KEKEpoch, IndexEpoch: q.IndexEpoch})
		})
		if err != nil {
			return err
		}
	}
	return v.erasures.at("data removed")
}

// closeErasure removes the last that names the person: the row in the log's
// index, which the follower must not write again, the standing, and whom the
// request is about. From here on, who comes under the same ID is somebody new.
func (v *Vault) closeErasure(ctx context.Context, q *requestRecord) error {
	index, err := v.follower.Find(ctx, privacy.ID(q.ID))
	if err == nil {
		err = v.follower.CatchUp(ctx, index+1) // and no run writes the row again
	}
	if err != nil {
		return err
	}
	if err := v.erasures.at("person to forget"); err != nil {
		return err
	}
	return v.updateRequest(ctx, q.ID, stepRemoved, func(tx store.Tx, q *requestRecord) error {
		now, _, _ := v.clock.now()
		if q.Partly {
			p, err := v.load(ctx, tx, q.Subject)
			if err != nil || p == nil {
				return errors.Join(err, missing(p, q.Subject))
			}
			p.standing.Phase = consent.Active
			if err := bucketRekeying.delete(tx, p.at); err != nil {
				return err
			}
			digest, err := v.saveDigest(tx, p)
			if err != nil {
				return err
			}
			note := erasureNote{Format: 1, At: now, Request: q.ID, Act: "kept", Standing: digest}
			if err := v.noteOf(tx, p, log.Erasure, privacy.NewID(now), note); err != nil {
				return err
			}
		} else {
			if err := log.Forget(tx, q.Subject); err != nil {
				return err
			}
			if err := bucketStanding.delete(tx, v.place(q.Subject)); err != nil {
				return err
			}
			if err := v.putTombstone(tx, q.Subject, tombstone{tombClosed, q.ID}); err != nil {
				return err
			}
		}
		q.Step, q.LogIndex, q.Subject, q.Reason = stepErased, index, privacy.Nobody, nil
		q.Own, q.EndedBy = withoutRef(q.Own), withoutRef(q.EndedBy)
		return nil
	})
}
