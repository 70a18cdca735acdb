package vault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// listening is the small shop whose channels may have events sent, each to a host of
// its own, and that has to keep no books.
var listening = strings.NewReplacer(
	"{id: web, kind: web,", "{id: web, kind: web, webhooks: [web.example.org],",
	"{id: sms, kind: sms,", "{id: sms, kind: sms, webhooks: [sms.example.org],",
	"{id: store, kind: store,", "{id: store, kind: store, webhooks: [store.example.org],",
).Replace(vaulttest.Register)

// postman delivers events and remembers them, by channel.
type postman struct {
	t  *testing.T
	v  *vaulttest.Vault
	mu sync.Mutex
	// closed are hosts that take nothing, refuses events that are not taken.
	closed  map[string]int
	refuses func(vault.Delivery) bool
	got     map[string][]vault.Delivery
	tried   int
}

// hooks makes a webhook for each channel of all that happens.
func hooks(t *testing.T, v *vaulttest.Vault, channels ...string) *postman {
	t.Helper()
	for _, ch := range channels {
		hook(t, v, ch, privacy.EventTypes...)
	}
	return &postman{t: t, v: v, closed: map[string]int{}, got: map[string][]vault.Delivery{}}
}

func hook(t *testing.T, v *vaulttest.Vault, ch string, types ...privacy.EventType) *vault.WebhookSecret {
	t.Helper()
	h, err := v.AddWebhook(t.Context(), v.As(privacy.ChannelID(ch)).Caller, vault.WebhookRequest{URL: "https://" + ch + ".example.org/hook", Types: types})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (p *postman) take(_ context.Context, d vault.Delivery) vault.Delivered {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried++
	ch := strings.TrimSuffix(strings.TrimPrefix(d.URL, "https://"), ".example.org/hook")
	if status := p.closed[ch]; status != 0 {
		return vault.Delivered{Status: status, Gone: status == 410}
	}
	if p.refuses != nil && p.refuses(d) {
		return vault.Delivered{Status: 422}
	}
	p.got[ch] = append(p.got[ch], d)
	return vault.Delivered{OK: true, Status: 204}
}

// brings delivers what is due, and wants a channel to have been told these things
// since the last time, of each person in this order: the type, of whom, and what
// about.
func (p *postman) brings(ch string, want ...string) {
	p.t.Helper()
	if err := p.v.DeliverDue(p.t.Context(), p.take); err != nil {
		p.t.Fatal(err)
	}
	var got []string
	for _, d := range p.got[ch] {
		got = append(got, toldText(d.Event))
	}
	p.got[ch] = nil
	byPerson := func(a, b string) int { return strings.Compare(strings.Fields(a)[1], strings.Fields(b)[1]) }
	slices.SortStableFunc(got, byPerson)
	slices.SortStableFunc(want, byPerson)
	if !slices.Equal(got, want) {
		p.t.Errorf("%s was told\n  %q\nwant\n  %q", ch, got, want)
	}
}

func toldText(e vault.Event) string {
	text := fmt.Sprintf("%s %s", e.Type, e.Subject)
	if e.Purpose != "" {
		text += " " + string(e.Purpose)
	}
	if len(e.Fields) > 0 {
		text += fmt.Sprint(" ", e.Fields)
	}
	return text
}

func of(who vaulttest.Person, what string) string {
	kind, about, _ := strings.Cut(what, " ")
	if about != "" {
		about = " " + about
	}
	return kind + " " + who.ID.String() + about
}

// A no that Anahita says in the shop reaches the sender of text messages, who could
// see her until then; what only others may see of her reaches only them.
func TestANoSaidInTheShopReachesTheTextingService(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening})
	p := hooks(t, v, "web", "store", "sms")
	ana := v.As("web").Capture(anahita)
	p.brings("sms") // she is nobody to it yet
	p.brings("web", of(ana, "profile.updated [address email family_name given_name phone_number]"))

	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	p.brings("sms", of(ana, "consent.given sms-marketing"))
	p.brings("web") // texting is not its business
	req := vaulttest.CaptureRequest(t, told("phone_number", "+49 30 7654321", "family_name", "Stern"))
	req.Subject = &ana
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	p.brings("sms", of(ana, "profile.updated [phone_number]")) // its purpose has no family name
	v.As("web").Touch(ana, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "tv"})
	v.As("store").For("sms-marketing").Do(ana, offer("film")).Yes()
	p.brings("sms", of(ana, "touch.recorded"), of(ana, "touch.recorded sms-marketing"))

	v.As("web").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	p.brings("sms", of(ana, "consent.withdrawn sms-marketing"))
	p.got["web"] = nil
	v.As("web").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn) // again: she is nobody to it by now
	v.As("web").Touch(ana, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "radio"})
	p.brings("sms")
	p.brings("web", of(ana, "touch.recorded"))

	v.As("web").For("order-fulfilment").Ground(ana, vault.GroundEnded)
	p.brings("web", of(ana, "ground.ended order-fulfilment"))
}

// What a channel does to people whom it may not see, or who are not there, it hears
// nothing of; and how much happens that it is not told shows in no ID.
func TestAChannelHearsNothingOfPeopleItMayNotSee(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening})
	p := hooks(t, v, "sms", "store")
	known := v.As("web").Capture(told("email", "ben@example.org"))
	p.brings("sms")
	sms := v.As("sms")
	for _, who := range []vaulttest.Person{known, vaulttest.ID(privacy.NewSubjectID()), vaulttest.By("email", "ben@example.org"), vaulttest.By("email", "nobody@example.org")} {
		sms.For("sms-marketing").Consent(who, privacy.StatusWithdrawn)
		sms.For("sms-marketing").Consent(who, privacy.StatusRefused)
		sms.Touch(who, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "tv"})
	}
	p.brings("sms")

	// Two events that it is told of, once with and once without something between
	// that it is not told of: the IDs are as far apart.
	ids := func(between func()) [2]string {
		var told [2]string
		for i := range told {
			who := saysYes(v, told2(i))
			if err := v.DeliverDue(t.Context(), p.take); err != nil {
				t.Fatal(err)
			}
			mine := p.got["sms"]
			told[i], p.got["sms"] = mine[len(mine)-1].Event.ID, nil
			if who.ID != mine[len(mine)-1].Event.Subject {
				t.Fatalf("told of %s", mine[len(mine)-1].Event.Subject)
			}
			between()
		}
		return told
	}
	a, b := ids(func() {}), ids(func() { sms.Touch(known, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "tv"}) })
	for _, pair := range [][2]string{a, b} {
		same := 0
		for i := range pair[0] {
			if pair[0][i] == pair[1][i] {
				same++
			}
		}
		if same > 20 { // of 30, four of which are a prefix
			t.Errorf("IDs %v tell how far apart they are", pair)
		}
	}
}

// While a webhook takes nothing of what it is told about Anahita, what others do with
// her waits behind it: how much that is, which is not its business, shows nowhere.
func TestAWebhookThatIsDownCountsNothingOfOthers(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening, Now: march})
	p := hooks(t, v, "sms")
	ana := saysYes(v, anahita)
	p.closed["sms"] = 503
	p.brings("sms")
	for range 5 {
		v.As("web").Touch(ana, vault.TouchRequest{Kind: vault.TouchContact, Topic: "parcel", Purpose: "order-fulfilment"})
		p.brings("sms")
	}
	if view := webhookOf(t, v, "sms"); view.Waiting != 1 {
		t.Errorf("%d events wait, want the one that it did not take", view.Waiting)
	}
	delete(p.closed, "sms")
	v.Tick(6 * time.Second)
	p.brings("sms", of(ana, "profile.updated [given_name phone_number]"), of(ana, "consent.given sms-marketing"))
	if view := webhookOf(t, v, "sms"); view.Waiting != 0 {
		t.Errorf("afterwards: %+v", view)
	}
}

func told2(i int) map[string]any {
	return told("given_name", "Ben", "phone_number", fmt.Sprintf("+49 30 76543%02d", i))
}

// A webhook that does not take what it is sent gets it again, those about one person
// in the order in which they happened, until after three days they are given up; then
// it can have them sent again.
func TestAWebhookThatIsDownMissesNothing(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening, Now: march})
	p := hooks(t, v, "store")
	sms := hook(t, v, "sms", privacy.EventConsentGiven, privacy.EventConsentWithdrawn)
	ana, ben := saysYes(v, anahita), saysYes(v, told("given_name", "Ben", "phone_number", "+49 30 7654321"))
	p.brings("sms", of(ana, "consent.given sms-marketing"), of(ben, "consent.given sms-marketing"))

	p.refuses = func(d vault.Delivery) bool {
		return d.Event.Subject == ana.ID && d.Event.Type == privacy.EventConsentWithdrawn && strings.Contains(d.URL, "sms")
	}
	no, yes := func(who vaulttest.Person) { v.As("web").For("sms-marketing").Consent(who, privacy.StatusWithdrawn) }, func(who vaulttest.Person) { v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven) }
	no(ana)
	no(ben)
	yes(ana)
	p.brings("sms", of(ben, "consent.withdrawn sms-marketing")) // hers wait for each other, his for nobody's
	before := p.tried
	p.brings("sms")
	if p.tried != before {
		t.Errorf("it was tried again at once")
	}
	p.refuses = nil
	v.Tick(6 * time.Second)
	p.brings("sms", of(ana, "consent.withdrawn sms-marketing"), of(ana, "consent.given sms-marketing"))

	p.closed["sms"] = 503
	no(ana)
	people := []vaulttest.Person{}
	for i := range 9 {
		people = append(people, saysYes(v, told("phone_number", fmt.Sprintf("+49 30 76544%02d", i))))
	}
	before = p.tried
	p.got["store"] = nil
	p.brings("sms")
	if tried := p.tried - before - len(p.got["store"]); tried > 8 {
		t.Errorf("a webhook that takes nothing was tried %d times at once", tried)
	}
	if view := webhookOf(t, v, "sms"); view.State != vault.WebhookFailing || view.LastStatus != 503 {
		t.Errorf("got %+v, want that it fails", view)
	}
	v.Tick(20 * time.Hour)
	p.closed["sms"] = 0
	delete(p.closed, "sms")
	if err := v.DeliverDue(t.Context(), p.take); err != nil {
		t.Fatal(err)
	}
	if got := p.got["sms"]; len(got) != 10 {
		t.Errorf("when it was there again it got %d events, want all 10", len(got))
	}
	p.got["sms"] = nil

	p.closed["sms"] = 500
	no(people[0])
	for range 100 {
		p.brings("sms")
		v.Tick(time.Hour)
	}
	view := webhookOf(t, v, "sms")
	if view.State != vault.WebhookDisabled || view.Dead != 1 || view.Waiting != 0 {
		t.Fatalf("after four days: got %+v, want it disabled, and one dead letter", view)
	}
	no(people[1])
	p.brings("sms")
	dead, err := v.DeadLetters(t.Context(), v.As("sms").Caller, sms.ID)
	if err != nil || len(dead) != 1 || dead[0].Status != 500 || dead[0].Attempts < 5 {
		t.Errorf("dead letters: %+v, %v", dead, err)
	}
	delete(p.closed, "sms")
	if n, err := v.ReplayWebhook(t.Context(), v.As("sms").Caller, sms.ID, []string{dead[0].Event}); n != 1 || err != nil {
		t.Fatalf("replaying: %d, %v", n, err)
	}
	p.brings("sms", of(people[0], "consent.withdrawn sms-marketing"), of(people[1], "consent.withdrawn sms-marketing"))
	p.closed["sms"] = 410
	no(people[2])
	p.brings("sms")
	if view := webhookOf(t, v, "sms"); view.State != vault.WebhookDisabled || view.Waiting != 1 {
		t.Errorf("gone: got %+v", view)
	}
}

func webhookOf(t *testing.T, v *vaulttest.Vault, ch privacy.ChannelID) vault.Webhook {
	t.Helper()
	all, err := v.Webhooks(t.Context(), v.As(ch).Caller)
	if err != nil || len(all) != 1 {
		t.Fatalf("webhooks of %s: %+v, %v", ch, all, err)
	}
	return all[0]
}

// Of somebody erased there is nothing in the outbox any more but that, for those who
// could see them, or were about to be told that they cannot any longer.
func TestAnErasureIsToldAndLeavesNothingElse(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening})
	p := hooks(t, v, "web", "store", "sms")
	ana := saysYes(v, anahita)
	ben := v.As("web").Capture(told("email", "ben@example.org"))
	p.brings("sms", of(ana, "profile.updated [given_name phone_number]"), of(ana, "consent.given sms-marketing"))
	p.closed["sms"] = 500
	v.As("web").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	p.brings("sms")
	erase(t, v, ana)
	erase(t, v, ben)
	if n, err := v.Outbox(t.Context()); n != 2 || err != nil {
		t.Errorf("the outbox holds %d events, %v, want that two were erased", n, err)
	}
	delete(p.closed, "sms")
	p.got["web"] = nil
	v.Tick(time.Minute)
	p.brings("sms", of(ana, "subject.erased"))
	p.brings("web", of(ana, "subject.erased"), of(ben, "subject.erased"))
	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	p.brings("sms")
}

// A channel that is suspended, loses its host or its purpose is told nothing; what
// happened meanwhile it hears when it may again.
func TestWhatAChannelMayNowDecides(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening})
	p := hooks(t, v, "sms")
	ana := saysYes(v, anahita)
	if _, err := v.SuspendChannel(t.Context(), v.Officer, "sms"); err != nil {
		t.Fatal(err)
	}
	p.brings("sms")
	if _, err := v.ResumeChannel(t.Context(), v.Officer, "sms"); err != nil {
		t.Fatal(err)
	}
	v.Apply(strings.Replace(listening, "[sms.example.org]", "[other.example.org]", 1))
	p.brings("sms")
	if view := webhookOf(t, v, "sms"); view.State != vault.WebhookPaused || view.Detail == "" {
		t.Errorf("got %+v, want it paused", view)
	}
	_, err := v.AddWebhook(t.Context(), v.As("sms").Caller, vault.WebhookRequest{URL: "https://sms.example.org/hook", Types: privacy.EventTypes})
	refusedWith(t, err, vault.CodeInvalidRequest)
	v.Apply(listening)
	p.brings("sms", of(ana, "profile.updated [given_name phone_number]"), of(ana, "consent.given sms-marketing"))
	v.Activate("package sayso.rules\nimport rego.v1\nwithhold contains {\"field\": f, \"reason\": \"not now\"} if { some f in input.fields; input.channel.id == \"sms\" }")
	v.As("web").Touch(ana, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "tv"})
	p.brings("sms")
	v.As("web").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	p.brings("sms") // the rules kept her from it: it learns of no no either
}

// For a day two secrets sign, then the new one alone; and a channel sees its own
// webhooks only.
func TestSecretsOfWebhooksOverlap(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening, Now: march})
	p := hooks(t, v)
	h := hook(t, v, "sms", privacy.EventConsentGiven)
	signed := func() int {
		saysYes(v, told("phone_number", fmt.Sprintf("+49 30 90%05d", p.tried)))
		if err := v.DeliverDue(t.Context(), p.take); err != nil {
			t.Fatal(err)
		}
		got := p.got["sms"]
		return len(got[len(got)-1].Keys)
	}
	if signed() != 1 {
		t.Error("one secret signs more than once")
	}
	next, err := v.RotateWebhook(t.Context(), v.As("sms").Caller, h.ID)
	if err != nil || next.Secret == h.Secret || !strings.HasPrefix(next.Secret, "whsec_") {
		t.Fatalf("got %+v, %v", next, err)
	}
	if signed() != 2 {
		t.Error("the old secret does not sign any more, at once")
	}
	v.Tick(25 * time.Hour)
	if signed() != 1 {
		t.Error("the old secret signs for ever")
	}
	_, err = v.RotateWebhook(t.Context(), v.As("store").Caller, h.ID)
	refusedWith(t, err, vault.CodeNotFound)
	refusedWith(t, v.RemoveWebhook(t.Context(), v.As("store").Caller, h.ID), vault.CodeNotFound)
	if err := v.RemoveWebhook(t.Context(), v.As("sms").Caller, h.ID); err != nil {
		t.Fatal(err)
	}
	if n, _ := v.Outbox(t.Context()); n == 0 {
		t.Fatal("nothing was told")
	}
	before, _ := v.Outbox(t.Context())
	saysYes(v, anahita)
	if after, err := v.Outbox(t.Context()); after != before || err != nil {
		t.Errorf("nobody listens any more, and %d events were written, %v", after-before, err)
	}
}

// stream reads events until it has as many as it wants, and returns them with an ID
// from where to go on.
func stream(t *testing.T, v *vaulttest.Vault, ch privacy.ChannelID, after string, want int, do func()) (told []string, mark string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	enough := errors.New("enough")
	began := false
	err = v.StreamEvents(ctx, v.As(ch).Caller, vault.EventsRequest{After: after}, func(some []vault.Event, at func() string) error {
		if !began {
			began = true
			do()
		}
		for _, e := range some {
			told = append(told, toldText(e))
		}
		if mark = at(); len(told) >= want {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return told, mark, err
}

// A stream that broke off goes on where it was, for a week; then it is told that it
// missed something.
func TestAStreamGoesOnWhereItBrokeOff(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening, Now: march})
	if err := v.AckEvents(t.Context(), v.As("sms").Caller, "evt_1"); err == nil {
		t.Error("what is no event was acknowledged")
	}
	var ana, ben vaulttest.Person
	got, mark, err := stream(t, v, "sms", "", 1, func() {
		ana = v.As("store").Capture(told("given_name", "Anahita", "phone_number", "+49 30 901820"))
		v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	})
	if err != nil || !slices.Contains(got, of(ana, "consent.given sms-marketing")) {
		t.Fatalf("got %q, %v", got, err)
	}
	ben = saysYes(v, told("phone_number", "+49 30 7654321"))
	v.As("web").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	got, _, err = stream(t, v, "sms", mark, 3, func() {})
	if err != nil || !slices.Equal(got, []string{of(ben, "profile.updated [phone_number]"), of(ben, "consent.given sms-marketing"), of(ana, "consent.withdrawn sms-marketing")}) {
		t.Fatalf("went on: got %q, %v", got, err)
	}
	if err := v.AckEvents(t.Context(), v.As("sms").Caller, mark); err != nil {
		t.Errorf("acknowledging: %v", err)
	}
	_, _, err = stream(t, v, "store", mark, 1, func() {})
	refusedWith(t, err, vault.CodeTooOld) // another's place is none
	v.Tick(8 * 24 * time.Hour)
	if err := v.SweepEvents(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := v.Outbox(t.Context()); n != 0 || err != nil {
		t.Errorf("after a week %d events are there, %v", n, err)
	}
	_, _, err = stream(t, v, "sms", mark, 1, func() {})
	refusedWith(t, err, vault.CodeTooOld)
}

// What the ledger promised and a crash kept from being done is told when it is.
func TestANoThatIsFinishedAtTheNextStartIsTold(t *testing.T) {
	broken := false
	v := vaulttest.New(t, &vaulttest.Options{Register: listening, Store: func(e store.LogEngine) store.LogEngine { return &failing{LogEngine: e, broken: &broken} }})
	p := hooks(t, v, "sms")
	ana := saysYes(v, anahita)
	p.brings("sms", of(ana, "profile.updated [given_name phone_number]"), of(ana, "consent.given sms-marketing"))
	broken = true
	if _, err := v.RecordConsent(t.Context(), v.As("web").Caller, vault.ConsentRequest{Subject: ana, Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "web_form"}); err == nil {
		t.Fatal("it was recorded")
	}
	broken = false
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	p.brings("sms", of(ana, "consent.withdrawn sms-marketing"))
}

// failing is a store whose updates fail while it is broken.
type failing struct {
	store.LogEngine
	broken *bool
}

func (f *failing) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	if *f.broken {
		return nil, errors.New("the disk is gone")
	}
	return f.LogEngine.Update(ctx, fn)
}

// A row of the outbox that was swapped, or is damaged, is told to nobody, and keeps
// nobody from hearing of the others.
func TestASwappedEventIsNotTold(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening})
	p := hooks(t, v, "sms")
	ana, ben := saysYes(v, anahita), saysYes(v, told("phone_number", "+49 30 7654321"))
	p.brings("sms", of(ana, "profile.updated [given_name phone_number]"), of(ana, "consent.given sms-marketing"),
		of(ben, "profile.updated [phone_number]"), of(ben, "consent.given sms-marketing"))
	rows := func() (keys, rows [][]byte) {
		err := v.Store.View(t.Context(), func(s store.Snapshot) error {
			return s.Scan("outbox", nil, nil, func(k, row []byte) error {
				keys, rows = append(keys, slices.Clone(k)), append(rows, slices.Clone(row))
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys, rows
	}
	v.As("web").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.As("web").For("sms-marketing").Consent(ben, privacy.StatusWithdrawn)
	v.As("web").For("sms-marketing").Consent(ben, privacy.StatusRefused)
	v.As("store").For("sms-marketing").Consent(ben, privacy.StatusGiven)
	keys, all := rows()
	n := len(keys)
	_, err := v.Store.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Put("outbox", keys[n-4], all[3]), // that he said yes, once more, instead of her no
			tx.Put("outbox", keys[n-2], []byte("x")))
	})
	if err != nil {
		t.Fatal(err)
	}
	p.brings("sms", of(ben, "consent.withdrawn sms-marketing"), of(ben, "consent.given sms-marketing"))
	v.Tick(8 * 24 * time.Hour)
	if err := v.SweepEvents(t.Context()); err != nil {
		t.Error(err)
	}
}

// An officer sees who has heard that Anahita's number changed and that she said no
// (Art. 19): the sender's webhook took the one and not yet the other, the store has
// acknowledged on its stream, and who may not know of it is not named.
func TestWhoHasHeardOfIt(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening})
	p := hooks(t, v, "sms")
	ana := v.As("web").Capture(anahita)
	var mark string
	_, mark, err := stream(t, v, "store", "", 1, func() { v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven) })
	if err != nil {
		t.Fatal(err)
	}
	p.brings("sms", of(ana, "profile.updated [given_name phone_number]"), of(ana, "consent.given sms-marketing"))
	p.closed["sms"] = 500
	v.As("web").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	p.brings("sms")
	if err := v.AckEvents(t.Context(), v.As("store").Caller, mark); err != nil {
		t.Fatal(err)
	}
	all, err := v.Notices(t.Context(), v.Officer, ana.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range all {
		if n.Type != privacy.EventProfileUpdated {
			got = append(got, fmt.Sprint(n.Type, " ", n.Channel, " ", n.State))
		}
	}
	// Of the yes nobody may know any more.
	if want := []string{"consent.withdrawn sms waiting", "consent.withdrawn store kept"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if all[0].Type != privacy.EventProfileUpdated || all[0].Channel != "store" || all[0].State != vault.NoticeAcknowledged {
		t.Errorf("first: got %+v", all[0])
	}
	_, err = v.Notices(t.Context(), v.As("store").Caller, ana.ID)
	refusedWith(t, err, vault.CodeForbidden)
	_, err = v.Notices(t.Context(), v.Officer, privacy.NewSubjectID())
	refusedWith(t, err, vault.CodeUnknownSubject)
}
