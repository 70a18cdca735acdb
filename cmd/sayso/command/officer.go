package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

func newOfficer() *cobra.Command {
	return group(&cobra.Command{
		Use:   "officer",
		Short: "The officers, who govern the vault: list, add, remove, approve",
		Long: `As soon as there are two officers, whatever can let more out waits for the other
one: a register, rules, a rollback, a third officer, the removal of one. What can
only let less out is done at once by any of them.`,
		Example: `  sayso officer add beatrix
  sayso officer list`,
	},
		newOfficerList(),
		newOfficerAdd(),
		newOfficerRemove(),
		newOfficerApprove(),
		newOfficerReject(),
		newOfficerSecret(),
	)
}

func newOfficerList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "The officers, and what is proposed about them",
		Example: "  sayso officer list\n  sayso officer list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			all, err := c.Officers(cmd.Context())
			if err != nil {
				return err
			}
			return answer(cmd, &wire.OfficerList{Officers: all}, func(w io.Writer) error {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "OFFICER\tCLIENT ID\tSTATE\tSECRETS")
				for _, o := range all {
					state := map[string]string{"add": "proposed by " + o.ProposedBy, "remove": "removal proposed by " + o.ProposedBy}[o.Pending]
					if state == "" {
						state = "active"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", o.Name, o.ClientID, state, secretsLine(o.Secrets))
				}
				return t.Flush()
			})
		},
	}
}

// secretsLine names the secrets that are good.
func secretsLine(all []wire.Secret) string {
	var live []string
	for _, s := range all {
		if !s.Revoked {
			live = append(live, s.ID+" of "+s.Created.UTC().Format(time.DateOnly))
		}
	}
	return strings.Join(live, ", ")
}

func newOfficerAdd() *cobra.Command {
	var dir, passphraseFile string
	var link bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add an officer: the second at once, others when another officer approved it",
		Long: `add makes an officer and prints the credentials once. Only the first officer adds
one alone, the second; after that another officer approves it, with sayso officer
approve, and is shown the credentials.

With --link the new officer gets no secret that somebody else has seen, but a link
to the console that works once.

With --dir it works on the folder itself, which nobody may serve meanwhile, and
asks for the passphrase instead of anybody's approval: who is locked out gets in
so. An officer who is there already gets a new secret in the place of the others.
The log says that it was done by the root key.`,
		Example: `  sayso officer add beatrix
  sayso officer add beatrix -o json
  sayso officer add beatrix --link
  sayso officer add beatrix --dir ./vault`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir != "" && link {
				return misuse("--dir and --link do not go together: a link is for a vault that is served")
			}
			if dir != "" {
				return mendOfficers(cmd, dir, passphraseFile, func(ctx context.Context, v *vault.Vault) (*vault.OfficerChange, error) {
					return v.MendOfficers(ctx, args[0])
				})
			}
			c, err := remote()
			if err != nil {
				return err
			}
			add := c.AddOfficer
			if link {
				add = c.InviteOfficer
			}
			change, err := add(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return showOfficer(cmd, change)
		},
	}
	mendFlags(cmd, &dir, &passphraseFile)
	cmd.Flags().BoolVar(&link, "link", false, "make a link to the console that works once, in the place of a secret")
	return cmd
}

func newOfficerRemove() *cobra.Command {
	var dir, passphraseFile string
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an officer, when another one approved it",
		Long: `remove ends what an officer may do, once another officer approved it. Where there
are two, that is the one who is to be removed. With --dir and the passphrase
nobody is asked; the log says so.`,
		Example: `  sayso officer remove beatrix
  sayso officer remove beatrix --dir ./vault`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(officers()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir != "" {
				return mendOfficers(cmd, dir, passphraseFile, func(ctx context.Context, v *vault.Vault) (*vault.OfficerChange, error) {
					return v.MendRemoveOfficer(ctx, args[0])
				})
			}
			c, err := remote()
			if err != nil {
				return err
			}
			change, err := c.RemoveOfficer(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return showOfficer(cmd, change)
		},
	}
	mendFlags(cmd, &dir, &passphraseFile)
	return cmd
}

func newOfficerApprove() *cobra.Command {
	return &cobra.Command{
		Use:               "approve NAME",
		Short:             "Do what another officer proposed about one",
		Example:           "  sayso officer approve carla",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(officers()),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			change, err := c.ApproveOfficer(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return showOfficer(cmd, change)
		},
	}
}

func newOfficerReject() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:               "reject NAME --reason WHY",
		Short:             "End a proposal about an officer",
		Example:           `  sayso officer reject carla --reason "two are enough"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(officers()),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			change, err := c.RejectOfficer(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			return showOfficer(cmd, change)
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

// reasonFlag is how a rejection gets its words, which it must have.
func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "why, for the author and the log")
	reject := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*reason) == "" {
			return misuse("--reason is missing: say why, for the author and the log")
		}
		return reject(cmd, args)
	}
}

func newOfficerSecret() *cobra.Command {
	var revoke string
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Make yourself a second secret, or revoke one of yours",
		Long: `secret makes the officer who calls a second secret, shown once. Who was added by
somebody else does it first of all, and then revokes the one that the other saw.`,
		Example: `  sayso officer secret
  sayso officer secret --revoke 7k2m9qx4w5e6r7t8`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(os.Getenv(envClientID), "officer.")
			if revoke != "" {
				if err := c.RevokeOfficerSecret(cmd.Context(), name, revoke); err != nil {
					return err
				}
				return answer(cmd, &wire.Done{Status: "revoked"}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "Secret %s is revoked.\n", revoke)
					return err
				})
			}
			change, err := c.NewOfficerSecret(cmd.Context(), name)
			if err != nil {
				return err
			}
			return showOfficer(cmd, change)
		},
	}
	cmd.Flags().StringVar(&revoke, "revoke", "", "ID of the secret to end (see `sayso officer list`)")
	return cmd
}

func showOfficer(cmd *cobra.Command, c *wire.OfficerChange) error {
	return answer(cmd, c, func(w io.Writer) error {
		switch {
		case c.ClientSecret != "":
			fmt.Fprintf(w, "Credentials of officer %s, shown this once:\n", c.Name)
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintf(t, "  CLIENT ID\tCLIENT SECRET\n  %s\t%s\n", c.ClientID, c.ClientSecret)
			return t.Flush()
		case c.Enrolment != "":
			_, err := fmt.Fprintf(w, "A link for officer %s, shown this once. It works once, until %s:\n  %s%s\n", c.Name,
				c.EnrolmentUntil.UTC().Format(time.RFC3339), strings.TrimSuffix(os.Getenv(envURL), "/"), c.Enrolment)
			return err
		case c.Status == vault.StatusPending:
			_, err := fmt.Fprintf(w, "This is pending: another officer approves it with `sayso officer approve %s`.\n", c.Name)
			return err
		}
		_, err := fmt.Fprintf(w, "%s: %s.\n", c.Name, c.Status)
		return err
	})
}

func mendFlags(cmd *cobra.Command, dir, passphraseFile *string) {
	cmd.Flags().StringVar(dir, "dir", "", "folder of a vault that nobody serves: by its passphrase, without anybody's approval")
	cmd.Flags().StringVar(passphraseFile, "passphrase-file", "", "file that holds the passphrase, with --dir (default: SAYSO_PASSPHRASE, else asked for)")
	_ = cmd.RegisterFlagCompletionFunc("dir", folders)
	_ = cmd.RegisterFlagCompletionFunc("passphrase-file", anyFile)
}

// mendOfficers changes officers of a folder that nobody serves.
func mendOfficers(cmd *cobra.Command, dir, passphraseFile string, change func(context.Context, *vault.Vault) (*vault.OfficerChange, error)) (err error) {
	root, err := rootKey(cmd, passphraseFile, false)
	if err != nil {
		return err
	}
	f, err := openFolder(cmd.Context(), dir, root, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out, err := change(cmd.Context(), f.vault)
	var refused *vault.Error
	if errors.As(err, &refused) {
		return errors.New(refused.Detail + fieldsOf(refused))
	}
	if err != nil {
		return err
	}
	shown := &wire.OfficerChange{Name: out.Name, Status: out.Status, Secret: out.SecretID}
	if c := out.Credentials; c != nil {
		shown.ClientID, shown.ClientSecret = c.ClientID, c.ClientSecret
	}
	return showOfficer(cmd, shown)
}

// fieldsOf names the members that a refusal is about.
func fieldsOf(refused *vault.Error) (text string) {
	for _, f := range refused.Fields {
		text += "; " + f.Field + ": " + f.Detail
	}
	return text
}
