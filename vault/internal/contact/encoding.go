package contact

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The dealings on disk, inside their envelope. Numbers are unsigned varints,
// texts and lists begin with their length:
//
//	dealings = 0x01 version due touch* lease* refusal*
//	touch    = kind(1) topic medium purpose ref channel at recorded expires ended
//	lease    = field channel until
//	refusal  = purpose field at
//	kind     = 1 contact, 2 offer, 3 order, 4 answer, 5 event
//	time     = 0 | microseconds since 1970 plus one, zig-zag
//
// Decode accepts exactly what Encode writes.
const format = 1

// ErrFormat is returned for bytes that are not dealings of this version.
var ErrFormat = errors.New("not dealings of a known format")

// Encode returns the dealings as they stand on disk.
func (d *Dealings) Encode() []byte {
	w := writer{make([]byte, 0, 64*(1+len(d.Touches)))}
	w.b = append(w.b, format)
	w.uint(d.Version)
	w.time(d.Due)
	w.uint(uint64(len(d.Touches)))
	for i := range d.Touches {
		t := &d.Touches[i]
		w.b = append(w.b, byte(slices.Index(Kinds, t.Kind)+1))
		w.texts(t.Topic, t.Medium, string(t.Purpose), t.Ref, string(t.Channel))
		w.time(t.At)
		w.time(t.Recorded)
		w.time(t.Expires)
		w.time(t.Ended)
	}
	w.uint(uint64(len(d.Leases)))
	for _, l := range d.Leases {
		w.texts(string(l.Field), string(l.Channel))
		w.time(l.Until)
	}
	w.uint(uint64(len(d.Refusals)))
	for _, r := range d.Refusals {
		w.texts(string(r.Purpose), string(r.Field))
		w.time(r.At)
	}
	return w.b
}

// Decode reads dealings, or returns ErrFormat.
func Decode(b []byte) (*Dealings, error) {
	r := reader{b: b, all: string(b)}
	if r.byte() != format {
		return nil, ErrFormat
	}
	d := &Dealings{Version: r.uint(), Due: r.time()}
	n := r.len()
	d.Touches = slices.Grow(d.Touches, min(n, len(b)/8)) // a touch takes more
	for range n {
		k := int(r.byte()) - 1
		if k < 0 || k >= len(Kinds) {
			return nil, ErrFormat
		}
		d.Touches = append(d.Touches, Touch{Kind: Kinds[k], Topic: r.text(), Medium: r.text(), Purpose: privacy.PurposeID(r.text()), Ref: r.text(),
			Channel: privacy.ChannelID(r.text()), At: r.time(), Recorded: r.time(), Expires: r.time(), Ended: r.time()})
	}
	for range r.len() {
		d.Leases = append(d.Leases, Lease{Field: privacy.FieldName(r.text()), Channel: privacy.ChannelID(r.text()), Until: r.time()})
	}
	for range r.len() {
		d.Refusals = append(d.Refusals, Refusal{Purpose: privacy.PurposeID(r.text()), Field: privacy.FieldName(r.text()), At: r.time()})
	}
	if r.bad || len(r.b) != 0 {
		return nil, ErrFormat
	}
	return d, nil
}

type writer struct{ b []byte }

func (w *writer) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *writer) texts(all ...string) {
	for _, s := range all {
		w.uint(uint64(len(s)))
		w.b = append(w.b, s...)
	}
}

func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.b = append(w.b, 0)
		return
	}
	us := t.UnixMicro()
	w.uint((uint64(us)<<1 ^ uint64(us>>63)) + 1)
}

// reader remembers that something was wrong and gives zeroes from then on.
type reader struct {
	b   []byte // what is left
	all string // of which the texts are parts
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.b)
	if r.bad || size <= 0 || size > 1 && r.b[size-1] == 0 { // no padded varints
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

// len reads the length of a list whose elements take at least a byte each.
func (r *reader) len() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.uint()
	at := len(r.all) - len(r.b)
	if r.take(n) == nil {
		return ""
	}
	return r.all[at : at+int(n)]
}

func (r *reader) time() time.Time {
	n := r.uint()
	if n == 0 {
		return time.Time{}
	}
	n--
	t := time.UnixMicro(int64(n>>1) ^ -int64(n&1)).UTC()
	r.bad = r.bad || t.IsZero() // written as 0
	return t
}
