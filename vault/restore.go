package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Restoration is what a vault is brought up from.
type Restoration struct {
	// Data is vault.db as it was when it was copied.
	Data store.OldStore
	// Live is what is left of the vault's own log, which knows the most; Copied
	// is the log that was copied with Data. Either may be nil.
	Live, Copied store.OldLog
	// Open opens Data's store once it has its new log.
	Open func() (store.LogEngine, error)
	// LedgerLost is an officer's word that the ledger is not whole: what people
	// said no to may be missing, so consents from before now count as none.
	LedgerLost bool
	// OlderKeys says that the keys are of a copy too. Then what they do not open is
	// lost, and not explained by what was removed since Data was copied.
	OlderKeys bool
	// DropUnreadable removes the records of people whose keys are gone though no
	// erasure says so, and values that OlderKeys do not open.
	DropUnreadable bool
	// Progress is told of each step, and how far the long ones are. May be nil.
	Progress func(stage string, done, of uint64)
}

// RestoreReport says what a restore did.
type RestoreReport struct {
	Log       string   `json:"log"`               // name of the new log
	Records   uint64   `json:"records"`           // carried over from the old one
	Lost      uint64   `json:"lost"`              // records that the old one is known to have had beyond them
	LogWhy    string   `json:"log_why,omitempty"` // why more could not be carried over
	Undone    uint64   `json:"undone"`            // acts in the log that the data does not know
	Changes   []string `json:"changes"`           // of them, those of register, rules and clients: to be made again
	Reapplied uint64   `json:"reapplied"`         // acts done again from the ledger
	Reindexed bool     `json:"reindexed"`         // identifiers were indexed anew
	People    uint64   `json:"people"`            // known now
	Dropped   uint64   `json:"dropped"`           // people whose records nothing opens any more
	Recalled  uint64   `json:"recalled"`          // people whom the data does not know, remembered for what they said no to
	Tidied    uint64   `json:"tidied"`            // keys of people whom the data does not know
	// ValuesGone counts values of people who are there, which nothing opens any more:
	// their time was over since the data was copied, or others took their place.
	ValuesGone uint64     `json:"values_gone"`
	LapsedAt   *time.Time `json:"lapsed,omitempty"` // consents from before count as none
	At         time.Time  `json:"at"`
}

// Errors of Restore.
var (
	// ErrUnreadable: the data knows people whose keys are gone, and no erasure
	// says why.
	ErrUnreadable = errors.New("the keys of people are gone, and no erasure says why")
)

// Restore brings up a vault from an older copy of its data, with the keys, the
// keyring and the ledger that cfg holds; cfg.Store is not looked at. The stores
// are working copies: they are to take the place of the vault's own only after
// Restore returned nil.
//
// What the ledger promised is done again, so that nobody comes back who left, and
// no yes that was taken back. A new log begins with a record of the old one's
// head, followed by all records of the old one that are left: so every decision
// can still be looked up, and who kept a checkpoint can hold the leaves against
// it. Acts that the log has and the data lacks are undone, and counted.
//
// It returns ErrFresh or ErrForeign for data that is no vault's or another's,
// ErrOlderKeys for keys that the keyring does not open, ErrLedgerShorter for a
// ledger that lacks acts the vault did, and ErrUnreadable.
func Restore(ctx context.Context, cfg Config, from Restoration) (*RestoreReport, error) {
	cfg = cfg.withDefaults()
	if from.Progress == nil {
		from.Progress = func(string, uint64, uint64) {}
	}
	r := &restore{v: newVault(cfg), from: from, report: &RestoreReport{At: micro(cfg.Now()), Changes: []string{}}}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return r.report, nil
}

// restore is one restore under way.
type restore struct {
	v      *Vault
	from   Restoration
	report *RestoreReport

	old    log.Checkpoint // the last that the data kept
	name   string         // of the data's log
	begun  time.Time      // by which the new one is named
	carry  carried
	undone *undone
	// unknown are people whom the data does not know, and whose keys are removed.
	unknown  []privacy.SubjectID
	recalled []recalled
	ledgered uint64 // acts of the ledger that the data has
}

func (r *restore) run(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"looking at the old copy", r.look},
		{"reading what is left of the log", r.choose},
		{"beginning a new log", r.begin},
		{"bringing the data up", r.settle},
		{"holding it against the ledger", r.finish},
	} {
		r.from.Progress(step.name, 0, 0)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// look checks that data, keys, keyring and ledger belong together.
func (r *restore) look(ctx context.Context) error {
	v := r.v
	if err := v.checkFormatOf(ctx, r.from.Data); err != nil {
		return err
	}
	if err := v.checkKeys(ctx); err != nil {
		return err
	}
	var err error
	if v.ledger, err = openLedger(v); err != nil {
		return err
	}
	if err := v.ledger.checkWhole(ctx, r.from.Data); err != nil && !(r.from.LedgerLost && errors.Is(err, ErrLedgerShorter)) {
		return err
	}
	v.erasedSince = map[[16]byte]bool{}
	for _, e := range v.ledger.pending {
		if e.Kind == ledgerErasure {
			v.erasedSince[e.Subject] = true
		}
	}
	// The vault's own key, by which the log's first record is sealed.
	if v.nobody, err = v.loadKeys(ctx, privacy.Nobody); err == nil && v.nobody == nil {
		err = fmt.Errorf("the vault's own keys are missing: %w", errIntegrity)
	}
	if err != nil {
		return err
	}
	if r.name, err = v.readLogName(ctx, r.from.Data); err != nil {
		return err
	}
	v.cfg.LogName = r.name
	key, err := log.VerifierKey(v.origin(), v.keyring().LogSigner().Public())
	if err != nil {
		return err
	}
	r.old, err = log.Kept(ctx, r.from.Data, key)
	return err
}

// begin gives the store its new log and opens it.
func (r *restore) begin(ctx context.Context) error {
	v := r.v
	r.begun = r.begins()
	v.cfg.LogName = anewName(r.begun)
	r.report.Log = v.cfg.LogName
	first, err := v.entry(v.nobody, log.Start, privacy.NewID(r.report.At), r.anew())
	if err != nil {
		return err
	}
	if err := r.from.Data.Renew(ctx, first, &r.carry, log.Buckets()...); err != nil {
		return err
	}
	v.cfg.Store, err = r.from.Open()
	return err
}

// settle makes the data fit to be opened: the name of its log, an index that the
// keyring finds in, nobody without keys and no keys without somebody, and a
// version of each record beyond all that were ever made.
func (r *restore) settle(ctx context.Context) error {
	v := r.v
	var err error
	if v.clock, err = openClock(ctx, v); err != nil {
		return err
	}
	if err := v.loadNobody(ctx); err != nil {
		return err
	}
	err = v.update(ctx, func(tx store.Tx) error {
		if err := tx.Put(bucketMeta, keyLogName, v.packLogName()); err != nil {
			return err
		}
		return tx.Delete(bucketMeta, keyRotation) // what it did to keys and keyring was done, or is done by the next
	})
	if err != nil {
		return err
	}
	if r.from.LedgerLost {
		if err := v.ledger.forgetUntold(ctx); err != nil {
			return err
		}
	}
	if r.ledgered, err = count(ctx, v.cfg.Store, bucketLedgered); err != nil {
		return err
	}
	if err := r.people(ctx); err != nil {
		return err
	}
	if err := r.replaced(ctx); err != nil {
		return err
	}
	if err := r.reindex(ctx); err != nil {
		return err
	}
	if err := r.remember(ctx); err != nil {
		return err
	}
	if err := r.outgrow(ctx); err != nil {
		return err
	}
	return r.govern(ctx)
}

// finish opens the vault as serve does, which does what the ledger promised and
// the data lacks, and verifies all of it.
func (r *restore) finish(ctx context.Context) error {
	v := r.v
	at, _, _ := v.clock.now()
	if err := v.cfg.Ledger.Append(ctx, ledgerEntry{Kind: ledgerLogAnew, ID: privacy.NewID(at), Written: at, At: r.begun, Size: v.cfg.Store.Size()}.marshal()); err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	cfg := v.cfg
	cfg.Keyring = v.keyring()
	opened, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	after, err := count(ctx, cfg.Store, bucketLedgered)
	if err == nil {
		err = opened.close(ctx, r.unknown)
	}
	if err == nil {
		r.report.Reapplied = after - r.ledgered
		_, err = opened.VerifyLog(ctx, r.from.Progress)
	}
	if people, countErr := count(ctx, cfg.Store, bucketStanding.all()); countErr == nil && people > 0 {
		r.report.People = people - 1
	}
	cfg.Logger.Info("the vault was restored", slog.String("log", r.report.Log), slog.Uint64("records", r.report.Records), slog.Uint64("reapplied", r.report.Reapplied))
	return errors.Join(err, opened.Close())
}

// reindex makes the blind index anew if the keyring does not find in it, or if a
// turn of its key had begun when the data was copied.
func (r *restore) reindex(ctx context.Context) error {
	v := r.v
	e, err := v.epochsNow(ctx)
	if err != nil {
		return err
	}
	if _, err := v.keyring().BlindIndexAt(e.asked, "", ""); err == nil && e.filling == 0 {
		return nil
	} else if err != nil && !errors.Is(err, keys.ErrEpoch) {
		return err
	}
	if v.cfg.SaveKeyring == nil {
		return errNoSaveKeyring
	}
	turn := &rotation{v: v, progress: r.from.Progress, report: &RotationReport{}, Begun: r.report.At, Index: &turn{From: e.asked, To: e.asked + 1}}
	if err := turn.update(ctx, func(tx store.Tx) error { return turn.note(tx, "rotation begun") }); err != nil {
		return err
	}
	r.report.Reindexed = true
	return turn.run(ctx)
}
