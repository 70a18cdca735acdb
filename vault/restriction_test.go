package vault_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Who restricts what is done with their data is read by nobody, for any purpose,
// from then on, and nothing of them goes. A channel's session is enough for that;
// to lift it takes a login, or an officer with a reason.
func TestARestrictionHoldsAtEveryRead(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister})
	ctx := context.Background()
	told := vaulttest.CaptureRequest(t, anaTold)
	told.Verified = []privacy.FieldName{"email"}
	web := v.As("web")
	res, err := v.Capture(ctx, web.Caller, told)
	if err != nil {
		t.Fatal(err)
	}
	ana := vaulttest.ID(res.Subject)
	s := web.Session(ana)
	one, err := v.RestrictOwn(ctx, s.Caller, "it is wrong", nil)
	if err != nil || !one.Restricted || one.Since.IsZero() {
		t.Fatalf("%+v %v", one, err)
	}
	again, err := v.RestrictOwn(ctx, s.Caller, "", nil)
	if err != nil || !again.Since.Equal(one.Since) {
		t.Errorf("twice: %+v %v", again, err)
	}
	web.For("order-fulfilment").Read(ana).Denied("restricted")
	v.As("store").For("sms-marketing").Read(ana).Denied("no_consent")
	if _, err := v.LiftOwn(ctx, s.Caller, nil); err == nil {
		t.Error("a channel's session lifts it")
	}
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	web.For("order-fulfilment").Read(ana).Denied("restricted")
	own := v.Login("email", "ana@example.org")
	if me := own.Me(); me.Restricted.IsZero() || len(me.Values) != 4 {
		t.Errorf("she sees herself: %+v", me)
	}
	if lifted, err := v.LiftOwn(ctx, own.Caller, nil); err != nil || lifted.Restricted {
		t.Errorf("%+v %v", lifted, err)
	}
	if web.For("order-fulfilment").Read(ana).Err != nil {
		t.Error("lifted, and not read")
	}

	// By letter.
	if _, err := v.Restrict(ctx, v.Officer, res.Subject, "she wrote"); err != nil {
		t.Fatal(err)
	}
	web.For("order-fulfilment").Read(ana).Denied("restricted")
	_, err = v.Lift(ctx, v.Officer, res.Subject, "")
	refusedWith(t, err, vault.CodeInvalidRequest)
	_, err = v.Lift(ctx, web.Caller, res.Subject, "x")
	refusedWith(t, err, vault.CodeForbidden)
	_, err = v.Restrict(ctx, v.Officer, privacy.NewSubjectID(), "nobody")
	refusedWith(t, err, vault.CodeUnknownSubject)
	if _, err := v.Lift(ctx, v.Officer, res.Subject, "settled"); err != nil {
		t.Fatal(err)
	}
	if web.For("order-fulfilment").Read(ana).Err != nil {
		t.Error("lifted, and not read")
	}
	if _, err := v.VerifyLog(ctx, nil); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// A restriction that stands in the ledger and was cut off before the state knew of
// it is done when the vault comes up; one lifted since is not.
func TestARestrictionIsFinishedFromTheLedger(t *testing.T) {
	failing := errors.New("the disk is gone")
	var fail atomic.Bool
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister, Store: func(e store.LogEngine) store.LogEngine {
		return &failingUpdates{LogEngine: e, fail: func() error {
			if fail.Load() {
				return failing
			}
			return nil
		}}
	}})
	ctx := context.Background()
	ana := v.As("web").Capture(anaTold)
	s := v.As("web").Session(ana)
	fail.Store(true)
	if _, err := v.RestrictOwn(ctx, s.Caller, "", nil); err == nil {
		t.Fatal("nothing failed")
	}
	fail.Store(false)
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	v.As("web").For("order-fulfilment").Read(ana).Denied("restricted")
	if _, err := v.Lift(ctx, v.Officer, ana.ID, "settled"); err != nil {
		t.Fatal(err)
	}
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	if v.As("web").For("order-fulfilment").Read(ana).Err != nil {
		t.Error("lifted, and not read")
	}
}

// failingUpdates is an engine whose updates can be made to fail.
type failingUpdates struct {
	store.LogEngine
	fail func() error
}

func (f *failingUpdates) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.LogEngine.Update(ctx, fn)
}

// What an erasure will leave is told before it is asked for, and it is what it
// leaves.
func TestWhatAnErasureLeavesIsToldBefore(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: eraseRegisterWithSessions})
	ctx := context.Background()
	ana := v.As("store").Capture(map[string]any{"given_name": "Anahita", "address": map[string]any{"locality": "Berlin", "country": "DE"}})
	v.As("store").For("order-fulfilment").Read(ana)
	v.As("store").For("bookkeeping").Ground(ana, vault.GroundBegun)
	s := v.As("store").Session(ana)
	before, err := v.PreviewErasure(ctx, s.Caller)
	if err != nil || before.Held || len(before.Remains) != 1 || before.Remains[0].Purpose != "bookkeeping" || before.KeyBackupDays != 7 || len(before.Told) != 1 {
		t.Fatalf("%+v %v", before, err)
	}
	if _, err := v.PlaceHold(ctx, v.Officer, vault.HoldRequest{Subject: ana, Reason: "a claim"}); err != nil {
		t.Fatal(err)
	}
	if held, err := v.PreviewErasure(ctx, s.Caller); err != nil || !held.Held {
		t.Errorf("held: %+v %v", held, err)
	}
	q, err := v.Erase(ctx, s.Caller, vault.EraseRequest{Subject: vaulttest.ID(privacy.NewSubjectID())})
	if err != nil || q.Status != vault.RequestBlocked || q.Own == nil || q.Own.Role != privacy.BySubject || q.By != "" {
		t.Fatalf("%+v %v", q, err)
	}
	if s.Stands() {
		t.Error("the session stands")
	}
	link := v.RequestLink(q.ID)
	if _, err := v.ReleaseHold(ctx, v.Officer, ana.ID, nil); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		now, err := v.RequestByLink(ctx, link)
		if err != nil || time.Now().After(end) {
			t.Fatalf("%+v %v", now, err)
		}
		if now.Status == vault.RequestCompleted {
			if len(now.Kept) != 1 || now.Kept[0].Purpose != "bookkeeping" || now.Subject != nil || now.Reason != "" || now.Own != nil {
				t.Errorf("%+v", now)
			}
			break
		}
	}
	for _, guess := range []string{"", link[:40], q.ID.String(), v.RequestLink(privacy.NewRequestID(v.Now()))} {
		_, err := v.RequestByLink(ctx, guess)
		refusedWith(t, err, vault.CodeNotFound)
	}
}
