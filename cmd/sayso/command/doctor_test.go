package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// A register that leaves nothing open.
const soundRegister = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:Name", mask: initial, retention: P3Y}
  - {name: phone_number, type: phone, identifier: unique, category: "pd:TelephoneNumber", mask: last4, retention: P3Y}
purposes:
  - {id: sms-marketing, title: Offers by text message, benefit: Early access, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name, phone_number], retention: P1Y, consent: {valid_for: P1Y, notice: {version: "1", text: We text you offers.}}}
channels:
  - {id: store, kind: store, purposes: [sms-marketing], captures: [given_name, phone_number], obtains: [sms-marketing], limits: {people_per_day: 100}}
`

var doctorPassphrase = []byte("correct horse battery staple")

// patient is a vault for doctors, stopped, with a person who said yes and was
// read.
type patient struct {
	*vaulttest.Vault
	t      *testing.T
	person privacy.SubjectID
	secret string // file of the passphrase
}

// place is what the keys of the person's rows begin with.
func (p *patient) place() []byte { return p.Keyring.Place(p.person) }

func newPatient(t *testing.T, register string, now time.Time) *patient {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vault")
	for _, d := range []string{dir, filepath.Join(dir, folderLog)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p := &patient{Vault: vaulttest.New(t, &vaulttest.Options{Dir: dir, Register: register, Now: now}), t: t}
	store := p.As("store")
	who := store.Capture(map[string]any{"given_name": "Ines", "phone_number": "+49 40 1234567"})
	store.For("sms-marketing").Consent(who, privacy.StatusGiven)
	store.For("sms-marketing").Read(who).Released(map[string]any{"given_name": "Ines", "phone_number": "+49401234567"})
	p.person = who.ID
	p.Stop()
	p.seal(p.Keyring, keys.Passphrase(doctorPassphrase))
	p.secret = filepath.Join(t.TempDir(), "passphrase")
	p.write(p.secret, doctorPassphrase)
	return p
}

func (p *patient) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) path(name string) string { return filepath.Join(p.Dir, filepath.FromSlash(name)) }

func (p *patient) write(path string, b []byte) {
	p.t.Helper()
	p.check(os.WriteFile(path, b, 0o600))
}

func (p *patient) edit(name string, change func([]byte) []byte) {
	p.t.Helper()
	b, err := os.ReadFile(p.path(name))
	p.check(err)
	p.write(p.path(name), change(b))
}

func (p *patient) seal(k *keys.Keyring, root keys.Root) {
	p.t.Helper()
	sealed, err := k.Seal(root)
	p.check(err)
	p.write(p.path(fileKeyring), sealed)
}

// copyOf returns the patient as a copy in another folder.
func (p *patient) copyOf(t *testing.T) *patient {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vault")
	p.check(os.CopyFS(dir, os.DirFS(p.Dir)))
	p.check(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return errors.Join(err, os.Chmod(path, 0o600))
	}))
	c := &patient{Vault: p.At(dir), t: t, person: p.person, secret: p.secret}
	c.T = t
	return c
}

// picture is everything about a folder that looking must not change.
func (p *patient) picture() string {
	p.t.Helper()
	var b strings.Builder
	if _, err := os.Stat(p.Dir); errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	p.check(filepath.WalkDir(p.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, path, info.Mode(), info.ModTime(), ownerOf(path))
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			fmt.Fprintf(&b, "%x\n", sha256.Sum256(text))
			return err
		}
		return nil
	}))
	return b.String()
}

// examine runs doctor as a user would and returns what it said and the exit code
// it means.
func (p *patient) examine(more ...string) (diagnosis, int) {
	p.t.Helper()
	before := p.picture()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append([]string{"doctor", "--dir", p.Dir, "-o", "json"}, more...))
	_, err := root.ExecuteContextC(context.Background())
	code := exitDone
	var told *toldError
	switch {
	case errors.As(err, &told):
		code = exitNo
	case err != nil:
		p.t.Fatalf("doctor: %v\n%s", err, &errs)
	}
	if p.picture() != before {
		p.t.Error("doctor changed a file")
	}
	d := diagnosis{Examination: &vault.Examination{}}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		p.t.Fatalf("what it said is not JSON: %v\n%s", err, &out)
	}
	return d, code
}

// level returns the worst of what was found under a check, "" if nothing was.
func level(d diagnosis, check string) (worst vault.Level) {
	order := []vault.Level{"", vault.Fine, vault.Warning, vault.Problem}
	for _, f := range d.Findings {
		if f.Check == check && slices.Index(order, f.Level) > slices.Index(order, worst) {
			worst = f.Level
		}
	}
	return worst
}

func told(d diagnosis) string {
	var b strings.Builder
	for _, f := range d.Findings {
		if f.Level != vault.Fine {
			fmt.Fprintf(&b, "%s %s: %s\n", f.Level, f.Check, f.What)
		}
	}
	return b.String()
}

func TestAHealthyVaultIsSaidToBe(t *testing.T) {
	p := newPatient(t, soundRegister, time.Time{})
	d, code := p.examine("--passphrase-file", p.secret, "--deep")
	if code != exitDone || !d.OK || d.Problems+d.Warnings > 0 || len(d.LeftOut) > 0 {
		t.Errorf("got exit %d, left out %v\n%s", code, d.LeftOut, told(d))
	}
	// Without the passphrase what needs no key is looked at, and the rest named.
	d, code = p.examine()
	if code != exitDone || d.Problems+d.Warnings > 0 {
		t.Errorf("without the passphrase: got exit %d\n%s", code, told(d))
	}
	for _, check := range []string{"permissions", "vault.db", "keys.db", "log-segments", "log-whole", "clock", "missing-keys", "orphan-keys", "disk"} {
		if level(d, check) != vault.Fine {
			t.Errorf("without the passphrase: %s: got %q, want it looked at", check, level(d, check))
		}
	}
	left := map[string]bool{}
	for _, l := range d.LeftOut {
		left[l.Check] = true
	}
	for _, check := range []string{"keyring-opens", "keyring-belongs", "log-head", "key-turn", "in-force", "register", "log-verified"} {
		if !left[check] {
			t.Errorf("without the passphrase: %s is not said to be left out", check)
		}
	}
}

// Each damage is named by its check, with what it means and what to do, and no
// file is changed by looking.
func TestEachDamageIsNamed(t *testing.T) {
	whole := newPatient(t, soundRegister, time.Time{})
	other := newPatient(t, soundRegister, time.Time{})
	// What the same vault was like before its last acts.
	older := whole.copyOf(t)
	p := whole.Vault
	if err := p.Reopen(); err != nil {
		t.Fatal(err)
	}
	p.As("store").For("sms-marketing").Consent(vaulttest.ID(whole.person), privacy.StatusWithdrawn)
	p.Stop()

	for _, c := range []struct {
		damage string
		do     func(p *patient)
		check  string
		want   vault.Level
		more   []string // of the command line
	}{
		{"there is no folder", func(p *patient) { p.check(os.RemoveAll(p.Dir)) }, "files", vault.Problem, nil},
		{"init did not finish", func(p *patient) { p.write(p.path(fileUnfinished), nil) }, "files", vault.Problem, nil},
		{"keys.db is gone", func(p *patient) { p.check(os.Remove(p.path(fileKeys))) }, "files", vault.Problem, nil},
		{"the log is gone", func(p *patient) { p.check(os.RemoveAll(p.path(folderLog))) }, "files", vault.Problem, nil},
		{"the ledger is gone", func(p *patient) { p.check(os.Remove(p.path(fileLedger))) }, "files", vault.Problem, nil},
		{"vault.db is a link", func(p *patient) {
			p.check(os.Rename(p.path(fileVault), filepath.Join(filepath.Dir(p.Dir), "elsewhere")))
			p.check(os.Symlink("../elsewhere", p.path(fileVault)))
		}, "files", vault.Problem, nil},
		{"others may read the keyring", func(p *patient) { p.check(os.Chmod(p.path(fileKeyring), 0o644)) }, "permissions", vault.Problem, nil},
		{"others may look into the folder", func(p *patient) { p.check(os.Chmod(p.Dir, 0o755)) }, "permissions", vault.Problem, nil},
		{"the owner may not write", func(p *patient) { p.check(os.Chmod(p.path(fileVault), 0o400)) }, "permissions", vault.Problem, nil},
		{"root left a file of its own", func(p *patient) { p.check(os.Chown(p.path(fileKeys), 65534, 65534)) }, "owners", vault.Problem, nil},
		{"others may write above", func(p *patient) { p.check(os.Chmod(filepath.Dir(p.Dir), 0o777)) }, "folder-above", vault.Warning, nil},
		{"a backup lies beside", func(p *patient) { p.write(p.path("vault.db.bak"), []byte("old")) }, "strangers", vault.Warning, nil},
		{"a file is of the future", func(p *patient) {
			p.check(os.Chtimes(p.path(fileLedger), time.Time{}, time.Now().Add(time.Hour)))
		}, "file-times", vault.Warning, nil},
		{"the keyring was cut", func(p *patient) { p.check(os.Truncate(p.path(fileKeyring), 300)) }, "keyring", vault.Problem, nil},
		{"the keyring is sealed with little work", func(p *patient) {
			p.seal(p.Keyring, keys.PassphraseWith(doctorPassphrase, keys.Argon2{Time: 1, Memory: 64, Threads: 1}))
		}, "keyring", vault.Warning, nil},
		{"the passphrase is wrong", func(p *patient) {
			p.secret = filepath.Join(t.TempDir(), "wrong")
			p.write(p.secret, []byte("tomorrow"))
		}, "keyring-opens", vault.Problem, nil},
		{"a byte of the keyring changed", func(p *patient) { p.edit(fileKeyring, func(b []byte) []byte { b[len(b)-9] ^= 1; return b }) }, "keyring-opens", vault.Problem, nil},
		{"the keyring is another vault's", func(p *patient) { p.seal(other.Keyring, keys.Passphrase(doctorPassphrase)) }, "keyring-belongs", vault.Problem, nil},
		{"vault.db was cut", func(p *patient) { p.check(os.Truncate(p.path(fileVault), 20_000)) }, "vault.db", vault.Problem, nil},
		{"vault.db is a letter", func(p *patient) { p.write(p.path(fileVault), bytes.Repeat([]byte("Dear all\n"), 3000)) }, "vault.db", vault.Problem, nil},
		{"a page of keys.db was overwritten", func(p *patient) {
			p.edit(fileKeys, func(b []byte) []byte { clear(b[4096+16 : 4096+80]); return b })
		}, "keys.db", vault.Problem, nil},
		{"a bit of a key in keys.db flipped", func(p *patient) {
			p.edit(fileKeys, func(b []byte) []byte { return bytes.ReplaceAll(b, p.place(), make([]byte, len(p.place()))) })
		}, "pages", vault.Problem, []string{"--deep"}},
		{"a record of the log changed", func(p *patient) { p.edit(folderLog+"/00000001.log", func(b []byte) []byte { b[200] ^= 1; return b }) }, "log-segments", vault.Problem, nil},
		{"a segment is gone", func(p *patient) { p.check(os.Remove(p.path(folderLog + "/00000001.log"))) }, "log-segments", vault.Problem, nil},
		{"a segment was cut", func(p *patient) { p.check(os.Truncate(p.path(folderLog+"/00000001.log"), 5000)) }, "log-segments", vault.Problem, nil},
		{"the power went", func(p *patient) {
			p.edit(folderLog+"/00000001.log", func(b []byte) []byte { copy(b[len(b)-4096:], "half a record"); return b })
		}, "log-end", vault.Warning, nil},
		{"the ledger was torn", func(p *patient) { p.edit(fileLedger, func(b []byte) []byte { return append(b, "half an entry"...) }) }, "ledger-end", vault.Warning, nil},
		{"an entry of the ledger changed", func(p *patient) { p.edit(fileLedger, func(b []byte) []byte { b[100] ^= 1; return b }) }, "ledger", vault.Problem, nil},
		{"the ledger is an older copy", func(p *patient) {
			b, err := os.ReadFile(older.path(fileLedger))
			p.check(err)
			p.write(p.path(fileLedger), b)
		}, "ledger-whole", vault.Problem, nil},
		{"vault.db is an older copy", func(p *patient) {
			b, err := os.ReadFile(older.path(fileVault))
			p.check(err)
			p.write(p.path(fileVault), b)
		}, "vault.db-older", vault.Problem, nil},
		{"vault.db and its log are older copies", func(p *patient) {
			for _, name := range []string{fileVault, folderLog + "/00000001.log"} {
				b, err := os.ReadFile(older.path(name))
				p.check(err)
				p.write(p.path(name), b)
			}
		}, "log-whole", vault.Problem, nil},
		{"the signed head was taken away", func(p *patient) {
			p.Mend(func(data store.LogEngine, _ store.Engine) error {
				_, err := data.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("log/state", []byte("checkpoint")) })
				return err
			})
		}, "log-head", vault.Problem, nil},
		{"somebody's keys are gone", func(p *patient) {
			p.Mend(func(_ store.LogEngine, deks store.Engine) error {
				_, err := deks.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("deks", p.place()) })
				return err
			})
		}, "missing-keys", vault.Problem, nil},
		{"somebody's standing is gone", func(p *patient) {
			p.Mend(func(data store.LogEngine, _ store.Engine) error {
				_, err := data.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("standing", p.place()) })
				return err
			})
		}, "orphan-keys", vault.Warning, nil},
		{"somebody's standing is gone, looked at closely", func(p *patient) {
			p.Mend(func(data store.LogEngine, _ store.Engine) error {
				_, err := data.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("standing", p.place()) })
				return err
			})
		}, "log-verified", vault.Problem, []string{"--deep"}},
		{"what is in force was overwritten", func(p *patient) {
			p.Mend(func(data store.LogEngine, _ store.Engine) error {
				_, err := data.Update(t.Context(), func(tx store.Tx) error { return tx.Put("governance", []byte("current"), []byte("mine")) })
				return err
			})
		}, "in-force", vault.Problem, nil},
		{"a turn of keys did not end", func(p *patient) {
			half, err := p.Keyring.WithNewKEK(time.Now())
			p.check(err)
			p.seal(half, keys.Passphrase(doctorPassphrase))
		}, "key-turn", vault.Warning, nil},
		{"the keyring is from before a turn", func(p *patient) {
			later, err := p.Keyring.WithNewKEK(time.Now())
			p.check(err)
			p.Mend(func(_ store.LogEngine, deks store.Engine) error { return rewrap(deks, later, p.person) })
		}, "key-turn", vault.Problem, nil},
	} {
		t.Run(c.damage, func(t *testing.T) {
			if strings.HasPrefix(c.damage, "root") && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			p := whole.copyOf(t)
			c.do(p)
			d, code := p.examine(append(c.more, "--passphrase-file", p.secret)...)
			if level(d, c.check) != c.want {
				t.Errorf("%s: got %q, want %q\n%s", c.check, level(d, c.check), c.want, told(d))
			}
			if want := map[bool]int{true: exitNo, false: exitDone}[c.want != vault.Warning]; code != want {
				t.Errorf("exit code: got %d, want %d\n%s", code, want, told(d))
			}
			for _, f := range d.Findings {
				if f.Level != vault.Fine && (f.What == "" || f.Means == "" || f.Do == "") {
					t.Errorf("%+v does not say what is wrong, what it means and what to do", f)
				}
			}
			if strings.Contains(fmt.Sprint(d), "Ines") || strings.Contains(fmt.Sprint(d), "1234567") {
				t.Error("a value was told")
			}
		})
	}
}

// rewrap puts a person's keys under the newest KEK of another keyring.
func rewrap(deks store.Engine, under *keys.Keyring, id privacy.SubjectID) error {
	_, err := deks.Update(context.Background(), func(tx store.Tx) error {
		row, err := tx.Get("deks", under.Place(id))
		if err != nil {
			return err
		}
		var deks [2]*keys.DEK
		for i, kind := range []keys.DEKKind{keys.Values, keys.History} {
			if deks[i], err = under.Unwrap(row, id, kind); err != nil {
				return err
			}
		}
		next, err := under.Wrap(id, deks[0], deks[1])
		if err != nil {
			return err
		}
		return tx.Put("deks", under.Place(id), next)
	})
	return err
}

// A clock that stands before the last commit.
func TestAClockThatWentBackIsNamed(t *testing.T) {
	p := newPatient(t, soundRegister, time.Now().Add(24*time.Hour))
	if d, code := p.examine(); code != exitNo || level(d, "clock") != vault.Problem {
		t.Errorf("got exit %d\n%s", code, told(d))
	}
}

// What a register leaves open is told by name, and is no problem.
func TestGapsOfTheRegisterAreWarnings(t *testing.T) {
	gappy := strings.Replace(soundRegister, "purposes:\n", `  - {name: shoe_size, type: number}
purposes:
  - {id: orders, title: {en: Orders, de: Bestellungen}, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name], retention: P1Y}
  - {id: mail, title: Mail, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name], consent: {notice: {version: "1", text: We mail you.}}}
`, 1) + "  - {id: web, kind: web, purposes: [orders], captures: [given_name]}\n  - {id: kiosk, kind: kiosk}\n"
	p := newPatient(t, gappy, time.Time{})
	d, code := p.examine("--passphrase-file", p.secret, "--deep")
	if code != exitDone || d.Problems > 0 {
		t.Errorf("got exit %d\n%s", code, told(d))
	}
	for check, about := range map[string]string{"unused-fields": "shoe_size", "fields-for-ever": "shoe_size", "unheld-purposes": "mail", "unobtained-purposes": "mail",
		"purposes-for-ever": "mail", "untranslated": "mail (de, en)", "idle-channels": "kiosk", "unlimited-channels": "web", "channel-reads": "web"} {
		i := slices.IndexFunc(d.Findings, func(f vault.Finding) bool { return f.Check == check })
		if i < 0 || d.Findings[i].Level != vault.Warning || !slices.Contains(d.Findings[i].About, about) {
			t.Errorf("%s: want a warning about %s\n%s", check, about, told(d))
		}
	}
}

func TestHowAFolderIsServedIsLookedAt(t *testing.T) {
	for _, c := range []struct {
		as   served
		want map[string]vault.Level
	}{
		{served{Listen: "127.0.0.1:8650"}, map[string]vault.Level{"transport": vault.Fine, "url": "", "served": ""}},
		{served{Listen: "127.0.0.1:8650", BehindProxy: true}, map[string]vault.Level{"transport": vault.Fine}},
		{served{Listen: ":8650", BehindProxy: true}, map[string]vault.Level{"transport": vault.Warning}},
		{served{Listen: ":8650", TLS: true, URL: "https://vault.example.org"}, map[string]vault.Level{"transport": vault.Fine, "url": ""}},
		{served{Listen: ":8650", TLS: true, URL: "http://vault.example.org"}, map[string]vault.Level{"url": vault.Warning}},
		{served{Listen: ":8650", TLS: true, Cert: "nowhere.pem"}, map[string]vault.Level{"certificate": vault.Warning}},
		{served{Listen: "127.0.0.1:8650", Version: "v0.0.1"}, map[string]vault.Level{"served": vault.Warning}},
	} {
		d := &doctor{now: time.Now, Examination: &vault.Examination{}}
		if c.as.Version == "" {
			c.as.Version = version()
		}
		d.serving(&c.as)
		for check, want := range c.want {
			if got := level(diagnosis{Examination: d.Examination}, check); got != want {
				t.Errorf("%+v: %s: got %q, want %q", c.as, check, got, want)
			}
		}
	}
}

func TestRoomOnTheDisk(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		free, used uint64
		readOnly   bool
		want       vault.Level
	}{
		{100 * gib, gib, false, vault.Fine},
		{gib, 2 * gib, false, vault.Warning},
		{100 << 20, gib, false, vault.Problem},
		{100 * gib, gib, true, vault.Problem},
	} {
		if f := diskFinding(c.free, c.used, c.readOnly); f.Level != c.want || c.want != vault.Fine && (f.Means == "" || f.Do == "") {
			t.Errorf("%+v: got %+v", c, f)
		}
	}
}
