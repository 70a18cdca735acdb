package profile

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Whatever a channel sends is refused, or kept as canonical JSON that reads as
// itself and can be masked. Nothing of it stops the vault.
func FuzzNormalise(f *testing.F) {
	for i, raw := range []string{`"Ada"`, `"ada@bücher.example"`, `"+49 (0)30 901820"`, `"2028-02-29"`, `1.50e1`, `true`,
		`{"country":"germany"}`, `{"b":[1,{"a":null}]}`, `"de"`, `"zh-hant-tw"`, `"https://example.org/~ada"`} {
		f.Add(byte(i), []byte(raw))
	}
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		of := privacy.Types[int(which)%len(privacy.Types)]
		once, err := Normalise(field(of), raw, "DE", today)
		if err != nil {
			return
		}
		json := jsontext.Value(once.JSON.Reveal())
		canonical := json.Clone()
		if canonical.Canonicalize() != nil || string(canonical) != string(json) {
			t.Fatalf("%s %q is kept as %s, canonical is %s", of, raw, json, canonical)
		}
		twice, err := Normalise(field(of), json, "DE", today)
		if err != nil || !Equal(once, twice) || once.Lookup != twice.Lookup {
			t.Fatalf("%s %q: got %s (%q), then %s (%q), %v", of, raw, json, once.Lookup, twice.JSON.Reveal(), twice.Lookup, err)
		}
		for _, mask := range privacy.Masks() {
			if !mask.Fits(of) {
				continue
			}
			if masked, err := Mask(mask, of, once.JSON, today); err != nil || !jsontext.Value(masked.Reveal()).IsValid() {
				t.Fatalf("%s of %s: got %s, %v", mask, json, masked.Reveal(), err)
			}
		}
	})
}
