package keys_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func newKeyring(t testing.TB) *keys.Keyring {
	t.Helper()
	k, err := keys.New(now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newDEK(t testing.TB, k *keys.Keyring) *keys.DEK {
	t.Helper()
	d, err := k.NewDEK()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func seal(t testing.TB, d *keys.DEK, b keys.Binding, plaintext string) []byte {
	t.Helper()
	e, err := keys.Seal(d, b, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Alice's e-mail is sealed. Only as Alice's e-mail, of that version, in that
// vault and under that key does it open.
func TestASealedValueOpensOnlyAsWhatItWasSealedAs(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	alice := keys.Binding{Vault: k.VaultID(), Subject: privacy.NewSubjectID(), Field: "value/email", Version: 2}
	sealed := seal(t, dek, alice, `"alice@example.org"`)
	if got, err := keys.Unseal(dek, alice, sealed); err != nil || string(got) != `"alice@example.org"` {
		t.Fatalf("got %q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte("alice")) {
		t.Error("the envelope shows the value")
	}

	other := func(change func(*keys.Binding)) keys.Binding {
		b := alice
		change(&b)
		return b
	}
	for name, b := range map[string]keys.Binding{
		"another vault":      other(func(b *keys.Binding) { b.Vault = newKeyring(t).VaultID() }),
		"another person":     other(func(b *keys.Binding) { b.Subject = privacy.NewSubjectID() }),
		"another field":      other(func(b *keys.Binding) { b.Field = "value/phone_number" }),
		"a field cut short":  other(func(b *keys.Binding) { b.Field = "value/emai" }),
		"no field":           other(func(b *keys.Binding) { b.Field = "" }),
		"an earlier version": other(func(b *keys.Binding) { b.Version = 1 }),
		"a later version":    other(func(b *keys.Binding) { b.Version = 3 }),
	} {
		if got, err := keys.Unseal(dek, b, sealed); got != nil || !errors.Is(err, keys.ErrIntegrity) {
			t.Errorf("opened as %s: got %q, %v, want ErrIntegrity", name, got, err)
		}
	}
	if got, err := keys.Unseal(newDEK(t, k), alice, sealed); got != nil || !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("opened under another key: got %q, %v, want ErrIntegrity", got, err)
	}
}

func TestAnEditedEnvelopeIsRefused(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	b := keys.Binding{Vault: k.VaultID(), Field: "governance"}
	sealed := seal(t, dek, b, "seven words that nobody may ever change")
	refused := func(what string, at int, e []byte) {
		t.Helper()
		got, err := keys.Unseal(dek, b, e)
		if got != nil || !errors.Is(err, keys.ErrIntegrity) && !errors.Is(err, keys.ErrFormat) {
			t.Errorf("%s %d: got %q, %v, want a refusal", what, at, got, err)
		}
	}
	for i := range 8 * len(sealed) {
		e := bytes.Clone(sealed)
		e[i/8] ^= 1 << (i % 8)
		refused("flipped bit", i, e)
	}
	for n := range sealed {
		refused("cut to", n, sealed[:n])
	}
	refused("lengthened to", len(sealed)+1, append(bytes.Clone(sealed), 0))
}

// A later version or another algorithm is not guessed at.
func TestAnEnvelopeOfAnUnknownFormatIsNamedSo(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	b := keys.Binding{Vault: k.VaultID(), Field: "log"}
	for at := range 2 {
		e := seal(t, dek, b, "x")
		e[at] = 2
		if _, err := keys.Unseal(dek, b, e); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("byte %d: opened with %v, want ErrFormat", at, err)
		}
		if _, err := keys.ParseEnvelope(e); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("byte %d: parsed with %v, want ErrFormat", at, err)
		}
	}
}

// Who sees the store must not see that two people told the same.
func TestEqualValuesHaveUnequalEnvelopes(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	b := keys.Binding{Vault: k.VaultID(), Field: "value/city"}
	one, two := seal(t, dek, b, `"Lisboa"`), seal(t, dek, b, `"Lisboa"`)
	if bytes.Equal(one[2:14], two[2:14]) || bytes.Equal(one[14:], two[14:]) {
		t.Errorf("got %x and %x, want other nonces and ciphertexts", one, two)
	}
}

func TestNothingSealedIsNotNothing(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	b := keys.Binding{Vault: k.VaultID(), Field: "log"}
	got, err := keys.Unseal(dek, b, seal(t, dek, b, ""))
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("got %v, %v, want empty and not nil", got, err)
	}
}

func TestWithoutAKeyOrAFieldNothingIsSealed(t *testing.T) {
	k := newKeyring(t)
	b := keys.Binding{Vault: k.VaultID(), Field: "log"}
	for name, d := range map[string]*keys.DEK{"nil": nil, "zero": {}} {
		if e, err := keys.Seal(d, b, []byte("x")); err == nil {
			t.Errorf("sealed under a %s key: %x", name, e)
		}
		if _, err := keys.Unseal(d, b, make([]byte, 64)); err == nil {
			t.Errorf("opened under a %s key", name)
		}
		if _, err := k.Wrap(privacy.Nobody, newDEK(t, k), d); err == nil {
			t.Errorf("wrapped a %s key", name)
		}
	}
	if e, err := keys.Seal(newDEK(t, k), keys.Binding{Vault: k.VaultID()}, []byte("x")); err == nil {
		t.Errorf("sealed for no field: %x", e)
	}
}

func TestOneKeyServesManyGoroutines(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	var wg sync.WaitGroup
	for n := range uint64(8) {
		wg.Go(func() {
			b := keys.Binding{Vault: k.VaultID(), Field: "standing", Version: n}
			for range 100 {
				e, err := keys.Seal(dek, b, []byte{byte(n)})
				if err != nil {
					t.Error(err)
				}
				if got, err := keys.Unseal(dek, b, e); err != nil || !bytes.Equal(got, []byte{byte(n)}) {
					t.Errorf("got %v, %v, want %d", got, err, n)
				}
				w, err := k.Wrap(privacy.Nobody, dek, dek)
				if err != nil {
					t.Error(err)
				}
				if _, err := k.Unwrap(w, privacy.Nobody, keys.History); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Whatever is accepted as an envelope is written back byte for byte, and only
// what was sealed opens.
func FuzzEnvelope(f *testing.F) {
	v := readVectors(f)
	k := v.open(f)
	dek, err := k.Unwrap(v.Wrapped["epoch_3"], privacy.SubjectID(v.Subject), keys.Values)
	if err != nil {
		f.Fatal(err)
	}
	known := map[string]bool{}
	for _, e := range v.Envelopes {
		f.Add([]byte(e.Envelope))
		known[string(e.Envelope)] = true
	}
	f.Add([]byte{1, 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := keys.ParseEnvelope(b)
		switch {
		case err == nil && !bytes.Equal(e.Marshal(), b):
			t.Errorf("got %x, want %x", e.Marshal(), b)
		case err != nil && !errors.Is(err, keys.ErrFormat):
			t.Errorf("got %v, want ErrFormat", err)
		}
		for _, w := range v.Envelopes {
			as := keys.Binding{Vault: k.VaultID(), Subject: privacy.SubjectID(w.Subject), Field: w.Field, Version: w.Version}
			if got, err := keys.Unseal(dek, as, b); err == nil && !known[string(b)] {
				t.Errorf("forged %q out of %x", got, b)
			}
		}
	})
}

// What is sealed where it lies is an envelope like any other, whether there was
// memory to spare behind it or not.
func TestAnEnvelopeCanTakeItsPlaintextsPlace(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	b := keys.Binding{Vault: k.VaultID(), Subject: privacy.NewSubjectID(), Field: "log/access/1"}
	for _, spare := range []int{0, 16, 60, 500} {
		for _, plain := range []string{"", "x", strings.Repeat("long ", 100)} {
			memory := append(append(make([]byte, 0, keys.Room+len(plain)+spare), make([]byte, keys.Room)...), plain...)
			sealed, err := keys.SealOver(dek, b, memory)
			if err != nil {
				t.Fatal(err)
			}
			got, err := keys.Unseal(dek, b, sealed)
			if err != nil || string(got) != plain {
				t.Errorf("%d bytes with %d to spare: opened %q, %v", len(plain), spare, got, err)
			}
			if spare == 500 && &sealed[0] != &memory[0] {
				t.Error("there was room, and yet the envelope lies elsewhere")
			}
		}
	}
	if _, err := keys.SealOver(dek, b, make([]byte, keys.Room-1)); !errors.Is(err, keys.ErrFormat) {
		t.Errorf("without room: got %v", err)
	}
	if _, err := keys.SealOver(dek, keys.Binding{}, make([]byte, 100)); err == nil {
		t.Error("sealed for nothing")
	}
}
