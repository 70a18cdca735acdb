package vault_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// A stranger who is given a bundle needs the verifier key and nothing else, and
// finds every change that was made to it.
func TestAStrangerChecksABundleOffline(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	consent := v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	res, err := v.Read(t.Context(), v.As("sms").Caller, vault.ReadRequest{Subject: ana, Purpose: "sms-marketing"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{consent.Consent.String(), res.Decision.String()} {
		proof, err := v.Prove(t.Context(), id)
		if err != nil {
			t.Fatalf("proving %s: %v", id, err)
		}
		file, err := json.Marshal(proof)
		if err != nil {
			t.Fatal(err)
		}
		read := func(change func(*vault.Proof)) *vault.Proof {
			p := new(vault.Proof)
			if err := json.Unmarshal(file, p); err != nil {
				t.Fatal(err)
			}
			change(p)
			return p
		}
		if err := vault.CheckProof(read(func(*vault.Proof) {}), v.VerifierKey()); err != nil {
			t.Errorf("checking the bundle of %s: got %v, want no error", id, err)
		}
		for what, change := range map[string]func(*vault.Proof){
			"format":     func(p *vault.Proof) { p.Format = "sayso-proof/2" },
			"index":      func(p *vault.Proof) { p.Index-- },
			"far index":  func(p *vault.Proof) { p.Index = 1 << 63 },
			"leaf":       func(p *vault.Proof) { p.Leaf[0] ^= 1 },
			"way":        func(p *vault.Proof) { p.Proof[0][0] ^= 1 },
			"short way":  func(p *vault.Proof) { p.Proof = p.Proof[1:] },
			"checkpoint": func(p *vault.Proof) { p.Checkpoint = "x" + p.Checkpoint },
			"kind":       func(p *vault.Proof) { p.Opening.Kind = "ground" },
			"subject":    func(p *vault.Proof) { p.Opening.Subject[5] ^= 1 },
			"id":         func(p *vault.Proof) { p.Opening.ID = privacy.DecisionID{1}.String() },
			"salt":       func(p *vault.Proof) { p.Opening.Salt[0] ^= 1 },
			"short salt": func(p *vault.Proof) { p.Opening.Salt = nil },
			"record":     func(p *vault.Proof) { p.Opening.Record += " " },
		} {
			if err := vault.CheckProof(read(change), v.VerifierKey()); !errors.Is(err, vault.ErrProof) {
				t.Errorf("a bundle with another %s: got %v, want ErrProof", what, err)
			}
		}
		other := vaulttest.New(t, nil)
		if err := vault.CheckProof(proof, other.VerifierKey()); !errors.Is(err, vault.ErrProof) {
			t.Errorf("a bundle of another log: got %v, want ErrProof", err)
		}
	}
	var refused *vault.Error
	if _, err := v.Prove(t.Context(), privacy.DecisionID{1}.String()); !errors.As(err, &refused) || refused.Code != vault.CodeNotFound {
		t.Errorf("proving what never was: got %v, want not_found", err)
	}
}
