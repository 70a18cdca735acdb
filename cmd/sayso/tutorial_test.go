package main_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// lesson is a block of commands of the tutorial, and what it says they print.
type lesson struct {
	line     int
	commands string
	fails    int     // how many of the commands end otherwise than with 0
	prints   *string // nil: it says nothing of it
}

// fence finds the fenced blocks of a page.
var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func lessons(t *testing.T, page string) (all []lesson) {
	t.Helper()
	end := 0 // of the block before
	for _, at := range fence.FindAllStringSubmatchIndex(page, -1) {
		kind, text := page[at[2]:at[3]], page[at[4]:at[5]]
		line := 1 + strings.Count(page[:at[0]], "\n")
		switch {
		case kind == "sh":
			all = append(all, lesson{line: line, commands: text, fails: strings.Count(text, "# exits ")})
		case kind == "" && len(all) > 0 && strings.TrimSpace(page[end:at[0]]) == "" && all[len(all)-1].prints == nil:
			all[len(all)-1].prints = &text
		default:
			t.Fatalf("line %d: a block is neither commands nor what they print", line)
		}
		end = at[1]
	}
	return all
}

// Whoever pastes the tutorial into a shell, block by block, gets to its end and
// sees what it says they see.
func TestTutorial(t *testing.T) { follow(t, "tutorial.md", "northgate") }

// Likewise whoever connects a channel by the page about that.
func TestANewChannelInTenMinutes(t *testing.T) { follow(t, "channel.md", "hotline") }

// follow pastes a page of the docs, which works in a folder of its own.
func follow(t *testing.T, page, folder string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the program and runs it for a while")
	}
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("this machine has no %s to follow the tutorial with", tool)
			}
			t.Skipf("skipped: this machine has no %s to follow the tutorial with", tool)
		}
	}
	source, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(source, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	all := lessons(t, strings.ReplaceAll(string(text), ":8650", freePort(t)))
	home := t.TempDir()
	if err := os.Symlink(source, filepath.Join(home, "sayso")); err != nil {
		t.Fatal(err)
	}
	failures := filepath.Join(home, "failures")
	var script strings.Builder
	fmt.Fprintf(&script, "exec 2>&1 9>%s\nset -E\ntrap 'echo \"$block $? $BASH_COMMAND\" >&9' ERR\ntrap 'kill $serving 2>/dev/null || true' EXIT\n", failures)
	for i, l := range all {
		fmt.Fprintf(&script, "block=%d\n%s\nprintf '\\nEND %d\\n'\n", i, l.commands, i)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	shell.Dir = t.TempDir()
	shell.Env = append(withoutProxies(), "HOME="+home)
	for _, setting := range []string{"GOCACHE", "GOMODCACHE"} {
		at, err := exec.Command("go", "env", setting).Output()
		if err != nil {
			t.Fatal(err)
		}
		shell.Env = append(shell.Env, setting+"="+string(bytes.TrimSpace(at)))
	}
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("%s ends with %v", page, err)
	}
	failed := failuresOf(t, failures)
	rest := string(out)
	for i, l := range all {
		printed, after, there := strings.Cut(rest, fmt.Sprintf("\nEND %d\n", i))
		if !there {
			t.Fatalf("%s:%d: it stops here:\n%s\n%s", page, l.line, l.commands, rest)
		}
		rest = after
		if len(failed[i]) != l.fails {
			t.Errorf("%s:%d: failed: %q; of these the page says: %d\n%s", page, l.line, failed[i], l.fails, printed)
		}
		if l.prints == nil {
			if strings.TrimSpace(printed) != "" {
				t.Errorf("%s:%d: got\n%s\nand the page says nothing of it", page, l.line, printed)
			}
			continue
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(*l.prints, "\n")), "…", `\S.*`)
		if !regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimRight(printed, "\n")) {
			t.Errorf("%s:%d: got\n%s\nwant\n%s", page, l.line, printed, *l.prints)
		}
	}
	if _, err := os.Stat(filepath.Join(shell.Dir, folder)); err == nil {
		t.Errorf("%s leaves its folder behind", page)
	}
}

// failuresOf reads which commands failed, by block.
func failuresOf(t *testing.T, path string) map[int][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	failed := map[int][]string{}
	for line := range strings.Lines(string(text)) {
		var block int
		var status int
		if n, _ := fmt.Sscanf(line, "%d %d", &block, &status); n == 2 {
			failed[block] = append(failed[block], strings.TrimSpace(line))
		}
	}
	return failed
}

// freePort is a port nobody listens on, with its colon.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf(":%d", l.Addr().(*net.TCPAddr).Port)
}
