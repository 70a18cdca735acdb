package main_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is one of the examples while it runs: what is typed, and what it says.
type program struct {
	t    *testing.T
	name string
	in   io.Writer
	said chan string
}

// start runs an example as a channel of the demonstration.
func start(t *testing.T, dir, name, url, id, secret string) *program {
	t.Helper()
	run := exec.Command(filepath.Join(dir, name))
	run.Env = append(withoutProxies(), "SAYSO_URL="+url, "SAYSO_CLIENT_ID="+id, "SAYSO_CLIENT_SECRET="+secret)
	in, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.Stderr = run.Stdout
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, name: name, in: in, said: make(chan string, 100)}
	go func() {
		defer close(p.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.said <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close() // at the end of what is typed it ends
		for range p.said {
		}
		if err := run.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return p
}

// types types a line, and waits until all of these were said, in whatever order.
func (p *program) types(line string, wants ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
	p.says(wants...)
}

func (p *program) says(wants ...string) {
	p.t.Helper()
	var heard []string
	for late := time.After(30 * time.Second); len(wants) > 0; {
		select {
		case line, more := <-p.said:
			heard = append(heard, line)
			for i, want := range wants {
				if strings.Contains(line, want) {
					wants = append(wants[:i:i], wants[i+1:]...)
					break
				}
			}
			if !more {
				p.t.Fatalf("%s ended, and said\n%s\nnot %q", p.name, strings.Join(heard, "\n"), wants)
			}
		case <-late:
			p.t.Fatalf("%s said\n%s\nnot %q", p.name, strings.Join(heard, "\n"), wants)
		}
	}
}

// The three programs of examples/conversation beside each other, with the vault of the
// demonstration: what its README says to type, and what it says one sees.
func TestOneConversationInThreePrograms(t *testing.T) {
	sayso, dir := build(t), t.TempDir()
	if said, err := exec.Command("go", "build", "-o", dir+"/", "../../examples/conversation/shop", "../../examples/conversation/texter", "../../examples/conversation/desk").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, said)
	}
	run, temporary := demonstration(t, sayso, "-o", "json")
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the programs
		_ = run.Process.Signal(syscall.SIGINT)
		_, _ = io.Copy(io.Discard, out)
		if err := run.Wait(); err != nil {
			t.Error(err)
		}
		nothingLeft(t, temporary)
	})
	var facts struct {
		URL      string
		Channels []struct {
			ID           string
			ClientSecret string `json:"client_secret"`
		}
	}
	if err := json.NewDecoder(out).Decode(&facts); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for _, c := range facts.Channels {
		secrets[c.ID] = c.ClientSecret
	}
	shop := start(t, dir, "shop", facts.URL, "web", secrets["web"])
	texter := start(t, dir, "texter", facts.URL, "sms", secrets["sms"])
	desk := start(t, dir, "desk", facts.URL, "call-centre", secrets["call-centre"])

	shop.types("order gigabit", "no customer yet")
	shop.types("customer Ana ana@example.org +4930901820", "welcome, Ana")
	shop.types("yes", "offers by text message: given")
	texter.types("campaign gigabit", "to +4930901820: have a look at gigabit", "gigabit: 1 sent, 0 kept back")
	shop.types("order gigabit", "ordered gigabit")
	desk.types("call +4930999999", "nobody we may know")
	desk.types("call +4930901820", "hello Ana (address known: false)")
	desk.types("offer gigabit", "gigabit not offered: already_ordered")
	texter.types("campaign gigabit", "gigabit not offered: already_ordered", "gigabit: 0 sent, 1 kept back")

	shop.types("ask", "where shall we deliver?")
	desk.types("ask", "not asked: already_being_asked")
	shop.types("answer Torstrasse 12; 10119; Berlin", "we deliver there")
	desk.types("ask", "not asked: already_answered")
	desk.types("call +4930901820", "hello Ana (address known: true)")

	desk.types("offer spring 2020-01-01T00:00:00Z", "spring not offered: expired")
	for _, more := range []string{"a", "b"} {
		texter.types("campaign "+more, more+": 1 sent")
	}
	texter.types("campaign c", "c not offered: contact_cap")

	shop.types("no", "offers by text message: withdrawn")
	texter.says("somebody said no")
	texter.types("campaign d", "d: 0 sent, 0 kept back")
	shop.types("yes", "given")
	texter.types("message +4930901820 Where is my parcel?", "somebody should read this")
	texter.types("message +4930901820 Stopp!", "no more sms-marketing")
	texter.types("campaign e", "e: 0 sent, 0 kept back")
	desk.types("no", "you get no more text messages")
}
