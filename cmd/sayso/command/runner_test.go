package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/cmd/sayso/command"
)

// TestMain makes the test binary the program itself when a script calls it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "sayso" {
		os.Exit(command.Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// script runs one file of testdata/script: words of a shell that has no pipes,
// line by line, then the files that it begins with, each after "-- name --".
// It is the part of testscript's language that is needed here.
type script struct {
	t          *testing.T
	dir        string
	line       string
	vars       []string // of the environment; the last one counts
	stdin      string
	stdout     string
	stderr     string
	background map[string]*process
	commands   map[string]func(s *script, not bool, args []string)
}

type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	ended          chan error
}

var fileMark = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

func runScript(t *testing.T, file string, commands map[string]func(*script, bool, []string), vars ...string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, dir: t.TempDir(), background: map[string]*process{}, commands: commands}
	bin := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(bin, "sayso"))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.vars = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "WORK=" + s.dir}, vars...)
	marks := fileMark.FindAllStringSubmatchIndex(string(text), -1)
	end := len(text)
	for i, m := range slices.Backward(marks) {
		until := len(text)
		if i+1 < len(marks) {
			until = marks[i+1][0]
		}
		s.write(string(text[m[2]:m[3]]), text[m[1]:until])
		end = m[0]
	}
	defer s.stop()
	for n, line := range strings.Split(string(text[:end]), "\n") {
		s.line = fmt.Sprintf("%s:%d: %s", filepath.Base(file), n+1, line)
		s.run(s.split(line))
	}
}

func (s *script) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n%s\n[stdout]\n%s\n[stderr]\n%s", s.line, fmt.Sprintf(format, args...), s.stdout, s.stderr)
}

func (s *script) check(err error) {
	s.t.Helper()
	if err != nil {
		s.fatalf("%v", err)
	}
}

// split cuts a line into words. 'quoted' ones may hold spaces, and their
// variables stay as they are.
func (s *script) split(line string) (words []string) {
	for line = strings.TrimLeft(line, " \t"); line != "" && line[0] != '#'; line = strings.TrimLeft(line, " \t") {
		word := ""
		for line != "" && line[0] != ' ' && line[0] != '\t' {
			if line[0] == '\'' {
				quoted, rest, ok := strings.Cut(line[1:], "'")
				if !ok {
					s.fatalf("a quote does not end")
				}
				word, line = word+quoted, rest
				continue
			}
			n := strings.IndexAny(line, " \t'")
			if n < 0 {
				n = len(line)
			}
			word, line = word+os.Expand(line[:n], s.get), line[n:]
		}
		words = append(words, word)
	}
	return words
}

func (s *script) run(words []string) {
	s.t.Helper()
	if len(words) == 0 {
		return
	}
	not := words[0] == "!"
	if not {
		words = words[1:]
	}
	args := words[1:]
	switch words[0] {
	case "exec":
		if last := args[len(args)-1]; strings.HasPrefix(last, "&") {
			s.start(strings.Trim(last, "&"), args[:len(args)-1])
			return
		}
		if code := s.exec(args); (code != 0) != not {
			s.fatalf("exit code %d", code)
		}
	case "exits":
		want, err := strconv.Atoi(args[0])
		s.check(err)
		if got := s.exec(args[1:]); got != want {
			s.fatalf("exit code: got %d, want %d", got, want)
		}
	case "kill":
		sig := map[string]syscall.Signal{"-KILL": syscall.SIGKILL, "-INT": syscall.SIGINT}[args[0]]
		s.check(s.background[args[1]].cmd.Process.Signal(sig))
	case "wait":
		p := s.background[args[0]]
		delete(s.background, args[0])
		err := <-p.ended
		s.stdout, s.stderr = p.stdout.String(), p.stderr.String()
		if (err != nil) != not {
			s.fatalf("it ended with %v", err)
		}
	case "stdin":
		s.stdin = s.read(args[0])
	case "stdout", "stderr":
		if regexp.MustCompile("(?m)"+args[0]).MatchString(s.read(words[0])) == not {
			s.fatalf("match: got %v, want %v", not, !not)
		}
	case "cmp":
		if got, want := s.read(args[0]), s.read(args[1]); got != want {
			s.fatalf("got\n%s\nwant\n%s", got, want)
		}
	case "cp":
		to := args[1]
		if info, err := os.Stat(s.path(to)); err == nil && info.IsDir() {
			to = filepath.Join(to, filepath.Base(args[0]))
		}
		s.write(to, []byte(s.read(args[0])))
	case "exists":
		for _, name := range args {
			if _, err := os.Lstat(s.path(name)); (err == nil) == not {
				s.fatalf("%s: %v", name, err)
			}
		}
	case "mkdir":
		s.check(os.MkdirAll(s.path(args[0]), 0o777))
	case "rm":
		s.check(os.RemoveAll(s.path(args[0])))
	case "chmod":
		mode, err := strconv.ParseUint(args[0], 8, 32)
		s.check(err)
		s.check(os.Chmod(s.path(args[1]), os.FileMode(mode)))
	case "env":
		s.vars = append(s.vars, args...)
	default:
		do, ok := s.commands[words[0]]
		if !ok {
			s.fatalf("no such word")
		}
		do(s, not, args)
	}
}

func (s *script) command(args []string) *exec.Cmd {
	path := args[0]
	for _, dir := range filepath.SplitList(s.get("PATH")) {
		if at := filepath.Join(dir, args[0]); path == args[0] {
			if _, err := os.Stat(at); err == nil {
				path = at
			}
		}
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.vars, strings.NewReader(s.stdin)
	s.stdin = ""
	return cmd
}

func (s *script) exec(args []string) (code int) {
	s.t.Helper()
	var out, errs bytes.Buffer
	cmd := s.command(args)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	s.stdout, s.stderr = out.String(), errs.String()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode()
	}
	s.check(err)
	return 0
}

func (s *script) start(name string, args []string) {
	p := &process{cmd: s.command(args), ended: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	s.check(p.cmd.Start())
	s.background[name] = p
	go func() { p.ended <- p.cmd.Wait() }()
}

// stop ends what a script left running.
func (s *script) stop() {
	for _, p := range s.background {
		_ = p.cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
		if s.t.Failed() {
			s.t.Logf("in the background:\n%s%s", &p.stdout, &p.stderr)
		}
	}
}

func (s *script) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

func (s *script) read(name string) string {
	switch name {
	case "stdout":
		return s.stdout
	case "stderr":
		return s.stderr
	}
	b, err := os.ReadFile(s.path(name))
	s.check(err)
	return string(b)
}

func (s *script) write(name string, text []byte) {
	s.check(os.MkdirAll(filepath.Dir(s.path(name)), 0o777))
	s.check(os.WriteFile(s.path(name), text, 0o666))
}

func (s *script) get(name string) string {
	for _, v := range slices.Backward(s.vars) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

func (s *script) set(name, value string) { s.vars = append(s.vars, name+"="+value) }
