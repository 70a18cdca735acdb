package vault

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Config is what a vault is made of. Store, Keys, Ledger and Keyring are
// required.
type Config struct {
	// Store keeps what is sealed, and the log.
	Store store.LogEngine
	// Keys keeps the wrapped DEKs, apart from what they open.
	Keys store.Engine
	// Ledger keeps what a restored vault is held against.
	Ledger store.Ledger
	// Keyring opens and signs.
	Keyring *keys.Keyring
	// SaveKeyring makes a keyring durable in the place of the one before, all of
	// it or nothing. Default: none, and keys cannot be rotated.
	SaveKeyring func(*keys.Keyring) error
	// Now tells the time. Default: time.Now.
	Now func() time.Time
	// Logger is told about operations, never about persons. Default: none.
	Logger *slog.Logger
	// LogName names this node's log in answers and checkpoints, unless a restore
	// began one that has a name of its own. Default: "main".
	LogName string
	// DecisionDeadline bounds one evaluation of the rules, from when it has a
	// processor. Default: 100 ms.
	DecisionDeadline time.Duration
	// Observer is told of every question about a person, without naming them.
	// Default: none, and no time is taken.
	Observer Observer
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.LogName == "" {
		c.LogName = defaultLogName
	}
	if c.DecisionDeadline == 0 {
		c.DecisionDeadline = 100 * time.Millisecond
	}
	return c
}

// The buckets of vault.db that package vault itself keeps; vault/internal/log
// has its own.
const (
	bucketMeta       store.Bucket = "meta"              // format, clock
	bucketGovernance store.Bucket = "governance"        // "current": what is in force, sealed
	bucketRegisters  store.Bucket = "registers"         // revision → register as applied, sealed
	bucketPolicies   store.Bucket = "policies"          // ID → rule set, sealed
	bucketStanding   personal     = "standing"          // place → version, sealed standing
	bucketStandings  personal     = "standings"         // place, version → earlier standings
	bucketProfiles   personal     = "profiles"          // place → sealed values
	bucketHistory    personal     = "history"           // place, ID → a value that lost to another, sealed
	bucketIndex      store.Bucket = "index"             // blind index, place → proof of the row; of odd epochs
	bucketIndexEven  store.Bucket = "index.even"        // likewise, of even epochs
	bucketConsents   personal     = "consents"          // place, consent → sealed consent record
	bucketPhantoms   store.Bucket = "consents/phantoms" // keyed hash of an ID that nobody had, consent
	bucketReceipts   store.Bucket = "receipts"          // consent → subject
	bucketMatches    store.Bucket = "matches"           // subject, subject → a possible match for officers
	bucketLedgered   store.Bucket = "ledgered"          // ledger entry ID → applied
	bucketAnswers    store.Bucket = "answers"           // idempotency key → time, sealed answer
	bucketAnswersAt  store.Bucket = "answers/at"        // time, idempotency key
	bucketAnswersOf  store.Bucket = "answers/of"        // subject, idempotency key
	bucketErased     store.Bucket = "erased"            // keyed hash of a subject → what stands where they were
	bucketNever      store.Bucket = "never"             // keyed hash of an identifier → day on which it was asked never to contact who has it
	bucketRekeying   personal     = "rekeying"          // place → their values key is about to be replaced

	bucketSessions store.Bucket = "officers/sessions" // keyed hash of a token → session of an officer, sealed
	bucketDesks    store.Bucket = "officers/desks"    // officer → what they work at and have not applied, sealed

	bucketRequests     store.Bucket = "requests"      // request → sealed request
	bucketRequestsOpen store.Bucket = "requests/open" // request
	bucketRequestsOf   personal     = "requests/of"   // place → request

	bucketRequestsAbout personal = "requests/about" // place, request

	bucketImports       store.Bucket = "imports"         // import → how far it is, sealed
	bucketImportRejects store.Bucket = "imports/rejects" // import, row → what was rejected from there on, sealed

	bucketOwnSessions   store.Bucket = "sessions"    // keyed hash of a token → sealed session
	bucketOwnSessionsAt store.Bucket = "sessions/at" // time, keyed hash: in the order in which they end
	bucketOwnSessionsOf personal     = "sessions/of" // place, keyed hash

	bucketDEKs personal = "deks" // of keys.db: place → two wrapped DEKs
)

// Vault is an open vault. It is safe for concurrent use.
type Vault struct {
	cfg       Config
	ring      atomic.Pointer[keys.Keyring] // see keyring
	rotating  rotating
	id        keys.VaultID
	follower  *log.Follower
	clock     *clock
	nobody    *person
	nobodyRow []byte // their standing as it lies in the store; it never changes
	limits    *limits
	logins    logins
	ledger    *ledger
	lapsed    time.Time // of the governance record: only a restore sets it
	// erasedSince are those, by their hashes in the ledger, who were erased since
	// the older copy was made that a restore brings up.
	erasedSince map[[16]byte]bool
	restores    *log.Restores            // that the log begins with
	inForce     atomic.Pointer[regime]   // the regime last seen; checked against the snapshot at each use
	sighted     atomic.Pointer[sighting] // and a state it was seen in
	indexed     atomic.Pointer[epochs]   // the index epochs last seen, checked like the regime

	asked          atomic.Uint64 // questions about people, so that what nobody waits for stands back
	deciding       chan struct{} // one place a processor: evaluations do not slow each other past their deadline
	compiling      sync.Mutex    // guards the making of regimes
	checking       chan struct{} // one place: what officers try takes one processor at most
	walkRefs       int           // how many entries a walk over people holds at once
	audiencePeople int           // how many people an audience knows ahead
	registers      sync.Map      // revision → *revision, immutable once made
	inputs         sync.Pool     // of *policy.Input
	entries        sync.Pool     // of *[entryRoom]byte: what entries of the log were written in
	second         atomic.Pointer[second]
	notices        sync.Map  // purpose of a register revision → its notice's hash
	running        running   // writes with an idempotency key
	importing      importing // rows of imports that are on their way
	zones          sync.Map  // name → *time.Location
	erasures       erasures
	outbox         outbox
	rekeys         sync.Mutex    // held while values keys are replaced
	limiting       sync.Mutex    // held while a retention run is made
	runs           chan struct{} // one waiting: a retention run begins now

	background sync.WaitGroup
	stop       context.CancelFunc
}

func newVault(cfg Config) *Vault {
	v := &Vault{cfg: cfg, id: cfg.Keyring.VaultID()}
	v.ring.Store(cfg.Keyring)
	v.cfg.Keyring = nil // or what a rotation drops would stay in memory
	return v
}

// keyring returns the keyring of the moment, which turns when keys are rotated.
// Who writes what depends on its epochs asks for it inside the transaction that
// writes.
func (v *Vault) keyring() *keys.Keyring { return v.ring.Load() }

// Open brings up the vault in the given stores: it holds the ledger against the
// store, finishes acts a crash left half done, and starts what follows the log.
// It returns ErrFresh, ErrForeign, ErrLogShorter or store.ErrOlder for a vault
// that must not be served as it is.
func Open(ctx context.Context, cfg Config) (*Vault, error) {
	cfg = cfg.withDefaults()
	v := newVault(cfg)
	v.deciding = make(chan struct{}, runtime.GOMAXPROCS(0))
	v.erasures.kick, v.runs = make(chan struct{}, 1), make(chan struct{}, 1)
	v.checking, v.walkRefs = make(chan struct{}, 1), walkRefs
	v.audiencePeople = audiencePeople
	if err := v.checkFormat(ctx); err != nil {
		return nil, err
	}
	var err error
	if v.cfg.LogName, err = v.readLogName(ctx, cfg.Store); err != nil {
		return nil, err
	}
	if v.ledger, err = openLedger(v); err != nil {
		return nil, err
	}
	if err := v.ledger.checkWhole(ctx, cfg.Store); err != nil {
		return nil, err
	}
	if size := cfg.Store.Size(); v.ledger.seen.Size > size { // before anything follows the log and writes
		return nil, fmt.Errorf("%w (it has %d records, the ledger saw %d)", ErrLogShorter, size, v.ledger.seen.Size)
	}
	if v.clock, err = openClock(ctx, v); err != nil {
		return nil, err
	}
	if err := v.checkKeyring(ctx); err != nil {
		return nil, err
	}
	if err := v.loadNobody(ctx); err != nil {
		return nil, err
	}
	if v.restores, err = v.loadRestores(ctx); err != nil {
		return nil, err
	}
	v.limits = newLimits(cfg.Now)
	if err := cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err == nil {
			v.lapsed = now.gov.Lapsed
		}
		return err
	}); err != nil {
		return nil, fmt.Errorf("loading what is in force: %w", err)
	}
	v.follower, err = log.Follow(ctx, v.logConfig())
	if err != nil {
		return nil, fmt.Errorf("following the log: %w", err)
	}
	err = v.follower.CatchUpTree(ctx, v.ledger.seen.Tree)
	if err == nil {
		err = v.ledger.checkHead(ctx, v.follower.Head())
	}
	if err != nil {
		return nil, errors.Join(err, v.follower.Close())
	}
	// What a crash kept out of the log the first write completes. It comes now that
	// nothing is refused any more, so that whoever looks into the log finds it there.
	if _, err := cfg.Store.Update(ctx, func(store.Tx) error { return nil }); err != nil {
		return nil, errors.Join(fmt.Errorf("completing the log: %w", err), v.follower.Close())
	}
	if err := v.ledger.finish(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("finishing what the ledger promised: %w", err), v.follower.Close())
	}
	v.resumeErasures(ctx)
	v.tellUnfinished(ctx)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	v.stop = stop
	v.background.Go(func() { v.ledger.follow(running) })
	v.background.Go(func() { v.sweepOver(running) })
	v.background.Go(func() { v.followErasures(running) })
	v.background.Go(func() { v.followRetention(running) })
	return v, nil
}

// Close stops what runs beside the requests and writes the log's head to the
// ledger. It does not close the stores it was given.
func (v *Vault) Close() error {
	v.stop()
	v.background.Wait()
	err := v.ledger.noteHead(context.Background())
	// What people's rows do not know of yet the next start would have to find.
	if behind := v.follower.CatchUp(context.Background(), v.cfg.Store.Size()); behind != nil {
		v.cfg.Logger.Warn("the log is not followed to its end", "err", behind)
	}
	return errors.Join(err, v.follower.Close())
}

// Ready returns why the vault must not be relied on, in sentences; none if it
// can be.
func (v *Vault) Ready() []string {
	var why []string
	for name, engine := range map[string]store.Engine{"vault.db": v.cfg.Store, "keys.db": v.cfg.Keys} {
		if err := engine.View(context.Background(), func(store.Snapshot) error { return nil }); err != nil {
			why = append(why, name+" cannot be read or written any more: look at the disk and the log, then restart")
		}
	}
	if _, believed, _ := v.clock.now(); !believed {
		why = append(why, "the clock is not believed: it stands before the last commit or jumped; an officer confirms it with POST /v1/clock/confirm")
	}
	return why
}

// TokenKey signs access tokens.
func (v *Vault) TokenKey() crypto.Signer { return v.keyring().TokenSigner() }

// EvidenceKeys returns the keys of receipts and certificates, retired ones for
// ever.
func (v *Vault) EvidenceKeys() []keys.EvidenceKey { return v.keyring().EvidenceKeys() }

// ID returns the vault's ID.
func (v *Vault) ID() keys.VaultID { return v.id }

// Caller is who asks: the client as it is now, and what its token says.
type Caller struct {
	Client Client
	// Purposes are those the token was narrowed to; nil means all of the
	// channel's.
	Purposes  []privacy.PurposeID
	RequestID string
	// Once is set for a write that is to happen once.
	Once *Once
	// For is who asks for a person: a guardian, an agent. Of a person's session, nil
	// means who it was opened for; of an officer, that the person asked themselves.
	// [Vault.Correct], [Vault.Export], [Vault.ExportFor] and [Vault.OpenSession] look at
	// it; other acts take who it is with what they ask.
	For *privacy.Actor

	linked  privacy.ChannelID // of the link in a mail that a person says no by: see Unsubscribe
	session *ownSession       // of a person: see Subject
	acts    bool              // the person records something: see session.acts
}
