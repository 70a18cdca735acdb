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
		Short: "The register in force and the one that waits: show, replay, approve, reject",
		Example: `  sayso register show
  sayso register approve 7`,
	},
		newRegisterShow(),
		newRegisterReplay(),
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
					if err := seen(cmd.ErrOrStderr(), func(beside io.Writer) error {
						fmt.Fprintf(beside, "Revision %d waits since %s, proposed by %s:\n", p.Revision, p.At.UTC().Format(time.DateTime), p.By)
						for _, change := range p.Changes {
							fmt.Fprintln(beside, changeLine(change))
						}
						return nil
					}); err != nil {
						return err
					}
				}
				_, err := io.WriteString(w, now.Register)
				return err
			})
		},
	}
}

func newRegisterReplay() *cobra.Command {
	var p period
	cmd := &cobra.Command{
		Use:   "replay FILE | REVISION",
		Short: "Say what a register would have changed in what really happened",
		Long: `replay decides every recorded read again under a register: one in a file, which is
not kept, or the one that waits, by its number. It says how many decisions change,
of how many people, and how. What people said stays as they said it: a field that
comes to a purpose is released only where their consent covered it before. Nothing
is put in force, no value is opened, and reads do not wait for it.`,
		Example: `  sayso register replay register.yaml
  sayso register replay 7 --from 2026-03-01`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(files("yaml", "yml")),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := p.request()
			if err != nil {
				return err
			}
			c, err := remote()
			if err != nil {
				return err
			}
			return replays(cmd, func(progress func(done, of uint64)) (*wire.Replay, error) {
				if number, err := strconv.ParseUint(args[0], 10, 64); err == nil {
					return c.ReplayPendingRegister(cmd.Context(), number, in, progress)
				}
				text, err := readInput(cmd, args[0], "the register")
				if err != nil {
					return nil, err
				}
				out, err := c.ReplayRegister(cmd.Context(), text, in, progress)
				return out, inFile(err, args[0])
			})
		},
	}
	p.flags(cmd)
	return cmd
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
