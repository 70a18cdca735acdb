package vault_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// contesting is the shop whose model guesses what people like: the model and the
// recommender may use the guess, the app may not, and each may open sessions and has
// events sent. A basket of guesses lasts a quarter of an hour.
var contesting = strings.NewReplacer(
	"fields: [given_name, looking_for, place, taste]}", "fields: [given_name, looking_for, place, taste]}\n  - {id: hints, title: Hints, dpv: \"dpv:Personalisation\", basis: consent, profiling: true, fields: [given_name, taste], consent: {notice: {version: \"1\", text: x}}}",
	"{id: app, kind: app,", "{id: app, kind: app, sessions: true, obtains: [hints], webhooks: [app.example.org],",
	"{id: model, kind: model,", "{id: recommender, kind: model, purposes: [hints, profile], captures: [taste], webhooks: [recommender.example.org]}\n  - {id: model, kind: model, sessions: true, webhooks: [model.example.org],",
	"fields: [taste, birthdate]", "fields: [given_name, taste, birthdate, looking_for]",
).Replace(guessing)

// guessedAt is Ana, of whom a model worked out that she likes jazz.
func guessedAt(t *testing.T, o *vaulttest.Options) (*vaulttest.Vault, vaulttest.Person) {
	t.Helper()
	o.Register, o.Now = contesting, march
	v := vaulttest.New(t, o)
	req := vaulttest.CaptureRequest(t, told("email", "ana@example.org", "given_name", "Anahita"))
	req.Verified = []privacy.FieldName{"email"}
	res, err := v.Capture(t.Context(), v.As("model").Caller, req)
	if err != nil {
		t.Fatal(err)
	}
	ana := vaulttest.ID(res.Subject)
	v.As("model").For("profile").Ground(ana, vault.GroundBegun)
	guesses(t, v, ana, "jazz")
	return v, ana
}

func guesses(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, taste string) {
	t.Helper()
	if _, err := captures(t, v, "model", &who, told("taste", taste), guess("taste", 0.8125)); err != nil {
		t.Fatal(err)
	}
}

func contest(t *testing.T, v *vaulttest.Vault, s *vaulttest.Session) *vault.Contest {
	t.Helper()
	made, err := v.ContestOwn(t.Context(), s.Caller, "taste", "I hate jazz", nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func notInferred(t *testing.T, err error) {
	t.Helper()
	if got := refusedWith(t, err, vault.CodeInvalidRequest); len(got.Fields) != 1 || got.Fields[0].Field != "field" || got.Fields[0].Code != "not_inferred" {
		t.Errorf("refused: got %+v, want not_inferred of the field", got)
	}
}

// A model thinks that Ana likes jazz, and she says that it is wrong. From then on
// nobody reads it, nor what the model thinks next, and what was decided before can
// be explained. An officer overrules her with reasons, and it is read again; she
// contests it again, the officer agrees, and it is gone. The model may guess anew.
func TestWhatAModelMadeIsContested(t *testing.T) {
	v, ana := guessedAt(t, &vaulttest.Options{})
	ctx := t.Context()
	profile := v.As("model").For("profile")
	v.As("app").For("hints").Consent(ana, privacy.StatusGiven)
	hints := v.As("recommender").For("hints")
	before := profile.Read(ana, "given_name", "taste").Released(told("given_name", "Anahita", "taste", "jazz"))
	own := v.Login("email", "ana@example.org")
	_, err := v.ContestOwn(ctx, own.Caller, "given_name", "", nil) // she told it
	notInferred(t, err)
	_, err = v.ContestOwn(ctx, own.Caller, "birthdate", "", nil) // nobody knows it
	notInferred(t, err)
	_, err = v.ContestOwn(ctx, own.Caller, "shoe_size", "", nil)
	refusedWith(t, err, vault.CodeInvalidRequest)

	made := contest(t, v, own)
	if made.Request == nil || made.Status != vault.RequestInProgress || !made.Due.Equal(privacy.Period{Months: 1}.After(made.Since)) {
		t.Fatalf("contested: %+v", made)
	}
	if again := contest(t, v, own); *again.Request != *made.Request || !again.Since.Equal(made.Since) {
		t.Errorf("twice: %+v", again)
	}
	denied := profile.Read(ana, "given_name", "taste").Withheld("taste", privacy.CodeRestricted)
	hints.Read(ana, "taste").Denied(privacy.CodeNoConsent)
	hints.Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
	guesses(t, v, ana, "metal")
	profile.Read(ana, "given_name", "taste").Withheld("taste", privacy.CodeRestricted)
	if why := missing(t, v, "model", ana, "profile"); !strings.Contains(why, "taste absent") {
		t.Errorf("missing: got %q, want that she may be asked", why)
	}
	var shown *vault.OwnContest
	for _, value := range own.Me().Values {
		if value.Field == "taste" {
			shown = value.Contested
		}
	}
	if shown == nil || shown.Request == nil || *shown.Request != *made.Request || !shown.Since.Equal(made.Since) {
		t.Errorf("she sees: %+v", shown)
	}
	if out, err := v.Export(ctx, own.Caller, vault.ScopeAccess); err != nil || !slices.ContainsFunc(out.Values, func(o vault.OwnValue) bool { return o.Field == "taste" && o.Contested != nil }) {
		t.Errorf("her copy: %+v %v", out, err)
	}

	view, err := v.Decision(ctx, v.Officer, denied.Result.Decision)
	if err != nil {
		t.Fatal(err)
	}
	var moves []string
	for _, r := range view.Remedies {
		moves = append(moves, string(r.Moves[0].Move))
	}
	if slices.Sort(moves); view.Reasons[1].Rule != "guardrails:contest" || !slices.Equal(moves, []string{"declared_value", "overrule_contest"}) ||
		!slices.ContainsFunc(view.Fields[1].Chain, func(f vault.Fact) bool { return f.Step == vault.FactContest && !f.Holds }) {
		t.Errorf("explained: %+v, remedies %v", view.Fields[1], moves)
	}
	if view, err := v.Decision(ctx, v.Officer, before.Result.Decision); err != nil || view.Reasons[1].Action != "release" {
		t.Errorf("from before: %+v %v", view, err)
	}

	q := request(t, v, *made.Request)
	if q.Kind != vault.RequestContest || q.Field != "taste" || q.Reason != "I hate jazz" || q.Own == nil || q.Why == "" || q.Inference == nil || q.Inference.Model != "taste" {
		t.Errorf("the officer sees: %+v", q)
	}
	_, err = v.DeclineRequest(ctx, v.Officer, q.ID, "")
	refusedWith(t, err, vault.CodeInvalidRequest)
	if _, err := v.DeclineRequest(ctx, v.Officer, q.ID, "you bought forty records of it"); err != nil {
		t.Fatal(err)
	}
	profile.Read(ana, "taste").Released(told("taste", "metal"))
	mine, err := v.OwnRequests(ctx, own.Caller)
	if err != nil || len(mine) != 1 || mine[0].Status != vault.RequestRefused || mine[0].Outcome != vault.ContestOverruled || mine[0].Answer != "you bought forty records of it" {
		t.Errorf("she is told: %+v %v", mine, err)
	}

	made = contest(t, v, own)
	profile.Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
	restart(t, v)
	profile.Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
	if done, err := v.AnswerRequest(ctx, v.Officer, *made.Request, "the records were presents"); err != nil || done.Outcome != vault.ContestUpheld || done.Status != vault.RequestCompleted {
		t.Fatalf("upheld: %+v %v", done, err)
	}
	if got := profile.Read(ana, "taste", "given_name"); len(got.Result.Missing) != 1 || got.Result.Missing[0].Field != "taste" {
		t.Errorf("upheld, and read: %+v", got.Result)
	}
	if past, err := v.PastValues(ctx, ana.ID); err != nil || len(past) != 2 {
		t.Errorf("past: %v %v, want both guesses", past, err)
	}
	guesses(t, v, ana, "fado")
	profile.Read(ana, "taste").Released(told("taste", "fado"))
	profile.Read(ana, "given_name").Released(told("given_name", "Anahita"))
	if _, err := v.VerifyLog(ctx, nil); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// What she says herself takes the place of the guess and ends the matter, even if the
// guess was right after all; so does another value that she told a channel. That a
// channel now claims to have been told what it guessed ends nothing.
func TestWhatIsToldEndsAContest(t *testing.T) {
	for _, c := range []struct {
		name   string
		say    func(*testing.T, *vaulttest.Vault, vaulttest.Person)
		ends   bool
		value  string
		events []string
	}{
		{"she says what is right", func(t *testing.T, v *vaulttest.Vault, _ vaulttest.Person) { corrects(t, v, "fado") }, true, "fado", []string{"profile.updated [taste]"}},
		{"she says it was right", func(t *testing.T, v *vaulttest.Vault, _ vaulttest.Person) { corrects(t, v, "jazz") }, true, "jazz", []string{"profile.unrestricted [taste]"}},
		{"a channel was told otherwise", func(t *testing.T, v *vaulttest.Vault, ana vaulttest.Person) { claims(t, v, ana, "fado") }, true, "fado", []string{"profile.updated [taste]"}},
		{"a channel claims the same", func(t *testing.T, v *vaulttest.Vault, ana vaulttest.Person) { claims(t, v, ana, "jazz") }, false, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, ana := guessedAt(t, &vaulttest.Options{})
			p := hooks(t, v, "model")
			made := contest(t, v, v.Login("email", "ana@example.org"))
			p.brings("model", of(ana, "profile.restricted [taste]"))
			c.say(t, v, ana)
			var want []string
			for _, e := range c.events {
				want = append(want, of(ana, e))
			}
			p.brings("model", want...)
			q, read := request(t, v, *made.Request), v.As("model").For("profile").Read(ana, "taste", "given_name")
			if !c.ends {
				if read.Withheld("taste", privacy.CodeRestricted); q.Status != vault.RequestInProgress {
					t.Errorf("the request: %+v", q)
				}
				return
			}
			read.Released(told("taste", c.value, "given_name", "Anahita"))
			if q.Status != vault.RequestCompleted || q.Outcome != vault.ContestReplaced || q.CompletedAt.IsZero() {
				t.Errorf("the request: %+v", q)
			}
			if _, err := v.VerifyLog(t.Context(), nil); err != nil {
				t.Errorf("the log does not verify: %v", err)
			}
		})
	}
}

func corrects(t *testing.T, v *vaulttest.Vault, taste string) {
	t.Helper()
	if _, err := v.Correct(t.Context(), v.Login("email", "ana@example.org").Caller, []vault.CapturedField{{Field: "taste", Value: privacy.NewSensitive([]byte(`"` + taste + `"`))}}); err != nil {
		t.Fatal(err)
	}
}

func claims(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, taste string) {
	t.Helper()
	if _, err := captures(t, v, "model", &who, told("taste", taste), nil); err != nil {
		t.Fatal(err)
	}
}

// Channels that could see the guess hear that it is not to be used, that it is again,
// and that it is gone (Art. 19). The app, which never could, hears only the last: it
// may ask her now.
func TestChannelsHearOfAContest(t *testing.T) {
	v, ana := guessedAt(t, &vaulttest.Options{})
	v.As("app").For("hints").Consent(ana, privacy.StatusGiven)
	p := hooks(t, v, "model", "recommender", "app")
	own := v.Login("email", "ana@example.org")
	all := func(what string, app ...string) {
		t.Helper()
		p.brings("model", of(ana, what))
		p.brings("recommender", of(ana, what))
		p.brings("app", app...)
	}
	made := contest(t, v, own)
	all("profile.restricted [taste]")
	if _, err := v.DeclineRequest(t.Context(), v.Officer, *made.Request, "it is right"); err != nil {
		t.Fatal(err)
	}
	all("profile.unrestricted [taste]")
	made = contest(t, v, own)
	all("profile.restricted [taste]")
	if _, err := v.AnswerRequest(t.Context(), v.Officer, *made.Request, "it is wrong"); err != nil {
		t.Fatal(err)
	}
	all("profile.updated [taste]", of(ana, "profile.updated [taste]"))
}

// In a session of a channel it is answered alike whether there is a guess that the
// channel may not see, or none, or nobody; only what it shows is refused if it was
// told.
func TestASessionOfAChannelLearnsOfNoHiddenGuess(t *testing.T) {
	v, ana := guessedAt(t, &vaulttest.Options{})
	ctx := t.Context()
	if _, err := captures(t, v, "app", &ana, told("given_name", "Anahita"), nil); err != nil {
		t.Fatal(err)
	}
	ben := v.As("app").Capture(told("given_name", "Ben", "email", "ben@example.org"))
	var answers []vault.Contest
	for _, s := range []*vaulttest.Session{v.As("app").Session(ana), v.As("app").Session(ben), v.As("app").Session(vaulttest.By("email", "nobody@example.org"))} {
		_, err := v.ContestOwn(ctx, s.Caller, "given_name", "", nil)
		if s.Values()["given_name"] != "" {
			notInferred(t, err)
		} else if err != nil {
			t.Error(err)
		}
		for range 2 {
			made, err := v.ContestOwn(ctx, s.Caller, "taste", "no", nil)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, *made)
		}
		if mine, err := v.OwnRequests(ctx, s.Caller); err != nil || len(mine) != 0 {
			t.Errorf("requests: %+v %v", mine, err)
		}
	}
	if answers = slices.Compact(answers); len(answers) != 1 || answers[0].Request != nil || !answers[0].Since.IsZero() || !answers[0].Due.IsZero() {
		t.Errorf("answers differ, or tell: %+v", answers)
	}
	v.As("model").For("profile").Read(ana, "given_name", "taste").Withheld("taste", privacy.CodeRestricted) // it was done all the same

	// What the model's own session shows, it may contest and see what becomes of it.
	eve := v.As("model").Capture(told("given_name", "Eve", "email", "eve@example.org"))
	v.As("model").For("profile").Ground(eve, vault.GroundBegun)
	guesses(t, v, eve, "polka")
	s := v.As("model").Session(eve)
	if s.Values()["taste"] == "" {
		t.Fatal("the session does not show the guess")
	}
	if made := contest(t, v, s); made.Request != nil {
		t.Errorf("%+v", made)
	}
	if mine, err := v.OwnRequests(ctx, s.Caller); err != nil || len(mine) != 1 || mine[0].Field != "taste" || s.Values()["taste"] != "" {
		t.Errorf("what became of it: %+v %v", mine, err)
	}
}

// When a contest was answered, no read that begins after it lets the guess out, from
// any channel, with readers who never stop asking; nor, while it stands, does a
// newer one. When it is overruled they read again.
func TestAContestIsABarrier(t *testing.T) {
	v, ana := guessedAt(t, &vaulttest.Options{})
	v.As("app").For("hints").Consent(ana, privacy.StatusGiven)
	asks := []vault.ReadRequest{{Subject: ana, Purpose: "profile"}, {Subject: vaulttest.By("email", "ana@example.org"), Purpose: "hints"}}
	callers := []vault.Caller{v.As("model").Caller, v.As("recommender").Caller}
	own := v.Login("email", "ana@example.org")
	var round, before atomic.Int64 // an odd round is one of a contest
	var wg sync.WaitGroup
	quit := make(chan struct{})
	for reader := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				began := round.Load()
				res, err := v.Read(context.Background(), callers[reader%2], asks[reader%2])
				got := err == nil && slices.ContainsFunc(res.Fields, func(f vault.FieldValue) bool { return f.Field == "taste" })
				if got && began%2 == 1 && round.Load() == began {
					t.Error("a read that began after the contest was answered let the guess out")
					return
				}
				if got {
					before.Add(1)
				}
			}
		})
	}
	for i := range 10 {
		for n := before.Load(); before.Load() == n && !t.Failed(); {
			time.Sleep(100 * time.Microsecond)
		}
		made := contest(t, v, own)
		round.Add(1)
		if i%2 == 1 {
			guesses(t, v, ana, []string{"jazz", "metal"}[i/2%2])
		}
		for size := v.Store.Size(); v.Store.Size() < size+16 && !t.Failed(); { // let everybody read
			time.Sleep(100 * time.Microsecond)
		}
		round.Add(1)
		if _, err := v.DeclineRequest(t.Context(), v.Officer, *made.Request, "it is right"); err != nil {
			t.Fatal(err)
		}
	}
	close(quit)
	wg.Wait()
}

// A copy from before or after is restored: who contested since is not read, and an
// officer has it to decide; what was overruled since is read; what was upheld since is
// an officer's to decide again, and not read.
func TestAContestOutlivesARestore(t *testing.T) {
	for _, c := range []struct {
		name    string
		copied  string // before, between
		decides string
		read    bool
	}{
		{"contested since", "before", "", false},
		{"contested before", "between", "", false},
		{"contested and overruled since", "before", "overruled", true},
		{"overruled since", "between", "overruled", true},
		{"contested and upheld since", "before", "upheld", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, ana := guessedAt(t, &vaulttest.Options{})
			copied := copyOf(t, v)
			made := contest(t, v, v.Login("email", "ana@example.org"))
			if c.copied == "between" {
				copied = copyOf(t, v)
			}
			var err error
			switch c.decides {
			case "overruled":
				_, err = v.DeclineRequest(t.Context(), v.Officer, *made.Request, "it is right")
			case "upheld":
				_, err = v.AnswerRequest(t.Context(), v.Officer, *made.Request, "it is wrong")
			}
			if err != nil {
				t.Fatal(err)
			}
			v.Stop()
			now, _ := mustRestore(t, v, remainsOf(v.Dir, copied))
			profile := now.As("model").For("profile")
			if c.read {
				profile.Read(ana, "taste").Released(told("taste", "jazz"))
				for _, q := range requestsOf(t, now) {
					if q.Status != vault.RequestRefused || q.Outcome != vault.ContestOverruled {
						t.Errorf("its request: %+v", q)
					}
				}
				return
			}
			profile.Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
			q := request(t, now, *made.Request)
			if q.Kind != vault.RequestContest || q.Field != "taste" || q.Status != vault.RequestInProgress || !q.DueAt.Equal(made.Due) {
				t.Fatalf("its request: %+v", q)
			}
			if _, err := now.DeclineRequest(t.Context(), now.Officer, q.ID, "it is right"); err != nil {
				t.Fatal(err)
			}
			profile.Read(ana, "taste").Released(told("taste", "jazz"))
		})
	}
}

// A contest that stands in the ledger, and was cut off before the state knew of it, is
// done when the vault comes up, and waits for an officer.
func TestAContestIsFinishedFromTheLedger(t *testing.T) {
	failing := errors.New("the disk is gone")
	var fail atomic.Bool
	v, ana := guessedAt(t, &vaulttest.Options{Store: func(e store.LogEngine) store.LogEngine {
		return &failingUpdates{LogEngine: e, fail: func() error {
			if fail.Load() {
				return failing
			}
			return nil
		}}
	}})
	own := v.Login("email", "ana@example.org")
	fail.Store(true)
	if _, err := v.ContestOwn(t.Context(), own.Caller, "taste", "", nil); err == nil {
		t.Fatal("nothing failed")
	}
	fail.Store(false)
	restart(t, v)
	v.As("model").For("profile").Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
	all := requestsOf(t, v)
	if len(all) != 1 || all[0].Field != "taste" || all[0].Status != vault.RequestInProgress {
		t.Fatalf("requests: %+v", all)
	}
	if _, err := v.AnswerRequest(t.Context(), v.Officer, all[0].ID, "it is wrong"); err != nil {
		t.Fatal(err)
	}
	restart(t, v)
	if got := v.As("model").For("profile").Read(ana, "taste", "given_name"); len(got.Result.Missing) != 1 {
		t.Errorf("upheld: %+v", got.Result)
	}
}

// An officer's word that was cut off behind the ledger overrules what was contested
// until then, and nothing that is contested later.
func TestAWordThatWasCutOffOverrulesNoLaterContest(t *testing.T) {
	var fail atomic.Bool
	v, ana := guessedAt(t, &vaulttest.Options{Store: func(e store.LogEngine) store.LogEngine {
		return &failingUpdates{LogEngine: e, fail: func() error {
			if fail.Load() {
				return errors.New("the disk is gone")
			}
			return nil
		}}
	}})
	own := v.Login("email", "ana@example.org")
	made := contest(t, v, own)
	fail.Store(true)
	if _, err := v.DeclineRequest(t.Context(), v.Officer, *made.Request, "it is right"); err == nil {
		t.Fatal("nothing failed")
	}
	fail.Store(false)
	if _, err := v.AnswerRequest(t.Context(), v.Officer, *made.Request, "it is wrong after all"); err != nil {
		t.Fatal(err)
	}
	guesses(t, v, ana, "fado")
	later := contest(t, v, own)
	restart(t, v)
	v.As("model").For("profile").Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
	if q := request(t, v, *later.Request); q.Status != vault.RequestInProgress {
		t.Errorf("the later one: %+v", q)
	}
	fail.Store(true)
	if _, err := v.DeclineRequest(t.Context(), v.Officer, *later.Request, "it is right"); err == nil {
		t.Fatal("nothing failed")
	}
	fail.Store(false)
	restart(t, v)
	v.As("model").For("profile").Read(ana, "taste").Released(told("taste", "fado"))
	if q := request(t, v, *later.Request); q.Status != vault.RequestRefused || q.Outcome != vault.ContestOverruled {
		t.Errorf("what was promised is not done: %+v", q)
	}
}

// A batch, as an import makes them, keeps a contest: a newer guess in it is withheld,
// and what somebody told in it ends it once, whatever comes behind. While the clock is
// not believed nothing is overruled.
func TestABatchKeepsAContest(t *testing.T) {
	v, ana := guessedAt(t, &vaulttest.Options{})
	own := v.Login("email", "ana@example.org")
	profile := v.As("model").For("profile")
	batch := func(tastes ...any) {
		t.Helper()
		var reqs []vault.CaptureRequest
		for i := 0; i < len(tastes); i += 2 {
			req := vaulttest.CaptureRequest(t, told("taste", tastes[i].(string)))
			req.Subject = &ana
			if tastes[i+1].(bool) {
				guess("taste", 1)(&req)
			}
			reqs = append(reqs, req)
		}
		outcomes, err := v.CaptureBatch(t.Context(), v.As("model").Caller, reqs)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
	}
	made := contest(t, v, own)
	batch("metal", true, "polka", true)
	profile.Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
	v.Tick(-time.Hour)
	_, err := v.DeclineRequest(t.Context(), v.Officer, *made.Request, "it is right")
	refusedWith(t, err, vault.CodeUnavailable)
	v.Tick(2 * time.Hour)
	if err := v.ConfirmClock(t.Context(), v.Officer); err != nil {
		t.Fatal(err)
	}
	profile.Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
	batch("fado", false, "metal", true, "polka", true)
	profile.Read(ana, "taste").Released(told("taste", "fado"))
	if q := request(t, v, *made.Request); q.Status != vault.RequestCompleted || q.Outcome != vault.ContestReplaced {
		t.Errorf("its request: %+v", q)
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// By letter: nothing is withheld before it is known that it is Ana who wrote; then it
// is. What a guess of the moment was is kept in no history.
func TestAContestByLetter(t *testing.T) {
	v, ana := guessedAt(t, &vaulttest.Options{})
	ctx := t.Context()
	profile := v.As("model").For("profile")
	_, err := v.EnterRequest(ctx, v.Officer, vault.EnterRequest{Kind: vault.RequestContest, Subject: ana, Reason: "she wrote"})
	refusedWith(t, err, vault.CodeInvalidRequest)
	_, err = v.EnterRequest(ctx, v.Officer, vault.EnterRequest{Kind: vault.RequestAccess, Subject: ana, Reason: "she wrote", Field: "taste"})
	refusedWith(t, err, vault.CodeInvalidRequest)
	q, err := v.EnterRequest(ctx, v.Officer, vault.EnterRequest{Kind: vault.RequestContest, Subject: ana, Reason: "she wrote", Field: "taste", Awaiting: true})
	if err != nil || q.Status != vault.RequestAwaiting {
		t.Fatalf("%+v %v", q, err)
	}
	profile.Read(ana, "taste").Released(told("taste", "jazz"))
	_, err = v.AnswerRequest(ctx, v.Officer, q.ID, "done")
	refusedWith(t, err, vault.CodeWrongState)
	if q, err = v.ConfirmIdentity(ctx, v.Officer, q.ID, "her passport"); err != nil || q.Status != vault.RequestInProgress || q.Field != "taste" {
		t.Fatalf("%+v %v", q, err)
	}
	profile.Read(ana, "taste", "given_name").Withheld("taste", privacy.CodeRestricted)
	if made := contest(t, v, v.Login("email", "ana@example.org")); *made.Request != q.ID {
		t.Errorf("a second request: %+v", made)
	}
	second, err := v.EnterRequest(ctx, v.Officer, vault.EnterRequest{Kind: vault.RequestContest, Subject: ana, Reason: "she wrote again", Field: "taste"})
	if err != nil || second.Status != vault.RequestInProgress {
		t.Fatalf("%+v %v", second, err)
	}
	if _, err := v.AnswerRequest(ctx, v.Officer, q.ID, "it is wrong"); err != nil {
		t.Fatal(err)
	}
	if other := request(t, v, second.ID); other.Status != vault.RequestCompleted || other.Outcome != vault.ContestUpheld || other.Answer != "it is wrong" {
		t.Errorf("the other letter: %+v", other)
	}

	// Of the moment.
	if _, err := captures(t, v, "model", &ana, told("looking_for", "a bench"), guess("looking_for", 1)); err != nil {
		t.Fatal(err)
	}
	own := v.Login("email", "ana@example.org")
	made, err := v.ContestOwn(ctx, own.Caller, "looking_for", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.AnswerRequest(ctx, v.Officer, *made.Request, "it is wrong"); err != nil {
		t.Fatal(err)
	}
	if past, err := v.PastValues(ctx, ana.ID); err != nil || len(past) != 1 || own.Values()["looking_for"] != "" {
		t.Errorf("past: %v %v, and still %q", past, err, own.Values()["looking_for"])
	}
	if due := entries(t, v, "values/due"); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
	if _, err := v.VerifyLog(ctx, nil); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// An erasure forgets a contest with everything else; who comes back under the same ID
// has contested nothing.
func TestAnErasureForgetsAContest(t *testing.T) {
	v, ana := guessedAt(t, &vaulttest.Options{})
	made := contest(t, v, v.Login("email", "ana@example.org"))
	completed(t, v, erase(t, v, ana).ID)
	q := request(t, v, *made.Request)
	if q.Subject != nil || q.Reason != "" || q.Answer != "" || q.Status != vault.RequestCompleted {
		t.Errorf("left of it: %+v", q)
	}
	if _, err := captures(t, v, "model", &ana, told("given_name", "Anahita", "email", "ana@example.org"), nil); err != nil {
		t.Fatal(err)
	}
	v.As("model").For("profile").Ground(ana, vault.GroundBegun)
	guesses(t, v, ana, "jazz")
	v.As("model").For("profile").Read(ana, "taste").Released(told("taste", "jazz"))
	restart(t, v)
	v.As("model").For("profile").Read(ana, "taste").Released(told("taste", "jazz"))
}

// What a law wants to be kept of a guess stays contested: it is nobody's to see. What a
// model makes of Ana when she comes back is another life's.
func TestWhatStaysOfAGuessStaysContested(t *testing.T) {
	v, ana := guessedAt(t, &vaulttest.Options{})
	v.Apply(strings.NewReplacer("channels:\n", "  - {id: scoring, title: Scores by law, basis: legal_obligation, profiling: true, fields: [taste], retention: P10Y}\nchannels:\n",
		"purposes: [advice, profile], captures", "purposes: [advice, profile, scoring], captures").Replace(contesting))
	scoring := v.As("model").For("scoring")
	scoring.Ground(ana, vault.GroundBegun)
	scoring.Read(ana, "taste").Released(told("taste", "jazz"))
	made := contest(t, v, v.Login("email", "ana@example.org"))
	scoring.Read(ana, "taste").Denied(privacy.CodeRestricted)
	erase(t, v, ana)
	scoring.Read(ana, "taste").Denied(privacy.CodeRestricted)
	if q := request(t, v, *made.Request); q.Subject != nil || q.Reason != "" {
		t.Errorf("left of the request: %+v", q)
	}
	if _, err := v.DeclineRequest(t.Context(), v.Officer, *made.Request, "nobody can any more"); err == nil {
		t.Error("it was overruled")
	}
	if _, err := captures(t, v, "model", &ana, told("given_name", "Anahita"), nil); err != nil {
		t.Fatal(err)
	}
	v.As("model").For("profile").Ground(ana, vault.GroundBegun)
	scoring.Read(ana, "taste").Denied(privacy.CodeRestricted)
	guesses(t, v, ana, "fado")
	v.As("model").For("profile").Read(ana, "taste").Released(told("taste", "fado"))
}
