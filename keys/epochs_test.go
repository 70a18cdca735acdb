package keys_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// A whole turn of both kinds: what is new is used at once, what is old still
// opens, and once it is dropped nothing opens it, while everything else of the
// keyring stays as it was.
func TestEpochsTurn(t *testing.T) {
	old, who := newKeyring(t), privacy.NewSubjectID()
	dek := newDEK(t, old)
	wrapped, err := old.Wrap(who, dek, dek)
	if err != nil {
		t.Fatal(err)
	}
	must := func(k *keys.Keyring, err error) *keys.Keyring {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		again, err := keys.Open(sealFile(t, k, quick("open sesame")), quick("open sesame"))
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	now := time.Unix(1_900_000_000, 0)
	both := must(must(old.WithNewKEK(now)).WithNewIndex(now))
	if !slices.Equal(both.KEKEpochs(), []uint32{1, 2}) || !slices.Equal(both.IndexEpochs(), []uint32{1, 2}) || both.KEKEpoch() != 2 {
		t.Errorf("epochs in the turn: got %v and %v", both.KEKEpochs(), both.IndexEpochs())
	}
	opened, err := both.Unwrap(wrapped, who, keys.Values)
	if err != nil {
		t.Fatal(err)
	}
	again, err := both.Wrap(who, opened, opened)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string][]byte{"wrapped before": wrapped, "wrapped again": again} {
		if _, err := both.Unwrap(w, who, keys.Values); err != nil {
			t.Errorf("%s, in the turn: %v", name, err)
		}
	}
	if epoch, err := keys.WrappedUnder(again); epoch != 2 || err != nil {
		t.Errorf("wrapped again: got epoch %d, %v, want 2", epoch, err)
	}
	before, _ := both.BlindIndexAt(1, "email", "someone@example.org")
	after, _ := both.BlindIndexAt(2, "email", "someone@example.org")
	if before != old.BlindIndex("email", "someone@example.org") || after == before {
		t.Error("the blind index of the epoch before changed, or did not turn")
	}

	turned := must(must(both.DropKEK(1)).DropIndex(1))
	if _, err := turned.Unwrap(wrapped, who, keys.Values); !errors.Is(err, keys.ErrEpoch) || !errors.Is(err, keys.ErrIntegrity) {
		t.Errorf("an old wrapped key after the turn: got %v, want ErrEpoch and ErrIntegrity", err)
	}
	if _, err := old.Unwrap(again, who, keys.Values); !errors.Is(err, keys.ErrEpoch) {
		t.Errorf("the old keyring on a new wrapped key: got %v, want ErrEpoch", err)
	}
	if _, err := turned.BlindIndexAt(1, "email", "someone@example.org"); !errors.Is(err, keys.ErrEpoch) {
		t.Errorf("the old blind index: got %v, want ErrEpoch", err)
	}
	if back, err := turned.Unwrap(again, who, keys.Values); err != nil {
		t.Errorf("a key wrapped again: %v", err)
	} else if sealed, err := keys.Seal(dek, keys.Binding{Field: "x"}, []byte("y")); err != nil {
		t.Error(err)
	} else if plain, err := keys.Unseal(back, keys.Binding{Field: "x"}, sealed); err != nil || string(plain) != "y" {
		t.Errorf("it is another key: %v", err)
	}
	if turned.VaultID() != old.VaultID() || turned.MAC("a") != old.MAC("a") || turned.SecretHash("a", "b") != old.SecretHash("a", "b") || !bytes.Equal(turned.Place(who), old.Place(who)) ||
		turned.EvidenceKeys()[0].ID != old.EvidenceKeys()[0].ID {
		t.Error("something else of the keyring turned too")
	}
	if next := must(turned.WithNewKEK(now)); next.KEKEpoch() != 3 {
		t.Errorf("the next turn: got epoch %d, want 3: none is used twice", next.KEKEpoch())
	}
	if len(old.KEKEpochs()) != 1 {
		t.Error("a keyring changed")
	}
}

func TestTheKeyInUseIsNotDropped(t *testing.T) {
	k := newKeyring(t)
	for name, drop := range map[string]func(uint32) (*keys.Keyring, error){"KEK": k.DropKEK, "blind index": k.DropIndex} {
		if got, err := drop(1); got != nil || err == nil || errors.Is(err, keys.ErrEpoch) {
			t.Errorf("%s in use: got %v, %v", name, got, err)
		}
		if got, err := drop(2); got != nil || !errors.Is(err, keys.ErrEpoch) {
			t.Errorf("%s that is not there: got %v, %v, want ErrEpoch", name, got, err)
		}
	}
}
