package command_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

const killedRegister = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:GivenName", mask: initial, retention: P3Y}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", mask: partial, retention: P3Y}
  - {name: phone_number, type: phone, identifier: shared, category: "pd:TelephoneNumber", mask: last4, retention: P3Y}
purposes:
  - {id: orders, title: Deliver, benefit: Your parcel, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name, email, phone_number], retention: P10Y}
  - {id: news, title: News, benefit: News, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name, email], retention: P1Y, consent: {notice: {version: "1", text: News.}}}
channels:
  - {id: shop, kind: web, purposes: [orders, news], captures: [given_name, email, phone_number], obtains: [news]}
`

const killedMapping = `
fields: {given_name: Name, email: Mail, phone_number: Phone}
consents:
  - {purpose: news, status: {column: News, values: {"yes": given, "no": withdrawn}}, at: {column: Since}, method: web_form}
grounds:
  - {purpose: orders, if: {column: Order}, ref: {column: Order}, since: {column: Since}}
`

// killedFile is of people of every kind: with an identifier and without, who come
// twice, who said yes or no, whom the mapping rejects and whom the vault does.
func killedFile(rows int) string {
	var b strings.Builder
	b.WriteString("Name,Mail,Phone,News,Since,Order\n")
	for i := range rows {
		name, mail, phone, news, since, order := fmt.Sprintf("Person %d", i), fmt.Sprintf("p%d@example.org", i), fmt.Sprintf("+49301%06d", i), "", fmt.Sprintf("2024-01-%02d", 1+i%28), ""
		switch i % 11 {
		case 1, 2:
			mail, phone = "", ""
		case 3:
			mail = fmt.Sprintf("P%d@example.org", i-3) // somebody of three rows before
		case 4:
			news = "yes"
		case 5:
			news = "no"
		case 6:
			order = fmt.Sprintf("A-%d", i)
		case 7:
			mail = "nonsense"
		case 8:
			news, since = "perhaps", ""
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s\n", name, mail, phone, news, since, order)
	}
	return b.String()
}

// trap stands between an import and its vault, and springs at a byte of the rows
// that are sent, or before their answer: what is on its way then arrives nowhere.
type trap struct {
	t      *testing.T
	l      net.Listener
	to     string
	mu     sync.Mutex // guards the rest
	sent   int        // bytes of requests until it springs; < 0: it does not
	answer int        // answers until it springs before the first byte of one
	spring func()
}

func newTrap(t *testing.T) *trap {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &trap{t: t, l: l, sent: -1, answer: -1}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *trap) set(sent, answer int, spring func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.answer, p.spring = sent, answer, spring
}

// pass reports whether some bytes may go on; it springs once.
func (p *trap) pass(n int, answered bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spring == nil {
		return true
	}
	switch {
	case !answered && p.sent >= 0:
		p.sent -= n
		if p.sent < 0 {
			p.spring()
			p.spring = nil
			return false
		}
	case answered && p.answer >= 0:
		p.answer--
		if p.answer < 0 {
			p.spring()
			p.spring = nil
			return false
		}
	}
	return true
}

func (p *trap) serve(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer s.Close()
	var both sync.WaitGroup
	var rows atomic.Bool // the last request on this connection brings rows
	copyAll := func(dst, src net.Conn, answers bool) {
		defer func() { _, _ = dst.Close(), src.Close() }()
		buf := make([]byte, 4096)
		for {
			n, err := src.Read(buf)
			if n > 0 {
				begins := bytes.HasPrefix(buf[:n], []byte("HTTP/1.1"))
				for _, request := range []string{"GET /", "POST /oauth", "POST /v1/imports/"} {
					if !answers && bytes.HasPrefix(buf[:n], []byte(request)) {
						rows.Store(request == "POST /v1/imports/")
					}
				}
				if rows.Load() && begins == answers && !p.pass(n, answers) {
					return
				}
				if _, err := dst.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	both.Go(func() { copyAll(s, c, false) })
	both.Go(func() { copyAll(c, s, true) })
	both.Wait()
}

// process is a vault in a folder, served by a process of its own.
type process struct {
	t      *testing.T
	dir    string
	at     string
	cmd    *exec.Cmd
	env    []string
	client []string // credentials of the shop
}

func (s *process) sayso(env []string, args ...string) ([]byte, error) {
	cmd := exec.Command("sayso", args...)
	cmd.Env = append(append(os.Environ(), s.env...), env...)
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%v: %w\n%s%s", args, err, out.Bytes(), told.Bytes())
	}
	return out.Bytes(), err
}

func (s *process) start() {
	s.t.Helper()
	s.cmd = exec.Command("sayso", "serve", "--dir", filepath.Join(s.dir, "vault"), "--listen", s.at)
	s.cmd.Env = append(os.Environ(), s.env...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for range 600 {
		resp, err := http.Get("http://" + s.at + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.t.Fatal("the vault does not become ready")
}

func (s *process) kill(how os.Signal) {
	_ = s.cmd.Process.Signal(how)
	_ = s.cmd.Wait()
}

func serveVaultOf(t *testing.T, register string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &process{t: t, dir: t.TempDir(), at: l.Addr().String(), env: []string{"SAYSO_PASSPHRASE=correct horse battery staple"}}
	_ = l.Close()
	type credentials struct {
		ID           string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	var officer credentials
	out, err := s.sayso(nil, "init", "--dir", filepath.Join(s.dir, "vault"), "-o", "json")
	if err := errors.Join(err, json.Unmarshal(out, &officer)); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(func() { s.kill(syscall.SIGKILL) })
	path := filepath.Join(s.dir, "register.yaml")
	if err := os.WriteFile(path, []byte(register), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = s.sayso([]string{"SAYSO_URL=http://" + s.at, "SAYSO_CLIENT_ID=" + officer.ID, "SAYSO_CLIENT_SECRET=" + officer.ClientSecret}, "apply", path, "-o", "json")
	var applied struct {
		Channels []credentials `json:"channels"`
	}
	if err := errors.Join(err, json.Unmarshal(out, &applied)); err != nil {
		t.Fatal(err)
	}
	s.client = []string{"SAYSO_CLIENT_ID=" + applied.Channels[0].ID, "SAYSO_CLIENT_SECRET=" + applied.Channels[0].ClientSecret}
	return s
}

// contents counts the rows of a stopped vault that imports write.
func (s *process) contents() map[string]int {
	s.t.Helper()
	counts := map[string]int{}
	for file, buckets := range map[string][]store.Bucket{"vault.db": {"standing", "standings", "profiles", "index", "consents", "receipts", "history", "imports", "imports/rejects", "matches", "ledgered"}, "keys.db": {"deks"}} {
		cfg := bolt.Config{Path: filepath.Join(s.dir, "vault", file)}
		if file == "vault.db" {
			cfg.Log = filepath.Join(s.dir, "vault", "log")
		}
		db, err := bolt.Open(cfg)
		if err != nil {
			s.t.Fatal(err)
		}
		err = db.View(s.t.Context(), func(v store.Snapshot) error {
			for _, b := range buckets {
				err := v.Scan(b, nil, nil, func(_, _ []byte) error { counts[string(b)]++; return nil })
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, db.Close()); err != nil {
			s.t.Fatal(err)
		}
	}
	return counts
}

// An import is killed ten times and its vault ten times, each time with requests
// or answers half on their way. In the end there are the same people, consents,
// grounds and rejects as where nothing happened, and the same report.
func TestAnImportKilledTwentyTimes(t *testing.T) {
	const rows, atOnce = 6000, 150
	names := func(dir string) (file, mapping string) {
		file, mapping = filepath.Join(dir, "people.csv"), filepath.Join(dir, "mapping.yaml")
		for path, text := range map[string]string{file: killedFile(rows), mapping: killedMapping} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return file, mapping
	}
	run := func(s *process, url string) ([]byte, error) {
		file, mapping := names(t.TempDir())
		out, err := s.sayso(append(s.client, "SAYSO_URL="+url), "import", "--mapping", mapping, file, "--rows-at-once", fmt.Sprint(atOnce),
			"--rejects", filepath.Join(s.dir, "rejects.csv"), "--state", filepath.Join(s.dir, "people.import"), "-o", "json")
		return out, err
	}
	calm := serveVaultOf(t, killedRegister)
	want, err := run(calm, "http://"+calm.at)
	if err != nil {
		t.Fatal(err)
	}
	calm.kill(os.Interrupt)

	s := serveVaultOf(t, killedRegister)
	p := newTrap(t)
	p.to = s.at
	random := rand.New(rand.NewPCG(1, 2))
	file, mapping := names(s.dir)
	var cmd *exec.Cmd
	var over chan error
	var told bytes.Buffer
	begin := func() {
		cmd = exec.Command("sayso", "import", "--mapping", mapping, file, "--rows-at-once", fmt.Sprint(atOnce), "--rejects", filepath.Join(s.dir, "rejects.csv"),
			"--state", filepath.Join(s.dir, "people.import"), "-o", "json")
		cmd.Env = append(append(append(os.Environ(), s.env...), s.client...), "SAYSO_URL=http://"+p.l.Addr().String())
		told.Reset()
		cmd.Stderr = &told
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		over = make(chan error, 1)
		go func(cmd *exec.Cmd, over chan error) { over <- cmd.Wait() }(cmd, over)
	}
	// set kills one of the two some way into what is sent, or before an answer: the
	// rows are in then, and who sent them does not hear of it.
	set := func(kill int) chan *exec.Cmd {
		dead, victim := make(chan *exec.Cmd, 1), cmd
		if kill%2 == 1 {
			victim = s.cmd
		}
		sent, answer := random.IntN(60_000), -1
		if kill%4 > 1 {
			sent, answer = -1, random.IntN(2)
		}
		p.set(sent, answer, func() {
			dead <- victim
			_ = victim.Process.Kill()
		})
		return dead
	}
	begin()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for kills := range 20 {
		dead := set(kills)
		select {
		case who := <-dead:
			if who == s.cmd { // the import waits until the vault is there again
				_ = s.cmd.Wait()
				s.start()
			} else {
				<-over
				begin()
			}
		case err := <-over:
			if len(dead) > 0 {
				begin()
				continue
			}
			t.Fatalf("after %d of 20 times the import ended: %v\n%s", kills, err, told.String())
		}
	}
	p.set(-1, -1, nil)
	if err := <-over; err != nil {
		t.Fatalf("in the end: %v\n%s", err, told.String())
	}
	got, err := run(s, "http://"+s.at)
	if err != nil {
		t.Fatal(err)
	}
	s.kill(os.Interrupt)
	report := func(text []byte) string {
		var r map[string]any
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		delete(r, "before")
		delete(r, "already")
		delete(r, "rejects")
		b, _ := json.Marshal(r)
		return string(b)
	}
	if report(got) != report(want) {
		t.Errorf("report:\ngot  %s\nwant %s", report(got), report(want))
	}
	rejects := func(s *process) string {
		b, err := os.ReadFile(filepath.Join(s.dir, "rejects.csv"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if rejects(s) != rejects(calm) {
		t.Error("the lists of rejects differ")
	}
	one, other := s.contents(), calm.contents()
	for b, n := range other {
		if one[b] != n && b != "deks" && b != "imports/rejects" && b != "ledgered" {
			t.Errorf("%s: got %d rows, want %d", b, one[b], n)
		}
	}
	if one["deks"] < other["deks"] {
		t.Errorf("keys: got %d, want those of %d people at least", one["deks"], other["deks"])
	}
}
