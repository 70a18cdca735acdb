package command

import (
	"strings"

	"github.com/spf13/cobra"
)

// onlyHolds marks commands that do nothing themselves.
const onlyHolds = "only-holds"

// group makes a command that only holds others: without one of them it is used
// wrongly.
func group(cmd *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(verbs...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.Annotations = map[string]string{onlyHolds: "commands"}
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] == "help" {
			return cmd.Help()
		}
		var names []string
		for _, v := range verbs {
			names = append(names, v.Name())
		}
		if len(args) > 0 {
			return misuse("there is no %q here, only %s%s", args[0], strings.Join(names, ", "), didYouMean(near(cmd, args[0])...))
		}
		return misuse("one of %s is missing", strings.Join(names, ", "))
	}
	return cmd
}
