package vault

import (
	"bytes"
	"context"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/store"
)

// proposeRegister lets a register wait for another officer, in the place of the
// one that waits. Its number is its own: who approves it approves this text and
// no other.
func (v *Vault) proposeRegister(tx store.Tx, by Caller, yaml []byte, applied *Applied) error {
	at := micro(v.cfg.Now())
	record := registerRecord{Act: "proposed", Officer: by.Client.Officer}
	digest, err := v.govern(tx, func(gov *governance) error {
		if old := gov.waiting(isRegister); old != nil {
			record.Replaced = old.Revision
		}
		gov.drop(isRegister)
		gov.Numbered = applied.Revision
		return gov.propose(pending{ID: newChangeID(at), Kind: pendingRegister, By: by.Client.Officer, At: at, Revision: applied.Revision})
	})
	if err != nil {
		return err
	}
	if err := v.putRevision(tx, applied.Revision, revision{YAML: bytes.Clone(yaml), At: at, By: by.Client.Officer}); err != nil {
		return err
	}
	return v.noteRegister(tx, at, digest, applied, record)
}

// proposedBefore returns the number of the register that waits if it says the
// same, 0 if not.
func (v *Vault) proposedBefore(r store.Reader, gov *governance, next *register.Register) (uint64, error) {
	p := gov.waiting(isRegister)
	if p == nil {
		return 0, nil
	}
	rev, err := v.readRevision(r, p.Revision)
	if err != nil || !bytes.Equal(rev.register.Canonical(), next.Canonical()) {
		return 0, err
	}
	return p.Revision, nil
}

// ApproveRegister puts the register in force that waits under this number, at
// once and for all readers. Its author is refused with four_eyes, and a number
// under which none waits with wrong_state. New channels have no secret yet.
func (v *Vault) ApproveRegister(ctx context.Context, by Caller, number uint64) (*Applied, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var next *register.Register
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		p, err := v.registerWaiting(s, now.gov, number)
		if err != nil {
			return err
		}
		if err := p.mayApprove(now.gov, by); err != nil {
			return err
		}
		rev, err := v.readRevision(s, number)
		if err == nil {
			next = rev.register
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	rules, err := v.checkRules(ctx, next) // which may have changed since it was proposed
	if err != nil {
		return nil, err
	}
	var applied *Applied
	err = v.update(ctx, func(tx store.Tx) error {
		now, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		p, err := v.registerWaiting(tx, now.gov, number)
		if err != nil {
			return err
		}
		if err := p.mayApprove(now.gov, by); err != nil {
			return err
		}
		if now.gov.Policy != rules {
			return refuse(CodeWrongState, "the rules in force changed meanwhile; try again")
		}
		rev, err := v.openRevision(tx, number)
		if err != nil {
			return err
		}
		rev.ApprovedBy = by.Client.Officer
		applied = &Applied{Revision: number, Status: StatusActive, Warnings: []string{}, Changes: now.changes(next)}
		if err := v.putRegister(tx, next, *rev, applied, registerRecord{Act: "approved", Officer: by.Client.Officer, Proposed: p.By}); err != nil {
			return err
		}
		return by.Once.keep(tx, applied)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return applied, nil
}

// RejectRegister ends the proposal of a register, with words. Its author can take
// it back so.
func (v *Vault) RejectRegister(ctx context.Context, by Caller, number uint64, reason string) (*Applied, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	reason, err := wordsOf("reason", reason)
	if err != nil {
		return nil, err
	}
	answer := &Applied{Revision: number, Status: StatusRejected, Warnings: []string{}, Changes: []Change{}}
	err = v.update(ctx, func(tx store.Tx) error {
		at := micro(v.cfg.Now())
		record := registerRecord{Act: "rejected", Officer: by.Client.Officer, Reason: reason}
		digest, err := v.govern(tx, func(gov *governance) error {
			if err := gov.officerStill(by); err != nil {
				return err
			}
			p, err := v.registerWaiting(tx, gov, number)
			if err != nil {
				return err
			}
			record.Proposed = p.By
			gov.drop(isRegister)
			return nil
		})
		if err != nil {
			return err
		}
		rev, err := v.openRevision(tx, number)
		if err != nil {
			return err
		}
		rev.Rejected = &rejected{By: by.Client.Officer, At: at, Reason: reason}
		if err := v.putRevision(tx, number, *rev); err != nil {
			return err
		}
		if err := by.Once.keep(tx, answer); err != nil {
			return err
		}
		return v.noteRegister(tx, at, digest, answer, record)
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return answer, nil
}

// registerWaiting returns the proposal of the register of this number.
func (v *Vault) registerWaiting(r store.Reader, gov *governance, number uint64) (*pending, error) {
	if p := gov.waiting(func(p *pending) bool { return isRegister(p) && p.Revision == number }); p != nil {
		return p, nil
	}
	row, err := r.Get(bucketRegisters, revisionKey(number))
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, refuse(CodeNotFound, "there is no register revision of this number")
	}
	return nil, refuse(CodeWrongState, "this register revision does not wait for approval")
}
