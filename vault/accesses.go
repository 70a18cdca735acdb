package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// AccessRequest asks for a page of who read what of a person.
type AccessRequest struct {
	Channel privacy.ChannelID // only this one's
	Purpose privacy.PurposeID // only for this one
	From    time.Time         // only from then on
	To      time.Time         // only before then
	After   string            // the Next of the page before
	Limit   int
}

// Accesses are a page of who read what of a person, the latest first.
type Accesses struct {
	Accesses []OwnAccess
	// Count is how many access records there are about the person, also of those
	// that are not shown yet (Art. 23) or not asked for.
	Count uint64
	Next  string // "" on the last page
	// Later are those that are shown later; on the first page, nil if there are none.
	Later *Later
}

// Later are accesses that a law lets the person be shown later (Art. 23).
type Later struct {
	Count    uint64
	Channels int       // that were shown something in these alone; of a takeout and a preview
	From     time.Time // when the first of them is shown
	Until    time.Time // and the last
}

// add counts an access that is shown from a time on.
func (l *Later) add(from time.Time) {
	if l.Count++; l.From.IsZero() || from.Before(l.From) {
		l.From = from
	}
	l.Until = latest(l.Until, from)
}

// some is l unless there are none.
func (l *Later) some() *Later {
	if l.Count == 0 {
		return nil
	}
	return l
}

// The kinds of accesses.
const (
	AccessRead    = "read"    // a channel read, or asked whether it might
	AccessContact = "contact" // a channel asked whether it might contact the person, or ask them
	AccessLookup  = "lookup"  // an officer found or saw the person, for a reason
	AccessSession = "session" // the person themselves, or a channel for them
)

// OwnAccess is one access as the person sees it.
type OwnAccess struct {
	Decision privacy.DecisionID
	At       time.Time
	Kind     string
	Channel  privacy.ChannelID // "" of an officer, and of the person's own
	Officer  string
	Reason   string // the officer's
	Purpose  privacy.PurposeID
	Act      string         // of a session: what was done in it
	By       *privacy.Actor // who did it for the person, or asked the officer for them
	Released []privacy.FieldName
	Masked   map[privacy.FieldName]privacy.Mask
	Withheld map[privacy.FieldName]privacy.Code
	Peek     bool // only whether; no value was opened
	LogIndex uint64
}

const (
	accessesPage  = 100
	accessesLook  = 256  // entries looked through at a time
	accessesBound = 4096 // and for one page: more are on the next
)

// Accesses shows a person who read what of them, for which purpose, and when. What
// a purpose is confidential_for is shown when that time is over; it is counted at
// once.
func (v *Vault) Accesses(ctx context.Context, by Caller, req AccessRequest) (*Accesses, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	if req.Limit <= 0 || req.Limit > accessesPage {
		req.Limit = accessesPage
	}
	page := &Accesses{Accesses: []OwnAccess{}}
	if s.Subject == privacy.Nobody {
		return page, nil
	}
	if err := v.accesses(ctx, s, req, page); err != nil {
		return nil, v.refusal(err)
	}
	return page, nil
}

func (v *Vault) accesses(ctx context.Context, s *ownSession, req AccessRequest, page *Accesses) error {
	before := uint64(log.Newest)
	if req.After != "" {
		var after privacy.DecisionID
		if after.UnmarshalText([]byte(req.After)) != nil {
			return invalid("after", "invalid_value", "names no entry of this list")
		}
		index, entry, err := v.entryNamed(ctx, privacy.ID(after))
		if err != nil || entry.Subject != s.Subject {
			return orElse(serious(err), invalid("after", "invalid_value", "names no entry of this list"))
		}
		before = index
	}
	own, err := v.ownAccess(ctx, s)
	if err != nil {
		return err
	}
	if page.Count, err = own.count(ctx); err != nil {
		return err
	}
	if req.After == "" {
		if page.Later, err = own.later(ctx); err != nil {
			return err
		}
	}
	for looked := 0; ; {
		found, err := v.follower.BySubject(ctx, s.Subject, before, accessesLook)
		if err != nil {
			return err
		}
		for _, f := range found {
			before = f.Index
			if !f.Entry.Kind.Trailed() {
				continue
			}
			record, err := own.open(ctx, f.Index, f.Entry)
			if err != nil {
				return err
			}
			if record == nil || !req.wants(record) {
				continue
			}
			if len(page.Accesses) == req.Limit {
				page.Next = page.Accesses[len(page.Accesses)-1].Decision.String()
				return nil
			}
			page.Accesses = append(page.Accesses, *record)
		}
		if looked += len(found); len(found) < accessesLook {
			return nil
		}
		if looked >= accessesBound && len(page.Accesses) > 0 {
			page.Next = page.Accesses[len(page.Accesses)-1].Decision.String()
			return nil
		}
	}
}

func (req *AccessRequest) wants(a *OwnAccess) bool {
	return (req.Channel == "" || a.Channel == req.Channel) && (req.Purpose == "" || a.Purpose == req.Purpose) &&
		(req.From.IsZero() || !a.At.Before(req.From)) && (req.To.IsZero() || a.At.Before(req.To))
}

// ownAccesses opens access records for the person they are about.
type ownAccesses struct {
	v      *Vault
	p      *person
	regime *regime
	now    time.Time
}

func (v *Vault) ownAccess(ctx context.Context, s *ownSession) (*ownAccesses, error) {
	own := &ownAccesses{v: v, now: v.earliestNow()}
	err := v.cfg.Store.View(ctx, func(snap store.Snapshot) (err error) {
		own.regime, own.p, err = v.self(ctx, snap, s)
		return err
	})
	return own, err
}

// earliestNow is now, or the earlier of what it could be while the clock is not
// believed: what is confidential until then is.
func (v *Vault) earliestNow() time.Time {
	now, believed, other := v.clock.now()
	if !believed && other.Before(now) {
		return other
	}
	return now
}

// count is how many access records there are.
func (o *ownAccesses) count(ctx context.Context) (uint64, error) {
	if err := o.v.follower.CatchUp(ctx, o.v.cfg.Store.Size()); err != nil {
		return 0, err
	}
	trail, err := o.v.follower.Trail(ctx, o.p.id)
	return trail.Count, err
}

var errEnough = errors.New("no more of it is wanted")

// later counts the accesses that are shown later. It looks back no further than the
// longest time that any register kept something confidential.
func (o *ownAccesses) later(ctx context.Context) (*Later, error) {
	longest, err := o.v.confidentialLongest(ctx, o.regime.register.Revision)
	if err != nil || len(longest) == 0 {
		return nil, err
	}
	l := &Later{}
	err = o.v.eachAccess(ctx, o.p, func(r *accessRecord) error {
		if !slices.ContainsFunc(longest, func(p privacy.Period) bool { return o.now.Before(p.After(r.At)) }) {
			return errEnough
		}
		if from := o.shownFrom(r); !from.IsZero() {
			l.add(from)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return l.some(), nil
}

// confidentialLongest returns for how long purposes of the registers up to a revision keep
// accesses back.
func (v *Vault) confidentialLongest(ctx context.Context, revision uint64) (all []privacy.Period, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		for n := revision; n > 0; n-- {
			rev, err := v.revision(s, n)
			if err != nil {
				return err
			}
			for i := range rev.register.Purposes {
				if p := rev.register.Purposes[i].ConfidentialFor; !p.IsZero() && !slices.Contains(all, p) {
					all = append(all, p)
				}
			}
		}
		return nil
	})
	return all, err
}

// open returns an access record as the person sees it: nil if it is of a life
// before this one, or confidential still.
func (o *ownAccesses) open(ctx context.Context, index uint64, e log.Entry) (*OwnAccess, error) {
	r, err := o.v.openAccess(ctx, o.p, index, e)
	if r == nil || err != nil || o.confidential(r) {
		return nil, err
	}
	a := &OwnAccess{Decision: r.Decision, At: r.At, Kind: AccessRead, Channel: r.Channel, Officer: r.Officer, Reason: r.Reason, By: r.By, Purpose: r.Purpose,
		Released: r.Released, Masked: r.Masked, Withheld: r.Withheld, Peek: r.Peek, LogIndex: index}
	switch {
	case e.Kind == log.Lookup:
		a.Kind = AccessLookup
	case r.Session != nil:
		a.Kind, a.Act, a.By = AccessSession, r.Session.Act, r.Session.By
	case r.Dealt != nil:
		a.Kind = AccessContact
	}
	return a, nil
}

// confidential reports whether the person is not to be shown an access yet.
func (o *ownAccesses) confidential(r *accessRecord) bool { return !o.shownFrom(r).IsZero() }

// shownFrom returns from when on the person is shown an access, zero if they are now:
// by the register in force, and where that has no such purpose any more by the one it
// was decided on.
func (o *ownAccesses) shownFrom(r *accessRecord) time.Time {
	if r.Purpose == "" {
		return time.Time{}
	}
	p, ok := o.regime.register.Purpose(r.Purpose)
	if !ok {
		_ = o.v.cfg.Store.View(context.Background(), func(s store.Snapshot) error {
			rev, err := o.v.revision(s, r.Register)
			if err == nil {
				p, ok = rev.register.Purpose(r.Purpose)
			}
			return err
		})
	}
	if !ok || p.ConfidentialFor.IsZero() {
		return time.Time{}
	}
	if from := p.ConfidentialFor.After(r.At); o.now.Before(from) {
		return from
	}
	return time.Time{}
}

// entryNamed returns the log's entry of an ID.
func (v *Vault) entryNamed(ctx context.Context, id privacy.ID) (uint64, log.Entry, error) {
	index, err := v.follower.Find(ctx, id)
	if err != nil {
		return 0, log.Entry{}, err
	}
	entry, err := v.follower.Entry(ctx, index)
	return index, entry, err
}

// serious is an error that is more than that there is nothing.
func serious(err error) error {
	if errors.Is(err, log.ErrNotFound) {
		return nil
	}
	return err
}

// ProveAccess makes the bundle by which a stranger checks that the record of an
// access of the person stands in the log. One that is somebody else's, or that is
// not shown yet, is not_found.
func (v *Vault) ProveAccess(ctx context.Context, by Caller, id privacy.DecisionID) (*Proof, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	if s.Subject == privacy.Nobody {
		return nil, errNoAccess
	}
	index, entry, err := v.entryNamed(ctx, privacy.ID(id))
	if err != nil || entry.Subject != s.Subject || !entry.Kind.Trailed() {
		return nil, v.refusal(orElse(serious(err), errNoAccess))
	}
	own, err := v.ownAccess(ctx, s)
	if err != nil {
		return nil, v.refusal(err)
	}
	shown, err := own.open(ctx, index, entry)
	if err != nil || shown == nil {
		return nil, v.refusal(orElse(err, errNoAccess))
	}
	proof, err := v.Prove(ctx, id.String())
	if err != nil {
		return nil, v.refusal(err)
	}
	return proof, nil
}

var errNoAccess = refuse(CodeNotFound, "no access of yours of this ID")

// OwnConsent is a consent record as the person sees it.
type OwnConsent struct {
	Consent      privacy.ConsentID
	Purpose      privacy.PurposeID
	Status       privacy.ConsentStatus
	Effective    bool
	At           time.Time
	Recorded     time.Time
	Until        time.Time
	Channel      privacy.ChannelID
	Method       string
	Language     string
	Jurisdiction string
	Notice       string
	Register     uint64
	Fields       []privacy.FieldName
	Recipients   []string
	By           privacy.Actor
	Evidence     map[string]any // in a copy alone
}

// OwnConsents lists the consent records of the person, the latest first: at most
// limit of those before one, which may be the zero ID.
func (v *Vault) OwnConsents(ctx context.Context, by Caller, before privacy.ConsentID, limit int) ([]OwnConsent, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	all := []OwnConsent{}
	if s.Subject == privacy.Nobody {
		return all, nil
	}
	err = v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		all = all[:0]
		_, p, err := v.self(ctx, snap, s)
		if err != nil {
			return err
		}
		return v.consentRecords(snap, p, func(r *consentRecord) error {
			all = append(all, ownConsent(r))
			return nil
		})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	slices.Reverse(all) // their IDs are in the order of time
	if before != (privacy.ConsentID{}) {
		at := slices.IndexFunc(all, func(c OwnConsent) bool { return c.Consent == before })
		if at < 0 {
			return nil, invalid("after", "invalid_value", "names no entry of this list")
		}
		all = all[at+1:]
	}
	return all[:min(limit, len(all))], nil
}

// consentRecords opens somebody's consent records, the oldest first.
func (v *Vault) consentRecords(r store.Reader, p *person, each func(*consentRecord) error) error {
	return bucketConsents.scan(r, p.at, func(rest, sealed []byte) error {
		if len(rest) != len(privacy.ConsentID{}) {
			return fmt.Errorf("a key of consents: %w", errIntegrity)
		}
		id := privacy.ConsentID(rest)
		plain, err := keys.Unseal(p.history, v.bind(p.id, "consent/"+id.String(), 1), sealed)
		if err != nil {
			return fmt.Errorf("opening consent record %s: %w", id, err)
		}
		var record consentRecord
		if err := json.Unmarshal(plain, &record); err != nil {
			return fmt.Errorf("reading consent record %s: %w", id, errIntegrity)
		}
		return each(&record)
	})
}
