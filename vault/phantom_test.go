package vault_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// A sender passes a STOP on for an ID that nobody has yet, in its own words. It is
// answered as any, and its receipt is there. What it said lies under the vault's own
// key, which outlives everybody: so the log names no ID, nothing keeps its words, and
// when somebody comes to have that ID and is erased, the record goes with them.
func TestWhatWasSaidOfAnIDThatNobodyHadIsErasedToo(t *testing.T) {
	v := vaulttest.New(t, nil)
	id, err := v.Keyring.NewSubject(v.Now())
	if err != nil {
		t.Fatal(err)
	}
	who := vaulttest.ID(id)
	act := vault.ConsentRequest{Subject: who, Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "phone_call",
		Evidence: map[string]any{"said": "called from Torstrasse"}, By: &privacy.Actor{Role: privacy.ByGuardian, Ref: "Mutter Quintero"}}
	said, err := v.RecordConsent(t.Context(), v.As("sms").Caller, act)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := v.Receipt(t.Context(), v.As("sms").Caller, said.Consent); err != nil || again != said.Receipt {
		t.Errorf("the receipt again: got %q, %v, want the same", again, err)
	}
	req := vaulttest.CaptureRequest(t, told("given_name", "Ana", "email", "ana@example.org"))
	req.Subject = &who
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	v.As("web").For("order-fulfilment").Read(who, "given_name").Released(told("given_name", "Ana"))
	q := completed(t, v, erase(t, v, who).ID)
	if c := certified(t, v, q.Certificate); c.Destroyed.Records["consents_before"] != 1 {
		t.Errorf("certificate: got %v, want it to count what was said before", c.Destroyed.Records)
	}
	_, err = v.Receipt(t.Context(), v.As("sms").Caller, said.Consent)
	refusedWith(t, err, vault.CodeNotFound)

	err = v.Store.Entries(t.Context(), 0, v.Store.Size(), func(index uint64, raw []byte) error {
		if e, err := log.ParseEntry(raw); err != nil || e.Subject != privacy.Nobody {
			return err
		}
		_, plain, err := v.OpenEntry(t.Context(), raw)
		for _, word := range []string{id.String(), "Torstrasse", "Quintero"} {
			if strings.Contains(string(plain), word) {
				t.Errorf("entry %d of the log, which opens for ever, holds %q", index, word)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	v.Stop()
	everyRow(t, v, "vault.db", func(bucket string, k, row []byte) {
		if bytes.Contains(k, id[:]) || bytes.Contains(row, id[:]) || bytes.Contains(k, said.Consent[:]) && bucket != "log/id" && bucket != "ledgered" {
			t.Errorf("bucket %s still has a row of her", bucket)
		}
	})
}
