package vault

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// clockTolerance is how far the clock may stand behind the last commit, or off
// the monotonic clock, and still be believed.
const clockTolerance = 10 * time.Minute

// aheadTolerance is how far ahead of the clock an act or an observation may be.
const aheadTolerance = 60 * time.Second

var keyClock = []byte("clock")

// clock tells the time and whether to believe it. A clock more than ten
// minutes behind the last commit, or off the monotonic clock within one
// process, is not believed until an officer confirms it: until then reads take
// whichever time releases less, nothing is deleted and no grant is recorded.
type clock struct {
	read func() time.Time

	mu        sync.Mutex // guards the rest
	start     time.Time  // with its monotonic reading, where the clock has one
	committed time.Time  // of the last commit
	doubted   bool
}

func openClock(ctx context.Context, v *Vault) (*clock, error) {
	c := &clock{read: v.cfg.Now, start: v.cfg.Now()}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		raw, err := s.Get(bucketMeta, keyClock)
		if len(raw) == 8 {
			c.committed = time.UnixMicro(int64(binary.BigEndian.Uint64(raw))).UTC()
		}
		return err
	})
	if v.ledger.seen.Written.After(c.committed) {
		c.committed = v.ledger.seen.Written
	}
	return c, err
}

// now returns the time, whether it is believed, and if not the other time to
// decide by.
func (c *clock) now() (now time.Time, believed bool, other time.Time) {
	t := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	// Round(0) strips the monotonic reading: the difference between the two
	// ways of measuring is how far the wall clock was moved.
	moved := t.Round(0).Sub(c.start.Round(0)) - t.Sub(c.start)
	if moved.Abs() > clockTolerance || c.committed.Sub(t) > clockTolerance {
		c.doubted = true
	}
	return t.UTC().Truncate(time.Microsecond), !c.doubted, c.committed
}

// commit returns what to store with a commit made now.
func (c *clock) commit(now time.Time) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.After(c.committed) && !c.doubted {
		c.committed = now
	}
	return binary.BigEndian.AppendUint64(nil, uint64(c.committed.UnixMicro()))
}

func (c *clock) confirm() time.Time {
	t := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.committed, c.doubted = t, t.UTC().Truncate(time.Microsecond), false
	return c.committed
}

// ConfirmClock makes an officer's word the end of a doubt about the clock.
func (v *Vault) ConfirmClock(ctx context.Context, by Caller) error {
	if err := v.mustOfficer(by); err != nil {
		return err
	}
	now := v.clock.confirm()
	err := v.update(ctx, func(tx store.Tx) error {
		if err := by.Once.keep(tx, nil); err != nil {
			return err
		}
		return v.note(tx, log.Clock, privacy.NewID(now), clockRecord{At: now, Officer: by.Client.Officer})
	})
	if err != nil {
		return v.refusal(err)
	}
	v.erasures.look()             // what waited for it
	return v.ledger.noteHead(ctx) // or the next start would doubt it again
}

type clockRecord struct {
	At      time.Time `json:"at"`
	Officer string    `json:"officer"`
}

// update runs fn in an update, puts what happened in it into the outbox, and stamps
// the time of the commit.
func (v *Vault) update(ctx context.Context, fn func(store.Tx) error) error {
	told := false
	_, err := v.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		in := &raising{Tx: tx}
		if err := fn(in); err != nil {
			return err
		}
		if told, err = v.putEvents(tx, in.events); err != nil {
			return err
		}
		now, _, _ := v.clock.now()
		return tx.Put(bucketMeta, keyClock, v.clock.commit(now))
	})
	if err == nil && told {
		v.outbox.wake()
	}
	if err == nil && v.ledger != nil {
		err = v.ledger.noteClients(ctx)
	}
	return err
}
