package command_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sayso-vault/sayso/vault/backup"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// killedAt runs a backup or a restore that is killed at a step, and reports
// whether it was: false if it had fewer steps, and is done.
func killedAt(t *testing.T, step int, verb, dir, place string) bool {
	t.Helper()
	cmd := exec.Command("killed", fmt.Sprint(step), verb, dir, place)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatalf("%s, to be killed at step %d: %v\n%s", verb, step, err, out)
	}
	return false
}

// killRounds is how often each of the two is killed: at every step once, then at
// steps that come out of a hat.
const killRounds = 100

func rounds(t *testing.T, killed func(t *testing.T, step int) bool) {
	t.Helper()
	n := killRounds
	if testing.Short() {
		n = 12
	}
	steps := 0
	for round := range n {
		step := round + 1
		if steps > 0 {
			step = 1 + rand.IntN(steps) // which step is no secret
		}
		if !killed(t, step) {
			steps = step - 1
			if step == 1 {
				t.Fatal("there is not one step to be killed at")
			}
		}
		if t.Failed() {
			t.Fatalf("round %d, killed at step %d", round, step)
		}
	}
	t.Logf("%d steps", steps)
}

func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A backup that is killed anywhere leaves only what is whole, and the next one is
// made as if nothing had happened.
func TestABackupThatIsKilledIsNone(t *testing.T) {
	v := vaulttest.New(t, nil)
	v.As("web").Capture(map[string]any{"given_name": "Anahita", "email": "ana@example.org"})
	v.Stop()
	place := backup.Folder(t.TempDir())
	check := func(_ context.Context, m *backup.Manifest) error { return m.Check(v.Keyring.MAC) }
	whole := func(t *testing.T) (n int) {
		t.Helper()
		for _, kind := range []backup.Kind{backup.Data, backup.Keys} {
			ids, err := place.Copies(t.Context(), kind)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				if _, err := backup.Verify(t.Context(), backup.Copy{Place: place, Kind: kind, ID: id}, check, nil); err != nil {
					t.Errorf("it looks whole: %v", err)
				}
				n++
			}
		}
		return n
	}
	rounds(t, func(t *testing.T, step int) bool {
		killed := killedAt(t, step, "backup", v.Dir, string(place))
		whole(t)
		return killed
	})
	if killedAt(t, 0, "backup", v.Dir, string(place)); whole(t) < 2 {
		t.Error("a backup that nobody killed is not there")
	}
	left, err := filepath.Glob(filepath.Join(string(place), "*", "unfinished-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// A restore that is killed anywhere leaves a folder that is not served, with a
// sentence that says what to do, or the restored vault; the same command goes on.
func TestARestoreThatIsKilledGoesOn(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"})
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	v.Stop()
	place := t.TempDir()
	killedAt(t, 0, "backup", v.Dir, place)
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.As("web").Capture(map[string]any{"given_name": "Ben", "email": "ben@example.org"})
	v.Stop()
	if err := errors.Join(os.Remove(filepath.Join(v.Dir, "vault.db")), os.RemoveAll(filepath.Join(v.Dir, "log"))); err != nil {
		t.Fatal(err)
	}
	restored := func(t *testing.T, dir string) {
		t.Helper()
		r := v.At(dir)
		if err := r.Reopen(); err != nil {
			t.Errorf("the restored vault: %v", err)
			return
		}
		defer r.Stop()
		r.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
		r.As("web").For("order-fulfilment").Read(ana, "given_name").Released(map[string]any{"given_name": "Anahita"})
		if _, err := r.VerifyLog(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	rounds(t, func(t *testing.T, step int) bool {
		dir := copyFolder(t, v.Dir)
		killed := killedAt(t, step, "restore", dir, place)
		if !killed {
			restored(t, dir)
			return false
		}
		_, err := os.Stat(filepath.Join(dir, "restore"))
		if out, refused := served(dir); err == nil && (!refused || !strings.Contains(out, "run the same `sayso restore --dir")) {
			t.Errorf("begun and not finished, yet serve says %q", out)
		} else if err != nil {
			restored(t, dir)
		}
		if rand.IntN(3) == 0 { // killed again where it goes on
			killedAt(t, 1+rand.IntN(8), "restore", dir, place) // likewise
		}
		if _, err := os.Stat(filepath.Join(dir, "restore")); err == nil {
			killedAt(t, 0, "restore", dir, place)
		}
		restored(t, dir)
		return true
	})
}

// served tries to open a folder as serve does, and returns what it says if it
// refuses.
func served(dir string) (out string, refused bool) {
	cmd := exec.Command("sayso", "keys", "rotate", "--dir", dir) // which would change it
	cmd.Env = append(os.Environ(), "SAYSO_PASSPHRASE=correct horse battery staple")
	b, err := cmd.CombinedOutput()
	return string(b), err != nil
}
