package command_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// erasureKills is how many erasures are killed, each at another of the moments
// between the first file that is synced and the certificate.
const erasureKills = 24

// The process that erases Ana is killed, as kill -9 does, between her erasure and
// the end of the turn of keys. Whoever starts next finds her as she was, if nobody
// had been told anything; or finishes it to the certificate, and of her wrapped
// keys, her values and the row that found her nothing is left in any file. Ben is as he was.
func TestAnErasureWhoseProcessIsKilledIsFinished(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(map[string]any{"given_name": "Anahita", "email": "ana@example.org"})
	ben := v.As("web").Capture(map[string]any{"given_name": "Ben", "email": "ben@example.org"})
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(map[string]any{"given_name": "Anahita"})
	hers := sealedOf(t, v, ana.ID)
	v.Stop()
	kills := erasureKills
	if testing.Short() {
		kills = 6
	}

	whole := copyFolder(t, v.Dir)
	out, err := exec.Command("killed", "0", "erase", whole, ana.ID.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	steps, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || steps < erasureKills {
		t.Fatalf("an erasure takes %d steps (%v): too few to be killed at", steps, err)
	}
	asked := 0
	for kill := range kills {
		step := 1 + kill*(steps-1)/(kills-1)
		dir := copyFolder(t, v.Dir)
		killed := killedAt(t, step, "erase", dir, ana.ID.String())
		if killed && kill%3 == 2 { // and killed again where it goes on
			killedAt(t, 1+step/3, "erase", dir, ana.ID.String()) // or done before
		}
		r := reopened(t, v, dir)
		all, err := r.Requests(t.Context(), r.Officer, privacy.RequestID{}, 10)
		switch {
		case err != nil:
			t.Error(err)
		case len(all) == 0:
			r.As("web").For("order-fulfilment").Read(ana, "given_name").Released(map[string]any{"given_name": "Anahita"})
		case len(all) > 1:
			t.Errorf("killed at %d of %d: got %d requests, want one", step, steps, len(all))
		default:
			asked++
			r.As("web").For("order-fulfilment").Read(ana, "given_name").Refused(vault.CodeUnknownSubject)
			if q := waitCompleted(t, r, all[0].ID); q.Certificate == "" {
				t.Errorf("killed at %d of %d: no certificate: %+v", step, steps, q)
			}
		}
		r.As("web").For("order-fulfilment").Read(vaulttest.By("email", "ben@example.org"), "given_name").Released(map[string]any{"given_name": "Ben"})
		r.As("web").For("order-fulfilment").Read(ben, "given_name").Released(map[string]any{"given_name": "Ben"})
		if _, err := r.VerifyLog(t.Context(), nil); err != nil {
			t.Errorf("verifying the log: %v", err)
		}
		r.Stop()
		if len(all) == 1 {
			for _, file := range []string{"vault.db", "keys.db"} {
				b, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				for what, row := range hers {
					if bytes.Contains(b, row) {
						t.Errorf("%s still lies in %s", what, file)
					}
				}
			}
		}
		if t.Failed() {
			t.Fatalf("killed at %d of %d: %v", step, steps, killed)
		}
	}
	if asked < kills/2 {
		t.Errorf("%d of %d were killed after she was to be erased: too few to tell anything", asked, kills)
	}
}

// reopened brings up a vault that was killed, with the keyring that lies there.
func reopened(t *testing.T, was *vaulttest.Vault, dir string) *vaulttest.Vault {
	t.Helper()
	sealed, err := os.ReadFile(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	r := was.At(dir)
	if r.Keyring, err = keys.Open(sealed, vaulttest.Root()); err != nil {
		t.Fatal(err)
	}
	if err := r.Reopen(); err != nil {
		t.Fatalf("bringing up what was killed: %v", err)
	}
	return r
}

// waitCompleted waits until the background has completed a request.
func waitCompleted(t *testing.T, v *vaulttest.Vault, id privacy.RequestID) *vault.Request {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		q, err := v.Request(t.Context(), v.Officer, id)
		if err != nil {
			t.Fatal(err)
		}
		if q.Status == vault.RequestCompleted || time.Now().After(deadline) {
			return q
		}
	}
}

// sealedOf returns what lies in the stores of a person: their wrapped keys, their
// values, and the key of the row that finds them.
func sealedOf(t *testing.T, v *vaulttest.Vault, id privacy.SubjectID) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	place := v.Keyring.Place(id)
	row := func(what string, bucket store.Bucket) func(store.Snapshot) error {
		return func(s store.Snapshot) error {
			b, err := s.Get(bucket, place)
			if len(b) > 0 {
				found[what] = bytes.Clone(b)
			}
			return err
		}
	}
	err := errors.Join(v.Keys.View(t.Context(), row("her wrapped key", "deks")), v.Store.View(t.Context(), row("her profile", "profiles")),
		v.Store.View(t.Context(), func(s store.Snapshot) error {
			return s.Scan("index", nil, nil, func(k, _ []byte) error {
				if bytes.HasSuffix(k, place) {
					found["her row of the index"] = bytes.Clone(k)
				}
				return nil
			})
		}))
	if err != nil || len(found) != 3 {
		t.Fatalf("looking for what is hers: got %d things, %v", len(found), err)
	}
	return found
}
