package command

import (
	"errors"

	"github.com/spf13/cobra"
)

func newOfficer() *cobra.Command {
	return group(&cobra.Command{
		Use:     "officer",
		Short:   "The officers, who govern the vault",
		Example: "  sayso officer add beatrix",
	}, newOfficerAdd())
}

// errOneOfficer is refused here and not by the vault, which has no route for
// it: with a second officer, changes that let more out would have to wait for
// the other's approval, and a second one who need not be asked would be a
// promise that nobody keeps.
var errOneOfficer = errors.New("a vault has one officer, the one that init made: a second is refused until one can approve what the other changes")

func newOfficerAdd() *cobra.Command {
	return &cobra.Command{
		Use:     "add NAME",
		Short:   "Add an officer",
		Long:    `add is refused: a vault has one officer, as long as changes cannot be approved by a second.`,
		Example: "  sayso officer add beatrix",
		Args:    cobra.ExactArgs(1),
		RunE:    func(*cobra.Command, []string) error { return errOneOfficer },
	}
}
