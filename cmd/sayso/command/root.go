package command

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // time zones are the same wherever the program runs

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitDone  = 0
	exitNo    = 1 // refused, or failed
	exitUsage = 2
)

// Main runs the command line and returns the exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	root := newRoot()
	root.SetArgs(args)
	var running bool
	root.PersistentPreRun = func(*cobra.Command, []string) { running = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	tell(cmd, err)
	var usage *usageError
	if !running || errors.As(err, &usage) {
		fmt.Fprintf(cmd.ErrOrStderr(), "See: %s --help\n", cmd.CommandPath())
		return exitUsage
	}
	return exitNo
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sayso",
		Short: "A profile vault: told once, read by say-so",
		Long: `sayso keeps what people told you once, sealed, and lets each channel read only
what the person's recorded say-so allows for the purpose it names. Every read
leaves a record that the person can check.`,
		Example: `  sayso init --dir ./vault
  sayso serve --dir ./vault
  sayso apply register.yaml`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse("there is no command %q", args[0])
			}
			_ = cmd.Help()
			return misuse("a command is missing")
		},
	}
	root.PersistentFlags().VarP(new(format), "output", "o", "text for people, json for machines")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newInit(),
		newServe(),
		newApply(),
		newCapture(),
		newRead(),
		newConsent(),
		newChannel(),
		newPolicy(),
		newSubject(),
		newOfficer(),
		newLog(),
		newKeys(),
		newBackup(),
		newDemo(),
		newImport(),
		newExport(),
		newDoctor(),
		newBench(),
	)
	return root
}

// usageError is a command that was not used as it must be.
type usageError struct{ detail string }

func (e *usageError) Error() string { return e.detail }

func misuse(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// version tells which program this is.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
