package command

import "github.com/spf13/cobra"

// newEnvironment is a page of help, not a command.
func newEnvironment() *cobra.Command {
	return &cobra.Command{
		Use:   "environment",
		Short: "The variables that sayso looks at",
		Long: `Commands of officers and of channels, which talk to a served vault, look at

  SAYSO_URL            where it is served (default: http://127.0.0.1:8650)
  SAYSO_CLIENT_ID      who calls: an officer, or a channel
  SAYSO_CLIENT_SECRET  the secret that init, apply or channel secret printed
  SSL_CERT_FILE        certificates to trust instead of the system's, where the
                       vault has one of your own

Commands of a person ("sayso me") look at SAYSO_URL too, and at

  SAYSO_SESSION        the token of your session, which sayso me enter and sayso
                       me login print, unless --session-file names a file of it

Commands that open a vault's folder (--dir) look at

  SAYSO_PASSPHRASE     what its keyring is sealed under, unless
                       --passphrase-file names a file that holds it

serve, moreover, looks at

  OTEL_EXPORTER_OTLP_ENDPOINT  where traces are sent, and the other variables of
                               OpenTelemetry; without it there are none
  GOGC, GOMEMLIMIT             how much memory it may take, as any Go program

backup and restore, where a copy lies in an object store, at

  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the other
                       variables of AWS

and what tells people something, at

  ` + noColour + `             set to anything: no colour, not even on a terminal

A secret or passphrase is removed from the environment once it was read, so that
no child gets it and no listing of processes shows it.`,
	}
}
