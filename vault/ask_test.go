package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// desks is the conversing shop with four desks that all would ask for an address.
var desks = strings.Replace(conversing, "settings:", `  - {id: d1, kind: store, purposes: [order-fulfilment], captures: [address, phone_number]}
  - {id: d2, kind: store, purposes: [order-fulfilment], captures: [address, phone_number]}
  - {id: d3, kind: store, purposes: [order-fulfilment], captures: [address]}
  - {id: d4, kind: store, purposes: [order-fulfilment, sms-marketing], captures: [address, phone_number]}
settings:`, 1)

func comes(v *vaulttest.Vault, n int) vaulttest.Person {
	return v.As("web").Capture(told("email", fmt.Sprintf("p%d@example.org", n)))
}

// leased says what became of asking: the fields, "again", or the code.
func leased(t *testing.T, res *vault.AskResult, err error) string {
	t.Helper()
	var refused *vault.Error
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case err != nil:
		t.Fatal(err)
	case !res.New:
		return "again"
	}
	return fmt.Sprint(res.Fields)
}

// A thousand times four desks would ask the same person for an address at once:
// one of them asks.
func TestOfAllChannelsOneAsks(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: desks, Now: march})
	var acts []*vaulttest.Act
	for _, id := range []privacy.ChannelID{"d1", "d2", "d3", "d4"} {
		acts = append(acts, v.As(id).For("order-fulfilment"))
	}
	const races = 1000
	people := make([]vaulttest.Person, races)
	for from := 0; from < races; from += 250 {
		var reqs []vault.CaptureRequest
		for i := range 250 {
			reqs = append(reqs, vaulttest.CaptureRequest(t, told("email", fmt.Sprintf("p%d@example.org", from+i))))
		}
		outcomes, err := v.CaptureBatch(t.Context(), v.As("web").Caller, reqs)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			people[from+i] = vaulttest.ID(o.Result.Subject)
		}
	}
	var next atomic.Int64
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			for i := next.Add(1) - 1; i < races; i = next.Add(1) - 1 {
				var won, lost atomic.Int64
				var race sync.WaitGroup
				for _, a := range acts {
					race.Go(func() {
						switch got := leased2(a.Ask(people[i], "address")); got {
						case "":
							won.Add(1)
						case vault.CodeAlreadyBeingAsked:
							lost.Add(1)
						default:
							t.Errorf("race %d: got %s", i, got)
						}
					})
				}
				race.Wait()
				if won.Load() != 1 || lost.Load() != int64(len(acts))-1 {
					t.Errorf("race %d: %d asked and %d did not, want one and the rest", i, won.Load(), lost.Load())
				}
			}
		})
	}
	running.Wait()
}

func leased2(_ *vault.AskResult, err error) string {
	var refused *vault.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// Who asks may go on asking; when they do not, another may. An answer anywhere
// ends it everywhere, and so does a no, which is remembered for half a year.
func TestALeaseEndsWithTheAnswer(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: desks, Now: march})
	ana := comes(v, 1)
	ask := func(ch privacy.ChannelID, want string, fields ...privacy.FieldName) {
		t.Helper()
		res, err := v.As(ch).For("order-fulfilment").Ask(ana, fields...)
		if got := leased(t, res, err); got != want {
			t.Errorf("%s asks for %v: got %s, want %s", ch, fields, got, want)
		}
	}
	ask("d1", "[address]", "address")
	ask("d2", vault.CodeAlreadyBeingAsked, "address")
	ask("d2", vault.CodeAlreadyBeingAsked, "address", "phone_number") // all or none
	ask("d2", "[phone_number]", "phone_number")
	v.Tick(time.Minute)
	ask("d1", "again", "address")
	v.Tick(119 * time.Second)
	ask("d2", vault.CodeAlreadyBeingAsked, "address")
	v.Tick(2 * time.Second)
	ask("d2", "[address]", "address")
	ask("d1", vault.CodeAlreadyBeingAsked, "address")
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	ask("d1", vault.CodeAlreadyBeingAsked, "address") // it outlives a restart

	// She tells the web shop, which did not ask.
	req := vaulttest.CaptureRequest(t, map[string]any{"address": anahita["address"]})
	req.Subject = &ana
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	ask("d1", "already_answered", "address")
	ask("d2", "already_answered", "address")
	ask("d2", "[phone_number]", "address", "phone_number") // of both, what is missing
	if err := v.RecordRefusal(t.Context(), v.As("d1").Caller, vault.AskRequest{Subject: ana.ID, Purpose: "order-fulfilment", Fields: []privacy.FieldName{"phone_number"}}); err != nil {
		t.Fatal(err)
	}
	for _, ch := range []privacy.ChannelID{"d1", "d2", "d4"} {
		ask(ch, "already_answered", "phone_number")
		if got := missing(t, v, ch, ana, "order-fulfilment"); got != "" {
			t.Errorf("missing to %s after her no: got %q, want nothing", ch, got)
		}
	}
	v.Tick(181 * 24 * time.Hour)
	if got := missing(t, v, "d1", ana, "order-fulfilment"); got != "phone_number absent" {
		t.Errorf("half a year later: got %q, want the number missing", got)
	}
	ask("d1", "[phone_number]", "phone_number")
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying: %v", err)
	}
}

// What she would not tell and then tells after all is told: when it has grown old,
// she is asked again, and not half a year later.
func TestWhoTellsAfterAllIsAskedAgain(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(desks, "type: phone,", "type: phone, max_age: P1D,", 1), Now: march})
	ana := comes(v, 1)
	if err := v.RecordRefusal(t.Context(), v.As("d1").Caller, vault.AskRequest{Subject: ana.ID, Purpose: "order-fulfilment", Fields: []privacy.FieldName{"phone_number"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := captures(t, v, "web", &ana, told("phone_number", "+49 30 901820"), nil); err != nil {
		t.Fatal(err)
	}
	v.Tick(25 * time.Hour)
	if got := missing(t, v, "d1", ana, "order-fulfilment"); got != "phone_number stale, address absent" {
		t.Errorf("missing: got %q, want her number, too old", got)
	}
}

// A channel asks only for what it may capture, for a purpose it holds; each
// asking is recorded; and of people unknown, or who said no, nothing is to be
// asked, as of somebody of whom everything is known.
func TestAskingTellsNoMoreThanMissing(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: desks, Now: march})
	ana := comes(v, 1)
	for field, want := range map[privacy.FieldName]string{"given_name": vault.CodeFieldNotCapturable, "birthdate": "field_not_in_purpose"} {
		_, err := v.As("d1").For("order-fulfilment").Ask(ana, "address", field)
		if got := refusedWith(t, err, vault.CodeInvalidRequest); len(got.Fields) != 1 || got.Fields[0].Code != want {
			t.Errorf("%s: got %+v, want %s", field, got, want)
		}
	}
	_, err := v.As("d1").For("sms-marketing").Ask(ana, "phone_number")
	refusedWith(t, err, vault.CodePurposeNotGranted)
	_, err = v.As("d1").For("order-fulfilment").Ask(vaulttest.ID(privacy.NewSubjectID()), "address")
	refusedWith(t, err, vault.CodeUnknownSubject)

	yes := comes(v, 2)
	v.As("store").For("sms-marketing").Consent(yes, privacy.StatusGiven)
	if res, err := v.As("d4").For("sms-marketing").Ask(yes, "phone_number"); leased(t, res, err) != "[phone_number]" {
		t.Errorf("with say-so: got %+v, %v", res, err)
	}
	want := ""
	for who, p := range map[string]vaulttest.Person{"no say-so": ana, "unknown": vaulttest.ID(privacy.NewSubjectID())} {
		size := v.Store.Size()
		_, err := v.As("d4").For("sms-marketing").Ask(p, "phone_number")
		got := shape(t, nil, err)
		if want == "" {
			want = got
		}
		if got != want || !strings.Contains(got, "already_answered") || v.Store.Size() != size+1 {
			t.Errorf("%s: got %s, want %s and a record", who, got, want)
		}
		refusal := vault.AskRequest{Subject: p.ID, Purpose: "sms-marketing", Fields: []privacy.FieldName{"phone_number"}}
		if err := v.RecordRefusal(t.Context(), v.As("d4").Caller, refusal); err != nil || v.Store.Size() != size+2 {
			t.Errorf("%s: a refusal: %v", who, err)
		}
	}
}
