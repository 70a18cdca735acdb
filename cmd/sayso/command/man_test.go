package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Each command has its manual page, which says what its help says, and which
// a reader of manual pages can read.
func TestEveryCommandHasAPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	root := newRoot()
	root.SetArgs([]string{"man", dir})
	root.SetOut(new(strings.Builder))
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	everywhere(newRoot(), func(cmd *cobra.Command) {
		if cmd.Hidden || !cmd.Runnable() {
			return
		}
		path := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%s: %v", cmd.CommandPath(), err)
			return
		}
		plain := strings.ReplaceAll(string(text), `\-`, "-")
		for _, want := range []string{cmd.Short, strings.TrimSpace(cmd.Example)} {
			if first, _, _ := strings.Cut(want, "\n"); !strings.Contains(plain, strings.ReplaceAll(first, `\`, `\\`)) {
				t.Errorf("%s lacks %q:\n%s", path, first, text)
			}
		}
	})
	page, err := os.ReadFile(filepath.Join(dir, "sayso.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"COMMANDS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLE"} {
		if !strings.Contains(string(page), "\n.SH "+section+"\n") {
			t.Errorf("sayso.1 has no section %s", section)
		}
	}
	if _, err := exec.LookPath("man"); err != nil {
		return
	}
	read := exec.Command("man", "-l", filepath.Join(dir, "sayso.1"), filepath.Join(dir, "sayso-import.1"))
	read.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=100")
	shown, err := read.CombinedOutput()
	if err != nil {
		t.Fatalf("man: %v\n%s", err, shown)
	}
	for _, want := range []string{"\n         SAYSO_URL            where", "\n         fields:\n           email: Email  "} { // as they are set in
		if !strings.Contains(string(shown), want) {
			t.Errorf("man shows no %q:\n%s", want, shown)
		}
	}
}
