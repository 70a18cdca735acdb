package command_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"
)

// box is a mail server that keeps each letter in a file by whom it is to.
type box struct{ dir string }

type letterTo struct {
	*box
	to string
}

func (b *box) NewSession(*smtp.Conn) (smtp.Session, error) { return &letterTo{box: b}, nil }

func (l *letterTo) Reset()                               {}
func (l *letterTo) Logout() error                        { return nil }
func (l *letterTo) Mail(string, *smtp.MailOptions) error { return nil }
func (l *letterTo) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.to = to
	return nil
}

func (l *letterTo) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	part := filepath.Join(l.dir, "."+l.to)
	return errors.Join(os.WriteFile(part, text, 0o600), os.Rename(part, filepath.Join(l.dir, l.to)))
}

// mailbox runs a mail server on this machine until the script ends, and writes the
// settings with which a vault mails codes by it.
func mailbox(ts *testscript.TestScript, _ bool, args []string) {
	b := &box{dir: ts.MkAbs("mail")}
	ts.Check(os.Mkdir(b.dir, 0o700))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	server := smtp.NewServer(b)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	ts.Defer(func() {
		_ = server.Close()
		<-ended
	})
	settings := fmt.Sprintf("privacy:\n  mail: {server: %q, from: privacy@northgate.example}\n", l.Addr())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(settings), 0o600))
}

var eightDigits = regexp.MustCompile(`\d{4} \d{4}`)

// logsIn runs sayso me login as a person does: with an address, a code that is
// mistyped, and the one that was mailed. What it says is kept in login.out and
// login.err. Who gets no mail types nothing more.
func logsIn(ts *testscript.TestScript, neg bool, args []string) {
	program := filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "sayso")
	cmd := exec.Command(program, append([]string{"me", "login"}, args[1:]...)...)
	cmd.Dir, cmd.SysProcAttr = ts.MkAbs("."), &syscall.SysProcAttr{Setsid: true} // there is no terminal to ask at
	for _, name := range []string{"SAYSO_URL", "SAYSO_SESSION", "HOME", "PATH"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var said, wrong strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &wrong
	in, err := cmd.StdinPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	_, err = fmt.Fprintln(in, args[0])
	ts.Check(err)
	if !neg {
		code := eightDigits.FindString(mailTo(ts, args[0]))
		mistyped := "0000 0000"
		if code == mistyped {
			mistyped = "0000 0001"
		}
		_, err = fmt.Fprintln(in, mistyped)
		ts.Check(err)
		_, err = fmt.Fprintln(in, code)
		ts.Check(err)
	}
	ts.Check(in.Close())
	err = cmd.Wait()
	for name, text := range map[string]string{"login.out": said.String(), "login.err": wrong.String()} {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
	if (err != nil) != neg {
		ts.Fatalf("sayso me login: %v\n%s%s", err, said.String(), wrong.String())
	}
}

// mailTo waits for the mail to an address, and takes it out of the box.
func mailTo(ts *testscript.TestScript, address string) string {
	if !strings.Contains(address, "@") {
		ts.Fatalf("%q is no address", address)
	}
	address = strings.TrimSuffix(strings.TrimPrefix(address, `{"email": "`), `"}`)
	path := filepath.Join(ts.MkAbs("mail"), address)
	for range 1200 {
		if text, err := os.ReadFile(path); err == nil {
			ts.Check(os.Remove(path))
			return string(text)
		}
		time.Sleep(25 * time.Millisecond)
	}
	ts.Fatalf("no mail came to %s", address)
	return ""
}

// note writes a text into a file.
func note(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(args[1:], " ")+"\n"), 0o600))
}
