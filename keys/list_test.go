package keys_test

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// told is what Alice told, to be sealed.
func told(k *keys.Keyring, alice privacy.SubjectID, version uint64) []keys.Item {
	var items []keys.Item
	for _, v := range [][2]string{{"value/birthdate", `"1987-04-02"`}, {"value/email", `"alice@example.org"`}, {"value/locale", `"de"`}} {
		items = append(items, keys.Item{Binding: keys.Binding{Vault: k.VaultID(), Subject: alice, Field: v[0], Version: version}, Plaintext: []byte(v[1])})
	}
	return items
}

func sealAll(t testing.TB, d *keys.DEK, items []keys.Item) [][]byte {
	t.Helper()
	envelopes, err := keys.SealAll(d, items)
	if err != nil {
		t.Fatal(err)
	}
	return envelopes
}

func pack(t testing.TB, envelopes [][]byte) (row []byte, l keys.List) {
	t.Helper()
	row, err := keys.PackList(envelopes)
	if err == nil {
		l, err = keys.ParseList(row)
	}
	if err != nil {
		t.Fatal(err)
	}
	return row, l
}

// Alice's values lie side by side. Each opens by itself and as what it is, and
// is the envelope that was sealed.
func TestEachEnvelopeOfAListOpensByItself(t *testing.T) {
	k := newKeyring(t)
	dek, alice := newDEK(t, k), privacy.NewSubjectID()
	items := told(k, alice, 1)
	envelopes := sealAll(t, dek, items)
	row, l := pack(t, envelopes)
	if l.Len() != len(items) {
		t.Fatalf("got %d envelopes, want %d", l.Len(), len(items))
	}
	size := 3 + 12
	for i, it := range items {
		size += 1 + len(it.Plaintext) + 16
		if got, err := l.Unseal(nil, dek, i, it.Binding); err != nil || !bytes.Equal(got, it.Plaintext) {
			t.Errorf("%s: got %q, %v", it.Binding.Field, got, err)
		}
		if got := l.Envelope(i); !bytes.Equal(got, envelopes[i]) {
			t.Errorf("%s: got envelope %x, want %x", it.Binding.Field, got, envelopes[i])
		}
		if got, err := keys.Unseal(dek, it.Binding, envelopes[i]); err != nil || !bytes.Equal(got, it.Plaintext) {
			t.Errorf("%s alone: got %q, %v", it.Binding.Field, got, err)
		}
		other := items[(i+1)%len(items)].Binding
		if got, err := l.Unseal(nil, dek, i, other); got != nil || !errors.Is(err, keys.ErrIntegrity) {
			t.Errorf("%s opened as %s: %q, %v", it.Binding.Field, other.Field, got, err)
		}
		if got, err := l.Unseal(nil, newDEK(t, k), i, it.Binding); got != nil || !errors.Is(err, keys.ErrIntegrity) {
			t.Errorf("%s opened under another key: %q, %v", it.Binding.Field, got, err)
		}
	}
	if len(row) != size {
		t.Errorf("the list takes %d bytes, want %d: one nonce for all", len(row), size)
	}
	for _, i := range []int{-1, len(items)} {
		if got, err := l.Unseal(nil, dek, i, items[0].Binding); got != nil || !errors.Is(err, keys.ErrIntegrity) || l.Envelope(i) != nil {
			t.Errorf("envelope %d: got %q, %v, want ErrIntegrity", i, got, err)
		}
	}
}

// She tells another e-mail. It gets a nonce of its own, and the values beside it
// stay what they were, byte for byte.
func TestAnEnvelopeIsReplacedAndTheOthersStay(t *testing.T) {
	k := newKeyring(t)
	dek, alice := newDEK(t, k), privacy.NewSubjectID()
	items, later := told(k, alice, 1), told(k, alice, 2)
	envelopes := sealAll(t, dek, items)
	before, _ := pack(t, envelopes)
	envelopes[1] = sealAll(t, dek, later[1:2])[0]
	now, l := pack(t, envelopes)
	for i, e := range envelopes {
		if !bytes.Equal(l.Envelope(i), e) {
			t.Errorf("envelope %d changed", i)
		}
	}
	if got, err := l.Unseal(nil, dek, 1, later[1].Binding); err != nil || !bytes.Equal(got, later[1].Plaintext) {
		t.Errorf("the new e-mail: got %q, %v", got, err)
	}
	if got, err := l.Unseal(nil, dek, 1, items[1].Binding); got != nil || !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("the new e-mail as the old: got %q, %v", got, err)
	}
	if len(now) != len(before)+2*12 {
		t.Errorf("got %d bytes, want %d and two nonces", len(now), len(before))
	}
}

func TestAnEditedListIsRefused(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	items := told(k, privacy.NewSubjectID(), 7)
	row, _ := pack(t, sealAll(t, dek, items))
	opens := func(b []byte) error {
		l, err := keys.ParseList(b)
		if err != nil {
			return err
		}
		for i, it := range items {
			if _, err := l.Unseal(nil, dek, i, it.Binding); err != nil {
				return err
			}
		}
		if l.Len() != len(items) {
			return fmt.Errorf("%d values: %w", l.Len(), keys.ErrIntegrity) // which a standing tells
		}
		return nil
	}
	if err := opens(row); err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(row) {
		b := bytes.Clone(row)
		b[i/8] ^= 1 << (i % 8)
		if err := opens(b); !errors.Is(err, keys.ErrIntegrity) && !errors.Is(err, keys.ErrFormat) {
			t.Errorf("flipped bit %d: got %v, want a refusal", i, err)
		}
	}
	for n := range row {
		if err := opens(row[:n]); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("cut to %d: got %v, want ErrFormat", n, err)
		}
	}
	if err := opens(append(bytes.Clone(row), 0)); !errors.Is(err, keys.ErrFormat) {
		t.Errorf("lengthened: got %v, want ErrFormat", err)
	}
	for name, d := range map[string]*keys.DEK{"nil": nil, "zero": {}} {
		if _, err := keys.SealAll(d, items); err == nil {
			t.Errorf("sealed under a %s key", name)
		}
		_, l := pack(t, sealAll(t, dek, items))
		if _, err := l.Unseal(nil, d, 0, items[0].Binding); err == nil {
			t.Errorf("opened under a %s key", name)
		}
	}
	if _, err := keys.SealAll(dek, []keys.Item{{Binding: keys.Binding{Vault: k.VaultID()}}}); err == nil {
		t.Error("sealed for no field")
	}
	if _, err := keys.PackList([][]byte{row}); !errors.Is(err, keys.ErrFormat) {
		t.Errorf("packed what is no envelope: %v", err)
	}
}

// No two values that were sealed have one nonce, neither in one list nor in the
// next.
func TestNoNonceComesTwice(t *testing.T) {
	k := newKeyring(t)
	dek, items := newDEK(t, k), told(k, privacy.NewSubjectID(), 1)
	seen := map[[12]byte]bool{}
	for range 100 {
		for _, e := range sealAll(t, dek, items) {
			nonce := [12]byte(e[2:])
			if seen[nonce] {
				t.Fatalf("nonce %x came twice", nonce)
			}
			seen[nonce] = true
		}
	}
}

// Whatever is accepted as a list is written again byte for byte, and only what
// was sealed opens.
func FuzzList(f *testing.F) {
	v := readVectors(f)
	k := v.open(f)
	dek, err := k.Unwrap(v.Wrapped["epoch_3"], privacy.SubjectID(v.Subject), keys.Values)
	if err != nil {
		f.Fatal(err)
	}
	for _, w := range v.Lists {
		f.Add([]byte(w.List))
	}
	f.Add([]byte{2, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := keys.ParseList(b)
		if err != nil {
			if !errors.Is(err, keys.ErrFormat) {
				t.Errorf("got %v, want ErrFormat", err)
			}
			return
		}
		var envelopes [][]byte
		for i := range l.Len() {
			envelopes = append(envelopes, l.Envelope(i))
		}
		if again, err := keys.PackList(envelopes); err != nil || !bytes.Equal(again, b) {
			t.Errorf("got %x, %v, want %x", again, err, b)
		}
		for _, w := range v.Lists {
			for i, value := range w.Values {
				as := keys.Binding{Vault: k.VaultID(), Subject: privacy.SubjectID(w.Subject), Field: value.Field, Version: value.Version}
				known := wasSealed(v, value.Field, value.Version, l, i)
				if got, err := l.Unseal(nil, dek, i, as); err == nil && !known {
					t.Errorf("forged %q out of %x", got, b)
				}
			}
		}
	})
}

// wasSealed reports whether the vectors have the envelope at i for a field.
func wasSealed(v vectors, field string, version uint64, l keys.List, i int) bool {
	for _, w := range v.Lists {
		for _, value := range w.Values {
			if e, err := keys.ParseEnvelope(l.Envelope(i)); err == nil && value.Field == field && value.Version == version && bytes.Equal(e.Nonce[:], value.Nonce) {
				return true
			}
		}
	}
	return false
}

// Values that are opened one behind the other in one piece of memory stay what
// they are.
func TestValuesAreOpenedBesideEachOther(t *testing.T) {
	k := newKeyring(t)
	dek := newDEK(t, k)
	items := []keys.Item{}
	for i, value := range []string{"first", "", strings.Repeat("third ", 50), "last"} {
		items = append(items, keys.Item{Binding: keys.Binding{Vault: k.VaultID(), Field: "value/" + strconv.Itoa(i), Version: 1}, Plaintext: []byte(value)})
	}
	envelopes, err := keys.SealAll(dek, items)
	if err != nil {
		t.Fatal(err)
	}
	row, err := keys.PackList(envelopes)
	if err != nil {
		t.Fatal(err)
	}
	l, err := keys.ParseList(row)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 30, 1000} {
		space := make([]byte, 0, room)
		for i, it := range items {
			if space, err = l.Unseal(space, dek, i, it.Binding); err != nil {
				t.Fatal(err)
			}
		}
		want := ""
		for _, it := range items {
			want += string(it.Plaintext)
		}
		if string(space) != want {
			t.Errorf("with room for %d: got %q, want %q", room, space, want)
		}
	}
}
