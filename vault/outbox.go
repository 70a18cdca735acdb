package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// The outbox holds events in the order in which what they tell of was committed, in
// the same transaction. An event is sealed under its person's key, so that nothing
// of it opens when they are erased; that somebody was erased is the vault's own. It
// stays for a week, told or not: who listens keeps a place of its own in it.
//
// Nothing is written while nobody listens: that are webhooks, and channels that had
// a stream within the week. Reads never write here.
const (
	bucketOutbox      store.Bucket = "outbox"       // number(8) → format, hour(4), place, sealed event
	bucketOutboxOf    personal     = "outbox/of"    // place, number(8) → nothing
	bucketOutboxState store.Bucket = "outbox/state" // the keys below
	bucketListeners   store.Bucket = "outbox/read"  // channel → until when its streams count (8, µs), what it acknowledged (8)
)

var (
	keyOutboxNext    = []byte("next")    // the number that the next event gets (8)
	keyOutboxTrimmed = []byte("trimmed") // up to which number events are gone because of their age (8)
	keyOutboxWanted  = []byte("wanted")  // the types that somebody listens for, apart by a line feed
)

const (
	// outboxKeeps is how long events stay, and outboxMost how many do at most.
	outboxKeeps = 7 * 24 * time.Hour
	outboxMost  = 1_000_000

	outboxFormat = 1
	outboxHead   = 1 + 4
)

// outbox is what is in memory of it.
type outbox struct {
	mu      sync.Mutex
	changed chan struct{} // closed when something was put or a webhook changed; nil: nobody waits

	ids atomic.Pointer[event.IDs]

	delivered, failed atomic.Uint64
	streams           streams
}

// news returns what is closed at the next change.
func (o *outbox) news() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return o.changed
}

// wake wakes who waits for news.
func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

// raising is a transaction that gathers what happened in it.
type raising struct {
	store.Tx
	events []raised
}

func (t *raising) raise(r raised) { t.events = append(t.events, r) }

// putEvents writes what happened in a transaction behind all that happened before,
// as far as somebody listens, and reports whether it wrote any.
func (v *Vault) putEvents(tx store.Tx, happened []raised) (any bool, err error) {
	if len(happened) == 0 {
		return false, nil
	}
	wanted, err := tx.Get(bucketOutboxState, keyOutboxWanted)
	if err != nil || len(wanted) == 0 {
		return false, err
	}
	next, err := outboxNumber(tx, keyOutboxNext)
	if err != nil {
		return false, err
	}
	for _, r := range happened {
		if !listens(wanted, r.Type) {
			continue
		}
		any, next = true, max(next, 1)
		if err := v.putEvent(tx, r, next); err != nil {
			return false, err
		}
		if r.request != (privacy.RequestID{}) {
			if err := v.sent(tx, r.request, r.Type, next); err != nil {
				return false, err
			}
		}
		next++
	}
	if any {
		err = tx.Put(bucketOutboxState, keyOutboxNext, number(next))
	}
	return any, err
}

func (v *Vault) putEvent(tx store.Tx, r raised, n uint64) error {
	sealed, err := keys.Seal(r.of.history, v.bind(r.of.id, "event", n), r.Encode())
	if err != nil {
		return err
	}
	row := binary.BigEndian.AppendUint32(append(make([]byte, 0, outboxHead+len(r.of.at.key)+len(sealed)), outboxFormat), uint32(r.Time.Unix()/3600))
	row = append(append(row, r.of.at.key...), sealed...)
	if err := bucketOutboxOf.put(tx, r.of.at.with(number(n)...), []byte{}); err != nil {
		return err
	}
	return tx.Put(bucketOutbox, number(n), row)
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func outboxNumber(r store.Reader, key []byte) (uint64, error) {
	raw, err := r.Get(bucketOutboxState, key)
	if err != nil || raw == nil {
		return 0, err
	}
	if len(raw) != 8 {
		return 0, fmt.Errorf("reading the outbox: %w", errIntegrity)
	}
	return binary.BigEndian.Uint64(raw), nil
}

// lastEvent returns the number of the last event that was put; 0: none.
func lastEvent(r store.Reader) (uint64, error) {
	next, err := outboxNumber(r, keyOutboxNext)
	return next - min(next, 1), err
}

func listens(wanted []byte, t privacy.EventType) bool {
	for one := range bytes.SplitSeq(wanted, []byte{'\n'}) {
		if string(one) == string(t) {
			return true
		}
	}
	return false
}

// listened keeps for which types somebody listens, after that changed.
func (v *Vault) listened(tx store.Tx) error {
	wanted := map[privacy.EventType]bool{}
	hooks, err := v.allWebhooks(tx)
	if err != nil {
		return err
	}
	for _, h := range hooks {
		for _, t := range h.Types {
			wanted[t] = true
		}
	}
	now, _, _ := v.clock.now()
	err = tx.Scan(bucketListeners, nil, nil, func(_, row []byte) error {
		l, err := openListener(row)
		if err == nil && now.Before(l.until) {
			for _, t := range privacy.EventTypes {
				wanted[t] = true
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	var types []string
	for t := range wanted {
		types = append(types, string(t))
	}
	slices.Sort(types)
	row := []byte(strings.Join(types, "\n"))
	if before, err := tx.Get(bucketOutboxState, keyOutboxWanted); err != nil || bytes.Equal(before, row) {
		return err
	}
	return tx.Put(bucketOutboxState, keyOutboxWanted, row)
}

// kept is an event as it lies in the outbox, with whom it is about.
type keptEvent struct {
	event.Event
	n  uint64
	of *person // the vault's own self for somebody erased, and for nobody
}

// rowOfEvent takes a row of the outbox apart.
func rowOfEvent(row []byte) (hour time.Time, at, sealed []byte, err error) {
	if len(row) <= outboxHead || row[0] != outboxFormat {
		return hour, nil, nil, fmt.Errorf("reading an event: %w", errIntegrity)
	}
	hour = time.Unix(int64(binary.BigEndian.Uint32(row[1:]))*3600, 0)
	rest := row[outboxHead:]
	n := keys.PlaceLen(rest)
	if n > len(rest) {
		return hour, nil, nil, fmt.Errorf("reading an event: %w", errIntegrity)
	}
	return hour, rest[:n], rest[n:], nil
}

// openEvent opens a row of the outbox: nil if the person is gone, of whom nothing
// is told any more but that. One that is damaged is told to the operators, and keeps
// nobody from hearing of the others.
func (v *Vault) openEvent(ctx context.Context, r store.Reader, n uint64, row []byte) (*keptEvent, error) {
	e, err := v.eventAt(ctx, r, n, row)
	return e, v.pastDamage(n, err)
}

// pastDamage is the error of something that has to do with an event, nil if it is
// that its records do not verify: then it is not told.
func (v *Vault) pastDamage(n uint64, err error) error {
	if !errors.Is(err, keys.ErrIntegrity) {
		return err
	}
	v.cfg.Logger.Error("an event cannot be read and is not told", "event", n, "err", err)
	return nil
}

func (v *Vault) eventAt(ctx context.Context, r store.Reader, n uint64, row []byte) (*keptEvent, error) {
	_, at, sealed, err := rowOfEvent(row)
	if err != nil {
		return nil, err
	}
	id, err := v.personAt(at)
	if err != nil {
		return nil, err
	}
	p := v.nobody
	if id != privacy.Nobody {
		if p, err = v.load(ctx, r, id); p == nil || err != nil {
			return nil, err
		}
	}
	plain, err := keys.Unseal(p.history, v.bind(id, "event", n), sealed)
	if err != nil {
		if t, gone := v.tombstone(r, id); t != nil || gone != nil { // and came again, as somebody new
			return nil, gone
		}
		return nil, fmt.Errorf("opening event %d: %w", n, err)
	}
	e, err := event.Decode(plain)
	if err != nil {
		return nil, fmt.Errorf("reading event %d: %w: %w", n, errIntegrity, err)
	}
	return &keptEvent{Event: *e, n: n, of: p}, nil
}

// eventIDs returns what makes the IDs of events. A restore begins the log anew, and
// with it their numbers: the same one is another event then.
func (v *Vault) eventIDs() (*event.IDs, error) {
	if made := v.outbox.ids.Load(); made != nil {
		return made, nil
	}
	made, err := event.NewIDs(v.keyring().MAC("event ids"), func(ch privacy.ChannelID) [32]byte {
		return v.keyring().MAC("event ids of", []byte(v.cfg.LogName), []byte(ch))
	})
	if err == nil {
		v.outbox.ids.Store(made)
	}
	return made, err
}

// sweepEvents removes some of the events whose time is over, and of the oldest if
// there are too many, and reports whether there may be more.
func (v *Vault) sweepEvents(ctx context.Context) (more bool, err error) {
	now, believed, _ := v.clock.now()
	if !believed {
		return false, nil
	}
	var over []uint64
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		last, err := lastEvent(s)
		if err != nil {
			return err
		}
		return s.Scan(bucketOutbox, nil, nil, func(key, row []byte) error {
			hour, _, _, err := rowOfEvent(row)
			if len(key) != 8 {
				return errIntegrity
			}
			n := binary.BigEndian.Uint64(key)
			if len(over) == sweepMost || err == nil && now.Sub(hour) < outboxKeeps+time.Hour && n+outboxMost > last {
				return store.ErrStop
			}
			over = append(over, n)
			return nil
		})
	})
	if err != nil {
		return false, err
	}
	if len(over) == 0 {
		return false, v.sweepListeners(ctx, now)
	}
	return len(over) == sweepMost, v.update(ctx, func(tx store.Tx) error {
		for _, n := range over {
			if err := v.dropEvent(tx, n); err != nil {
				return err
			}
		}
		return tx.Put(bucketOutboxState, keyOutboxTrimmed, number(over[len(over)-1]))
	})
}

// dropEvent removes one event.
func (v *Vault) dropEvent(tx store.Tx, n uint64) error {
	row, err := tx.Get(bucketOutbox, number(n))
	if row == nil || err != nil {
		return err
	}
	if err := untell(tx, n); err != nil {
		return err
	}
	_, at, _, err := rowOfEvent(row)
	if err != nil { // it is not known whose it was
		return tx.Delete(bucketOutbox, number(n))
	}
	if err := bucketOutboxOf.delete(tx, place{slices.Concat(at, number(n))}); err != nil {
		return err
	}
	return tx.Delete(bucketOutbox, number(n))
}

// eventsOf are the events of somebody that are still in the outbox.
func eventsOf(v *Vault, tx store.Tx, id privacy.SubjectID, max int) (things []func() error, err error) {
	at := v.place(id)
	keys, err := keysUnder(tx, bucketOutboxOf.all(), at.key, 8, max)
	for _, key := range keys {
		things = append(things, func() error { return v.dropEvent(tx, binary.BigEndian.Uint64(key[len(at.key):])) })
	}
	return things, err
}
