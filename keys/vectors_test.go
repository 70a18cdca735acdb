package keys_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// vectors is testdata/vectors.json. It was written by testdata/vectors.py from
// the description of the formats, so it pins them from outside: what is on
// somebody's disk opens with every later version of this package.
type vectors struct {
	Vault   hexBytes
	Keyring struct {
		KeyFile         hexBytes `json:"key_file"`
		UnderKeyFile    hexBytes `json:"under_key_file"`
		Passphrase      string
		UnderPassphrase hexBytes `json:"under_passphrase"`
	}
	Subject   hexBytes
	DEK       hexBytes
	Wrapped   map[string]hexBytes
	Envelopes []struct {
		Subject   hexBytes
		Field     string
		Version   uint64
		Plaintext hexBytes
		Envelope  hexBytes
	}
	// Kept is a list of one kept share, under the DEK, and the envelope that it
	// opens, which a DEK of before sealed.
	Kept struct {
		List, Plaintext, Envelope hexBytes
		Subject                   hexBytes
		Field                     string
		Version                   uint64
	}
	Lists []struct {
		Subject hexBytes
		Values  []struct {
			Field     string
			Version   uint64
			Plaintext hexBytes
			Nonce     hexBytes
		}
		List hexBytes
	}
	Places     map[string]hexBytes // by ID
	Hashes     map[string]hexBytes
	Signatures map[string]struct {
		ID            string
		Public, Sayso hexBytes
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode([]byte{}, text)
	return err
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// open returns the vectors' keyring, whose epochs have turned: KEK 2 and 3,
// blind index 1 and 2, one evidence key retired.
func (v vectors) open(t testing.TB) *keys.Keyring {
	t.Helper()
	root, err := keys.KeyFile(v.Keyring.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.Open(v.Keyring.UnderKeyFile, root)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAKeyringFileOfLongAgoOpensUnderItsPassphrase(t *testing.T) {
	v := readVectors(t)
	k, err := keys.Open(v.Keyring.UnderPassphrase, keys.Passphrase([]byte(v.Keyring.Passphrase)))
	if err != nil {
		t.Fatal(err)
	}
	if got := k.VaultID(); !bytes.Equal(got[:], v.Vault) {
		t.Errorf("vault ID: got %x, want %x", got, v.Vault)
	}
	if got := k.KEKEpoch(); got != 3 {
		t.Errorf("KEK epoch: got %d, want 3", got)
	}
	if got := k.IndexEpoch(); got != 2 {
		t.Errorf("index epoch: got %d, want 2", got)
	}
}

func TestEnvelopesOfLongAgoOpenUnderKeysUnwrappedNow(t *testing.T) {
	v := readVectors(t)
	k := v.open(t)
	subject := privacy.SubjectID(v.Subject)
	values, err := k.Unwrap(v.Wrapped["epoch_3"], subject, keys.Values)
	if err != nil {
		t.Fatalf("values, current epoch: %v", err)
	}
	history, err := k.Unwrap(v.Wrapped["epoch_2"], subject, keys.History)
	if err != nil {
		t.Fatalf("history, epoch before: %v", err)
	}
	for _, e := range v.Envelopes {
		b := keys.Binding{Vault: k.VaultID(), Subject: privacy.SubjectID(e.Subject), Field: e.Field, Version: e.Version}
		for _, dek := range []*keys.DEK{values, history} { // the vectors wrap one key twice
			got, err := keys.Unseal(dek, b, e.Envelope)
			if err != nil || got == nil || !bytes.Equal(got, e.Plaintext) {
				t.Errorf("%s: got %q, %v, want %q", e.Field, got, err, e.Plaintext)
			}
		}
	}
}

func TestListsOfLongAgoOpenValueByValue(t *testing.T) {
	v := readVectors(t)
	k := v.open(t)
	dek, err := k.Unwrap(v.Wrapped["epoch_3"], privacy.SubjectID(v.Subject), keys.Values)
	if err != nil {
		t.Fatal(err)
	}
	for n, w := range v.Lists {
		l, err := keys.ParseList(w.List)
		if err != nil || l.Len() != len(w.Values) {
			t.Fatalf("list %d: got %d values, %v, want %d", n, l.Len(), err, len(w.Values))
		}
		for i, value := range w.Values {
			got, err := l.Unseal(nil, dek, i, keys.Binding{Vault: k.VaultID(), Subject: privacy.SubjectID(w.Subject), Field: value.Field, Version: value.Version})
			if err != nil || !bytes.Equal(got, value.Plaintext) {
				t.Errorf("list %d, %s: got %q, %v, want %q", n, value.Field, got, err, value.Plaintext)
			}
			if e, err := keys.ParseEnvelope(l.Envelope(i)); err != nil || !bytes.Equal(e.Nonce[:], value.Nonce) {
				t.Errorf("list %d, %s: got nonce %x, %v, want %x", n, value.Field, e.Nonce, err, value.Nonce)
			}
		}
	}
}

func TestRowsOfLongAgoAreFoundAtTheirPlaces(t *testing.T) {
	v := readVectors(t)
	k := v.open(t)
	for id, want := range v.Places {
		var s privacy.SubjectID
		if _, err := hex.Decode(s[:], []byte(id)); err != nil {
			t.Fatal(err)
		}
		if got := k.Place(s); !bytes.Equal(got, want) {
			t.Errorf("place of %s: got %x, want %x", id, got, want)
		}
		if got, err := k.SubjectAt(want); err != nil || got != s {
			t.Errorf("whose is place %x: got %x, %v, want %s", want, got, err, id)
		}
	}
}

func TestAKeyWrappedUnderADestroyedKEKIsGone(t *testing.T) {
	v := readVectors(t)
	d, err := v.open(t).Unwrap(v.Wrapped["epoch_1"], privacy.SubjectID(v.Subject), keys.Values)
	if d != nil || !errors.Is(err, keys.ErrEpoch) || !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("got %v, %v, want ErrEpoch and ErrIntegrity", d, err)
	}
}

func TestKeyedHashesStayTheSame(t *testing.T) {
	v := readVectors(t)
	k := v.open(t)
	at := func(epoch uint32) [32]byte {
		sum, err := k.BlindIndexAt(epoch, "email", "someone@example.org")
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	for name, got := range map[string][32]byte{
		"blind_index_email_epoch_1": at(1),
		"blind_index_email_epoch_2": at(2),
		"mac_ledger_subject":        k.MAC("ledger", v.Subject),
		"mac_ledger_nothing":        k.MAC("ledger"),
		"secret_web_hunter2":        k.SecretHash("web", "hunter2"),
	} {
		if !bytes.Equal(got[:], v.Hashes[name]) {
			t.Errorf("%s: got %x, want %x", name, got, v.Hashes[name])
		}
	}
	if k.BlindIndex("email", "someone@example.org") != at(2) {
		t.Error("BlindIndex is not of the current epoch")
	}
	if _, err := k.BlindIndexAt(3, "email", "someone@example.org"); !errors.Is(err, keys.ErrEpoch) {
		t.Errorf("epoch 3: got %v, want ErrEpoch", err)
	}
}

func TestSignaturesStayTheSame(t *testing.T) {
	v := readVectors(t)
	k := v.open(t)
	for name, s := range map[string]crypto.Signer{
		"log": k.LogSigner(), "token": k.TokenSigner(), "evidence": k.EvidenceSigner(),
	} {
		want := v.Signatures[name]
		got, err := s.Sign(nil, []byte("sayso"), crypto.Hash(0))
		if err != nil || !bytes.Equal(got, want.Sayso) {
			t.Errorf("%s: got %x, %v, want %x", name, got, err, want.Sayso)
		}
	}
}

func TestRetiredEvidenceKeysStayKnown(t *testing.T) {
	v := readVectors(t)
	got := v.open(t).EvidenceKeys()
	if len(got) != 2 {
		t.Fatalf("got %d evidence keys, want 2", len(got))
	}
	turned := time.Date(2025, 6, 15, 15, 6, 40, 0, time.UTC)
	for i, want := range []struct {
		name  string
		until time.Time
	}{{"evidence_retired", turned}, {"evidence", time.Time{}}} {
		w := v.Signatures[want.name]
		if got[i].ID != w.ID || !bytes.Equal(got[i].Public, w.Public) || !got[i].Until.Equal(want.until) {
			t.Errorf("%s: got %s until %v, want %s until %v", want.name, got[i].ID, got[i].Until, w.ID, want.until)
		}
	}
}
