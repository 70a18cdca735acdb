package command

import (
	"strings"

	"github.com/spf13/cobra"
)

// newHelp is help for a command that is named, also for one that is named
// wrongly: then it says which was probably meant.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about any command",
		Example: "  sayso help import\n  sayso help environment",
		RunE: func(cmd *cobra.Command, args []string) error {
			about := cmd.Root()
			for _, name := range args {
				next := below(about, name)
				if next == nil {
					return misuse("there is no command %q%s", strings.Join(args, " "), didYouMean(near(about, name)...))
				}
				about = next
			}
			about.InitDefaultHelpFlag() // so that it is listed
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
			about := cmd.Root()
			for _, name := range args {
				if about = below(about, name); about == nil {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
			}
			for _, sub := range about.Commands() {
				if !sub.Hidden {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// below is the command of this name right below one, or nil.
func below(cmd *cobra.Command, name string) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}
