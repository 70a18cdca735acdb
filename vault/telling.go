package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// A correction, a restriction and an erasure are told to every channel that was shown
// what they are about (Art. 19 GDPR), by the records of what was released: also to one
// that may see nothing of the person any more. The request keeps who that was, and
// when each heard of it.
//
//	outbox/told   number(8) channel → request(16): events whose hearing a request keeps
const bucketTold store.Bucket = "outbox/told"

// shownTo is a channel that was shown something of a person.
type shownTo struct {
	channel privacy.ChannelID
	fields  map[privacy.FieldName]time.Time // of which anything was, each with when first
	// later is when the person is shown that: what is confidential until then is told
	// to them no sooner by what is made of it here. Zero: they are.
	later time.Time
}

// told is that a channel is told of what a request did, as it is kept in the request.
// It names nobody.
type told struct {
	Channel privacy.ChannelID   `json:"channel"`
	Type    privacy.EventType   `json:"type"`
	Fields  []privacy.FieldName `json:"fields,omitempty"`
	Later   time.Time           `json:"later,omitzero"` // the person is shown it then
	Event   uint64              `json:"event,omitempty"`
	At      time.Time           `json:"at,omitzero"` // zero: it did not listen
	Taken   time.Time           `json:"taken_at,omitzero"`
	Acked   time.Time           `json:"acknowledged_at,omitzero"`
}

// shownMost is how many accesses of a person are gone through for who was shown what:
// an act that waits for it must not wait for ever, nor who is asked about without end.
const shownMost = 4096

// whoHad returns the channels that were shown something of a person by the log, in the
// last shownMost accesses. That it cannot be found out is in no act's
// way: then the channels that may see the person are told.
func (v *Vault) whoHad(ctx context.Context, id privacy.SubjectID) []shownTo {
	all, err := v.shownTo(ctx, id)
	if err != nil && ctx.Err() == nil {
		v.cfg.Logger.Error("who was shown something of a person cannot be found out; only who may see them now is told", "err", err)
	}
	return all
}

func (v *Vault) shownTo(ctx context.Context, id privacy.SubjectID) ([]shownTo, error) {
	if err := v.follower.CatchUp(ctx, v.cfg.Store.Size()); err != nil {
		return nil, err
	}
	own := &ownAccesses{v: v, now: v.earliestNow()}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		if own.regime, err = v.regime(ctx, s); err != nil {
			return err
		}
		own.p, err = v.load(ctx, s, id)
		return err
	})
	if err != nil || own.p == nil || !own.p.known() {
		return nil, err
	}
	seen := map[privacy.ChannelID]*shownTo{}
	looked := 0
	err = v.eachAccess(ctx, own.p, func(r *accessRecord) error {
		if looked++; looked > shownMost {
			return store.ErrStop
		}
		if !r.disclosed() {
			return nil
		}
		one := seen[r.Channel]
		shown := own.shownFrom(r)
		if one == nil {
			one = &shownTo{channel: r.Channel, fields: map[privacy.FieldName]time.Time{}, later: shown}
			seen[r.Channel] = one
		}
		if shown.Before(one.later) { // zero first
			one.later = shown
		}
		for _, f := range r.Released { // the latest come first
			one.fields[f] = r.At
		}
		for f := range r.Masked {
			one.fields[f] = r.At
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrStop) {
		return nil, err
	}
	all := make([]shownTo, 0, len(seen))
	for _, ch := range slices.Sorted(maps.Keys(seen)) {
		all = append(all, *seen[ch])
	}
	return all, nil
}

// disclosed reports whether a channel was shown something by an access. What people
// were given of themselves went to nobody else.
func (r *accessRecord) disclosed() bool {
	return r.Channel != "" && len(r.Released)+len(r.Masked) > 0 && (r.Session == nil || r.Session.Act != SessionExported)
}

// since leaves of what channels were shown the fields that changed, as far as they
// were shown before that: when it was, by field. Nil: all fields, whenever.
func since(all []shownTo, changed map[privacy.FieldName]time.Time) (some []shownTo) {
	for _, one := range all {
		if changed != nil {
			left := map[privacy.FieldName]time.Time{}
			for f, first := range one.fields {
				if at, ok := changed[f]; ok && !first.After(at) {
					left[f] = first
				}
			}
			if one.fields = left; len(left) == 0 {
				continue
			}
		}
		some = append(some, one)
	}
	return some
}

// changedAt says that fields changed at a time.
func changedAt(fields []privacy.FieldName, at time.Time) map[privacy.FieldName]time.Time {
	changed := map[privacy.FieldName]time.Time{}
	for _, f := range fields {
		changed[f] = at
	}
	return changed
}

// tellings are what a request keeps of whom it is told.
func tellings(all []shownTo, t privacy.EventType) (list []told) {
	for _, one := range all {
		list = append(list, told{Channel: one.channel, Type: t, Fields: slices.Sorted(maps.Keys(one.fields)), Later: one.later})
	}
	return list
}

// hadOf is that in an event: of one that names fields each channel with its own.
func hadOf(all []shownTo, fields bool) (list []event.Had) {
	for _, one := range all {
		h := event.Had{Channel: one.channel}
		if fields {
			h.Fields = slices.Sorted(maps.Keys(one.fields))
		}
		list = append(list, h)
	}
	return list
}

// toldBefore are the channels that a request told of something.
func toldBefore(all []told) (had []shownTo) {
	for i := range all {
		had = append(had, shownTo{channel: all[i].Channel})
	}
	return had
}

// telling is what a record of the log needs so that whom it is about is told to who was
// shown it, and a request keeps who heard.
type telling struct {
	request privacy.RequestID // zero: none keeps it
	had     []shownTo
	only    bool // nobody else is told
}

// requested is the request that keeps who hears of an event.
func (t *telling) requested() (id privacy.RequestID) {
	if t != nil {
		id = t.request
	}
	return id
}

// at is a telling of what changed of some fields at a time.
func (t *telling) at(fields []privacy.FieldName, at time.Time) *telling {
	if t == nil {
		return nil
	}
	return &telling{request: t.request, had: since(t.had, changedAt(fields, at)), only: t.only}
}

// tells adds to an event who was shown what it is about.
func (t *telling) tells(e event.Event, fields bool) event.Event {
	if t != nil {
		e.Had, e.Only = hadOf(t.had, fields), t.only
	}
	return e
}

// sent notes in a request which channels are told by an event: those that listen.
func (v *Vault) sent(tx store.Tx, request privacy.RequestID, t privacy.EventType, n uint64) error {
	q, err := v.requestOf(tx, request)
	if q == nil || err != nil {
		return err
	}
	hooks, err := v.allWebhooks(tx)
	if err != nil {
		return err
	}
	now, _, _ := v.clock.now()
	for i := range q.Told {
		one := &q.Told[i]
		if one.Type != t || one.Event != 0 {
			continue
		}
		listens, err := v.listensTo(tx, hooks, one.Channel, t, now)
		if err != nil {
			return err
		}
		if !listens {
			continue
		}
		one.Event, one.At = n, now
		if err := tx.Put(bucketTold, toldKey(n, one.Channel), bytes.Clone(request[:])); err != nil {
			return err
		}
	}
	return v.saveRequest(tx, q)
}

func toldKey(n uint64, ch privacy.ChannelID) []byte { return append(number(n), ch...) }

// listensTo reports whether a channel has a webhook or a stream for events of a type.
func (v *Vault) listensTo(r store.Reader, hooks []*webhookRecord, ch privacy.ChannelID, t privacy.EventType, now time.Time) (bool, error) {
	if slices.ContainsFunc(hooks, func(h *webhookRecord) bool { return h.Channel == ch && h.Disabled == "" && slices.Contains(h.Types, t) }) {
		return true, nil
	}
	l, err := listenerOf(r, ch)
	return err == nil && now.Before(l.until), err
}

// heardMost is how many requests one transaction notes that a channel heard of.
const heardMost = 256

// acknowledged notes in requests that a channel dealt with all events behind one number
// up to another: with some of them, and up to which.
func (v *Vault) acknowledged(tx store.Tx, ch privacy.ChannelID, after, upTo uint64) (to uint64, err error) {
	var numbers []uint64
	to = upTo
	err = tx.Scan(bucketTold, number(after+1), number(upTo+1), func(key, _ []byte) error {
		if len(key) < 8 {
			return fmt.Errorf("reading who is told: %w", errIntegrity)
		}
		if string(key[8:]) != string(ch) {
			return nil
		}
		n := binary.BigEndian.Uint64(key)
		if len(numbers) == heardMost {
			to = n - 1
			return store.ErrStop
		}
		numbers = append(numbers, n)
		return nil
	})
	if err != nil {
		return 0, err
	}
	now, _, _ := v.clock.now()
	for _, n := range numbers {
		if err := v.heardOf(tx, ch, n, func(t *told) { t.Acked = orNow(t.Acked, now) }); err != nil {
			return 0, err
		}
	}
	return to, nil
}

// heardOf notes in the request of an event, if it has one, that a channel heard of it.
func (v *Vault) heardOf(tx store.Tx, ch privacy.ChannelID, n uint64, note func(*told)) error {
	row, err := tx.Get(bucketTold, toldKey(n, ch))
	if row == nil || err != nil {
		return err
	}
	if len(row) != len(privacy.RequestID{}) {
		return fmt.Errorf("reading who is told: %w", errIntegrity)
	}
	q, err := v.requestOf(tx, privacy.RequestID(row))
	if q == nil || err != nil {
		return err
	}
	for i := range q.Told {
		if one := &q.Told[i]; one.Event == n && one.Channel == ch {
			note(one)
		}
	}
	return v.saveRequest(tx, q)
}

// untell removes whose hearing of an event is kept, with the event.
func untell(tx store.Tx, n uint64) error {
	var keys [][]byte
	err := tx.Scan(bucketTold, number(n), number(n+1), func(key, _ []byte) error {
		keys = append(keys, bytes.Clone(key))
		return nil
	})
	for _, key := range keys {
		if err == nil {
			err = tx.Delete(bucketTold, key)
		}
	}
	return err
}

// The states of a channel that a request tells, beside those of a notice.
const (
	NoticeUnreached NoticeState = "unreached" // it has neither a webhook nor a stream: somebody has to tell it
	NoticeMissed    NoticeState = "missed"    // it did not hear while the event was kept
)

// Told is a channel that was shown what a request is about, and whether it heard.
type Told struct {
	Channel   privacy.ChannelID
	Title     privacy.Text
	Recipient string // the third party that reads there; "": the controller
	Type      privacy.EventType
	Fields    []privacy.FieldName // that it was shown
	State     NoticeState
	At        time.Time // since when the event lies there for it; zero: it does not
	Heard     time.Time // when it acknowledged it, or else its webhook took it; zero: not yet
}

// toldOfRequest returns whom a request tells, as it is now: to the person without those
// that they are shown later, of which there are so many.
func (v *Vault) toldOfRequest(ctx context.Context, s store.Snapshot, reg *register.Register, q *requestRecord, person bool) (all []Told, later int, err error) {
	if len(q.Told) == 0 {
		return nil, 0, nil
	}
	hooks, err := v.allWebhooks(s)
	if err != nil {
		return nil, 0, err
	}
	now := v.earliestNow()
	for i := range q.Told {
		kept := &q.Told[i]
		if person && now.Before(kept.Later) {
			later++
			continue
		}
		one := Told{Channel: kept.Channel, Type: kept.Type, Fields: kept.Fields, At: kept.At}
		if ch, ok := reg.Channel(kept.Channel); ok {
			one.Title, one.Recipient = ch.Title, ch.Recipient
		}
		if one.State, one.Heard, err = v.hearing(ctx, s, hooks, q, kept); err != nil {
			return nil, 0, err
		}
		all = append(all, one)
	}
	return all, later, nil
}

// hearing says how far a channel is with what a request tells it.
func (v *Vault) hearing(ctx context.Context, s store.Snapshot, hooks []*webhookRecord, q *requestRecord, t *told) (NoticeState, time.Time, error) {
	switch {
	case !t.Acked.IsZero():
		return NoticeAcknowledged, t.Acked, nil
	case !t.Taken.IsZero():
		return NoticeTaken, t.Taken, nil
	case t.Event == 0:
		return NoticeUnreached, time.Time{}, nil
	}
	row, err := s.Get(bucketTold, toldKey(t.Event, t.Channel))
	if err != nil || !bytes.Equal(row, q.ID[:]) {
		return NoticeMissed, time.Time{}, err
	}
	if row, err = s.Get(bucketOutbox, number(t.Event)); err != nil || row == nil {
		return NoticeMissed, time.Time{}, err
	}
	state, err := v.heard(ctx, s, hooks, t.Channel, t.Event, row)
	if state == "" {
		state = NoticeUnreached
	}
	return state, time.Time{}, err
}

// confirmed counts those that were told of something, and of them those that heard.
func confirmed(all []told) (sent, heard int) {
	for i := range all {
		if !all[i].At.IsZero() {
			sent++
		}
		if !all[i].Taken.IsZero() || !all[i].Acked.IsZero() {
			heard++
		}
	}
	return sent, heard
}
