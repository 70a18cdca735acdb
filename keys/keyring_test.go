package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// quick is a passphrase that takes little work.
func quick(secret string) keys.Root {
	return keys.PassphraseWith([]byte(secret), keys.Argon2{Time: 1, Memory: 64, Threads: 1})
}

func keyFile(t testing.TB, fill byte) keys.Root {
	t.Helper()
	r, err := keys.KeyFile(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealFile(t testing.TB, k *keys.Keyring, r keys.Root) []byte {
	t.Helper()
	file, err := k.Seal(r)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAKeyringComesBackWhole(t *testing.T) {
	k := newKeyring(t)
	sum := k.BlindIndex("email", "someone@example.org")
	wrapped, err := k.Wrap(privacy.Nobody, newDEK(t, k), newDEK(t, k))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]keys.Root{"passphrase": quick("open sesame"), "key file": keyFile(t, 7)} {
		again, err := keys.Open(sealFile(t, k, r), r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := again.VaultID(), k.VaultID(); got != want {
			t.Errorf("%s: vault %v, want %v", name, got, want)
		}
		if again.BlindIndex("email", "someone@example.org") != sum {
			t.Errorf("%s: another blind index", name)
		}
		if again.MAC("a") != k.MAC("a") || again.SecretHash("a", "b") != k.SecretHash("a", "b") || !bytes.Equal(again.Place(privacy.Nobody), k.Place(privacy.Nobody)) {
			t.Errorf("%s: other hashes", name)
		}
		if _, err := again.Unwrap(wrapped, privacy.Nobody, keys.Values); err != nil {
			t.Errorf("%s: another KEK: %v", name, err)
		}
		for role, pair := range map[string][2]crypto.Signer{
			"log":      {k.LogSigner(), again.LogSigner()},
			"token":    {k.TokenSigner(), again.TokenSigner()},
			"evidence": {k.EvidenceSigner(), again.EvidenceSigner()},
		} {
			if !pair[0].Public().(ed25519.PublicKey).Equal(pair[1].Public()) {
				t.Errorf("%s: another %s key", name, role)
			}
		}
	}
}

func TestTheWrongRootKeyIsRefusedClearly(t *testing.T) {
	k := newKeyring(t)
	underPassphrase, underKeyFile := sealFile(t, k, quick("open sesame")), sealFile(t, k, keyFile(t, 7))
	for _, c := range []struct {
		name string
		file []byte
		root keys.Root
	}{
		{"another passphrase", underPassphrase, quick("open barley")},
		{"a passphrase cut short", underPassphrase, quick("open sesam")},
		{"no passphrase", underPassphrase, quick("")},
		{"a key file for a passphrase", underPassphrase, keyFile(t, 7)},
		{"another key file", underKeyFile, keyFile(t, 8)},
		{"a passphrase for a key file", underKeyFile, quick("open sesame")},
	} {
		if got, err := keys.Open(c.file, c.root); got != nil || !errors.Is(err, keys.ErrRootKey) {
			t.Errorf("%s: got %v, %v, want ErrRootKey", c.name, got, err)
		}
	}
	if _, err := k.Seal(quick("")); !errors.Is(err, keys.ErrRootKey) {
		t.Errorf("sealed under an empty passphrase: %v", err)
	}
	for _, n := range []int{0, 31, 33} {
		if r, err := keys.KeyFile(make([]byte, n)); r != nil || !errors.Is(err, keys.ErrFormat) {
			t.Errorf("key file of %d bytes: got %v, %v, want ErrFormat", n, r, err)
		}
	}
}

func TestAPassphraseIsChangedBySealingAgain(t *testing.T) {
	k := newKeyring(t)
	first, err := keys.Open(sealFile(t, k, quick("old")), quick("old"))
	if err != nil {
		t.Fatal(err)
	}
	file := sealFile(t, first, quick("new"))
	if _, err := keys.Open(file, quick("old")); !errors.Is(err, keys.ErrRootKey) {
		t.Errorf("with the old passphrase: got %v, want ErrRootKey", err)
	}
	if again, err := keys.Open(file, quick("new")); err != nil || again.VaultID() != k.VaultID() {
		t.Errorf("with the new passphrase: %v", err)
	}
}

func TestAnEditedKeyringFileIsRefused(t *testing.T) {
	k, root := newKeyring(t), keyFile(t, 7)
	file := sealFile(t, k, root)
	const salt, nonce = 25, 89 // where the header's parts begin
	for i := range 8 * len(file) {
		f := bytes.Clone(file)
		f[i/8] ^= 1 << (i % 8)
		want := keys.ErrIntegrity
		switch at := i / 8; {
		case at < salt:
			want = keys.ErrFormat
		case at < nonce:
			want = keys.ErrRootKey
		}
		if got, err := keys.Open(f, root); got != nil || !errors.Is(err, want) {
			t.Errorf("flipped bit %d: got %v, %v, want %v", i, got, err, want)
		}
	}
	for n := range file {
		if got, err := keys.Open(file[:n], root); got != nil || err == nil {
			t.Errorf("cut to %d bytes: got %v, %v, want a refusal", n, got, err)
		}
	}
	if got, err := keys.Open(append(bytes.Clone(file), 0), root); got != nil || !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("lengthened: got %v, %v, want ErrIntegrity", got, err)
	}
	if got, err := keys.Open(nil, root); got != nil || !errors.Is(err, keys.ErrFormat) {
		t.Errorf("empty: got %v, %v, want ErrFormat", got, err)
	}
}

// A forged file must not make the vault take all memory, or hours, before it is
// refused.
func TestAKeyringFileCannotAskForAbsurdWork(t *testing.T) {
	file := sealFile(t, newKeyring(t), quick("open sesame"))
	for name, set := range map[string]func(f []byte){
		"no passes":       func(f []byte) { binary.BigEndian.PutUint32(f[16:], 0) },
		"endless passes":  func(f []byte) { binary.BigEndian.PutUint32(f[16:], 1<<31) },
		"no memory":       func(f []byte) { binary.BigEndian.PutUint32(f[20:], 0) },
		"endless memory":  func(f []byte) { binary.BigEndian.PutUint32(f[20:], 1<<31) },
		"no lanes":        func(f []byte) { f[24] = 0 },
		"too many lanes":  func(f []byte) { f[24] = 255 },
		"less than lanes": func(f []byte) { f[24] = 9 },
	} {
		f := bytes.Clone(file)
		set(f)
		if _, err := keys.Open(f, quick("open sesame")); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
	if _, err := newKeyring(t).Seal(keys.PassphraseWith([]byte("x"), keys.Argon2{})); !errors.Is(err, keys.ErrFormat) {
		t.Errorf("sealed without work: %v", err)
	}
}

// What the manual states about the passphrase's work stands in the file.
func TestAPassphraseIsStretchedAsStated(t *testing.T) {
	file := sealFile(t, newKeyring(t), keys.Passphrase([]byte("open sesame")))
	if want := append([]byte("sayso-keyring\n\x02\x01"), 0, 0, 0, 3, 0, 1, 0, 0, 4); !bytes.HasPrefix(file, want) {
		t.Errorf("got %x, want %x", file[:len(want)], want)
	}
}

// Another version's file is named so, and is not taken for a damaged one.
func TestAKeyringOfAnotherVersionIsNamedSo(t *testing.T) {
	for _, version := range []byte{1, 3} {
		file := sealFile(t, newKeyring(t), quick("open sesame"))
		file[14] = version
		if _, err := keys.Open(file, quick("open sesame")); !errors.Is(err, keys.ErrVersion) || !errors.Is(err, keys.ErrFormat) ||
			!strings.Contains(err.Error(), fmt.Sprintf("of format %d", version)) {
			t.Errorf("version %d: got %v, want it named", version, err)
		}
	}
	if _, err := keys.Open([]byte("sayso-keyring"), quick("open sesame")); errors.Is(err, keys.ErrVersion) {
		t.Errorf("half a keyring: got %v, want no word of versions", err)
	}
}

func TestTwoVaultsShareNothing(t *testing.T) {
	a, b := newKeyring(t), newKeyring(t)
	if a.VaultID() == b.VaultID() {
		t.Error("one vault ID")
	}
	if a.BlindIndex("email", "x") == b.BlindIndex("email", "x") || a.MAC("x") == b.MAC("x") || a.SecretHash("x", "y") == b.SecretHash("x", "y") {
		t.Error("equal keyed hashes")
	}
	if a.EvidenceKeys()[0].ID == b.EvidenceKeys()[0].ID {
		t.Error("one evidence key")
	}
	root := keyFile(t, 7)
	if one, two := sealFile(t, a, root), sealFile(t, a, root); bytes.Equal(one[25:57], two[25:57]) || bytes.Equal(one[89:], two[89:]) {
		t.Error("two files of one keyring share salt or body")
	}
}

// No two questions may have one hash: not by moving a border between parts, and
// not by asking for another purpose.
func TestKeyedHashesAreUnambiguous(t *testing.T) {
	k := newKeyring(t)
	b := func(s string) []byte { return []byte(s) }
	seen := map[[32]byte]string{}
	for name, sum := range map[string][32]byte{
		"mac a,b,c":      k.MAC("a", b("b"), b("c")),
		"mac a,bc":       k.MAC("a", b("bc")),
		"mac ab,c":       k.MAC("ab", b("c")),
		"mac abc":        k.MAC("abc"),
		"mac abc,empty":  k.MAC("abc", nil),
		"mac abc,empty2": k.MAC("abc", nil, nil),
		"index ab,c":     k.BlindIndex("ab", "c"),
		"index a,bc":     k.BlindIndex("a", "bc"),
		"index abc":      k.BlindIndex("abc", ""),
		"secret ab,c":    k.SecretHash("ab", "c"),
		"secret a,bc":    k.SecretHash("a", "bc"),
	} {
		if other, ok := seen[sum]; ok {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[sum] = name
	}
}

func TestEachSignerHasItsOwnKey(t *testing.T) {
	k := newKeyring(t)
	var all []ed25519.PublicKey
	for _, s := range []crypto.Signer{k.LogSigner(), k.TokenSigner(), k.EvidenceSigner()} {
		pub := s.Public().(ed25519.PublicKey)
		sig, err := s.Sign(nil, []byte("x"), crypto.Hash(0))
		if err != nil || !ed25519.Verify(pub, []byte("x"), sig) {
			t.Errorf("signature does not verify: %v", err)
		}
		for _, other := range all {
			if pub.Equal(other) {
				t.Error("two signers have one key")
			}
		}
		all = append(all, pub)
	}
	ek := k.EvidenceKeys()
	if len(ek) != 1 || !ek[0].Public.Equal(all[2]) || !ek[0].Since.Equal(now) || !ek[0].Until.IsZero() {
		t.Errorf("evidence keys: got %+v", ek)
	}
}

// The example of RFC 8037, appendix A.3.
func TestThumbprintIsTheStandardOne(t *testing.T) {
	pub := ed25519.PublicKey{
		0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
		0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
	}
	if got, want := keys.Thumbprint(pub), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVaultIDReadsBack(t *testing.T) {
	id := newKeyring(t).VaultID()
	text := id.String()
	if !strings.HasPrefix(text, "vlt_") || len(text) != 30 {
		t.Errorf("got %q, want vlt_ and 26 characters", text)
	}
	var again keys.VaultID
	if err := again.UnmarshalText([]byte(text)); err != nil || again != id {
		t.Errorf("got %v, %v, want %v", again, err, id)
	}
	for _, bad := range []string{"", "sub_" + text[4:], text[:29], strings.ToUpper(text), text[:29] + "z"} {
		if err := again.UnmarshalText([]byte(bad)); !errors.Is(err, privacy.ErrID) {
			t.Errorf("%q: got %v, want ErrID", bad, err)
		}
	}
}

// Somebody logs, prints or marshals keys by accident, also inside own types.
func TestKeysNeverShow(t *testing.T) {
	secret := bytes.Repeat([]byte{0xab}, 32)
	root, err := keys.KeyFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	k := newKeyring(t)
	dek := newDEK(t, k)
	pass := keys.Passphrase([]byte("abababababababab"))
	values := map[string]any{
		"keyring": k, "key": dek, "key by value": *dek, "key file": root, "passphrase": pass,
		"log": k.LogSigner(), "token": k.TokenSigner(), "evidence": k.EvidenceSigner(),
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			if got := fmt.Sprintf(verb, v); got != "[key]" {
				t.Errorf("%s with %s: got %q", name, verb, got)
			}
		}
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%s was marshalled: %s", name, b)
		}
		if b, err := v.(encoding.TextMarshaler).MarshalText(); err == nil {
			t.Errorf("%s was marshalled as text: %s", name, b)
		}
		if b, err := v.(encoding.BinaryMarshaler).MarshalBinary(); err == nil {
			t.Errorf("%s was marshalled as bytes: %x", name, b)
		}
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "v", v)
		if strings.Count(logged.String(), "[key]") != 2 {
			t.Errorf("%s logged: %s", name, logged.String())
		}
	}
	// fmt asks no methods of unexported fields: it must find pointers only.
	v := readVectors(t)
	known, err := v.open(t).Unwrap(v.Wrapped["epoch_3"], privacy.SubjectID(v.Subject), keys.Values)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		root, pass keys.Root
		ring       *keys.Keyring
		dek        *keys.DEK
		flat       keys.DEK
		signer     crypto.Signer
	}
	h := holder{root, pass, k, known, *known, k.LogSigner()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		got := fmt.Sprintf(verb, h)
		for _, secret := range [][]byte{secret, []byte("abababababababab"), v.DEK} {
			shown := strings.Trim(fmt.Sprintf(verb, secret[:8]), "[]{}byte")
			if strings.Contains(got, shown) || strings.Contains(got, string(secret)) {
				t.Errorf("held, with %s: got %q", verb, got)
			}
		}
	}
}

func TestRolesBeginNow(t *testing.T) {
	k := newKeyring(t)
	if k.KEKEpoch() != 1 || k.IndexEpoch() != 1 {
		t.Errorf("got epochs %d and %d, want 1 and 1", k.KEKEpoch(), k.IndexEpoch())
	}
	if id := privacy.SubjectID(k.VaultID()).String(); id >= privacy.SubjectID(privacy.NewID(now.Add(time.Second))).String() {
		t.Errorf("vault ID %s is not of now", k.VaultID())
	}
}
