package command

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func newChannel() *cobra.Command {
	return group(&cobra.Command{
		Use:   "channel",
		Short: "The channels' credentials: list, rotate, suspend, resume",
		Example: `  sayso channel list
  sayso channel suspend web`,
		SuggestFor: []string{"client", "secret", "suspend", "resume"},
	},
		newChannelList(),
		newChannelSecret(),
		turnChannel("suspend", "Stop a channel at once", (*client.Client).SuspendChannel),
		turnChannel("resume", "Let a suspended channel go on", (*client.Client).ResumeChannel),
	)
}

func newChannelList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "The channels and the IDs of their secrets",
		Example: "  sayso channel list\n  sayso channel list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			all, err := c.Channels(cmd.Context())
			if err != nil {
				return err
			}
			return answer(cmd, &wire.ChannelList{Channels: all}, func(w io.Writer) error { return showChannels(w, all) })
		},
	}
}

func showChannels(w io.Writer, all []wire.Channel) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There are no channels: apply a register that has some.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHANNEL\tKIND\tSTATE\tSECRETS")
	for _, c := range all {
		state := "active"
		if c.Suspended {
			state = "suspended"
		}
		secrets := ""
		for _, s := range c.Secrets {
			if s.Revoked {
				continue
			}
			if secrets != "" {
				secrets += ", "
			}
			secrets += s.ID + " of " + s.Created.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.ID, c.Kind, state, secrets)
	}
	return t.Flush()
}

func newChannelSecret() *cobra.Command {
	var revoke string
	cmd := &cobra.Command{
		Use:   "secret CHANNEL",
		Short: "Make a channel a second secret, or revoke one",
		Long: `secret makes a second secret, shown once. Two can be live, so a secret is
rotated in three steps: make one, put it in use, revoke the old one. Revoking
ends every token that was got with the secret at once.`,
		Example: `  sayso channel secret web
  sayso channel secret web --revoke 7k2m9qx4w5e6r7t8`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(channels()),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			id := privacy.ChannelID(args[0])
			if revoke != "" {
				if err := c.RevokeSecret(cmd.Context(), id, revoke); err != nil {
					return err
				}
				return answer(cmd, &wire.Done{Status: "revoked"}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "Secret %s of %s is revoked.\n", revoke, id)
					return err
				})
			}
			made, err := c.NewSecret(cmd.Context(), id)
			if err != nil {
				return err
			}
			return answer(cmd, made, func(w io.Writer) error {
				fmt.Fprintf(w, "Secret %s, shown this once:\n", made.Secret)
				return showCredentials(w, *made)
			})
		},
	}
	cmd.Flags().StringVar(&revoke, "revoke", "", "ID of the secret to end (see `sayso channel list`)")
	completes(cmd, map[string]completer{"revoke": liveSecrets()})
	return cmd
}

func turnChannel(verb, short string, turn func(*client.Client, context.Context, privacy.ChannelID) (*wire.Channel, error)) *cobra.Command {
	return &cobra.Command{
		Use:               verb + " CHANNEL",
		Short:             short,
		Example:           "  sayso channel " + verb + " web",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(channels()),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			now, err := turn(c, cmd.Context(), privacy.ChannelID(args[0]))
			if err != nil {
				return err
			}
			return answer(cmd, now, func(w io.Writer) error { return showChannels(w, []wire.Channel{*now}) })
		},
	}
}
