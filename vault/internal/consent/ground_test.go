package consent_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// live records what happened to a purpose, in the order it was heard of: begun
// and ended grounds, with a reference as "begun:order-1@5", and acts.
func live(t testing.TB, s *consent.Standing, p *register.Purpose, story string) {
	t.Helper()
	for word := range strings.FieldsSeq(story) {
		what, at, _ := strings.Cut(word, "@")
		what, ref, _ := strings.Cut(what, ":")
		var n int
		if _, err := fmt.Sscan(at, &n); err != nil {
			t.Fatalf("%q: want what:ref@minute", word)
		}
		switch what {
		case "begun":
			s.BeginGround(p.ID, ref, minute(n))
		case "ended":
			s.EndGround(p.ID, ref, minute(n))
		default:
			s.Record(consent.Act{Purpose: p.ID, Status: privacy.ConsentStatus(what), At: minute(n), Shown: p})
		}
	}
}

func TestAGroundStandsUntilItEndsOrANoEndsWhatItMade(t *testing.T) {
	every := []privacy.LegalBasis{privacy.Contract, privacy.LegalObligation, privacy.VitalInterests, privacy.PublicTask, privacy.LegitimateInterests}
	contract, law := every[:1], every[1:3]
	interests := every[3:]
	for _, c := range []struct {
		story  string
		bases  []privacy.LegalBasis
		what   string
		stands bool
	}{
		{"never begun", every, "", false},
		{"begun", every, "begun@1", true},
		{"begun for an order", every, "begun:order-1@1", true},
		{"ended", every, "begun@1 ended@2", false},
		{"ended, all of them", every, "begun:order-1@1 begun:order-2@2 ended@3", false},
		{"one order of two ended", every, "begun:order-1@1 begun:order-2@2 ended:order-1@3", true},
		{"one of another reference ended", every, "begun:order-1@1 ended:order-2@3", true},
		{"to end in a minute", every, "begun@1 ended@99", true},
		{"ended, and begun again", every, "begun@1 ended@2 begun@3", true},
		{"ended, and begun again for the same order", every, "begun:order-1@1 ended:order-1@2 begun:order-1@3", true},
		{"begun and ended at one moment: ties narrow", every, "begun@1 ended@2 begun@2", false},
		{"that it had begun before it ended is heard of late", every, "begun@1 ended@5 begun@3", false},
		{"that it ended earlier is heard of late", every, "begun@1 ended@99 ended@2", false},
		{"that it ended later is heard of late", every, "begun@1 ended@2 ended@99", false},

		{"the law does not ask", law, "begun@1 objected@2", true},
		{"a no ends a contract's use", contract, "begun@1 objected@2", false},
		{"at one moment: ties narrow", contract, "begun@2 objected@2", false},
		{"a contract begins anew with the next order", contract, "begun@1 objected@2 begun:order-2@3", true},
		{"or with the same ground begun again", contract, "begun@1 objected@2 begun@3", true},
		{"not with one of before the no", contract, "begun@1 objected@5 begun:order-2@3", false},
		{"a no ends an interest", interests, "begun@1 objected@2", false},
		{"an interest does not begin anew with a ground", interests, "begun@1 objected@2 begun@3", false},
		{"nor with another one", interests, "begun@1 objected@2 begun:case-2@3", false},
		{"only with a yes", interests, "begun@1 objected@2 given@3", true},
		{"a yes alone is no ground", every, "given@3", false},
		{"opting out is a no too", interests, "begun@1 opted_out@2 begun@3", false},
	} {
		for _, basis := range c.bases {
			t.Run(string(basis)+"/"+c.story, func(t *testing.T) {
				s, p := &consent.Standing{}, &register.Purpose{ID: "p", Basis: basis}
				live(t, s, p, c.what)
				if got := s.GroundStands(p, minute(50)); got != c.stands {
					t.Errorf("stands: got %v, want %v", got, c.stands)
				}
				other := &register.Purpose{ID: "other", Basis: basis}
				if s.GroundStands(other, minute(50)) {
					t.Error("a ground of one purpose stands for another")
				}
			})
		}
	}
}

// The same ground begun twice is one, and changes nothing.
func TestAGroundBegunTwiceIsOne(t *testing.T) {
	s := &consent.Standing{}
	if !s.BeginGround("p", "order-1", minute(1)) || s.BeginGround("p", "order-1", minute(2)) || !s.BeginGround("p", "order-2", minute(3)) || !s.BeginGround("a", "order-1", minute(4)) {
		t.Error("begun: want new, the same, new, new")
	}
	var got []string
	for _, g := range s.Grounds {
		got = append(got, fmt.Sprintf("%s/%s", g.Purpose, g.Ref))
	}
	if fmt.Sprint(got) != "[a/order-1 p/order-1 p/order-2]" {
		t.Errorf("grounds: got %v", got)
	}
	if !s.Grounds[1].Since.Equal(minute(1)) {
		t.Errorf("since: got %s, want when it first began", s.Grounds[1].Since)
	}
}
