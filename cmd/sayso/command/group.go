package command

import (
	"strings"

	"github.com/spf13/cobra"
)

// group makes a command that only holds others: without one of them it is used
// wrongly.
func group(cmd *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(verbs...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var names []string
		for _, v := range verbs {
			names = append(names, v.Name())
		}
		if len(args) > 0 {
			return misuse("there is no %q here, only %s", args[0], strings.Join(names, ", "))
		}
		return misuse("one of %s is missing", strings.Join(names, ", "))
	}
	return cmd
}
