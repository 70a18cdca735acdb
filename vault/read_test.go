package vault_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// withContext is the small shop with context that rules may look at, and a
// field that is withheld from the store.
var withContext = strings.Replace(vaulttest.Register, "purposes:\n", "context:\n  - {name: step, type: string, enum: [offer, support]}\n  - {name: score, type: number}\n  - {name: note, type: string}\npurposes:\n", 1) +
	"matrix:\n  - {purpose: order-fulfilment, channel: store, field: email, as: withhold}\n  - {purpose: order-fulfilment, channel: store, field: address, as: city}\n"

// Only Read, for one, for many or for everybody, can give a value to a channel. What
// else of the vault returns anything that holds one, or gives it to a function, is the
// person's own, and refuses a channel.
func TestThereIsOneDoor(t *testing.T) {
	var holds func(typ reflect.Type, seen map[reflect.Type]bool) bool
	holds = func(typ reflect.Type, seen map[reflect.Type]bool) bool {
		if seen[typ] {
			return false
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
			return holds(typ.Elem(), seen)
		case reflect.Func: // that is given it
			for i := range typ.NumIn() {
				if holds(typ.In(i), seen) {
					return true
				}
			}
		case reflect.Map:
			return holds(typ.Key(), seen) || holds(typ.Elem(), seen)
		case reflect.Struct:
			if typ == reflect.TypeFor[privacy.Sensitive]() {
				return true
			}
			for i := range typ.NumField() {
				if holds(typ.Field(i).Type, seen) {
					return true
				}
			}
		}
		return false
	}
	doors := map[string]bool{}
	for m := range reflect.TypeFor[*vault.Vault]().Methods() {
		for i := range m.Type.NumOut() {
			if holds(m.Type.Out(i), map[reflect.Type]bool{}) {
				doors[m.Name] = true
			}
		}
		for i := range m.Type.NumIn() {
			if in := m.Type.In(i); in.Kind() == reflect.Func && holds(in, map[reflect.Type]bool{}) {
				doors[m.Name] = true
			}
		}
	}
	delete(doors, "PastValues") // of these tests
	v := vaulttest.New(t, nil)
	web := v.As("web")
	ana := web.Capture(anahita)
	for name, ask := range map[string]func() error{
		"Me":     func() error { _, err := v.Me(t.Context(), web.Caller); return err },
		"Export": func() error { _, err := v.Export(t.Context(), web.Caller, vault.ScopeAccess); return err },
		"ExportFor": func() error {
			_, err := v.ExportFor(t.Context(), web.Caller, ana.ID, vault.ScopeAccess, "They wrote")
			return err
		},
	} {
		if !doors[name] {
			t.Errorf("%s returns no value", name)
		}
		delete(doors, name)
		var refused *vault.Error
		if err := ask(); !errors.As(err, &refused) || refused.Code != vault.CodeForbidden {
			t.Errorf("%s for a channel: got %v, want %s", name, err, vault.CodeForbidden)
		}
	}
	if len(doors) != 3 || !doors["Read"] || !doors["ReadBatch"] || !doors["Audience"] {
		t.Errorf("methods that give values: got %v, want Read, its batch form and audiences alone", doors)
	}
}

// Every way in which say-so can lack ends in no, with a reason.
func TestWithoutSaySoThereIsNoData(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: withContext, Now: march})
	ana := v.As("web").Capture(anahita)
	sms, web := v.As("sms").For("sms-marketing"), v.As("web").For("order-fulfilment")

	sms.Read(ana).Denied(privacy.CodeNoConsent)                                                   // never asked
	web.Read(ana, "given_name", "birthdate").Withheld("birthdate", privacy.CodeFieldNotInPurpose) // the purpose does not list it
	web.Read(ana, "given_name", "shoe_size").Withheld("shoe_size", privacy.CodeFieldNotInPurpose) // no such field
	web.Read(ana, "birthdate").Denied(privacy.CodeFieldNotInPurpose)
	web.Read(ana, "shoe_size").Denied(privacy.CodeFieldNotInPurpose)
	v.As("web").For("no-such-purpose").Read(ana).Refused(vault.CodeUnknownPurpose)
	v.As("web").For("sms-marketing").Read(ana).Refused(vault.CodePurposeNotGranted)

	// Expired: a year is a year, to the second.
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	sms.Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.Tick(march.AddDate(1, 0, 0).Sub(march) - time.Minute)
	// The value itself is kept no longer than a year for this purpose, but for
	// three for what was ordered.
	sms.Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.Tick(2 * time.Minute)
	sms.Read(ana).Denied(privacy.CodeNoConsent)

	// No ground: somebody who told the store their name, and ordered nothing.
	req := vaulttest.CaptureRequest(t, told("given_name", "Ben"))
	req.Purposes = []privacy.PurposeID{}
	res, err := v.Capture(t.Context(), v.As("store").Caller, req)
	if err != nil {
		t.Fatal(err)
	}
	web.Read(vaulttest.ID(res.Subject)).Denied(privacy.CodeNoGround)
	web.Read(vaulttest.ID(privacy.NewSubjectID())).Refused(vault.CodeUnknownSubject)
	web.Read(vaulttest.By("email", "nobody@example.org")).Refused(vault.CodeUnknownSubject)
	web.Read(vaulttest.By("given_name", "Anahita")).Refused(vault.CodeInvalidRequest)
	web.Read(vaulttest.Person{}).Refused(vault.CodeUnknownSubject)

	// An officer is no channel, and a channel's word alone opens nothing.
	_, err = v.Read(t.Context(), v.Officer, vault.ReadRequest{Subject: ana, Purpose: "order-fulfilment"})
	refusedWith(t, err, vault.CodeForbidden)
	forged := v.As("web").Caller
	forged.Client.Purposes = []privacy.PurposeID{"sms-marketing"}
	forged.Purposes = []privacy.PurposeID{"sms-marketing"}
	_, err = v.Read(t.Context(), forged, vault.ReadRequest{Subject: ana, Purpose: "sms-marketing"})
	refusedWith(t, err, vault.CodePurposeNotGranted)
	forged = v.As("web").Caller
	forged.Client.SecretID = "another"
	if res, err := v.Read(t.Context(), forged, vault.ReadRequest{Subject: ana, Purpose: "order-fulfilment"}); res != nil || err == nil {
		t.Errorf("with a secret that is not the channel's: got %+v, %v, want an error", res, err)
	}
}

// Effective purposes are those of the token that the register in force still
// gives the channel; a given is recorded only where the channel obtains it.
func TestThePurposeComesWithTheCredential(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	store := v.As("store")
	store.For("sms-marketing").Consent(ana, privacy.StatusGiven)
	store.For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))

	narrowed := v.As("store")
	narrowed.Caller.Purposes = []privacy.PurposeID{"order-fulfilment"}
	narrowed.For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	narrowed.For("sms-marketing").Read(ana).Refused(vault.CodePurposeNotGranted)
	_, err := v.RecordConsent(t.Context(), narrowed.Caller, vault.ConsentRequest{Subject: ana, Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "web_form"})
	refusedWith(t, err, vault.CodeConsentNotObtainable)
	narrowed.Caller.Purposes = []privacy.PurposeID{}
	narrowed.For("order-fulfilment").Read(ana).Refused(vault.CodePurposeNotGranted)
	err = v.RecordGround(t.Context(), narrowed.Caller, vault.GroundRequest{Subject: ana, Purpose: "order-fulfilment", Status: vault.GroundBegun})
	refusedWith(t, err, vault.CodePurposeNotGranted)

	// Only the store obtains; everybody may narrow.
	for _, ch := range []privacy.ChannelID{"web", "sms"} {
		_, err := v.RecordConsent(t.Context(), v.As(ch).Caller, vault.ConsentRequest{Subject: ana, Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "web_form"})
		refusedWith(t, err, vault.CodeConsentNotObtainable)
		v.As(ch).For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	}
	store.For("sms-marketing").Consent(ana, privacy.StatusGiven)

	// What the register takes from the channel is gone at once, also for a
	// caller who was let in before.
	v.Apply(strings.Replace(vaulttest.Register, "purposes: [order-fulfilment, sms-marketing]", "purposes: [order-fulfilment]", 1))
	store.For("sms-marketing").Read(ana).Refused(vault.CodePurposeNotGranted)
	v.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
}

// Context is asked for before rules run, and a rule set that gives no decision
// – a fault in it, a deadline – releases nothing. Neither says anything of the
// person, and no log line says what the context was.
func TestRulesThatGiveNoDecisionReleaseNothing(t *testing.T) {
	var logged bytes.Buffer
	v := vaulttest.New(t, &vaulttest.Options{Register: withContext, Logger: slog.New(slog.NewJSONHandler(&logged, nil))})
	ana := v.As("web").Capture(anahita)
	web := func(context map[string]any) *vaulttest.Act { return v.As("web").For("order-fulfilment").With(context) }

	web(map[string]any{"undeclared": "x"}).Read(ana).Refused(vault.CodeInvalidRequest)
	web(map[string]any{"step": "order"}).Read(ana).Refused(vault.CodeInvalidRequest)
	web(map[string]any{"step": 7.0}).Read(ana).Refused(vault.CodeInvalidRequest)
	web(map[string]any{"score": "high"}).Read(ana).Refused(vault.CodeInvalidRequest)

	v.Activate(`package sayso.rules
import rego.v1
withhold contains {"field": "email", "reason": "no e-mail in support"} if input.context.step == "support"`)
	web(nil).Read(ana).Refused(vault.CodeContextRequired)
	web(map[string]any{"step": "offer"}).Read(ana, "email").Released(told("email", "Ana.Quintero@Example.org"))
	web(map[string]any{"step": "support"}).Read(ana, "email").Denied(privacy.CodePolicy)

	v.Activate(`package sayso.rules
import rego.v1
withhold contains {"field": "email", "reason": "too late"} if time.parse_rfc3339_ns(input.context.note) > 1700000000000000000`)
	web(map[string]any{"note": "2026-01-01T00:00:00Z"}).Read(ana, "email").Denied(privacy.CodePolicy)
	web(map[string]any{"note": "2001-01-01T00:00:00Z"}).Read(ana, "email").Released(told("email", "Ana.Quintero@Example.org"))
	web(map[string]any{"note": "Anahita of Torstrasse"}).Read(ana).Refused(vault.CodeUnavailable)
	web(map[string]any{"note": "Anahita of Torstrasse"}).Read(vaulttest.By("email", "ana.quintero@example.org"), "family_name").Refused(vault.CodeUnavailable)
	// That she was asked about is recorded all the same.
	size := v.Store.Size()
	web(map[string]any{"note": "Anahita of Torstrasse"}).Read(ana).Refused(vault.CodeUnavailable)
	if got := v.Store.Size(); got != size+1 {
		t.Errorf("records of a read without a decision: got %d, want 1", got-size)
	}
	if s := logged.String(); strings.Contains(s, "Torstrasse") || !strings.Contains(s, "no decision") {
		t.Errorf("logged: got %s, want that there was no decision and nothing of the context", s)
	}
}

func TestRulesThatTakeTooLongReleaseNothing(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{DecisionDeadline: 20 * time.Millisecond})
	ana := v.As("web").Capture(told("given_name", "Anahita", "family_name", "Quintero"))
	web := v.As("web").For("order-fulfilment")
	v.Activate(`package sayso.rules
import rego.v1
digits := [1, 2, 3, 4, 5, 6, 7, 8, 9]
withhold contains {"field": "email", "reason": "never"} if {
	some a in digits; some b in digits; some c in digits; some d in digits
	some e in digits; some f in digits; some g in digits; some h in digits
	a * b * c * d * e * f * g * h == count(input.channel.kind)
}`)
	web.Read(ana).Refused(vault.CodeUnavailable)
	web.Read(ana, "given_name").Refused(vault.CodeUnavailable)
	if _, err := v.ConsentState(t.Context(), v.As("web").Caller, ana.ID, "order-fulfilment"); !errors.Is(err, &vault.Error{Code: vault.CodeUnavailable}) {
		t.Errorf("asking whether: got %v, want unavailable", err)
	}
	// A capture that would have to decide is not answered either, and stores nothing.
	before := rows(t, v)
	req := vaulttest.CaptureRequest(t, told("given_name", "Ana"))
	req.Subject = &ana
	_, err := v.Capture(t.Context(), v.As("store").Caller, req)
	refusedWith(t, err, vault.CodeUnavailable)
	sameRows(t, before, rows(t, v))
	if _, err := v.ActivatePolicy(t.Context(), v.Officer, vault.Guardrails); err != nil {
		t.Fatal(err)
	}
	web.Read(ana, "given_name").Released(told("given_name", "Anahita"))
}

// A field that is asked for twice is refused, and nobody is looked up.
func TestAFieldIsAskedForOnce(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	web := v.As("web").For("order-fulfilment")
	web.Read(ana, "email", "given_name", "email").Refused(vault.CodeInvalidRequest)
	many := make([]privacy.FieldName, 300)
	for i := range many {
		many[i] = privacy.FieldName(strings.Repeat("x", i+1))
	}
	web.Read(ana, many...).Refused(vault.CodeInvalidRequest)
}

// The matrix masks and withholds; a masked value is not the value.
func TestTheMatrixShowsLess(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: withContext})
	ana := v.As("web").Capture(anahita)
	o := v.As("store").For("order-fulfilment").Read(ana, "given_name", "email", "address").
		Released(told("given_name", "Anahita")).Withheld("email", privacy.CodePolicy)
	if len(o.Result.Masked) != 1 || o.Result.Masked[0].Mask != "city" || strings.Contains(string(o.Result.Masked[0].Value.Reveal()), "Torstrasse") {
		t.Errorf("masked: got %+v, want the address by its city", o.Result.Masked)
	}
}

// Without a durable record there is no answer: not to a read, not to a denial,
// not to a question, and no consent, no capture either.
func TestWithoutARecordThereIsNoAnswer(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Store: w.wrap})
	ana := v.As("web").Capture(anahita)
	web := v.As("web")
	w.set(func(w *watched) { w.onEntry = func([]byte) error { return errPulled } })
	if o := web.For("order-fulfilment").Read(ana).Refused(vault.CodeUnavailable); o.Result != nil {
		t.Errorf("a read without a record: got %+v, want nothing", o.Result)
	}
	v.As("sms").For("sms-marketing").Read(ana).Refused(vault.CodeUnavailable)
	v.As("sms").For("order-fulfilment").Read(ana).Refused(vault.CodeUnavailable)
	if _, err := v.ConsentState(t.Context(), web.Caller, ana.ID, "order-fulfilment"); !errors.Is(err, &vault.Error{Code: vault.CodeUnavailable}) {
		t.Errorf("asking whether: got %v, want unavailable", err)
	}
	if id, err := v.Lookup(t.Context(), v.Officer, vaulttest.By("email", "ana.quintero@example.org"), "she called"); !errors.Is(err, &vault.Error{Code: vault.CodeUnavailable}) || id != privacy.Nobody {
		t.Errorf("an officer's look-up: got %v, %v, want nobody and unavailable", id, err)
	}
	w.set(func(w *watched) { w.onEntry = nil })
	web.For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
}

// When the answer leaves, its record is in the log, where the answer says, and
// says what was released.
func TestTheRecordStandsBeforeTheAnswer(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Store: w.wrap})
	ana := v.As("web").Capture(anahita)
	for _, c := range []struct {
		ch      privacy.ChannelID
		purpose privacy.PurposeID
		want    string // of the record
	}{
		{"web", "order-fulfilment", `"released":["given_name"]`},
		{"sms", "sms-marketing", `"withheld":{"given_name":"no_consent"}`},
		{"sms", "order-fulfilment", `"refused":"purpose_not_granted"`},
		{"sms", "no-such", `"refused":"unknown_purpose"`},
	} {
		size := v.Store.Size()
		o := v.As(c.ch).For(c.purpose).Read(ana, "given_name")
		if got := v.Store.Size(); got != size+1 {
			t.Fatalf("%s for %s: the log has %d records, want %d", c.ch, c.purpose, got, size+1)
		}
		if o.Err == nil && (o.Result.LogIndex != size || o.Result.LogName != "main") {
			t.Errorf("the answer says its record is %s %d, want main %d", o.Result.LogName, o.Result.LogIndex, size)
		}
		err := v.Store.Entries(t.Context(), size, size+1, func(_ uint64, raw []byte) error {
			e, record, err := v.OpenEntry(t.Context(), raw)
			if err != nil {
				return err
			}
			if e.Kind != log.Access || !strings.Contains(string(record), c.want) {
				t.Errorf("record: got %s %s, want %s in it", e.Kind, record, c.want)
			}
			about := ana.ID
			if strings.Contains(c.want, "refused") {
				about = privacy.Nobody // nobody was looked up
			}
			if e.Subject != about {
				t.Errorf("%s for %s: the record is about %s, want %s", c.ch, c.purpose, e.Subject, about)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What changes between the decision and its record is decided on again: a
// withdrawal, a suspension, a rule, a register; and if it keeps changing the
// answer is no.
func TestWhatChangesWhileAReadIsDecidedCounts(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Store: w.wrap})
	ana := v.As("web").Capture(anahita)
	between := func(act func()) {
		var once atomic.Bool
		w.set(func(w *watched) {
			w.onEntry = func([]byte) error {
				if once.CompareAndSwap(false, true) {
					act()
				}
				return nil
			}
		})
	}
	sms := v.As("sms")
	grant := func() { v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven) }
	read := func() *vaulttest.Outcome { return sms.For("sms-marketing").Read(ana, "given_name") }
	released := told("given_name", "Anahita")

	grant()
	read().Released(released)
	between(func() { v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn) })
	read().Denied(privacy.CodeNoConsent)

	between(grant) // said meanwhile: the no is decided again too
	read().Released(released)

	between(func() {
		if _, err := v.SuspendChannel(context.Background(), v.Officer, "sms"); err != nil {
			t.Error(err)
		}
	})
	read().Refused(vault.CodeChannelSuspended)
	if _, err := v.ResumeChannel(t.Context(), v.Officer, "sms"); err != nil {
		t.Fatal(err)
	}
	read().Released(released)

	between(func() {
		v.Activate("package sayso.rules\nimport rego.v1\nwithhold contains {\"field\": \"given_name\", \"reason\": \"hush\"} if input.channel.kind == \"sms\"")
	})
	read().Denied(privacy.CodeNoConsent)
	if _, err := v.ActivatePolicy(t.Context(), v.Officer, vault.Guardrails); err != nil {
		t.Fatal(err)
	}
	read().Released(released)

	between(func() {
		v.Apply(strings.Replace(vaulttest.Register, "{id: sms, kind: sms, purposes: [sms-marketing]}", "{id: sms, kind: sms, purposes: [order-fulfilment]}", 1))
	})
	read().Refused(vault.CodePurposeNotGranted)
	w.set(func(w *watched) { w.onEntry = nil })
	v.Apply(vaulttest.Register)
	read().Released(released)

	// Somebody else's standing does not hold her read up.
	ben := v.As("web").Capture(told("given_name", "Ben", "email", "ben@example.org"))
	decided := 0
	w.set(func(w *watched) {
		w.onEntry = func([]byte) error {
			decided++
			v.As("web").For("sms-marketing").Consent(ben, privacy.StatusWithdrawn)
			return nil
		}
	})
	read().Released(released)
	if decided != 1 {
		t.Errorf("decided %d times over somebody else's no, want once", decided)
	}

	// Hers does, three times; then the answer is no answer.
	w.set(func(w *watched) {
		w.onEntry = func([]byte) error { decided++; grant(); return nil }
	})
	decided = 0
	read().Refused(vault.CodeUnavailable)
	if decided != 3 {
		t.Errorf("decided %d times, want three", decided)
	}
}

// No withheld value is opened: that it is damaged goes unnoticed,
// while a released one refuses the whole read.
func TestAWithheldValueIsNotOpened(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: withContext})
	ana := v.As("web").Capture(anahita)
	row := getRow(t, v, "profiles", ana.ID[:])
	damage := func(field privacy.FieldName) {
		edited := profile(t, row, place(t, v, ana, field), func(e []byte) []byte { e[len(e)-1] ^= 1; return e })
		putRow(t, v, "profiles", ana.ID[:], edited)
	}
	fields := []privacy.FieldName{"given_name", "email", "address", "birthdate"}

	damage("email") // withheld by the matrix
	v.As("store").For("order-fulfilment").Read(ana, fields...).Released(told("given_name", "Anahita"))
	v.As("web").For("order-fulfilment").Read(ana, fields...).Refused(vault.CodeUnavailable)
	damage("birthdate") // not in the purpose
	v.As("web").For("order-fulfilment").Read(ana, "given_name", "birthdate").Released(told("given_name", "Anahita"))
	v.As("store").For("order-fulfilment").Read(ana, fields...).Released(told("given_name", "Anahita"))
	damage("phone_number") // no consent
	v.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	v.As("sms").For("sms-marketing").Read(ana).Refused(vault.CodeUnavailable)
	v.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	damage("address") // masked is opened
	v.As("store").For("order-fulfilment").Read(ana, fields...).Refused(vault.CodeUnavailable)
	if state, err := v.ConsentState(t.Context(), v.As("store").Caller, ana.ID, "order-fulfilment"); err != nil || !state.Allowed {
		t.Errorf("asking whether opens no value: got %+v, %v, want it allowed", state, err)
	}
}

// getRow reads a row. Keys have a person's ID where the row has their place.
func getRow(t testing.TB, v *vaulttest.Vault, b store.Bucket, key []byte) (row []byte) {
	t.Helper()
	e := store.Engine(v.Store)
	if b == "deks" {
		e = v.Keys
	}
	err := e.View(context.Background(), func(s store.Snapshot) error {
		value, err := s.Get(b, v.RowKey(b, key))
		row = bytes.Clone(value)
		return err
	})
	if err != nil || row == nil {
		t.Fatalf("no row of %s: %v", b, err)
	}
	return row
}

func putRow(t testing.TB, v *vaulttest.Vault, b store.Bucket, key, row []byte) {
	t.Helper()
	e := store.Engine(v.Store)
	if b == "deks" {
		e = v.Keys
	}
	key = v.RowKey(b, key)
	_, err := e.Update(context.Background(), func(tx store.Tx) error {
		if row == nil {
			return tx.Delete(b, key)
		}
		return tx.Put(b, key, row)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A value past its retention counts as absent; one past its maximum age is
// stale and withheld.
func TestAValueEndsWithItsRetention(t *testing.T) {
	const name = `mask: initial, retention: P3Y}`
	text := strings.Replace(vaulttest.Register, name, `mask: initial, retention: P3Y, max_age: P30D}`, 1)
	v := vaulttest.New(t, &vaulttest.Options{Register: text, Now: march})
	ana := v.As("web").Capture(anahita)
	web := v.As("web").For("order-fulfilment")
	v.Tick(29 * 24 * time.Hour)
	web.Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.Tick(2 * 24 * time.Hour)
	web.Read(ana, "given_name", "family_name").Withheld("given_name", privacy.CodeStale).Released(told("family_name", "Quintero"))
	v.Tick(3 * 365 * 24 * time.Hour)
	o := web.Read(ana, "family_name").Released(map[string]any{})
	if len(o.Result.Missing) != 1 || o.Result.Missing[0] != (vault.Missing{Field: "family_name", Why: "absent"}) {
		t.Errorf("missing: got %+v, want the family name, absent", o.Result.Missing)
	}
}
