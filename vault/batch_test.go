package vault_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// saying is a capture with acts of say-so.
func saying(t testing.TB, values map[string]any, purpose privacy.PurposeID, statuses ...privacy.ConsentStatus) vault.CaptureRequest {
	t.Helper()
	req := vaulttest.CaptureRequest(t, values)
	for _, status := range statuses {
		req.Consents = append(req.Consents, vault.ConsentRequest{Purpose: purpose, Status: status, Method: "import_file"})
	}
	return req
}

// Whatever is captured in a batch is what it would be alone: the same person
// twice is one, and what is wrong with one is told by itself.
func TestABatchIsManyCaptures(t *testing.T) {
	v := newCrowd(t)
	outcomes, err := v.CaptureBatch(t.Context(), v.As("web").Caller, []vault.CaptureRequest{
		vaulttest.CaptureRequest(t, told("email", "a@example.org", "given_name", "Anahita")),
		vaulttest.CaptureRequest(t, told("email", "nonsense")),
		vaulttest.CaptureRequest(t, told("email", "A@example.org", "given_name", "Ana")),
		saying(t, told("email", "b@example.org"), "news", privacy.StatusGiven),
	})
	if err != nil {
		t.Fatal(err)
	}
	if outcomes[0].Err != nil || outcomes[2].Err != nil || outcomes[0].Result.Subject != outcomes[2].Result.Subject || !outcomes[0].Result.Created || outcomes[2].Result.Created {
		t.Errorf("the same person twice: got %+v and %+v, want one, made by the first", outcomes[0], outcomes[2])
	}
	refusedWith(t, outcomes[1].Err, vault.CodeInvalidRequest)
	refusedWith(t, outcomes[3].Err, vault.CodeConsentNotObtainable)
	finds(t, v, vaulttest.By("email", "a@example.org"), "Ana")
	finds(t, v, vaulttest.By("email", "b@example.org"), "")
	deks := 0
	for key := range rows(t, v) {
		if key[:5] == "deks/" {
			deks++
		}
	}
	if deks != 2 {
		t.Errorf("keys: got %d, want the vault's and hers", deks)
	}
}

// captureOf draws a capture of some of these fields, with acts of say-so if the
// channel obtains them.
func captureOf(fields map[privacy.FieldName][]string, captures []privacy.FieldName, obtains bool) *rapid.Generator[vault.CaptureRequest] {
	return rapid.Custom(func(t *rapid.T) (req vault.CaptureRequest) {
		for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom(captures), 1, 3, rapid.ID).Draw(t, "fields") {
			raw, _ := json.Marshal(rapid.SampledFrom(fields[f]).Draw(t, string(f)))
			req.Fields = append(req.Fields, vault.CapturedField{Field: f, Value: privacy.NewSensitive(raw)})
		}
		if !obtains {
			return req
		}
		for _, status := range rapid.SliceOfN(rapid.SampledFrom([]privacy.ConsentStatus{privacy.StatusGiven, privacy.StatusGiven, privacy.StatusWithdrawn}), 0, 2).Draw(t, "acts") {
			req.Consents = append(req.Consents, vault.ConsentRequest{Purpose: "news", Status: status, Method: "web_form"})
		}
		return req
	})
}

// Channels capture the same few people again and again, in every mixture of
// joining, verifying, yes and no: whether each is captured by itself or many in
// a batch, the same is answered, and everybody can be read the same.
func TestABatchIsWhatItsCapturesWouldHaveBeen(t *testing.T) {
	t.Parallel()
	captures := map[privacy.ChannelID][]privacy.FieldName{
		"web": {"email", "card", "phone_number", "given_name"}, "app": {"email", "card", "phone_number", "given_name"}, "desk": {"email", "phone_number", "given_name"},
	}
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	alone := vaulttest.New(t, &vaulttest.Options{Register: crowd, Now: now})
	many := vaulttest.New(t, &vaulttest.Options{Register: crowd, Now: now})
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // nobody is of two rounds
		fields := map[privacy.FieldName][]string{
			"email": {fmt.Sprintf("a%d@example.org", round), fmt.Sprintf("A%d@example.org", round), fmt.Sprintf("b%d@example.org", round), fmt.Sprintf("c%d@example.org", round)},
			"card":  {fmt.Sprintf("%d-1", round), fmt.Sprintf("%d-2", round)}, "phone_number": {fmt.Sprintf("+49301%06d", round), fmt.Sprintf("+49302%06d", round)},
			"given_name": {"Ana", "Bo", "Cleo"},
		}
		capture := func(channel privacy.ChannelID) *rapid.Generator[vault.CaptureRequest] {
			return captureOf(fields, captures[channel], channel == "desk")
		}
		var people [2][]privacy.SubjectID // as they were met first
		known := func(v int, id privacy.SubjectID) int {
			for i, have := range people[v] {
				if have == id {
					return i
				}
			}
			people[v] = append(people[v], id)
			return len(people[v]) - 1
		}
		say := func(v int, res *vault.CaptureResult, err error) string {
			if err != nil {
				return err.Error()
			}
			s := fmt.Sprint(known(v, res.Subject), res.Created, res.Accepted, res.Unchanged, res.Superseded)
			for _, c := range res.Consents {
				s += fmt.Sprint(c.Status, c.Effective)
			}
			return s
		}
		for range rapid.IntRange(1, 3).Draw(rt, "rounds") {
			channel := rapid.SampledFrom([]privacy.ChannelID{"web", "app", "desk"}).Draw(rt, "channel")
			reqs := rapid.SliceOfN(capture(channel), 1, 8).Draw(rt, "captures")
			outcomes, err := many.CaptureBatch(t.Context(), many.As(channel).Caller, reqs)
			if err != nil {
				rt.Fatalf("batch: %v", err)
			}
			for i, req := range reqs {
				res, err := alone.Capture(t.Context(), alone.As(channel).Caller, req)
				if got, want := say(1, outcomes[i].Result, outcomes[i].Err), say(0, res, err); got != want {
					rt.Fatalf("capture %d of %s: in a batch %s, alone %s", i, channel, got, want)
				}
			}
			alone.Tick(time.Minute)
			many.Tick(time.Minute)
		}
		for _, of := range []struct {
			channel privacy.ChannelID
			purpose privacy.PurposeID
		}{{"web", "order"}, {"app", "fraud"}, {"desk", "news"}, {"mail", "news"}} {
			read := func(v *vaulttest.Vault, who vaulttest.Person) string {
				res := v.As(of.channel).For(of.purpose).Read(who)
				if res.Err != nil {
					return res.Err.Error()[:7] // a denial names its decision
				}
				var s strings.Builder
				for _, f := range res.Result.Fields {
					fmt.Fprintf(&s, "%s=%s ", f.Field, f.Value.Reveal())
				}
				return s.String()
			}
			for i := range people[0] {
				if got, want := read(many, vaulttest.ID(people[1][i])), read(alone, vaulttest.ID(people[0][i])); got != want {
					rt.Errorf("person %d for %s: captured in batches %q, alone %q", i, of.purpose, got, want)
				}
			}
			for _, email := range fields["email"] {
				if got, want := read(many, vaulttest.By("email", email)), read(alone, vaulttest.By("email", email)); got != want {
					rt.Errorf("%s for %s: captured in batches %q, alone %q", email, of.purpose, got, want)
				}
			}
		}
	})
}

// While a batch is made ready somebody in it is captured by other means, and
// somebody new takes a card of another: what was rehearsed of them is done anew,
// and what was rehearsed of the rest is kept as it was.
func TestABatchSeesWhatHappenedWhileItWasMadeReady(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Store: w.wrap})
	var meanwhile privacy.SubjectID
	var once atomic.Bool
	w.set(func(w *watched) {
		w.onTx = func() error {
			if once.CompareAndSwap(false, true) {
				meanwhile = v.As("web").CaptureResult(told("email", "b@example.org", "given_name", "Bo")).Subject
				v.As("web").Capture(told("email", "d@example.org", "card", "17", "given_name", "Dora"))
			}
			return nil
		}
	})
	outcomes, err := v.CaptureBatch(t.Context(), v.As("web").Caller, []vault.CaptureRequest{
		vaulttest.CaptureRequest(t, told("email", "a@example.org", "given_name", "Ana")),
		vaulttest.CaptureRequest(t, told("email", "b@example.org", "card", "18")),
		vaulttest.CaptureRequest(t, told("card", "17", "phone_number", "+4930111111")),
	})
	w.set(func(w *watched) { w.onTx = nil })
	if err != nil {
		t.Fatal(err)
	}
	if b := outcomes[1].Result; b.Subject != meanwhile || b.Created {
		t.Errorf("who was captured meanwhile: got %+v, want them", b)
	}
	finds(t, v, vaulttest.By("email", "a@example.org"), "Ana")
	finds(t, v, vaulttest.By("card", "18"), "Bo")
	finds(t, v, vaulttest.By("phone_number", "+4930111111"), "Dora")
	deks := 0
	for key := range rows(t, v) {
		if key[:5] == "deks/" {
			deks++
		}
	}
	if deks != 4 {
		t.Errorf("keys: got %d, want the vault's and those of three people", deks)
	}
}

// A list of those who said no, of people the shop knows, of one it does not know
// and of one who stands in it twice: nobody on it is read for the purpose any
// more, whichever channel made them, and the ledger had each no before.
func TestNoesInABatchReachWhomTheyAreAbout(t *testing.T) {
	var entries atomic.Int64
	var pulled atomic.Bool
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Ledger: func(l store.Ledger) store.Ledger { return &countedLedger{l, &entries, &pulled} }})
	for _, email := range []string{"a@example.org", "b@example.org", "e@example.org"} {
		_, err := v.Capture(t.Context(), v.As("desk").Caller, saying(t, told("email", email, "given_name", "Ana", "phone_number", "+4930111111"), "news", privacy.StatusGiven))
		if err != nil {
			t.Fatal(err)
		}
	}
	list := []vault.CaptureRequest{
		saying(t, told("email", "a@example.org", "phone_number", "+4930111111"), "news", privacy.StatusWithdrawn),
		saying(t, told("email", "c@example.org"), "news", privacy.StatusRefused),
		saying(t, told("email", "b@example.org"), "news", privacy.StatusOptedOut),
		saying(t, told("email", "B@example.org"), "news", privacy.StatusObjected),
	}
	pulled.Store(true)
	was := rows(t, v)
	_, err := v.CaptureBatch(t.Context(), v.As("app").Caller, list)
	refusedWith(t, err, vault.CodeUnavailable)
	sameRows(t, was, rows(t, v))
	pulled.Store(false)

	before := entries.Load()
	outcomes, err := v.CaptureBatch(t.Context(), v.As("app").Caller, list)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Err != nil || !o.Result.Created == (i != 3) {
			t.Errorf("line %d: %+v", i+1, o)
		}
	}
	// The desk's Ana and Bo have a no of theirs, Bo two.
	if got := entries.Load() - before; got < 4+3 {
		t.Errorf("the ledger grew by %d, want at least 7", got)
	}
	for _, email := range []string{"a@example.org", "b@example.org", "c@example.org"} {
		v.As("mail").For("news").Read(vaulttest.By("email", email)).Denied(privacy.CodeNoConsent)
	}
	// Who only shares the telephone said nothing.
	v.As("mail").For("news").Read(vaulttest.By("email", "e@example.org"), "email").Released(told("email", "e@example.org"))

	restart(t, v)
	v.As("mail").For("news").Read(vaulttest.By("email", "a@example.org")).Denied(privacy.CodeNoConsent)
}

// A shop brings its orders: whoever has one can be read for it, from when it was
// placed until it is closed, and nobody else. That an order was closed comes with
// a later file, and the ledger has it before it is so.
func TestGroundsAsOfATime(t *testing.T) {
	var entries atomic.Int64
	var pulled atomic.Bool
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Now: now, Ledger: func(l store.Ledger) store.Ledger { return &countedLedger{l, &entries, &pulled} }})
	ordered := func(email string, terms ...vault.GroundTerm) vault.CaptureRequest {
		req := vaulttest.CaptureRequest(t, told("email", email))
		req.Grounds = append([]vault.GroundTerm{}, terms...)
		return req
	}
	days := func(n int) time.Time { return now.AddDate(0, 0, n) }
	bring := func(reqs ...vault.CaptureRequest) []vault.CaptureOutcome {
		t.Helper()
		outcomes, err := v.CaptureBatch(t.Context(), v.As("web").Caller, reqs)
		if err != nil {
			t.Fatal(err)
		}
		return outcomes
	}
	read := func(email string) *vaulttest.Outcome {
		return v.As("web").For("order").Read(vaulttest.By("email", email), "email")
	}
	outcomes := bring(
		ordered("open@example.org", vault.GroundTerm{Purpose: "order", Ref: "A-1", Since: days(-400)}),
		ordered("closed@example.org", vault.GroundTerm{Purpose: "order", Ref: "A-2", Since: days(-400), Until: days(-390)}),
		ordered("soon@example.org", vault.GroundTerm{Purpose: "order", Ref: "A-3", Since: days(-4), Until: days(4)}),
		ordered("none@example.org"),
		ordered("tomorrow@example.org", vault.GroundTerm{Purpose: "order", Since: days(1)}),
		ordered("backwards@example.org", vault.GroundTerm{Purpose: "order", Since: days(-1), Until: days(-2)}),
		ordered("news@example.org", vault.GroundTerm{Purpose: "news"}, vault.GroundTerm{Purpose: "fraud", Ref: strings.Repeat("x", 201)}),
	)
	for i, want := range map[int][]string{4: {"grounds[0].since"}, 5: {"grounds[0].until"}, 6: {"grounds[0].purpose", "grounds[1].ref"}} {
		refused := refusedWith(t, outcomes[i].Err, vault.CodeInvalidRequest)
		for n, field := range want {
			if refused.Fields[n].Field != field {
				t.Errorf("line %d: got %+v at fault, want %s", i, refused.Fields, field)
			}
		}
	}
	read("open@example.org").Released(told("email", "open@example.org"))
	read("closed@example.org").Denied(privacy.CodeNoGround)
	read("soon@example.org").Released(told("email", "soon@example.org"))
	read("none@example.org").Denied(privacy.CodeNoGround)
	if entries.Load() != 0 {
		t.Errorf("the ledger has %d entries, want none: nothing was narrowed", entries.Load())
	}

	again := []vault.CaptureRequest{
		ordered("open@example.org", vault.GroundTerm{Purpose: "order", Ref: "A-1", Since: days(-400), Until: days(-1)}, vault.GroundTerm{Purpose: "order", Ref: "A-9", Since: days(-3)}),
		ordered("none@example.org", vault.GroundTerm{Purpose: "order", Ref: "A-4", Since: days(-1)}),
		ordered("none@example.org", vault.GroundTerm{Purpose: "order", Ref: "A-4", Since: days(-1), Until: days(-1)}),
		ordered("soon@example.org", vault.GroundTerm{Purpose: "order", Ref: "A-3", Since: days(-4), Until: days(4)}),
	}
	pulled.Store(true)
	was := rows(t, v)
	_, err := v.CaptureBatch(t.Context(), v.As("web").Caller, again)
	refusedWith(t, err, vault.CodeUnavailable)
	sameRows(t, was, rows(t, v))
	pulled.Store(false)

	bring(again...)
	read("open@example.org").Released(told("email", "open@example.org")) // for A-9
	read("none@example.org").Denied(privacy.CodeNoGround)
	if got := entries.Load(); got < 2 {
		t.Errorf("the ledger has %d entries, want those of two orders that ended", got)
	}
	v.Tick(5 * 24 * time.Hour)
	read("soon@example.org").Denied(privacy.CodeNoGround)
}
