package policy

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// reuse remembers what a rule set decided. A decision is a pure function of the
// rule set and the input, so one for an equal input is the same decision: the
// key holds all of the input that the rule set can look at, not a hash of it.
// Only the time is left out, and only where no rule looks at it; else a decision
// is reused within its second alone.
//
// It holds two generations of decisions: when the young one is full it becomes
// the old one, and what is asked for again moves on.
type reuse struct {
	purposes []privacy.PurposeID // of the schema, in order
	now      bool                // some rule looks at the time

	mu         sync.RWMutex // guards both
	young, old map[string]Decision
}

// generation bounds each of the two.
const generation = 4096

func newReuse(schema *index, l looks) *reuse {
	return &reuse{purposes: slices.Sorted(maps.Keys(schema.purposes)), now: l.at("now"), young: map[string]Decision{}}
}

// seen returns the decision for a key, as a copy that the caller may change.
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
	if !ok {
		return Decision{}, false
	}
	return Decision{Outcomes: slices.Clone(d.Outcomes)}, true
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
	b = text(text(b, in.Channel.ID), in.Channel.Kind)
	b = text(text(text(b, in.Purpose.ID), in.Purpose.DPV), in.Purpose.Basis)
	b = text(text(text(b, in.Subject.Jurisdiction), in.Subject.AgeBand), in.Subject.Standing)
	for _, p := range u.purposes {
		status, known := in.Consents[p]
		objected, known2 := in.Objected[p]
		b = text(append(b, bits(known, known2, objected)), status)
	}
	b = binary.AppendUvarint(b, uint64(len(in.Fields)))
	for _, name := range in.Fields {
		f, known := in.Guard.Fields[name]
		b = text(b, name)
		b = append(b, bits(known, f.Declared, f.InPurpose, f.Covered, f.Special, f.Explicit, f.Stale))
		b = text(b, f.As)
	}
	b = append(b, bits(in.Guard.Granted, in.Guard.Ground, in.Guard.OptOut))
	if u.now {
		b = text(b, in.Now)
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
