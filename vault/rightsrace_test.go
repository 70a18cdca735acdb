package vault_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Ana's two weeks are over, and she takes her erasure back in the very moment in which it
// begins. Either she has taken it back and everything is as it was, or she is erased, and
// was not told that she is not: never half of it, never both.
func TestTakingBackRacesTheBeginningAndOneWinsWhole(t *testing.T) {
	for range 8 {
		v, ana := anaWith(t, &vaulttest.Options{})
		q := anaAsks(t, v)
		v.Tick(14*24*time.Hour - time.Minute)
		own := v.Login("email", "ana@example.org")
		v.Tick(2 * time.Minute)
		var back *vault.Request
		var refused, fault error
		var racing sync.WaitGroup
		start := make(chan struct{})
		racing.Go(func() { <-start; back, refused = v.TakeBackErasure(t.Context(), own.Caller, nil) })
		racing.Go(func() { <-start; fault = v.Pursue(t.Context()) })
		close(start)
		racing.Wait()
		if fault != nil {
			t.Fatal(fault)
		}
		web := v.As("web").For("order-fulfilment")
		if refused == nil {
			pursued(t, v)
			if got := request(t, v, q.ID); back.Status != vault.RequestWithdrawn || got.Status != vault.RequestWithdrawn {
				t.Errorf("taken back: %+v, %+v", back, got)
			}
			web.Read(ana, "given_name").Released(told("given_name", "Anahita"))
			continue
		}
		v.Tick(2 * time.Hour)
		if done := completed(t, v, q.ID); done.Certificate == "" {
			t.Errorf("taking it back was refused with %v, and it is not done: %+v", refused, done)
		}
		web.Read(ana, "given_name").Refused(vault.CodeUnknownSubject)
		if own.Stands() {
			t.Error("she is erased, and her session stands")
		}
	}
}

// Ana corrects her name while she is erased: whatever she was answered, nothing of the new
// name is left, nor of a request about it that names her.
func TestACorrectionRacesAnErasureAndLeavesNothing(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister, Now: march})
	for range 8 {
		v.Tick(2 * time.Hour) // keys turn once in a while
		ana := verified(t, v, "web", anaTold, "email")
		v.As("web").For("order-fulfilment").Read(ana, "given_name")
		own := v.Login("email", "ana@example.org")
		var gone *vault.Request
		var fault error
		var racing sync.WaitGroup
		start := make(chan struct{})
		racing.Go(func() { <-start; gone, fault = v.Erase(t.Context(), own.Caller, vault.EraseRequest{}) })
		for range 3 {
			racing.Go(func() {
				<-start
				// Too late is as good as in time.
				_, _ = v.Correct(t.Context(), own.Caller, []vault.CapturedField{{Field: "given_name", Value: privacy.NewSensitive([]byte(`"Anna"`))}})
			})
		}
		close(start)
		racing.Wait()
		if fault != nil {
			t.Fatal(fault)
		}
		completed(t, v, gone.ID)
		v.As("web").For("order-fulfilment").Read(ana, "given_name").Refused(vault.CodeUnknownSubject)
		all, err := v.Requests(t.Context(), v.Officer, privacy.RequestID{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range all {
			if q.Subject != nil || q.Fields != nil || q.Status != vault.RequestCompleted {
				t.Errorf("what is left of a request: %+v", q)
			}
		}
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// A batch about Ana is read again and again when she has her data restricted: no batch
// that begins after she was answered has a line with anything of her.
func TestARestrictionRacesAStreamOfReads(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister})
	ana := verified(t, v, "web", anaTold, "email")
	own := v.Login("email", "ana@example.org")
	web := v.As("web").Caller
	reqs := make([]vault.ReadRequest, 16)
	for i := range reqs {
		reqs[i] = vault.ReadRequest{Subject: vault.SubjectRef{ID: ana.ID}, Purpose: "order-fulfilment", Fields: []privacy.FieldName{"given_name"}}
	}
	for range 6 {
		var restricted, stop atomic.Bool
		var before, late atomic.Int64
		var reading sync.WaitGroup
		begun := make(chan struct{}, 4)
		for range 4 {
			reading.Go(func() {
				first := true
				for !stop.Load() {
					after := restricted.Load()
					for _, o := range v.ReadBatch(t.Context(), web, reqs) {
						switch {
						case o.Err != nil:
						case after:
							late.Add(1)
						default:
							before.Add(1)
						}
					}
					if first {
						begun <- struct{}{}
						first = false
					}
				}
			})
		}
		for range 4 {
			<-begun
		}
		if _, err := v.RestrictOwn(t.Context(), own.Caller, "", nil); err != nil {
			t.Fatal(err)
		}
		restricted.Store(true)
		for _, o := range v.ReadBatch(t.Context(), web, reqs) {
			if o.Err == nil {
				t.Error("restricted, and read")
			}
		}
		stop.Store(true)
		reading.Wait()
		if before.Load() == 0 || late.Load() != 0 {
			t.Errorf("%d lines were released before, %d after she was answered", before.Load(), late.Load())
		}
		if _, err := v.LiftOwn(t.Context(), own.Caller, nil); err != nil {
			t.Fatal(err)
		}
	}
}
