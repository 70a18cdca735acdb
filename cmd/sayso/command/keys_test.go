package command_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// rotation is the command on a folder, ready to run.
func rotation(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sayso", "keys", "rotate", "--dir", dir)
	cmd.Env = append(os.Environ(), "SAYSO_PASSPHRASE=correct horse battery staple")
	return cmd
}

// However often the process is killed, the next goes on, and in the end the
// rotation is done and everybody is there.
func TestARotationIsFinishedAfterKills(t *testing.T) {
	v := vaulttest.New(t, nil)
	web := v.As("web")
	var reqs []vault.CaptureRequest
	email := func(i int) string { return fmt.Sprintf("anahita.%d@example.org", i) }
	for i := range 3000 {
		reqs = append(reqs, vaulttest.CaptureRequest(t, map[string]any{"given_name": fmt.Sprintf("Anahita %d", i), "email": email(i)}))
	}
	outcomes, err := v.CaptureBatch(t.Context(), web.Caller, reqs)
	if err != nil {
		t.Fatal(err)
	}
	people := make([]privacy.SubjectID, len(outcomes))
	for i, o := range outcomes {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		people[i] = o.Result.Subject
	}
	v.Stop()

	killed := 0
	for after := 100 * time.Millisecond; ; after += 130 * time.Millisecond {
		cmd := rotation(t, v.Dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		alarm := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		if alarm.Stop() || err == nil {
			if err != nil {
				t.Fatalf("after %d kills: %v", killed, err)
			}
			break
		}
		killed++
	}
	t.Logf("killed %d times", killed)

	sealed, err := os.ReadFile(filepath.Join(v.Dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	if v.Keyring, err = keys.Open(sealed, vaulttest.Root()); err != nil {
		t.Fatal(err)
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	now, err := v.KeyEpochs(t.Context())
	// One that was killed when it was done already counts, and the next begins
	// another.
	if err != nil || now.Rotating || now.KEK < 2 || now.KEK != now.Index {
		t.Errorf("epochs: got %+v, %v, want both turned alike and nothing begun", now, err)
	}
	for i, id := range people {
		res, err := v.Capture(t.Context(), web.Caller, vaulttest.CaptureRequest(t, map[string]any{"email": email(i)}))
		if err != nil || res.Subject != id {
			t.Fatalf("customer %d captured again: got %v, %v", i, res, err)
		}
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
