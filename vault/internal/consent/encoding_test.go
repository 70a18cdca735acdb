package consent_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// word draws from few words, so that many of them come twice.
func word[T ~string](t *rapid.T, name string) T {
	return T(rapid.OneOf(rapid.SampledFrom([]string{"", "email", "web", "given"}), rapid.String()).Draw(t, name))
}

func words[T ~string](t *rapid.T, name string) (all []T) {
	for range rapid.IntRange(0, 3).Draw(t, name) {
		all = append(all, word[T](t, name))
	}
	return all
}

func moment(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, name+" is known") {
		return time.Time{}
	}
	return time.UnixMicro(rapid.Int64Range(-1<<52, 1<<53).Draw(t, name)).UTC()
}

func sixteen(t *rapid.T, name string) (b [16]byte) {
	copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
	return b
}

func standing(t *rapid.T) *consent.Standing {
	s := &consent.Standing{Version: rapid.Uint64().Draw(t, "version"), Phase: consent.Phase(rapid.IntRange(0, 2).Draw(t, "phase")),
		Restricted: moment(t, "restricted"), LastAct: moment(t, "last act"), Jurisdiction: word[string](t, "jurisdiction"), TimeZone: word[string](t, "time zone"),
		AgeBand: word[string](t, "age band"), AgeBandUntil: moment(t, "age band until"), Captured: words[privacy.ChannelID](t, "captured")}
	for range rapid.IntRange(0, 3).Draw(t, "consents") {
		s.Consents = append(s.Consents, consent.Consent{Purpose: word[privacy.PurposeID](t, "purpose"), ID: sixteen(t, "consent"), Status: word[privacy.ConsentStatus](t, "status"),
			At: moment(t, "at"), Recorded: moment(t, "recorded"), Until: moment(t, "until"), Narrowed: moment(t, "narrowed"), Objected: rapid.Bool().Draw(t, "objected"),
			Explicit: rapid.Bool().Draw(t, "explicit"), Revision: rapid.Uint64().Draw(t, "revision"), Fields: words[privacy.FieldName](t, "fields"),
			Recipients: words[string](t, "recipients"), Narrower: words[privacy.PurposeID](t, "narrower")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "grounds") {
		s.Grounds = append(s.Grounds, consent.Ground{Purpose: word[privacy.PurposeID](t, "purpose"), Ref: word[string](t, "ref"), Since: moment(t, "since"), Until: moment(t, "until")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "values") {
		v := consent.Value{Field: word[privacy.FieldName](t, "field"), Version: rapid.Uint64().Draw(t, "version"), Observed: moment(t, "observed"), Recorded: moment(t, "recorded"),
			Channel: word[privacy.ChannelID](t, "channel"), Origin: rapid.SampledFrom([]privacy.Origin{privacy.Declared, privacy.Inferred}).Draw(t, "origin"), Verified: rapid.Bool().Draw(t, "verified")}
		if v.Index = sixteen(t, "index"); v.Index != [16]byte{} {
			v.Holds, v.Channels = rapid.Bool().Draw(t, "holds"), words[privacy.ChannelID](t, "channels")
		}
		v.Kept = rapid.Bool().Draw(t, "kept")
		s.Values = append(s.Values, v)
	}
	s.Kept = words[privacy.PurposeID](t, "kept")
	for range rapid.IntRange(0, 2).Draw(t, "holds") {
		s.Holds = append(s.Holds, consent.Hold{ID: sixteen(t, "hold"), Since: moment(t, "since"), By: word[string](t, "by"), Reason: word[string](t, "reason")})
	}
	return s
}

func TestAStandingIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := standing(t)
		b := s.Encode()
		got, err := consent.Decode(b)
		if err != nil {
			t.Fatalf("decoding: %v", err)
		}
		if !reflect.DeepEqual(got, s) {
			t.Fatalf("decoded:\ngot  %+v\nwant %+v", got, s)
		}
	})
}

// A standing that lost its end, or got one more byte, is no standing.
func TestATornStandingIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := standing(t).Encode()
		if _, err := consent.Decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "length")]); !errors.Is(err, consent.ErrFormat) {
			t.Fatalf("torn: got %v, want ErrFormat", err)
		}
		if _, err := consent.Decode(append(b, 0)); !errors.Is(err, consent.ErrFormat) {
			t.Fatalf("with a byte more: got %v, want ErrFormat", err)
		}
	})
}

// Decode accepts exactly what Encode writes: no two texts on disk are one
// standing.
func FuzzDecode(f *testing.F) {
	f.Add((&consent.Standing{}).Encode())
	f.Add((&consent.Standing{Version: 7, Captured: []privacy.ChannelID{"web", "store"}, LastAct: noon,
		Consents: []consent.Consent{{Purpose: "sms-marketing", Status: privacy.StatusGiven, At: noon, Until: noon.AddDate(1, 0, 0), Fields: []privacy.FieldName{"phone_number"}}},
		Grounds:  []consent.Ground{{Purpose: "order-fulfilment", Ref: "order-1", Since: noon}},
		Values:   []consent.Value{{Field: "phone_number", Version: 2, Observed: noon, Channel: "web", Origin: privacy.Declared, Index: [16]byte{1}, Holds: true, Channels: []privacy.ChannelID{"web"}}},
	}).Encode())
	f.Add((&consent.Standing{Version: 9, Phase: consent.Erasing, Values: []consent.Value{{Field: "address", Version: 1, Origin: privacy.Declared, Kept: true}},
		Kept: []privacy.PurposeID{"invoices"}, Holds: []consent.Hold{{ID: privacy.HoldID{1}, Since: noon, By: "first", Reason: "a claim"}}}).Encode())
	// The moment that Go takes for no time is written as none, never as a time.
	f.Add([]byte{1, 0, 0, 0x80, 0x80, 0xde, 0xf2, 0xdf, 0xff, 0xdf, 0xdc, 0x01, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0})
	for _, bad := range [][]byte{
		{1, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0},                                                                        // a number with a byte too many
		{1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0},                                                                           // a text again that was there before
		{1, 0, 3, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0},                                                                              // an unknown phase
		{1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 1, 0x20},                                                 // a value with an unknown flag
		{1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 1, 0x04},                                                 // one that finds, without an index
		{1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, // an index of nothing
		{1, 0, 0x80, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0},                                                                     // more that is nothing
		{1, 0, 0x83, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0},                                                                  // an unknown phase and more
		{2, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0},                                                                              // another format
	} {
		if _, err := consent.Decode(bad); !errors.Is(err, consent.ErrFormat) {
			f.Errorf("%x: got %v, want ErrFormat", bad, err)
		}
		f.Add(bad)
	}
	good := []byte{1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0}
	if _, err := consent.Decode(good); err != nil {
		f.Errorf("%x, of which the others are bad copies: %v", good, err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := consent.Decode(b)
		if err != nil {
			if !errors.Is(err, consent.ErrFormat) || s != nil {
				t.Fatalf("got %v and %v, want nothing and ErrFormat", s, err)
			}
			return
		}
		if again := s.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("re-encoded:\ngot  %x\nwant %x", again, b)
		}
	})
}
