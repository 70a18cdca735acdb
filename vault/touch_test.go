package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// conversing is the small shop whose channels talk to people: three text messages
// a month, none at night, and none while a line is down.
var conversing = strings.Replace(vaulttest.Register, `retention: P1Y, consent:`,
	`retention: P1Y, contact: {caps: [{count: 3, per: P30D}], quiet_hours: {from: "21:00", to: "08:00", media: [sms]}, cooldowns: [{after: fault, for: P14D}]}, consent:`, 1) +
	"settings: {contact: {reach: [{medium: sms, field: phone_number}]}, asking: {lease: PT2M, again: P180D}}\n"

func offer(topic string) vault.TouchRequest {
	return vault.TouchRequest{Kind: vault.TouchOffer, Topic: topic, Medium: "sms"}
}

// saysYes captures somebody who lets the store and its sender text them.
func saysYes(v *vaulttest.Vault, values map[string]any) vaulttest.Person {
	who := v.As("web").Capture(values)
	v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
	return who
}

// What one channel does with Anahita the others know: how often she was
// contacted, what she ordered, what was over, that she said no.
func TestTheLeftHandKnowsWhatTheRightHandDoes(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march})
	ana, ben := saysYes(v, anahita), saysYes(v, told("given_name", "Ben", "phone_number", "+49 30 7654321"))
	store, sms := v.As("store").For("sms-marketing"), v.As("sms").For("sms-marketing")
	first := time.Time{}
	for i, ch := range []*vaulttest.Act{store, sms, store} {
		ch.May(ana, offer("spring")).Yes()
		touch := offer("spring")
		touch.Purpose = "sms-marketing"
		at := ch.Touch(ana, touch).At
		if i == 0 {
			first = at
		}
		v.Tick(time.Hour)
	}
	for _, ch := range []*vaulttest.Act{store, sms} {
		ch.May(ana, offer("summer")).No("contact_cap", first.AddDate(0, 0, 30))
		ch.Do(ana, offer("summer")).No("contact_cap", first.AddDate(0, 0, 30))
		ch.May(ben, offer("summer")).Yes()
	}

	v.As("web").Touch(ben, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "gigabit", Ref: "order-77"})
	sms.May(ben, offer("gigabit")).No("already_ordered", time.Time{})
	v.As("store").Touch(ben, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "gigabit", Ref: "order-77", Ended: true})
	sms.May(ben, offer("gigabit")).Yes()

	old := offer("tv")
	old.Expires = v.Now()
	sms.May(ben, old).No("expired", time.Time{})

	fault := v.As("web").Touch(ben, vault.TouchRequest{Kind: vault.TouchEvent, Topic: "fault"}).At
	sms.May(ben, offer("tv")).No("policy", fault.AddDate(0, 0, 14))
	v.As("store").For("order-fulfilment").May(ben, vault.TouchRequest{Kind: vault.TouchContact, Topic: "line", Medium: "call"}).Yes()

	store.Consent(ana, privacy.StatusWithdrawn)
	sms.May(ana, offer("summer")).No("no_consent", time.Time{})
}

// At night she is not texted: where she lives, not where the vault is. Who moved
// to New York sleeps later; of whom only the American number is known, it may be
// night in Honolulu.
func TestSheIsNotTextedAtNight(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march}) // 13:00 in Berlin
	ana := saysYes(v, anahita)
	sms := v.As("sms").For("sms-marketing")
	sms.May(ana, offer("a")).Yes()
	day := march.Truncate(24 * time.Hour)
	jo := saysYes(v, told("given_name", "Jo", "phone_number", "+1 202 555 0143"))
	sms.May(jo, offer("a")).No("quiet_hours", day.Add(18*time.Hour)) // 8:00 in Honolulu, 13:00 in New York
	v.Tick(9 * time.Hour)
	sms.May(ana, offer("a")).No("quiet_hours", day.Add(31*time.Hour)) // 8:00 in Berlin
	v.As("web").For("order-fulfilment").May(ana, vault.TouchRequest{Kind: vault.TouchContact, Topic: "parcel", Medium: "sms"}).Yes()
	req := vaulttest.CaptureRequest(t, map[string]any{"address": map[string]any{"locality": "New York", "region": "NY", "country": "US"}})
	req.Subject = &ana
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	sms.May(ana, offer("a")).Yes()
	sms.May(jo, offer("a")).Yes() // nowhere there is it night
}

// A medium reaches her by a field: where that field is not hers to give out, she
// is not reached by it, and a rule's own words say why.
func TestAMediumReachesByItsField(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march})
	ana := saysYes(v, anahita)
	sms := v.As("sms").For("sms-marketing")
	v.Activate("package sayso.rules\nimport rego.v1\n\nwithhold contains {\"field\": \"phone_number\", \"reason\": \"Numbers rest on Sundays\"} if input.channel.id == \"sms\"\n")
	no := sms.May(ana, offer("a"))
	no.No("policy", time.Time{})
	if no.Result.Detail != "Numbers rest on Sundays" {
		t.Errorf("got %q, want the rule's words", no.Result.Detail)
	}
	letter := vault.TouchRequest{Kind: vault.TouchContact, Topic: "a", Medium: "letter"}
	sms.May(ana, letter).Yes() // for which the register names no field
	v.As("store").For("sms-marketing").May(ana, offer("a")).Yes()
}

// Two channels, 64 messengers, one cap: three get through, however they race and
// whether or not the officers' rules look at touches too. All 64 stand in her
// list of accesses.
func TestNoTwoSlipUnderACap(t *testing.T) {
	for name, rules := range map[string]string{"register": "", "rules": "package sayso.rules\nimport rego.v1\n\nwithhold contains {\"field\": f, \"reason\": \"enough\"} if {\n\tsome f in input.fields\n\tinput.touches.contacts.month >= 3\n}\n"} {
		t.Run(name, func(t *testing.T) {
			v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march})
			ana := saysYes(v, anahita)
			if rules != "" {
				v.Activate(rules)
			}
			channels := []*vaulttest.Act{v.As("store").For("sms-marketing"), v.As("sms").For("sms-marketing")}
			size := v.Store.Size()
			var mu sync.Mutex
			codes := map[string]int{}
			var racing sync.WaitGroup
			for i := range 64 {
				racing.Go(func() {
					verdict := channels[i%2].Do(ana, offer(fmt.Sprint("t", i)))
					mu.Lock()
					defer mu.Unlock()
					if verdict.Result == nil {
						t.Errorf("messenger %d: %v", i, verdict.Err)
						return
					}
					codes[verdict.Result.Code]++
				})
			}
			racing.Wait()
			no := "contact_cap"
			if rules != "" {
				no = "no_consent" // nothing may be released, so it looks like anybody's no
			}
			if codes[""] != 3 || codes[no] != 61 {
				t.Errorf("got %v, want 3 let through and 61 refused with %s", codes, no)
			}
			if got := v.Store.Size() - size; got != 64+3 {
				t.Errorf("the log grew by %d records, want 64 of asking and 3 of touches", got)
			}
		})
	}
}

// What changes after it was decided that she may be contacted, or asked, and
// before that is recorded, counts: her withdrawal, another rule, a suspension.
func TestWhatChangesBeforeAContactIsRecordedCounts(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Register: desks, Now: march, Store: w.wrap})
	ana := saysYes(v, told("email", "ana@example.org", "phone_number", "+49 30 901820"))
	d4 := v.As("d4")
	meanwhile := func(change func()) {
		w.set(func(w *watched) {
			w.onTx = func() error {
				w.set(func(w *watched) { w.onTx = nil })
				change()
				return nil
			}
		})
	}
	meanwhile(func() { v.As("store").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn) })
	d4.For("sms-marketing").Do(ana, offer("a")).No("no_consent", time.Time{})
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)

	meanwhile(func() { v.Apply(strings.Replace(desks, "{count: 3, per: P30D}", "{count: 1, per: P30D}", 1)) })
	d4.For("sms-marketing").Do(ana, offer("a")).Yes()
	meanwhile(func() { v.Apply(desks) })
	d4.For("sms-marketing").Do(ana, offer("b")).No("contact_cap", d4.For("sms-marketing").May(ana, offer("b")).Result.Until)

	meanwhile(func() { v.As("d4").For("order-fulfilment").Ground(ana, vault.GroundEnded) })
	_, err := d4.For("order-fulfilment").Ask(ana, "address")
	refusedWith(t, err, vault.CodeAlreadyAnswered)
	v.As("d4").For("order-fulfilment").Ground(ana, vault.GroundBegun)
	meanwhile(func() {
		if _, err := v.SuspendChannel(t.Context(), v.Officer, "d4"); err != nil {
			t.Error(err)
		}
	})
	_, err = d4.For("order-fulfilment").Ask(ana, "address")
	refusedWith(t, err, vault.CodeChannelSuspended)
	if d := entries(t, v, "dealings"); len(d) != 1 {
		t.Errorf("dealings: got %d rows, want Anahita's", len(d))
	}
}

// A campaign of hundreds is replayed through the vault, with the times it had:
// refused is what is beyond the third in thirty days, and nothing else.
func TestAReplayedCampaignLosesWhatIsBeyondTheThird(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(conversing, `, quiet_hours: {from: "21:00", to: "08:00", media: [sms]}`, "", 1), Now: march})
	people := make([]vaulttest.Person, 24)
	for i := range people {
		people[i] = saysYes(v, told("phone_number", fmt.Sprintf("+49 30 7700%03d", i)))
	}
	channels := []*vaulttest.Act{v.As("store").For("sms-marketing"), v.As("sms").For("sms-marketing")}
	var racing sync.WaitGroup
	for n, who := range people {
		racing.Go(func() {
			var made []time.Time
			at := march.AddDate(-1, 0, 0)
			for i := range 16 {
				at = at.Add(time.Duration(1+(n*31+i*17)%11) * 24 * time.Hour)
				inMonth := 0
				for _, m := range made {
					if at.Sub(m) < 30*24*time.Hour {
						inMonth++
					}
				}
				touch := offer("spring")
				touch.At = at
				verdict := channels[(n+i)%2].Do(who, touch)
				if verdict.Result == nil || verdict.Result.Allowed != (inMonth < 3) {
					t.Errorf("person %d, contact %d: got %+v, %v after %d in the month", n, i, verdict.Result, verdict.Err, inMonth)
				}
				if inMonth < 3 {
					made = append(made, at)
				}
			}
		})
	}
	racing.Wait()
}

// Asking whether to contact somebody says no more of them than a read: who never
// said yes, withdrew, or is capped and withdrew is told from nobody by nothing.
// Where the purpose is not silent an unknown person is unknown, as in a read.
func TestContactingNobodyLooksLikeNoSaySo(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march})
	capped := saysYes(v, anahita)
	v.As("sms").For("sms-marketing").Do(capped, offer("a")).Yes()
	v.As("sms").For("sms-marketing").Do(capped, offer("b")).Yes()
	v.As("web").Touch(capped, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "tv"})
	v.As("sms").For("sms-marketing").Consent(capped, privacy.StatusWithdrawn)
	never := v.As("web").Capture(told("given_name", "Ben", "phone_number", "+49 30 7654321"))
	v.As("web").Touch(never, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "tv"})
	people := map[string]vaulttest.Person{"withdrew": capped, "never asked": never, "withdrew, by number": vaulttest.By("phone_number", "+49 30 901820"),
		"unknown": vaulttest.ID(privacy.NewSubjectID()), "unknown by number": vaulttest.By("phone_number", "+49 30 1112223")}
	expired := offer("tv")
	expired.Expires = march.AddDate(-1, 0, 0)
	for _, touch := range []vault.TouchRequest{offer("tv"), expired, {Kind: vault.TouchOrder, Topic: "tv"}} {
		want := ""
		for who, p := range people {
			size := v.Store.Size()
			may, do := v.As("sms").For("sms-marketing").May(p, touch), v.As("sms").For("sms-marketing").Do(p, touch)
			got := shape(t, may.Result, may.Err) + shape(t, do.Result, do.Err)
			if want == "" {
				want = got
			}
			if got != want || !strings.Contains(got, "no_consent") {
				t.Errorf("%s: got %s, want %s", who, got, want)
			}
			if v.Store.Size() != size+2 {
				t.Errorf("%s: want both questions recorded", who)
			}
		}
	}
	order := v.As("web").For("order-fulfilment")
	for _, verdict := range []*vaulttest.Verdict{order.May(people["unknown"], offer("tv")), order.Do(people["unknown"], offer("tv"))} {
		refusedWith(t, verdict.Err, vault.CodeUnknownSubject)
	}
	refusedWith(t, order.For("sms-marketing").May(capped, offer("tv")).Err, vault.CodePurposeNotGranted)
	refusedWith(t, order.For("no-such").May(capped, offer("tv")).Err, vault.CodeUnknownPurpose)

	// Recording is answered the same too, and counted for nobody.
	for who, p := range people {
		size := v.Store.Size()
		touch := offer("tv")
		touch.Purpose, touch.At = "sms-marketing", march
		if res := v.As("sms").Touch(p, touch); !res.At.Equal(march) || v.Store.Size() != size+1 {
			t.Errorf("%s: got %+v and %d records, want the touch and one", who, res, v.Store.Size()-size)
		}
	}
}

// What may not show who it is about leaves on the beat, however much is known of
// them; the rest does not wait.
func TestWhatIsQuietAboutContacts(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: desks, Now: march})
	yes, no := saysYes(v, told("email", "ana@example.org", "phone_number", "+49 30 901820")), v.As("web").Capture(told("email", "ben@example.org"))
	for range 20 {
		v.As("web").Touch(no, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "tv"})
	}
	for _, c := range []struct {
		story   string
		purpose privacy.PurposeID
		who     vaulttest.Person
		want    bool
	}{
		{"said yes", "sms-marketing", yes, false}, {"never asked", "sms-marketing", no, true}, {"unknown", "sms-marketing", vaulttest.ID(privacy.NewSubjectID()), true},
		{"a contract", "order-fulfilment", no, false}, {"unknown for a contract", "order-fulfilment", vaulttest.ID(privacy.NewSubjectID()), false},
	} {
		by := v.As("d4").Caller
		contact, err := v.QuietContact(t.Context(), by, vault.TouchRequest{Subject: c.who, Purpose: c.purpose, Kind: vault.TouchOffer, Topic: "tv"})
		ask, err2 := v.QuietAsk(t.Context(), by, c.who.ID, c.purpose, "phone_number")
		if err != nil || err2 != nil || contact != c.want || ask != c.want {
			t.Errorf("%s: quiet %v and %v, %v, %v, want %v", c.story, contact, ask, err, err2, c.want)
		}
	}
}

// A bad touch is refused with its member, before anybody is looked up.
func TestATouchThatCannotBeIsRefused(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march})
	ana := saysYes(v, anahita)
	for field, touch := range map[string]vault.TouchRequest{
		"kind":    {Kind: "visit", Topic: "a"},
		"topic":   {Kind: vault.TouchOffer, Topic: "Anahita Quintero"},
		"medium":  {Kind: vault.TouchOffer, Topic: "a", Medium: "+49 30"},
		"ref":     {Kind: vault.TouchOffer, Topic: "a", Ref: strings.Repeat("x", 201)},
		"at":      {Kind: vault.TouchOffer, Topic: "a", At: march.Add(2 * time.Minute)},
		"purpose": {Kind: vault.TouchOffer, Topic: "a", IfAllowed: true},
		"ended":   {Kind: vault.TouchOrder, Topic: "a", Purpose: "sms-marketing", IfAllowed: true, Ended: true},
		"subject": {Kind: vault.TouchOrder, Topic: "a", Subject: vaulttest.By("given_name", "Anahita")},
	} {
		if touch.Subject.Field == "" {
			touch.Subject = ana
		}
		_, err := v.RecordTouch(t.Context(), v.As("sms").Caller, touch)
		if got := refusedWith(t, err, vault.CodeInvalidRequest); len(got.Fields) != 1 || got.Fields[0].Field != field {
			t.Errorf("%s: got %+v", field, got)
		}
	}
	_, err := v.RecordTouch(t.Context(), v.As("web").Caller, vault.TouchRequest{Subject: ana, Kind: vault.TouchOffer, Topic: "a", Purpose: "sms-marketing"})
	refusedWith(t, err, vault.CodePurposeNotGranted)
}

// The officers' rules see what the channels did, at the moment it is decided: a
// touch that comes between decision and record makes it decide again, a decision
// made before is not reused after, and a past one is explained by what was then.
func TestRulesSeeTouchesAsTheyAre(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march, Store: w.wrap})
	ana := saysYes(v, anahita)
	v.Activate(`package sayso.rules
import rego.v1

withhold contains {"field": "phone_number", "reason": "A line is down"} if {
	input.purpose.id == "sms-marketing"
	"fault" in input.touches.events
}

withhold contains {"field": "phone_number", "reason": "Twice a week is enough"} if input.touches.by_purpose[input.purpose.id].week >= 2
`)
	sms := v.As("sms").For("sms-marketing")
	number := told("phone_number", "+4930901820")
	before := sms.Read(ana, "phone_number").Released(number)
	sms.Do(ana, offer("a")).Yes()
	sms.Do(ana, offer("b")).Yes()
	sms.Read(ana).Withheld("phone_number", privacy.CodePolicy)
	sms.May(ana, offer("c")).No("policy", time.Time{})
	v.Tick(8 * 24 * time.Hour)

	// While a read is being recorded, her line breaks down.
	once := sync.OnceFunc(func() {
		w.set(func(w *watched) { w.onEntry = nil })
		v.As("web").Touch(ana, vault.TouchRequest{Kind: vault.TouchEvent, Topic: "fault"})
	})
	w.set(func(w *watched) { w.onEntry = func([]byte) error { once(); return nil } })
	sms.Read(ana).Withheld("phone_number", privacy.CodePolicy)
	v.As("store").For("order-fulfilment").Read(ana, "phone_number").Released(number)

	view, err := v.Decision(t.Context(), v.Officer, before.Result.Decision)
	if err != nil || len(view.Facts.Touches.Events) != 0 || view.Facts.Touches.Contacts.Month != 0 || view.Reasons[0].Action != "release" {
		t.Errorf("the first decision: got %+v, %v, want it released with no touches", view, err)
	}
	after := sms.Read(ana)
	view, err = v.Decision(t.Context(), v.Officer, after.Result.Decision)
	if err != nil || fmt.Sprint(view.Facts.Touches.Events) != "[fault]" || view.Facts.Touches.ByPurpose["sms-marketing"].Month != 2 {
		t.Errorf("the last decision: got %+v, %v, want the fault and two contacts", view.Facts, err)
	}
}

// What no rule asks for any more is dropped when its time comes, without a
// request; what still counts stays, over a restart too. The log agrees.
func TestOldTouchesAreDropped(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march})
	ana := saysYes(v, anahita)
	touch := offer("a")
	touch.Purpose = "sms-marketing"
	v.As("sms").Touch(ana, touch)
	v.As("web").Touch(ana, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "tv"})
	size := func() int { return len(getRow(t, v, "dealings", ana.ID[:])) }
	sweep := func() {
		t.Helper()
		if _, err := v.SweepDealings(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	full := size()
	v.Tick(30*24*time.Hour - time.Minute)
	sweep()
	if size() != full {
		t.Error("a contact was dropped that still counts")
	}
	v.Tick(2 * time.Hour) // it shows to the hour
	sweep()
	if size() >= full {
		t.Error("a contact is kept that nobody can ask for")
	}
	if due := entries(t, v, "dealings/due"); len(due) != 0 {
		t.Errorf("still due: %d, want nothing", len(due))
	}
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	v.As("sms").For("sms-marketing").May(ana, offer("tv")).No("already_ordered", time.Time{})
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying: %v", err)
	}
}

// Dealings that were put back – so that she may be contacted again – are found by
// log verify; another person's are never taken for hers.
func TestDealingsThatWerePutBackAreFoundByLogVerify(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: conversing, Now: march})
	ana, ben := saysYes(v, anahita), saysYes(v, told("given_name", "Ben", "phone_number", "+49 30 7654321"))
	sms := v.As("sms").For("sms-marketing")
	sms.Do(ana, offer("a")).Yes()
	before := getRow(t, v, "dealings", ana.ID[:])
	capped := v.Store.Size() + 1
	sms.Do(ana, offer("b")).Yes()
	sms.Do(ben, offer("b")).Yes()
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Fatalf("verifying: %v", err)
	}
	putRow(t, v, "dealings", ana.ID[:], before)
	var bad *log.BadIndexError
	if _, err := v.VerifyLog(t.Context(), nil); !errors.As(err, &bad) || bad.Index != capped {
		t.Errorf("verifying: got %v, want record %d named", err, capped)
	}
	putRow(t, v, "dealings", ana.ID[:], getRow(t, v, "dealings", ben.ID[:]))
	if verdict := sms.May(ana, offer("c")); verdict.Result != nil {
		t.Errorf("with Ben's dealings: got %+v, want nothing said", verdict.Result)
	}
	putRow(t, v, "dealings", ana.ID[:], nil)
	if _, err := v.VerifyLog(t.Context(), nil); !errors.As(err, &bad) || bad.Index != capped {
		t.Errorf("verifying without them: got %v, want record %d named", err, capped)
	}
}

// Whether she may be contacted is a question like a read: it counts against what
// a channel may ask, and where it cannot be recorded it is not answered.
func TestAskingToContactIsAskingLikeAnyOther(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(conversing, "{id: sms, kind: sms, purposes: [sms-marketing]", "{id: sms, kind: sms, purposes: [sms-marketing], limits: {people_per_day: 2}", 1), Now: march, Store: w.wrap})
	sms := v.As("sms").For("sms-marketing")
	ana := saysYes(v, anahita)
	sms.May(ana, offer("a")).Yes()
	sms.Do(vaulttest.ID(privacy.NewSubjectID()), offer("a")).No("no_consent", time.Time{})
	refusedWith(t, sms.May(vaulttest.ID(privacy.NewSubjectID()), offer("a")).Err, vault.CodeRateLimited)
	w.set(func(w *watched) {
		w.onEntry = func([]byte) error { return errPulled }
		w.onTx = func() error { return errPulled }
	})
	for _, verdict := range []*vaulttest.Verdict{sms.May(ana, offer("a")), sms.Do(ana, offer("a"))} {
		if verdict.Result != nil {
			t.Errorf("without a record: got %+v", verdict.Result)
		}
		refusedWith(t, verdict.Err, vault.CodeUnavailable)
	}
}

var _ store.LogEngine = (*watched)(nil)
