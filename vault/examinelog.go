package vault

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// format checks whose vault.db it is. A keyring of another vault opens nothing
// here, so what needs one is then left out.
func (e *examiner) format(ctx context.Context) error {
	v := e.v
	if e.has&needKeyring == 0 {
		v = &Vault{cfg: e.v.cfg}
	}
	err := v.checkFormat(ctx)
	if errors.Is(err, ErrForeign) && e.has&needKeyring == 0 {
		err = nil // without a keyring nobody can say
	}
	switch {
	case errors.Is(err, ErrFresh):
		e.has &^= needStore
		e.why[needStore] = "vault.db holds no vault"
		e.Add(Finding{Check: "format", Level: Problem, What: "vault.db holds no vault: init did not finish",
			Means: "Nothing was ever kept here.", Do: "Make the vault with `sayso init`."})
		return nil
	case errors.Is(err, store.ErrFormat):
		e.has &^= needStore
		e.why[needStore] = "vault.db is of a format that this program does not know"
		e.Add(Finding{Check: "format", Level: Problem, What: "vault.db is of a format that this program does not know",
			Means: "A later version wrote it, or it is damaged.", Do: "Use the version that wrote it."})
		return nil
	case errors.Is(err, ErrForeign):
		e.has &^= needKeyring
		e.why[needKeyring] = "the keyring is another vault's"
		e.Add(Finding{Check: "keyring-belongs", Level: Problem, What: "the keyring belongs to another vault than vault.db",
			Means: "Nothing of the vault opens with it.", Do: "Put this vault's own keyring back from where you keep it."})
	case err != nil:
		return err
	case e.has&needKeyring == 0:
		e.Skip(e.why[needKeyring], "keyring-belongs")
	default:
		e.Add(Finding{Check: "keyring-belongs", Level: Fine, What: "keyring and vault.db are of one vault, " + v.id.String()})
	}
	e.Add(Finding{Check: "format", Level: Fine, What: fmt.Sprintf("the vault's records are of format %d", metaFormat)})
	return nil
}

func (e *examiner) readLedger(context.Context) error {
	l, err := openLedger(e.v)
	if err != nil {
		e.has &^= needLedger
		e.why[needLedger] = "the ledger cannot be read"
		e.Add(Finding{Check: "ledger", Level: Problem, What: fmt.Sprintf("the ledger cannot be read: %v", err),
			Means: "The narrowing acts it holds cannot be held against vault.db, so a withdrawal that was answered may be missing there.",
			Do:    doRestore})
		return nil
	}
	e.ledger = l
	e.Add(Finding{Check: "ledger", Level: Fine, What: fmt.Sprintf("the ledger can be read; it saw a log of %d records", l.seen.Size)})
	return nil
}

// logWhole holds the log's length against the ledger.
func (e *examiner) logWhole(context.Context) error {
	size := e.v.cfg.Store.Size()
	if seen := e.ledger.seen.Size; seen > size {
		e.Add(Finding{Check: "log-whole", Level: Problem, What: fmt.Sprintf("the log has %d records, the ledger saw %d", size, seen),
			Means: "The log was cut, or vault.db and log/ are an older copy: acts that were answered are missing, withdrawals among them.",
			Do:    "Put the newer files back, or accept the loss with `sayso restore`, which applies the ledger to what is here."})
		return nil
	}
	e.Add(Finding{Check: "log-whole", Level: Fine, What: fmt.Sprintf("the log has all of the %d records that the ledger saw", e.ledger.seen.Size)})
	return nil
}

// ledgerWhole holds the acts of vault.db against the ledger, which is read after
// them: while the vault is served, both grow.
func (e *examiner) ledgerWhole(ctx context.Context) error {
	err := e.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		l, err := openLedger(e.v)
		if err != nil {
			return err
		}
		return l.checkWholeAt(s)
	})
	if errors.Is(err, ErrLedgerShorter) {
		e.Add(Finding{Check: "ledger-whole", Level: Problem, What: "the ledger lacks narrowing acts that vault.db has",
			Means: "It was cut, or is an older copy. The vault does not start: after a restore such an act could be undone.",
			Do:    "Put the whole ledger back. If it is lost, `sayso restore --ledger-lost` goes on without it, and consents from before count as none."})
		return nil
	}
	if err != nil {
		return err
	}
	e.Add(Finding{Check: "ledger-whole", Level: Fine, What: "the ledger has every narrowing act that vault.db has"})
	return nil
}

// logHead checks the signed head of the log, and that the tree the ledger saw is
// part of it.
func (e *examiner) logHead(ctx context.Context) error {
	key, err := log.VerifierKey(e.v.origin(), e.v.keyring().LogSigner().Public())
	if err != nil {
		return err
	}
	head, err := log.Kept(ctx, e.v.cfg.Store, key)
	if errors.Is(err, log.ErrCheckpoint) || err == nil && head.Origin == "" {
		e.Add(Finding{Check: "log-head", Level: Problem, What: "there is no head of the log that this vault signed",
			Means: "The head was taken away or put there by somebody else: the tree can no longer be held against it.", Do: doRestore})
		return nil
	}
	if err != nil {
		return err
	}
	switch err := e.ledger.checkHead(ctx, head); {
	case errors.Is(err, ErrLogShorter) && e.ledger.seen.Size > e.v.cfg.Store.Size():
		return nil // log-whole tells it
	case errors.Is(err, log.ErrNotFound):
		e.Add(Finding{Check: "log-head", Level: Problem, What: fmt.Sprintf("the signed head covers %d records, the ledger saw %d of them hashed", head.Size, e.ledger.seen.Tree),
			Means: "vault.db is an older copy than its log and ledger.", Do: "Put the newer vault.db back, or accept this one with `sayso restore`."})
		return nil
	case err != nil:
		e.Add(Finding{Check: "log-head", Level: Problem, What: fmt.Sprintf("the log's tree is not the one that the ledger saw: %v", err),
			Means: "Records were exchanged, or the vault went another way from an older copy.", Do: "Run `sayso log verify`, which names the first bad record. " + doRestore})
		return nil
	}
	e.Add(Finding{Check: "log-head", Level: Fine, What: fmt.Sprintf("the head of the log is signed by this vault, covers %d of %d records, and is the one the ledger saw", head.Size, e.v.cfg.Store.Size())})
	return nil
}

// clockNow holds the machine's clock against the last commit.
func (e *examiner) clockNow(ctx context.Context) error {
	var now, committed time.Time
	var believed bool
	if e.open {
		now, believed, committed = e.v.clock.now()
	} else {
		now = e.v.cfg.Now().UTC()
		err := e.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			raw, err := s.Get(bucketMeta, keyClock)
			if len(raw) == 8 {
				committed = time.UnixMicro(int64(binary.BigEndian.Uint64(raw))).UTC()
			}
			return err
		})
		if err != nil {
			return err
		}
		if e.ledger.seen.Written.After(committed) {
			committed = e.ledger.seen.Written
		}
		believed = committed.Sub(now) <= clockTolerance
	}
	f := Finding{Check: "clock", Level: Fine, What: "the clock says " + now.Format(time.RFC3339) + ", the last commit was at " + committed.Format(time.RFC3339)}
	switch {
	case !believed:
		f.Level = Problem
		f.Means = "The clock stands before the last commit, or jumped, and is not believed: reads take whichever time releases less, no grant is recorded, nothing is deleted."
		f.Do = "Set the machine's clock. If it is right, and was wrong before, an officer confirms it with POST /v1/clock/confirm."
	case now.Sub(committed) > 366*24*time.Hour:
		f.Level = Warning
		f.Means = "Nothing was written for more than a year. If that is not so the clock is far ahead, and consents and values end too early."
		f.Do = "Compare the machine's clock with another one."
	}
	e.Add(f)
	return nil
}

// verifyLog walks the whole log, if a deep look was asked for, and counts in
// passing who read.
func (e *examiner) verifyLog(ctx context.Context) error {
	if !e.o.Deep {
		e.Skip("only with --deep", "log-verified", "channel-reads")
		return nil
	}
	reads := map[privacy.ChannelID]uint64{}
	each := func(entry log.Entry, o *log.Opening) {
		if o == nil || entry.Kind != log.Access {
			return
		}
		if channel := channelOfRecord(o.Record); channel != "" {
			reads[channel]++
		}
	}
	var report *LogReport
	var err error
	if e.open {
		if err := e.v.follower.CatchUp(ctx, e.v.cfg.Store.Size()); err != nil {
			return err
		}
		report, err = e.v.verify(ctx, each, e.o.Progress)
	} else {
		// A vault of its own: the one that was looked at so far is half made.
		cfg := e.v.cfg
		cfg.Keyring = e.v.keyring()
		v := newVault(cfg)
		v.ledger = e.ledger
		if err := v.loadNobody(ctx); err != nil {
			return err
		}
		report, err = v.verify(ctx, each, e.o.Progress)
	}
	if ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
		return err
	}
	if err != nil {
		e.Add(Finding{Check: "log-verified", Level: Problem, What: err.Error(),
			Means: "The log, a person's standing or what is in force is not as it was written.", Do: doRestore})
		e.Skip("the log does not verify", "channel-reads")
		return nil //nolint:nilerr // it is a finding
	}
	e.Add(Finding{Check: "log-verified", Level: Fine, What: fmt.Sprintf("%d records are as they were written, and so are the trails of %d people and the standings of %d",
		report.Entries, report.Trails, report.Standings)})
	var silent []string
	for _, c := range e.force.register.Channels {
		if len(c.Purposes) > 0 && reads[c.ID] == 0 {
			silent = append(silent, string(c.ID))
		}
	}
	if len(silent) == 0 || len(reads) == 0 {
		e.Add(Finding{Check: "channel-reads", Level: Fine, What: fmt.Sprintf("channels that have read: %d", len(reads))})
		return nil
	}
	slices.Sort(silent)
	e.Add(Finding{Check: "channel-reads", Level: Warning, What: "channels that may read and never did: " + names(silent), About: silent,
		Means: "Whoever has their secrets could read, and nobody would miss them.",
		Do:    "Suspend them, or take their purposes from the register, unless they are new."})
	return nil
}

// channelOfRecord returns the channel of an access record, "" if an officer made
// it.
func channelOfRecord(record []byte) privacy.ChannelID {
	var r struct {
		Channel privacy.ChannelID `json:"channel"`
	}
	_ = json.Unmarshal(record, &r) // verified already
	return r.Channel
}
