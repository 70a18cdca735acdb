package vault_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// holding is what somebody has of a vault in which Ana was erased, and Ben was
// not: each file as it was before (old) or as it is today.
type holding struct {
	data, keys, keyring string // folders; none: not had
	passphrase          bool
}

// look says what of a person opens with what is held, and whether an identifier
// can be told to have been somebody's.
func (h holding) look(t *testing.T, who privacy.SubjectID, email string) (opens []string, guessed bool) {
	t.Helper()
	if h.data == "" || h.keyring == "" || !h.passphrase {
		return nil, false // nothing below opens without the keyring: TestTheWrongRootKeyIsRefusedClearly
	}
	sealed, err := os.ReadFile(filepath.Join(h.keyring, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(sealed, vaulttest.Root())
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	if err := copyFile(filepath.Join(work, "vault.db"), filepath.Join(h.data, "vault.db")); err != nil {
		t.Fatal(err)
	}
	data, err := bolt.OpenOld(filepath.Join(work, "vault.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	guessed = vault.Guesses(t.Context(), data, ring, "email", email)
	if h.keys == "" {
		return nil, guessed
	}
	if err := copyFile(filepath.Join(work, "keys.db"), filepath.Join(h.keys, "keys.db")); err != nil {
		t.Fatal(err)
	}
	deks, err := bolt.Open(bolt.Config{Path: filepath.Join(work, "keys.db"), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer deks.Close()
	return vault.Reads(t.Context(), data, deks, ring, who), guessed
}

// Who holds which copies from before an erasure, and what of them can be read:
// the table of SECURITY.md, row by row.
func TestWhoHoldsWhichOldCopyReadsWhat(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(told("given_name", "Anahita", "email", "ana@example.org"))
	ben := v.As("web").Capture(told("given_name", "Ben", "email", "ben@example.org"))
	old := copyOf(t, v)
	completed(t, v, erase(t, v, ana).ID)
	v.As("web").For("order-fulfilment").Read(ben, "given_name").Released(told("given_name", "Ben"))
	v.Stop()
	now := v.Dir

	for _, row := range []struct {
		story string
		h     holding
		ana   bool // her values open
		ben   bool
		guess bool // that her e-mail was somebody's
	}{
		{"old data", holding{data: old}, false, false, false},
		{"old data and keys, no keyring", holding{data: old, keys: old, passphrase: true}, false, false, false},
		{"old data, keys and keyring, no passphrase", holding{data: old, keys: old, keyring: old}, false, false, false},
		{"old data, all of today's keys", holding{old, now, now, true}, false, true, false},
		{"old data and keys, today's keyring", holding{old, old, now, true}, false, false, false},
		{"old data and keyring, today's keys.db", holding{old, now, old, true}, false, false, true},
		{"old data and keyring", holding{old, "", old, true}, false, false, true},
		{"old keys and keyring, today's data", holding{now, old, old, true}, false, true, false}, // his key is the same, only wrapped anew
		{"today's data and keys, the old keyring", holding{now, now, old, true}, false, false, false},
		{"the live host", holding{now, now, now, true}, false, true, false},
		{"old data, keys and keyring", holding{old, old, old, true}, true, true, true},
	} {
		t.Run(row.story, func(t *testing.T) {
			hers, guessed := row.h.look(t, ana.ID, "ana@example.org")
			his, _ := row.h.look(t, ben.ID, "ben@example.org")
			if got := strings.Contains(strings.Join(hers, " "), "Anahita"); got != row.ana || !row.ana && len(hers) > 0 {
				t.Errorf("of Ana, who was erased, opens %v, want that it opens: %v", hers, row.ana)
			}
			if got := strings.Contains(strings.Join(his, " "), "Ben"); got != row.ben {
				t.Errorf("of Ben opens %v, want that it opens: %v", his, row.ben)
			}
			if guessed != row.guess {
				t.Errorf("whether her e-mail was somebody's: got %v, want %v", guessed, row.guess)
			}
		})
	}
	// What old keys opened is not in today's files either, wherever they are looked
	// at: not the wrapped key, not the row of the index.
	for name, was := range remnants(t, old, ana.ID, v.Keyring) {
		for _, file := range []string{"vault.db", "keys.db"} {
			b, err := os.ReadFile(filepath.Join(now, file))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), was) {
				t.Errorf("%s still lies in %s", name, file)
			}
		}
	}
}

// remnants are what was stored of a person, as it lay in the files.
func remnants(t *testing.T, dir string, id privacy.SubjectID, ring *keys.Keyring) map[string]string {
	t.Helper()
	found := map[string]string{}
	place := ring.Place(id)
	deks, err := bolt.Open(bolt.Config{Path: filepath.Join(dir, "keys.db"), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer deks.Close()
	data, err := bolt.OpenOld(filepath.Join(dir, "vault.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	look := func(name string, bucket store.Bucket) func(store.Snapshot) error {
		return func(s store.Snapshot) error {
			row, err := s.Get(bucket, place)
			if len(row) > 0 {
				found[name] = string(row)
			}
			return err
		}
	}
	if err := deks.View(t.Context(), look("the wrapped key", "deks")); err != nil {
		t.Fatal(err)
	}
	if err := data.View(t.Context(), look("the profile", "profiles")); err != nil {
		t.Fatal(err)
	}
	err = data.View(t.Context(), func(s store.Snapshot) error {
		return s.Scan("index", nil, nil, func(key, _ []byte) error {
			if strings.HasSuffix(string(key), string(place)) {
				found["a row of the index"] = string(key)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 {
		t.Fatalf("what to look for: got %d things, want a key, a profile and a row of the index", len(found))
	}
	return found
}
