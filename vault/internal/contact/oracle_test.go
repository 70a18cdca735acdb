package contact_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Tens of thousands of people are contacted for months, by three channels at
// all times, with a cap of three a month: refused is every contact that would be
// the fourth of any thirty days, and no other. What is dropped on the way
// changes nothing.
func TestReplayedCampaignsLoseExactlyWhatIsBeyondTheThird(t *testing.T) {
	alone, _, _ := strings.Cut(northgate, "settings:") // the month's cap, and nothing else
	reg := parse(t, alone)
	rules := contact.RulesOf(reg, "offers")
	r := rand.New(rand.NewPCG(1, 2))
	contacts, refused, histories := 0, 0, 30_000
	if raceDetector { // which finds nothing here, slowly
		histories = 1_000
	}
	for n := range histories {
		var d contact.Dealings
		var made []time.Time // the oracle's memory
		at := noon
		for range 4 + r.IntN(20) {
			at = at.Add(time.Duration(r.Int64N(int64(9 * day)))).Truncate(time.Microsecond)
			if r.IntN(8) == 0 && len(made) > 0 { // to the very moment a place comes free
				at = latest(at, made[len(made)-1].Add(30*day))
			}
			inMonth := 0
			for _, m := range made {
				if at.Sub(m) < 30*day {
					inMonth++
				}
			}
			plan := contact.Plan{Kind: []contact.Kind{contact.Contact, contact.Offer}[r.IntN(2)], Medium: []string{"", "email", "sms"}[r.IntN(3)], Topic: "a", At: at}
			v := rules.Check(&d, plan, berlin)
			if v.Allowed() != (inMonth < 3) {
				t.Fatalf("history %d: got %q at %s after %v, want it refused: %v", n, v.Code, at, made, inMonth >= 3)
			}
			contacts++
			if !v.Allowed() {
				refused++
				if want := made[len(made)-3].Add(30 * day); !v.Until.Equal(want) {
					t.Fatalf("history %d: got until %s, want %s", n, v.Until, want)
				}
				continue
			}
			made = append(made, at)
			d.Add(contact.Touch{Kind: plan.Kind, Purpose: "offers", Medium: plan.Medium, Topic: "a", At: at}, false)
			d.Prune(reg, at)
		}
	}
	if refused < contacts/10 {
		t.Fatalf("only %d of %d contacts were one too many: the histories say little", refused, contacts)
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// anyone is somebody of whom anything may have been told, in any order.
func anyone(t *rapid.T) (*contact.Dealings, contact.Plan, privacy.PurposeID) {
	when := rapid.Custom(func(t *rapid.T) time.Time {
		return noon.Add(time.Duration(rapid.IntRange(-40*24*4, 40*24*4).Draw(t, "quarters")) * 15 * time.Minute)
	})
	purpose := rapid.SampledFrom([]privacy.PurposeID{"offers", "texts", "news", "care", ""})
	medium := rapid.SampledFrom([]string{"", "sms", "call", "email"})
	topic := rapid.SampledFrom([]string{"tv", "fault", "survey"})
	d := &contact.Dealings{}
	for range rapid.IntRange(0, 14).Draw(t, "touches") {
		touch := contact.Touch{Kind: rapid.SampledFrom(contact.Kinds).Draw(t, "kind"), Purpose: purpose.Draw(t, "purpose"), Medium: medium.Draw(t, "medium"),
			Topic: topic.Draw(t, "topic"), Ref: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "ref"), At: when.Draw(t, "at")}
		if rapid.Bool().Draw(t, "expires") {
			touch.Expires = when.Draw(t, "expiry")
		}
		d.Add(touch, rapid.IntRange(0, 4).Draw(t, "ended") == 0)
	}
	plan := contact.Plan{Kind: rapid.SampledFrom(contact.Kinds).Draw(t, "plan"), Medium: medium.Draw(t, "by"), Topic: topic.Draw(t, "about"), At: noon}
	if rapid.Bool().Draw(t, "limited") {
		plan.Expires = when.Draw(t, "limit")
	}
	return d, plan, purpose.Draw(t, "for")
}

// Whatever was told, a contact that is refused until a time is allowed then, and
// at no quarter of an hour before. Where no time is said, none is found.
func TestUntilIsTheFirstMomentItMayHappen(t *testing.T) {
	reg := parse(t, northgate)
	rapid.Check(t, func(t *rapid.T) {
		d, plan, purpose := anyone(t)
		rules := contact.RulesOf(reg, purpose)
		v := rules.Check(d, plan, berlin)
		if v.Allowed() {
			return
		}
		end := v.Until
		if end.IsZero() {
			end = noon.Add(200 * day)
		}
		for at := plan.At; at.Before(end); at = at.Add(15 * time.Minute) {
			before := plan
			before.At = at
			if rules.Check(d, before, berlin).Allowed() {
				t.Fatalf("refused as %s until %v, and allowed at %s", v.Code, v.Until, at)
			}
		}
		if plan.At = v.Until; !v.Until.IsZero() && !rules.Check(d, plan, berlin).Allowed() {
			t.Fatalf("refused as %s until %v, and then refused too", v.Code, v.Until)
		}
	})
}

// However late contacts are told of, those that were allowed never are more than
// the cap in any thirty days.
func TestACapHoldsInEveryMonthInWhateverOrderItIsTold(t *testing.T) {
	reg := parse(t, northgate)
	rules := contact.RulesOf(reg, "offers")
	rapid.Check(t, func(t *rapid.T) {
		var d contact.Dealings
		var made []time.Time
		for _, hours := range rapid.SliceOfN(rapid.IntRange(0, 90*24), 1, 40).Draw(t, "hours") {
			at := noon.Add(time.Duration(hours) * time.Hour)
			if rules.Check(&d, contact.Plan{Kind: contact.Contact, Topic: "a", At: at}, berlin).Allowed() {
				made = append(made, at)
				d.Add(contact.Touch{Kind: contact.Contact, Purpose: "offers", Topic: "a", At: at}, false)
			}
		}
		slices.SortFunc(made, time.Time.Compare)
		for i := 3; i < len(made); i++ {
			if made[i].Sub(made[i-3]) < 30*day {
				t.Fatalf("four contacts in a month: %v", made[i-3:i+1])
			}
		}
	})
}

// Dropping what is old changes no answer, now or later, and what is due is
// dropped then.
func TestWhatIsDroppedIsAskedForByNoRule(t *testing.T) {
	reg := parse(t, northgate)
	rapid.Check(t, func(t *rapid.T) {
		d, plan, purpose := anyone(t)
		pruned := &contact.Dealings{Touches: slices.Clone(d.Touches)}
		_, due := pruned.Prune(reg, plan.At)
		rules := contact.RulesOf(reg, purpose)
		for _, days := range []int{0, 1, 13, 31, 89} {
			then := plan
			then.At = plan.At.AddDate(0, 0, days)
			if got, want := rules.Check(pruned, then, berlin), rules.Check(d, then, berlin); got != want {
				t.Fatalf("after %d days: got %+v, want %+v", days, got, want)
			}
		}
		if due.IsZero() {
			return
		}
		left := len(pruned.Touches)
		if dropped, _ := pruned.Prune(reg, due.Add(-time.Microsecond)); dropped {
			t.Fatalf("something was dropped before %s", due)
		}
		if pruned.Prune(reg, due); len(pruned.Touches) >= left {
			t.Fatalf("nothing was dropped at %s", due)
		}
	})
}

// A cap over three months remembers three months.
func TestALongCapRemembersForLong(t *testing.T) {
	p := known(t, northgate)
	for range 5 {
		p.touch(contact.Contact, "news", "a")
	}
	p.later(89*day).Prune(p.reg, p.now)
	p.wants(p.plan(contact.Contact, "news", "email", "a"), contact.CodeCap, day)
	if p.later(day).Prune(p.reg, p.now); len(p.Touches) != 0 {
		t.Errorf("after three months: got %v, want nothing", p.Touches)
	}
}

// A channel that floods a person with contacts, or with orders, pushes out no
// contact that a cap needs, and the record stays small.
func TestAFloodHoldsNoCapOpen(t *testing.T) {
	p := known(t, northgate)
	for range 3 {
		p.touch(contact.Offer, "offers", "a")
	}
	p.touch(contact.Order, "", "tv")
	for range 2000 {
		p.later(time.Second)
		p.touch(contact.Contact, "care", "flood")
		p.touch(contact.Event, "", "flood")
		p.Prune(p.reg, p.now)
	}
	if len(p.Touches) > 600 {
		t.Errorf("%d touches are remembered", len(p.Touches))
	}
	p.wants(p.plan(contact.Offer, "offers", "email", "b"), contact.CodeCap, 30*day-2000*time.Second)
	p.wants(p.plan(contact.Offer, "news", "email", "tv"), contact.CodeAlreadyOrdered, 0)
}
