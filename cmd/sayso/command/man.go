package command

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write manual pages",
		Long: `man writes a manual page for each command into a folder, which is made if there
is none: sayso.1, sayso-serve.1 and so on. They say what --help says.`,
		Example: `  sayso man ./man && man ./man/sayso-serve.1
  sayso man /usr/local/share/man/man1`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(folders),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // manual pages are for everybody
				return err
			}
			out := struct {
				Dir   string   `json:"dir"`
				Pages []string `json:"pages"`
			}{Dir: dir}
			header := manHeader()
			var failed error
			everywhere(manTree(), func(c *cobra.Command) {
				if c.Hidden || !c.Runnable() || c.Name() == "help" || failed != nil {
					return
				}
				page := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
				out.Pages = append(out.Pages, page)
				failed = writePage(filepath.Join(dir, page), c, header)
			})
			if failed != nil {
				return failed
			}
			return answer(cmd, out, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s in %s\n", count(len(out.Pages), "page"), dir)
				return err
			})
		},
	}
}

func writePage(path string, c *cobra.Command, header doc.GenManHeader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	header.Title = strings.ToUpper(strings.ReplaceAll(c.CommandPath(), " ", "-"))
	if err := doc.GenMan(c, &header, f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// manHeader dates the pages by the program, so that the same program writes the
// same pages.
func manHeader() doc.GenManHeader {
	h := doc.GenManHeader{Section: "1", Source: "sayso " + version(), Manual: "sayso"}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				h.Date = &at
			}
		}
	}
	return h
}

// manTree is the commands with their texts as Markdown, which pages are made
// from: what is set in is shown as it stands. What help tells elsewhere – the
// commands below one, the environment, what the end means – stands in the page.
func manTree() *cobra.Command {
	root := newRoot()
	everywhere(root, func(c *cobra.Command) {
		c.DisableAutoGenTag = true
		c.InitDefaultHelpFlag()
		c.Flags().Lookup("help").Hidden = true // on every page, it says nothing
		var b strings.Builder
		if c.Long == "" {
			c.Long = c.Short
		}
		for line := range strings.Lines(c.Long) {
			if strings.HasPrefix(line, "  ") {
				line = "    " + line
			}
			b.WriteString(line)
		}
		if c.HasAvailableSubCommands() {
			b.WriteString("\n\n# COMMANDS\n")
			for _, sub := range c.Commands() {
				if sub.IsAvailableCommand() && sub.Name() != "help" {
					fmt.Fprintf(&b, "\n**%s**\n:   %s\n", sub.Name(), sub.Short)
				}
			}
		}
		c.Long = b.String()
	})
	for _, c := range root.Commands() {
		if c.Name() == "environment" {
			root.Long += "\n# ENVIRONMENT\n" + c.Long + "\n"
		}
	}
	root.Long += fmt.Sprintf("\n# EXIT STATUS\n%d if it is done, %d if it was refused or failed, %d if it was used wrongly.\n", exitDone, exitNo, exitUsage)
	return root
}
