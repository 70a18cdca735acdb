package consent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// noon is when the stories begin; acts are minutes after it.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

// offers is a purpose that people say yes and no to; a yes lasts an hour.
var offers = &register.Purpose{ID: "offers", Basis: privacy.Consent, Fields: []privacy.FieldName{"email"},
	Consent: &register.ConsentTerms{ValidFor: privacy.Period{Time: time.Hour}}}

// fold records acts as they arrive, written "given@10 withdrawn@20", and returns
// which of them took effect.
func fold(t testing.TB, s *consent.Standing, acts string) (effective string) {
	t.Helper()
	for i, word := range strings.Fields(acts) {
		status, at, ok := strings.Cut(word, "@")
		var n int
		if _, err := fmt.Sscan(at, &n); !ok || err != nil {
			t.Fatalf("act %q: want status@minute", word)
		}
		a := consent.Act{ID: privacy.ConsentID{byte(i + 1)}, Purpose: offers.ID, Status: privacy.ConsentStatus(status), At: minute(n), Recorded: minute(100 + i), Shown: offers, Revision: uint64(i + 1)}
		if s.Record(a) {
			effective += "+"
		} else {
			effective += "-"
		}
	}
	return effective
}

// What somebody said, in the order in which the vault came to hear of it, and
// what is in force afterwards.
func TestWhatIsInForceAfterSayingYesAndNo(t *testing.T) {
	for _, c := range []struct {
		story     string
		acts      string
		effective string
		want      privacy.ConsentStatus
		objected  bool
	}{
		{"nothing was said", "", "", privacy.StatusNone, false},
		{"yes", "given@10", "+", privacy.StatusGiven, false},
		{"yes, then no", "given@10 withdrawn@20", "++", privacy.StatusWithdrawn, false},
		{"no, then yes", "refused@10 given@20", "++", privacy.StatusGiven, false},
		{"yes, no, yes", "given@10 withdrawn@20 given@30", "+++", privacy.StatusGiven, false},
		{"a yes of before the no arrives late", "withdrawn@20 given@10", "+-", privacy.StatusWithdrawn, false},
		{"a yes of the very moment of the no: ties narrow", "withdrawn@20 given@20", "+-", privacy.StatusWithdrawn, false},
		{"a no of the very moment of the yes: ties narrow", "given@20 withdrawn@20", "++", privacy.StatusWithdrawn, false},
		{"a yes between two noes", "withdrawn@30 refused@10 given@20", "++-", privacy.StatusRefused, false},
		{"a no of long ago is heard of late and still counts", "given@20 withdrawn@10", "++", privacy.StatusWithdrawn, false},
		{"and the yes can be said again, later than it", "given@20 withdrawn@10 given@11", "+++", privacy.StatusGiven, false},
		{"of two yeses the later counts", "given@20 given@10", "++", privacy.StatusGiven, false},
		{"an objection", "objected@10", "+", privacy.StatusObjected, true},
		{"an objection stands when the same is refused", "objected@10 refused@20", "++", privacy.StatusRefused, true},
		{"an objection stands when the same is opted out of", "objected@10 opted_out@5", "++", privacy.StatusOptedOut, true},
		{"an objection stands over an earlier yes", "objected@10 given@9", "+-", privacy.StatusObjected, true},
		{"an objection ends with a later yes", "objected@10 given@11", "++", privacy.StatusGiven, false},
		{"an objection after a yes", "given@10 objected@11", "++", privacy.StatusObjected, true},
	} {
		t.Run(c.story, func(t *testing.T) {
			s := &consent.Standing{}
			if got := fold(t, s, c.acts); got != c.effective {
				t.Errorf("effective: got %s, want %s", got, c.effective)
			}
			if got := s.Status("offers", minute(40)); got != c.want {
				t.Errorf("status: got %s, want %s", got, c.want)
			}
			if got := s.Objected("offers"); got != c.objected {
				t.Errorf("objected: got %v, want %v", got, c.objected)
			}
			if got := s.Status("something else", minute(40)); got != privacy.StatusNone {
				t.Errorf("status of another purpose: got %s, want none", got)
			}
		})
	}
}

func TestAYesLastsAsLongAsTheNoticeSaid(t *testing.T) {
	s := &consent.Standing{}
	fold(t, s, "given@10 given@5")
	for _, c := range []struct {
		at   int
		want privacy.ConsentStatus
	}{{10, privacy.StatusGiven}, {69, privacy.StatusGiven}, {70, privacy.StatusExpired}, {700, privacy.StatusExpired}} {
		if got := s.Status("offers", minute(c.at)); got != c.want {
			t.Errorf("at %d: got %s, want %s", c.at, got, c.want)
		}
	}
	if got := s.Status("offers", minute(70).Add(-time.Microsecond)); got != privacy.StatusGiven {
		t.Errorf("a microsecond before its end: got %s, want given", got)
	}
	fold(t, s, "given@71")
	if got := s.Status("offers", minute(80)); got != privacy.StatusGiven {
		t.Errorf("renewed: got %s, want given", got)
	}
	// What did not expire is not made to by a no.
	fold(t, s, "withdrawn@90")
	if got := s.Status("offers", minute(9000)); got != privacy.StatusWithdrawn {
		t.Errorf("withdrawn long ago: got %s, want withdrawn", got)
	}
}

// What the standing keeps of a yes is what was shown; a no leaves nothing of it.
func TestAYesKeepsWhatWasShownAndANoNothing(t *testing.T) {
	shown := *offers
	shown.Recipients = []string{"Nordlicht"}
	shown.Consent = &register.ConsentTerms{Explicit: true, Notice: register.Notice{Purposes: []privacy.PurposeID{"narrow"}}}
	s := &consent.Standing{}
	s.Record(consent.Act{Purpose: "offers", Status: privacy.StatusGiven, At: minute(1), Shown: &shown, Revision: 7})
	c := s.Consent("offers")
	if !c.Explicit || c.Revision != 7 || !c.Until.IsZero() || fmt.Sprint(c.Fields, c.Recipients, c.Narrower) != "[email] [Nordlicht] [narrow]" {
		t.Errorf("kept: got %+v", *c)
	}
	shown.Fields[0] = "changed"
	if c.Fields[0] != "email" {
		t.Error("what a person was shown changed when the register did")
	}
	shown.Fields[0] = "email"
	s.Record(consent.Act{Purpose: "offers", Status: privacy.StatusWithdrawn, At: minute(2)})
	if c := s.Consent("offers"); c.Explicit || len(c.Fields)+len(c.Recipients)+len(c.Narrower) != 0 || !c.Until.IsZero() {
		t.Errorf("after a no: got %+v, want nothing of the yes", *c)
	}
}

// An act without a time comes after the person's last one, so that a yes said
// right after a no counts even within one microsecond.
func TestAnActWithoutATimeComesAfterTheLast(t *testing.T) {
	s := &consent.Standing{}
	no := s.ActTime(time.Time{}, minute(10))
	s.Record(consent.Act{Purpose: "offers", Status: privacy.StatusWithdrawn, At: no})
	for i := range 3 {
		yes := s.ActTime(time.Time{}, minute(10))
		if !yes.After(no) {
			t.Fatalf("act %d: got %s, want it after %s", i, yes, no)
		}
		no = yes
		if !s.Record(consent.Act{Purpose: "offers", Status: privacy.StatusGiven, At: yes, Shown: offers}) {
			t.Fatalf("act %d: a yes right after the no took no effect", i)
		}
	}
	if got := s.ActTime(time.Time{}, minute(9)); !got.After(no) {
		t.Errorf("with a clock that stands behind: got %s, want it after %s", got, no)
	}
	at := minute(3).Add(1500 * time.Nanosecond).In(time.FixedZone("CET", 3600))
	if got := s.ActTime(at, minute(10)); !got.Equal(minute(3).Add(time.Microsecond)) || got.Location() != time.UTC {
		t.Errorf("a time that is given: got %s, want it in UTC and microseconds", got)
	}
}

// Whatever is said and in whatever order it is heard of: a yes that is in force
// is later than every no, and every no took effect.
func TestNoOrderOfActsLetsAYesOverALaterNo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &consent.Standing{}
		latestNo, objection, yes := -1, -1, -1
		for i := range rapid.IntRange(1, 12).Draw(t, "acts") {
			at := rapid.IntRange(0, 6).Draw(t, "at")
			status := rapid.SampledFrom(privacy.ConsentStatuses).Draw(t, "status")
			effective := s.Record(consent.Act{ID: privacy.ConsentID{byte(i)}, Purpose: "offers", Status: status, At: minute(at), Shown: offers})
			switch {
			case status.Narrows() && !effective:
				t.Fatalf("a no took no effect: %s at %d", status, at)
			case status.Narrows():
				latestNo, yes = max(latestNo, at), -1
				if status == privacy.StatusObjected {
					objection = at
				}
			case effective != (at > latestNo):
				t.Fatalf("a yes at %d with the latest no at %d: effective %v", at, latestNo, effective)
			case effective:
				yes, objection = max(yes, at), -1
			}
			given := s.Status("offers", minute(6)) == privacy.StatusGiven
			if given != (yes >= 0) || given && !s.Consent("offers").At.Equal(minute(yes)) {
				t.Fatalf("given %v as of %v, want one of minute %d", given, s.Consent("offers").At, yes)
			}
			if s.Objected("offers") != (objection >= 0) {
				t.Fatalf("objected %v, want %v", s.Objected("offers"), objection >= 0)
			}
			if c := s.Consent("offers"); !given && len(c.Fields) > 0 {
				t.Fatalf("a no left %v covered", c.Fields)
			}
		}
	})
}
