package vault

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// CodeTooOld says that events were missed: they are gone because of their age.
const CodeTooOld = "too_old"

// streamsMost is how many streams of events a channel may have at once.
const streamsMost = 8

// listenAgain is when a stream that goes on has it kept anew that its channel
// listens.
const listenAgain = 24 * time.Hour

// streams counts those of each channel.
type streams struct {
	mu   sync.Mutex
	open map[privacy.ChannelID]int
}

func (s *streams) begin(ch privacy.ChannelID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[privacy.ChannelID]int{}
	}
	if s.open[ch] >= streamsMost {
		return false
	}
	s.open[ch]++
	return true
}

func (s *streams) end(ch privacy.ChannelID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[ch]--; s.open[ch] == 0 {
		delete(s.open, ch)
	}
}

func (s *streams) count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, open := range s.open {
		n += open
	}
	return n
}

// EventsRequest asks for a stream of events.
type EventsRequest struct {
	// After is the ID of an event, or a mark, to go on after. Default: from now on.
	After string
	// Types of events. Default: all.
	Types []privacy.EventType
}

// eventStream is a channel's place among the events.
type eventStream struct {
	v     *Vault
	by    Caller
	types []privacy.EventType
	at    uint64 // of the last event that was looked at
	until time.Time
}

// streamTick is how long a stream says nothing at most.
const streamTick = time.Second

// StreamEvents tells a channel of events until ctx ends or tell returns an error,
// which it returns. tell is called once at the beginning, then whenever there are
// events, a few at a time, each decided just before it is told, and every second
// without any. mark is an ID from which a stream can go on at this place. From the
// beginning of a stream until a week after its end events are kept for the channel.
//
// It returns CodeTooOld if events that were to be told are gone, CodeRateLimited if the
// channel has many streams, and what a read would be refused with for a channel that
// may not listen any more.
func (v *Vault) StreamEvents(ctx context.Context, by Caller, req EventsRequest, tell func(some []Event, mark func() string) error) error {
	for _, t := range req.Types {
		if !slices.Contains(privacy.EventTypes, t) {
			return invalid("types", "invalid_value", "expected types of events that there are")
		}
	}
	s := &eventStream{v: v, by: by, types: req.Types}
	if !v.outbox.streams.begin(by.Client.Channel) {
		return &Error{Code: CodeRateLimited, Detail: "this channel has as many streams of events as it may", RetryAfter: 10 * time.Second}
	}
	defer v.outbox.streams.end(by.Client.Channel)
	if err := s.listen(ctx, req.After); err != nil {
		return v.refusal(err)
	}
	if err := tell(nil, s.mark); err != nil {
		return err
	}
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	for {
		news := v.outbox.news()
		told, more, err := s.next(ctx)
		if err != nil {
			return v.refusal(err)
		}
		if len(told) > 0 {
			if err := tell(told, s.mark); err != nil {
				return err
			}
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		case <-tick.C:
			if err := tell(nil, s.mark); err != nil {
				return err
			}
		}
	}
}

// listen has it kept that the channel listens, and finds where the stream begins.
func (s *eventStream) listen(ctx context.Context, lastID string) error {
	now, _, _ := s.v.clock.now()
	return s.v.update(ctx, func(tx store.Tx) error {
		r, err := s.v.regime(ctx, tx)
		if err != nil {
			return err
		}
		ch, err := r.channelOf(s.by)
		if err != nil {
			return err
		}
		last, err := lastEvent(tx)
		if err != nil {
			return err
		}
		if s.at = last; lastID != "" {
			if s.at, err = s.v.numberOf(tx, ch.ID, lastID); err != nil {
				return err
			}
		}
		l, err := listenerOf(tx, ch.ID)
		if err != nil {
			return err
		}
		s.until = now.Add(listenAgain)
		if lastID != "" && !now.Before(l.until) {
			return tooOld() // nothing was kept for it since
		}
		if l.until.Sub(now) > outboxKeeps-listenAgain {
			return nil // kept within the day
		}
		l.until = now.Add(outboxKeeps)
		if err := tx.Put(bucketListeners, []byte(ch.ID), l.pack()); err != nil {
			return err
		}
		return s.v.listened(tx)
	})
}

func tooOld() error {
	return refuse(CodeTooOld, "events after this one are no longer kept: read anew what is needed, then begin a stream without Last-Event-ID")
}

func listenerOf(r store.Reader, ch privacy.ChannelID) (*listener, error) {
	row, err := r.Get(bucketListeners, []byte(ch))
	if err != nil {
		return nil, err
	}
	if row == nil {
		return &listener{}, nil
	}
	return openListener(row)
}

// numberOf returns the number behind an ID that a channel was shown, or CodeTooOld
// if events after it are gone.
func (v *Vault) numberOf(r store.Reader, ch privacy.ChannelID, id string) (uint64, error) {
	ids, err := v.eventIDs()
	if err != nil {
		return 0, err
	}
	n, ok := ids.Number(ch, id)
	if !ok {
		if event.LooksLikeID(id) { // of before a restore
			return 0, tooOld()
		}
		return 0, invalid("event", "invalid_value", "expected the ID of an event of this channel")
	}
	trimmed, err := outboxNumber(r, keyOutboxTrimmed)
	if err == nil && n < trimmed {
		err = tooOld()
	}
	return n, err
}

// next returns the next events that the channel may know now, and whether there may
// be more.
func (s *eventStream) next(ctx context.Context) (told []Event, more bool, err error) {
	if now, _, _ := s.v.clock.now(); now.After(s.until) {
		if err := s.listen(ctx, s.mark()); err != nil {
			return nil, false, err
		}
	}
	at := s.at
	err = s.v.cfg.Store.View(ctx, func(r store.Snapshot) error {
		told, more, at = nil, false, s.at
		now, err := s.v.regime(ctx, r)
		if err != nil {
			return err
		}
		ch, err := now.channelOf(s.by)
		if err != nil {
			return err
		}
		trimmed, err := outboxNumber(r, keyOutboxTrimmed)
		if err != nil {
			return err
		}
		if s.at < trimmed {
			return tooOld()
		}
		to := &viewer{regime: now, channel: ch, purposes: s.by.Purposes}
		looked, began := 0, time.Now()
		return r.Scan(bucketOutbox, number(s.at+1), nil, func(key, row []byte) error {
			if more = looked == scanMost || len(told) == nextMost || time.Since(began) > scanTime; more {
				return store.ErrStop
			}
			looked++
			n := binary.BigEndian.Uint64(key)
			e, err := s.v.openEvent(ctx, r, n, row)
			if err != nil {
				return err
			}
			if e != nil && (len(s.types) == 0 || slices.Contains(s.types, e.Type)) {
				one, err := s.v.toldOf(ctx, r, to, e)
				if err != nil {
					return err
				}
				if one != nil {
					told = append(told, *one)
				}
			}
			at = n
			return nil
		})
	})
	if err != nil {
		return nil, false, err
	}
	s.at = at
	return told, more, nil
}

// nextMost is how many events are told at once.
const nextMost = 8

// mark returns an ID from which a stream can go on where this one is.
func (s *eventStream) mark() string {
	ids, err := s.v.eventIDs()
	if err != nil {
		return ""
	}
	return ids.Mark(s.by.Client.Channel, s.at)
}

// AckEvents keeps that a channel has dealt with the event of this ID and all before
// it that it was told.
func (v *Vault) AckEvents(ctx context.Context, by Caller, id string) error {
	var before, upTo uint64
	err := v.update(ctx, func(tx store.Tx) error {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		ch, err := r.channelOf(by)
		if err != nil {
			return err
		}
		n, err := v.numberOf(tx, ch.ID, id)
		if err != nil {
			return err
		}
		l, err := listenerOf(tx, ch.ID)
		if err != nil {
			return err
		}
		before, upTo = l.acked, n
		if before, err = v.acknowledged(tx, ch.ID, before, upTo); err != nil {
			return err
		}
		l.acked = max(l.acked, n)
		if err := tx.Put(bucketListeners, []byte(ch.ID), l.pack()); err != nil {
			return err
		}
		return by.Once.keep(tx, nil)
	})
	for err == nil && before < upTo {
		err = v.update(ctx, func(tx store.Tx) (err error) {
			before, err = v.acknowledged(tx, by.Client.Channel, before, upTo)
			return err
		})
	}
	if err != nil {
		return v.refusal(err)
	}
	return nil
}

// sweepListeners forgets channels that had no stream for long.
func (v *Vault) sweepListeners(ctx context.Context, now time.Time) error {
	var over [][]byte
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		return s.Scan(bucketListeners, nil, nil, func(key, row []byte) error {
			l, err := openListener(row)
			if err == nil && !now.Before(l.until) {
				over = append(over, slices.Clone(key))
			}
			return err
		})
	})
	if err != nil || len(over) == 0 {
		return err
	}
	return v.update(ctx, func(tx store.Tx) error {
		for _, key := range over {
			l, err := listenerOf(tx, privacy.ChannelID(key))
			if err != nil || now.Before(l.until) {
				return err
			}
			if err := tx.Delete(bucketListeners, key); err != nil {
				return err
			}
		}
		return v.listened(tx)
	})
}
