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
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The scripts of testdata/script are what a user could type. Beside the usual
// words they have these:
//
//	ready            wait until the vault at SAYSO_URL answers
//	vkey             set VKEY to the key of its log
//	as FILE [CHAN]   act with the credentials that init or apply printed
//	exits N CMD…     run a command that ends with this exit code
//	let NAME REGEXP  set a variable to what the last stdout matched
//	remember DIR     note every file of a folder, to compare
//	unchanged DIR    no file of it changed since
//	shorten FILE N   cut a file to N bytes
//	flip FILE TEXT   change one bit in the first place the text stands, or at @N
//	certificate      make cert.pem and key.pem of this machine
func TestScripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	commands := map[string]func(*script, bool, []string){
		"ready": ready, "vkey": vkey, "as": as, "let": let, "remember": remember, "unchanged": unchanged,
		"shorten": shorten, "flip": flip, "certificate": certificate,
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at := l.Addr().String()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			runScript(t, file, commands, "LISTEN="+at, "SAYSO_URL=http://"+at, "SAYSO_PASSPHRASE=correct horse battery staple")
		})
	}
}

func ready(s *script, _ bool, _ []string) {
	// Whom it trusts is for the commands to show.
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	for range 400 {
		resp, err := c.Get(s.get("SAYSO_URL") + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.fatalf("the vault does not become ready")
}

func vkey(s *script, _ bool, _ []string) {
	resp, err := http.Get(s.get("SAYSO_URL") + "/log/vkey")
	s.check(err)
	defer resp.Body.Close()
	key, err := io.ReadAll(resp.Body)
	s.check(err)
	s.set("VKEY", strings.TrimSpace(string(key)))
}

func as(s *script, _ bool, args []string) {
	type credentials struct {
		ID           string `json:"id"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	var said struct {
		credentials
		Channels []credentials `json:"channels"`
	}
	s.check(json.Unmarshal([]byte(s.read(args[0])), &said))
	who := said.credentials
	for _, c := range said.Channels {
		if len(args) > 1 && c.ID == args[1] {
			who = c
		}
	}
	if who.ClientSecret == "" {
		s.fatalf("%s has no such credentials", args[0])
	}
	s.set("SAYSO_CLIENT_ID", who.ClientID)
	s.set("SAYSO_CLIENT_SECRET", who.ClientSecret)
}

func let(s *script, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(s.read("stdout"))
	if found == nil {
		s.fatalf("stdout does not match %s", args[1])
	}
	s.set(args[0], found[len(found)-1])
}

func list(s *script, dir string) string {
	var b strings.Builder
	s.check(filepath.WalkDir(s.path(dir), func(path string, d fs.DirEntry, err error) error {
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

func remember(s *script, _ bool, args []string) {
	s.set("REMEMBERED", list(s, args[0]))
}

func unchanged(s *script, _ bool, args []string) {
	if got, want := list(s, args[0]), s.get("REMEMBERED"); got != want {
		s.fatalf("the folder changed: got\n%s\nwant\n%s", got, want)
	}
}

func shorten(s *script, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	s.check(err)
	s.check(os.Truncate(s.path(args[0]), n))
}

func flip(s *script, _ bool, args []string) {
	path := s.path(args[0])
	b, err := os.ReadFile(path)
	s.check(err)
	at := strings.Index(string(b), args[1])
	if offset, ok := strings.CutPrefix(args[1], "@"); ok {
		at, err = strconv.Atoi(offset)
		s.check(err)
	}
	if at < 0 {
		s.fatalf("%s holds no %q", args[0], args[1])
	}
	b[at] ^= 1
	s.check(os.WriteFile(path, b, 0o600))
}

func certificate(s *script, _ bool, _ []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	s.check(err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		s.check(os.WriteFile(s.path(name), pem.EncodeToMemory(block), 0o600))
	}
}
