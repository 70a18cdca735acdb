package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// HoldRequest forbids that anything of a person is erased.
type HoldRequest struct {
	Subject SubjectRef
	Reason  string // the claim or the case it is for
}

// Hold is an officer's word that nothing of a person may be erased, neither
// asked for nor because its time is over (Art. 17(3)(e)).
type Hold struct {
	ID      privacy.HoldID
	Subject privacy.SubjectID
	Since   time.Time
	By      string // the officer; "" for one that was put back from the ledger
	Reason  string
}

// PlaceHold holds a person, found by ID or by any identifier, also one who is to
// be erased and for nobody else is there any more: then the request is blocked.
// Of whom everything is erased there is nothing to hold.
func (v *Vault) PlaceHold(ctx context.Context, by Caller, req HoldRequest) (*Hold, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	reason, err := reasonOf(req.Reason)
	if err != nil {
		return nil, err
	}
	for range attempts {
		h, err := v.placeHold(ctx, by, req.Subject, reason)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return h, nil
	}
	return nil, unavailable("the person kept changing; try again")
}

func (v *Vault) placeHold(ctx context.Context, by Caller, subject SubjectRef, reason string) (*Hold, error) {
	id, err := v.whoever(ctx, subject)
	if err != nil {
		return nil, err
	}
	now, _, _ := v.clock.now()
	hold := consent.Hold{ID: privacy.NewHoldID(now), Since: now, By: by.Client.Officer, Reason: reason}
	if err := v.ledger.add(ctx, ledgerHeld, privacy.ID(hold.ID), id, holdName(hold.ID), now); err != nil {
		return nil, err
	}
	view := &Hold{ID: hold.ID, Subject: id, Since: hold.Since, By: hold.By, Reason: hold.Reason}
	err = v.update(ctx, func(tx store.Tx) error {
		p, err := v.load(ctx, tx, id)
		if err != nil {
			return err
		}
		if living(p) == nil {
			return errAgain // then nobody is found
		}
		if err := v.ledger.kept(tx, privacy.ID(hold.ID)); err != nil {
			return err
		}
		if err := v.hold(tx, p, hold); err != nil {
			return err
		}
		return by.Once.keep(tx, view, id)
	})
	return view, v.ledger.done(ctx, err)
}

// whoever finds a person for an officer, also one who is to be erased.
func (v *Vault) whoever(ctx context.Context, subject SubjectRef) (id privacy.SubjectID, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		ref, err := v.reference(now.register, nil, subject)
		if err != nil {
			return err
		}
		p, err := v.findAny(ctx, s, ref)
		if err == nil && p == nil {
			err = refuse(CodeUnknownSubject, "nobody is known by this reference")
		}
		if err == nil {
			id = p.id
		}
		return err
	})
	return id, err
}

// hold puts a hold on a person, and blocks the request that runs for them.
func (v *Vault) hold(tx store.Tx, p *person, hold consent.Hold) error {
	p.standing.Holds = append(p.standing.Holds, hold)
	if err := v.saveHolds(tx, p, holdNote{Act: "placed", Hold: hold.ID, Officer: hold.By, Reason: hold.Reason}); err != nil {
		return err
	}
	return v.block(tx, p)
}

// block says of the request that runs for somebody whether a hold is in its way.
func (v *Vault) block(tx store.Tx, p *person) error {
	q, err := v.runningFor(tx, p.id)
	if q == nil || err != nil || q.Step != stepAsked {
		return err
	}
	status := RequestInProgress
	if len(p.standing.Holds) > 0 {
		status = RequestBlocked
	}
	if q.Status == status {
		return nil
	}
	q.Status = status
	return v.saveRequest(tx, q)
}

// holdNote is the log's record of a hold.
type holdNote struct {
	Format   int            `json:"v"`
	At       time.Time      `json:"at"`
	Act      string         `json:"act"` // placed, released
	Hold     privacy.HoldID `json:"hold"`
	Officer  string         `json:"officer,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Standing rowDigest      `json:"standing"`
}

func (v *Vault) saveHolds(tx store.Tx, p *person, note holdNote) (err error) {
	note.Format = 1
	note.At, _, _ = v.clock.now()
	if note.Standing, err = v.saveDigest(tx, p); err != nil {
		return err
	}
	return v.noteOf(tx, p, log.Hold, privacy.NewID(note.At), note)
}

// holdName is what the ledger calls a hold.
func holdName(id privacy.HoldID) privacy.PurposeID { return privacy.PurposeID("hold " + id.String()) }

// ReleaseHold ends a hold, or all of a person's if none is named. An erasure that
// nothing else is in the way of goes on. It returns what was released.
func (v *Vault) ReleaseHold(ctx context.Context, by Caller, id privacy.SubjectID, hold *privacy.HoldID) ([]Hold, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	held, err := v.Holds(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if hold != nil {
		held = slices.DeleteFunc(held, func(h Hold) bool { return h.ID != *hold })
	}
	if len(held) == 0 {
		return nil, refuse(CodeNotFound, "no such hold is on this person")
	}
	now, _, _ := v.clock.now()
	var entries []ledgerEntry
	for _, h := range held {
		entries = append(entries, v.ledger.entry(ledgerReleased, privacy.NewID(now), id, holdName(h.ID), now))
	}
	if err := v.ledger.append(ctx, entries...); err != nil {
		return nil, v.refusal(err)
	}
	var running *requestRecord
	err = v.update(ctx, func(tx store.Tx) error {
		p, err := v.load(ctx, tx, id)
		if err != nil {
			return err
		}
		if living(p) == nil {
			return refuse(CodeUnknownSubject, "nobody is known by this reference")
		}
		for i, h := range held {
			if err := v.ledger.kept(tx, entries[i].ID); err != nil {
				return err
			}
			before := len(p.standing.Holds)
			p.standing.Holds = slices.DeleteFunc(p.standing.Holds, func(have consent.Hold) bool { return have.ID == h.ID })
			if len(p.standing.Holds) == before {
				continue // released by somebody else meanwhile
			}
			if err := v.saveHolds(tx, p, holdNote{Act: "released", Hold: h.ID, Officer: by.Client.Officer}); err != nil {
				return err
			}
		}
		if err := v.block(tx, p); err != nil {
			return err
		}
		if running, err = v.runningFor(tx, id); err != nil {
			return err
		}
		return by.Once.keep(tx, held, id)
	})
	if err = v.ledger.done(ctx, err); err != nil {
		return nil, v.refusal(err)
	}
	if running != nil {
		v.erasures.advance(ctx, v, running.ID)
	}
	return held, nil
}

// Holds lists the holds on a person.
func (v *Vault) Holds(ctx context.Context, by Caller, id privacy.SubjectID) ([]Hold, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	held := []Hold{}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		p, err := v.load(ctx, s, id)
		if err != nil {
			return err
		}
		if id == privacy.Nobody || living(p) == nil {
			return refuse(CodeUnknownSubject, "nobody is known by this reference")
		}
		for _, h := range p.standing.Holds {
			held = append(held, Hold{ID: h.ID, Subject: id, Since: h.Since, By: h.By, Reason: h.Reason})
		}
		return nil
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return held, nil
}
