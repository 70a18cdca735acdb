package consent

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Phase is where a subject's record is in its life.
type Phase byte

// The phases of a subject.
const (
	Active  Phase = iota
	Erasing       // to be erased; a hold or a doubted clock can be in the way
	Erased        // being erased: nothing is in the way any more
)

// Standing is what is in force for one person. All versions are kept, so that
// the input of a past decision can be rebuilt. It says which values there are:
// a value it names that is not found, or one found that it does not name, is
// damage, never an absence.
type Standing struct {
	Version      uint64    // 1, 2, 3 …
	Phase        Phase     // anything but Active releases nothing
	Restricted   time.Time // Art. 18: since when; zero: not restricted
	LastAct      time.Time // of the acts of and about the person, the latest
	Jurisdiction string    // derived at capture: "DE", "US-CA", "" unknown
	TimeZone     string    // derived at capture: IANA name, "" unknown
	AgeBand      string    // derived at capture; "" unknown
	AgeBandUntil time.Time // the day the age band changes; zero: never
	Captured     []privacy.ChannelID
	Consents     []Consent // by purpose
	Grounds      []Ground  // by purpose, then reference
	Values       []Value   // by field
	// Kept are the purposes for which a person exists of whom the rest is, or is
	// to be, erased (Art. 17(3)): see For.
	Kept     []privacy.PurposeID
	Holds    []Hold    // in the way of every erasure
	Contests []Contest // by field
}

// Contest is a person's word that what was worked out of them is not right. What a
// model made of the field is nobody's to see until an officer decides, also what it
// makes later; what somebody told or saw is not touched by it.
type Contest struct {
	Field privacy.FieldName
	Since time.Time
}

// Hold is a word of an officer that nothing of a person may be erased (Art.
// 17(3)(e)).
type Hold struct {
	ID     privacy.HoldID
	Since  time.Time
	By     string // the officer; "" for one that was put back from the ledger
	Reason string
}

// Consent is the effective state of one purpose.
type Consent struct {
	Purpose    privacy.PurposeID
	ID         privacy.ConsentID // of the record that made it so
	Status     privacy.ConsentStatus
	At         time.Time
	Recorded   time.Time // when the vault came to know of it
	Until      time.Time // of a given one; zero: does not expire
	Narrowed   time.Time // of the narrowing acts, the latest; zero: none
	Objected   bool      // stands until a later given
	Explicit   bool      // Art. 9(2)(a)
	Revision   uint64    // of the register it was given under
	Fields     []privacy.FieldName
	Recipients []string
	Narrower   []privacy.PurposeID // purposes its notice named
}

// Ground is what makes a basis other than consent true for this person.
type Ground struct {
	Purpose privacy.PurposeID
	Ref     string
	Since   time.Time
	Until   time.Time // zero: still so
}

// Value says what there is of a field: everything about it but the value.
type Value struct {
	Field    privacy.FieldName
	Version  uint64 // of the sealed value; 1, 2, 3 … over the person's life
	Observed time.Time
	Recorded time.Time
	Channel  privacy.ChannelID
	Origin   privacy.Origin
	Verified bool
	Kept     bool // of an erased life: only the purposes in Kept see it
	// Inference is set if and only if the value is inferred.
	Inference *privacy.Inference
	// By is who told it for the person; nil: nobody did, or it is not known.
	By *privacy.Actor
	// The rest only for identifiers.
	Index    [16]byte            // the blind index under which it finds; zero: none
	Holds    bool                // it finds this person; false while another holds it
	Channels []privacy.ChannelID // those who captured this very value
}

// Consent returns the state of a purpose, or nil if there never was an act.
func (s *Standing) Consent(p privacy.PurposeID) *Consent {
	for i := range s.Consents {
		if s.Consents[i].Purpose == p {
			return &s.Consents[i]
		}
	}
	return nil
}

// Value returns what there is of a field, or nil.
func (s *Standing) Value(f privacy.FieldName) *Value {
	for i := range s.Values {
		if s.Values[i].Field == f {
			return &s.Values[i]
		}
	}
	return nil
}

// SetValue adds or replaces what there is of a field.
func (s *Standing) SetValue(v Value) {
	if old := s.Value(v.Field); old != nil {
		*old = v
		return
	}
	s.Values = append(s.Values, v)
	slices.SortFunc(s.Values, func(a, b Value) int { return compare(a.Field, b.Field) })
}

// Contest returns the contest of a field, or nil.
func (s *Standing) Contest(f privacy.FieldName) *Contest {
	for i := range s.Contests {
		if s.Contests[i].Field == f {
			return &s.Contests[i]
		}
	}
	return nil
}

// BeginContest contests a field, and reports whether it was not contested before.
func (s *Standing) BeginContest(f privacy.FieldName, at time.Time) bool {
	if s.Contest(f) != nil {
		return false
	}
	s.Contests = append(s.Contests, Contest{Field: f, Since: at})
	slices.SortFunc(s.Contests, func(a, b Contest) int { return compare(a.Field, b.Field) })
	return true
}

// EndContest ends the contest of a field, and reports whether there was one.
func (s *Standing) EndContest(f privacy.FieldName) bool {
	n := len(s.Contests)
	s.Contests = slices.DeleteFunc(s.Contests, func(c Contest) bool { return c.Field == f })
	return len(s.Contests) < n
}

// Contested reports whether there is a value of a field that a model made and the
// person contests.
func (s *Standing) Contested(f privacy.FieldName) bool {
	v := s.Value(f)
	return v != nil && v.Origin == privacy.Inferred && s.Contest(f) != nil
}

// For returns the standing as it is for a purpose, nil if there is nobody for it.
// Who was or is to be erased exists for the purposes that a law demands; for
// others, only as far as they came back since.
//
// It may share memory with s. Its values stand where they stand in s; one that
// is not to be seen has no field.
func (s *Standing) For(p privacy.PurposeID) *Standing {
	kept := slices.Contains(s.Kept, p)
	switch {
	case s.Phase == Active && len(s.Kept) == 0:
		return s
	case s.Phase != Active && !kept, s.Phase == Active && !kept && !s.CameBack():
		return nil
	}
	seen := *s
	seen.Phase = Active
	if kept {
		return &seen
	}
	seen.Values = slices.Clone(s.Values)
	for i := range seen.Values {
		if seen.Values[i].Kept {
			seen.Values[i] = Value{}
		}
	}
	return &seen
}

// CameBack reports whether anything is known of a person beside what was kept
// when they were erased.
func (s *Standing) CameBack() bool {
	return len(s.Captured) > 0 || len(s.Consents) > 0 ||
		slices.ContainsFunc(s.Grounds, func(g Ground) bool { return !slices.Contains(s.Kept, g.Purpose) }) ||
		slices.ContainsFunc(s.Values, func(v Value) bool { return !v.Kept })
}

// HasCaptured reports whether a channel has captured for this person.
func (s *Standing) HasCaptured(c privacy.ChannelID) bool { return slices.Contains(s.Captured, c) }

// KnownByNarrowingOnly reports whether all that is known of a person is an
// identifier somebody said no with: nobody captured them, and nothing was ever
// granted. Whoever captures that identifier becomes that person, so that a
// STOP from an unknown number is remembered.
func (s *Standing) KnownByNarrowingOnly() bool {
	if len(s.Captured) > 0 || len(s.Grounds) > 0 {
		return false
	}
	narrowed := false
	for i := range s.Consents {
		if !s.Consents[i].Status.Narrows() {
			return false
		}
		narrowed = true
	}
	return narrowed
}

// ActTime returns the time of an act: at, or if that is zero a time after the
// person's last act. It keeps microseconds.
func (s *Standing) ActTime(at, now time.Time) time.Time {
	if !at.IsZero() {
		return at.UTC().Truncate(time.Microsecond)
	}
	now = now.UTC().Truncate(time.Microsecond)
	if !now.After(s.LastAct) {
		return s.LastAct.Add(time.Microsecond)
	}
	return now
}

func (s *Standing) acted(at time.Time) {
	if at.After(s.LastAct) {
		s.LastAct = at
	}
}

func compare[T ~string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
