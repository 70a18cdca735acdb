package event

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Event is that something happened to a person, without any value.
type Event struct {
	Type    privacy.EventType
	Time    time.Time // when the vault took it in, in microseconds
	Purpose privacy.PurposeID
	Fields  []privacy.FieldName
	// Before is the version of the person's standing until then; 0: there was none,
	// or it did not change.
	Before uint64

	// Subject and To are of somebody erased: who it was, which nothing else tells
	// any more, and the channels that could see them.
	Subject privacy.SubjectID
	To      []privacy.ChannelID

	// Had are channels that were shown what the event is about: they are told, whether
	// they may see the person now or not. Only says that nobody else is.
	Had  []Had
	Only bool
}

// Had is a channel that was shown what an event is about; of one that names fields,
// these.
type Had struct {
	Channel privacy.ChannelID
	Fields  []privacy.FieldName
}

// ErrFormat is returned for bytes that Encode did not write.
var ErrFormat = errors.New("not an event as it is kept")

const (
	format = 1

	flagErased = 1 << 0
	flagHad    = 1 << 1
	flagOnly   = 1 << 2
)

// Encode returns the event as it is sealed:
//
//	format (1) ‖ flags (1) ‖ time (8, µs since 1970) ‖
//	uvarint before ‖ type ‖ purpose ‖ uvarint n, n fields ‖
//	[subject (16) ‖ uvarint n, n channels]                    if flags has bit 0
//	[uvarint n, n × (channel ‖ uvarint m, m fields)]          if flags has bit 1
//
// Bit 2 of the flags says that only those are told.
//
// Texts have their length before them, as a uvarint.
func (e *Event) Encode() []byte {
	var flags byte
	if e.Subject != privacy.Nobody {
		flags |= flagErased
	}
	if len(e.Had) > 0 {
		flags |= flagHad
	}
	if e.Only {
		flags |= flagOnly
	}
	b := append(make([]byte, 0, 96), format, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time.UnixMicro()))
	b = binary.AppendUvarint(b, e.Before)
	b = texts(b, e.Type)
	b = texts(b, e.Purpose)
	b = texts(binary.AppendUvarint(b, uint64(len(e.Fields))), e.Fields...)
	if flags&flagErased != 0 {
		b = append(b, e.Subject[:]...)
		b = texts(binary.AppendUvarint(b, uint64(len(e.To))), e.To...)
	}
	if flags&flagHad != 0 {
		b = binary.AppendUvarint(b, uint64(len(e.Had)))
		for _, h := range e.Had {
			b = texts(b, h.Channel)
			b = texts(binary.AppendUvarint(b, uint64(len(h.Fields))), h.Fields...)
		}
	}
	return b
}

func texts[T ~string](b []byte, all ...T) []byte {
	for _, s := range all {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// Decode reads what Encode wrote, and nothing else.
func Decode(b []byte) (*Event, error) {
	r := reader{b: b}
	head := r.take(10)
	if r.bad || head[0] != format || head[1]&^(flagErased|flagHad|flagOnly) != 0 {
		return nil, ErrFormat
	}
	e := &Event{Time: time.UnixMicro(int64(binary.BigEndian.Uint64(head[2:]))).UTC(), Before: r.number()}
	e.Type, e.Purpose = privacy.EventType(r.text()), privacy.PurposeID(r.text())
	e.Fields = list[privacy.FieldName](&r)
	e.Only = head[1]&flagOnly != 0
	if head[1]&flagErased != 0 {
		copy(e.Subject[:], r.take(len(e.Subject)))
		e.To = list[privacy.ChannelID](&r)
	}
	if head[1]&flagHad != 0 {
		for n := r.number(); n > 0 && !r.bad; n-- {
			e.Had = append(e.Had, Had{Channel: privacy.ChannelID(r.text()), Fields: list[privacy.FieldName](&r)})
		}
	}
	if r.bad || len(r.b) > 0 || !slices.Equal(e.Encode(), b) {
		return nil, ErrFormat
	}
	return e, nil
}

// reader reads from the front, and notes if there was less than asked for.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.take(size)
	return n
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad = true
	}
	return string(r.take(int(n)))
}

func list[T ~string](r *reader) (all []T) {
	n := r.number()
	if n > uint64(len(r.b)) { // each has a byte at least
		r.bad = true
	}
	for i := uint64(0); i < n && !r.bad; i++ {
		all = append(all, T(r.text()))
	}
	return all
}
