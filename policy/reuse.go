package policy

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// reuse remembers what a rule set decided. A decision is a pure function of the
// rule set and of what it can look at of the input, so one for an equal
// projection is the same decision: the key holds all of that, not a hash of it.
// What the guardrails look at is always in it; what only officers' rules could
// look at is left out where none of them does. A decision that depends on the
// time is reused within its second alone, one that depends on touches while they
// are the same.
//
// It holds two generations of decisions: when the young one is full it becomes
// the old one, and what is asked for again moves on.
type reuse struct {
	// What officers' rules look at.
	kind, dpv, jurisdiction, ageBand, now bool

	purposes []privacy.PurposeID // whose consent or objection they look at, in order
	touches  []privacy.PurposeID // all, in order, where they look at touches; else none

	valid atomic.Pointer[string] // the last time of an input that was seen to be one

	mu         sync.RWMutex // guards both
	young, old map[string]Decision
}

// generation bounds each of the two.
const generation = 4096

func newReuse(schema *index, l looks) *reuse {
	u := &reuse{
		kind: l.at("channel.kind"), dpv: l.at("purpose.dpv"), now: l.at("now"),
		jurisdiction: l.at("subject.jurisdiction"), ageBand: l.at("subject.age_band"),
		young: map[string]Decision{},
	}
	for _, p := range slices.Sorted(maps.Keys(schema.purposes)) {
		if l.at("consents."+string(p)) || l.at("objected."+string(p)) {
			u.purposes = append(u.purposes, p)
		}
		if l.at("touches") {
			u.touches = append(u.touches, p)
		}
	}
	return u
}

// validNow reports whether s is a time as an input has it. Most inputs of a
// second have the same.
func (u *reuse) validNow(s string) bool {
	if last := u.valid.Load(); last != nil && *last == s {
		return true
	}
	if !validTime(s) {
		return false
	}
	last := s
	u.valid.Store(&last)
	return true
}

// seen returns the decision for a key, which is not the caller's to change.
func (u *reuse) seen(key []byte) (Decision, bool) {
	u.mu.RLock()
	d, ok := u.young[string(key)]
	old := false
	if !ok {
		d, ok = u.old[string(key)]
		old = ok
	}
	u.mu.RUnlock()
	if old {
		u.keep(key, d)
	}
	return d, ok
}

func (u *reuse) keep(key []byte, d Decision) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.young) >= generation {
		u.old, u.young = u.young, make(map[string]Decision, generation)
	}
	u.young[string(key)] = d
}

// maxKey bounds what is worth remembering.
const maxKey = 4 << 10

// key appends what the rule set can look at of an input. It is false for an
// input that is not worth remembering. Every text begins with its length, so no
// two inputs share a key.
func (u *reuse) key(b []byte, in *Input) ([]byte, bool) {
	b = text(text(text(b, in.Channel.ID), in.Purpose.ID), in.Purpose.Basis)
	b = textIf(u.kind, b, in.Channel.Kind)
	b = textIf(u.dpv, b, in.Purpose.DPV)
	b = textIf(u.jurisdiction, b, in.Subject.Jurisdiction)
	b = textIf(u.ageBand, b, in.Subject.AgeBand)
	b = textIf(u.now, b, in.Now)
	b = text(b, in.Subject.Standing)
	b = saidOf(b, in, in.Purpose.ID)
	for _, p := range u.purposes {
		b = saidOf(b, in, p)
	}
	b = binary.AppendUvarint(b, uint64(len(in.Fields)))
	for _, name := range in.Fields {
		f, known := in.Guard.Fields[name]
		b = text(b, name)
		b = append(b, bits(known, f.Declared, f.InPurpose, f.Covered, f.Special, f.Explicit, f.Stale, f.Inferred), bits(f.Contested))
		b = text(b, f.As)
	}
	b = append(b, bits(in.Guard.Granted, in.Guard.Ground, in.Guard.OptOut))
	if len(u.touches) > 0 {
		b = touchesKey(b, &in.Touches, u.touches)
	}
	b = binary.AppendUvarint(b, uint64(len(in.Context)))
	if len(in.Context) > 0 {
		for _, name := range slices.Sorted(maps.Keys(in.Context)) {
			b = text(b, name)
			switch v := in.Context[name].(type) {
			case string:
				b = text(append(b, 's'), v)
			case bool:
				b = append(b, 'b', bits(v))
			case float64:
				b = binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
			default:
				return b, false
			}
		}
	}
	return b, len(b) <= maxKey
}

// saidOf appends what a person said about a purpose.
func saidOf(b []byte, in *Input, p privacy.PurposeID) []byte {
	status, known := in.Consents[p]
	objected, known2 := in.Objected[p]
	return text(append(b, bits(known, known2, objected)), status)
}

// textIf appends what rules look at, where they do. For one rule set that is
// always or never.
func textIf[T ~string](looked bool, b []byte, s T) []byte {
	if !looked {
		return b
	}
	return text(b, s)
}

func text[T ~string](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func bits(flags ...bool) byte {
	var b byte
	for i, on := range flags {
		if on {
			b |= 1 << i
		}
	}
	return b
}
