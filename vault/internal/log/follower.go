package log

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Config is what a Follower needs.
type Config struct {
	// Store holds the log, and the buckets that the follower alone writes.
	Store store.LogEngine
	// Vault is what trails are bound to.
	Vault keys.VaultID
	// Signer is the log key, ed25519.
	Signer crypto.Signer
	// Origin names the log in its checkpoints and its verifier key: no spaces,
	// no plus, the same for the life of the log.
	Origin string
	// HistoryKey returns a person's history key, or ErrErased if it was
	// destroyed. It is called for each person of a run, so it should remember.
	HistoryKey func(context.Context, privacy.SubjectID) (*keys.DEK, error)
	// Every is the pause between looks for new entries, at most a second and by
	// default one: longer runs cost less per entry.
	Every time.Duration
	// Logger hears of runs that failed. The default discards.
	Logger *slog.Logger

	maxDue, atRest int // instead of the constants; for tests of this package
}

// maxRun bounds the entries of one update, so that other writers do not wait
// long for it: some tens of milliseconds.
const maxRun = 16384

// maxBehind is how old a look at the log may be before Checkpoint looks itself.
const maxBehind = time.Second

// Follower keeps tree, index and trails a moment behind the durable log.
type Follower struct {
	cfg    Config
	signer *signer
	vkey   string
	end    context.CancelFunc
	done   chan struct{}
	kick   chan struct{} // one waiting: look now

	// run is used by the follower's goroutine alone.
	run run

	// shares is written by that goroutine alone, and under mu.
	shares  [shares]share
	waiting int // entries due to all of them
	next    int // the share whose turn it is

	mu     sync.Mutex // guards all below, and shares for everybody else
	head   head
	rowed  uint64        // how far all people's rows are written
	whole  bool          // somebody waits for that
	looked time.Time     // when the last look began that followed all it saw
	looks  int           // finished
	failed error         // of the last look
	round  chan struct{} // closed and replaced after each run and each look
	closed bool
}

// head is a checkpoint that is kept in the store, so that it may be shown.
type head struct {
	Checkpoint
	signed []byte
}

// Follow loads the tree's edge, checks it against the last checkpoint that was
// kept, and follows until Close. A vault's first start keeps the checkpoint of
// the empty log.
//
// It returns ErrCheckpoint if that checkpoint was signed by another key or says
// another tree, and store.ErrDamaged if the log is shorter than it.
func Follow(ctx context.Context, cfg Config) (*Follower, error) {
	if cfg.Every <= 0 || cfg.Every > time.Second {
		cfg.Every = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.maxDue, cfg.atRest = cmp.Or(cfg.maxDue, maxDue), cmp.Or(cfg.atRest, atRest)
	signer, vkey, err := newSigner(cfg.Origin, cfg.Signer)
	if err != nil {
		return nil, err
	}
	f := &Follower{
		cfg: cfg, signer: signer, vkey: vkey,
		done: make(chan struct{}), kick: make(chan struct{}, 1), round: make(chan struct{}),
	}
	if err := f.load(ctx); err != nil {
		return nil, fmt.Errorf("loading the log's tree: %w", err)
	}
	if f.head.signed == nil {
		if err := f.step(ctx, 0, false, false); err != nil {
			return nil, fmt.Errorf("signing the first checkpoint: %w", err)
		}
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	f.end = end
	go f.follow(running)
	return f, nil
}

// VerifierKey returns the C2SP verifier key of the log.
func (f *Follower) VerifierKey() string { return f.vkey }

// Close ends the follower after the run it is in. What is not followed yet, or
// due to people's rows, is found in the log by the next Follow.
func (f *Follower) Close() error {
	f.end()
	<-f.done
	return nil
}

// follow looks for new entries every so often, and at once when kicked.
func (f *Follower) follow(ctx context.Context) {
	defer close(f.done)
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.closed = true
		close(f.round)
	}()
	tick := time.NewTicker(f.cfg.Every)
	defer tick.Stop()
	for {
		began := time.Now()
		err := f.look(ctx)
		if ctx.Err() != nil {
			return
		}
		f.finish(began, err)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.kick:
		}
	}
}

// look follows everything that is durable by now, run by run.
func (f *Follower) look(ctx context.Context) error {
	size := f.cfg.Store.Size()
	if f.run.edge == nil {
		if err := f.load(ctx); err != nil {
			return err
		}
	}
	f.mu.Lock()
	whole := f.whole
	f.whole = false
	f.mu.Unlock()
	resting := f.run.edge.size == size
	for f.run.edge.size < size {
		to := min(size, f.run.edge.size+maxRun)
		if err := f.step(ctx, to, false, false); err != nil {
			return err
		}
	}
	if f.waiting > 0 && (whole || resting) {
		return f.step(ctx, size, whole, resting)
	}
	return nil
}

// finish tells the waiters how a look ended.
func (f *Follower) finish(began time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	if err == nil {
		f.looked = began
	} else if f.failed == nil || f.failed.Error() != err.Error() {
		f.cfg.Logger.Error("following the log", "err", err)
	}
	f.failed = err
	f.wake()
}

// show publishes a checkpoint that was kept, and that the rows of the chosen shares
// were written as of before.
func (f *Follower) show(h head, chosen []int, before uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrote(chosen, before, f.run.due)
	f.run.due = f.run.due[:0]
	f.head, f.rowed = h, f.rowsTo(h.Size)
	f.wake()
}

// wake tells the waiters to look again. The caller holds mu.
func (f *Follower) wake() {
	close(f.round)
	f.round = make(chan struct{})
}

// CatchUp returns when the first size entries are in the tree, in the index, in
// their persons' rows and trails, and under a checkpoint. It is ErrNotFound to ask
// for more than is durable, and store.ErrClosed after Close.
func (f *Follower) CatchUp(ctx context.Context, size uint64) error { return f.catchUp(ctx, size, true) }

// CatchUpTree is CatchUp for those who need no person's row: it is cheaper, since
// rows are written when there are many to write.
func (f *Follower) CatchUpTree(ctx context.Context, size uint64) error {
	return f.catchUp(ctx, size, false)
}

func (f *Follower) catchUp(ctx context.Context, size uint64, rows bool) error {
	if size > f.cfg.Store.Size() {
		return ErrNotFound
	}
	for first := -1; ; {
		f.mu.Lock()
		followed, round, looks, failed, closed := f.head.Size, f.round, f.looks, f.failed, f.closed
		if rows {
			followed = f.rowed
			f.whole = f.whole || followed < size
		}
		f.mu.Unlock()
		if first < 0 {
			first = looks
		}
		switch {
		case followed >= size:
			return nil
		case closed:
			return store.ErrClosed
		case failed != nil && looks > first+1: // the first may have begun before
			return fmt.Errorf("following the log: %w", failed)
		}
		select {
		case f.kick <- struct{}{}:
		default: // a look is due already
		}
		select {
		case <-round:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// load reads the kept checkpoint and the tree's edge, and checks one against
// the other.
func (f *Follower) load(ctx context.Context) error {
	var h head
	var e *edge
	var block []byte
	var to [shares]uint64
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) error {
		var err error
		if h, err = readHead(s, f.vkey); err != nil {
			return err
		}
		if e, err = loadEdge(s, h.Size); err != nil {
			return err
		}
		if h.signed != nil {
			if to, err = readPeople(s, h.Size); err != nil {
				return err
			}
		}
		block, err = loadBlock(s, h.Size)
		return err
	})
	if err != nil {
		return err
	}
	if size := f.cfg.Store.Size(); size < h.Size {
		return fmt.Errorf("the log ends at %d, its checkpoint covers %d: %w", size, h.Size, store.ErrDamaged)
	}
	if h.signed != nil {
		root, err := e.root()
		if err != nil {
			return fmt.Errorf("hashing the tree's edge: %w", err)
		}
		if root != h.Root {
			return fmt.Errorf("the kept tiles are not those that were signed: %w", ErrCheckpoint)
		}
	}
	if shown := f.Head(); h.Size < shown.Size {
		return fmt.Errorf("a checkpoint of %d entries was shown, one of %d is kept: %w", shown.Size, h.Size, store.ErrDamaged)
	}
	if err := f.recall(ctx, to, h.Size); err != nil {
		return fmt.Errorf("looking for what people's rows do not know of yet: %w", err)
	}
	f.run.edge, f.run.block = e, block
	f.show(h, nil, h.Size)
	return nil
}

// stateBucket keeps the last signed checkpoint under "checkpoint": it is also
// how far the log is followed.
const stateBucket store.Bucket = "log/state"

var checkpointKey = []byte("checkpoint")

// readHead reads and checks the kept checkpoint; the zero head if there is none.
func readHead(r store.Reader, vkey string) (head, error) {
	signed, err := r.Get(stateBucket, checkpointKey)
	if err != nil || signed == nil {
		return head{}, err
	}
	c, err := OpenCheckpoint(signed, vkey)
	if err != nil {
		return head{}, err
	}
	return head{Checkpoint: c, signed: append([]byte(nil), signed...)}, nil
}

// errMoved: another follower writes to the same store.
var errMoved = errors.New("the log is followed by somebody else")
