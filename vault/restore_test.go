package vault_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// copyOf stops a vault, copies its folder, and brings it up again.
func copyOf(t *testing.T, v *vaulttest.Vault) string {
	t.Helper()
	v.Stop()
	dir := t.TempDir()
	if err := copyTree(dir, v.Dir); err != nil {
		t.Fatal(err)
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// remains is what a vault is restored from: files or folders, each of one copy or
// another; none: gone.
type remains struct {
	data, keys, ledger string // files
	live, copied       string // logs
	how                vault.Restoration
}

// remainsOf are all of a vault's folder but its data, which is another's.
func remainsOf(today, data string) remains {
	return remains{data: filepath.Join(data, "vault.db"), keys: filepath.Join(today, "keys.db"), ledger: filepath.Join(today, "ledger"), live: filepath.Join(today, "log")}
}

// restore brings up a vault from what is left of one that was stopped, in a
// folder of its own.
func restore(t *testing.T, was *vaulttest.Vault, from remains) (*vaulttest.Vault, *vault.RestoreReport, error) {
	t.Helper()
	v := was.At(t.TempDir())
	for name, path := range map[string]string{"vault.db": from.data, "keys.db": from.keys, "ledger": from.ledger} {
		if path == "" {
			continue
		}
		if err := copyFile(filepath.Join(v.Dir, name), path); err != nil {
			t.Fatal(err)
		}
	}
	report, err := runRestore(t, v, from)
	if err == nil {
		err = v.Reopen()
	}
	return v, report, err
}

func runRestore(t *testing.T, v *vaulttest.Vault, from remains) (_ *vault.RestoreReport, err error) {
	t.Helper()
	in := func(name string) string { return filepath.Join(v.Dir, name) }
	old, err := bolt.OpenOld(in("vault.db"), in("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	deks, err := bolt.Open(bolt.Config{Path: in("keys.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { err = errors.Join(err, deks.Close()) }()
	ledger, err := bolt.OpenLedger(in("ledger"), from.ledger == "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	how := from.how
	how.Data = old
	if from.live != "" {
		how.Live = bolt.ReadOldLog(from.live)
	}
	if from.copied != "" {
		how.Copied = bolt.ReadOldLog(from.copied)
	}
	var opened *bolt.DB
	how.Open = func() (store.LogEngine, error) {
		opened, err = bolt.Open(bolt.Config{Path: in("vault.db"), Log: in("log")})
		return opened, err
	}
	cfg := vault.Config{Keys: deks, Ledger: ledger, Keyring: v.Keyring, SaveKeyring: v.SaveKeyring, Now: v.Now}
	report, err := vault.Restore(t.Context(), cfg, how)
	if opened != nil {
		err = errors.Join(err, opened.Close())
	}
	return report, err
}

func mustRestore(t *testing.T, was *vaulttest.Vault, from remains) (*vaulttest.Vault, *vault.RestoreReport) {
	t.Helper()
	v, report, err := restore(t, was, from)
	if err != nil {
		t.Fatalf("restoring: %v", err)
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying the log of the restored vault: %v", err)
	}
	return v, report
}

// After the disk was lost and last night's copy restored, whoever withdrew since
// is not read, everybody else is, and what was decided before can be looked up.
func TestWhoWithdrewStaysWithdrawnAfterARestore(t *testing.T) {
	for story, withLog := range map[string]bool{"the log is lost too": false, "the log is there": true} {
		t.Run(story, func(t *testing.T) {
			v := vaulttest.New(t, nil)
			ana := v.As("web").Capture(anahita)
			ben := v.As("web").Capture(told("email", "b@example.org", "given_name", "Ben"))
			for _, who := range []vaulttest.Person{ana, ben} {
				v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
			}
			before := v.As("sms").For("sms-marketing").Read(ben, "given_name").Released(told("given_name", "Ben"))
			old := copyOf(t, v)
			v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
			after := v.As("sms").For("sms-marketing").Read(ben, "given_name").Released(told("given_name", "Ben"))
			cid := v.As("web").Capture(told("email", "c@example.org", "given_name", "Cid"))
			v.Stop()

			from := remainsOf(v.Dir, old)
			if !withLog {
				from.live, from.copied = "", filepath.Join(old, "log")
			}
			r, report := mustRestore(t, v, from)
			r.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
			r.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
			r.As("sms").For("sms-marketing").Read(ben, "given_name").Released(told("given_name", "Ben"))
			r.As("web").For("order-fulfilment").Read(cid).Refused(vault.CodeUnknownSubject)
			if report.Reapplied != 1 || report.People != 2 || report.Tidied != 1 {
				t.Errorf("report: got %+v, want one act done again, two people, and the keys of one tidied", report)
			}
			if _, err := r.Decision(t.Context(), r.Officer, before.Result.Decision); err != nil {
				t.Errorf("a decision from before the copy: %v", err)
			}
			_, err := r.Decision(t.Context(), r.Officer, after.Result.Decision)
			if withLog && err != nil || !withLog && !errors.Is(err, &vault.Error{Code: vault.CodeNotFound}) {
				t.Errorf("a decision from after the copy: got %v", err)
			}
			// And it stays so.
			restart(t, r)
			r.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
			r.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
			r.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
			restart(t, r)
			r.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
		})
	}
}
