package command

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command says what it is for and shows how it is typed.
func TestEveryCommandHasAnExample(t *testing.T) {
	everywhere(newRoot(), func(cmd *cobra.Command) {
		if !cmd.Runnable() { // a page of help
			return
		}
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s: got no summary or no example, want both", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.Contains(line, "sayso ") {
				t.Errorf("%s: its example %q types no command", cmd.CommandPath(), line)
			}
		}
	})
}

// A secret is gone from the environment once it was read: from this process,
// from its children, and from what the kernel shows of it.
func TestASecretLeavesTheEnvironment(t *testing.T) {
	const name, secret = "SAYSO_PASSPHRASE", "correct horse battery staple"
	if os.Getenv("SAYSO_TEST_ENVIRONMENT") == "" {
		child := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		child.Env = append(os.Environ(), "SAYSO_TEST_ENVIRONMENT=1", name+"="+secret, "SAYSO_OTHER=stays")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if got, ok := fromEnv(name); got != secret || !ok {
		t.Fatalf("reading it: got %q, want %q", got, secret)
	}
	if got, ok := fromEnv(name); ok {
		t.Errorf("reading it again: got %q, want nothing", got)
	}
	if out, err := exec.Command("env").Output(); err != nil || strings.Contains(string(out), name) {
		t.Errorf("a child gets it, or cannot be asked: %v", err)
	}
	shown, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		t.Skipf("the system shows no environment: %v", err)
	}
	if strings.Contains(string(shown), secret) || !strings.Contains(string(shown), "SAYSO_OTHER=stays") {
		t.Errorf("/proc/self/environ still shows it, or lost another")
	}
}
