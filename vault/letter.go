package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// cursor is how far a webhook is in the outbox, and how it goes.
type cursor struct {
	at        uint64 // of all up to here each was taken, has a letter, or was not to be told
	failures  int    // in a row
	status    int    // answered last
	retry     time.Time
	delivered time.Time
}

// On disk: format ‖ at (8) ‖ failures (4) ‖ status (2) ‖ retry (8) ‖ delivered (8);
// times in µs since 1970, 0 for none.
const (
	cursorFormat = 1
	cursorLen    = 1 + 8 + 4 + 2 + 8 + 8
)

func (c *cursor) pack() []byte {
	b := binary.BigEndian.AppendUint64([]byte{cursorFormat}, c.at)
	b = binary.BigEndian.AppendUint32(b, uint32(c.failures))
	b = binary.BigEndian.AppendUint16(b, uint16(c.status))
	return packTime(packTime(b, c.retry), c.delivered)
}

func packTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, make([]byte, 8)...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
}

func unpackTime(b []byte) time.Time {
	if n := binary.BigEndian.Uint64(b); n != 0 {
		return time.UnixMicro(int64(n)).UTC()
	}
	return time.Time{}
}

func readCursor(r store.Reader, id privacy.ID) (*cursor, error) {
	b, err := r.Get(bucketCursors, id[:])
	if err != nil {
		return nil, err
	}
	if len(b) != cursorLen || b[0] != cursorFormat {
		return nil, fmt.Errorf("reading how far a webhook is: %w", errIntegrity)
	}
	return &cursor{at: binary.BigEndian.Uint64(b[1:]), failures: int(binary.BigEndian.Uint32(b[9:])), status: int(binary.BigEndian.Uint16(b[13:])),
		retry: unpackTime(b[15:]), delivered: unpackTime(b[23:])}, nil
}

// letter is an event that a webhook did not take yet. It names it by its number
// only: if the event goes, with its person or with time, so does the letter.
type letter struct {
	n        uint64
	dead     bool // given up
	attempts int
	status   int // answered last; 0: nothing
	first    time.Time
	last     time.Time
	next     time.Time // not before
}

// On disk: format ‖ dead (1) ‖ attempts (4) ‖ status (2) ‖ first (8) ‖ last (8) ‖
// next (8).
const (
	letterFormat = 1
	letterLen    = 1 + 1 + 4 + 2 + 3*8
)

func (l *letter) key(webhook privacy.ID) []byte { return slices.Concat(webhook[:], number(l.n)) }

func (l *letter) pack() []byte {
	dead := byte(0)
	if l.dead {
		dead = 1
	}
	b := binary.BigEndian.AppendUint32([]byte{letterFormat, dead}, uint32(l.attempts))
	b = binary.BigEndian.AppendUint16(b, uint16(l.status))
	return packTime(packTime(packTime(b, l.first), l.last), l.next)
}

func unpackLetter(key, b []byte) (*letter, error) {
	if len(key) != len(privacy.ID{})+8 || len(b) != letterLen || b[0] != letterFormat || b[1] > 1 {
		return nil, fmt.Errorf("reading what waits for a webhook: %w", errIntegrity)
	}
	return &letter{n: binary.BigEndian.Uint64(key[len(privacy.ID{}):]), dead: b[1] == 1, attempts: int(binary.BigEndian.Uint32(b[2:])),
		status: int(binary.BigEndian.Uint16(b[6:])), first: unpackTime(b[8:]), last: unpackTime(b[16:]), next: unpackTime(b[24:])}, nil
}

// eachLetter calls fn with the letters of a webhook in the order of their events,
// until it returns store.ErrStop.
func eachLetter(r store.Reader, webhook privacy.ID, fn func(*letter) error) error {
	err := r.Scan(bucketLetters, webhook[:], after(webhook[:]), func(key, row []byte) error {
		l, err := unpackLetter(key, row)
		if err != nil {
			return err
		}
		return fn(l)
	})
	if errors.Is(err, store.ErrStop) {
		return nil
	}
	return err
}

// listener is a channel that has, or lately had, a stream of events.
type listener struct {
	until time.Time // what happens until then is kept for it
	acked uint64    // the last event it said it had dealt with
}

// On disk: format ‖ until (8, µs since 1970) ‖ acked (8).
const (
	listenerFormat = 1
	listenerLen    = 1 + 8 + 8
)

func (l *listener) pack() []byte {
	return binary.BigEndian.AppendUint64(packTime([]byte{listenerFormat}, l.until), l.acked)
}

func openListener(b []byte) (*listener, error) {
	if len(b) != listenerLen || b[0] != listenerFormat {
		return nil, fmt.Errorf("reading who listens: %w", errIntegrity)
	}
	return &listener{until: unpackTime(b[1:]), acked: binary.BigEndian.Uint64(b[9:])}, nil
}
