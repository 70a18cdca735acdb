package keys_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Alice's keys are wrapped. Each comes back as what it was and as nothing else, so
// keys swapped in keys.db open nobody's data.
func TestAWrappedKeyOpensOnlyForItsPersonAndKind(t *testing.T) {
	k, elsewhere := newKeyring(t), newKeyring(t)
	alice, bob := privacy.NewSubjectID(), privacy.NewSubjectID()
	dek, history := newDEK(t, k), newDEK(t, k)
	wrapped, err := k.Wrap(alice, dek, history)
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
	if again, err = k.Unwrap(wrapped, alice, keys.History); err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Unseal(again, b, seal(t, history, b, "x")); err != nil || string(got) != "x" {
		t.Errorf("the history key that came back opens %q, %v, want x", got, err)
	}
	swapped := append(bytes.Clone(wrapped[:18]), append(bytes.Clone(wrapped[66:]), wrapped[18:66]...)...)
	for name, unwrap := range map[string]func() (*keys.DEK, error){
		"another person":       func() (*keys.DEK, error) { return k.Unwrap(wrapped, bob, keys.Values) },
		"the vault itself":     func() (*keys.DEK, error) { return k.Unwrap(wrapped, privacy.Nobody, keys.Values) },
		"the key for history":  func() (*keys.DEK, error) { return k.Unwrap(swapped, alice, keys.Values) },
		"the key for values":   func() (*keys.DEK, error) { return k.Unwrap(swapped, alice, keys.History) },
		"a key of no kind":     func() (*keys.DEK, error) { return k.Unwrap(wrapped, alice, 0) },
		"a key of other vault": func() (*keys.DEK, error) { return elsewhere.Unwrap(wrapped, alice, keys.Values) },
	} {
		if d, err := unwrap(); d != nil || !errors.Is(err, keys.ErrIntegrity) {
			t.Errorf("unwrapped as %s: got %v, %v, want ErrIntegrity", name, d, err)
		}
	}
}

// What is wrapped before does not go with what is wrapped now: half a row of
// before is refused.
func TestHalfOfAnOlderRowIsRefused(t *testing.T) {
	k := newKeyring(t)
	values, history := newDEK(t, k), newDEK(t, k)
	var rows [2][]byte
	for i := range rows {
		var err error
		if rows[i], err = k.Wrap(privacy.Nobody, values, history); err != nil {
			t.Fatal(err)
		}
	}
	mixed := append(bytes.Clone(rows[1][:66]), rows[0][66:]...)
	if d, err := k.Unwrap(mixed, privacy.Nobody, keys.History); d != nil || !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("got %v, %v, want ErrIntegrity", d, err)
	}
	if _, err := k.Unwrap(mixed, privacy.Nobody, keys.Values); err != nil {
		t.Errorf("the half that belongs: %v", err)
	}
}

func TestAnEditedWrappedKeyIsRefused(t *testing.T) {
	k := newKeyring(t)
	wrapped, err := k.Wrap(privacy.Nobody, newDEK(t, k), newDEK(t, k))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(wrapped) {
		if at := i / 8; at >= 18 && at < 66 { // the values key, which is not asked for
			continue
		}
		w := bytes.Clone(wrapped)
		w[i/8] ^= 1 << (i % 8)
		if d, err := k.Unwrap(w, privacy.Nobody, keys.History); d != nil || !errors.Is(err, keys.ErrIntegrity) && !errors.Is(err, keys.ErrFormat) {
			t.Errorf("flipped bit %d: got %v, %v, want a refusal", i, d, err)
		}
	}
	for _, w := range [][]byte{nil, wrapped[:113], wrapped[:66], append(bytes.Clone(wrapped), 0)} {
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
	part := func(w []byte, kind keys.DEKKind) string { // what one of the keys depends on
		if kind == keys.Values {
			return string(w[:66])
		}
		return string(w[:18]) + string(w[66:])
	}
	known := map[string]bool{}
	for _, w := range v.Wrapped {
		f.Add([]byte(w))
		for _, kind := range []keys.DEKKind{keys.Values, keys.History} {
			known[kind.String()+part(w, kind)] = true
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []keys.DEKKind{keys.Values, keys.History} {
			d, err := k.Unwrap(b, privacy.SubjectID(v.Subject), kind)
			switch {
			case err == nil && (len(b) != 114 || !known[kind.String()+part(b, kind)]):
				t.Errorf("forged a key out of %x", b)
			case err != nil && (d != nil || !errors.Is(err, keys.ErrFormat) && !errors.Is(err, keys.ErrIntegrity)):
				t.Errorf("got %v, %v, want ErrFormat or ErrIntegrity", d, err)
			}
		}
	})
}
