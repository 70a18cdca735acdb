package keys_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Alice's key for values is wrapped. It comes back as that and as nothing else,
// so keys swapped in keys.db open nobody's data.
func TestAWrappedKeyOpensOnlyForItsPersonAndKind(t *testing.T) {
	k, elsewhere := newKeyring(t), newKeyring(t)
	alice, bob := privacy.NewSubjectID(), privacy.NewSubjectID()
	dek := newDEK(t, k)
	wrapped, err := k.Wrap(dek, alice, keys.Values)
	if err != nil {
		t.Fatal(err)
	}
	again, err := k.Unwrap(wrapped, alice, keys.Values)
	if err != nil {
		t.Fatal(err)
	}
	b := keys.Binding{Vault: k.VaultID(), Subject: alice, Field: "value/email"}
	if got, err := keys.Unseal(again, b, seal(t, dek, b, "x")); err != nil || string(got) != "x" {
		t.Errorf("the key that came back opens %q, %v, want x", got, err)
	}
	for name, unwrap := range map[string]func() (*keys.DEK, error){
		"another person":       func() (*keys.DEK, error) { return k.Unwrap(wrapped, bob, keys.Values) },
		"the vault itself":     func() (*keys.DEK, error) { return k.Unwrap(wrapped, privacy.Nobody, keys.Values) },
		"the key for history":  func() (*keys.DEK, error) { return k.Unwrap(wrapped, alice, keys.History) },
		"a key of no kind":     func() (*keys.DEK, error) { return k.Unwrap(wrapped, alice, 0) },
		"a key of other vault": func() (*keys.DEK, error) { return elsewhere.Unwrap(wrapped, alice, keys.Values) },
	} {
		if d, err := unwrap(); d != nil || !errors.Is(err, keys.ErrIntegrity) {
			t.Errorf("unwrapped as %s: got %v, %v, want ErrIntegrity", name, d, err)
		}
	}
	if _, err := k.Wrap(dek, alice, 3); err == nil {
		t.Error("wrapped a key of a third kind")
	}
}

func TestAnEditedWrappedKeyIsRefused(t *testing.T) {
	k := newKeyring(t)
	wrapped, err := k.Wrap(newDEK(t, k), privacy.Nobody, keys.History)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(wrapped) {
		w := bytes.Clone(wrapped)
		w[i/8] ^= 1 << (i % 8)
		if d, err := k.Unwrap(w, privacy.Nobody, keys.History); d != nil || !errors.Is(err, keys.ErrIntegrity) && !errors.Is(err, keys.ErrFormat) {
			t.Errorf("flipped bit %d: got %v, %v, want a refusal", i, d, err)
		}
	}
	for _, w := range [][]byte{nil, wrapped[:65], append(bytes.Clone(wrapped), 0)} {
		if d, err := k.Unwrap(w, privacy.Nobody, keys.History); d != nil || !errors.Is(err, keys.ErrFormat) {
			t.Errorf("%d bytes: got %v, %v, want ErrFormat", len(w), d, err)
		}
	}
}

func TestEachKeyIsItsOwn(t *testing.T) {
	k := newKeyring(t)
	b := keys.Binding{Vault: k.VaultID(), Field: "standing"}
	if _, err := keys.Unseal(newDEK(t, k), b, seal(t, newDEK(t, k), b, "x")); !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("two fresh keys open each other's: %v", err)
	}
}

// Only the vectors' wrapped keys unwrap, whatever bytes are tried.
func FuzzWrappedDEK(f *testing.F) {
	v := readVectors(f)
	k := v.open(f)
	known := map[string]bool{}
	for _, w := range v.Wrapped {
		f.Add([]byte(w))
		known[string(w)] = true
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []keys.DEKKind{keys.Values, keys.History} {
			d, err := k.Unwrap(b, privacy.SubjectID(v.Subject), kind)
			switch {
			case err == nil && !known[string(b)]:
				t.Errorf("forged a key out of %x", b)
			case err != nil && (d != nil || !errors.Is(err, keys.ErrFormat) && !errors.Is(err, keys.ErrIntegrity)):
				t.Errorf("got %v, %v, want ErrFormat or ErrIntegrity", d, err)
			}
		}
	})
}
