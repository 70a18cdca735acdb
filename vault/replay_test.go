package vault_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/policy/replay"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// twins are two vaults in which the same happens, but that one has rules in force
// from the beginning that the other only replays: what reads show in both is what
// a replay has to predict.
type twins struct {
	random      *rand.Rand
	real, other *vaulttest.Vault
	people      [][2]vaulttest.Person

	total   replay.Report
	rows    map[kind]*tallied
	changed map[int]bool // people
}

// kind is a kind of change, and tallied what there was of it.
type kind struct {
	channel  privacy.ChannelID
	purpose  privacy.PurposeID
	field    privacy.FieldName
	from, to policy.Outcome
}

type tallied struct {
	decisions int
	people    map[int]bool
}

// twinRules are what officers may have had in force, and what they may try.
var twinRules = []string{
	`withhold contains {"field": "address", "reason": "x"} if input.channel.id == "web"`,
	`mask contains {"field": "email", "mask": "partial"} if input.subject.jurisdiction != "DE"`,
	`mask contains {"field": "email", "mask": "initial"} if input.channel.kind == "web"`,
	`withhold contains {"field": "phone_number", "reason": "asleep"} if { c := time.clock([time.parse_rfc3339_ns(input.now), "UTC"]); c[0] >= 21 }`,
	`mask contains {"field": "birthdate", "mask": "over_18"} if input.subject.age_band in {"13_15", "16_17"}`,
	`withhold contains {"field": f, "reason": "no offers"} if { some f in input.fields; input.consents["sms-marketing"] == "withdrawn" }`,
	`withhold contains {"field": "given_name", "reason": "x"} if { input.purpose.id == "sms-marketing"; input.channel.id == "store" }`,
}

func someOf(r *rand.Rand, n int) string {
	text := "package sayso.rules\n\n"
	for _, i := range r.Perm(len(twinRules))[:n] {
		text += twinRules[i] + "\n\n"
	}
	return text
}

// twinRegisters follow each other in any order.
var twinRegisters = []string{
	vaulttest.Register,
	strings.Replace(vaulttest.Register, delivery, birthday, 1),
	strings.Replace(vaulttest.Register, "channels:", "  - {id: fraud-check, title: We look for fraud, basis: legitimate_interests, fields: [email, phone_number]}\nchannels:", 1) +
		"matrix:\n  - {purpose: order-fulfilment, channel: store, field: email, as: partial}\n",
}

func newTwins(t testing.TB, seed uint64, tried string) *twins {
	t.Helper()
	o := &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), DecisionDeadline: time.Minute}
	w := &twins{random: rand.New(rand.NewPCG(seed, 1)), real: vaulttest.New(t, o), other: vaulttest.New(t, o), rows: map[kind]*tallied{}, changed: map[int]bool{}}
	w.other.Activate(tried)
	return w
}

func oneOf[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// same does something in both.
func (w *twins) same(do func(v *vaulttest.Vault, twin int)) {
	do(w.real, 0)
	do(w.other, 1)
}

func (w *twins) capture() {
	n, r := len(w.people), w.random
	values := map[string]any{"given_name": "Mina", "email": fmt.Sprintf("m%d@example.org", n)}
	if r.IntN(3) > 0 {
		values["phone_number"] = fmt.Sprintf("+4930%07d", 1000000+n)
	}
	if r.IntN(3) > 0 {
		values["address"] = map[string]any{"locality": "Linz", "country": oneOf(r, "DE", "AT")}
	}
	if r.IntN(2) == 0 {
		values["birthdate"] = oneOf(r, "1980-05-01", "2009-05-01", "2012-01-31")
	}
	var both [2]vaulttest.Person
	w.same(func(v *vaulttest.Vault, twin int) { both[twin] = v.As("web").Capture(values) })
	w.people = append(w.people, both)
}

// step lets something happen to somebody, or to what is in force.
func (w *twins) step() {
	r := w.random
	who := w.people[r.IntN(len(w.people))]
	switch r.IntN(12) {
	case 0:
		w.capture()
	case 1, 2:
		status := oneOf(r, privacy.StatusGiven, privacy.StatusGiven, privacy.StatusWithdrawn, privacy.StatusObjected)
		w.same(func(v *vaulttest.Vault, twin int) { v.As("store").For("sms-marketing").Consent(who[twin], status) })
	case 3:
		hours := time.Duration(r.IntN(9)) * time.Hour
		w.same(func(v *vaulttest.Vault, _ int) { v.Tick(hours) })
	case 4:
		if r.IntN(4) == 0 {
			w.real.Activate(someOf(r, r.IntN(4)))
		}
	case 5:
		if r.IntN(4) == 0 {
			register := oneOf(r, twinRegisters...)
			w.same(func(v *vaulttest.Vault, _ int) { v.Apply(register) })
		}
	case 6:
		status := oneOf(r, "begun", "ended")
		w.same(func(v *vaulttest.Vault, twin int) { v.As("web").For("order-fulfilment").Ground(who[twin], status) })
	default:
		w.read()
	}
}

// read reads in both and counts what differs.
func (w *twins) read() {
	ask := oneOf(w.random, kind{channel: "web", purpose: "order-fulfilment"}, kind{channel: "store", purpose: "order-fulfilment"},
		kind{channel: "sms", purpose: "sms-marketing"}, kind{channel: "store", purpose: "sms-marketing"})
	who := w.random.IntN(len(w.people)+len(w.people)/8+1) - len(w.people)/8 - 1 // now and then, nobody
	var told [2]map[privacy.FieldName]policy.Outcome
	w.same(func(v *vaulttest.Vault, twin int) {
		person := vaulttest.By("email", "nobody@example.org")
		if who >= 0 {
			person = w.people[who][twin]
		}
		told[twin] = toldOf(v.As(ask.channel).For(ask.purpose).Read(person))
	})
	w.count(ask, who, told[0], told[1])
}

func (w *twins) count(ask kind, who int, was, is map[privacy.FieldName]policy.Outcome) {
	w.total.Decisions++
	changed := false
	for f, from := range was {
		to := is[f]
		if from.Action == nothing || to.Action == nothing || from == to {
			continue
		}
		changed = true
		ask.field, ask.from, ask.to = f, from, to
		if w.rows[ask] == nil {
			w.rows[ask] = &tallied{people: map[int]bool{}}
		}
		w.rows[ask].decisions++
		if who >= 0 {
			w.rows[ask].people[who] = true
			w.changed[who] = true
		}
	}
	if changed {
		w.total.Changed++
	}
}

// nothing is what a read shows of a field without a value.
const nothing policy.Action = "nothing"

// toldOf is what a channel was told of each field.
func toldOf(o *vaulttest.Outcome) map[privacy.FieldName]policy.Outcome {
	all := map[privacy.FieldName]policy.Outcome{}
	var denied *vault.DeniedError
	if errors.As(o.Err, &denied) {
		for _, x := range denied.Withheld {
			all[x.Field] = policy.Outcome{Action: policy.Withhold}
		}
	}
	if o.Result == nil {
		return all
	}
	for _, f := range o.Result.Fields {
		all[f.Field] = policy.Outcome{Action: policy.Release}
	}
	for _, f := range o.Result.Masked {
		all[f.Field] = policy.Outcome{Action: policy.Mask, Mask: f.Mask}
	}
	for _, f := range o.Result.Withheld {
		all[f.Field] = policy.Outcome{Action: policy.Withhold}
	}
	for _, f := range o.Result.Missing {
		all[f.Field] = policy.Outcome{Action: nothing}
	}
	return all
}

// replays replays rules in the real vault.
func (w *twins) replays(t testing.TB, tried string) *vault.PolicyReplay {
	t.Helper()
	set, err := w.real.DraftPolicy(context.Background(), w.real.Officer, map[string]string{"rules.rego": tried}, "")
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.real.ReplayPolicy(context.Background(), w.real.Officer, set.ID, vault.ReplayRequest{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// predicts holds a replay against what the other vault told.
func (w *twins) predicts(t testing.TB, got *vault.PolicyReplay) {
	t.Helper()
	if got.Decisions != w.total.Decisions || got.Changed != w.total.Changed || got.People != len(w.changed) || got.NotReplayable != 0 || got.Failed != 0 {
		t.Errorf("got %+v, want %d decisions, %d changed, %d people", got.Report, w.total.Decisions, w.total.Changed, len(w.changed))
	}
	if len(got.By) != len(w.rows) {
		t.Errorf("got %d kinds of changes, want %d", len(got.By), len(w.rows))
	}
	for _, row := range got.By {
		want := w.rows[kind{row.Channel, row.Purpose, row.Field, policy.Outcome{Action: row.From, Mask: row.FromMask}, policy.Outcome{Action: row.To, Mask: row.ToMask}}]
		if want == nil || row.Decisions != want.decisions || row.People != len(want.people) || len(row.Examples) == 0 {
			t.Errorf("got %+v, want %+v", row, want)
		}
	}
}

// Whatever happened – people who came, said yes and no, other registers, other
// rules, other hours – a replay predicts exactly what the rules would have shown
// had they been in force.
func TestAReplayPredictsWhatWouldHaveBeen(t *testing.T) {
	steps := 150
	if testing.Short() {
		steps = 60
	}
	changes := 0
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 2))
		tried := someOf(random, 1+random.IntN(4))
		w := newTwins(t, seed, tried)
		w.capture()
		for range steps {
			w.step()
		}
		got := w.replays(t, tried)
		w.predicts(t, got)
		changes += got.Changed
		if set, err := w.real.PolicyByID(t.Context(), w.real.Officer, got.Policy); err != nil || set.Status != vault.PolicyReplayed || set.Steps[0].Replay.Changed != got.Changed {
			t.Errorf("the life of the draft: %+v, %v", set, err)
		}
	}
	if changes < 50 {
		t.Errorf("only %d decisions changed: the test says little", changes)
	}
}

// Of somebody who was erased nothing is guessed; what was refused before
// anybody was looked up, and questions that asked only whether, are left out.
func TestAReplayCountsWhatItCannotKnow(t *testing.T) {
	v := vaulttest.New(t, nil)
	web := v.As("web").For("order-fulfilment")
	mina, ben := v.As("web").Capture(map[string]any{"email": "mina@example.org"}), v.As("web").Capture(map[string]any{"email": "ben@example.org"})
	for range 3 {
		web.Read(mina)
	}
	web.Read(ben)
	v.As("web").For("sms-marketing").Read(ben).Refused(vault.CodePurposeNotGranted)
	if _, err := v.ConsentState(t.Context(), v.As("web").Caller, ben.ID, "order-fulfilment"); err != nil {
		t.Fatal(err)
	}
	erase(t, v, mina)
	got, err := v.ReplayPolicy(t.Context(), v.Officer, draft(t, v, map[string]string{"rules.rego": noEmail}), vault.ReplayRequest{}, nil)
	if err != nil || got.Decisions != 1 || got.NotReplayable != 3 || got.Changed != 1 || got.People != 1 || got.Losing != 1 || got.Gaining != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A period is from a moment on, and up to but without another.
func TestAReplayIsOfItsPeriod(t *testing.T) {
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	v := vaulttest.New(t, &vaulttest.Options{Now: start})
	mina := v.As("web").Capture(map[string]any{"email": "mina@example.org"})
	for range 3 {
		v.Tick(24 * time.Hour)
		v.As("web").For("order-fulfilment").Read(mina)
	}
	id := draft(t, v, map[string]string{"rules.rego": noEmail})
	for _, c := range []struct {
		from, to int
		want     int
	}{{0, 0, 3}, {2, 0, 2}, {0, 2, 1}, {2, 3, 1}, {4, 5, 0}} {
		req := vault.ReplayRequest{}
		if c.from > 0 {
			req.From = start.AddDate(0, 0, c.from)
		}
		if c.to > 0 {
			req.To = start.AddDate(0, 0, c.to)
		}
		if got, err := v.ReplayPolicy(t.Context(), v.Officer, id, req, nil); err != nil || got.Decisions != c.want || got.Changed != c.want {
			t.Errorf("days %d to %d: got %+v, %v, want %d", c.from, c.to, got, err, c.want)
		}
	}
	_, err := v.ReplayPolicy(t.Context(), v.Officer, id, vault.ReplayRequest{From: start, To: start}, nil)
	refusedWith(t, err, vault.CodeInvalidRequest)
}

// Rules that look at context which a request did not have to tell cannot be
// replayed over it; what is declared since can be named.
func TestAReplayOverAnEarlierRegister(t *testing.T) {
	v := vaulttest.New(t, nil)
	mina := v.As("web").Capture(map[string]any{"email": "mina@example.org"})
	v.As("web").For("order-fulfilment").Read(mina)
	v.Apply(strings.Replace(strings.Replace(vaulttest.Register, "purposes:", "  - {name: diet, type: string, category: \"pd:Health\"}\ncontext:\n  - {name: step, type: string, enum: [offer, support]}\npurposes:", 1),
		"channels:", "  - {id: care, title: We care, basis: contract, fields: [diet]}\nchannels:", 1))
	for rules, want := range map[string]replay.Report{
		`withhold contains {"field": "email", "reason": "x"} if input.context.step == "offer"`: {NotReplayable: 1},
		`withhold contains {"field": "email", "reason": "x"} if input.consents.care == "none"`: {Decisions: 1, Changed: 1, People: 1, Losing: 1},
		`withhold contains {"field": "diet", "reason": "x"} if true`:                           {Decisions: 1},
	} {
		got, err := v.ReplayPolicy(t.Context(), v.Officer, draft(t, v, map[string]string{"rules.rego": "package sayso.rules\n\n" + rules}), vault.ReplayRequest{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got.By, want.By = nil, nil
		if fmt.Sprint(got.Report) != fmt.Sprint(want) {
			t.Errorf("%s: got %+v, want %+v", rules, got.Report, want)
		}
	}
}

// It ends with whoever asked for it, and with their office.
func TestAReplayCanBeCancelled(t *testing.T) {
	v := vaulttest.New(t, nil)
	mina := v.As("web").Capture(map[string]any{"email": "mina@example.org"})
	for range 5 {
		v.As("web").For("order-fulfilment").Read(mina)
	}
	id := draft(t, v, map[string]string{"rules.rego": noEmail})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := v.ReplayPolicy(ctx, v.Officer, id, vault.ReplayRequest{}, func(done, of uint64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it cancelled", err)
	}
	if set, err := v.PolicyByID(t.Context(), v.Officer, id); err != nil || set.Status != vault.PolicyDraft {
		t.Errorf("the draft: %+v, %v, want it as it was", set, err)
	}
	beatrix := v.Second("beatrix")
	_, err = v.ReplayPolicy(t.Context(), beatrix, id, vault.ReplayRequest{}, func(done, of uint64) {
		_, _ = v.MendRemoveOfficer(context.Background(), "beatrix")
	})
	if !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("an officer who was removed: got %v", err)
	}
}

// However little memory there is, everybody is counted once.
func TestAReplayIsTheSameInLittleMemory(t *testing.T) {
	w := newTwins(t, 5, noEmail)
	for range 6 {
		w.capture()
	}
	for range 60 {
		w.read()
	}
	for _, entries := range []int{1, 7, 1000} {
		w.real.WalkInLittleMemory(entries)
		w.predicts(t, w.replays(t, noEmail))
	}
}

// A register is replayed likewise: what reads show under it, of people who said
// what they said before, is what the replay over the same reads predicts.
func TestAReplayOfARegisterPredictsWhatWouldHaveBeen(t *testing.T) {
	seeds := uint64(25)
	if testing.Short() {
		seeds = 5
	}
	changed := 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 13))
		before, after := map[string]string{}, map[string]string{}
		for _, c := range choices {
			before[c.place] = c.one[0]
			after[c.place] = c.one[0]
			if r.IntN(3) == 0 {
				after[c.place] = oneOf(r, c.one...)
			}
		}
		o := &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), Register: registerOf(before), DecisionDeadline: time.Minute}
		w := &twins{random: r, real: vaulttest.New(t, o), other: vaulttest.New(t, o), rows: map[kind]*tallied{}, changed: map[int]bool{}}
		w.people = make([][2]vaulttest.Person, 3)
		for i := range w.people {
			values := map[string]any{"given_name": "Mina", "email": fmt.Sprintf("m%d@example.org", i), "phone_number": fmt.Sprintf("+4930%07d", 1000000+i), "birthdate": oneOf(r, "1980-05-01", "2011-05-01"), "country": oneOf(r, "DE", "US")}
			w.same(func(v *vaulttest.Vault, twin int) { w.people[i][twin] = v.As("web").Capture(values) })
			w.say(i)
		}
		rules := "package sayso.rules\n\n" + oneOf(r, twinRules[1], twinRules[2], "mask contains {\"field\": \"birthdate\", \"mask\": \"year\"} if input.channel.id == \"web\"")
		later := time.Duration(r.IntN(2)) * 250 * 24 * time.Hour
		w.same(func(v *vaulttest.Vault, _ int) {
			v.Activate(rules)
			v.Tick(later)
		})
		w.other.Apply(registerOf(after))
		for range 14 {
			ask := oneOf(r, kind{channel: "web", purpose: "order-fulfilment"}, kind{channel: "store", purpose: "order-fulfilment"}, kind{channel: "sms", purpose: "sms-marketing"}, kind{channel: "web", purpose: "ads"})
			who := r.IntN(len(w.people))
			var told [2]map[privacy.FieldName]policy.Outcome
			w.same(func(v *vaulttest.Vault, twin int) {
				told[twin] = toldOf(v.As(ask.channel).For(ask.purpose).Read(w.people[who][twin]))
			})
			if len(told[0]) == 0 { // refused before anybody was looked up
				continue
			}
			for _, a := range told { // under another register a value may be over: it shows nothing then
				for f, outcome := range a {
					if outcome.Action == nothing {
						a[f] = policy.Outcome{Action: policy.Withhold}
					}
				}
			}
			for _, pair := range [][2]int{{0, 1}, {1, 0}} { // what is asked for in one alone is not shown in the other
				for f := range told[pair[0]] {
					if _, there := told[pair[1]][f]; !there {
						told[pair[1]][f] = policy.Outcome{Action: policy.Withhold}
					}
				}
			}
			w.count(ask, who, told[0], told[1])
		}
		got, err := w.real.ReplayRegister(t.Context(), w.real.Officer, "register.yaml", []byte(registerOf(after)), vault.ReplayRequest{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.predicts(t, &vault.PolicyReplay{Report: got.Report})
		if changed += got.Changed; t.Failed() {
			t.Fatalf("seed %d:\n%s\n%s", seed, registerOf(before), registerOf(after))
		}
		w.real.Stop()
		w.other.Stop()
	}
	if changed < 20 {
		t.Errorf("only %d decisions changed: the test says little", changed)
	}
}

// What waits for an officer can be replayed by the officer who is to approve it.
func TestWhatWaitsCanBeReplayed(t *testing.T) {
	v := vaulttest.New(t, nil)
	mina := v.As("web").Capture(map[string]any{"email": "mina@example.org", "birthdate": "1990-04-01"})
	v.As("web").For("order-fulfilment").Read(mina)
	beatrix := v.Second("beatrix")
	apply(t, v, v.Officer, strings.Replace(vaulttest.Register, delivery, birthday, 1))
	got, err := v.ReplayPendingRegister(t.Context(), beatrix, 2, vault.ReplayRequest{}, nil)
	if err != nil || got.Revision != 2 || got.Decisions != 1 || got.Gaining != 1 || len(got.By) != 1 || got.By[0].Field != "birthdate" || got.By[0].To != policy.Release {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = v.ReplayPendingRegister(t.Context(), beatrix, 1, vault.ReplayRequest{}, nil)
	refusedWith(t, err, vault.CodeWrongState)
	if log := strings.Join(acts(t, v, "register"), "\n"); !strings.Contains(log, `"act":"replayed"`) {
		t.Errorf("the log: %s", log)
	}
	if report, err := v.VerifyLog(t.Context(), func(string, uint64, uint64) {}); err != nil || report == nil {
		t.Errorf("the log does not verify: %v", err)
	}
}
