package log

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func TestAnEntryOpensForWhoHasTheKey(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	e := h.make(1)
	back, err := ParseEntry(e.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	o, err := back.Open(h.deks[e.Subject], h.ring.VaultID())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(o.Record, record(1)) {
		t.Errorf("record: got %s, want %s", o.Record, record(1))
	}
	// Anybody who was given the opening checks the commitment by hand.
	sum := sha256.New()
	for _, part := range [][]byte{[]byte("sayso log commitment v1\x00"), o.Salt[:], {byte(Access)}, e.Subject[:], e.ID[:], record(1)} {
		sum.Write(part)
	}
	if !bytes.Equal(sum.Sum(nil), e.Commitment[:]) {
		t.Errorf("commitment: got %x, want %x", e.Commitment, sum.Sum(nil))
	}
}

func TestTwoEntriesOfOneRecordLookUnrelated(t *testing.T) {
	h := newHouse(t, newMemory(), 1)
	s := h.people[1]
	id := privacy.NewID(noon)
	a, _ := New(h.deks[s], h.ring.VaultID(), Access, s, id, record(1))
	b, _ := New(h.deks[s], h.ring.VaultID(), Access, s, id, record(1))
	if a.Commitment == b.Commitment {
		t.Error("the same record gave the same commitment: it can be guessed")
	}
	if found := contains(a.Marshal(), "order-fulfilment"); found != nil {
		t.Errorf("the entry shows %q in the clear", found)
	}
}

func TestAnEntryMovedOrRelabelledDoesNotOpen(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	e, other := h.make(1), h.make(2)
	dek := h.deks[e.Subject]
	for name, moved := range map[string]Entry{
		"another person": {e.Kind, other.Subject, e.ID, e.Commitment, e.Sealed},
		"another kind":   {Lookup, e.Subject, e.ID, e.Commitment, e.Sealed},
		"another id":     {e.Kind, e.Subject, other.ID, e.Commitment, e.Sealed},
	} {
		if _, err := moved.Open(dek, h.ring.VaultID()); !errors.Is(err, keys.ErrIntegrity) {
			t.Errorf("%s: got %v, want ErrIntegrity", name, err)
		}
	}
	if _, err := e.Open(dek, keys.VaultID{1}); !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("another vault: got %v, want ErrIntegrity", err)
	}
	e.Commitment = other.Commitment
	if _, err := e.Open(dek, h.ring.VaultID()); !errors.Is(err, ErrCommitment) {
		t.Errorf("another commitment: got %v, want ErrCommitment", err)
	}
}

// vector pins the format on disk and the commitment: they are evidence.
const vector = "01" + "03" +
	"000102030405060708090a0b0c0d0e0f" + "101112131415161718191a1b1c1d1e1f" +
	"3fdf53f807e7d24d091280de0d9722f4e1a3f17a4b97a75e5e8ab42e157f77a9" + "0101ff"

func TestTheFormatOnDiskIsPinned(t *testing.T) {
	var s privacy.SubjectID
	var id privacy.ID
	for i := range s {
		s[i], id[i] = byte(i), byte(16+i)
	}
	o := Opening{Salt: [32]byte(bytes.Repeat([]byte{7}, 32)), Record: []byte(`{"status":"given"}`)}
	e := Entry{Kind: Consent, Subject: s, ID: id, Commitment: Commit(Consent, s, id, o), Sealed: []byte{1, 1, 255}}
	if got := hex.EncodeToString(e.Marshal()); got != vector {
		t.Errorf("entry on disk:\n got %s\nwant %s", got, vector)
	}
	for k, name := range map[Kind]string{1: "access", 2: "capture", 3: "consent", 4: "ground", 5: "register", 6: "policy", 7: "key", 8: "client", 9: "lookup", 10: "start"} {
		if k.String() != name {
			t.Errorf("kind %d: got %s, want %s", k, k, name)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	seed, _ := hex.DecodeString(vector)
	f.Add(seed)
	f.Add(seed[:headerSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			if !errors.Is(err, ErrEntry) {
				t.Fatalf("got %v, want ErrEntry", err)
			}
			return
		}
		if !bytes.Equal(e.Marshal(), b) {
			t.Fatalf("accepted %x, wrote %x", b, e.Marshal())
		}
	})
}
