package command_test

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/cmd/sayso/command"
)

// spoken are the commands that a script let speak to machines.
const spoken = "SPOKEN"

// speaks runs a command with -o json: it ends with this exit code, and what it
// says on stdout is JSON, a line each, and at least one.
func speaks(ts *testscript.TestScript, _ bool, args []string) {
	exits(ts, false, append(slices.Clone(args), "-o", "json"))
	out := ts.ReadFile("stdout")
	lines := 0
	for line := range strings.Lines(out) {
		if lines++; !json.Valid([]byte(line)) {
			ts.Fatalf("got %q, want a line of JSON", line)
		}
	}
	if lines == 0 {
		ts.Fatalf("got nothing on stdout, want JSON")
	}
	ts.Setenv(spoken, ts.Getenv(spoken)+"\n"+commandOf(ts, args[2:]))
}

// commandOf is the path of the command that is called so.
func commandOf(ts *testscript.TestScript, args []string) string {
	cmd, _, err := command.Root().Find(args)
	ts.Check(err)
	return cmd.CommandPath()
}

// everyone checks that no command was left out, but those that are named.
func everyone(ts *testscript.TestScript, _ bool, but []string) {
	done := strings.Split(ts.Getenv(spoken), "\n")
	for _, path := range but {
		done = append(done, "sayso "+path)
	}
	command.Everywhere(command.Root(), func(cmd *cobra.Command) {
		if !cmd.HasParent() || cmd.Hidden || !cmd.Runnable() || cmd.Annotations[command.OnlyHolds] != "" {
			return
		}
		if !slices.Contains(done, cmd.CommandPath()) {
			ts.Logf("%s: nothing shows what it says with -o json: give it a line in json.txtar", cmd.CommandPath())
			ts.Setenv("SILENT", "1")
		}
	})
	if ts.Getenv("SILENT") != "" {
		ts.Fatalf("commands were left out")
	}
}
