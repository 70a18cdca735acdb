package vault_test

import (
	"context"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// A thousand people are erased within a minute of a turn of keys. They are gone at
// once, and wait together for the next turn: one does for all.
func TestAThousandErasuresCostOneTurn(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: march})
	n := 1000
	if testing.Short() {
		n = 50
	}
	people := town(t, v, 0, n)
	rotate(t, v, all)
	asked := make([]privacy.RequestID, n)
	erasing := make(chan int)
	done := make(chan error)
	for range 16 {
		go func() {
			var err error
			for i := range erasing {
				q, failed := v.Erase(context.Background(), v.Officer, vault.EraseRequest{Subject: people[i], Reason: "They asked for it"})
				if failed != nil {
					err = failed
					continue
				}
				asked[i] = q.ID
			}
			done <- err
		}()
	}
	for i := range people {
		erasing <- i
	}
	close(erasing)
	for range 16 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Pursue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := v.Keyring.KEKEpoch(); got != 2 {
		t.Errorf("within the hour: got epoch %d, want 2", got)
	}
	for _, i := range []int{0, n / 2, n - 1} {
		v.As("web").For("order-fulfilment").Read(people[i]).Refused(vault.CodeUnknownSubject)
		if q := request(t, v, asked[i]); q.Status != vault.RequestInProgress || q.Certificate != "" {
			t.Errorf("before the turn: got %+v", q)
		}
	}
	v.Tick(time.Hour)
	for _, id := range asked {
		completed(t, v, id)
	}
	if got := v.Keyring.KEKEpoch(); got != 3 {
		t.Errorf("an hour later: got epoch %d, want 3: one turn for all", got)
	}
}
