package command

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
)

func newRegister() *cobra.Command {
	return group(&cobra.Command{
		Use:   "register",
		Short: "The register in force and the one that waits: show, approve, reject",
		Example: `  sayso register show
  sayso register approve 7`,
	},
		newRegisterShow(),
		newRegisterApprove(),
		newRegisterReject(),
	)
}

func newRegisterShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "The register in force, and what the one that waits would change",
		Example: "  sayso register show > register.yaml\n  sayso register show -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			now, err := c.Register(cmd.Context())
			if err != nil {
				return err
			}
			return answer(cmd, now, func(w io.Writer) error {
				// What waits goes beside it, so that the text can go into a file.
				if p := now.Pending; p != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "Revision %d waits since %s, proposed by %s:\n", p.Revision, p.At.UTC().Format(time.DateTime), p.By)
					for _, change := range p.Changes {
						fmt.Fprintln(cmd.ErrOrStderr(), changeLine(change))
					}
				}
				_, err := io.WriteString(w, now.Register)
				return err
			})
		},
	}
}

func newRegisterApprove() *cobra.Command {
	return &cobra.Command{
		Use:   "approve REVISION",
		Short: "Put in force the register that another officer proposed",
		Long: `approve puts a register in force that waits, for every read from then on. New
channels have no secret yet: make one with sayso channel secret.`,
		Example: "  sayso register approve 7",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return turnRegister(cmd, args[0], func(number uint64) (*wire.Applied, error) {
				c, err := remote()
				if err != nil {
					return nil, err
				}
				return c.ApproveRegister(cmd.Context(), number)
			})
		},
	}
}

func newRegisterReject() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "reject REVISION --reason WHY",
		Short:   "End the proposal of a register",
		Example: `  sayso register reject 7 --reason "birthdays are not needed for delivery"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return turnRegister(cmd, args[0], func(number uint64) (*wire.Applied, error) {
				c, err := remote()
				if err != nil {
					return nil, err
				}
				return c.RejectRegister(cmd.Context(), number, reason)
			})
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

func turnRegister(cmd *cobra.Command, text string, turn func(uint64) (*wire.Applied, error)) error {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return misuse("%q is no revision: expected a number", text)
	}
	done, err := turn(number)
	if err != nil {
		return err
	}
	return answer(cmd, done, func(w io.Writer) error { return showApplied(w, done, false) })
}
