package command

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
)

func newPolicy() *cobra.Command {
	return group(&cobra.Command{
		Use:   "policy",
		Short: "The officers' rules: check, activate, list",
		Example: `  sayso policy check rules.rego
  sayso policy activate rules.rego --note "no addresses by phone"`,
		SuggestFor: []string{"rules", "rego", "activate"},
	},
		newPolicyCheck(),
		newPolicyActivate(),
		newPolicyList(),
	)
}

func newPolicyCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Say what is wrong with rules, and keep nothing",
		Long: `check compiles modules of rego against the register in force, together and as
they would be put in force, and shows each problem with its file and line.`,
		Example:           "  sayso policy check rules.rego rules_test.rego",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: files("rego"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			byName, in, err := readModules(cmd, args)
			if err != nil {
				return err
			}
			if err := c.CheckPolicy(cmd.Context(), in); err != nil {
				return inModules(err, byName)
			}
			return answer(cmd, &wire.Done{Status: "checked"}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "The rules can be put in force.")
				return err
			})
		},
	}
}

func newPolicyActivate() *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:   "activate FILE… | POLICY",
		Short: "Put rules in force at once",
		Long: `activate puts a set of rules in force for every read from now on: the modules in
the files, or a set that is kept, by its ID. The set replaces the one before;
pol_guardrails, which has no rules of officers, is always there.`,
		Example: `  sayso policy activate rules.rego --note "no addresses by phone"
  sayso policy activate pol_guardrails`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: rules,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			id := args[0]
			if len(args) > 1 || !strings.HasPrefix(id, "pol_") {
				byName, in, err := readModules(cmd, args)
				if err != nil {
					return err
				}
				in.Note = note
				draft, err := c.DraftPolicy(cmd.Context(), in)
				if err != nil {
					return inModules(err, byName)
				}
				id = draft.Policy
			}
			active, err := c.ActivatePolicy(cmd.Context(), id)
			if err != nil {
				return err
			}
			return answer(cmd, active, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is %s.\n", active.Policy, active.Status)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "why, for those who read the list later")
	return cmd
}

func newPolicyList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "All sets of rules, the newest first",
		Example: "  sayso policy list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			all, err := c.Policies(cmd.Context())
			if err != nil {
				return err
			}
			return answer(cmd, &wire.PolicyList{Policies: all}, func(w io.Writer) error {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "POLICY\tSTATUS\tSINCE\tBY\tNOTE")
				for _, p := range all {
					at := ""
					if p.At != nil {
						at = p.At.UTC().Format(time.DateOnly)
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Policy, p.Status, at, p.By, p.Note)
				}
				return t.Flush()
			})
		},
	}
}

func readModules(cmd *cobra.Command, files []string) (byName map[string]string, in *wire.DraftRequest, err error) {
	if byName, err = baseNames(files); err != nil {
		return nil, nil, err
	}
	in = &wire.DraftRequest{Modules: map[string]string{}}
	for name, file := range byName {
		text, err := readInput(cmd, file, "the rules")
		if err != nil {
			return nil, nil, err
		}
		in.Modules[name] = string(text)
	}
	return byName, in, nil
}

// inModules lets the problems of modules name the files they came from.
func inModules(err error, byName map[string]string) error {
	var refused *client.Error
	if errors.As(err, &refused) {
		for i := range refused.Problems {
			if file, ok := byName[refused.Problems[i].Module]; ok {
				refused.Problems[i].Module = file
			}
		}
	}
	return err
}
