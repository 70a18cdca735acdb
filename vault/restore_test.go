package vault_test

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sayso-vault/sayso/keys"
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

// What people and officers only looked at since the copy was made keeps nobody from
// restoring it: their records stay, and say nothing of the state.
func TestWhoOnlyLookedSinceTheCopyIsNotInTheWay(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister})
	ana := v.As("web").Capture(anaTold)
	copied := copyOf(t, v)
	v.As("web").Session(ana).Me()
	if _, err := v.Lookup(t.Context(), v.Officer, ana, "she called"); err != nil {
		t.Fatal(err)
	}
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.Stop()
	restored, _ := mustRestore(t, v, remainsOf(v.Dir, copied))
	restored.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
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

// What the log tells was done after the copy is undone, and told: also what an
// officer did, who has to do it again.
func TestWhatTheCopyDoesNotKnowIsUndone(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	old := copyOf(t, v)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	then := v.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.As("web").Capture(told("email", anahita["email"].(string), "given_name", "Ana"))
	v.Activate(`package sayso.rules

withhold contains {"field": "phone_number", "reason": "not now"} if input.purpose.id == "sms-marketing"
`)
	v.Stop()

	r, report := mustRestore(t, v, remainsOf(v.Dir, old))
	r.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	// The yes after the no is not in the copy: the no is what is known.
	r.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
	if report.Undone == 0 || len(report.Changes) == 0 || !strings.Contains(strings.Join(report.Changes, "; "), "rules pol_") {
		t.Errorf("report: got %+v, want what was undone, the rules among it", report)
	}
	if _, err := r.Decision(t.Context(), r.Officer, then.Result.Decision); !errors.Is(err, &vault.Error{Code: vault.CodeGone}) {
		t.Errorf("a decision on a standing that was undone: got %v, want gone", err)
	}

	// The decisions of then cannot be made again, and keep nobody from trying rules.
	draft, err := r.DraftPolicy(t.Context(), r.Officer, map[string]string{"rules.rego": "package sayso.rules\n"}, "")
	if err != nil {
		t.Fatal(err)
	}
	replayed, err := r.ReplayPolicy(t.Context(), r.Officer, draft.ID, vault.ReplayRequest{}, nil)
	if err != nil || replayed.NotReplayable == 0 {
		t.Errorf("rules tried on what is recorded: got %+v, %v, want some that are not replayable", replayed, err)
	}

	// A newer row of then, which somebody kept, is not the newest again.
	stolen := rowOf(t, v, ana)
	r.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	r.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	r.Stop()
	r.Mend(func(data store.LogEngine, _ store.Engine) error { return stolen(data) })
	if err := r.Reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.VerifyLog(t.Context(), nil); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a standing of before the restore was put back: got %v", err)
	}
}

// rowOf keeps the row of a person's standing of a stopped vault, and returns
// what puts it into another's.
func rowOf(t *testing.T, v *vaulttest.Vault, who vaulttest.Person) func(store.LogEngine) error {
	t.Helper()
	var key, value []byte
	v.Mend(func(data store.LogEngine, _ store.Engine) error {
		return data.View(context.Background(), func(s store.Snapshot) error {
			key = v.Keyring.Place(who.ID)
			row, err := s.Get("standing", key)
			value = bytes.Clone(row)
			return err
		})
	})
	if value == nil {
		t.Fatal("there is no such row")
	}
	return func(data store.LogEngine) error {
		_, err := data.Update(context.Background(), func(tx store.Tx) error { return tx.Put("standing", key, value) })
		return err
	}
}

// Restored from one copy twice, and from a copy of before an earlier restore: the
// log of each has a name of its own, and what was in the log of the one before is
// in that of the next.
func TestRestoredAgainAndAgain(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	first := v.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	old := copyOf(t, v)
	logs := map[string]bool{"main": true}
	decisions := []privacy.DecisionID{first.Result.Decision}
	for range 3 {
		read := v.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
		decisions = append(decisions, read.Result.Decision)
		v.Stop()
		r, report := mustRestore(t, v, remainsOf(v.Dir, old))
		if logs[report.Log] {
			t.Errorf("the log is named %s, as one before", report.Log)
		}
		logs[report.Log] = true
		if report.Lost != 0 || report.LogWhy != "" {
			t.Errorf("report: got %+v, want nothing lost", report)
		}
		for _, id := range decisions {
			if _, err := r.Decision(t.Context(), r.Officer, id); err != nil {
				t.Errorf("after %d restores, decision %s: %v", len(logs)-1, id, err)
			}
		}
		v = r
	}
	// And the last one of all is refused by the ledger of the one before.
	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.Stop()
	r, _ := mustRestore(t, v, remainsOf(v.Dir, old))
	r.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
}

// A stranger who kept a checkpoint of the old log holds the new one's leaves
// against it: none of those that were carried over is another.
func TestAStrangerHoldsTheNewLogAgainstAnOldCheckpoint(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	for range 300 { // more than a tile
		v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	}
	kept := checkpointOf(t, v)
	old := copyOf(t, v)
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.Stop()
	r, _ := mustRestore(t, v, remainsOf(v.Dir, old))
	now := checkpointOf(t, r)
	if now.origin == kept.origin {
		t.Errorf("two logs under the one name %s", now.origin)
	}
	var leaves []tlog.Hash
	for n := int64(0); n<<8 < now.size; n++ {
		tile, err := r.Tile(t.Context(), 0, n, int(min(256, now.size-n<<8)))
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(tile); at += tlog.HashSize {
			leaves = append(leaves, tlog.Hash(tile[at:]))
		}
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i, leaf := range leaves[1 : kept.size+1] { // behind the first
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(kept.size, reader)
	if err != nil || root != kept.root {
		t.Errorf("the root of the leaves behind the first: got %v (%v), want that of the kept checkpoint, %v", root, err, kept.root)
	}
}

type kept struct {
	origin string
	size   int64
	root   tlog.Hash
}

func checkpointOf(t *testing.T, v *vaulttest.Vault) (c kept) {
	t.Helper()
	if _, err := v.VerifyLog(t.Context(), nil); err != nil { // it is followed to its end
		t.Fatal(err)
	}
	signed, err := v.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(signed), "\n")
	c.origin = lines[0]
	if c.size, err = strconv.ParseInt(lines[1], 10, 64); err == nil {
		c.root, err = tlog.ParseHash(lines[2])
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Without a whole ledger nobody can tell who took a yes back: consents from
// before count as none, whatever rested on nobody having said no has to begin
// anew, and it stays so over a restart.
func TestWithoutTheLedgerConsentsLapse(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd})
	ana := v.As("web").Capture(told("email", "a@example.org", "given_name", "Anahita"))
	ben := v.As("web").Capture(told("email", "b@example.org", "given_name", "Ben"))
	for _, who := range []vaulttest.Person{ana, ben} {
		v.As("desk").For("news").Consent(who, privacy.StatusGiven)
	}
	v.As("desk").For("fraud").Consent(ben, privacy.StatusObjected)
	v.As("mail").For("news").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.As("web").For("fraud").Read(ana, "email").Released(told("email", "a@example.org"))
	old := copyOf(t, v)
	v.As("desk").For("news").Consent(ana, privacy.StatusWithdrawn)
	v.Stop()

	from := remainsOf(v.Dir, old)
	from.ledger, from.live = "", ""
	if _, _, err := restore(t, v, from); !errors.Is(err, vault.ErrLedgerShorter) {
		t.Errorf("without a ledger, and nobody said that it is lost: got %v", err)
	}
	from.how.LedgerLost = true
	r, report := mustRestore(t, v, from)
	if report.LapsedAt == nil {
		t.Errorf("report: got %+v, want since when consents count as none", report)
	}
	for range 2 {
		for _, who := range []vaulttest.Person{ana, ben} {
			r.As("mail").For("news").Read(who).Denied(privacy.CodeNoConsent)
			r.As("web").For("fraud").Read(who).Denied(privacy.CodeNoConsent)
		}
		r.As("web").For("order").Read(ana, "given_name").Released(told("given_name", "Anahita")) // a contract is no say-so
		restart(t, r)
	}
	// Who is asked anew, and who comes back to the shop, begins anew.
	r.As("desk").For("news").Consent(ana, privacy.StatusGiven)
	r.As("mail").For("news").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	r.As("mail").For("news").Read(ben).Denied(privacy.CodeNoConsent)
	for _, email := range []string{"a@example.org", "b@example.org"} {
		r.As("web").Capture(told("email", email))
	}
	r.As("web").For("fraud").Read(ana, "email").Released(told("email", "a@example.org"))
	r.As("web").For("fraud").Read(ben).Denied(privacy.CodeNoConsent) // he objected, and that is known
	cid := r.As("web").Capture(told("email", "c@example.org", "given_name", "Cid"))
	r.As("web").For("fraud").Read(cid, "email").Released(told("email", "c@example.org"))
	restart(t, r)
	r.As("mail").For("news").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	r.As("web").For("fraud").Read(ana, "email").Released(told("email", "a@example.org"))
}

// A ledger from which noes were cut is found, by what the vault did or by what its
// log says.
func TestACutLedgerIsNamed(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	before := copyOf(t, v)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	after := copyOf(t, v)
	v.Stop()
	for story, data := range map[string]string{"the data knows better": after, "the log knows better": before} {
		from := remainsOf(v.Dir, data)
		from.ledger = filepath.Join(before, "ledger")
		if _, _, err := restore(t, v, from); !errors.Is(err, vault.ErrLedgerShorter) {
			t.Errorf("%s: got %v, want ErrLedgerShorter", story, err)
		}
	}
}

// An older copy of the data opens with today's keys, however often these turned;
// an older keys.db opens no more once they did.
func TestOlderCopiesAndKeysThatTurned(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	old := copyOf(t, v)
	for range 3 {
		if _, err := v.RotateKeys(t.Context(), vault.Rotation{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	ring := v.Keyring
	v.Stop()
	r, report := mustRestore(t, v, remainsOf(v.Dir, old))
	if !report.Reindexed {
		t.Errorf("report: got %+v, want that identifiers were indexed anew", report)
	}
	r.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	r.As("web").For("order-fulfilment").Read(vaulttest.By("email", anahita["email"].(string)), "given_name").Released(told("given_name", "Anahita"))
	if got := r.As("web").Capture(anahita); got.ID != ana.ID {
		t.Errorf("captured again she is somebody new")
	}
	v.Keyring = ring
	from := remainsOf(v.Dir, old)
	from.keys = filepath.Join(old, "keys.db")
	if _, _, err := restore(t, v, from); !errors.Is(err, vault.ErrOlderKeys) {
		t.Errorf("an older keys.db: got %v, want ErrOlderKeys", err)
	}
}

// Of people whose keys are gone nothing opens: only when it is said are their
// records removed.
func TestPeopleWithoutKeysAreDroppedOnlyWhenItIsSaid(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	old := copyOf(t, v)
	ben := v.As("web").Capture(told("email", "b@example.org", "given_name", "Ben"))
	v.As("web").For("order-fulfilment").Read(ben, "given_name").Released(told("given_name", "Ben"))
	v.Stop()
	from := remainsOf(v.Dir, v.Dir)
	from.keys = filepath.Join(old, "keys.db")
	if _, _, err := restore(t, v, from); !errors.Is(err, vault.ErrUnreadable) {
		t.Errorf("keys of yesterday, data of today: got %v, want ErrUnreadable", err)
	}
	from.how.DropUnreadable = true
	r, report := mustRestore(t, v, from)
	if report.Dropped != 1 || report.People != 1 {
		t.Errorf("report: got %+v, want one dropped and one left", report)
	}
	r.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	r.As("web").For("order-fulfilment").Read(vaulttest.By("email", "b@example.org")).Refused(vault.CodeUnknownSubject)
	again := r.As("web").Capture(told("email", "b@example.org", "given_name", "Ben"))
	r.As("web").For("order-fulfilment").Read(again, "given_name").Released(told("given_name", "Ben"))
}

// Whoever was erased after the backup stays erased, from whichever copies the
// vault is brought up: old data with today's keys, with the log or without; and
// old data with the keys of then, which a ledger of today is held against.
func TestTheErasedStayErasedAfterARestore(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(crowd, "\nchannels:", "\nsettings: {erasure: {epoch_every: PT1S}}\nchannels:", 1)})
	ana := v.As("web").Capture(told("email", "a@example.org", "given_name", "Anahita"))
	ben := v.As("web").Capture(told("email", "b@example.org", "given_name", "Ben"))
	v.As("desk").For("news").Consent(ana, privacy.StatusGiven)
	v.As("mail").For("news").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	old, ring := copyOf(t, v), v.Keyring
	gone := completed(t, v, erase(t, v, ana).ID)
	cid := v.As("web").Capture(told("email", "c@example.org", "given_name", "Cid"))
	completed(t, v, erase(t, v, cid).ID) // known to no copy
	dan := v.As("web").Capture(told("email", "d@example.org", "given_name", "Dan"))
	v.Stop()
	today := v.Keyring

	for story, c := range map[string]struct {
		ring *keys.Keyring
		from func(*remains)
	}{
		"old data, today's keys and log":     {today, func(*remains) {}},
		"old data and its log, today's keys": {today, func(r *remains) { r.live, r.copied = "", filepath.Join(old, "log") }},
		"old data and no log, today's keys":  {today, func(r *remains) { r.live = "" }},
		"old data, keys and keyring, today's log": {ring, func(r *remains) {
			r.keys = filepath.Join(old, "keys.db")
			r.how.DropUnreadable = true // Dan's keys are in no copy, and the log tells of him
		}},
		"old data, keys, keyring and log": {ring, func(r *remains) {
			r.keys, r.live, r.copied = filepath.Join(old, "keys.db"), "", filepath.Join(old, "log")
		}},
	} {
		t.Run(story, func(t *testing.T) {
			from := remainsOf(v.Dir, old)
			c.from(&from)
			v.Keyring = c.ring
			r, report := mustRestore(t, v, from)
			for range 2 {
				r.As("web").For("order").Read(ana).Refused(vault.CodeUnknownSubject)
				r.As("mail").For("news").Read(ana).Denied(privacy.CodeNoConsent)
				for _, email := range []string{"a@example.org", "c@example.org", "d@example.org"} {
					r.As("web").For("order").Read(vaulttest.By("email", email)).Refused(vault.CodeUnknownSubject)
				}
				r.As("web").For("order").Read(dan).Refused(vault.CodeUnknownSubject)
				r.As("web").For("order").Read(vaulttest.By("email", "b@example.org"), "given_name").Released(told("given_name", "Ben"))
				r.As("web").For("order").Read(ben, "given_name").Released(told("given_name", "Ben"))
				if _, err := r.VerifyLog(t.Context(), nil); err != nil {
					t.Errorf("verifying the log: %v", err)
				}
				restart(t, r)
			}
			if report.People > 2 {
				t.Errorf("report: got %+v, want Ben alone, and Ana while her rows are being removed", report)
			}
			completed(t, r, gone.ID)
			forensic(t, r, ana.ID)
			if got := r.As("web").Capture(told("email", "a@example.org", "given_name", "Ana")); got.ID == ana.ID {
				t.Error("she came back under her old ID")
			}
		})
	}
}

// forensic looks through the files of a stopped vault for what names a person.
func forensic(t *testing.T, v *vaulttest.Vault, id privacy.SubjectID) {
	t.Helper()
	v.Stop()
	defer func() {
		if err := v.Reopen(); err != nil {
			t.Fatal(err)
		}
	}()
	for _, name := range []string{"vault.db", "keys.db"} {
		b, err := os.ReadFile(filepath.Join(v.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if place := v.Keyring.Place(id); bytes.Contains(b, place) {
			t.Errorf("%s still has a row at the erased person's place", name)
		}
	}
}

// A law keeps the invoice's address when somebody is erased. From an old copy the
// rest of what was known of them opens no more, and the address does.
func TestWhoWasPartlyErasedStaysSoAfterARestore(t *testing.T) {
	const reg = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:Name", mask: initial, retention: P3Y}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", mask: partial, retention: P3Y}
  - {name: city, type: string, category: "pd:City", retention: P10Y}
purposes:
  - {id: order, title: Order, benefit: Order, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name, email, city], retention: P10Y}
  - {id: invoices, title: Invoices, benefit: Invoices, dpv: "dpv:LegalObligation", basis: legal_obligation, fields: [city], retention: P10Y}
channels:
  - {id: web, kind: web, purposes: [order, invoices], captures: [given_name, email, city]}
settings: {erasure: {epoch_every: PT1S}}
`
	v := vaulttest.New(t, &vaulttest.Options{Register: reg})
	ana := v.As("web").Capture(told("given_name", "Anahita", "email", "a@example.org", "city", "Köln"))
	old := copyOf(t, v)
	done := completed(t, v, erase(t, v, ana).ID)
	if c := certified(t, v, done.Certificate); len(c.Kept) == 0 {
		t.Fatalf("request: got %+v, want that something stays", done)
	}
	v.Stop()
	for story, live := range map[string]string{"with the log": filepath.Join(v.Dir, "log"), "without": ""} {
		from := remainsOf(v.Dir, old)
		from.live = live
		r, _ := mustRestore(t, v, from)
		for range 2 {
			r.As("web").For("invoices").Read(ana, "city").Released(told("city", "Köln"))
			if out := r.As("web").For("order").Read(ana, "given_name", "email"); out.Err == nil {
				t.Errorf("%s: what was erased was read: %+v", story, out.Result)
			}
			r.As("web").For("order").Read(vaulttest.By("email", "a@example.org")).Refused(vault.CodeUnknownSubject)
			if _, err := r.VerifyLog(t.Context(), nil); err != nil {
				t.Errorf("%s: verifying the log: %v", story, err)
			}
			restart(t, r)
		}
		completed(t, r, done.ID)
		r.As("web").For("invoices").Read(ana, "city").Released(told("city", "Köln"))
	}
}

// Several officers ask for Ana's erasure at once, and get one request. It is the one
// that the vault knows after the disk was lost, too.
func TestARequestThatManyAskedForAtOnceIsKnownAfterARestore(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: soon}) // the keys may have turned before the disk was lost
	ana := v.As("web").Capture(anahita)
	old := copyOf(t, v)
	const many = 16
	var all sync.WaitGroup
	answers := make([]*vault.Request, many)
	for i := range many {
		all.Go(func() {
			var err error
			if answers[i], err = v.Erase(context.Background(), v.Officer, vault.EraseRequest{Subject: ana, Reason: "She asked for it"}); err != nil {
				t.Errorf("asking: %v", err)
			}
		})
	}
	all.Wait()
	for _, q := range answers {
		if t.Failed() || q.ID != answers[0].ID {
			t.Fatalf("the answers are of different requests: %+v and %+v", q, answers[0])
		}
	}
	v.Stop()
	for story, live := range map[string]string{"with the log": filepath.Join(v.Dir, "log"), "without": ""} {
		from := remainsOf(v.Dir, old)
		from.live = live
		r, _ := mustRestore(t, v, from)
		if q := completed(t, r, answers[0].ID); q.Status != vault.RequestCompleted || len(requestsOf(t, r)) != 1 {
			t.Errorf("%s: got %+v of %d requests", story, q, len(requestsOf(t, r)))
		}
		r.As("web").For("order-fulfilment").Read(ana).Refused(vault.CodeUnknownSubject)
	}
}

// soon is a register whose keys may turn each second.
var soon = strings.Replace(vaulttest.Register, "\nchannels:", "\nsettings: {erasure: {epoch_every: PT1S}}\nchannels:", 1)

// What was taken from a client after the backup is not given back: a suspended
// channel, a revoked secret, an officer who left.
func TestWhatClientsLostIsNotGivenBack(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	beatrix, err := v.AddOfficer(t.Context(), v.Officer, "beatrix")
	if err != nil {
		t.Fatal(err)
	}
	second, err := v.NewSecret(t.Context(), v.Officer, "store")
	if err != nil {
		t.Fatal(err)
	}
	old := copyOf(t, v)
	if _, err := v.SuspendChannel(t.Context(), v.Officer, "sms"); err != nil {
		t.Fatal(err)
	}
	if err := v.RevokeSecret(t.Context(), v.Officer, "store", second.SecretID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.MendRemoveOfficer(t.Context(), "beatrix"); err != nil {
		t.Fatal(err)
	}
	v.Stop()
	for story, live := range map[string]string{"with the log": filepath.Join(v.Dir, "log"), "without": ""} {
		t.Run(story, func(t *testing.T) {
			from := remainsOf(v.Dir, old)
			from.live = live
			r, report := mustRestore(t, v, from)
			for range 2 {
				if _, err := r.Caller("sms"); err == nil {
					t.Error("a suspended channel authenticates")
				}
				if _, err := r.Authenticate(second.ClientID, second.ClientSecret); err == nil {
					t.Error("a revoked secret is good")
				}
				if _, err := r.Authenticate(beatrix.Credentials.ClientID, beatrix.Credentials.ClientSecret); err == nil {
					t.Error("an officer who left is back")
				}
				r.As("store").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
				restart(t, r)
			}
			if report.Reapplied != 3 {
				t.Errorf("report: got %+v, want three acts done again", report)
			}
			if _, err := r.ResumeChannel(t.Context(), r.Officer, "sms"); err != nil {
				t.Fatal(err)
			}
			restart(t, r)
			if _, err := r.Caller("sms"); err != nil {
				t.Errorf("resumed, and then the vault was restarted: %v", err)
			}
		})
	}
}

// Somebody sends STOP from a number that nobody knows, and somebody who came
// today says no: after the backup, so that the data of the backup knows neither.
// Restored, the vault remembers both: whoever captures the number or the address
// next finds the no. Whoever was erased since is not remembered.
func TestANoFromSomebodyTheCopyDoesNotKnowBinds(t *testing.T) {
	const optOut = `  - {id: offers, title: Offers, benefit: Offers, dpv: "dpv:DirectMarketing", basis: opt_out, jurisdictions: [DE], fields: [given_name, phone_number], retention: P1Y, consent: {notice: {version: "1", text: Offers.}}}
channels:`
	reg := strings.Replace(crowd, "channels:", optOut, 1)
	reg = strings.Replace(reg, "{id: mail, kind: mail, purposes: [news]}", "{id: mail, kind: mail, purposes: [news, offers]}", 1)
	reg = strings.Replace(reg, "  - {name: card,", "  - {name: address, type: address, category: \"pd:PhysicalAddress\"}\n  - {name: card,", 1)
	reg = strings.Replace(reg, "captures: [given_name, email, card, phone_number]}\n  - {id: app", "captures: [given_name, email, card, phone_number, address]}\n  - {id: app", 1)
	berlin := func(values map[string]any) map[string]any {
		values["address"] = map[string]any{"country": "DE", "locality": "Berlin"}
		return values
	}
	v := vaulttest.New(t, &vaulttest.Options{Register: reg})
	v.As("web").Capture(berlin(told("email", "a@example.org", "given_name", "Anahita", "phone_number", "+49 30 901820")))
	old := copyOf(t, v)
	mail := v.As("mail").For("offers")
	mail.Consent(vaulttest.By("phone_number", "+49 30 901821"), privacy.StatusOptedOut) // nobody's
	ben := v.As("web").Capture(berlin(told("email", "b@example.org", "given_name", "Ben", "phone_number", "+49 30 901822")))
	mail.Consent(ben, privacy.StatusOptedOut)
	cid := v.As("web").Capture(berlin(told("email", "c@example.org", "given_name", "Cid", "phone_number", "+49 30 901823")))
	mail.Consent(cid, privacy.StatusOptedOut)
	req := vaulttest.CaptureRequest(t, berlin(told("email", "d@example.org", "given_name", "Dan", "phone_number", "+49 30 901824")))
	req.Consents = []vault.ConsentRequest{{Purpose: "fraud", Status: privacy.StatusObjected, Method: "web_form"}}
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	completed(t, v, erase(t, v, cid).ID)
	v.Stop()

	for story, live := range map[string]string{"with the log": filepath.Join(v.Dir, "log"), "without": ""} {
		t.Run(story, func(t *testing.T) {
			from := remainsOf(v.Dir, old)
			from.live = live
			r, report := mustRestore(t, v, from)
			if report.Recalled != 3 {
				t.Errorf("report: got %+v, want three people remembered", report)
			}
			restart(t, r)
			next := func(email, name, number string) vaulttest.Person {
				return r.As("web").Capture(berlin(told("email", email, "given_name", name, "phone_number", number)))
			}
			eva := next("e@example.org", "Eva", "+49 30 901821") // the number that said STOP
			r.As("mail").For("offers").Read(eva).Denied(privacy.CodeNoConsent)
			again := next("b@example.org", "Ben", "+49 30 901822")
			if again.ID != ben.ID {
				t.Error("Ben, captured again, is somebody else")
			}
			r.As("mail").For("offers").Read(again).Denied(privacy.CodeNoConsent)
			dan := next("d@example.org", "Dan", "+49 30 901824")
			r.As("web").For("fraud").Read(dan).Denied(privacy.CodeNoConsent)
			r.As("mail").For("offers").Read(dan, "given_name").Released(told("given_name", "Dan"))
			anew := next("c@example.org", "Cid", "+49 30 901823") // erased, and so forgotten
			if anew.ID == cid.ID {
				t.Error("Cid came back under his old ID")
			}
			r.As("mail").For("offers").Read(anew, "given_name").Released(told("given_name", "Cid"))
			fay := next("f@example.org", "Fay", "+49 30 901825")
			r.As("mail").For("offers").Read(fay, "given_name").Released(told("given_name", "Fay"))
			if _, err := r.VerifyLog(t.Context(), nil); err != nil {
				t.Errorf("verifying the log: %v", err)
			}
		})
	}
	// The ledger names nobody.
	b, err := os.ReadFile(filepath.Join(v.Dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"901821", "example.org", "offers", ben.ID.String()} {
		if bytes.Contains(b, []byte(word)) {
			t.Errorf("the ledger holds %q", word)
		}
	}
}
