package command

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// didYouMean names what was probably meant by something that is not there, or
// says nothing.
func didYouMean(meant ...string) string {
	if len(meant) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(meant, " or ") + "?"
}

// slip is that for a word that is none of some.
func slip[T ~string](typed string, words []T) string {
	if meant := privacy.Nearest(typed, words); meant != "" {
		return didYouMean(string(meant))
	}
	return ""
}

// near returns the commands that may have been meant by one that is not there,
// as they are typed: what is close by its letters, or does what the word says.
func near(cmd *cobra.Command, typed string) (names []string) {
	for _, name := range cmd.SuggestionsFor(typed) {
		names = append(names, cmd.CommandPath()+" "+name)
	}
	return names
}

// nearFlag says which flag may have been meant by one that is not there.
func nearFlag(cmd *cobra.Command, err error) error {
	var none *pflag.NotExistError
	if !errors.As(err, &none) || none.GetSpecifiedShortnames() != "" {
		return misuse("%v", err)
	}
	var all, begun []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		all = append(all, f.Name)
		if strings.HasPrefix(f.Name, none.GetSpecifiedName()) {
			begun = append(begun, "--"+f.Name)
		}
	})
	if len(begun) > 0 {
		return misuse("%v%s", err, didYouMean(begun...))
	}
	if name := privacy.Nearest(none.GetSpecifiedName(), all); name != "" {
		return misuse("%v%s", err, didYouMean("--"+name))
	}
	return misuse("%v", err)
}

// sayArgs lets a command say what it takes, where it was given more or less.
func sayArgs(cmd *cobra.Command) {
	fits := cmd.Args
	if fits == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := fits(cmd, args)
		if err == nil || errors.As(err, new(*usageError)) {
			return err
		}
		what := "that is more than it takes"
		for more := append(args[:len(args):len(args)], ""); len(more) < len(args)+4; more = append(more, "") {
			if fits(cmd, more) == nil {
				what = "something is missing"
			}
		}
		return misuse("%s: it is used as: %s", what, strings.TrimSuffix(cmd.UseLine(), " [flags]"))
	}
}
