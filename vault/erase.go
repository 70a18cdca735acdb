package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// EraseRequest asks for a person to be erased (Art. 17).
type EraseRequest struct {
	Subject SubjectRef     // not looked at in a session of the person
	Reason  string         // why; gone with the person. People need give none
	By      *privacy.Actor // who acts in a person's session; nil: the person
}

// Erase erases a person, but for what a law demands (Art. 17(3)). When it
// returns, no read that begins releases anything else of them, nothing of it is
// left in the vault's files that opens, and the request it made goes on by
// itself: to the turn of keys after which old copies open nothing either. It goes
// on over crashes and restarts, and can be asked for twice: then it returns the
// request that runs, or ran.
//
// A hold is in the way; then the request is blocked, and the person is there for
// nobody but whom a law demands it of, until the last hold is released. It
// returns an *Error unknown_subject for somebody unknown.
func (v *Vault) Erase(ctx context.Context, by Caller, req EraseRequest) (*Request, error) {
	who, err := v.mayErase(by)
	if err != nil {
		return nil, err
	}
	if who.own != nil {
		who.own = new(privacy.Actor)
		*who.own = actor(req.By)
		req.Subject, who.reason, err = SubjectRef{ID: by.session.Subject}, req.Reason, checkWords(req.Reason, who.own)
	} else {
		who.reason, err = reasonOf(req.Reason)
	}
	if err != nil {
		return nil, err
	}
	var q *requestRecord
	for n := 0; q == nil; n++ {
		q, err = v.askErasure(ctx, who, req.Subject)
		if errors.Is(err, errAgain) && n < attempts {
			continue
		}
		if errors.Is(err, errAgain) {
			err = unavailable("the person kept changing; try again")
		}
		if err != nil {
			return nil, v.refusal(err)
		}
	}
	v.erasures.advance(ctx, v, q.ID)
	view := v.viewRequest(ctx, q)
	return &view, nil
}

// eraser is who erases somebody.
type eraser struct {
	officer string
	own     *privacy.Actor // the person in a session of theirs, or who acts for them
	once    *Once
	reason  string
	intake  *requestRecord // the request that came by letter, whose person is known now
}

// mayErase says who asks for an erasure, or that they may not.
func (v *Vault) mayErase(by Caller) (eraser, error) {
	if by.session != nil {
		s, err := v.mustFull(by)
		if err == nil && s.Subject == privacy.Nobody {
			err = errNothingKnown
		}
		return eraser{own: &privacy.Actor{Role: privacy.BySubject}, once: by.Once}, err
	}
	if err := v.mustOfficer(by); err != nil {
		return eraser{}, err
	}
	return eraser{officer: by.Client.Officer, once: by.Once}, nil
}

// reasonOf checks what an officer gives as a reason.
func reasonOf(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" || len(reason) > maxReason || !utf8.ValidString(reason) {
		return "", invalid("reason", "empty", "expected why, as a text of at most %d bytes", maxReason)
	}
	return reason, nil
}

// askErasure finds whom a request is about and begins it.
func (v *Vault) askErasure(ctx context.Context, who eraser, subject SubjectRef) (*requestRecord, error) {
	var id privacy.SubjectID
	var before *requestRecord
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		ref, err := v.reference(now.register, nil, subject)
		if err != nil {
			return err
		}
		p, err := v.findAny(ctx, s, ref)
		if err != nil {
			return err
		}
		if p != nil {
			id = p.id
			before, err = v.runningFor(s, id)
			return err
		}
		if ref.field == nil && ref.id != privacy.Nobody { // erased already, or being so
			t, err := v.tombstone(s, ref.id)
			if err != nil || t == nil {
				return err
			}
			before, err = v.requestOf(s, t.request)
			return err
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case before != nil:
		return before, nil
	case id == privacy.Nobody:
		return nil, refuse(CodeUnknownSubject, "nobody is known by this reference")
	}
	now, _, _ := v.clock.now()
	return v.beginErasure(ctx, who, id, privacy.NewRequestID(now), now)
}

// beginErasure makes the request, and the person somebody who is there for nobody
// but whom a law demands it of. Like every narrowing act it stands in the ledger
// first.
func (v *Vault) beginErasure(ctx context.Context, who eraser, id privacy.SubjectID, request privacy.RequestID, at time.Time) (*requestRecord, error) {
	if err := v.erasures.at("to ask"); err != nil {
		return nil, err
	}
	// One after the other: of two that ask at once the ledger would note both requests,
	// and a restore could not know which of them was answered.
	asking := &v.erasures.asking[id[0]]
	asking.Lock()
	defer asking.Unlock()
	running, err := v.runningNow(ctx, id)
	if err != nil || running != nil {
		return running, err
	}
	if err := v.ledger.add(ctx, ledgerErasure, privacy.ID(request), id, "", at); err != nil {
		return nil, err
	}
	if err := v.erasures.at("in the ledger"); err != nil {
		return nil, err
	}
	var q *requestRecord
	err = v.update(ctx, func(tx store.Tx) (err error) {
		q, err = v.erasing(ctx, tx, who, id, request, at)
		return err
	})
	if err = v.ledger.done(ctx, err); err != nil {
		return nil, err
	}
	return q, v.erasures.at("asked")
}

// erasing is what beginErasure does to the state.
func (v *Vault) erasing(ctx context.Context, tx store.Tx, who eraser, id privacy.SubjectID, request privacy.RequestID, at time.Time) (*requestRecord, error) {
	if err := v.ledger.kept(tx, privacy.ID(request)); err != nil {
		return nil, err
	}
	if q, err := v.runningFor(tx, id); q != nil || err != nil {
		return q, err // asked for twice at once
	}
	p, err := v.load(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if living(p) == nil {
		return nil, errAgain
	}
	r, err := v.regime(ctx, tx)
	if err != nil {
		return nil, err
	}
	now, _, _ := v.clock.now()
	q := &requestRecord{ID: request, Kind: RequestErasure, Status: RequestInProgress, Officer: who.officer, Received: at,
		Due: answerWithin.After(at), Subject: id, Own: who.own}
	if who.intake != nil {
		if q, err = v.requestOf(tx, request); err != nil {
			return nil, err
		}
		if q == nil || q.Status != RequestAwaiting {
			return nil, refuse(CodeWrongState, "this request waits for nobody's identity")
		}
		q.Status = RequestInProgress
	}
	if len(p.standing.Holds) > 0 {
		q.Status = RequestBlocked
	}
	if who.reason != "" {
		if q.Reason, err = p.sealReason(v, q, who.reason); err != nil {
			return nil, err
		}
	}
	p.standing.Phase = consent.Erasing
	p.standing.Kept = purposesOf(staysOf(r.register, p.standing, now))
	digest, err := v.saveDigest(tx, p)
	if err != nil {
		return nil, err
	}
	record := erasureNote{Format: 1, At: now, Request: request, Act: "asked", Officer: who.officer, Own: who.own, Reason: who.reason, Standing: digest}
	if err := v.noteOf(tx, p, log.Erasure, privacy.NewID(now), record); err != nil {
		return nil, err
	}
	if err := v.saveRequest(tx, q); err != nil {
		return nil, err
	}
	view := Request{ID: q.ID, Kind: q.Kind, Status: q.Status, ReceivedAt: q.Received, DueAt: q.Due}
	return q, who.once.keep(tx, &view)
}

// bury begins to remove somebody of whom nothing opens any more, and so not what
// would say by which rows they are found: those are looked for.
func (v *Vault) bury(tx store.Tx, id privacy.SubjectID, request privacy.RequestID, at time.Time) error {
	q, err := v.runningFor(tx, id)
	if err != nil {
		return err
	}
	if q == nil {
		q = &requestRecord{ID: request, Kind: RequestErasure, Received: at, Due: answerWithin.After(at), Subject: id}
	}
	if err := v.putTombstone(tx, id, tombstone{tombDigging, q.ID}); err != nil {
		return err
	}
	q.Status, q.Step, q.Erased, q.Partly, q.Stays, q.Lost = RequestInProgress, stepDecided, at, false, nil, true
	return v.saveRequest(tx, q)
}

// dig says of people whom the state does not know that their keys are about to be
// destroyed; close, once the log is followed, what it cannot open of them any more.
func (v *Vault) dig(ctx context.Context, ids []privacy.SubjectID) error {
	return v.entomb(ctx, ids, func(tx store.Tx, id privacy.SubjectID, _ log.Orphans) error {
		return v.putTombstone(tx, id, tombstone{state: tombDigging})
	})
}

func (v *Vault) close(ctx context.Context, ids []privacy.SubjectID) error {
	return v.entomb(ctx, ids, func(tx store.Tx, id privacy.SubjectID, left log.Orphans) error {
		if err := v.putTombstone(tx, id, tombstone{state: tombClosed}); err != nil {
			return err
		}
		if err := log.Forget(tx, id); err != nil {
			return err
		}
		now, _, _ := v.clock.now()
		return v.note(tx, log.Erasure, privacy.NewID(now), erasureRecord{Format: 1, At: now, Restored: true, Orphans: &orphans{left.Count, left.Head[:]},
			KEKEpoch: v.keyring().KEKEpoch(), IndexEpoch: v.keyring().IndexEpoch()})
	})
}

func (v *Vault) entomb(ctx context.Context, ids []privacy.SubjectID, do func(store.Tx, privacy.SubjectID, log.Orphans) error) error {
	for page := range slices.Chunk(ids, pageRows) {
		left := make([]log.Orphans, len(page))
		for i, id := range page {
			if v.follower == nil {
				break
			}
			var err error
			if left[i], err = v.follower.Orphans(ctx, id); err != nil {
				return err
			}
		}
		err := v.update(ctx, func(tx store.Tx) error {
			for i, id := range page {
				if err := do(tx, id, left[i]); err != nil {
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

// erasureNote is the log's record of a step of somebody's erasure, under their own
// key: it goes with them.
type erasureNote struct {
	Format   int               `json:"v"`
	At       time.Time         `json:"at"`
	Request  privacy.RequestID `json:"request"`
	Act      string            `json:"act"` // asked, decided, kept
	Officer  string            `json:"officer,omitempty"`
	Own      *privacy.Actor    `json:"own,omitempty"` // the person, or who acted for them, asked
	Reason   string            `json:"reason,omitempty"`
	Stays    []Stay            `json:"stays,omitempty"`
	Standing rowDigest         `json:"standing"`
}

// erasureRecord is the log's record of an erasure, which stays. It names nobody:
// what it orphaned, it commits to.
type erasureRecord struct {
	Format     int               `json:"v"`
	At         time.Time         `json:"at"`
	Request    privacy.RequestID `json:"request,omitzero"`
	Restored   bool              `json:"restored,omitempty"` // a restore removed keys of somebody whom the data does not know
	Partly     bool              `json:"partly,omitempty"`
	Removed    map[string]uint64 `json:"removed"`
	Orphans    *orphans          `json:"orphans,omitempty"`
	Stays      []Stay            `json:"stays,omitempty"`
	KEKEpoch   uint32            `json:"kek_epoch"`   // the newest when the key was destroyed:
	IndexEpoch uint32            `json:"index_epoch"` // later ones open nothing of it
}

// orphans are the entries of the log that nobody can open any more: how many, and
// a hash that chains index and leaf of each.
type orphans struct {
	Count uint64 `json:"count"`
	Head  []byte `json:"head"`
}

// orphanedBy reads what a record of an erasure says it orphaned.
func orphanedBy(record []byte) (log.Orphans, bool) {
	var r erasureRecord
	if json.Unmarshal(record, &r) != nil || r.Orphans == nil {
		return log.Orphans{}, false
	}
	o := log.Orphans{Count: r.Orphans.Count}
	return o, copy(o.Head[:], r.Orphans.Head) == len(r.Orphans.Head)
}

func (p *person) bindReason(v *Vault, q *requestRecord) keys.Binding {
	return v.bind(p.id, "reason/"+q.ID.String(), 1)
}

func (p *person) sealReason(v *Vault, q *requestRecord, reason string) ([]byte, error) {
	return keys.Seal(p.history, p.bindReason(v, q), []byte(reason))
}

func (p *person) unsealReason(v *Vault, q *requestRecord) ([]byte, error) {
	return keys.Unseal(p.history, p.bindReason(v, q), q.Reason)
}

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
	if err != nil || q == nil || q.Kind != RequestErasure || !q.open() || q.Status == RequestAwaiting {
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
	var told []privacy.ChannelID
	if subject, err := v.subjectOf(ctx, id); err != nil {
		return nil, false, err
	} else if subject != privacy.Nobody {
		told = v.erasedFor(ctx, subject)
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
		names, err = v.decided(ctx, tx, q, p)
		v.raiseErased(tx, p.id, told, q.Erased)
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
				Orphans: q.Orphans, Stays: q.Stays, KEKEpoch: q.KEKEpoch, IndexEpoch: q.IndexEpoch})
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
		return nil
	})
}
