package vault_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

func placeHold(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, reason string) *vault.Hold {
	t.Helper()
	h, err := v.PlaceHold(t.Context(), v.Officer, vault.HoldRequest{Subject: who, Reason: reason})
	if err != nil {
		t.Fatalf("placing a hold: %v", err)
	}
	return h
}

// A claim is in the way of Ana's erasure, and another comes while she waits for it,
// by the one identifier its officer knows. She is there for nobody meanwhile, but for
// the law. When the last hold is released it goes on by itself. Ben's hold comes after all was decided: of him there is nothing to hold.
func TestAHoldBlocksAnErasureUntilTheLastIsReleased(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: lives})
	web := v.As("web")
	ana := web.Capture(told("given_name", "Ana", "family_name", "Quintero", "email", "ana@example.org", "phone_number", "+49 30 901820"))
	books := vaulttest.CaptureRequest(t, told("family_name", "Quintero"))
	books.Subject = &ana
	if _, err := v.Capture(t.Context(), v.As("books").Caller, books); err != nil {
		t.Fatal(err)
	}
	ben := web.Capture(told("given_name", "Ben", "email", "ben@example.org"))

	first := placeHold(t, v, vaulttest.By("email", "ana@example.org"), "Claim 1138")
	q := erase(t, v, ana)
	if q.Status != vault.RequestBlocked || !strings.Contains(q.Why, "hold") {
		t.Errorf("asked: got %+v, want it blocked by a hold", q)
	}
	second := placeHold(t, v, vaulttest.By("phone_number", "030 901820"), "Claim 1139")
	if held, err := v.Holds(t.Context(), v.Officer, ana.ID); err != nil || len(held) != 2 {
		t.Errorf("holds: got %v, %v, want two", held, err)
	}
	web.For("order-fulfilment").Read(ana).Refused(vault.CodeUnknownSubject)
	v.As("books").For("invoices").Read(ana, "family_name").Released(told("family_name", "Quintero"))
	restart(t, v)
	for _, h := range []*vault.Hold{second, first} {
		if got := request(t, v, q.ID); got.Status != vault.RequestBlocked {
			t.Errorf("held by %s: got %s", h.Reason, got.Status)
		}
		if _, err := v.ReleaseHold(t.Context(), v.Officer, ana.ID, &h.ID); err != nil {
			t.Fatal(err)
		}
	}
	if done := completed(t, v, q.ID); len(done.Kept) != 1 || done.Kept[0].Purpose != "invoices" {
		t.Errorf("released: got %+v, want it completed but for the invoices", done)
	}
	v.As("books").For("invoices").Read(ana, "family_name").Released(told("family_name", "Quintero"))

	k := kill(v, func(step string) bool { return step == "key to destroy" })
	_ = erase(t, v, ben)
	if k.killed() == "" {
		t.Fatal("it was not held up")
	}
	_, err := v.PlaceHold(t.Context(), v.Officer, vault.HoldRequest{Subject: ben, Reason: "Claim 1140"})
	refusedWith(t, err, vault.CodeUnknownSubject)
}

// While the clock is not believed nothing is removed, and nothing is released of who
// is to be erased. When an officer confirms the clock, it goes on.
func TestAnErasureWaitsUntilTheClockIsBelieved(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: march})
	ana := v.As("web").Capture(told("given_name", "Ana", "email", "ana@example.org"))
	v.Tick(-2 * time.Hour)
	q := erase(t, v, ana)
	if q.Status != vault.RequestInProgress || !strings.Contains(q.Why, "clock") {
		t.Errorf("asked: got %+v, want that it waits for the clock", q)
	}
	v.As("web").For("order-fulfilment").Read(ana).Refused(vault.CodeUnknownSubject)
	if err := v.Pursue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := getRow(t, v, "profiles", ana.ID[:]); row == nil {
		t.Error("her values were removed by a clock that nobody believes")
	}
	if err := v.ConfirmClock(t.Context(), v.Officer); err != nil {
		t.Fatal(err)
	}
	certified(t, v, completed(t, v, q.ID).Certificate)
}
