package vault

import (
	"context"
	"runtime"
	"time"
)

// pace keeps work that nobody waits for out of the way of reads. While somebody
// reads, one worker alone goes on, and rests nineteen times as long as it worked;
// while nobody does, all work, and let others go first between two pieces.
type pace struct {
	v      *Vault
	worker int
	seen   uint64        // reads when it was looked last
	until  time.Time     // somebody reads until then, as far as that can be known
	worked time.Duration // since the last rest
}

// The parts of a pace.
const (
	restFactor = 19                     // a twentieth of a processor
	piece      = 200 * time.Microsecond // of work between two rests
	quiet      = 100 * time.Millisecond // without a read: nobody reads
)

func (v *Vault) newPace(worker int) *pace { return &pace{v: v, worker: worker, seen: v.asked.Load()} }

// rest is called after each piece of work, and ends with ctx.
func (p *pace) rest(ctx context.Context, worked time.Duration) error {
	p.worked += worked
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := time.Now()
		if asked := p.v.asked.Load(); asked != p.seen {
			p.seen, p.until = asked, now.Add(quiet)
		}
		if !now.Before(p.until) {
			p.worked = 0
			runtime.Gosched()
			return nil
		}
		if p.worker == 0 && p.worked < piece {
			return nil
		}
		wait := quiet
		if p.worker == 0 {
			wait, p.worked = p.worked*restFactor, 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if p.worker == 0 {
			return ctx.Err()
		}
	}
}
