package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Delivery is one event on its way to one webhook.
type Delivery struct {
	URL   string
	Event Event
	// At is the time that is signed, and Keys what signs, the newest first.
	At   time.Time
	Keys [][]byte
}

// Delivered is what became of a delivery. The webhook took the event if OK; Gone
// says that it is to get no more.
type Delivered struct {
	OK     bool
	Gone   bool
	Status int           // what it answered; 0: nothing
	After  time.Duration // how long it asks to be left alone; 0: it does not
}

const (
	roundMost     = 64                    // people in one round
	scanMost      = 512                   // rows of the outbox looked at in one round
	scanTime      = 40 * time.Millisecond // likewise: a snapshot must not last
	sendsAtOnce   = 8                     // to one webhook
	failuresStall = 4                     // in a row: then only one event is tried now and then, and no new one
	deliverTick   = time.Second
	afterMost     = time.Hour // however long a webhook asks to be left alone
	goneWords     = "it answered that it is gone (410)"
	deadWords     = "it took nothing for three days"
	afterFault    = 5 * time.Second // before a round is tried again that could not be done
)

// DeliverEvents sends events to webhooks until ctx ends, by send, which several
// goroutines call at once. Each event that a webhook's channel may know is sent to
// it until it is taken, or for three days, those about one person in the order in
// which they happened; what a process that was killed had not noted yet is sent
// again. One process at a time may deliver.
func (v *Vault) DeliverEvents(ctx context.Context, send func(context.Context, Delivery) Delivered) {
	var running sync.WaitGroup
	defer running.Wait()
	ends := map[privacy.ID]context.CancelFunc{}
	defer func() {
		for _, end := range ends {
			end()
		}
	}()
	tick := time.NewTicker(deliverTick)
	defer tick.Stop()
	for {
		news := v.outbox.news()
		hooks, err := v.hooksNow(ctx)
		if err != nil && ctx.Err() == nil {
			v.cfg.Logger.Error("webhooks cannot be read", "err", err)
		}
		if err == nil {
			for id, end := range ends {
				if !slices.Contains(hooks, id) {
					end()
					delete(ends, id)
				}
			}
			for _, id := range hooks {
				if ends[id] != nil {
					continue
				}
				on, end := context.WithCancel(ctx)
				ends[id] = end
				running.Go(func() { v.deliverTo(on, id, send) })
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-news:
		case <-tick.C:
		}
	}
}

func (v *Vault) hooksNow(ctx context.Context) (ids []privacy.ID, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		ids = nil
		return s.Scan(bucketWebhooks, nil, nil, func(key, _ []byte) error {
			if len(key) != len(privacy.ID{}) {
				return fmt.Errorf("reading webhooks: %w", errIntegrity)
			}
			ids = append(ids, privacy.ID(key))
			return nil
		})
	})
	return ids, err
}

// deliverTo sends to one webhook, round after round.
func (v *Vault) deliverTo(ctx context.Context, id privacy.ID, send func(context.Context, Delivery) Delivered) {
	for ctx.Err() == nil {
		news := v.outbox.news()
		wait := deliverTick
		r, err := v.planRound(ctx, id)
		if err == nil && r != nil {
			r.send(ctx, send)
			err = v.noteRound(ctx, r)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			v.cfg.Logger.Error("events are not delivered; it is tried again", "webhook", webhookID(id), "err", err)
			news, wait = nil, afterFault
		case r != nil && (r.more || len(r.parcels) > 0):
			continue
		}
		pause := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-news:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// round is some events for one webhook: what is to be sent, and what became of it.
type round struct {
	hook *webhookRecord
	cursor
	now   time.Time
	more  bool // there is more to be done at once
	moved bool // there is something to be noted

	parcels []*parcel
	letters map[uint64]*letter // as they are to be noted; nil: none any more
	tried   int
}

// stalled reports whether the webhook takes nothing now: then it is tried only now
// and then, with the event that was tried the longest ago and a new one.
func (r *round) stalled() bool { return r.failures >= failuresStall }

const stalledTries = 2

// parcel is what is sent about one person, in order.
type parcel struct {
	events []*Event
	ns     []uint64
}

// planRound looks at what is due for a webhook: nil if nothing is.
func (v *Vault) planRound(ctx context.Context, id privacy.ID) (r *round, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		r = nil
		hook, err := v.webhook(s, id)
		if hook == nil || err != nil {
			return err
		}
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		if hook.Disabled != "" || now.pauses(hook) != "" {
			return nil
		}
		ch, _ := now.register.Channel(hook.Channel)
		at, err := readCursor(s, id)
		if err != nil {
			return err
		}
		r = &round{hook: hook, cursor: *at, letters: map[uint64]*letter{}}
		r.now, _, _ = v.clock.now()
		p := planner{v: v, s: s, round: r, to: &viewer{regime: now, channel: ch, purposes: hook.Purposes}, busy: map[string]*parcel{}, behind: map[string]bool{}}
		if r.stalled() && r.now.Before(r.retry) {
			return nil
		}
		if err := p.letters(ctx); err != nil {
			return err
		}
		return p.news(ctx)
	})
	if err == nil && r != nil && len(r.parcels) == 0 && !r.moved {
		return nil, nil
	}
	return r, err
}

// planner fills a round.
type planner struct {
	v *Vault
	s store.Snapshot
	*round
	to   *viewer
	busy map[string]*parcel // by whom they are about; nil: their next event is not due, and later ones wait for it
	// behind are those of whom more than one letter waits: what is new comes after it.
	behind map[string]bool
}

// letters plans those that are due: of each person the first, and of a webhook that
// takes nothing the one that was tried the longest ago.
func (p *planner) letters(ctx context.Context) error {
	var first []*letter // of each person
	err := eachLetter(p.s, p.hook.id, func(l *letter) error {
		if l.dead {
			return nil
		}
		row, err := p.s.Get(bucketOutbox, number(l.n))
		if err != nil {
			return err
		}
		if row == nil { // the person is gone, or its time is over
			p.drop(l.n)
			return nil
		}
		_, at, _, err := rowOfEvent(row)
		if err != nil {
			p.drop(l.n)
			return p.v.pastDamage(l.n, err)
		}
		key := p.about(at, l.n)
		if _, waits := p.busy[key]; waits {
			p.behind[key] = true
			return nil
		}
		p.busy[key] = nil
		if p.stalled() || !p.now.Before(l.next) {
			first = append(first, l)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.stalled() && len(first) > 0 {
		first = []*letter{slices.MinFunc(first, func(a, b *letter) int { return a.last.Compare(b.last) })}
	}
	for _, l := range first[:min(len(first), roundMost)] {
		row, err := p.s.Get(bucketOutbox, number(l.n))
		if err != nil {
			return err
		}
		p.round.letters[l.n] = l
		sent, err := p.add(ctx, l.n, row)
		if err != nil {
			return err
		}
		if !sent {
			p.drop(l.n)
			p.more = true // who waited for it need not any longer
		}
	}
	return nil
}

// about is by what events are known that are about one person. That somebody was
// erased waits for nobody.
func (p *planner) about(at []byte, n uint64) string {
	if bytes.Equal(at, p.v.nobody.at.key) {
		return string(number(n))
	}
	return string(at)
}

// drop has a letter noted as gone.
func (p *planner) drop(n uint64) { p.round.letters[n], p.moved = nil, true }

// news plans what lies behind the cursor.
func (p *planner) news(ctx context.Context) error {
	looked, before, began := 0, len(p.parcels), time.Now()
	return p.s.Scan(bucketOutbox, number(p.at+1), nil, func(key, row []byte) error {
		if p.stalled() && len(p.parcels) > before {
			return store.ErrStop
		}
		if looked == scanMost || len(p.parcels) >= roundMost || time.Since(began) > scanTime {
			p.more = true
			return store.ErrStop
		}
		looked++
		n := binary.BigEndian.Uint64(key)
		_, at, _, err := rowOfEvent(row)
		if err != nil {
			p.at, p.moved = n, true
			return p.v.pastDamage(n, err)
		}
		if parcel, waits := p.busy[p.about(at, n)]; waits && parcel == nil || p.behind[p.about(at, n)] {
			e, err := p.v.openEvent(ctx, p.s, n, row)
			if err != nil {
				return err
			}
			if e != nil && slices.Contains(p.hook.Types, e.Type) { // whether it may be known is asked when its turn comes
				p.round.letters[n] = &letter{n: n}
			}
		} else if _, err := p.add(ctx, n, row); err != nil {
			return err
		}
		p.at, p.moved = n, true
		return nil
	})
}

// add plans to send an event, and reports whether the channel may know of it.
func (p *planner) add(ctx context.Context, n uint64, row []byte) (bool, error) {
	e, err := p.v.openEvent(ctx, p.s, n, row)
	if e == nil || err != nil || !slices.Contains(p.hook.Types, e.Type) {
		return false, err
	}
	told, err := p.v.toldOf(ctx, p.s, p.to, e)
	if told == nil || err != nil {
		return false, err
	}
	key := p.about(e.of.at.key, n)
	of := p.busy[key]
	if of == nil {
		of = &parcel{}
		p.busy[key], p.parcels = of, append(p.parcels, of)
	}
	of.events, of.ns = append(of.events, told), append(of.ns, n)
	return true, nil
}

// send sends the parcels, some at once, and notes in the round what became of them.
// After some failures in a row the rest is left for later.
func (r *round) send(ctx context.Context, send func(context.Context, Delivery) Delivered) {
	var mu sync.Mutex
	var sending sync.WaitGroup
	gone := false
	next := 0
	take := func() *parcel {
		mu.Lock()
		defer mu.Unlock()
		if next == len(r.parcels) {
			return nil
		}
		next++
		return r.parcels[next-1]
	}
	try := func(of *parcel) {
		for i, e := range of.events {
			mu.Lock()
			left := gone || ctx.Err() != nil || r.stalled() && r.tried >= stalledTries
			r.tried++
			mu.Unlock()
			if left {
				r.leave(&mu, of.ns[i:])
				return
			}
			out := send(ctx, Delivery{URL: r.hook.URL, Event: *e, At: r.now, Keys: r.hook.signing(r.now)})
			mu.Lock()
			gone = gone || out.Gone
			ok := r.became(of.ns[i], out, ctx.Err() != nil)
			mu.Unlock()
			if !ok {
				r.leave(&mu, of.ns[i+1:])
				return
			}
		}
	}
	for range min(sendsAtOnce, len(r.parcels)) {
		sending.Go(func() {
			for of := take(); of != nil; of = take() {
				try(of)
			}
		})
	}
	sending.Wait()
	if gone {
		r.hook.Disabled = goneWords
	}
}

// leave notes that events wait for their turn.
func (r *round) leave(mu *sync.Mutex, ns []uint64) {
	mu.Lock()
	defer mu.Unlock()
	for _, n := range ns {
		if r.letters[n] == nil {
			r.letters[n] = &letter{n: n}
		}
	}
}

// became notes what became of an event, and reports whether it was taken.
func (r *round) became(n uint64, out Delivered, cut bool) bool {
	r.moved = true
	if out.OK {
		r.failures, r.retry, r.status, r.delivered = 0, time.Time{}, out.Status, r.now
		if _, had := r.letters[n]; had {
			r.letters[n] = nil
		}
		return true
	}
	l := r.letters[n]
	if l == nil {
		l = &letter{n: n}
		r.letters[n] = l
	}
	if cut { // by the end of this process, not by the webhook
		return false
	}
	r.failures++
	r.status = out.Status
	l.attempts++
	l.status, l.last = out.Status, r.now
	if l.first.IsZero() {
		l.first = r.now
	}
	after := min(out.After, afterMost)
	l.next = r.now.Add(max(event.Again(l.attempts), after))
	r.retry = r.now.Add(max(event.Probe(r.failures), after))
	if r.now.Sub(l.first) >= event.GiveUp {
		l.dead = true
		if r.stalled() && r.now.Sub(r.delivered) >= event.GiveUp {
			r.hook.Disabled = deadWords
		}
	}
	return false
}

// noteRound makes durable what became of a round.
func (v *Vault) noteRound(ctx context.Context, r *round) error {
	if !r.moved && len(r.letters) == 0 {
		return nil
	}
	sent, failed := uint64(0), uint64(0)
	for _, p := range r.parcels {
		for _, n := range p.ns {
			if l := r.letters[n]; l == nil {
				sent++
			} else if l.last.Equal(r.now) {
				failed++
			}
		}
	}
	v.outbox.delivered.Add(sent)
	v.outbox.failed.Add(failed)
	// What was sent is to be noted even when this process ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := v.update(ctx, func(tx store.Tx) error {
		hook, err := v.webhook(tx, r.hook.id)
		if hook == nil || err != nil { // removed meanwhile
			return err
		}
		at, err := readCursor(tx, r.hook.id)
		if err != nil {
			return err
		}
		for _, p := range r.parcels {
			for _, n := range p.ns {
				if r.letters[n] != nil {
					continue
				}
				if err := v.heardOf(tx, hook.Channel, n, func(t *told) { t.Taken = orNow(t.Taken, r.now) }); err != nil {
					return err
				}
			}
		}
		recovered := at.failures >= failuresStall && !r.stalled()
		if err := tx.Put(bucketCursors, slices.Clone(r.hook.id[:]), r.pack()); err != nil {
			return err
		}
		if recovered { // what waits for later need not any longer
			if err := eachLetter(tx, r.hook.id, func(l *letter) error {
				if _, noted := r.letters[l.n]; !noted && !l.dead && l.next.After(r.now) {
					l.next = r.now
					r.letters[l.n] = l
				}
				return nil
			}); err != nil {
				return err
			}
		}
		for n, l := range r.letters {
			key := (&letter{n: n}).key(r.hook.id)
			if l == nil {
				err = tx.Delete(bucketLetters, key)
			} else {
				err = tx.Put(bucketLetters, key, l.pack())
			}
			if err != nil {
				return err
			}
		}
		if r.hook.Disabled != "" && hook.Disabled == "" {
			hook.Disabled = r.hook.Disabled
			v.cfg.Logger.Warn("a webhook is disabled", "webhook", webhookID(hook.id), "channel", hook.Channel, "why", hook.Disabled)
			return v.putWebhook(tx, hook)
		}
		return nil
	})
	if errors.Is(err, store.ErrClosed) {
		return context.Canceled
	}
	return err
}
