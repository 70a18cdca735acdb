package command_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sayso-vault/sayso/cmd/sayso/command"
)

// TestMain makes the test binary the program itself when a script calls it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sayso":  func() { os.Exit(command.Main(os.Args[1:])) },
		"killed": func() { os.Exit(command.Killed(os.Args[1:])) },
	})
}

// The scripts of testdata/script are what a user could type. Beside the usual
// words they have these:
//
//	ready            wait until the vault at SAYSO_URL answers
//	vkey             set VKEY to the key of its log
//	as FILE [CHAN]   act with the credentials that init or apply printed
//	fetch PATH FILE  keep what the vault at SAYSO_URL serves under a path
//	certifies REQUEST KEYS PROOF
//	                 hold an erasure's certificate against files alone: the keys that
//	                 were published, and the proof of the record that it names
//	exits N CMD…     run a command that ends with this exit code
//	let NAME REGEXP  set a variable to what the last stdout matched
//	remember DIR     note every file of a folder, to compare
//	unchanged DIR    no file of it changed since
//	shorten FILE N   cut a file to N bytes
//	flip FILE TEXT   change one bit in the first place the text stands, or at @N
//	speaks N CMD…    likewise, with -o json: it says lines of JSON
//	everyone [BUT]   no command was left out by speaks, but these
//	mailbox FILE     run a mail server; FILE are settings to serve a vault with it
//	logs-in ADDRESS ARGS…
//	                 run sayso me login, and type the code that was mailed
//	note FILE TEXT   write a file
//	certificate      make cert.pem and key.pem of this machine
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			at := l.Addr().String()
			e.Vars = append(e.Vars, "LISTEN="+at, "SAYSO_URL=http://"+at, "SAYSO_PASSPHRASE=correct horse battery staple")
			examples, err := filepath.Abs(filepath.Join("..", "..", "..", "examples"))
			if err != nil {
				return err
			}
			e.Vars = append(e.Vars, "EXAMPLES="+examples)
			return l.Close()
		},
		Cmds: scriptWords(),
	})
}

func scriptWords() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"ready": ready, "vkey": vkey, "as": as, "exits": exits, "let": let, "remember": remember, "unchanged": unchanged,
		"shorten": shorten, "fetch": fetch, "certifies": certifies, "flip": flip, "certificate": certificate, "speaks": speaks, "everyone": everyone,
		"mailbox": mailbox, "logs-in": logsIn, "note": note,
	}
}

func ready(ts *testscript.TestScript, _ bool, _ []string) {
	// Whom it trusts is for the commands to show.
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	for range 400 {
		resp, err := c.Get(ts.Getenv("SAYSO_URL") + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	ts.Fatalf("the vault does not become ready")
}

func vkey(ts *testscript.TestScript, _ bool, _ []string) {
	resp, err := http.Get(ts.Getenv("SAYSO_URL") + "/log/vkey")
	ts.Check(err)
	defer resp.Body.Close()
	key, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Setenv("VKEY", strings.TrimSpace(string(key)))
}

func as(ts *testscript.TestScript, _ bool, args []string) {
	type credentials struct {
		ID           string `json:"id"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	var said struct {
		credentials
		Channels []credentials `json:"channels"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &said))
	who := said.credentials
	for _, c := range said.Channels {
		if len(args) > 1 && c.ID == args[1] {
			who = c
		}
	}
	if who.ClientSecret == "" {
		ts.Fatalf("%s has no such credentials", args[0])
	}
	ts.Setenv("SAYSO_CLIENT_ID", who.ClientID)
	ts.Setenv("SAYSO_CLIENT_SECRET", who.ClientSecret)
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code: got %d, want %d", got, want)
	}
}

func let(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("stdout does not match %s", args[1])
	}
	ts.Setenv(args[0], found[len(found)-1])
}

func list(ts *testscript.TestScript, dir string) string {
	var b strings.Builder
	ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, path, info.Mode())
		if !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		_, err = io.Copy(h, f)
		fmt.Fprintf(&b, "%x\n", h.Sum(nil))
		return err
	}))
	return b.String()
}

func remember(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("REMEMBERED", list(ts, args[0]))
}

func unchanged(ts *testscript.TestScript, _ bool, args []string) {
	if got, want := list(ts, args[0]), ts.Getenv("REMEMBERED"); got != want {
		ts.Fatalf("the folder changed: got\n%s\nwant\n%s", got, want)
	}
}

func shorten(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at := strings.Index(string(b), args[1])
	if offset, ok := strings.CutPrefix(args[1], "@"); ok {
		at, err = strconv.Atoi(offset)
		ts.Check(err)
	}
	if at < 0 {
		ts.Fatalf("%s holds no %q", args[0], args[1])
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

func certificate(ts *testscript.TestScript, _ bool, _ []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		ts.Check(os.WriteFile(ts.MkAbs(name), pem.EncodeToMemory(block), 0o600))
	}
}
