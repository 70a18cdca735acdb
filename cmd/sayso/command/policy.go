package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

func newPolicy() *cobra.Command {
	return group(&cobra.Command{
		Use:   "policy",
		Short: "The officers' rules: check, test, replay, submit, approve, activate, roll back",
		Example: `  sayso policy check rules.rego
  sayso policy activate rules.rego --note "no addresses by phone"`,
		SuggestFor: []string{"rules", "rego", "activate"},
	},
		newPolicyCheck(),
		newPolicyTest(),
		newPolicyReplay(),
		turnPolicy("submit", "Ask another officer to approve rules", `submit asks another officer to approve a set of rules: modules in files, which it
keeps first, or a set that is kept, by its ID. Rules that can only withhold or
mask more need nobody's approval; activate them.`, (*client.Client).SubmitPolicy),
		newPolicyApprove(),
		newPolicyReject(),
		turnPolicy("activate", "Put rules in force: at once, or when another officer approved them", `activate puts a set of rules in force for every read from now on: the modules in
the files, or a set that is kept, by its ID. The set replaces the one before;
pol_guardrails, which has no rules of officers, is always there.

Where there are two officers, a set that can let more out than the one in force
waits for the other one: it is pending until sayso policy approve.`, (*client.Client).ActivatePolicy),
		newPolicyRollback(),
		newPolicyList(),
		newPolicyShow(),
	)
}

func newPolicyCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Say what is wrong with rules, and keep nothing",
		Long: `check compiles modules of rego against the register in force, together and as
they would be put in force, and shows each problem with its file and line. It runs
the tests among them (*_test.rego) and says how much of the rules they reach. It
ends with 1 if there is a problem or a test fails, so that it can stand before a
commit: examples/policy has how.`,
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
			test, err := c.CheckPolicy(cmd.Context(), in)
			if err != nil {
				return inModules(err, byName)
			}
			err = answer(cmd, test, func(w io.Writer) error {
				if err := showTests(w, test); err != nil || test.Failed > 0 {
					return err
				}
				_, err := fmt.Fprintln(w, "The rules can be put in force.")
				return err
			})
			if err != nil {
				return err
			}
			return failedTests(test.Failed)
		},
	}
}

// turnPolicy makes a command that does something with modules in files or with a
// set that is kept.
func turnPolicy(verb, short, long string, turn func(*client.Client, context.Context, string) (*wire.Policy, error)) *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:   verb + " FILE… | POLICY",
		Short: short,
		Long:  long,
		Example: fmt.Sprintf(`  sayso policy %s rules.rego rules_test.rego --note "no addresses by phone"
  sayso policy %s pol_0a1b2c3d4e5f6g7h8j9k0m1n2p`, verb, verb),
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: rules,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			id, err := keptPolicy(cmd, c, args, note)
			if err != nil {
				return err
			}
			out, err := turn(c, cmd.Context(), id)
			if err != nil {
				return err
			}
			return showPolicy(cmd, out)
		},
	}
	noteFlag(cmd, &note)
	return cmd
}

func noteFlag(cmd *cobra.Command, note *string) {
	cmd.Flags().StringVar(note, "note", "", "why, for those who read the list later")
}

// keptPolicy returns the ID of the set that arguments name: a kept one's, or that
// of the draft it makes of files.
func keptPolicy(cmd *cobra.Command, c *client.Client, args []string, note string) (string, error) {
	if len(args) == 1 && isPolicyID(args[0]) {
		return args[0], nil
	}
	byName, in, err := readModules(cmd, args)
	if err != nil {
		return "", err
	}
	in.Note = note
	draft, err := c.DraftPolicy(cmd.Context(), in)
	if err != nil {
		return "", inModules(err, byName)
	}
	return draft.Policy, nil
}

func isPolicyID(s string) bool { return strings.HasPrefix(s, "pol_") || strings.HasPrefix(s, "chg_") }

func showPolicy(cmd *cobra.Command, p *wire.Policy) error {
	return answer(cmd, p, func(w io.Writer) error {
		text := fmt.Sprintf("%s is %s.\n", p.Policy, p.Status)
		if p.Status == vault.StatusPending {
			text = fmt.Sprintf("%s is pending: it can let more out, so another officer approves it\nwith `sayso policy approve %s`.\n", p.Policy, p.Policy)
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

func newPolicyTest() *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:   "test FILE… | POLICY",
		Short: "Run the tests that came with rules",
		Long: `test runs the tests among a set of rules: files called *_test.rego, package
sayso.rules_test. Files are kept as a draft first; check keeps nothing. A set
whose tests fail cannot be put in force. It ends with 1 if one fails.`,
		Example:           "  sayso policy test rules.rego rules_test.rego",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: rules,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			id, err := keptPolicy(cmd, c, args, note)
			if err != nil {
				return err
			}
			test, err := c.TestPolicy(cmd.Context(), id)
			if err != nil {
				return err
			}
			if err := answer(cmd, test, func(w io.Writer) error { return showTests(w, test) }); err != nil {
				return err
			}
			return failedTests(test.Failed)
		},
	}
	noteFlag(cmd, &note)
	return cmd
}

// failedTests ends a command that showed tests which fail.
func failedTests(failed int) error {
	if failed == 0 {
		return nil
	}
	return &toldError{fmt.Errorf("%d tests fail", failed)}
}

func showTests(w io.Writer, test *wire.PolicyTest) error {
	for _, r := range test.Results {
		word := "pass"
		if !r.Passed {
			word = "FAIL"
		}
		fmt.Fprintf(w, "%s  %s:%d  %s%s\n", word, r.Module, r.Line, r.Name, after(": ", r.Error))
	}
	if len(test.Results) == 0 {
		_, err := fmt.Fprintln(w, "There are no tests.")
		return err
	}
	fmt.Fprintf(w, "%s%d passed, %d failed; the tests reach %.1f %% of the rules.\n", before(test.Policy, ": "), test.Passed, test.Failed, test.Coverage.Percent)
	for _, m := range test.Coverage.Modules {
		if len(m.Missed) > 0 {
			fmt.Fprintf(w, "  no test reaches %s: lines %s\n", m.Module, spans(m.Missed))
		}
	}
	return nil
}

// spans writes sorted numbers with runs of them as one: 3–5, 8.
func spans(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		end := i
		for end+1 < len(numbers) && numbers[end+1] == numbers[end]+1 {
			end++
		}
		part := strconv.Itoa(numbers[i])
		if end > i {
			part += "–" + strconv.Itoa(numbers[end])
		}
		parts = append(parts, part)
		i = end + 1
	}
	return strings.Join(parts, ", ")
}

func newPolicyApprove() *cobra.Command {
	return &cobra.Command{
		Use:   "approve CHANGE | POLICY",
		Short: "Put in force what another officer submitted",
		Long: `approve puts in force what another officer submitted, for every read from then on.
It is named by the ID that submit, activate or rollback gave, or by the set of
rules. Who submitted it cannot approve it.`,
		Example:           "  sayso policy approve chg_0a1b2c3d4e5f6g7h8j9k0m1n2p",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(ruleSets()),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			out, err := c.ApprovePolicy(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return showPolicy(cmd, out)
		},
	}
}

func newPolicyReject() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:               "reject CHANGE | POLICY --reason WHY",
		Short:             "End a change that waits, or the life of a draft",
		Example:           `  sayso policy reject chg_0a1b2c3d4e5f6g7h8j9k0m1n2p --reason "the store needs addresses"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(ruleSets()),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			out, err := c.RejectPolicy(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			return showPolicy(cmd, out)
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

func newPolicyRollback() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback POLICY",
		Short: "Make a former set of rules active again",
		Long: `rollback makes a set of rules active again that was in force: each decision is then
what it was under it. pol_guardrails, which has no rules of officers, is the
first of all. Where there are two officers, one that can let more out waits for
the other one.`,
		Example:           "  sayso policy rollback pol_guardrails",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(ruleSets()),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			out, err := c.RollbackPolicy(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return showPolicy(cmd, out)
		},
	}
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
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Policy, p.Status, at, p.By, oneLine(p.Note))
				}
				return t.Flush()
			})
		},
	}
}

func newPolicyShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show CHANGE | POLICY",
		Short: "A set of rules: its life, what a change of it would do, its modules",
		Long: `show writes the modules of a set of rules, each under its name; its life, and what a
change of it that waits can let out, go to stderr.`,
		Example:           "  sayso policy show pol_0a1b2c3d4e5f6g7h8j9k0m1n2p",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(ruleSets()),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			set, err := c.Policy(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return answer(cmd, set, func(w io.Writer) error {
				return seen(cmd.ErrOrStderr(), func(beside io.Writer) error { return showSet(w, beside, set) })
			})
		},
	}
}

func showSet(w, beside io.Writer, set *wire.Policy) error {
	fmt.Fprintf(beside, "%s is %s%s\n", set.Policy, set.Status, after(": ", oneLine(set.Note)))
	for _, s := range set.Steps {
		fmt.Fprintf(beside, "  %s  %s by %s%s\n", s.At.UTC().Format(time.DateTime), s.Act, s.By, after(": ", oneLine(s.Reason)))
	}
	if set.Change != nil {
		for _, e := range set.Change.Effects {
			word := "narrows"
			if e.Widens {
				word = "WIDENS"
			}
			fmt.Fprintf(beside, "  %s  %s %s:%d  %s (%s)\n", word, e.Op, e.Module, e.Line, e.Rule, e.Why)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set.Modules)) {
		if _, err := fmt.Fprintf(w, "# %s\n%s\n", name, strings.TrimSuffix(set.Modules[name], "\n")); err != nil {
			return err
		}
	}
	return nil
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
