package keys_test

import (
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// What a read does per value, per key and per identifier.
func BenchmarkKeys(b *testing.B) {
	k := newKeyring(b)
	dek := newDEK(b, k)
	as := keys.Binding{Vault: k.VaultID(), Field: "value/email"}
	sealed := seal(b, dek, as, `"someone@example.org"`)
	wrapped, err := k.Wrap(privacy.Nobody, dek, dek)
	if err != nil {
		b.Fatal(err)
	}
	for name, op := range map[string]func() error{
		"seal":   func() error { _, err := keys.Seal(dek, as, []byte(`"someone@example.org"`)); return err },
		"unseal": func() error { _, err := keys.Unseal(dek, as, sealed); return err },
		"wrap":   func() error { _, err := k.Wrap(privacy.Nobody, dek, dek); return err },
		"unwrap": func() error { _, err := k.Unwrap(wrapped, privacy.Nobody, keys.Values); return err },
		"index":  func() error { k.BlindIndex("email", "someone@example.org"); return nil },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := op(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
