package consent

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The standing on disk, inside its envelope. Numbers are unsigned varints,
// texts and lists begin with their length, and a text that occurred before is
// its number in order of first occurrence, so that a channel named at eight
// values costs eight bytes:
//
//	standing = 0x01 version phase restricted lastAct
//	           jurisdiction timeZone ageBand ageBandUntil
//	           captured* consent* ground* value*
//	           [ kept* hold* ]            if phase has bit 7
//	consent  = purpose id(16) status at recorded until narrowed flags revision
//	           field* recipient* narrower*
//	ground   = purpose ref since until
//	value    = field version observed recorded channel flags
//	           [ index(16) channel* ]      if flags has bit 3
//	hold     = id(16) since by reason
//	text     = 0 length bytes | n          n counts from 1
//	time     = 0 | microseconds since 1970 plus one, zig-zag
//
// Decode accepts exactly what Encode writes.
const format = 1

// ErrFormat is returned for bytes that are not a standing of this version.
var ErrFormat = errors.New("not a standing of a known format")

const (
	flagObjected = 1 << 0
	flagExplicit = 1 << 1

	flagInferred   = 1 << 0
	flagVerified   = 1 << 1
	flagHolds      = 1 << 2
	flagIdentifier = 1 << 3
	flagKept       = 1 << 4

	phaseMore = 1 << 7
)

// Encode returns the standing as it stands on disk.
func (s *Standing) Encode() []byte {
	w := writer{b: make([]byte, 0, 256), seen: map[string]uint64{}}
	w.b = append(w.b, format)
	w.uint(s.Version)
	more := len(s.Kept)+len(s.Holds) > 0
	w.b = append(w.b, byte(s.Phase)|flag(more, phaseMore))
	w.time(s.Restricted)
	w.time(s.LastAct)
	w.text(s.Jurisdiction)
	w.text(s.TimeZone)
	w.text(s.AgeBand)
	w.time(s.AgeBandUntil)
	texts(&w, s.Captured)
	w.uint(uint64(len(s.Consents)))
	for i := range s.Consents {
		c := &s.Consents[i]
		w.text(string(c.Purpose))
		w.b = append(w.b, c.ID[:]...)
		w.text(string(c.Status))
		w.time(c.At)
		w.time(c.Recorded)
		w.time(c.Until)
		w.time(c.Narrowed)
		w.b = append(w.b, flag(c.Objected, flagObjected)|flag(c.Explicit, flagExplicit))
		w.uint(c.Revision)
		texts(&w, c.Fields)
		texts(&w, c.Recipients)
		texts(&w, c.Narrower)
	}
	w.uint(uint64(len(s.Grounds)))
	for i := range s.Grounds {
		g := &s.Grounds[i]
		w.text(string(g.Purpose))
		w.text(g.Ref)
		w.time(g.Since)
		w.time(g.Until)
	}
	w.uint(uint64(len(s.Values)))
	for i := range s.Values {
		v := &s.Values[i]
		identifier := v.Index != [16]byte{}
		w.text(string(v.Field))
		w.uint(v.Version)
		w.time(v.Observed)
		w.time(v.Recorded)
		w.text(string(v.Channel))
		w.b = append(w.b, flag(v.Origin == privacy.Inferred, flagInferred)|flag(v.Verified, flagVerified)|
			flag(identifier && v.Holds, flagHolds)|flag(identifier, flagIdentifier)|flag(v.Kept, flagKept))
		if identifier {
			w.b = append(w.b, v.Index[:]...)
			texts(&w, v.Channels)
		}
	}
	if !more {
		return w.b
	}
	texts(&w, s.Kept)
	w.uint(uint64(len(s.Holds)))
	for i := range s.Holds {
		h := &s.Holds[i]
		w.b = append(w.b, h.ID[:]...)
		w.time(h.Since)
		w.text(h.By)
		w.text(h.Reason)
	}
	return w.b
}

// Decode reads a standing, or returns ErrFormat.
func Decode(b []byte) (*Standing, error) {
	r := reader{b: b, all: string(b), seen: make([]string, 0, 24)}
	if r.byte() != format {
		return nil, ErrFormat
	}
	s := &Standing{Version: r.uint()}
	phase := r.byte()
	*s = Standing{Version: s.Version, Phase: Phase(phase &^ phaseMore), Restricted: r.time(), LastAct: r.time(),
		Jurisdiction: r.text(), TimeZone: r.text(), AgeBand: r.text(), AgeBandUntil: r.time(),
		Captured: list[privacy.ChannelID](&r)}
	if s.Phase > Erased {
		r.bad = true
	}
	if n := r.len(); n > 0 {
		s.Consents = make([]Consent, n)
	}
	for i := range s.Consents {
		c := &s.Consents[i]
		c.Purpose = privacy.PurposeID(r.text())
		r.bytes(c.ID[:])
		c.Status = privacy.ConsentStatus(r.text())
		c.At, c.Recorded, c.Until, c.Narrowed = r.time(), r.time(), r.time(), r.time()
		flags := r.flags(flagObjected | flagExplicit)
		c.Objected, c.Explicit = flags&flagObjected != 0, flags&flagExplicit != 0
		c.Revision = r.uint()
		c.Fields, c.Recipients, c.Narrower = list[privacy.FieldName](&r), list[string](&r), list[privacy.PurposeID](&r)
	}
	if n := r.len(); n > 0 {
		s.Grounds = make([]Ground, n)
	}
	for i := range s.Grounds {
		s.Grounds[i] = Ground{Purpose: privacy.PurposeID(r.text()), Ref: r.text(), Since: r.time(), Until: r.time()}
	}
	if n := r.len(); n > 0 {
		s.Values = make([]Value, n)
	}
	for i := range s.Values {
		v := &s.Values[i]
		*v = Value{Field: privacy.FieldName(r.text()), Version: r.uint(), Observed: r.time(), Recorded: r.time(),
			Channel: privacy.ChannelID(r.text()), Origin: privacy.Declared}
		flags := r.flags(flagInferred | flagVerified | flagHolds | flagIdentifier | flagKept)
		if flags&flagInferred != 0 {
			v.Origin = privacy.Inferred
		}
		v.Verified, v.Holds, v.Kept = flags&flagVerified != 0, flags&flagHolds != 0, flags&flagKept != 0
		if flags&flagIdentifier != 0 {
			r.bytes(v.Index[:])
			v.Channels = list[privacy.ChannelID](&r)
			r.bad = r.bad || v.Index == [16]byte{}
		} else if v.Holds {
			r.bad = true
		}
	}
	if phase&phaseMore != 0 {
		s.Kept = list[privacy.PurposeID](&r)
		if n := r.len(); n > 0 {
			s.Holds = make([]Hold, n)
		}
		for i := range s.Holds {
			h := &s.Holds[i]
			r.bytes(h.ID[:])
			h.Since, h.By, h.Reason = r.time(), r.text(), r.text()
		}
		r.bad = r.bad || len(s.Kept)+len(s.Holds) == 0
	}
	if r.bad || len(r.b) != 0 {
		return nil, ErrFormat
	}
	return s, nil
}

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

type writer struct {
	b    []byte
	seen map[string]uint64
}

func (w *writer) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.b = append(w.b, 0)
		return
	}
	us := t.UnixMicro()
	w.uint((uint64(us)<<1 ^ uint64(us>>63)) + 1)
}

func (w *writer) text(s string) {
	if n, ok := w.seen[s]; ok {
		w.uint(n)
		return
	}
	w.seen[s] = uint64(len(w.seen) + 1)
	w.b = append(w.b, 0)
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func texts[T ~string](w *writer, list []T) {
	w.uint(uint64(len(list)))
	for _, s := range list {
		w.text(string(s))
	}
}

// reader remembers that something was wrong and gives zeroes from then on.
type reader struct {
	b    []byte // what is left
	all  string // of which the texts are parts
	seen []string
	bad  bool
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

func (r *reader) flags(known byte) byte {
	f := r.byte()
	r.bad = r.bad || f&^known != 0
	return f
}

func (r *reader) bytes(to []byte) { copy(to, r.take(uint64(len(to)))) }

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

func (r *reader) text() string {
	n := r.uint()
	if n > 0 {
		if n > uint64(len(r.seen)) {
			r.bad = true
			return ""
		}
		return r.seen[n-1]
	}
	n = r.uint()
	at := len(r.all) - len(r.b)
	if r.take(n) == nil && n > 0 {
		return ""
	}
	s := r.all[at : at+int(n)]
	for _, old := range r.seen {
		if old == s {
			r.bad = true
		}
	}
	r.seen = append(r.seen, s)
	return s
}

func list[T ~string](r *reader) []T {
	n := r.len()
	if n == 0 {
		return nil
	}
	l := make([]T, n)
	for i := range l {
		l[i] = T(r.text())
	}
	return l
}
