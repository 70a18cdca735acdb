package vault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

var anyID = regexp.MustCompile(`(sub|dec|con)_[0-9a-z]{26}`)

// shape is an answer or a refusal as JSON without IDs, so that two can be held
// against each other byte by byte.
func shape(t testing.TB, result any, err error) string {
	t.Helper()
	if err != nil {
		result = map[string]any{"type": fmt.Sprintf("%T", err), "error": err}
		var denied *vault.DeniedError
		if errors.As(err, &denied) {
			result = map[string]any{"type": "denied", "error": *denied}
		}
	}
	b, jsonErr := json.Marshal(result)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	return anyID.ReplaceAllString(string(b), "ID")
}

// A channel that did not know a person before cannot tell from the answer to a
// capture whether it joined them.
func TestJoiningSomebodyLooksLikeMakingSomebody(t *testing.T) {
	v := newCrowd(t)
	verified(t, v, "web", told("email", "known@example.org", "given_name", "Anahita", "card", "4711"), "email")

	capture := func(ch privacy.ChannelID, email string) *vault.CaptureResult {
		t.Helper()
		req := vaulttest.CaptureRequest(t, told("email", email, "given_name", "Mallory"))
		req.Verified = []privacy.FieldName{"email"}
		res, err := v.Capture(t.Context(), v.As(ch).Caller, req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	joined, made := capture("desk", "known@example.org"), capture("desk", "unknown@example.org")
	if got, want := shape(t, joined, nil), shape(t, made, nil); got != want || !made.Created || len(made.Accepted) != 2 {
		t.Errorf("joined: got %s, made: %s; want the same, created", got, want)
	}
	// From then on it captured for both, and is told what became of it.
	for _, email := range []string{"known@example.org", "unknown@example.org"} {
		if again := capture("desk", email); again.Created || len(again.Unchanged) != 2 {
			t.Errorf("captured again: got %+v, want it known and unchanged", again)
		}
	}
}

// A channel that can read every field it captures learns nothing new from a
// plain answer, and gets one; one that cannot read a single one does not.
func TestWhoMayReadWhatItCapturesIsToldWhatBecameOfIt(t *testing.T) {
	v := newCrowd(t)
	verified(t, v, "web", told("email", "known@example.org", "given_name", "Anahita"), "email")
	req := vaulttest.CaptureRequest(t, told("email", "known@example.org", "given_name", "Ana"))
	req.Verified, req.Purposes = []privacy.FieldName{"email"}, []privacy.PurposeID{}
	res, err := v.Capture(t.Context(), v.As("app").Caller, req) // reads for the same contract
	if err != nil || res.Created || len(res.Superseded) != 1 || len(res.Unchanged) != 1 {
		t.Errorf("of a channel that may read it: got %+v, %v, want one superseded and one unchanged", res, err)
	}

	verified(t, v, "web", told("email", "other@example.org", "given_name", "Ben"), "email")
	v.As("desk").For("news").Consent(vaulttest.By("email", "other@example.org"), privacy.StatusGiven)
	req = vaulttest.CaptureRequest(t, told("email", "other@example.org", "phone_number", "+49 30 901820"))
	req.Verified = []privacy.FieldName{"email"}
	res, err = v.Capture(t.Context(), v.As("desk").Caller, req) // may read the e-mail, not the telephone
	if err != nil || !res.Created || len(res.Accepted) != 2 {
		t.Errorf("of a channel that may read one field: got %+v, %v, want it to look new", res, err)
	}
}

// What is recorded for an ID that nobody has is answered like anybody's, again
// and again.
func TestRecordingForNobodyIsAnsweredLikeForAnybody(t *testing.T) {
	const limited = "{id: desk, kind: store, purposes: [news], captures: [given_name, email, phone_number]"
	text := strings.Replace(crowd, limited, limited+", limits: {captures_per_person_per_day: 2}", 1)
	v := vaulttest.New(t, &vaulttest.Options{Register: text})
	known := v.As("web").Capture(told("email", "known@example.org", "given_name", "Anahita"))
	nobody := vaulttest.ID(privacy.NewSubjectID())

	for i := range 3 {
		var shapes []string
		for _, who := range []vaulttest.Person{known, nobody} {
			req := vaulttest.CaptureRequest(t, told("given_name", "Mallory"))
			req.Subject = &who
			req.Purposes = []privacy.PurposeID{}
			if i == 0 {
				req.Consents = []vault.ConsentRequest{{Purpose: "news", Status: privacy.StatusWithdrawn, Method: "letter"}}
			}
			res, err := v.Capture(t.Context(), v.As("desk").Caller, req)
			if res != nil {
				for j := range res.Consents {
					res.Consents[j].Receipt = fmt.Sprint(strings.Count(res.Consents[j].Receipt, "."), " dots")
				}
			}
			shapes = append(shapes, shape(t, res, err))
		}
		if strip(shapes[0]) != strip(shapes[1]) {
			t.Errorf("capture %d: known %s, nobody %s", i, shapes[0], shapes[1])
		}
	}

	for _, status := range privacy.ConsentStatuses {
		var shapes []string
		for _, who := range []vaulttest.Person{known, nobody} {
			res, err := v.RecordConsent(t.Context(), v.As("desk").Caller, vault.ConsentRequest{Subject: who, Purpose: "news", Status: status, Method: "letter"})
			if res != nil {
				res.Receipt = fmt.Sprint(strings.Count(res.Receipt, "."), " dots")
			}
			shapes = append(shapes, shape(t, res, err))
		}
		if shapes[0] != shapes[1] {
			t.Errorf("%s: known %s, nobody %s", status, shapes[0], shapes[1])
		}
	}
	for _, status := range []string{vault.GroundBegun, vault.GroundEnded} {
		v.As("web").For("order").Ground(known, status)
		v.As("web").For("order").Ground(nobody, status)
	}
	// What was captured is not dropped: whoever it is about is somebody by now.
	v.As("web").For("order").Read(nobody).Denied(privacy.CodeNoGround)
	v.As("web").For("order").Ground(nobody, vault.GroundBegun)
	v.As("web").For("order").Read(nobody, "given_name").Released(told("given_name", "Mallory"))
	// The receipt of nobody's consent is had again like anybody's.
	res := v.As("desk").For("news").Consent(nobody, privacy.StatusGiven)
	if again, err := v.Receipt(t.Context(), v.As("desk").Caller, res.Consent); err != nil || again != res.Receipt {
		t.Errorf("receipt again: got %v, want the same", err)
	}
	if _, err := v.Receipt(t.Context(), v.As("web").Caller, res.Consent); !errors.Is(err, &vault.Error{Code: vault.CodeNotFound}) {
		t.Errorf("another channel's receipt: got %v, want not_found", err)
	}
}

var retryAfter = regexp.MustCompile(`"RetryAfter":[0-9]+`)

func strip(s string) string { return retryAfter.ReplaceAllString(s, "") }

// Where a purpose is silent, one of whom nothing may be released and one nobody
// knows are told apart by nothing: not by ID, not by identifier, whatever the
// reason is that nothing is released, whichever fields are asked for.
func TestNobodyLooksLikeNoSaySo(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Now: march})
	email := func(i int) string { return fmt.Sprintf("p%d@example.org", i) }
	silent := map[string]func(who vaulttest.Person){
		"never asked": func(vaulttest.Person) {},
		"refused":     func(who vaulttest.Person) { v.As("mail").For("news").Consent(who, privacy.StatusRefused) },
		"withdrawn": func(who vaulttest.Person) {
			v.As("desk").For("news").Consent(who, privacy.StatusGiven)
			v.As("mail").For("news").Consent(who, privacy.StatusWithdrawn)
		},
		"objected":         func(who vaulttest.Person) { v.As("mail").For("news").Consent(who, privacy.StatusObjected) },
		"opted out":        func(who vaulttest.Person) { v.As("mail").For("news").Consent(who, privacy.StatusOptedOut) },
		"fraud: objected":  func(who vaulttest.Person) { v.As("mail").For("fraud").Consent(who, privacy.StatusObjected) },
		"fraud: no ground": func(who vaulttest.Person) { v.As("web").For("fraud").Ground(who, vault.GroundEnded) },
	}
	i := 0
	for story, make := range silent {
		i++
		who := v.As("web").Capture(told("email", email(i), "given_name", "Anahita"))
		make(who)
		ch, purpose := privacy.ChannelID("mail"), privacy.PurposeID("news")
		if strings.HasPrefix(story, "fraud") {
			ch, purpose = "web", "fraud"
		}
		for _, fields := range [][]privacy.FieldName{nil, {"email"}, {"given_name", "email"}, {"email", "card", "no_such_field"}} {
			for how, pair := range map[string][2]vaulttest.Person{
				"by ID":         {who, vaulttest.ID(privacy.NewSubjectID())},
				"by identifier": {vaulttest.By("email", email(i)), vaulttest.By("email", "unknown@example.org")},
				"by a shared":   {who, vaulttest.By("phone_number", "+49 30 999999")},
			} {
				var shapes [2]string
				for j, p := range pair {
					o := v.As(ch).For(purpose).Read(p, fields...).Denied(privacy.CodeNoConsent)
					if o.Result != nil {
						t.Errorf("%s, %s: a denial with a result", story, how)
					}
					shapes[j] = shape(t, nil, o.Err)
				}
				if shapes[0] != shapes[1] {
					t.Errorf("%s, %s, %v:\nknown   %s\nunknown %s", story, how, fields, shapes[0], shapes[1])
				}
			}
		}
		// The question whether, without a value.
		var states [2]string
		for j, id := range []privacy.SubjectID{who.ID, privacy.NewSubjectID()} {
			state, err := v.ConsentState(t.Context(), v.As(ch).Caller, id, purpose)
			states[j] = shape(t, state, err)
		}
		if states[0] != states[1] || !strings.Contains(states[0], `"Allowed":false`) {
			t.Errorf("%s: consent state: known %s, unknown %s", story, states[0], states[1])
		}
	}
}

// Limits count what is asked, never whether anybody was found: they run out
// after the same question for people known and unknown.
func TestLimitsRunOutTheSameForKnownAndUnknown(t *testing.T) {
	const plain = "{id: mail, kind: mail, purposes: [news]"
	for name, limit := range map[string]string{"people": "people_per_day: 3", "empty": "empty_answers_per_day: 3"} {
		t.Run(name, func(t *testing.T) {
			for _, known := range []bool{true, false} {
				v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(crowd, plain, plain+", limits: {"+limit+"}", 1)})
				for i := range 5 {
					who := vaulttest.By("email", fmt.Sprintf("p%d@example.org", i))
					if known {
						v.As("web").Capture(told("email", fmt.Sprintf("p%d@example.org", i)))
					}
					o := v.As("mail").For("news").Read(who)
					if i < 3 {
						o.Denied(privacy.CodeNoConsent)
					} else {
						o.Refused(vault.CodeRateLimited)
					}
				}
			}
		})
	}
}

// The steps of the two are the same, so that no clock tells them apart either:
// the same looks into the same buckets, by ID and by identifier.
func TestUnknownAndUnconsentingTakeTheSameSteps(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Store: w.wrap, Keys: w.wrapKeys})
	known := v.As("web").Capture(told("email", "known@example.org", "given_name", "Anahita"))
	mail := v.As("mail")
	steps := func(who vaulttest.Person) string {
		t.Helper()
		mail.For("news").Read(who).Denied(privacy.CodeNoConsent) // once, to warm what is kept
		w.count()
		mail.For("news").Read(who).Denied(privacy.CodeNoConsent)
		return w.counted()
	}
	byID := [2]string{steps(known), steps(vaulttest.ID(privacy.NewSubjectID()))}
	byEmail := [2]string{steps(vaulttest.By("email", "known@example.org")), steps(vaulttest.By("email", "unknown@example.org"))}
	for how, pair := range map[string][2]string{"ID": byID, "identifier": byEmail} {
		if pair[0] != pair[1] {
			t.Errorf("by %s: known %s, unknown %s", how, pair[0], pair[1])
		}
	}
	if !reflect.DeepEqual(strings.Count(byID[0], "deks"), 1) {
		t.Errorf("steps: got %s, want the keys looked at once", byID[0])
	}
}

// What a channel tells of somebody by an ID waits for as many writes of keys whether
// the ID is Anahita's, whom it does not know, or nobody's, for whom keys are made.
func TestACaptureByIDWritesKeysForWhomeverItIsAbout(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Keys: w.wrapKeys})
	ana := v.As("web").Capture(anahita)
	v.As("web").For("order-fulfilment").Ground(ana, vault.GroundEnded) // so that the store may not read her either
	writes := func(who vaulttest.Person) (n int, created bool) {
		t.Helper()
		req := vaulttest.CaptureRequest(t, told("given_name", "Ana"))
		req.Subject = &who
		w.set(func(w *watched) { n = -w.keyed })
		res, err := v.Capture(t.Context(), v.As("store").Caller, req)
		if err != nil {
			t.Fatal(err)
		}
		w.set(func(w *watched) { n += w.keyed })
		return n, res.Created
	}
	known, anew := writes(ana)
	unknown, _ := writes(vaulttest.ID(privacy.NewSubjectID()))
	if known != unknown || !anew {
		t.Errorf("of somebody known, as if new (%v), %d writes of keys; of nobody %d", anew, known, unknown)
	}
	if again, anew := writes(ana); anew || again != 0 {
		t.Errorf("once it knows her, %d writes of keys", again)
	}
}

// That something was recorded is answered on a beat, of whomever it is: none of many
// answers leaves before.
func TestWhatIsRecordedIsAnsweredOnABeat(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana, caller := v.As("web").Capture(anahita), v.As("store").Caller
	for range 10 {
		for _, who := range []vaulttest.Person{ana, vaulttest.ID(privacy.NewSubjectID())} {
			for act, do := range map[string]func() error{
				"a touch": func() error {
					_, err := v.RecordTouch(t.Context(), caller, vault.TouchRequest{Subject: who, Kind: vault.TouchContact, Topic: "a"})
					return err
				},
				"a refusal to answer": func() error {
					return v.RecordRefusal(t.Context(), caller, vault.AskRequest{Subject: who.ID, Purpose: "sms-marketing", Fields: []privacy.FieldName{"phone_number"}})
				},
				"a no": func() error {
					_, err := v.RecordConsent(t.Context(), caller, vault.ConsentRequest{Subject: who, Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "call"})
					return err
				},
				"the end of a ground": func() error {
					return v.RecordGround(t.Context(), caller, vault.GroundRequest{Subject: who, Purpose: "order-fulfilment", Status: vault.GroundEnded})
				},
			} {
				began := time.Now()
				if err := do(); err != nil {
					t.Fatalf("%s: %v", act, err)
				}
				if took := time.Since(began); took < time.Millisecond {
					t.Errorf("%s was answered after %v", act, took)
				}
			}
		}
	}
}
