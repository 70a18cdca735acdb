package vault

import (
	"context"
	"runtime"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// OnErasure has fn called at every step of an erasure, outside of transactions. An
// error of it ends the erasure there, as a crash would.
func (v *Vault) OnErasure(fn func(step string) error) {
	if fn == nil {
		v.erasures.fault.Store(nil)
		return
	}
	v.erasures.fault.Store(&fn)
}

// Completed returns when a request is. It helps where the background would wait.
func (v *Vault) Completed(ctx context.Context, id privacy.RequestID) error {
	for {
		var q *requestRecord
		err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
			q, err = v.requestOf(s, id)
			return err
		})
		if err != nil || q == nil || !q.open() {
			return err
		}
		if _, err := v.pursue(ctx); err != nil {
			return err
		}
	}
}

// Pursue does what can be done for all open erasures now. Where the background
// turns keys meanwhile, it waits for that.
func (v *Vault) Pursue(ctx context.Context) error {
	if _, err := v.pursue(ctx); err != nil {
		return err
	}
	for !v.rotating.TryLock() {
		if err := ctx.Err(); err != nil {
			return err
		}
		runtime.Gosched()
	}
	v.rotating.Unlock()
	return nil
}

// Forgotten returns when nothing of whom a request is about is left in the vault's
// own files but what stays.
func (v *Vault) Forgotten(ctx context.Context, id privacy.RequestID) error {
	return v.erasures.advanceNow(ctx, v, id)
}

// HashesOf returns under which keyed hashes somebody can be known, by what keeps
// them.
func (v *Vault) HashesOf(id privacy.SubjectID) map[string][]byte {
	asked, ledger := (&reference{id: id}).hash(v), v.ledger.subject(id)
	return map[string][]byte{"erased": v.tombKey(id), "asked": asked[:], "ledger": ledger[:]}
}

// Place returns what the keys of somebody's rows begin with.
func (v *Vault) Place(id privacy.SubjectID) []byte { return v.place(id).key }

// Kept is what a retention run did.
type Kept = kept

// KeepLimits makes one.
func (v *Vault) KeepLimits(ctx context.Context) (Kept, error) { return v.keepLimits(ctx) }

// Restricted says of somebody that their data is only to be stored, or no longer.
func (v *Vault) Restricted(ctx context.Context, id privacy.SubjectID, on bool) error {
	return v.update(ctx, func(tx store.Tx) error {
		p, err := v.load(ctx, tx, id)
		if err != nil {
			return err
		}
		now, _, _ := v.clock.now()
		if p.standing.Restricted = now; !on {
			p.standing.Restricted = time.Time{}
		}
		digest, err := v.saveDigest(tx, p)
		if err != nil {
			return err
		}
		return v.noteOf(tx, p, log.Consent, privacy.NewID(now), groundRecord{Format: 1, At: now, Standing: digest})
	})
}
