package vault_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// A vault is looked at while people come and go: what is under way is not taken
// for damage, and what is damage is found.
func TestAVaultIsExaminedWhileItIsUsed(t *testing.T) {
	v := vaulttest.New(t, nil)
	shop := v.As("store")
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for n := range 4 {
		busy.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				req := vaulttest.CaptureRequest(t, map[string]any{"given_name": "Ines", "phone_number": fmt.Sprintf("+49 40 1%d%05d", n, i)})
				if res, err := v.Capture(ctx, shop.Caller, req); err == nil {
					_, _ = v.RecordConsent(ctx, shop.Caller, vault.ConsentRequest{Subject: vaulttest.ID(res.Subject), Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "paper_form"})
				}
			}
		})
	}
	defer busy.Wait()
	defer stop()
	examine := func(o vault.ExamineOptions) *vault.Examination {
		t.Helper()
		x, err := v.Examine(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := examine(vault.ExamineOptions{Deep: true})
	for _, f := range x.Findings {
		if f.Level == vault.Problem || f.Check == "orphan-keys" && f.Level != vault.Fine {
			t.Errorf("nothing is wrong: got %+v", f)
		}
	}
	if len(x.LeftOut) > 0 {
		t.Errorf("left out: %v", x.LeftOut)
	}
	nobody := privacy.SubjectID{1, 2, 3}
	if _, err := v.Keys.Update(t.Context(), func(tx store.Tx) error {
		row, err := tx.Get("deks", v.RowKey("deks", privacy.Nobody[:]))
		if err != nil {
			return err
		}
		return tx.Put("deks", v.RowKey("deks", nobody[:]), slices.Clone(row))
	}); err != nil {
		t.Fatal(err)
	}
	x = examine(vault.ExamineOptions{})
	i := slices.IndexFunc(x.Findings, func(f vault.Finding) bool { return f.Check == "orphan-keys" })
	if got := x.Findings[i]; got.Level != vault.Warning || !slices.Equal(got.About, []string{nobody.String()}) {
		t.Errorf("keys of nobody: got %+v", got)
	}
}
