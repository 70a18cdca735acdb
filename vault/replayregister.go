package vault

import (
	"context"

	"github.com/sayso-vault/sayso/policy/replay"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// RegisterReplay is what a register would have made of what really happened.
type RegisterReplay struct {
	Revision uint64 // of one that waits; 0: of a text that is not kept
	replay.Report
}

// ReplayRegister decides every recorded read of a period again, as ReplayPolicy
// does, under a register in the place of the one that was in force, with the rules
// that were. What people said stays as they said it, so a field that comes to a
// purpose is covered only by consents that covered it before. A question that
// asked for all fields of its purpose asks for all of them there.
func (v *Vault) ReplayRegister(ctx context.Context, by Caller, file string, yaml []byte, req ReplayRequest, progress func(done, of uint64)) (*RegisterReplay, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	next, _, err := parseRegister(file, yaml)
	if err != nil {
		return nil, err
	}
	if _, err := v.checkRules(ctx, next); err != nil {
		return nil, err
	}
	return v.replayRegister(ctx, by, 0, next, req, progress)
}

// ReplayPendingRegister is that for the register that waits under a number.
func (v *Vault) ReplayPendingRegister(ctx context.Context, by Caller, number uint64, req ReplayRequest, progress func(done, of uint64)) (*RegisterReplay, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var next *register.Register
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		if _, err := v.registerWaiting(s, now.gov, number); err != nil {
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
	return v.replayRegister(ctx, by, number, next, req, progress)
}

func (v *Vault) replayRegister(ctx context.Context, by Caller, number uint64, next *register.Register, req ReplayRequest, progress func(done, of uint64)) (*RegisterReplay, error) {
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	report, err := v.replay(ctx, by, &replaying{now: now, register: next}, req, progress)
	if err != nil {
		return nil, err
	}
	err = v.update(ctx, func(tx store.Tx) error {
		at := micro(v.cfg.Now())
		return v.note(tx, log.Register, privacy.NewID(at), registerRecord{Format: 1, At: at, Officer: by.Client.Officer, Act: actReplayed, Revision: number,
			Changes: now.changes(next), Replay: summaryOf(req, report)})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return &RegisterReplay{Revision: number, Report: *report}, nil
}
