package keys_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Alice has an invoice address and an e-mail that nobody may keep. When her
// values key is replaced, the address opens in every copy there is, and the
// e-mail in none.
func TestOnlyWhatStaysOpensWhenItsKeyIsGone(t *testing.T) {
	ring, alice := newKeyring(t), privacy.NewSubjectID()
	vault := ring.VaultID()
	as := func(field string, version uint64) keys.Binding {
		return keys.Binding{Vault: vault, Subject: alice, Field: field, Version: version}
	}
	dek, next, last := newDEK(t, ring), newDEK(t, ring), newDEK(t, ring)
	address := seal(t, dek, as("value/address", 2), "Lindenweg 7")
	older := seal(t, dek, as("value/address", 1), "Birkenweg 1")
	email := seal(t, dek, as("value/email", 1), "alice@example.org")
	empty := seal(t, dek, as("value/nickname", 1), "")

	var stays keys.Kept
	for b, e := range map[keys.Binding][]byte{as("value/address", 2): address, as("value/nickname", 1): empty} {
		if err := stays.Keep(&keys.Kept{}, dek, b, e); err != nil {
			t.Fatal(err)
		}
	}
	once, err := stays.Seal(next, vault, alice)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := keys.OpenKept(next, vault, alice, once)
	if err != nil {
		t.Fatal(err)
	}
	phone := seal(t, next, as("value/phone_number", 1), "+49 30 901820")
	var more keys.Kept
	for b, e := range map[keys.Binding][]byte{as("value/address", 2): address, as("value/phone_number", 1): phone} {
		if err := more.Keep(kept, next, b, e); err != nil {
			t.Fatal(err)
		}
	}
	twice, err := more.Seal(last, vault, alice)
	if err != nil {
		t.Fatal(err)
	}
	again, err := keys.OpenKept(last, vault, alice, twice)
	if err != nil {
		t.Fatal(err)
	}
	for story, k := range map[string]*keys.Kept{"once": kept, "twice": again} {
		if got, err := k.Unseal(as("value/address", 2), address); err != nil || string(got) != "Lindenweg 7" {
			t.Errorf("replaced %s: the address opens as %q, %v", story, got, err)
		}
		for b, gone := range map[keys.Binding][]byte{as("value/email", 1): email, as("value/address", 1): older, as("value/address", 2): older, as("value/email", 2): address} {
			if got, err := k.Unseal(b, gone); got != nil || !errors.Is(err, keys.ErrIntegrity) {
				t.Errorf("replaced %s: %s of version %d opens as %q, %v", story, b.Field, b.Version, got, err)
			}
		}
	}
	if got, err := again.Unseal(as("value/phone_number", 1), phone); err != nil || string(got) != "+49 30 901820" {
		t.Errorf("the number opens as %q, %v", got, err)
	}
	if got, err := kept.Unseal(as("value/nickname", 1), empty); err != nil || got == nil || len(got) != 0 {
		t.Errorf("the empty value opens as %q, %v", got, err)
	}
	if again.Has(as("value/nickname", 1)) {
		t.Error("what did not stay is kept")
	}
	for i := range address {
		edited := bytes.Clone(address)
		edited[i] ^= 1
		if got, err := kept.Unseal(as("value/address", 2), edited); err == nil {
			t.Fatalf("edited at byte %d it opens as %q", i, got)
		}
	}
	// The share alone is not the value, nor is the envelope.
	if bytes.Contains(once, []byte("Lindenweg")) || fmt.Sprintf("%v%+v", kept, *kept) != "[key][key]" {
		t.Error("what is kept shows")
	}
	if none, err := new(keys.Kept).Seal(next, vault, alice); none != nil || err != nil {
		t.Errorf("nothing stays: got %x, %v", none, err)
	}
	if err := stays.Keep(&keys.Kept{}, next, as("value/email", 1), email); !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("keeping what does not open: got %v", err)
	}
}

func TestWhatIsKeptOpensOnlyForItsPersonAndKey(t *testing.T) {
	ring, alice, bob := newKeyring(t), privacy.NewSubjectID(), privacy.NewSubjectID()
	vault, dek, next := ring.VaultID(), newDEK(t, ring), newDEK(t, ring)
	b := keys.Binding{Vault: vault, Subject: alice, Field: "value/email", Version: 1}
	var stays keys.Kept
	if err := stays.Keep(&keys.Kept{}, dek, b, seal(t, dek, b, "alice@example.org")); err != nil {
		t.Fatal(err)
	}
	sealed, err := stays.Seal(next, vault, alice)
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Clone(sealed)
	edited[len(edited)-1] ^= 1
	for story, open := range map[string]func() (*keys.Kept, error){
		"another person": func() (*keys.Kept, error) { return keys.OpenKept(next, vault, bob, sealed) },
		"another key":    func() (*keys.Kept, error) { return keys.OpenKept(dek, vault, alice, sealed) },
		"another vault":  func() (*keys.Kept, error) { return keys.OpenKept(next, newKeyring(t).VaultID(), alice, sealed) },
		"edited":         func() (*keys.Kept, error) { return keys.OpenKept(next, vault, alice, edited) },
	} {
		if k, err := open(); k != nil || !errors.Is(err, keys.ErrIntegrity) {
			t.Errorf("%s: got %v, %v, want ErrIntegrity", story, k, err)
		}
	}
	as := keys.Binding{Vault: vault, Subject: alice, Field: "kept"}
	zeros := func(n int) string { return string(make([]byte, n)) }
	one := zeros(7) + "\x01\x00\x01x" + zeros(16) + "\x00\x00\x00\x02ab"
	for _, list := range []string{"", "\x01", "\x02" + one, "\x01\x00", "\x01" + one[:len(one)-1], "\x01" + one + "\x00", "\x01" + one + one, "\x01" + zeros(7) + "\x01" + zeros(2+16+4)} {
		if k, err := keys.OpenKept(next, vault, alice, seal(t, next, as, list)); k != nil || !errors.Is(err, keys.ErrFormat) {
			t.Errorf("a list of %d bytes: got %v, %v, want ErrFormat", len(list), k, err)
		}
	}
}

// The list is the one that vectors.py wrote from its description.
func TestWhatWasKeptLongAgoOpens(t *testing.T) {
	v := readVectors(t)
	ring := v.open(t)
	who := privacy.SubjectID(v.Subject)
	dek, err := ring.Unwrap(v.Wrapped["epoch_3"], who, keys.Values)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := keys.OpenKept(dek, ring.VaultID(), who, v.Kept.List)
	if err != nil {
		t.Fatal(err)
	}
	b := keys.Binding{Vault: ring.VaultID(), Subject: who, Field: v.Kept.Field, Version: v.Kept.Version}
	if got, err := kept.Unseal(b, v.Kept.Envelope); err != nil || !bytes.Equal(got, v.Kept.Plaintext) {
		t.Errorf("got %q, %v, want %q", got, err, v.Kept.Plaintext)
	}
	if _, err := keys.Unseal(dek, b, v.Kept.Envelope); !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("under the next key alone: got %v, want ErrIntegrity", err)
	}
}
