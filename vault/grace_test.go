package vault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// patient is a register that lets people sleep on it for two weeks.
var patient = sessionsRegister + "settings: {erasure: {grace: P14D}}\n"

// anaWith is Ana in a vault of the patient register.
func anaWith(t *testing.T, o *vaulttest.Options) (*vaulttest.Vault, vaulttest.Person) {
	t.Helper()
	o.Register, o.Now = patient, march
	v := vaulttest.New(t, o)
	req := vaulttest.CaptureRequest(t, anaTold)
	req.Verified = []privacy.FieldName{"email"}
	res, err := v.Capture(t.Context(), v.As("web").Caller, req)
	if err != nil {
		t.Fatal(err)
	}
	return v, vaulttest.ID(res.Subject)
}

func anaAsks(t *testing.T, v *vaulttest.Vault) *vault.Request {
	t.Helper()
	q, err := v.Erase(t.Context(), v.Login("email", "ana@example.org").Caller, vault.EraseRequest{Reason: "I am moving"})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func pursued(t *testing.T, v *vaulttest.Vault) {
	t.Helper()
	if err := v.Pursue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func waiting(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, id privacy.RequestID, begins time.Time) {
	t.Helper()
	pursued(t, v)
	if q := request(t, v, id); q.Status != vault.RequestReceived || !q.BeginsAt.Equal(begins) {
		t.Errorf("waiting: %+v", q)
	}
	v.As("web").For("order-fulfilment").Read(who, "given_name").Denied("restricted")
	if len(v.Login("email", "ana@example.org").Me().Values) == 0 {
		t.Error("it waits, and she is not known")
	}
}

// Ana asks to be deleted, thinks again and takes it back: everything is as it was.
// She asks once more, and the two weeks run out – over a restart, and not by a clock
// that nobody believes. Then she is nobody.
func TestAnErasureCanBeTakenBackUntilItBegins(t *testing.T) {
	v, ana := anaWith(t, &vaulttest.Options{})
	web := v.As("web").For("order-fulfilment")
	own := v.Login("email", "ana@example.org")
	if p, err := v.PreviewErasure(t.Context(), own.Caller); err != nil || p.Waits || p.Begins.Sub(march).Truncate(time.Hour) != 14*24*time.Hour {
		t.Errorf("before: %+v %v", p, err)
	}
	_, err := v.TakeBackErasure(t.Context(), own.Caller, nil)
	refusedWith(t, err, vault.CodeWrongState)
	q := anaAsks(t, v)
	if q.Status != vault.RequestReceived || !q.BeginsAt.Equal(privacy.Period{Days: 14}.After(q.ReceivedAt)) || !q.DueAt.Equal(privacy.Period{Months: 1}.After(q.ReceivedAt)) {
		t.Fatalf("asked: %+v", q)
	}
	waiting(t, v, ana, q.ID, q.BeginsAt)
	if again := anaAsks(t, v); again.ID != q.ID {
		t.Errorf("asked twice: %s, want %s", again.ID, q.ID)
	}
	if !own.Stands() {
		t.Error("her session ended before anything did")
	}
	if p, err := v.PreviewErasure(t.Context(), own.Caller); err != nil || !p.Waits || !p.Begins.Equal(q.BeginsAt) {
		t.Errorf("meanwhile: %+v %v", p, err)
	}
	if mine, err := v.OwnRequests(t.Context(), own.Caller); err != nil || len(mine) != 1 || mine[0].Reason != "I am moving" {
		t.Errorf("her requests: %+v %v", mine, err)
	}
	_, err = v.AnswerRequest(t.Context(), v.Officer, q.ID, "done")
	refusedWith(t, err, vault.CodeWrongState) // nobody says so before it is
	_, err = v.TakeBackErasure(t.Context(), v.As("web").Session(ana).Caller, nil)
	refusedWith(t, err, vault.CodeStepUpRequired)

	v.Tick(13 * 24 * time.Hour)
	waiting(t, v, ana, q.ID, q.BeginsAt)
	back, err := v.TakeBackErasure(t.Context(), v.Login("email", "ana@example.org").Caller, nil)
	if err != nil || back.Status != vault.RequestWithdrawn {
		t.Fatalf("taken back: %+v %v", back, err)
	}
	web.Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.Tick(30 * 24 * time.Hour)
	pursued(t, v)
	web.Read(ana, "given_name").Released(told("given_name", "Anahita"))
	if link, err := v.RequestByLink(t.Context(), v.RequestLink(q.ID)); err != nil || link.Status != vault.RequestWithdrawn || !link.BeginsAt.IsZero() {
		t.Errorf("its link: %+v %v", link, err)
	}

	// She asked for the restriction herself, before: it is none of the request's.
	if _, err := v.RestrictOwn(t.Context(), v.Login("email", "ana@example.org").Caller, "", nil); err != nil {
		t.Fatal(err)
	}
	anaAsks(t, v)
	if _, err := v.TakeBackErasure(t.Context(), v.Login("email", "ana@example.org").Caller, nil); err != nil {
		t.Fatal(err)
	}
	web.Read(ana, "given_name").Denied("restricted")

	// So is one that she, or an officer for her, asks for while it waits.
	for who, restrict := range map[string]func() error{
		"she": func() error {
			_, err := v.RestrictOwn(t.Context(), v.As("web").Session(ana).Caller, "", nil)
			return err
		},
		"an officer": func() error { _, err := v.Restrict(t.Context(), v.Officer, ana.ID, "she wrote"); return err },
	} {
		if _, err := v.LiftOwn(t.Context(), v.Login("email", "ana@example.org").Caller, nil); err != nil {
			t.Fatal(err)
		}
		anaAsks(t, v)
		if err := restrict(); err != nil {
			t.Fatal(err)
		}
		if _, err := v.TakeBackErasure(t.Context(), v.Login("email", "ana@example.org").Caller, nil); err != nil {
			t.Fatal(err)
		}
		t.Log("restricted meanwhile by " + who)
		web.Read(ana, "given_name").Denied("restricted")
	}

	q = anaAsks(t, v)
	v.Apply(strings.Replace(patient, "P14D", "P2D", 1)) // keeps its day
	restart(t, v)
	v.Tick(14*24*time.Hour - time.Minute)
	waiting(t, v, ana, q.ID, q.BeginsAt)
	v.Tick(-time.Hour) // nobody knows any more what time it is
	if why := v.Ready(); len(why) != 1 {
		t.Fatalf("the clock is believed: %v", why)
	}
	v.Tick(3 * time.Hour)
	pursued(t, v)
	if now := request(t, v, q.ID); now.Status != vault.RequestReceived || !strings.Contains(now.Why, "clock") {
		t.Errorf("by a clock that is not believed: %+v", now)
	}
	if err := v.ConfirmClock(t.Context(), v.Officer); err != nil {
		t.Fatal(err)
	}
	done := completed(t, v, q.ID)
	if done.Status != vault.RequestCompleted || certified(t, v, done.Certificate).ReceivedAt.Unix() != q.ReceivedAt.Unix() {
		t.Errorf("its time over: %+v", done)
	}
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Refused(vault.CodeUnknownSubject)
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying the log: %v", err)
	}
}

// An officer's erasure waits for nothing, and brings along the one that waits.
func TestAnOfficersErasureDoesNotWait(t *testing.T) {
	v, ana := anaWith(t, &vaulttest.Options{})
	q := anaAsks(t, v)
	if now := erase(t, v, ana); now.ID != q.ID || now.Status != vault.RequestInProgress || !now.BeginsAt.IsZero() {
		t.Errorf("begun: %+v", now)
	}
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Refused(vault.CodeUnknownSubject)
	if done := completed(t, v, q.ID); done.Certificate == "" || done.Own == nil {
		t.Errorf("done: %+v", done)
	}
}

// Killed between any two steps, the request was never made or waits as it was
// answered; and what was begun when its time was over is done.
func TestAKilledErasureThatWaitsIsNotForgotten(t *testing.T) {
	for _, at := range []string{"to ask for later", "later in the ledger", "asked for later", "to ask", "in the ledger", "asked", "key destroyed"} {
		t.Run(at, func(t *testing.T) {
			v, ana := anaWith(t, &vaulttest.Options{})
			own := v.Login("email", "ana@example.org")
			kill(v, func(step string) bool { return step == at })
			_, err := v.Erase(context.Background(), own.Caller, vault.EraseRequest{})
			reborn(t, v)
			if at == "to ask for later" {
				if all := requestsOf(t, v); len(all) != 0 || err == nil {
					t.Fatalf("never asked for: %+v %v", all, err)
				}
				v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
				return
			}
			all := requestsOf(t, v)
			if len(all) != 1 {
				t.Fatalf("requests: %+v", all)
			}
			q := all[0]
			waiting(t, v, ana, q.ID, privacy.Period{Days: 14}.After(q.ReceivedAt))
			k := kill(v, func(step string) bool { return step == at })
			v.Tick(14*24*time.Hour + time.Minute)
			if err := v.Pursue(context.Background()); err != nil && !errors.Is(err, errKilled) && k.killed() == "" {
				t.Fatal(err)
			}
			reborn(t, v)
			if done := completed(t, v, q.ID); done.Certificate == "" {
				t.Errorf("done: %+v", done)
			}
			if all := requestsOf(t, v); len(all) != 1 {
				t.Errorf("requests: %+v", all)
			}
		})
	}
}

// A copy from before or after she asked is restored: whoever asked since still waits,
// for the same day and under the same link; who took it back since keeps everything.
func TestAnErasureThatWaitsOutlivesARestore(t *testing.T) {
	for _, c := range []struct {
		name        string
		before, not bool // the copy is from before she asked; she took it back since
	}{{"asked since", true, false}, {"asked before", false, false}, {"asked and taken back since", true, true}, {"taken back since", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			v, ana := anaWith(t, &vaulttest.Options{})
			copied := copyOf(t, v)
			q := anaAsks(t, v)
			if !c.before {
				copied = copyOf(t, v)
			}
			if c.not {
				if _, err := v.TakeBackErasure(t.Context(), v.Login("email", "ana@example.org").Caller, nil); err != nil {
					t.Fatal(err)
				}
			}
			v.Stop()
			now, _ := mustRestore(t, v, remainsOf(v.Dir, copied))
			now.Tick(time.Hour)
			if !c.not {
				waiting(t, now, ana, q.ID, q.BeginsAt)
				now.Tick(14 * 24 * time.Hour)
				if done := completed(t, now, q.ID); done.Certificate == "" {
					t.Errorf("done: %+v", done)
				}
				now.As("web").For("order-fulfilment").Read(ana, "given_name").Refused(vault.CodeUnknownSubject)
				return
			}
			now.Tick(30 * 24 * time.Hour)
			pursued(t, now)
			if got := request(t, now, q.ID); got.Status != vault.RequestWithdrawn {
				t.Errorf("taken back: %+v", got)
			}
			now.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
		})
	}
}
