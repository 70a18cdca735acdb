package vault

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// EraseRequest asks for a person to be erased (Art. 17).
type EraseRequest struct {
	Subject SubjectRef     // not looked at in a session of the person
	Reason  string         // why; gone with the person. May be empty
	By      *privacy.Actor // who asks for the person; nil: who the session is for, or not known
	// NeverContact leaves one keyed hash of each identifier, and with it a no to
	// direct marketing for whoever is captured with it later.
	NeverContact bool
}

// Erase erases a person, but for what a law demands (Art. 17(3)). When it
// returns, no read that begins releases anything else of them, nothing of it is
// left in the vault's files that opens, and the request it made goes on by
// itself: to the turn of keys after which old copies open nothing either. It goes
// on over crashes and restarts, and can be asked for twice: then it returns the
// request that runs, or ran.
//
// Where the register grants a period of grace, what a person asks for themselves
// waits, restricted, until BeginsAt: see TakeBackErasure.
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
		asks := by.session.actor(req.By)
		who.own = &asks
		req.Subject, who.reason, err = SubjectRef{ID: by.session.Subject}, req.Reason, checkWords(req.Reason, who.own)
	} else {
		who.asked, who.reason = req.By, strings.TrimSpace(req.Reason)
		err = checkWords(who.reason, req.By)
	}
	if err != nil {
		return nil, err
	}
	who.never = req.NeverContact
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
	asked   *privacy.Actor // who asked the officer, if that is known
	once    *Once
	reason  string
	intake  *requestRecord // the request that came by letter, whose person is known now
	never   bool           // they are never to be contacted again
	leaves  *neverNote     // what stays for that
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
	if reason == "" || len(reason) > maxReason || !privacy.Plain(reason) {
		return "", invalid("reason", "empty", "expected why, as a plain text of at most %d bytes", maxReason)
	}
	return reason, nil
}

// askErasure finds whom a request is about and begins it.
func (v *Vault) askErasure(ctx context.Context, who eraser, subject SubjectRef) (*requestRecord, error) {
	var id privacy.SubjectID
	var before, waiting *requestRecord
	var grace privacy.Period
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
			id, grace = p.id, now.register.Settings.Erasure.Grace
			if before, err = v.runningFor(s, id); err != nil {
				return err
			}
			waiting, err = v.waitingFor(s, id)
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
	case who.own != nil && waiting != nil:
		return waiting, nil
	case who.own != nil && !grace.IsZero():
		return v.takeGrace(ctx, who, id, grace)
	case waiting != nil: // an officer's waits no longer
		return v.beginErasure(ctx, who, id, waiting.ID, waiting.Received)
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
	if back, err := v.takenBackNow(ctx, request); back != nil || err != nil {
		return back, err
	}
	entry := v.ledger.entry(ledgerErasure, privacy.ID(request), id, "", at)
	if !who.never { // it may have been chosen with one that waits
		if who.never, err = v.neverAgain(ctx, request); err != nil {
			return nil, err
		}
	}
	if who.never {
		now, _, _ := v.clock.now()
		if who.leaves, err = v.neverOf(ctx, id, now); err != nil {
			return nil, err
		}
		if entry.Sealed, err = v.sealNever(request, who.leaves); err != nil {
			return nil, err
		}
	}
	if err := v.ledger.append(ctx, entry); err != nil {
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
	if q.Own == nil {
		q.Own = who.asked
	}
	waited, err := v.requestOf(tx, request)
	switch {
	case err != nil:
		return nil, err
	case waited == nil:
	case waited.waits():
		q, waited.Status = waited, RequestInProgress
		if who.officer != "" {
			q.Officer = who.officer
		}
	case waited.Status == RequestWithdrawn: // through another node
		return waited, nil
	}
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
	q.Never = who.leaves
	if who.reason != "" && q.Reason == nil {
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
	record := erasureNote{Format: 1, At: now, Request: request, Act: "asked", Officer: who.officer, Own: q.Own, Reason: who.reason, Standing: digest}
	if err := v.noteOf(tx, p, log.Erasure, privacy.NewID(now), record); err != nil {
		return nil, err
	}
	if err := v.saveRequest(tx, q); err != nil {
		return nil, err
	}
	view := Request{ID: q.ID, Kind: q.Kind, Status: q.Status, ReceivedAt: q.Received, DueAt: q.Due}
	return q, who.once.keep(tx, &view)
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
	Never      uint64            `json:"never_contact,omitempty"` // keyed hashes that stay by their choice
	KEKEpoch   uint32            `json:"kek_epoch"`               // the newest when the key was destroyed:
	IndexEpoch uint32            `json:"index_epoch"`             // later ones open nothing of it
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
