package vault_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// rightsRegister has what one objects to: statistics out of an interest, and
// advertising out of one.
var rightsRegister = strings.NewReplacer("channels:\n", `  - {id: statistics, title: Statistics, dpv: "dpv:ServiceOptimisation", basis: legitimate_interests, fields: [given_name], retention: P1Y}
  - {id: advertising, title: Advertising, dpv: "dpv:DirectMarketing", basis: legitimate_interests, fields: [given_name], retention: P1Y}
channels:
`, "purposes: [order-fulfilment, sms-marketing], captures", "purposes: [order-fulfilment, sms-marketing, statistics, advertising], captures").Replace(sessionsRegister)

// Who asks for what is theirs need not say why, and an officer who enters it need
// not make up a reason.
func TestNobodyHasToSayWhy(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: rightsRegister})
	for _, kind := range []vault.RequestKind{vault.RequestAccess, vault.RequestRectification, vault.RequestErasure, vault.RequestRestriction, vault.RequestPortability} {
		for _, awaiting := range []bool{true, false} {
			ana := v.As("store").Capture(map[string]any{"given_name": "Anahita"})
			q, err := v.EnterRequest(t.Context(), v.Officer, vault.EnterRequest{Kind: kind, Subject: ana, Reason: " ", Awaiting: awaiting})
			if err != nil {
				t.Errorf("%s, awaiting %v: %v", kind, awaiting, err)
				continue
			}
			if got, err := v.Request(t.Context(), v.Officer, q.ID); err != nil || got.Reason != "" {
				t.Errorf("%s, awaiting %v: shown with reason %q, %v", kind, awaiting, got.Reason, err)
			}
		}
	}
	_, err := v.EnterRequest(t.Context(), v.Officer, vault.EnterRequest{Kind: vault.RequestAccess, Subject: v.As("store").Capture(map[string]any{"given_name": "Anahita"}), Reason: strings.Repeat("x", 501)})
	refusedWith(t, err, vault.CodeInvalidRequest)
}

// An objection to advertising is absolute. One to statistics holds until an officer
// decides against it, with reasons that the person is told; what they said before
// stands.
func TestAnObjectionHoldsUntilAnOfficerDecides(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: rightsRegister})
	ctx := context.Background()
	store := v.As("store")
	ana := store.Capture(map[string]any{"given_name": "Anahita"})
	s := store.Session(ana)
	for _, purpose := range []privacy.PurposeID{"statistics", "advertising"} {
		if store.For(purpose).Read(ana).Err != nil {
			t.Fatal("not read")
		}
	}
	absolute, err := v.ObjectOwn(ctx, s.Caller, "advertising", "", nil)
	if err != nil || !absolute.Absolute || absolute.Request != nil || absolute.Status != privacy.StatusObjected {
		t.Fatalf("%+v %v", absolute, err)
	}
	weighed, err := v.ObjectOwn(ctx, s.Caller, "statistics", "I am a rare case", &privacy.Actor{Role: privacy.ByGuardian, Ref: "mother"})
	if err != nil || weighed.Absolute || weighed.Request == nil {
		t.Fatalf("%+v %v", weighed, err)
	}
	if again, err := v.ObjectOwn(ctx, s.Caller, "statistics", "", nil); err != nil || *again.Request != *weighed.Request {
		t.Errorf("twice: %+v %v", again, err)
	}
	for _, purpose := range []privacy.PurposeID{"statistics", "advertising"} {
		store.For(purpose).Read(ana).Denied("no_consent")
	}
	_, err = v.ObjectOwn(ctx, s.Caller, "sms-marketing", "", nil) // direct marketing on consent
	if err != nil {
		t.Errorf("consent to marketing: %v", err)
	}
	_, err = v.ObjectOwn(ctx, s.Caller, "order-fulfilment", "", nil)
	refusedWith(t, err, vault.CodeInvalidRequest)

	q, err := v.Request(ctx, v.Officer, *weighed.Request)
	if err != nil || q.Status != vault.RequestInProgress || q.Purpose != "statistics" || q.Reason != "I am a rare case" || q.Own == nil || q.Own.Role != privacy.ByGuardian {
		t.Fatalf("the officer's list: %+v %v", q, err)
	}
	_, err = v.DeclineRequest(ctx, v.Officer, q.ID, "")
	refusedWith(t, err, vault.CodeInvalidRequest)
	refused, err := v.DeclineRequest(ctx, v.Officer, q.ID, "the law wants the counts")
	if err != nil || refused.Status != vault.RequestRefused {
		t.Fatalf("%+v %v", refused, err)
	}
	if store.For("statistics").Read(ana).Err != nil {
		t.Error("overruled, and not read")
	}
	store.For("advertising").Read(ana).Denied("no_consent")
	_, err = v.DeclineRequest(ctx, v.Officer, q.ID, "again")
	refusedWith(t, err, vault.CodeWrongState)
	own, err := v.OwnRequests(ctx, s.Caller)
	if err != nil || len(own) != 3 {
		t.Fatalf("her requests: %+v %v", own, err)
	}
	for _, one := range own {
		if one.By != "" || one.Subject != nil || one.Purpose == "statistics" && one.Answer != "the law wants the counts" {
			t.Errorf("what she is told: %+v", one)
		}
	}

	// She objects again, and the officer lets it stand.
	weighed, err = v.ObjectOwn(ctx, s.Caller, "statistics", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if q, err := v.AnswerRequest(ctx, v.Officer, *weighed.Request, "it stands"); err != nil || q.Status != vault.RequestCompleted {
		t.Errorf("%+v %v", q, err)
	}
	store.For("statistics").Read(ana).Denied("no_consent")
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	store.For("statistics").Read(ana).Denied("no_consent")
	if _, err := v.VerifyLog(ctx, nil); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// What comes by letter waits for the person's identity, runs on the clock, and
// reaches the officers' list; nothing of it stays when the person is erased but
// that there was one.
func TestALetterRunsOnTheClock(t *testing.T) {
	begun := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	v := vaulttest.New(t, &vaulttest.Options{Register: rightsRegister, Now: begun})
	ctx := context.Background()
	store := v.As("store")
	ana := store.Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"})
	enter := func(kind vault.RequestKind, purpose privacy.PurposeID, awaiting bool) *vault.Request {
		t.Helper()
		q, err := v.EnterRequest(ctx, v.Officer, vault.EnterRequest{Kind: kind, Subject: ana, Reason: "she wrote", Purpose: purpose, Awaiting: awaiting, Received: begun.Add(-48 * time.Hour)})
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		return q
	}
	access := enter(vault.RequestAccess, "", true)
	if access.Status != vault.RequestAwaiting || !access.DueAt.Equal(time.Date(2026, 3, 27, 8, 0, 0, 0, time.UTC)) {
		t.Fatalf("entered: %+v", access)
	}
	_, err := v.AnswerRequest(ctx, v.Officer, access.ID, "sent")
	refusedWith(t, err, vault.CodeWrongState)
	if q, err := v.ConfirmIdentity(ctx, v.Officer, access.ID, "a copy of her passport"); err != nil || q.Status != vault.RequestInProgress || q.Identity != "a copy of her passport" {
		t.Fatalf("identified: %+v %v", q, err)
	}
	if q, err := v.ExtendRequest(ctx, v.Officer, access.ID, "there is much of it"); err != nil || !q.DueAt.Equal(time.Date(2026, 5, 27, 8, 0, 0, 0, time.UTC)) || q.Extension != "there is much of it" {
		t.Fatalf("extended: %+v %v", q, err)
	}
	_, err = v.ExtendRequest(ctx, v.Officer, access.ID, "again")
	refusedWith(t, err, vault.CodeWrongState)
	if q, err := v.AnswerRequest(ctx, v.Officer, access.ID, "a copy was sent"); err != nil || q.Status != vault.RequestCompleted || q.CompletedAt.IsZero() {
		t.Fatalf("answered: %+v %v", q, err)
	}

	restriction := enter(vault.RequestRestriction, "", true)
	if store.For("order-fulfilment").Read(ana).Err != nil {
		t.Error("restricted by who knows whom")
	}
	if q, err := v.ConfirmIdentity(ctx, v.Officer, restriction.ID, "known by voice"); err != nil || q.Status != vault.RequestCompleted {
		t.Fatalf("restricted: %+v %v", q, err)
	}
	store.For("order-fulfilment").Read(ana).Denied("restricted")
	if _, err := v.Lift(ctx, v.Officer, ana.ID, "settled"); err != nil {
		t.Fatal(err)
	}

	if q := enter(vault.RequestObjection, "advertising", false); q.Status != vault.RequestCompleted {
		t.Errorf("advertising: %+v", q)
	}
	objection := enter(vault.RequestObjection, "statistics", false)
	if objection.Status != vault.RequestInProgress {
		t.Errorf("statistics: %+v", objection)
	}
	store.For("advertising").Read(ana).Denied("no_consent")
	store.For("statistics").Read(ana).Denied("no_consent")
	if q := enter(vault.RequestPortability, "", false); q.Status != vault.RequestInProgress {
		t.Errorf("portability: %+v", q)
	}
	if _, err := v.DeclineRequest(ctx, v.Officer, enter(vault.RequestRectification, "", true).ID, "nobody knows who wrote it"); err != nil {
		t.Error(err)
	}
	_, err = v.EnterRequest(ctx, v.Officer, vault.EnterRequest{Kind: vault.RequestAccess, Subject: vaulttest.ID(privacy.NewSubjectID()), Reason: "who?"})
	refusedWith(t, err, vault.CodeUnknownSubject)
	_, err = v.EnterRequest(ctx, store.Caller, vault.EnterRequest{Kind: vault.RequestAccess, Subject: ana, Reason: "x"})
	refusedWith(t, err, vault.CodeForbidden)

	// An erasure by letter waits as well, and then runs as any.
	erasure := enter(vault.RequestErasure, "", true)
	if store.For("order-fulfilment").Read(ana).Err != nil {
		t.Error("erased by who knows whom")
	}
	q, err := v.ConfirmIdentity(ctx, v.Officer, erasure.ID, "she came by")
	if err != nil || q.ID != erasure.ID || !q.ReceivedAt.Equal(begun.Add(-48*time.Hour)) {
		t.Fatalf("erasing: %+v %v", q, err)
	}
	store.For("order-fulfilment").Read(ana).Refused(vault.CodeUnknownSubject)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if q, err = v.Request(ctx, v.Officer, erasure.ID); err != nil || time.Now().After(end) {
			t.Fatalf("%+v %v", q, err)
		}
		if q.Status == vault.RequestCompleted {
			break
		}
		v.Tick(time.Minute)
	}
	all, err := v.Requests(ctx, v.Officer, privacy.RequestID{}, 100)
	if err != nil || len(all) != 7 {
		t.Fatalf("%d requests: %v", len(all), err)
	}
	for _, q := range all {
		if q.Subject != nil || q.Reason != "" || q.Identity != "" || q.Answer != "" || q.Status == vault.RequestInProgress {
			t.Errorf("%s tells of the erased: %+v", q.Kind, q)
		}
	}
}
