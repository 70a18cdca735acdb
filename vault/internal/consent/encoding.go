package consent

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"
	"unsafe"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The standing on disk, inside its envelope. Numbers are unsigned varints, lists
// begin with their length. What most standings repeat is a number: texts that
// stand in Names, texts and times that occurred before, and what a value shares
// with the one before it. So a channel named at eight values, told at one moment,
// costs a byte:
//
//	standing = 0x02 revision version phase ageBandUntil restricted lastAct
//	           jurisdiction timeZone ageBand
//	           captured* consent* ground* value*
//	           [ kept* hold* ]            if phase has bit 7
//	           [ contest* ]               if phase has bit 6
//	consent  = purpose id(16) status at recorded until narrowed flags revision
//	           field* recipient* narrower*
//	ground   = purpose ref since until
//	value    = field flags
//	           [ version observed recorded channel ]   unless flags has bit 5:
//	                                                   as of the value before
//	           [ index(16) channel* ]                  if flags has bit 3
//	           [ model version confidence ]            if flags has bit 0;
//	                                                   in ten thousandths
//	           [ more [ role ref ] ]                   if flags has bit 7: more
//	                                                   flags, of which bit 0
//	                                                   says who told it
//	hold     = id(16) since by reason
//	contest  = field since
//	text     = 0 length bytes | n          n counts from 1 through words, names
//	                                       and texts that occurred before
//	time     = 0                           none
//	         | 1 + 3 n                     the n-th that occurred, from 0
//	         | 2 + 3 zigzag(days)          so long after the one that occurred
//	         | 3 + 3 zigzag(microseconds)  last for the first time, or after 1970;
//	                                       the former if it is whole days
//
// Decode accepts exactly what Encode writes.
const format = 2

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
	flagLikeBefore = 1 << 5
	flagObserved   = 1 << 6
	flagMore       = 1 << 7

	moreBy = 1 << 0

	phaseMore     = 1 << 7
	phaseContests = 1 << 6

	sure = 10_000 // as a confidence

	day      = 24 * 60 * 60 * 1_000_000 // in microseconds
	farthest = 1 << 58                  // and a time from 1970: 9,000 years
)

// Encode returns the standing as it stands on disk, with names that Decode is to
// be given too.
func (s *Standing) Encode(names *Names) []byte {
	w := writer{b: make([]byte, 0, 256), names: names}
	w.b = append(w.b, format)
	w.uint(names.revision)
	w.uint(s.Version)
	more := len(s.Kept)+len(s.Holds) > 0
	w.b = append(w.b, byte(s.Phase)|flag(more, phaseMore)|flag(len(s.Contests) > 0, phaseContests))
	w.time(s.AgeBandUntil)
	w.time(s.Restricted)
	w.time(s.LastAct)
	w.text(s.Jurisdiction)
	w.text(s.TimeZone)
	w.text(s.AgeBand)
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
		identifier, like := v.Index != [16]byte{}, i > 0 && v.like(&s.Values[i-1])
		w.text(string(v.Field))
		w.b = append(w.b, flag(v.Origin == privacy.Inferred, flagInferred)|flag(v.Verified, flagVerified)|
			flag(identifier && v.Holds, flagHolds)|flag(identifier, flagIdentifier)|flag(v.Kept, flagKept)|flag(like, flagLikeBefore)|flag(v.Origin == privacy.Observed, flagObserved)|
			flag(v.By != nil, flagMore))
		if !like {
			w.uint(v.Version)
			w.time(v.Observed)
			w.time(v.Recorded)
			w.text(string(v.Channel))
		}
		if identifier {
			w.b = append(w.b, v.Index[:]...)
			texts(&w, v.Channels)
		}
		if v.Origin == privacy.Inferred {
			w.text(v.Inference.Model)
			w.text(v.Inference.Version)
			w.uint(uint64(math.Round(v.Inference.Confidence * sure)))
		}
		if v.By != nil {
			w.b = append(w.b, moreBy)
			w.text(string(v.By.Role))
			w.text(v.By.Ref)
		}
	}
	if more {
		texts(&w, s.Kept)
		w.uint(uint64(len(s.Holds)))
		for i := range s.Holds {
			h := &s.Holds[i]
			w.b = append(w.b, h.ID[:]...)
			w.time(h.Since)
			w.text(h.By)
			w.text(h.Reason)
		}
	}
	if len(s.Contests) > 0 {
		w.uint(uint64(len(s.Contests)))
		for i := range s.Contests {
			w.text(string(s.Contests[i].Field))
			w.time(s.Contests[i].Since)
		}
	}
	return w.b
}

// like reports whether a value was told with another.
func (v *Value) like(before *Value) bool {
	return v.Version == before.Version && v.Observed.Equal(before.Observed) && v.Recorded.Equal(before.Recorded) && v.Channel == before.Channel
}

// Decode reads a standing that was written with the same names, or returns
// ErrFormat.
func Decode(b []byte, names *Names) (*Standing, error) {
	d := new(struct { // one piece of memory, mostly enough
		Standing
		reader
		times [16]int64
		texts [4]string
		lists [12]string
	})
	s, r := &d.Standing, &d.reader
	*r = reader{b: b, all: b, names: names, times: d.times[:0], texts: d.texts[:0], lists: d.lists[:]}
	if r.byte() != format || r.uint() != names.revision {
		return nil, ErrFormat
	}
	s.Version = r.uint()
	phase := r.byte()
	s.Phase = Phase(phase &^ (phaseMore | phaseContests))
	s.AgeBandUntil, s.Restricted, s.LastAct = r.time(), r.time(), r.time()
	s.Jurisdiction, s.TimeZone, s.AgeBand = r.text(), r.text(), r.text()
	s.Captured = list[privacy.ChannelID](r)
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
		c.Fields, c.Recipients, c.Narrower = list[privacy.FieldName](r), list[string](r), list[privacy.PurposeID](r)
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
		r.value(s.Values[:i+1])
	}
	if phase&phaseMore != 0 {
		s.Kept = list[privacy.PurposeID](r)
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
	if phase&phaseContests != 0 {
		n := r.len()
		r.bad = r.bad || n == 0
		s.Contests = make([]Contest, n)
		for i := range s.Contests {
			s.Contests[i] = Contest{Field: privacy.FieldName(r.text()), Since: r.time()}
		}
	}
	if r.bad || len(r.b) != 0 {
		return nil, ErrFormat
	}
	return s, nil
}

// value reads the last of some values.
func (r *reader) value(all []Value) {
	v := &all[len(all)-1]
	*v = Value{Field: privacy.FieldName(r.text()), Origin: privacy.Declared}
	flags := r.flags(flagInferred | flagVerified | flagHolds | flagIdentifier | flagKept | flagLikeBefore | flagObserved | flagMore)
	switch flags & (flagInferred | flagObserved) {
	case flagInferred:
		v.Origin = privacy.Inferred
	case flagObserved:
		v.Origin = privacy.Observed
	case flagInferred | flagObserved:
		r.bad = true
	}
	v.Verified, v.Holds, v.Kept = flags&flagVerified != 0, flags&flagHolds != 0, flags&flagKept != 0
	like := flags&flagLikeBefore != 0
	switch {
	case !like:
		v.Version, v.Observed, v.Recorded, v.Channel = r.uint(), r.time(), r.time(), privacy.ChannelID(r.text())
		r.bad = r.bad || len(all) > 1 && v.like(&all[len(all)-2]) // it is written shorter
	case len(all) == 1:
		r.bad = true
	default:
		before := &all[len(all)-2]
		v.Version, v.Observed, v.Recorded, v.Channel = before.Version, before.Observed, before.Recorded, before.Channel
	}
	if flags&flagIdentifier != 0 {
		r.bytes(v.Index[:])
		v.Channels = list[privacy.ChannelID](r)
		r.bad = r.bad || v.Index == [16]byte{}
	} else if v.Holds {
		r.bad = true
	}
	if v.Origin == privacy.Inferred {
		v.Inference = &privacy.Inference{Model: r.text(), Version: r.text()}
		n := r.uint()
		v.Inference.Confidence = float64(n) / sure
		r.bad = r.bad || n > sure
	}
	if flags&flagMore != 0 {
		r.bad = r.flags(moreBy) == 0 || r.bad
		v.By = &privacy.Actor{Role: privacy.Role(r.text()), Ref: r.text()}
	}
}

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

type writer struct {
	b     []byte
	names *Names
	texts []string // that occurred and have no name
	times []int64  // that occurred, in microseconds
}

func (w *writer) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.b = append(w.b, 0)
		return
	}
	us, last := t.UnixMicro(), int64(0)
	if n := slices.Index(w.times, us); n >= 0 {
		w.uint(1 + 3*uint64(n))
		return
	}
	if n := len(w.times); n > 0 {
		last = w.times[n-1]
	}
	w.times = append(w.times, us)
	if d := us - last; d%day == 0 {
		w.uint(2 + 3*zigzag(d/day))
	} else {
		w.uint(3 + 3*zigzag(d))
	}
}

func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }

func (w *writer) text(s string) {
	if n, ok := w.names.numbers[s]; ok {
		w.uint(n)
		return
	}
	if n := slices.Index(w.texts, s); n >= 0 {
		w.uint(uint64(len(w.names.texts) + n + 1))
		return
	}
	w.texts = append(w.texts, s)
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
	b, all []byte // what is left, and all there was
	names  *Names
	texts  []string // as in a writer
	times  []int64
	from   string   // all as a string, of which the texts are parts
	lists  []string // room for lists
	bad    bool
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
	n, kind := (n-1)/3, (n-1)%3
	if kind == 0 {
		if n >= uint64(len(r.times)) {
			r.bad = true
			return time.Time{}
		}
		return time.UnixMicro(r.times[n]).UTC()
	}
	us, last := int64(n>>1)^-int64(n&1), int64(0)
	if kind == 1 {
		if us < -2*farthest/day || us > 2*farthest/day {
			r.bad = true
			return time.Time{}
		}
		us *= day
	} else if us%day == 0 {
		r.bad = true // written in days
	}
	if n := len(r.times); n > 0 {
		last = r.times[n-1]
	}
	if us += last; us < -farthest || us > farthest || slices.Contains(r.times, us) {
		r.bad = true
		return time.Time{}
	}
	r.times = append(r.times, us)
	t := time.UnixMicro(us).UTC()
	r.bad = r.bad || t.IsZero() // written as 0
	return t
}

func (r *reader) text() string {
	n := r.uint()
	if n > 0 {
		switch known := uint64(len(r.names.texts)); {
		case n <= known:
			return r.names.texts[n-1]
		case n-known <= uint64(len(r.texts)):
			return r.texts[n-known-1]
		}
		r.bad = true
		return ""
	}
	n = r.uint()
	at := len(r.all) - len(r.b)
	if r.take(n) == nil && n > 0 {
		return ""
	}
	if r.from == "" {
		r.from = string(r.all)
	}
	s := r.from[at : at+int(n)]
	if _, named := r.names.numbers[s]; named || slices.Contains(r.texts, s) {
		r.bad = true
	}
	r.texts = append(r.texts, s)
	return s
}

// list reads a list of texts. Several are cut from one piece of memory, which is
// one of strings, whatever they are called.
func list[T ~string](r *reader) []T {
	n := r.len()
	if n == 0 {
		return nil
	}
	if n > len(r.lists) {
		r.lists = make([]string, n)
	}
	l := r.lists[:n:n]
	r.lists = r.lists[n:]
	for i := range l {
		l[i] = r.text()
	}
	return *(*[]T)(unsafe.Pointer(&l)) //nolint:gosec // T is a string by another name
}
