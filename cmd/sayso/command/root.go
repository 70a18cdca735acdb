package command

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
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
	return run(ctx, newRoot(), args)
}

// run runs one command line.
func run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	var running bool
	root.PersistentPreRun = func(*cobra.Command, []string) { running = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	var usage *usageError
	if !running && !errors.As(err, &usage) {
		err = &usageError{err.Error()}
	}
	tell(cmd, err, forMachines(cmd) || !running && asksForMachines(args))
	if errors.As(err, &usage) {
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
leaves a record that the person can check.

"sayso demo" shows it in a minute.`,
		Example: `  sayso init --dir ./vault
  sayso serve --dir ./vault
  sayso apply register.yaml`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse("there is no command %q%s", args[0], didYouMean(near(cmd, args[0])...))
			}
			_ = cmd.Help()
			return misuse("a command is missing")
		},
		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().VarP(new(format), "output", "o", "text for people, json for machines")
	_ = root.RegisterFlagCompletionFunc("output", among(formatText, formatJSON))
	root.SetFlagErrorFunc(nearFlag)
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"run", "Run a vault:", []*cobra.Command{
			newInit(),
			newServe(),
			newDoctor(),
			newLog(),
			newKeys(),
			newBackup(),
			newRestore(),
			newBench(),
		}},
		{"govern", "Govern it, as an officer:", []*cobra.Command{
			newApply(),
			newRegister(),
			newChannel(),
			newPolicy(),
			newSubject(),
			newOfficer(),
			newExport(),
			newReport(),
		}},
		{"use", "Use it, as a channel:", []*cobra.Command{
			newCapture(),
			newImport(),
			newConsent(),
			newRead(),
			newSession(),
			newWhoami(),
		}},
		{"own", "See and steer what is known of you, as the person:", []*cobra.Command{
			newMe(),
		}},
		{"know", "Get to know it:", []*cobra.Command{
			newDemo(),
			newCompletion(),
			newMan(),
			newVersion(),
		}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommand(newHelp())
	root.SetHelpCommandGroupID("know")
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), ".CommandPathPadding}} {{", ".CommandPathPadding}}  {{", 1))
	root.AddCommand(newEnvironment())
	everywhere(root, sayArgs)
	everywhere(root, completeRest)
	return root
}

// everywhere does something to a command and to all below it.
func everywhere(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, sub := range cmd.Commands() {
		everywhere(sub, do)
	}
}

// usageError is a command that was not used as it must be.
type usageError struct{ detail string }

func (e *usageError) Error() string { return e.detail }

func misuse(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}
