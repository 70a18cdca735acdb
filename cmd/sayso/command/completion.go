package command

import (
	_ "embed"
	"io"

	"github.com/spf13/cobra"
)

// plainBash stands in for what the script takes from the package
// bash-completion, where that is not installed.
//
//go:embed completion.bash
var plainBash string

// shells are those there is completion for.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash": func(root *cobra.Command, w io.Writer) error {
		if err := root.GenBashCompletionV2(w, true); err != nil {
			return err
		}
		_, err := io.WriteString(w, plainBash)
		return err
	},
	"zsh":  func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
}

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Let a shell complete what is typed",
		Long: `completion writes a script by which a shell completes commands, flags and files;
and, while SAYSO_CLIENT_ID and SAYSO_CLIENT_SECRET are set, also the purposes,
fields and channels of the vault, as far as that client may know them.

In the shell at hand:

  source <(sayso completion bash)
  source <(sayso completion zsh)
  sayso completion fish | source

In every new one:

  bash  sayso completion bash > ~/.local/share/bash-completion/completions/sayso
        or, without the package bash-completion, the line above in ~/.bashrc
  zsh   sayso completion zsh > "${fpath[1]}/_sayso"
        with "autoload -U compinit; compinit" in ~/.zshrc
  fish  sayso completion fish > ~/.config/fish/completions/sayso.fish`,
		Example: `  sayso completion bash > ~/.local/share/bash-completion/completions/sayso
  sayso completion fish | source`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if forMachines(cmd) {
				return misuse("a script is for a shell, and -o json for others")
			}
			return shells[args[0]](cmd.Root(), cmd.OutOrStdout())
		},
	}
}
