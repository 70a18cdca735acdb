package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
)

func newDoctor() *cobra.Command {
	d := &doctor{now: time.Now}
	cmd := &cobra.Command{
		Use:   "doctor --dir D",
		Short: "Look a vault over: what is wrong, what it means, what to do",
		Long: `doctor looks at the folder of a vault and says what is wrong there, what that
means and what to do about it. It opens nothing for writing and changes no file,
so it can be run on a damaged vault before anything is mended. It works beside
the process that serves the folder too, and asks it for what only it can see.

Without the passphrase it looks at what needs no key, and says what it left out:
it never asks for one. With --deep it also verifies the whole log and every
page, which takes as long as sayso log verify.

It exits with 0 if there is no problem (warnings are none) and with 1 otherwise.`,
		Example: `  sayso doctor --dir ./vault
  sayso doctor --dir ./vault --passphrase-file /run/secrets/passphrase --deep
  sayso doctor --dir ./vault -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd) },
	}
	cmd.Flags().StringVar(&d.dir, "dir", "", "folder of the vault")
	cmd.Flags().StringVar(&d.passphraseFile, "passphrase-file", "", "file that holds the passphrase (default: SAYSO_PASSPHRASE, else what needs it is left out)")
	cmd.Flags().StringVar(&d.backups, "backups", "", "folder of backups to look through as well, for copies of the keys that ended")
	cmd.Flags().BoolVar(&d.deep, "deep", false, "verify the whole log and read every page")
	return cmd
}

// doctor looks at one folder.
type doctor struct {
	dir, passphraseFile, backups string
	deep                         bool
	now                          func() time.Time

	*vault.Examination
	progress func(stage string, done, of uint64)
	served   bool
	present  map[string]fs.FileInfo // of the files of a vault, those that are there
}

// diagnosis is what doctor tells machines.
type diagnosis struct {
	OK       bool   `json:"ok"`
	Problems int    `json:"problems"`
	Warnings int    `json:"warnings"`
	Dir      string `json:"dir"`
	Served   bool   `json:"served"`
	*vault.Examination
}

func (d *doctor) run(cmd *cobra.Command) error {
	if d.dir == "" {
		return misuse("--dir is missing: where does the vault lie?")
	}
	root, err := d.root(cmd)
	if err != nil {
		return err
	}
	b := newBar(cmd)
	d.progress = b.show
	d.Examination = &vault.Examination{Findings: []vault.Finding{}, LeftOut: []vault.LeftOut{}}
	err = d.look(cmd.Context(), root)
	b.end()
	if err != nil {
		return err
	}
	out := diagnosis{Dir: d.dir, Served: d.served, Examination: d.Examination}
	for _, f := range d.Findings {
		switch f.Level {
		case vault.Problem:
			out.Problems++
		case vault.Warning:
			out.Warnings++
		}
	}
	out.OK = out.Problems == 0
	if err := answerInColour(cmd, out, func(w io.Writer) error { return showDiagnosis(w, &out) }); err != nil {
		return err
	}
	if !out.OK {
		return &toldError{errors.New("the vault has problems")}
	}
	return nil
}

// root returns the root key if there is a passphrase, nil if not.
func (d *doctor) root(cmd *cobra.Command) (keys.Root, error) {
	if _, set := os.LookupEnv(envPassphrase); !set && d.passphraseFile == "" {
		return nil, nil
	}
	return rootKey(cmd, d.passphraseFile, false)
}

// look looks at everything there is, from the outside inwards. Its error is that
// of a doctor who was called away.
func (d *doctor) look(ctx context.Context, root keys.Root) error {
	d.program()
	if !d.folder() {
		return ctx.Err()
	}
	s, err := dialSocket(ctx, d.dir)
	d.served = err == nil
	if err != nil && !errors.Is(err, errNotServed) {
		d.Add(vault.Finding{Check: "served", Level: vault.Warning, What: err.Error(),
			Means: "The process that serves the folder cannot be asked, so what only it sees stays unseen.", Do: "Run doctor as the user who serves the folder."})
	}
	d.permissions()
	d.strangers()
	d.disk()
	d.fileTimes()
	keyring, why := d.keyring(root)
	if err := d.keptBackups(ctx); err != nil {
		return err
	}
	if d.served {
		defer func() { _ = s.Close() }()
		return d.ask(ctx, s)
	}
	return d.stores(ctx, keyring, why)
}

// showDiagnosis tells people: what is fine in a line each, the rest in full, the
// worst last, where the eye is.
func showDiagnosis(w io.Writer, out *diagnosis) error {
	s := newScreen(w)
	where := out.Dir
	if out.Served {
		where += ", which is being served"
	}
	s.plain(fmt.Sprintf("The vault in %s\n\n", harmless(where)))
	colours := map[vault.Level]string{vault.Fine: green, vault.Warning: bold, vault.Problem: red}
	for _, level := range []vault.Level{vault.Fine, vault.Warning, vault.Problem} {
		for _, f := range out.Findings {
			if f.Level != level {
				continue
			}
			s.plain(fmt.Sprintf("%s  %s: %s\n", s.in(colours[level], fmt.Sprintf("%-7s", level)), f.Check, harmless(f.What)))
			for _, more := range []string{f.Means, before(f.Do, "")} {
				if more != "" {
					s.plain("         " + harmless(more) + "\n")
				}
			}
		}
	}
	if len(out.LeftOut) > 0 {
		s.plain("\nNot looked at:\n")
		var order []string
		by := map[string][]string{}
		for _, l := range out.LeftOut {
			if by[l.Why] == nil {
				order = append(order, l.Why)
			}
			by[l.Why] = append(by[l.Why], l.Check)
		}
		for _, why := range order {
			s.plain(fmt.Sprintf("         %s – %s\n", strings.Join(by[why], ", "), harmless(why)))
		}
	}
	switch {
	case out.Problems > 0:
		s.plain("\n" + s.in(red, count(out.Problems, "problem")) + ", " + count(out.Warnings, "warning") + ".\n")
	case out.Warnings > 0:
		s.plain("\nNo problem, " + count(out.Warnings, "warning") + ".\n")
	default:
		s.plain("\n" + s.in(green, "Nothing is wrong") + " with what was looked at.\n")
	}
	return s.err
}
