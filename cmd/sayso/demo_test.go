package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// build builds the program as a user would.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sayso")
	if said, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, said)
	}
	return path
}

// demonstration is a run of `sayso demo` with a folder of its own for what is
// temporary, in which nothing may be left.
func demonstration(t *testing.T, program string, args ...string) (run *exec.Cmd, temporary string) {
	t.Helper()
	temporary = t.TempDir()
	run = exec.Command(program, append([]string{"demo"}, args...)...)
	run.Env = append(withoutProxies(), "TMPDIR="+temporary)
	return run, temporary
}

// withoutProxies is the environment, but for what would keep curl from
// speaking to this machine directly.
func withoutProxies() []string {
	var env []string
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); !strings.HasSuffix(strings.ToLower(name), "_proxy") && !strings.HasPrefix(name, "SAYSO_") {
			env = append(env, e)
		}
	}
	return env
}

func nothingLeft(t *testing.T, temporary string) {
	t.Helper()
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("the demonstration leaves %v behind (%v)", left, err)
	}
}

func TestDemo(t *testing.T) {
	program := build(t)
	t.Run("tells its story", func(t *testing.T) { tellsItsStory(t, program) })
	t.Run("goes on by hand", func(t *testing.T) { goesOnByHand(t, program) })
	t.Run("speaks to machines", func(t *testing.T) { speaksToMachines(t, program) })
}

// The story of Mina, each step with the answer it got over HTTP.
func tellsItsStory(t *testing.T, program string) {
	run, temporary := demonstration(t, program, "--exit")
	var told, complained bytes.Buffer
	run.Stdout, run.Stderr = &told, &complained
	if err := run.Run(); err != nil || complained.Len() > 0 {
		t.Fatalf("%v\n%s\n%s", err, &complained, &told)
	}
	nothingLeft(t, temporary)
	story := told.String()
	rest := story
	for _, passage := range []string{
		"1  Northgate", "PUT /v1/register", "200  in force: 11 fields, 10 purposes, 6 channels",
		"2  Mina orders", "201  sub_", "sealed: given_name, family_name, email", "they are not there",
		"3  The web shop asks", "for order-fulfilment", "200  given_name    Mina", "address       Lindenweg 4, 20099 Hamburg, DE", "phone_number  +491713920042",
		"4  The sender", "for sms-marketing", "403  denied: given_name no_consent, phone_number no_consent", "the same answer", "consent for sms-marketing",
		"5  In the store", "201  given", "receipt: Northgate, notice 2026-03, covers given_name, phone_number", "signature is good",
		"6  Now the sender", "200  given_name    Mina", "phone_number  +491713920042", "record",
		"7  Mina answers STOP", "201  withdrawn",
		"8  The sender asks again", "403  denied: given_name no_consent, phone_number no_consent",
		"9  All of it", "/log/checkpoint", " records, head ", "Verified: ", "3 people",
	} {
		at := strings.Index(rest, passage)
		if at < 0 {
			t.Fatalf("the story lacks %q, or has it too early:\n%s", passage, story)
		}
		rest = rest[at+len(passage):]
	}
	last := -1
	for _, m := range regexp.MustCompile(`record (\d+) of the log`).FindAllStringSubmatch(story, -1) {
		index, _ := strconv.Atoi(m[1])
		if index <= last {
			t.Errorf("the log does not grow: record %d after %d", index, last)
		}
		last = index
	}
	counts := regexp.MustCompile(`(?s)200  (\d+) records, head .*each of (\d+) records`).FindStringSubmatch(story)
	if counts == nil || counts[1] != counts[2] || counts[1] != strconv.Itoa(last+1) {
		t.Errorf("the signed head, the verified records and the last record, %d, do not agree: %q", last, counts)
	}
	if strings.Contains(story, "\x1b") {
		t.Error("there is colour where there is no terminal")
	}
}

// Whoever pastes the lines the demonstration prints gets what it says they get,
// also while the usual port is taken. Ctrl-C, even twice, leaves nothing behind.
func goesOnByHand(t *testing.T, program string) {
	if l, err := net.Listen("tcp", "127.0.0.1:8650"); err == nil {
		defer l.Close()
	}
	run, temporary := demonstration(t, program)
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complained bytes.Buffer
	run.Stderr = &complained
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = run.Process.Kill() }()
	var pasted []string
	told := bufio.NewScanner(out)
	for told.Scan() {
		if line := told.Text(); strings.HasPrefix(line, "  curl ") || strings.HasPrefix(line, "  token=") {
			pasted = append(pasted, line)
			if strings.HasSuffix(line, "/log/checkpoint") {
				break
			}
		}
	}
	if len(pasted) != 8 {
		t.Fatalf("got %d lines to paste: %q\n%s", len(pasted), pasted, &complained)
	}
	t.Run("the pasted lines work", func(t *testing.T) { pasteInto(t, pasted) })

	for range 2 {
		if err := run.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	for told.Scan() { // what it says at the end
	}
	if err := run.Wait(); err != nil || complained.Len() > 0 {
		t.Errorf("after Ctrl-C: %v\n%s", err, &complained)
	}
	nothingLeft(t, temporary)
}

func pasteInto(t *testing.T, lines []string) {
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("this machine has no %s to paste into", tool)
			}
			t.Skipf("skipped: this machine has no %s to paste into", tool)
		}
	}
	shell := exec.Command("bash", "-c", strings.Join(lines, "\n"))
	shell.Env = withoutProxies()
	said, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	answers := strings.Split(string(said), "\n")
	if len(answers) < 8 {
		t.Fatalf("got %d lines:\n%s", len(answers), said)
	}
	member := func(i int, name string) string {
		var a map[string]json.RawMessage
		if err := json.Unmarshal([]byte(answers[i]), &a); err != nil {
			t.Fatalf("answer %d: %v\n%s", i+1, err, answers[i])
		}
		return string(a[name])
	}
	for _, want := range []struct {
		i        int
		of, says string
	}{
		{0, "fields", `"given_name":"Mina"`},
		{0, "masked", `"email":{"value":"`},
		{0, "withheld", `"field":"address","code":"policy"`},
		{1, "code", `"denied"`},
		{2, "status", `"given"`},
		{2, "effective", `true`},
		{3, "fields", `"phone_number":"+491713920042"`},
		{4, "status", `"withdrawn"`},
		{5, "code", `"denied"`},
	} {
		if got := member(want.i, want.of); !strings.Contains(got, want.says) {
			t.Errorf("answer %d: got %s %s, want %s in it", want.i+1, want.of, got, want.says)
		}
	}
	if !strings.HasPrefix(answers[6], "sayso/vlt_") {
		t.Errorf("the checkpoint: %q", answers[6:])
	}
	if strings.Contains(answers[0], "Lindenweg") || strings.Contains(answers[5], "Mina") {
		t.Errorf("more than is said: %s\n%s", answers[0], answers[5])
	}
}

func speaksToMachines(t *testing.T, program string) {
	run, temporary := demonstration(t, program, "--exit", "-o", "json")
	said, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, temporary)
	var facts struct {
		URL, Dir, Subject string
		Officer           struct {
			ClientID string `json:"client_id"`
		}
		Channels []struct {
			ID           string
			ClientSecret string `json:"client_secret"`
		}
	}
	if err := json.Unmarshal(said, &facts); err != nil || !strings.HasPrefix(facts.URL, "http://127.0.0.1:") || !strings.HasPrefix(facts.Subject, "sub_") ||
		facts.Officer.ClientID == "" || len(facts.Channels) != 4 || facts.Channels[0].ClientSecret == "" {
		t.Errorf("%v: %s", err, said)
	}
}
