package vault_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// recorded posts an act with a time and says whether it took effect.
func recorded(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, status privacy.ConsentStatus, at time.Time) (bool, error) {
	t.Helper()
	res, err := v.RecordConsent(t.Context(), v.As("store").Caller, vault.ConsentRequest{Subject: who, Purpose: "sms-marketing", Status: status, Method: "letter", At: at})
	return res != nil && res.Effective, err
}

// An act of now comes after the person's last one, whatever the clock says; one
// that says when it was is ordered by that, and ties narrow.
func TestActsAreOrderedByWhenTheyWere(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: march})
	ana := v.As("web").Capture(anahita)
	sms := v.As("sms").For("sms-marketing")
	now := v.Now()
	for _, c := range []struct {
		status    privacy.ConsentStatus
		at        time.Time
		effective bool
		released  bool
	}{
		{privacy.StatusWithdrawn, now.Add(50 * time.Second), true, false}, // a little ahead
		{privacy.StatusGiven, now, false, false},                          // before it
		{privacy.StatusGiven, now.Add(50 * time.Second), false, false},    // with it
		{privacy.StatusGiven, time.Time{}, true, true},                    // right after it
		{privacy.StatusWithdrawn, time.Time{}, true, false},
		{privacy.StatusGiven, time.Time{}, true, true},
		{privacy.StatusWithdrawn, now.Add(-time.Hour), true, false}, // of an hour ago: a no is a no
		{privacy.StatusGiven, now.Add(-2 * time.Hour), false, false},
		{privacy.StatusGiven, time.Time{}, true, true},
	} {
		effective, err := recorded(t, v, ana, c.status, c.at)
		if err != nil || effective != c.effective {
			t.Errorf("%s at %s: got %v, %v, want %v", c.status, c.at, effective, err, c.effective)
		}
		if o := sms.Read(ana, "given_name"); c.released {
			o.Released(told("given_name", "Anahita"))
		} else {
			o.Denied(privacy.CodeNoConsent)
		}
	}
}

// What lies more than a minute ahead is refused, for every act and observation.
func TestWhatIsOfTomorrowIsRefused(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: march})
	ana := v.As("web").Capture(anahita)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	before := rows(t, v)
	ahead := march.Add(62 * time.Second)
	for _, status := range privacy.ConsentStatuses {
		if _, err := recorded(t, v, ana, status, ahead); refusedWith(t, err, vault.CodeInvalidRequest).Fields[0].Code != "in_future" {
			t.Errorf("%s of tomorrow: got %v", status, err)
		}
	}
	for _, status := range []string{vault.GroundBegun, vault.GroundEnded} {
		err := v.RecordGround(t.Context(), v.As("web").Caller, vault.GroundRequest{Subject: ana, Purpose: "order-fulfilment", Status: status, At: ahead})
		refusedWith(t, err, vault.CodeInvalidRequest)
	}
	req := vaulttest.CaptureRequest(t, told("given_name", "Ana"))
	req.ObservedAt = ahead
	_, err := v.Capture(t.Context(), v.As("web").Caller, req)
	refusedWith(t, err, vault.CodeInvalidRequest)
	sameRows(t, before, rows(t, v))
	if _, err := recorded(t, v, ana, privacy.StatusWithdrawn, march.Add(59*time.Second)); err != nil {
		t.Errorf("of in a minute: got %v, want it accepted", err)
	}
}

// A clock that stands behind the last commit is not believed: reads take
// whichever time releases less, no grant is recorded, a no is; until an officer
// says that it is right.
func TestAClockThatWentBackReleasesNoMore(t *testing.T) {
	d := newDisk(t)
	o := d.options()
	o.Now = march
	v := vaulttest.New(t, o)
	d.settle()
	ana := v.As("web").Capture(anahita)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	sms, web := v.As("sms").For("sms-marketing"), v.As("web").For("order-fulfilment")
	v.Tick(366 * 24 * time.Hour)
	sms.Read(ana).Denied(privacy.CodeNoConsent) // expired
	ben := v.As("web").Capture(told("given_name", "Ben", "email", "ben@example.org"))
	if why := v.Ready(); len(why) != 0 {
		t.Errorf("ready: got %v, want nothing against it", why)
	}

	restart(t, v) // the ledger knows of that time too
	sms = v.As("sms").For("sms-marketing")

	v.Tick(-9 * time.Minute) // within what clocks do
	if _, err := recorded(t, v, ben, privacy.StatusGiven, time.Time{}); err != nil {
		t.Errorf("nine minutes behind: got %v, want it believed", err)
	}

	v.Tick(-300 * 24 * time.Hour) // the consent would be in force again
	sms.Read(ana).Denied(privacy.CodeNoConsent)
	if why := v.Ready(); len(why) != 1 {
		t.Errorf("ready: got %v, want the clock against it", why)
	}
	if state, err := v.ConsentState(t.Context(), v.As("sms").Caller, ana.ID, "sms-marketing"); err != nil || state.Allowed {
		t.Errorf("asking whether: got %+v, %v, want no", state, err)
	}
	web.Read(ana, "given_name").Released(told("given_name", "Anahita")) // what either time allows
	_, err := recorded(t, v, ana, privacy.StatusGiven, time.Time{})
	refusedWith(t, err, vault.CodeUnavailable)
	_, err = v.Capture(t.Context(), v.As("web").Caller, vaulttest.CaptureRequest(t, told("given_name", "Zoe")))
	refusedWith(t, err, vault.CodeUnavailable) // it would begin a ground
	err = v.RecordGround(t.Context(), v.As("web").Caller, vault.GroundRequest{Subject: ana, Purpose: "order-fulfilment", Status: vault.GroundBegun})
	refusedWith(t, err, vault.CodeUnavailable)
	if effective, err := recorded(t, v, ben, privacy.StatusWithdrawn, time.Time{}); err != nil || !effective {
		t.Errorf("a no: got %v, %v, want it effective", effective, err)
	}
	sms.Read(ben).Denied(privacy.CodeNoConsent)

	// The doubt outlives the clock's return and a restart with the wrong time.
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	sms = v.As("sms").For("sms-marketing")
	if why := v.Ready(); len(why) != 1 {
		t.Errorf("ready after a restart: got %v, want the clock against it", why)
	}
	sms.Read(ana).Denied(privacy.CodeNoConsent)

	// An officer's word ends it, for restarts too.
	if err := v.ConfirmClock(t.Context(), v.As("web").Caller); err == nil {
		t.Error("a channel confirmed the clock")
	}
	if err := v.ConfirmClock(t.Context(), v.Officer); err != nil {
		t.Fatal(err)
	}
	after := v.At(d.cut())
	if err := after.Reopen(); err != nil {
		t.Fatal(err)
	}
	if why := after.Ready(); len(why) != 0 {
		t.Errorf("ready after a power cut: got %v, want nothing against it", why)
	}
	after.Stop()
	for range 2 {
		if why := v.Ready(); len(why) != 0 {
			t.Errorf("ready: got %v, want nothing against it", why)
		}
		if _, err := recorded(t, v, ana, privacy.StatusGiven, time.Time{}); err != nil {
			t.Errorf("a yes after an officer's word: got %v", err)
		}
		v.Stop()
		if err := v.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
}

// A no that a clock running years ahead put there does not make the next yes
// last for years.
func TestAYesLastsFromWhenItWasHeardOf(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: march})
	ana := v.As("web").Capture(anahita)
	v.Tick(2 * 365 * 24 * time.Hour)
	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.Tick(-2 * 365 * 24 * time.Hour)
	v.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
	if err := v.ConfirmClock(t.Context(), v.Officer); err != nil {
		t.Fatal(err)
	}
	if res := v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven); !res.Effective {
		t.Error("a yes right after the no takes no effect")
	}
	state, err := v.ConsentState(t.Context(), v.As("sms").Caller, ana.ID, "sms-marketing")
	if err != nil || !state.Allowed || state.Until.After(march.AddDate(1, 0, 1)) {
		t.Errorf("allowed: got %+v, %v, want it for a year", state, err)
	}
}

// jumped is a time whose wall clock was moved while the monotonic one went on,
// as only the machine itself can do it: Go's times have the seconds of the wall
// clock in bits 30 to 62 of their first word.
func jumped(t time.Time, by time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(by/time.Second) << 30
	return t
}

// A wall clock that leaves the monotonic one is not believed, whichever way it
// went, and does not become believed by coming back.
func TestAClockThatJumpsIsNotBelieved(t *testing.T) {
	for _, by := range []time.Duration{11 * time.Minute, -11 * time.Minute, 24 * 365 * time.Hour} {
		moved := time.Duration(0)
		c := vault.NewClock(func() time.Time { return jumped(time.Now(), moved) }, time.Time{})
		if !c.Believed() {
			t.Fatal("a clock that did nothing is not believed")
		}
		if moved = by / 11 * 9; by.Abs() < time.Hour && !c.Believed() {
			t.Errorf("moved by %s: not believed", moved)
		}
		if moved = by; c.Believed() {
			t.Errorf("moved by %s: believed", moved)
		}
		if moved = 0; c.Believed() {
			t.Errorf("moved by %s and back: believed", by)
		}
		if c.Confirm(); !c.Believed() {
			t.Error("confirmed, and not believed")
		}
	}
	if c := vault.NewClock(time.Now, time.Now().Add(11*time.Minute)); c.Believed() {
		t.Error("eleven minutes behind the last commit: believed")
	}
}
