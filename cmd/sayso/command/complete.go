package command

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
)

// What a shell is told when a word is completed. Nothing of a person is ever
// among it: only names that the register gives to things.

// completer answers what a word may be.
type completer = cobra.CompletionFunc

// nothing completes nothing, not even files: for what only its user knows.
func nothing(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// among completes one of some words.
func among[T ~string](words ...T) completer {
	var all []cobra.Completion
	for _, w := range words {
		all = append(all, string(w))
	}
	return cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp)
}

// files completes files of these extensions, and folders on the way to them.
func files(extensions ...string) completer {
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

// anyFile completes any file.
func anyFile(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// folders completes folders.
func folders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// arguments completes the first argument with the first, and so on; more than
// there are completers are not.
func arguments(each ...completer) completer {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(each) {
			return nothing(cmd, args, begun)
		}
		return each[len(args)](cmd, args, begun)
	}
}

// patience is how long a shell waits for a vault that does not answer.
const patience = 2 * time.Second

// fromVault completes with what the vault tells the client of the environment.
// Without one, or where that is refused, nothing is completed: whoever types
// has not asked yet.
func fromVault(ask func(context.Context, *client.Client, []string) ([]string, error)) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if os.Getenv(envClientID) == "" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := remote()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), patience)
		defer cancel()
		words, err := ask(ctx, c, args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// ofWhoami completes with what this client may do.
func ofWhoami(names func(*wire.Whoami) []string) completer {
	return fromVault(func(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
		who, err := c.Whoami(ctx)
		if err != nil {
			return nil, err
		}
		all := names(who)
		slices.Sort(all)
		return slices.Compact(all), nil
	})
}

func texts[T ~string](list []T) (all []string) {
	for _, w := range list {
		all = append(all, string(w))
	}
	return all
}

// byComma completes the last word of a list that is parted by commas with those it
// does not have yet.
func byComma(words completer) completer {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := begun[:strings.LastIndex(begun, ",")+1]
		all, directive := words(cmd, args, begun)
		var rest []cobra.Completion
		for _, w := range all {
			if !slices.Contains(strings.Split(before, ","), w) {
				rest = append(rest, before+w)
			}
		}
		return rest, directive | cobra.ShellCompDirectiveNoSpace
	}
}

// rules completes files of rules, or sets that are kept, once their ID is begun.
func rules(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if !isPolicyID(begun) {
		return files("rego")(cmd, args, begun)
	}
	return ruleSets()(cmd, args, begun)
}

// ruleSets are all that are kept, and the changes of them that wait.
func ruleSets() completer {
	return fromVault(func(ctx context.Context, c *client.Client, _ []string) (ids []string, err error) {
		all, err := c.Policies(ctx)
		for _, p := range all {
			if p.Change != nil {
				ids = append(ids, cobra.CompletionWithDesc(p.Change.Change, "submitted by "+p.Change.By))
			}
			ids = append(ids, cobra.CompletionWithDesc(p.Policy, p.Note))
		}
		return ids, err
	})
}

// officers are those who are, and those who are proposed.
func officers() completer {
	return fromVault(func(ctx context.Context, c *client.Client, _ []string) (names []string, err error) {
		all, err := c.Officers(ctx)
		for _, o := range all {
			names = append(names, o.Name)
		}
		return names, err
	})
}

// purposesHeld are those the channel may read for.
func purposesHeld() completer {
	return ofWhoami(func(w *wire.Whoami) []string { return texts(w.Purposes) })
}

// purposesAsked are those the channel reads for or asks people about.
func purposesAsked() completer {
	return ofWhoami(func(w *wire.Whoami) []string { return append(texts(w.Purposes), texts(w.Obtains)...) })
}

// fieldsRead are those of the purpose, if one is given, else of all the channel
// has.
func fieldsRead(purpose *string) completer {
	return ofWhoami(func(w *wire.Whoami) (all []string) {
		for p, fields := range maps.All(w.Fields) {
			if *purpose == "" || string(p) == *purpose {
				all = append(all, texts(fields)...)
			}
		}
		return all
	})
}

// channels are all of the register, for an officer.
func channels() completer {
	return fromVault(func(ctx context.Context, c *client.Client, _ []string) (ids []string, err error) {
		all, err := c.Channels(ctx)
		for i := range all {
			ids = append(ids, string(all[i].ID))
		}
		return ids, err
	})
}

// liveSecrets are the IDs of the secrets of the channel that is named before.
func liveSecrets() completer {
	return fromVault(func(ctx context.Context, c *client.Client, args []string) (ids []string, err error) {
		all, err := c.Channels(ctx)
		for i := range all {
			if len(args) == 0 || string(all[i].ID) != args[0] {
				continue
			}
			for _, s := range all[i].Secrets {
				if !s.Revoked {
					ids = append(ids, cobra.CompletionWithDesc(s.ID, "of "+s.Created.UTC().Format(time.DateOnly)))
				}
			}
		}
		return ids, err
	})
}

// completes says how the values of a command's flags are completed. It panics on
// a flag there is not: that is a slip of whoever wrote the command.
func completes(cmd *cobra.Command, flags map[string]completer) {
	for name, c := range flags {
		if err := cmd.RegisterFlagCompletionFunc(name, c); err != nil {
			panic(err)
		}
	}
}

// completeRest completes what the command itself says nothing of: files and
// folders where its help says that one is meant, else nothing.
func completeRest(cmd *cobra.Command) {
	if cmd.ValidArgs == nil && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = nothing
		switch {
		case strings.Contains(cmd.Use, " FILE"):
			cmd.ValidArgsFunction = anyFile
		case strings.Contains(cmd.Use, " DIR"):
			cmd.ValidArgsFunction = arguments(folders)
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if _, ok := cmd.GetFlagCompletionFunc(f.Name); ok {
			return
		}
		c := nothing
		switch word, _, _ := strings.Cut(f.Usage, " "); word {
		case "file":
			c = anyFile
		case "folder":
			c = folders
		}
		completes(cmd, map[string]completer{f.Name: c})
	})
}
