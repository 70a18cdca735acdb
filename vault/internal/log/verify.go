package log

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// VerifyConfig is what Verify needs. The store may be in use.
type VerifyConfig struct {
	Store store.LogEngine
	Vault keys.VaultID
	// VerifierKey is the log's, from outside the store.
	VerifierKey string
	// HistoryKey returns a person's history key, or ErrErased if it was
	// destroyed by an erasure: a key that is missing otherwise is an error.
	HistoryKey func(context.Context, privacy.SubjectID) (*keys.DEK, error)
	// Erased reports whether a person was erased once: of somebody who came back,
	// the openings of before do not open under the key of now. May be nil.
	Erased func(context.Context, privacy.SubjectID) (bool, error)
	// Orphaned reads what a record of kind Erasure says it orphaned. If it is
	// set, openings that are gone must be accounted for by such records, or
	// Erasing must know of an erasure that was begun and not recorded yet.
	Orphaned func(record []byte) (Orphans, bool)
	Erasing  func(context.Context, privacy.SubjectID) (bool, error)
	// Held are signed checkpoints kept outside the vault. Only with one of them,
	// or with the ledger, a rollback of the whole vault is found.
	Held [][]byte
	// Each, if set, is called for every entry in order, with its opening unless
	// that was erased, to hold the vault's state against the log. Its error is
	// reported at that entry. undone says that a restore undid the act it is of.
	Each func(index uint64, e Entry, o *Opening, undone bool) error
}

// Progress says how far a verification is.
type Progress struct {
	// Stage is "entries" or "people".
	Stage string
	// Done of them were seen; Of is how many there are.
	Done, Of uint64
}

// Report is what a verification saw.
type Report struct {
	Entries    uint64 // durable entries
	Hashed     uint64 // of them, those under the log's own checkpoint
	Opened     uint64 // openings that match their commitment
	Erased     uint64 // entries whose opening was erased
	Trails     uint64 // people whose trail matches the log
	Checkpoint Checkpoint
}

// BadIndexError names the first entry that is not what was written.
type BadIndexError struct {
	Index uint64
	Why   string
	Err   error // the cause below, if any
}

// Error names the index and the reason.
func (e *BadIndexError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("log entry %d: %s: %v", e.Index, e.Why, e.Err)
	}
	return fmt.Sprintf("log entry %d: %s", e.Index, e.Why)
}

// Unwrap makes every bad index a store.ErrDamaged.
func (e *BadIndexError) Unwrap() []error {
	if e.Err != nil {
		return []error{store.ErrDamaged, e.Err}
	}
	return []error{store.ErrDamaged}
}

func bad(index uint64, why string, err error) error {
	return &BadIndexError{Index: index, Why: why, Err: err}
}

// Verify walks the whole log: frames, openings against commitments, leaves and
// subtrees against tiles, the index, the root against the log's own signed
// checkpoint and those held outside, then every person's trail. It computes the
// tree anew, with nothing of the follower's.
//
// It returns a *BadIndexError for the first entry that is not what was written,
// and ErrCheckpoint when every entry agrees with the tiles but the tree is not
// the one that was signed: then somebody rewrote all of it. Entries that are not
// hashed yet are opened and counted. progress may be nil.
func Verify(ctx context.Context, cfg VerifyConfig, progress func(Progress)) (Report, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	v := &verifier{cfg: cfg, progress: progress, roots: map[uint64]tlog.Hash{}, latest: map[privacy.SubjectID]uint64{}, rows: map[privacy.SubjectID]uint64{},
		orphans: map[privacy.SubjectID]*orphan{}, freed: map[privacy.SubjectID]uint64{}, forgotten: map[privacy.SubjectID]struct{}{}, late: map[privacy.SubjectID]struct{}{}}
	if err := v.heads(ctx); err != nil {
		return v.report, fmt.Errorf("verifying the log: %w", err)
	}
	for _, stage := range []func(context.Context) error{v.entries, v.accounted, v.signed, v.index, v.people} {
		if err := stage(ctx); err != nil {
			return v.report, fmt.Errorf("verifying the log: %w", err)
		}
	}
	return v.report, nil
}

type verifier struct {
	cfg      VerifyConfig
	progress func(Progress)
	report   Report
	known    []Checkpoint         // the log's own first
	roots    map[uint64]tlog.Hash // computed, at the sizes of those known
	tree     frontier
	rowsTo   [shares]uint64               // how far people's rows are written, at least
	latest   map[privacy.SubjectID]uint64 // of the hashed entries about a person
	rows     map[privacy.SubjectID]uint64 // of those that the person's row must know of
	restores Restores
	freed    map[privacy.SubjectID]uint64 // the latest about somebody when they were erased
	orphans  map[privacy.SubjectID]*orphan
	// forgotten are the erased, of whom there may be a row for a moment longer;
	// late are those whose erasure is not hashed yet, or was not when this began:
	// their rows may be from after it.
	forgotten, late map[privacy.SubjectID]struct{}
}

// heads reads the signed checkpoints, and with them how far to look.
func (v *verifier) heads(ctx context.Context) error {
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		h, err := readHead(s, v.cfg.VerifierKey)
		if err == nil && h.signed == nil {
			err = fmt.Errorf("%w: none was kept", ErrCheckpoint)
		}
		v.report.Checkpoint = h.Checkpoint
		if err == nil {
			v.rowsTo, err = readPeople(s, h.Size)
		}
		return err
	})
	if err != nil {
		return err
	}
	v.report.Hashed, v.report.Entries = v.report.Checkpoint.Size, v.cfg.Store.Size()
	v.known = append(v.known, v.report.Checkpoint)
	for i, signed := range v.cfg.Held {
		c, err := OpenCheckpoint(signed, v.cfg.VerifierKey)
		if err != nil {
			return fmt.Errorf("checkpoint %d held outside: %w", i+1, err)
		}
		v.known = append(v.known, c)
	}
	return nil
}

// entries walks what is durable, a tile at a time.
func (v *verifier) entries(ctx context.Context) error {
	v.remember()
	for from := uint64(0); from < v.report.Entries; {
		to := min(v.report.Entries, (from>>tileHeight+1)<<tileHeight)
		batch, err := v.open(ctx, from, to)
		// What was read before the error may show an earlier one.
		if inner := v.compare(ctx, from, batch); inner != nil {
			return inner
		}
		if err != nil {
			return err
		}
		from = to
		v.progress(Progress{Stage: "entries", Done: from, Of: v.report.Entries})
	}
	return nil
}

// seen is what later stages need of an entry.
type seen struct {
	kind    Kind
	subject privacy.SubjectID
	id      privacy.ID
	leaf    tlog.Hash
	frees   *privacy.SubjectID // who was erased by it: entries about them begin anew
}

// open reads entries and opens them. It returns those before the first bad one.
func (v *verifier) open(ctx context.Context, from, to uint64) ([]seen, error) {
	batch := make([]seen, 0, to-from)
	var read [][]byte
	next := from
	err := v.cfg.Store.Entries(ctx, from, to, func(index uint64, b []byte) error {
		if index != next {
			return fmt.Errorf("entry %d came instead: %w", index, store.ErrDamaged)
		}
		next++
		read = append(read, append([]byte(nil), b...))
		return nil
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for i, b := range read {
		index := from + uint64(i)
		e, err := ParseEntry(b)
		if err != nil {
			return batch, bad(index, "cannot be read", err)
		}
		o, err := v.opening(ctx, index, &e)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return batch, bad(index, "its opening is not what was committed to", err)
		}
		if err := v.restores.Follow(index, &e, o); err != nil {
			return batch, bad(index, "a restore", err)
		}
		if v.cfg.Each != nil {
			if err := v.cfg.Each(index, e, o, v.restores.Undid(index)); err != nil {
				return batch, bad(index, "the vault's state disagrees", err)
			}
		}
		batch = append(batch, seen{e.Kind, e.Subject, e.ID, leafHash(&e.Commitment), v.erased(index, &e, o)})
	}
	if err == nil && next != to {
		err = store.ErrDamaged
	}
	if err != nil {
		return batch, bad(next, "cannot be read", err)
	}
	return batch, nil
}

// opening returns nil for what was erased.
func (v *verifier) opening(ctx context.Context, index uint64, e *Entry) (*Opening, error) {
	dek, err := v.cfg.HistoryKey(ctx, e.Subject)
	if errors.Is(err, ErrErased) {
		v.lose(index, e)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := e.Open(dek, v.cfg.Vault)
	if errors.Is(err, keys.ErrIntegrity) && v.cfg.Erased != nil {
		switch once, lookup := v.cfg.Erased(ctx, e.Subject); {
		case lookup != nil:
			return nil, lookup
		case once:
			v.lose(index, e)
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	v.report.Opened++
	return &o, nil
}

// signed compares the tree that was computed with the signed ones.
func (v *verifier) signed(context.Context) error {
	for i, c := range v.known {
		whose := "the log's own"
		if i > 0 {
			whose = "one held outside"
		}
		if c.Size > v.report.Entries {
			return bad(v.report.Entries, fmt.Sprintf("the log ends here, but a checkpoint, %s, covers %d entries", whose, c.Size), nil)
		}
		if v.roots[c.Size] != c.Root {
			return fmt.Errorf("%w: %s, of %d entries, is of another tree", ErrCheckpoint, whose, c.Size)
		}
	}
	return nil
}

// remember keeps the root of the tree so far if a checkpoint speaks of it.
func (v *verifier) remember() {
	for _, c := range v.known {
		if c.Size == v.tree.size {
			v.roots[c.Size] = v.tree.root()
		}
	}
}

// frontier is the tree as a row of whole subtrees, largest first: at[l] is the
// one of 2^l leaves, if bit l of size is set.
type frontier struct {
	size uint64
	at   [64]tlog.Hash
}

// add adds a leaf and calls whole with every subtree of 2^level leaves that it
// completes, itself included.
func (f *frontier) add(leaf tlog.Hash, whole func(level int, n uint64, h tlog.Hash) error) error {
	level, h := 0, leaf
	for {
		if err := whole(level, f.size>>level, h); err != nil {
			return err
		}
		if f.size>>level&1 == 0 {
			break
		}
		h = tlog.NodeHash(f.at[level], h)
		level++
	}
	f.at[level] = h
	f.size++
	return nil
}

// root returns the hash of the tree, of no leaves the hash of nothing.
func (f *frontier) root() tlog.Hash {
	var root tlog.Hash
	first := true
	for level := range f.at {
		switch {
		case f.size>>level&1 == 0:
		case first:
			root, first = f.at[level], false
		default:
			root = tlog.NodeHash(f.at[level], root)
		}
	}
	if first {
		root, _ = tlog.TreeHash(0, nil)
	}
	return root
}
