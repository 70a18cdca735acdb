package vault

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// A restored vault begins a new log, of another name: whoever kept a checkpoint
// of the old one must not be shown two histories under it. The first record
// commits to the old head. After it come the records of the old log that are
// left, as they were, so that the root of any checkpoint of the old log is that
// of as many leaves of the new one after the first:
//
//	new  [anew] 0 1 2 … n-1 | what happens from now on
//	old         0 1 2 … n-1 | what was lost
//
// Restored again, there are two such records before them.

// defaultLogName is what a log is called that no restore began.
const defaultLogName = "main"

var keyLogName = []byte("log")

// anewName names a log after the time it began.
func anewName(at time.Time) string { return at.UTC().Format(anewForm) }

const anewForm = defaultLogName + "-20060102t150405z"

// begins returns a time after which no log is named yet: later than that of any
// other the data or the ledger knows.
func (r *restore) begins() time.Time {
	at := r.report.At
	for _, name := range []string{r.name, r.v.ledger.log} {
		if begun, err := time.Parse(anewForm, name); err == nil && !at.After(begun.Add(time.Second)) {
			at = begun.Add(time.Second)
		}
	}
	return at
}

// On disk: format, keyed hash of the name (16), name. There is no row in a vault
// that was never restored.
const logNameFormat = 1

func (v *Vault) packLogName() []byte {
	sum := v.keyring().MAC("log name", []byte(v.cfg.LogName))
	return append(append([]byte{logNameFormat}, sum[:16]...), v.cfg.LogName...)
}

// readLogName returns the name of the log that a restore gave the store, or the
// one configured.
func (v *Vault) readLogName(ctx context.Context, data log.Viewer) (name string, err error) {
	name = v.cfg.LogName
	err = data.View(ctx, func(s store.Snapshot) error {
		row, err := s.Get(bucketMeta, keyLogName)
		if row == nil || err != nil {
			return err
		}
		if len(row) < 1+16+1 || row[0] != logNameFormat {
			return fmt.Errorf("reading the name of the log: %w", errIntegrity)
		}
		named := Vault{}
		named.cfg.LogName = string(row[17:])
		named.ring.Store(v.keyring())
		if subtle.ConstantTimeCompare(named.packLogName(), row) != 1 {
			return fmt.Errorf("reading the name of the log: %w", errIntegrity)
		}
		name = named.cfg.LogName
		return nil
	})
	return name, err
}

// carried are the entries that a new log begins with: those of an old one, then
// those of the outbox that it lacks.
type carried struct {
	log    store.OldLog
	n      uint64   // of them
	states uint64   // the largest state among them
	head   log.Anew // of the old log
	data   store.OldStore
}

// Entries implements store.OldLog. States are numbered as they come: where
// nothing is lost they keep their numbers, by which an older copy of the data
// can be told from this log.
func (c *carried) Entries(ctx context.Context, fn func(store.OldEntry) error) error {
	next, given := uint64(0), uint64(0)
	give := func(e store.OldEntry) error {
		if e.Recorded {
			next++
			e.State = next
		}
		return fn(e)
	}
	if c.log != nil {
		err := c.log.Entries(ctx, func(e store.OldEntry) error {
			if given == c.n {
				return store.ErrStop
			}
			given++
			return give(e)
		})
		if err != nil && !(given == c.n && (errors.Is(err, store.ErrStop) || errors.Is(err, store.ErrDamaged))) {
			return err
		}
	}
	return c.data.Outbox(func(e store.OldEntry) error {
		if e.State <= c.states {
			return nil
		}
		return give(e)
	})
}

// candidate is a log that was read through.
type candidate struct {
	log    store.OldLog
	n      uint64
	states uint64
	undone uint64 // index of the first entry of a state that the data lacks; n if none
	root   tlog.Hash
	why    string // why it could not be read further
}

// choose takes the log that knows the most of the data's own history.
func (r *restore) choose(ctx context.Context) error {
	live, why, err := r.read(ctx, r.from.Live, true)
	if err != nil {
		return err
	}
	copied, _, err := r.read(ctx, r.from.Copied, false)
	if err != nil {
		return err
	}
	best := live
	if best == nil || copied != nil && copied.n > best.n {
		best = copied
	}
	r.carry = carried{data: r.from.Data}
	r.undone = &undone{standings: map[privacy.SubjectID]uint64{}, keyless: map[privacy.SubjectID]bool{}}
	r.report.LogWhy = why
	if best != nil {
		r.carry.log, r.carry.n, r.carry.states = best.log, best.n, best.states
		r.report.LogWhy = cmp.Or(why, best.why)
		r.undone.from = best.undone
	}
	if err := r.walkUndone(ctx); err != nil {
		return err
	}
	err = r.from.Data.Outbox(func(e store.OldEntry) error {
		if e.State > r.carry.states {
			r.report.Records++
		}
		return nil
	})
	r.report.Records += r.carry.n
	r.carry.head = r.head(best)
	if size := r.carry.head.Size; size > r.report.Records {
		r.report.Lost = size - r.report.Records
	}
	return err
}

// read reads a log through and returns it as a candidate: nil if there is none,
// or none that is the data's own history.
func (r *restore) read(ctx context.Context, old store.OldLog, live bool) (*candidate, string, error) {
	if old == nil {
		return nil, "", nil
	}
	c := &candidate{log: old}
	// How many records of restores it begins with: the data may be of any of the
	// logs that were before.
	before := []*log.Roots{{}}
	rootAt, ended := map[int]tlog.Hash{}, false // by how many of these are left out
	var ledgerRoot tlog.Hash
	seen := r.v.ledger.seen
	undone := false
	err := old.Entries(ctx, func(o store.OldEntry) error {
		e, err := log.ParseEntry(o.Entry)
		if err != nil {
			return fmt.Errorf("%w: entry %d: %w", store.ErrDamaged, c.n, err)
		}
		for i, roots := range before {
			if roots.Add(&e); roots.Size() == r.old.Size {
				rootAt[i] = roots.Root()
			}
		}
		if !ended && r.beginsAnew(&e) {
			before = append(before, new(log.Roots))
		} else {
			ended = true
		}
		c.n++
		if c.n == seen.Tree {
			ledgerRoot = before[0].Root()
		}
		if o.Recorded {
			c.states = o.State
			if o.State > r.from.Data.States() && !undone {
				undone, c.undone = true, c.n-1
			}
		}
		if c.n%1024 == 0 {
			r.from.Progress("log", c.n, max(c.n, seen.Size))
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	if err != nil && !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrFormat) {
		return nil, "", err
	}
	if err != nil {
		c.why = err.Error()
	}
	if c.n == 0 {
		return nil, c.why, nil
	}
	if !undone {
		c.undone = c.n
	}
	c.root = before[0].Root()
	if live && c.n >= seen.Tree && seen.Tree > 0 && ledgerRoot != seen.Root {
		return nil, "the log is not the one that the ledger saw", nil
	}
	for i, roots := range before {
		want := r.old.Root
		got, ok := rootAt[i]
		switch {
		case r.old.Size == 0:
			return c, "", nil
		case !ok: // it ends before; what there is must still be as the data's tree has it
			if got = roots.Root(); roots.Size() > 0 {
				if want, err = log.RootAt(ctx, r.from.Data, r.old, roots.Size()); err != nil {
					return nil, "", err
				}
			}
			ok = roots.Size() > 0
		}
		if ok && got == want {
			return c, "", nil
		}
	}
	return nil, "the log is not the one that the data belongs to", nil
}

// beginsAnew reports whether an entry is the first of a log that a restore
// began.
func (r *restore) beginsAnew(e *log.Entry) bool {
	_, ok := r.v.anewOf(e)
	return ok
}

func (v *Vault) anewOf(e *log.Entry) (*log.Anew, bool) {
	if e.Kind != log.Start || e.Subject != privacy.Nobody {
		return nil, false
	}
	o, err := e.Open(v.nobody.history, v.id)
	if err != nil {
		return nil, false
	}
	return log.ParseAnew(o.Record)
}

// head is what is known of how far the old log went.
func (r *restore) head(best *candidate) log.Anew {
	seen, same := r.v.ledger.seen, r.v.ledger.log == r.name
	a := log.Anew{Old: r.v.originOf(r.v.ledger.log), Size: seen.Size, Tree: seen.Tree, Root: seen.Root, Lapsed: r.from.LedgerLost}
	if same && r.old.Size > a.Tree {
		a.Tree, a.Root = r.old.Size, r.old.Root
	}
	if best != nil {
		a.Whole, a.WholeRoot = best.n, best.root
		if (same || best.log == r.from.Live) && best.n > a.Tree {
			a.Tree, a.Root = best.n, best.root
		}
	}
	a.Size = max(a.Size, a.Tree)
	return a
}

func (r *restore) anew() log.AnewRecord {
	a := r.carry.head
	a.Carried = r.report.Records
	if r.undone.from < r.carry.n {
		a.Undone = r.undone.from + 1
	}
	return log.AnewRecord{Format: 1, At: r.report.At, Anew: a}
}
