package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ledgerKind is what a ledger entry tells of.
type ledgerKind byte

const (
	ledgerHead ledgerKind = 1 + iota // only the log's head
	ledgerRefused
	ledgerWithdrawn
	ledgerObjected
	ledgerOptedOut
	ledgerGroundEnded
	ledgerErasure  // the entry's ID is the request's
	ledgerHeld     // the hold's
	ledgerReleased // the entry's purpose is a keyed hash of the hold's ID
	ledgerSuspended
	ledgerRevoked // the entry's purpose is a keyed hash of the secret's ID
	ledgerRemoved
	ledgerRestricted
	ledgerLifted    // a restriction, or an objection that an officer overruled
	ledgerAsked     // an erasure that waits; it begins at, the purpose is its request's ID
	ledgerTakenBack // the purpose is the ID of the request that was taken back
	ledgerContested // the entry's ID is the request's, the purpose a keyed hash of the field
	ledgerOverruled // a contest of that field
	lastLedgerAct   = ledgerOverruled
)

// What the ledger notes beside acts.
const (
	ledgerLogAnew    ledgerKind = 32 + iota // a restore began a new log, whose head this is
	ledgerKeysCopied                        // a copy of the keys was begun, which ends at that time
	ledgerDataCopied                        // a copy of the data was kept, made at that time
)

func (k ledgerKind) known() bool {
	return k >= ledgerHead && k <= lastLedgerAct || k >= ledgerLogAnew && k <= ledgerDataCopied
}

// isAct reports whether an entry is about an act, which is to be done.
func (k ledgerKind) isAct() bool { return k > ledgerHead && k < ledgerLogAnew }

var ledgerKinds = map[privacy.ConsentStatus]ledgerKind{
	privacy.StatusRefused: ledgerRefused, privacy.StatusWithdrawn: ledgerWithdrawn,
	privacy.StatusObjected: ledgerObjected, privacy.StatusOptedOut: ledgerOptedOut,
}

func (k ledgerKind) status() (privacy.ConsentStatus, bool) {
	for status, kind := range ledgerKinds {
		if kind == k {
			return status, true
		}
	}
	return "", false
}

// ledgerEntry is one line of the ledger. It names nobody: subject and purpose
// are keyed hashes. On disk, all of it big endian:
//
//	0x01 kind id(16) written(8, µs) at(8, µs) subject(16) purpose(16) size(8) tree(8) root(32)
//	0x02 the same, and an envelope
//
// at is when the act was made, written when the vault noted it. size is the
// log's durable head at that moment, tree and root the last part of it that
// was hashed. The envelope is of what finds the person: see [foundBy].
type ledgerEntry struct {
	Kind    ledgerKind
	ID      privacy.ID
	Written time.Time
	At      time.Time
	Subject [16]byte
	Purpose [16]byte
	Size    uint64
	Tree    uint64
	Root    tlog.Hash
	Sealed  []byte
}

const (
	ledgerFormat = 1
	ledgerNoted  = 2 // with an envelope
	ledgerSize   = 1 + 1 + 16 + 8 + 8 + 16 + 16 + 8 + 8 + 32
)

func (e ledgerEntry) marshal() []byte {
	b := make([]byte, 0, ledgerSize+len(e.Sealed))
	format := byte(ledgerFormat)
	if len(e.Sealed) > 0 {
		format = ledgerNoted
	}
	b = append(b, format, byte(e.Kind))
	b = append(b, e.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Written.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	b = append(b, e.Subject[:]...)
	b = append(b, e.Purpose[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Size)
	b = binary.BigEndian.AppendUint64(b, e.Tree)
	return append(append(b, e.Root[:]...), e.Sealed...)
}

func parseLedgerEntry(b []byte) (e ledgerEntry, err error) {
	noted := len(b) > ledgerSize && b[0] == ledgerNoted
	if !noted && (len(b) != ledgerSize || b[0] != ledgerFormat) || !ledgerKind(b[1]).known() {
		return e, fmt.Errorf("reading the ledger: %w", errIntegrity)
	}
	e.Kind, b = ledgerKind(b[1]), b[2:]
	copy(e.ID[:], b)
	e.Written = time.UnixMicro(int64(binary.BigEndian.Uint64(b[16:]))).UTC()
	e.At = time.UnixMicro(int64(binary.BigEndian.Uint64(b[24:]))).UTC()
	copy(e.Subject[:], b[32:])
	copy(e.Purpose[:], b[48:])
	e.Size, e.Tree = binary.BigEndian.Uint64(b[64:]), binary.BigEndian.Uint64(b[72:])
	copy(e.Root[:], b[80:])
	e.Sealed = bytes.Clone(b[112:])
	return e, nil
}

// ledger is what a restored vault is held against: every narrowing act and the
// log's head, durable there before the act is answered. The order is ledger,
// state, log; so an act that was answered "unavailable" may still take effect.
type ledger struct {
	v       *Vault
	pending []ledgerEntry // acts found at start, oldest first
	begun   time.Time     // when the first entry was written

	mu     sync.Mutex  // guards all below
	seen   ledgerEntry // the furthest head, and the time of the last
	copied copied
	log    string // name of the log that was seen

	// ending is what changes of what is in force end, by the version they make,
	// until they are committed. Not while finishing.
	ending    map[uint64][]clientAct
	finishing bool // the start-up's
}

// headEvery is how often a growing log's head is noted.
const headEvery = 10 * time.Second

func openLedger(v *Vault) (*ledger, error) {
	l := &ledger{v: v, log: v.cfg.LogName}
	err := v.cfg.Ledger.Entries(func(_ uint64, b []byte) error {
		e, err := parseLedgerEntry(b)
		if err != nil {
			return err
		}
		if l.begun.IsZero() {
			l.begun = e.Written
		}
		if e.Kind.isAct() {
			l.pending = append(l.pending, e)
		}
		l.advance(e)
		return nil
	})
	return l, err
}

// checkWhole looks for acts that the store did and the ledger lacks: then the
// ledger was cut, or is an older copy.
func (l *ledger) checkWhole(ctx context.Context, data log.Viewer) error {
	return data.View(ctx, l.checkWholeAt)
}

func (l *ledger) checkWholeAt(s store.Snapshot) error {
	told := make(map[privacy.ID]struct{}, len(l.pending))
	for _, e := range l.pending {
		told[e.ID] = struct{}{}
	}
	return s.Scan(bucketLedgered, nil, nil, func(key, _ []byte) error {
		if len(key) != len(privacy.ID{}) {
			return fmt.Errorf("reading what the ledger promised: %w", errIntegrity)
		}
		if _, ok := told[privacy.ID(key)]; !ok {
			return ErrLedgerShorter
		}
		return nil
	})
}

// forgetUntold takes it from the state that acts were done of which a ledger that
// was lost told.
func (l *ledger) forgetUntold(ctx context.Context) error {
	told := make(map[privacy.ID]struct{}, len(l.pending))
	for _, e := range l.pending {
		told[e.ID] = struct{}{}
	}
	return pages(ctx, l.v.cfg.Store, bucketLedgered, func(rows []row) error {
		return l.v.update(ctx, func(tx store.Tx) error {
			for _, r := range rows {
				if _, ok := told[privacy.ID(r.key)]; ok {
					continue
				}
				if err := tx.Delete(bucketLedgered, r.key); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (l *ledger) advance(e ledgerEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.copied.note(e)
	if e.Kind == ledgerLogAnew { // what was seen before was another log's
		l.log = anewName(e.At)
		l.seen.Size, l.seen.Tree, l.seen.Root = e.Size, e.Tree, e.Root
	}
	if e.Size > l.seen.Size {
		l.seen.Size = e.Size
	}
	if e.Tree > l.seen.Tree {
		l.seen.Tree, l.seen.Root = e.Tree, e.Root
	}
	// The last head tells the time, not the latest: an officer may have said
	// since that what came before was wrong. One of a doubted clock tells none.
	if e.Kind == ledgerHead && e.Written.After(time.UnixMicro(0)) {
		l.seen.Written = e.Written
	}
}

// promise notes a narrowing act before it is done, with what finds the person. A
// given is not noted.
func (l *ledger) promise(ctx context.Context, a *act, subject privacy.SubjectID, sealed []byte) error {
	if !a.req.Status.Narrows() {
		return nil
	}
	e := l.entryOf(a, subject)
	e.Sealed = sealed
	return l.append(ctx, e)
}

// entryOf is what promises a narrowing act.
func (l *ledger) entryOf(a *act, subject privacy.SubjectID) ledgerEntry {
	return l.entry(ledgerKinds[a.req.Status], privacy.ID(a.id), subject, a.req.Purpose, a.at)
}

func (l *ledger) add(ctx context.Context, kind ledgerKind, id privacy.ID, subject privacy.SubjectID, purpose privacy.PurposeID, at time.Time) error {
	return l.append(ctx, l.entry(kind, id, subject, purpose, at))
}

func (l *ledger) entry(kind ledgerKind, id privacy.ID, subject privacy.SubjectID, purpose privacy.PurposeID, at time.Time) ledgerEntry {
	now, _, _ := l.v.clock.now()
	return ledgerEntry{Kind: kind, ID: id, Written: now, At: orNow(at, now), Subject: l.subject(subject), Purpose: l.purpose(purpose)}
}

// kept marks in the state's own commit that a promised act is done.
func (l *ledger) kept(tx store.Tx, id privacy.ID) error {
	return tx.Put(bucketLedgered, id[:], []byte{1})
}

// append makes entries durable with the log's head of this moment.
func (l *ledger) append(ctx context.Context, entries ...ledgerEntry) error {
	if len(entries) == 0 {
		return nil
	}
	head, size := l.v.follower.Head(), l.v.cfg.Store.Size()
	lines := make([][]byte, len(entries))
	for i := range entries {
		e := &entries[i]
		e.Size, e.Tree, e.Root = size, head.Size, head.Root
		lines[i] = e.marshal()
	}
	if err := l.v.cfg.Ledger.Append(ctx, lines...); err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	l.advance(entries[len(entries)-1])
	return nil
}

func (l *ledger) subject(id privacy.SubjectID) [16]byte {
	sum := l.v.keyring().MAC("ledger subject", id[:])
	return [16]byte(sum[:16])
}

func (l *ledger) purpose(id privacy.PurposeID) [16]byte {
	sum := l.v.keyring().MAC("ledger purpose", []byte(id))
	return [16]byte(sum[:16])
}

// done notes the log's head once a promised act stands in the log, before the
// act is answered: a log that lacks the act is then shorter than the ledger saw.
func (l *ledger) done(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return l.noteHead(ctx)
}

// noteHead writes the log's head, and the tree under it, if it grew since the
// last note. What is hashed by then cannot be put back and grown another way.
func (l *ledger) noteHead(ctx context.Context) error {
	size := l.v.cfg.Store.Size()
	l.mu.Lock()
	seen := l.seen.Tree
	l.mu.Unlock()
	if size == seen {
		return nil
	}
	if err := l.v.follower.CatchUpTree(ctx, size); err != nil {
		l.v.cfg.Logger.Warn("noting a head of the log that is not hashed yet", "err", err)
	}
	now, believed, _ := l.v.clock.now()
	if !believed {
		now = time.UnixMicro(0)
	}
	return l.append(ctx, ledgerEntry{Kind: ledgerHead, ID: privacy.NewID(now), Written: now, At: now})
}

func (l *ledger) follow(ctx context.Context) {
	tick := time.NewTicker(headEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := l.noteHead(ctx); err != nil && ctx.Err() == nil {
				l.v.cfg.Logger.Error("noting the log's head in the ledger", "err", err)
			}
		}
	}
}

// checkHead holds the tree under a checkpoint of the log against the furthest
// root the ledger saw.
func (l *ledger) checkHead(ctx context.Context, under log.Checkpoint) error {
	l.mu.Lock()
	seen := l.seen
	l.mu.Unlock()
	if size := l.v.cfg.Store.Size(); seen.Size > size {
		return fmt.Errorf("%w (it has %d records, the ledger saw %d)", ErrLogShorter, size, seen.Size)
	}
	if seen.Tree == 0 {
		return nil
	}
	root, err := log.RootAt(ctx, l.v.cfg.Store, under, seen.Tree)
	if err != nil {
		return fmt.Errorf("computing the log's tree as the ledger saw it: %w", err)
	}
	if root != seen.Root {
		return fmt.Errorf("%w (its first %d records are not those the ledger saw)", ErrLogShorter, seen.Tree)
	}
	return nil
}

// finish does the acts that the ledger promised and the store lacks: the
// process ended between the two. They were never answered as done; doing them
// lets less out.
func (l *ledger) finish(ctx context.Context) error {
	if err := l.keepNever(ctx); err != nil {
		return err
	}
	lacking := map[[16]byte][]ledgerEntry{}
	var clients []ledgerEntry
	err := l.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		for _, e := range l.pending {
			done, err := s.Get(bucketLedgered, e.ID[:])
			if err != nil {
				return err
			}
			switch {
			case done != nil:
			case e.Kind >= ledgerSuspended && e.Kind <= ledgerRemoved:
				clients = append(clients, e)
			default:
				lacking[e.Subject] = append(lacking[e.Subject], e)
			}
		}
		return nil
	})
	l.pending = nil
	if err == nil {
		err = l.finishClients(ctx, clients)
	}
	if err != nil || len(lacking) == 0 {
		return err
	}
	var people []privacy.SubjectID
	err = l.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		return s.Scan(bucketStanding.all(), nil, nil, func(key, _ []byte) error {
			id, err := l.v.personAt(key)
			if err == nil && lacking[l.subject(id)] != nil {
				people = append(people, id)
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	for _, id := range people {
		if err := l.apply(ctx, id, lacking[l.subject(id)]); err != nil {
			return err
		}
		delete(lacking, l.subject(id))
	}
	return l.v.update(ctx, func(tx store.Tx) error { // about nobody who came to be
		for _, entries := range lacking {
			for _, e := range entries {
				if err := l.kept(tx, e.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// apply does one person's promised acts.
func (l *ledger) apply(ctx context.Context, id privacy.SubjectID, entries []ledgerEntry) error {
	v := l.v
	return v.update(ctx, func(tx store.Tx) error {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		p, err := v.load(ctx, tx, id)
		if err == nil && p == nil { // buried
			for _, e := range entries {
				if err := l.kept(tx, e.ID); err != nil {
					return err
				}
			}
			return nil
		}
		if err != nil {
			return err
		}
		told := map[privacy.ID]event.Event{}
		if p.known() {
			for _, e := range entries {
				told[e.ID] = l.fold(p.standing, r.register, e)
			}
		}
		digest, err := v.saveDigest(tx, p)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := l.kept(tx, e.ID); err != nil {
				return err
			}
			record := finishedRecord{Format: 1, At: e.At, Kind: byte(e.Kind), Act: privacy.ConsentID(e.ID), Standing: digest}
			record.told, record.about, record.fields = told[e.ID].Type, told[e.ID].Purpose, told[e.ID].Fields
			if err := v.noteOf(tx, p, log.Consent, privacy.NewID(v.cfg.Now()), record); err != nil {
				return err
			}
		}
		for _, e := range entries {
			if !p.known() {
				continue
			}
			switch e.Kind {
			case ledgerErasure:
				var leaves *neverNote
				if leaves, err = v.neverNoted(e); err == nil {
					_, err = v.erasing(ctx, tx, eraser{leaves: leaves}, id, privacy.RequestID(e.ID), e.At)
				}
			case ledgerAsked:
				err = v.askedAgain(tx, p, e)
			case ledgerTakenBack:
				err = v.takenBackAgain(tx, p, e)
			case ledgerContested:
				err = v.contestedAgain(tx, p, e)
			case ledgerOverruled:
				err = v.overruledAgain(tx, p, e)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// bury begins to remove those whom the ledger says were erased and of whom the
// state still knows: an older copy, with keys of after the erasure, so that
// nothing of them opens any more. Of whom the key is still there, finish erases.
func (l *ledger) bury(ctx context.Context) error {
	if err := l.keepNever(ctx); err != nil {
		return err
	}
	erased := map[[16]byte]ledgerEntry{}
	err := l.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		for _, e := range l.pending {
			done, err := s.Get(bucketLedgered, e.ID[:])
			if err != nil {
				return err
			}
			if done == nil && e.Kind == ledgerErasure {
				erased[e.Subject] = e
			}
		}
		return nil
	})
	if err != nil || len(erased) == 0 {
		return err
	}
	return pages(ctx, l.v.cfg.Store, bucketStanding.all(), func(rows []row) error {
		for _, row := range rows {
			id, err := l.v.personAt(row.key)
			if err != nil {
				return err
			}
			e, was := erased[l.subject(id)]
			if !was {
				continue
			}
			err = l.v.update(ctx, func(tx store.Tx) error {
				if p, err := l.v.load(ctx, tx, id); err == nil && p != nil {
					return errUnchanged
				}
				if err := l.kept(tx, e.ID); err != nil {
					return err
				}
				return l.v.bury(tx, id, privacy.RequestID(e.ID), e.At)
			})
			if err != nil && !errors.Is(err, errUnchanged) {
				return err
			}
		}
		return nil
	})
}

// finishedRecord is the log's record of a narrowing act that was finished from
// the ledger.
type finishedRecord struct {
	Format   int               `json:"v"`
	At       time.Time         `json:"at"`
	Kind     byte              `json:"ledger"`
	Act      privacy.ConsentID `json:"consent"`
	Standing rowDigest         `json:"standing"`

	told   privacy.EventType // what channels are told of it, "" if nothing
	about  privacy.PurposeID
	fields []privacy.FieldName
}

// fold does a promised act to a standing, and says what channels are told of it.
func (l *ledger) fold(s *consent.Standing, reg *register.Register, e ledgerEntry) (told event.Event) {
	switch e.Kind {
	case ledgerErasure, ledgerAsked, ledgerTakenBack: // apply does it
		return told
	case ledgerContested, ledgerOverruled:
		return l.foldContest(s, reg, e)
	case ledgerRestricted:
		if s.Restricted.IsZero() {
			s.Restricted = e.At
			told.Type = privacy.EventSubjectRestricted
		}
		return told
	case ledgerLifted:
		if e.Purpose == l.purpose("") {
			s.Restricted = time.Time{}
			told.Type = privacy.EventSubjectUnrestricted
			return told
		}
	case ledgerHeld:
		s.Holds = append(s.Holds, consent.Hold{ID: privacy.HoldID(e.ID), Since: e.At, Reason: "put back from the ledger"})
		return told
	case ledgerReleased:
		s.Holds = slices.DeleteFunc(s.Holds, func(h consent.Hold) bool { return l.purpose(holdName(h.ID)) == e.Purpose })
		return told
	}
	purposes := map[privacy.PurposeID]bool{}
	for i := range reg.Purposes {
		purposes[reg.Purposes[i].ID] = true
	}
	for i := range s.Consents {
		purposes[s.Consents[i].Purpose] = true
	}
	for i := range s.Grounds {
		purposes[s.Grounds[i].Purpose] = true
	}
	for id := range purposes {
		if l.purpose(id) != e.Purpose {
			continue
		}
		status, ok := e.Kind.status()
		switch c := s.Consent(id); {
		case e.Kind == ledgerLifted:
			s.Overrule(id, e.At)
		case ok && c != nil && c.Status == privacy.StatusGiven && c.Recorded.After(e.Written):
			// A yes that came after this no: the act was done, or tried again.
		case ok:
			s.Record(consent.Act{ID: privacy.ConsentID(e.ID), Purpose: id, Status: status, At: e.At, Recorded: e.Written})
			told.Type, told.Purpose = consentEvents[status], id
		default:
			s.EndGround(id, "", e.At)
			told.Type, told.Purpose = privacy.EventGroundEnded, id
		}
	}
	return told
}

func missing(p *person, id privacy.SubjectID) error {
	if p == nil {
		return fmt.Errorf("the standing of %s is missing: %w", id, errIntegrity)
	}
	return nil
}
