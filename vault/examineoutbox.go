package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

// lateEvent is after how long an event that a webhook does not take is worth a word.
const lateEvent = time.Hour

// outbox tells of webhooks that do not take what is sent to them: their channels go
// on with what they knew before.
func (e *examiner) outbox(ctx context.Context) error {
	var down, dead, late, paused []string
	var given, waiting, all int
	err := e.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		down, dead, late, paused, given, waiting, all = nil, nil, nil, nil, 0, 0, 0
		now, err := e.v.regime(ctx, s)
		if err != nil {
			return err
		}
		hooks, err := e.v.allWebhooks(s)
		if err != nil {
			return err
		}
		for _, h := range hooks {
			all++
			view, err := e.v.viewWebhook(s, now, h)
			if err != nil {
				return err
			}
			name := string(h.Channel) + " " + view.ID
			switch {
			case view.State == WebhookDisabled:
				down = append(down, name)
			case view.State == WebhookPaused:
				paused = append(paused, name)
			case view.Waiting > 0 && !view.oldest.IsZero() && e.v.cfg.Now().Sub(view.oldest) > lateEvent:
				late, waiting = append(late, name), waiting+view.Waiting
			}
			if view.Dead > 0 {
				dead, given = append(dead, name), given+view.Dead
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	const means = "These channels do not hear that somebody said no, was corrected or erased."
	tell := func(about []string, what, do string) {
		if len(about) > 0 {
			e.Add(Finding{Check: "webhooks", Level: Warning, What: what, Means: means, Do: do, About: about})
		}
	}
	tell(down, fmt.Sprintf("%d of %d webhooks are disabled, since they took nothing for three days or said that they are gone", len(down), all),
		"Have them mended, and let them go on with POST /v1/webhooks/{webhook}/replay within a week; or remove them.")
	tell(late, fmt.Sprintf("%d events wait for webhooks, the oldest for more than an hour", waiting), "Look at what these webhooks answer: GET /v1/webhooks shows it, and the server's log.")
	tell(dead, fmt.Sprintf("%d events are dead letters: their webhooks did not take them for three days", given), "Have the webhooks mended, and send them again with POST /v1/webhooks/{webhook}/replay within a week.")
	tell(paused, fmt.Sprintf("%d webhooks are paused: their channel is suspended, or the register does not list their host", len(paused)), "Remove them, or list their hosts under the channel's webhooks.")
	if len(down)+len(late)+len(dead)+len(paused) == 0 {
		e.Add(Finding{Check: "webhooks", Level: Fine, What: fmt.Sprintf("%d webhooks, and none is behind", all)})
	}
	return nil
}

// OutboxStats are the outbox in numbers.
type OutboxStats struct {
	Kept      uint64        // events in the outbox, told or not
	Waiting   int           // events that webhooks did not take yet
	Dead      int           // events that were given up
	Oldest    time.Duration // since the oldest that waits was first tried
	Delivered uint64        // to webhooks, since the start
	Failed    uint64        // attempts, likewise
	Streams   int           // open now
}

// OutboxStats returns the numbers as they stand.
func (v *Vault) OutboxStats() (o OutboxStats) {
	err := v.cfg.Store.View(context.Background(), func(s store.Snapshot) error {
		o = OutboxStats{Delivered: v.outbox.delivered.Load(), Failed: v.outbox.failed.Load(), Streams: v.outbox.streams.count()}
		last, err := lastEvent(s)
		if err != nil {
			return err
		}
		trimmed, err := outboxNumber(s, keyOutboxTrimmed)
		if err != nil {
			return err
		}
		o.Kept = last - min(trimmed, last)
		return s.Scan(bucketLetters, nil, nil, func(key, row []byte) error {
			l, err := unpackLetter(key, row)
			if err != nil {
				return err
			}
			switch {
			case l.dead:
				o.Dead++
			default:
				o.Waiting++
				if !l.first.IsZero() {
					o.Oldest = max(o.Oldest, v.cfg.Now().Sub(l.first))
				}
			}
			return nil
		})
	})
	if err != nil {
		v.cfg.Logger.Error("the outbox cannot be counted", "err", err)
	}
	return o
}
