package consent_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// few are the names of a revision; one is a word that every standing knows, and
// one comes twice.
var few = consent.NewNames(3, []string{"web", "given", "email", "web", "sms-marketing", "address"})

// named draws the names of one revision: mostly some of the texts that come.
func named(t *rapid.T) *consent.Names {
	if rapid.Bool().Draw(t, "few") {
		return few
	}
	return consent.NewNames(3, words[string](t, "names"))
}

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
	return time.UnixMicro(rapid.OneOf(rapid.Int64Range(-1<<52, 1<<53), // few moments, days and others
		rapid.Map(rapid.Int64Range(-3, 3), func(n int64) int64 { return n * 24 * int64(time.Hour/time.Microsecond) }),
		rapid.Map(rapid.Int64Range(20000, 20003), func(n int64) int64 { return n*24*int64(time.Hour/time.Microsecond) + 7 })).Draw(t, name)).UTC()
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
			Channel: word[privacy.ChannelID](t, "channel"), Origin: rapid.SampledFrom([]privacy.Origin{privacy.Declared, privacy.Observed, privacy.Inferred}).Draw(t, "origin"), Verified: rapid.Bool().Draw(t, "verified")}
		if v.Index = sixteen(t, "index"); v.Index != [16]byte{} {
			v.Holds, v.Channels = rapid.Bool().Draw(t, "holds"), words[privacy.ChannelID](t, "channels")
		}
		if v.Origin == privacy.Inferred {
			v.Inference = &privacy.Inference{Model: word[string](t, "model"), Version: word[string](t, "model's version"), Confidence: float64(rapid.IntRange(0, 10_000).Draw(t, "confidence")) / 10_000}
		}
		v.Kept = rapid.Bool().Draw(t, "kept")
		if rapid.Bool().Draw(t, "told by another") {
			v.By = &privacy.Actor{Role: word[privacy.Role](t, "role"), Ref: word[string](t, "power")}
		}
		s.Values = append(s.Values, v)
	}
	s.Kept = words[privacy.PurposeID](t, "kept")
	for range rapid.IntRange(0, 2).Draw(t, "holds") {
		s.Holds = append(s.Holds, consent.Hold{ID: sixteen(t, "hold"), Since: moment(t, "since"), By: word[string](t, "by"), Reason: word[string](t, "reason")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "contests") {
		s.Contests = append(s.Contests, consent.Contest{Field: word[privacy.FieldName](t, "field"), Since: moment(t, "since")})
	}
	return s
}

func TestAStandingIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := standing(t)
		n := named(t)
		b := s.Encode(n)
		if got, err := consent.NamesOf(b); err != nil || got != 3 {
			t.Fatalf("names of revision %d, %v, want 3", got, err)
		}
		got, err := consent.Decode(b, n)
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
		n := named(t)
		b := standing(t).Encode(n)
		if _, err := consent.Decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "length")], n); !errors.Is(err, consent.ErrFormat) {
			t.Fatalf("torn: got %v, want ErrFormat", err)
		}
		if _, err := consent.Decode(append(b, 0), n); !errors.Is(err, consent.ErrFormat) {
			t.Fatalf("with a byte more: got %v, want ErrFormat", err)
		}
	})
}

// Decode accepts exactly what Encode writes: no two texts on disk are one
// standing.
func FuzzDecode(f *testing.F) {
	f.Add((&consent.Standing{}).Encode(few))
	f.Add((&consent.Standing{Version: 7, Captured: []privacy.ChannelID{"web", "store"}, LastAct: noon,
		Consents: []consent.Consent{{Purpose: "sms-marketing", Status: privacy.StatusGiven, At: noon, Until: noon.AddDate(1, 0, 0), Fields: []privacy.FieldName{"phone_number"}}},
		Grounds:  []consent.Ground{{Purpose: "order-fulfilment", Ref: "order-1", Since: noon}},
		Values:   []consent.Value{{Field: "phone_number", Version: 2, Observed: noon, Channel: "web", Origin: privacy.Declared, Index: [16]byte{1}, Holds: true, Channels: []privacy.ChannelID{"web"}}},
	}).Encode(few))
	f.Add((&consent.Standing{Version: 9, Phase: consent.Erasing, Values: []consent.Value{{Field: "address", Version: 1, Origin: privacy.Declared, Kept: true}},
		Kept: []privacy.PurposeID{"invoices"}, Holds: []consent.Hold{{ID: privacy.HoldID{1}, Since: noon, By: "first", Reason: "a claim"}}}).Encode(few))
	f.Add((&consent.Standing{Version: 3, Values: []consent.Value{{Field: "email", Version: 1, Origin: privacy.Declared}},
		Contests: []consent.Contest{{Field: "email", Since: noon}}}).Encode(few))
	// A standing of nothing: format, revision, version, phase, three times, three
	// empty texts, four empty lists.
	good := []byte{2, 3, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0}
	with := func(at int, b ...byte) []byte { return slices.Concat(good[:at], b, good[at+1:]) }
	f.Add(with(4, 3+3*3)) // a time in microseconds
	web, email := byte(16), byte(17)
	for story, bad := range map[string][]byte{
		"another format":                      with(0, 1),
		"another revision's names":            with(1, 4),
		"a number with a byte too many":       with(2, 0x80, 0),
		"an unknown phase":                    with(3, 3),
		"an unknown phase and more":           append(with(3, 0x83), 1, email, 0),
		"more that is nothing":                append(with(3, 0x80), 0, 0),
		"contests that are none":              append(with(3, 0x40), 0),
		"a contest that is not there":         append(with(3, 0x40), 1),
		"a contest and nothing that says so":  append(with(3, 0), 1, email, 0),
		"the time Go takes for none":          with(4, 0xff, 0xff, 0x9a, 0xd8, 0x9f, 0xff, 0xca, 0x95, 0x05),
		"a time that did not occur":           with(4, 1),
		"a time again that was there before":  slices.Concat(good[:4], []byte{3 + 3*10, 3 + 3*2, 3 + 3*1}, good[7:]),
		"no time after the one before":        slices.Concat(with(4, 3+3*3)[:5], []byte{2}, good[6:]),
		"a whole day in microseconds":         with(4, 0x83, 0x80, 0x98, 0x8d, 0xfd, 0x97, 0x1e),
		"a time too far":                      with(4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"a text that has a name, in letters":  with(7, 0, 3, 'w', 'e', 'b'),
		"no text, in letters":                 with(7, 0, 0),
		"a text again that was there before":  slices.Concat(good[:7], []byte{0, 1, 'a', 0, 1, 'a'}, good[9:]),
		"a text that did not occur":           with(7, 21),
		"a list longer than all there is":     with(10, 9),
		"a first value like the one before":   with(13, 1, email, 0x20),
		"a second value that is and says not": with(13, 2, email, 0, 1, 0, 0, web, web, 0, 1, 0, 0, web),
		"a value with an unknown flag":        with(13, 1, email, 0x80, 1, 0, 0, web),
		"a value both seen and inferred":      with(13, 1, email, 0x41, 1, 0, 0, web, web, web, 0),
		"a guess surer than sure":             with(13, 1, email, 0x01, 1, 0, 0, web, web, web, 0x91, 0x4e),
		"a value that finds, without index":   with(13, 1, email, 0x04, 1, 0, 0, web),
		"an index of nothing":                 slices.Concat(with(13, 1, email, 0x08, 1, 0, 0, web), make([]byte, 16), []byte{0}),
	} {
		if s, err := consent.Decode(bad, few); !errors.Is(err, consent.ErrFormat) {
			f.Errorf("%s, %x: got %+v, %v, want ErrFormat", story, bad, s, err)
		}
		f.Add(bad)
	}
	for story, b := range map[string][]byte{
		"nothing": good, "a name": with(7, web), "a text": with(7, 0, 1, 'a'), "a day": with(4, 2+3*2), "a moment": with(4, 3+3*3),
		"a time twice": slices.Concat(with(4, 3+3*3)[:5], []byte{1}, good[6:]), "1970": with(4, 2), "more": append(with(3, 0x81), 1, email, 0),
		"a contest":             append(with(3, 0x40), 1, email, 0),
		"a value that was seen": with(13, 1, email, 0x40, 1, 0, 0, web), "a sure guess": with(13, 1, email, 0x01, 1, 0, 0, web, web, web, 0x90, 0x4e),
		"two values, one like the other": with(13, 2, email, 0, 1, 0, 0, web, web, 0x20),
	} {
		if _, err := consent.Decode(b, few); err != nil {
			f.Errorf("%s, of which the bad ones are copies: %x: %v", story, b, err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := consent.Decode(b, few)
		if err != nil {
			if !errors.Is(err, consent.ErrFormat) || s != nil {
				t.Fatalf("got %v and %v, want nothing and ErrFormat", s, err)
			}
			return
		}
		if again := s.Encode(few); !bytes.Equal(again, b) {
			t.Fatalf("re-encoded:\ngot  %x\nwant %x", again, b)
		}
	})
}

// What is on disk stays readable: the words and their numbers belong to the
// format, and so does every byte.
func TestAStandingOfLongAgoIsRead(t *testing.T) {
	told := time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC)
	s := &consent.Standing{Version: 300, Jurisdiction: "DE", TimeZone: "Europe/Berlin", AgeBand: "25_34", AgeBandUntil: time.Date(2031, 5, 7, 0, 0, 0, 0, time.UTC),
		LastAct: told, Captured: []privacy.ChannelID{"web"},
		Consents: []consent.Consent{{Purpose: "sms-marketing", ID: privacy.ConsentID{0: 1, 15: 2}, Status: privacy.StatusOptedOut, At: told, Recorded: told.Add(time.Second),
			Until: told.AddDate(1, 0, 0), Narrowed: told, Objected: true, Revision: 3, Fields: []privacy.FieldName{"phone_number", "email"}, Recipients: []string{"Ferryman"}}},
		Grounds: []consent.Ground{{Purpose: "order-fulfilment", Since: told}},
		Values: []consent.Value{
			{Field: "address", Version: 1, Observed: told, Recorded: told, Channel: "web", Origin: privacy.Declared},
			{Field: "email", Version: 1, Observed: told, Recorded: told, Channel: "web", Origin: privacy.Declared, Verified: true, Index: [16]byte{7}, Holds: true, Channels: []privacy.ChannelID{"web"}},
		}}
	const want = "0203ac0200" + // format, revision, version, phase
		"a69a08" + "00" + "80dda995c38adf01" + // age band until, not restricted, last act
		"00024445" + "000d4575726f70652f4265726c696e" + "0b" + "0110" + // DE, Europe/Berlin, 25_34, captured by web
		"01" + "12" + "01000000000000000000000000000002" + "06" + "04839bee0283e5eec0f4822b04" + "01" + "03" + "02" + "000c70686f6e655f6e756d626572" + "11" + "01" + "000846657272796d616e" + "00" + // a consent
		"01" + "00106f726465722d66756c66696c6d656e74" + "01" + "0400" + // a ground
		"02" + "1300" + "01040410" + "112e" + "07000000000000000000000000000000" + "0110" // two values, told together
	if got := hex.EncodeToString(s.Encode(few)); got != want {
		t.Errorf("written: got  %s\nwant %s", got, want)
	}
	b, err := hex.DecodeString(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := consent.Decode(b, few); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("read: got %+v, %v", got, err)
	}
	all := consent.Standing{AgeBand: "65_plus", Jurisdiction: string(privacy.StatusGiven), TimeZone: ""}
	if got := all.Encode(consent.NoNames); !bytes.Equal(got, []byte{2, 0, 0, 0, 0, 0, 0, 2, 1, 15, 0, 0, 0, 0}) {
		t.Errorf("words: got %x", got)
	}
}
