package vault

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// NoticeState says whether a channel has heard of an event.
type NoticeState string

// The states of a notice.
const (
	NoticeTaken        NoticeState = "taken"        // a webhook of it took the event
	NoticeAcknowledged NoticeState = "acknowledged" // it said so
	NoticeWaiting      NoticeState = "waiting"      // a webhook did not take it yet
	NoticeGivenUp      NoticeState = "given_up"     // a webhook did not take it for three days
	NoticeKept         NoticeState = "kept"         // for its streams, and it has not said that it dealt with it
)

// Notice is that something happened to a person, and whether a channel that may know
// of it has heard: what a controller has to see to for rectification, erasure and
// restriction (Art. 19 GDPR).
type Notice struct {
	Type    privacy.EventType
	Time    time.Time
	Purpose privacy.PurposeID
	Fields  []privacy.FieldName
	Channel privacy.ChannelID
	State   NoticeState
}

// Notices lists for an officer which channels were told of what happened to a person
// within the week, the oldest first. A channel that neither has a webhook nor a stream
// is told nothing, and not named.
func (v *Vault) Notices(ctx context.Context, by Caller, id privacy.SubjectID) ([]Notice, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	notices := []Notice{}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		notices = notices[:0]
		r, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		hooks, err := v.allWebhooks(s)
		if err != nil {
			return err
		}
		if p, err := v.load(ctx, s, id); err != nil || id == privacy.Nobody || living(p) == nil {
			if err == nil {
				err = refuse(CodeUnknownSubject, "nobody is known by this reference")
			}
			return err
		}
		return bucketOutboxOf.scan(s, v.place(id), func(key, _ []byte) error {
			row, err := s.Get(bucketOutbox, key)
			if row == nil || err != nil {
				return err
			}
			for i := range r.register.Channels {
				to := &viewer{regime: r, channel: &r.register.Channels[i]}
				state, err := v.heard(ctx, s, hooks, to.channel.ID, binary.BigEndian.Uint64(key), row)
				if state == "" {
					if err != nil {
						return err
					}
					continue
				}
				e, err := v.openEvent(ctx, s, binary.BigEndian.Uint64(key), row) // anew: each is told of other fields
				if e == nil || err != nil {
					return err
				}
				told, err := v.toldOf(ctx, s, to, e)
				if err != nil {
					return err
				}
				if told != nil {
					notices = append(notices, Notice{Type: told.Type, Time: told.Time, Purpose: told.Purpose, Fields: told.Fields, Channel: to.channel.ID, State: state})
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return notices, nil
}

// heard says how far a channel is with an event, "" if it does not listen.
func (v *Vault) heard(ctx context.Context, r store.Reader, hooks []*webhookRecord, ch privacy.ChannelID, n uint64, row []byte) (state NoticeState, err error) {
	if raw, err := r.Get(bucketListeners, []byte(ch)); err != nil {
		return "", err
	} else if raw != nil {
		l, err := openListener(raw)
		if err != nil {
			return "", err
		}
		if state = NoticeKept; l.acked >= n {
			return NoticeAcknowledged, nil
		}
	}
	for _, h := range hooks {
		if h.Channel != ch {
			continue
		}
		e, err := v.openEvent(ctx, r, n, row)
		if e == nil || err != nil || !slices.Contains(h.Types, e.Type) {
			if err != nil {
				return "", err
			}
			continue
		}
		at, err := readCursor(r, h.id)
		if err != nil {
			return "", err
		}
		raw, err := r.Get(bucketLetters, (&letter{n: n}).key(h.id))
		if err != nil {
			return "", err
		}
		switch {
		case at.at < n:
			state = NoticeWaiting
		case raw == nil:
			return NoticeTaken, nil
		default:
			l, err := unpackLetter((&letter{n: n}).key(h.id), raw)
			if err != nil {
				return "", err
			}
			if state = NoticeWaiting; l.dead {
				state = NoticeGivenUp
			}
		}
	}
	return state, nil
}
