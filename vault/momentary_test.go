package vault_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// guessing is the small shop with an app that sees where somebody is and what
// they look for, and a model that guesses what they like.
var guessing = strings.NewReplacer(
	"purposes:\n", `  - {name: looking_for, type: string, category: "pd:Interest", ttl: PT15M}
  - {name: place, type: address, category: "pd:Location", ttl: PT5M}
  - {name: taste, type: string, category: "pd:Interest", retention: P1Y}
purposes:
  - {id: advice, title: Advice, dpv: "dpv:Personalisation", basis: contract, fields: [given_name, looking_for, place, taste]}
  - {id: profile, title: Guess what you like, dpv: "dpv:Personalisation", basis: contract, profiling: true, fields: [taste, birthdate]}
`,
	"channels:\n", `channels:
  - {id: app, kind: app, purposes: [advice], captures: [given_name, email, looking_for, place, taste, address]}
  - {id: model, kind: model, purposes: [advice, profile], captures: [given_name, email, taste, birthdate, looking_for]}
`).Replace(vaulttest.Register)

func captures(t *testing.T, v *vaulttest.Vault, ch privacy.ChannelID, who *vaulttest.Person, values map[string]any, change func(*vault.CaptureRequest)) (*vault.CaptureResult, error) {
	t.Helper()
	req := vaulttest.CaptureRequest(t, values)
	req.Subject = who
	if change != nil {
		change(&req)
	}
	return v.Capture(t.Context(), v.As(ch).Caller, req)
}

// What Anahita looks for is known for a quarter of an hour from when it was seen,
// and to the microsecond not longer; then it is removed, and nothing of it stays,
// neither what it was nor what it was before. Her name stays. What she looks for
// next is found as ever; the old value, put back, is not.
func TestAMomentPasses(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: guessing, Now: march})
	ana := v.As("app").Capture(told("email", "ana@example.org", "given_name", "Anahita", "looking_for", "shoes"))
	advice := v.As("app").For("advice")
	kept := getRow(t, v, "profiles", ana.ID[:])
	v.Tick(10 * time.Minute)
	observed := v.Now()
	if _, err := captures(t, v, "app", &ana, told("looking_for", "boots"), func(r *vault.CaptureRequest) { r.ObservedAt, r.Observed = observed, []privacy.FieldName{"looking_for"} }); err != nil {
		t.Fatal(err)
	}
	v.Tick(observed.Add(15*time.Minute).Sub(v.Now()) - time.Millisecond)
	advice.Read(ana, "looking_for").Released(told("looking_for", "boots"))
	v.Tick(2 * time.Millisecond)
	if got := advice.Read(ana, "looking_for", "given_name"); len(got.Result.Missing) != 1 || got.Result.Missing[0].Field != "looking_for" || len(got.Result.Fields) != 1 {
		t.Errorf("a moment later: got %+v, want it missing", got.Result)
	}
	sweep := func() {
		t.Helper()
		v.Tick(time.Minute)
		if _, err := v.SweepMoments(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	if past, err := v.PastValues(t.Context(), ana.ID); err != nil || len(past) != 0 {
		t.Errorf("past values: got %v, %v, want none", past, err)
	}
	if due := entries(t, v, "values/due"); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
	if left, err := vault.UnpackProfile(getRow(t, v, "profiles", ana.ID[:])); err != nil || len(left) != 2 {
		t.Errorf("values kept: got %d, %v, want her name and address of e-mail", len(left), err)
	}
	advice.Read(ana, "given_name").Released(told("given_name", "Anahita"))
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying: %v", err)
	}

	v.As("app").Capture(told("email", "ana@example.org", "looking_for", "socks"))
	advice.Read(ana, "looking_for").Released(told("looking_for", "socks"))
	putRow(t, v, "profiles", ana.ID[:], kept)
	if got := advice.Read(ana, "looking_for"); got.Result != nil {
		t.Errorf("with the old row: got %+v, want it refused", got.Result)
	}
}

// A thousand people's places come and go; only what is over goes, and what was
// told again in between stays.
func TestMomentsPassForEachByThemselves(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: guessing, Now: march})
	var people []vaulttest.Person
	var reqs []vault.CaptureRequest
	for i := range 1000 {
		reqs = append(reqs, vaulttest.CaptureRequest(t, map[string]any{"email": fmt.Sprintf("p%d@example.org", i), "place": map[string]any{"locality": "Berlin"}}))
	}
	for from := 0; from < len(reqs); from += 250 {
		outcomes, err := v.CaptureBatch(t.Context(), v.As("app").Caller, reqs[from:from+250])
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			people = append(people, vaulttest.ID(o.Result.Subject))
		}
	}
	v.Tick(4 * time.Minute)
	stay := people[7]
	if _, err := captures(t, v, "app", &stay, map[string]any{"place": map[string]any{"locality": "Potsdam"}}, nil); err != nil {
		t.Fatal(err)
	}
	v.Tick(2*time.Minute + time.Second)
	for more := true; more; {
		var err error
		if more, err = v.SweepMoments(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if due := entries(t, v, "values/due"); len(due) != 1 {
		t.Errorf("still due: %d, want one", len(due))
	}
	v.As("app").For("advice").Read(stay, "place").Released(map[string]any{"place": map[string]any{"locality": "Potsdam"}})
	if got := v.As("app").For("advice").Read(people[8], "place"); len(got.Result.Missing) != 1 {
		t.Errorf("another: got %+v, want it missing", got.Result)
	}
}

func guess(field privacy.FieldName, confidence float64) func(*vault.CaptureRequest) {
	return func(r *vault.CaptureRequest) {
		r.Inferred = map[privacy.FieldName]privacy.Inference{field: {Model: "taste", Version: "3.1", Confidence: confidence}}
	}
}

// A model guesses what Anahita likes. Who may profile reads the guess, with the
// model and how sure it was; who may not, reads nothing, and asks her. What she
// says then is hers, whatever the model thinks later.
func TestAGuessIsForPurposesThatAllowProfiling(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: guessing, Now: march})
	ana := v.As("model").Capture(told("email", "ana@example.org", "given_name", "Anahita"))
	v.As("model").For("profile").Ground(ana, vault.GroundBegun)
	if _, err := captures(t, v, "model", &ana, told("taste", "jazz"), guess("taste", 0.8125)); err != nil {
		t.Fatal(err)
	}
	got := v.As("model").For("profile").Read(ana, "taste").Released(told("taste", "jazz"))
	if by := got.Result.Fields[0].Inference; by == nil || *by != (privacy.Inference{Model: "taste", Version: "3.1", Confidence: 0.8125}) {
		t.Errorf("got %+v, want the model's name", by)
	}
	advice := v.As("app").For("advice")
	denied := advice.Read(ana, "taste", "given_name").Withheld("taste", privacy.CodePolicy)
	if why := missing(t, v, "app", ana, "advice"); !strings.Contains(why, "taste absent") {
		t.Errorf("missing: got %q, want her taste", why)
	}
	view, err := v.Decision(t.Context(), v.Officer, denied.Result.Decision)
	if err != nil || view.Reasons[0].Rule != "guardrails:profiling" || len(view.Remedies) != 1 || view.Remedies[0].Moves[0].Move != "declared_value" {
		t.Errorf("explained: got %+v, %v, want profiling and that she tells it herself", view, err)
	}

	if _, err := captures(t, v, "app", &ana, told("taste", "fado"), nil); err != nil {
		t.Fatal(err)
	}
	advice.Read(ana, "taste").Released(told("taste", "fado"))
	v.Tick(time.Hour)
	if _, err := captures(t, v, "model", &ana, told("taste", "metal"), guess("taste", 1)); err != nil {
		t.Fatal(err)
	}
	advice.Read(ana, "taste").Released(told("taste", "fado"))
	if _, err := captures(t, v, "model", &ana, told("taste", "fado"), guess("taste", 1)); err != nil { // it agrees
		t.Fatal(err)
	}
	advice.Read(ana, "taste").Released(told("taste", "fado"))
}

// What she tells confirms a guess; a guess confirms nothing, answers no question,
// begins no ground, and makes no fact about her.
func TestAGuessIsNoAnswer(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: guessing, Now: march})
	ana := v.As("app").Capture(told("email", "ana@example.org", "given_name", "Anahita"))
	if res, err := v.As("app").For("advice").Ask(ana, "taste"); err != nil || !res.New {
		t.Fatalf("asking: %+v, %v", res, err)
	}
	if _, err := captures(t, v, "model", &ana, map[string]any{"taste": "jazz", "birthdate": "1950-01-01"}, func(r *vault.CaptureRequest) {
		guess("taste", 0.5)(r)
		r.Inferred["birthdate"] = r.Inferred["taste"]
	}); err != nil {
		t.Fatal(err)
	}
	v.As("model").For("profile").Read(ana, "taste").Denied(privacy.CodeNoGround) // which a guess did not begin
	if _, err := v.As("model").For("advice").Ask(ana, "taste"); leased2(nil, err) != vault.CodeAlreadyBeingAsked {
		t.Errorf("a guess ended the question: %v", err)
	}
	o := v.As("app").For("advice").Read(ana, "given_name")
	if view, err := v.Decision(t.Context(), v.Officer, o.Result.Decision); err != nil || view.Facts.Subject.AgeBand != "unknown" {
		t.Errorf("facts: got %+v, %v, want her age unknown", view, err)
	}
	v.As("app").Capture(told("email", "ana@example.org", "taste", "jazz"))
	v.As("app").For("advice").Read(ana, "taste").Released(told("taste", "jazz"))
}

// What cannot be inferred, or not here, is refused by name, and nothing is kept.
func TestAGuessThatCannotBeIsRefused(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: guessing, Now: march})
	ana := v.As("app").Capture(told("email", "ana@example.org", "given_name", "Anahita"))
	size := v.Store.Size()
	for name, c := range map[string]struct {
		ch     privacy.ChannelID
		values map[string]any
		change func(*vault.CaptureRequest)
		field  string
		code   string
	}{
		"not captured":          {"model", told("taste", "jazz"), guess("birthdate", 1), "inferred", "not_captured"},
		"seen, and not there":   {"model", told("taste", "jazz"), func(r *vault.CaptureRequest) { r.Observed = []privacy.FieldName{"birthdate"} }, "observed", "not_captured"},
		"an identifier":         {"model", told("email", "eve@example.org"), guess("email", 1), "email", "identifier"},
		"no profiling":          {"model", told("looking_for", "shoes"), guess("looking_for", 1), "looking_for", "profiling_not_allowed"},
		"no profiling, the app": {"app", told("taste", "jazz"), guess("taste", 1), "taste", "profiling_not_allowed"},
		"surer than sure":       {"model", told("taste", "jazz"), guess("taste", 1.5), "taste", "invalid_value"},
		"too exactly sure":      {"model", told("taste", "jazz"), guess("taste", 0.12345), "taste", "invalid_value"},
		"verified": {"model", told("taste", "jazz"), func(r *vault.CaptureRequest) {
			guess("taste", 1)(r)
			r.Verified = []privacy.FieldName{"taste"}
		}, "taste", "invalid_value"},
		"seen and guessed": {"model", told("taste", "jazz"), func(r *vault.CaptureRequest) {
			guess("taste", 1)(r)
			r.Observed = []privacy.FieldName{"taste"}
		}, "taste", "invalid_value"},
		"by nobody": {"model", told("taste", "jazz"), func(r *vault.CaptureRequest) {
			r.Inferred = map[privacy.FieldName]privacy.Inference{"taste": {Version: "1", Confidence: 1}}
		}, "taste", "invalid_value"},
	} {
		_, err := captures(t, v, c.ch, &ana, c.values, c.change)
		if got := refusedWith(t, err, vault.CodeInvalidRequest); len(got.Fields) != 1 || got.Fields[0].Field != c.field || got.Fields[0].Code != c.code {
			t.Errorf("%s: got %+v, want %s of %s", name, got, c.code, c.field)
		}
	}
	if v.Store.Size() != size {
		t.Error("something was kept")
	}
}
