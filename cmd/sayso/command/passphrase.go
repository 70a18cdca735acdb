package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sayso-vault/sayso/keys"
)

// rootKey gets the passphrase from the file, else from SAYSO_PASSPHRASE, else
// asks for it on a terminal; a new one twice. One newline at its end is not
// part of it.
func rootKey(cmd *cobra.Command, file string, isNew bool) (keys.Root, error) {
	secret, err := passphrase(cmd, file, isNew)
	if err != nil {
		return nil, err
	}
	secret, _ = bytes.CutSuffix(secret, []byte("\n"))
	secret, _ = bytes.CutSuffix(secret, []byte("\r"))
	if len(secret) == 0 {
		return nil, errors.New("the passphrase is empty: give one that nobody guesses")
	}
	return keys.Passphrase(secret), nil
}

func passphrase(cmd *cobra.Command, file string, isNew bool) ([]byte, error) {
	// It is removed from the environment whether it is used or not.
	fromEnvironment, set := fromEnv(envPassphrase)
	if file != "" {
		secret, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the passphrase: %w", err)
		}
		return secret, nil
	}
	if set {
		return []byte(fromEnvironment), nil
	}
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, misuse("there is no passphrase: give --passphrase-file or set %s", envPassphrase)
	}
	ask := func(what string) ([]byte, error) {
		fmt.Fprint(cmd.ErrOrStderr(), what)
		defer fmt.Fprintln(cmd.ErrOrStderr())
		return term.ReadPassword(int(in.Fd()))
	}
	secret, err := ask("Passphrase of the vault: ")
	if err != nil || !isNew {
		return secret, err
	}
	again, err := ask("The same again: ")
	if err == nil && !bytes.Equal(secret, again) {
		err = errors.New("the two passphrases differ")
	}
	return secret, err
}
