package vault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Assurance says how it is known that a session is the person's.
type Assurance string

// The assurances of sessions.
const (
	// AssuranceChannel: a channel says so, and has the token itself. Such a session
	// sees consents, accesses and what that channel may read now, and may let out
	// less; all else needs a login, unless the register says step_up: none.
	AssuranceChannel Assurance = "channel"
	// AssuranceVerified: somebody logged in with an identifier that is verified as
	// this person's.
	AssuranceVerified Assurance = "verified"
)

// How long sessions and the codes of links last.
const (
	SubjectSessionLasts = time.Hour
	CodeLasts           = time.Minute
)

// SelfChannel is what records name in the place of a channel where the person
// acted in a session of their own. No register can declare it.
const SelfChannel privacy.ChannelID = "sayso.me"

// SubjectSession is a session of a person, as it is listed. It opens nothing.
type SubjectSession struct {
	ID        privacy.SessionID
	Channel   privacy.ChannelID // that opened it; "" if nobody did but the person
	Assurance Assurance
	How       string // token, link, or how the person logged in
	Opened    time.Time
	Expires   time.Time
	Current   bool // it is the one that asks
	// For is who acts in it for the person, as the channel that opened it says; nil:
	// they do themselves.
	For *privacy.Actor
}

// OpenedSession is a new session with what opens it, shown once. Code is set only
// where a channel opened it.
type OpenedSession struct {
	SubjectSession
	// Token opens the session: whoever has it is the person. It begins with
	// TokenPrefix.
	Token string
	// Code opens another session of the same assurance, for the person's browser,
	// once and within CodeLasts: see EnterByCode. It is what may stand in a link.
	Code string
}

// TokenPrefix begins the tokens of people's sessions, and no others.
const TokenPrefix = "sst_"

// ownSession is a session as it is kept, sealed with the vault's own key. What stands
// in the store finds no token, and without the keyring no person.
//
//	sessions       keyed hash of the token(32) → version(uvarint) envelope
//	sessions/at    expires(8, µs) hash(32)     → nothing: in the order in which they end
//	sessions/of    place hash(32)              → nothing: of whom it is, for lists and erasure
//
// A code is kept like a session that it is to open.
type ownSession struct {
	Format    int                 `json:"v"`
	ID        privacy.SessionID   `json:"session"`
	Code      bool                `json:"code,omitempty"`
	Subject   privacy.SubjectID   `json:"subject,omitzero"` // nobody: the session is of no one whom the channel could know
	Ref       *sessionRef         `json:"ref,omitempty"`    // whom the channel meant, then
	Channel   privacy.ChannelID   `json:"channel,omitempty"`
	Secret    string              `json:"secret,omitempty"` // ID of the secret it was opened with
	Granted   []privacy.PurposeID `json:"granted,omitempty"`
	Assurance Assurance           `json:"assurance"`
	How       string              `json:"how"`
	For       *privacy.Actor      `json:"for,omitempty"` // who acts in it for them
	Opened    time.Time           `json:"opened_at"`
	Expires   time.Time           `json:"expires_at"`

	key [32]byte // of its row
}

// sessionRef is whom a channel meant of whom it may know nothing: what they say
// in the session is recorded as if the channel had.
type sessionRef struct {
	ID    privacy.SubjectID `json:"subject,omitzero"`
	Field privacy.FieldName `json:"field,omitempty"`
	Value []byte            `json:"value,omitempty"`
}

func (r *sessionRef) ref() SubjectRef {
	return SubjectRef{ID: r.ID, Field: r.Field, Value: privacy.NewSensitive(r.Value)}
}

const sessionFormat = 1

// sessionSecret draws what opens a session, or the code of a link.
func sessionSecret(prefix string) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return prefix + base64.RawURLEncoding.EncodeToString(raw[:])
}

func (v *Vault) ownSessionKey(secret string) [32]byte {
	return v.keyring().MAC("subject session", []byte(secret))
}

func sessionName(key [32]byte) string {
	return "subject_session/" + base64.RawURLEncoding.EncodeToString(key[:])
}

// putOwnSession keeps a session under its secret.
func (v *Vault) putOwnSession(tx store.Tx, s *ownSession, secret string) error {
	s.Format, s.key = sessionFormat, v.ownSessionKey(secret)
	sealed, err := v.sealOwn(sessionName(s.key), 1, s)
	if err != nil {
		return err
	}
	key := s.key[:]
	if err := tx.Put(bucketOwnSessions, slices.Clone(key), append(binary.AppendUvarint(nil, 1), sealed...)); err != nil {
		return err
	}
	if err := tx.Put(bucketOwnSessionsAt, sessionEnds(s), []byte{}); err != nil || s.Subject == privacy.Nobody {
		return err
	}
	return bucketOwnSessionsOf.put(tx, v.place(s.Subject).with(key...), []byte{})
}

func sessionEnds(s *ownSession) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(s.Expires.UnixMicro())), s.key[:]...)
}

// sessionAt returns the session of a row, nil if there is none.
func (v *Vault) sessionAt(r store.Reader, key [32]byte) (*ownSession, error) {
	row, err := r.Get(bucketOwnSessions, key[:])
	if row == nil || err != nil {
		return nil, err
	}
	version, n := binary.Uvarint(row)
	s := new(ownSession)
	if n <= 0 || version != 1 {
		return nil, fmt.Errorf("reading a session: %w", errIntegrity)
	}
	if err := v.unsealOwn(sessionName(key), version, row[n:], s); err != nil {
		return nil, fmt.Errorf("opening a session: %w", err)
	}
	if s.Format != sessionFormat {
		return nil, fmt.Errorf("reading a session: %w", errIntegrity)
	}
	s.key = key
	return s, nil
}

// dropSession ends a session.
func (v *Vault) dropSession(tx store.Tx, s *ownSession) error {
	if err := tx.Delete(bucketOwnSessions, s.key[:]); err != nil {
		return err
	}
	if err := tx.Delete(bucketOwnSessionsAt, sessionEnds(s)); err != nil || s.Subject == privacy.Nobody {
		return err
	}
	return bucketOwnSessionsOf.delete(tx, v.place(s.Subject).with(s.key[:]...))
}

// sessionsOf are somebody's sessions and codes, for an erasure.
func sessionsOf(v *Vault, tx store.Tx, id privacy.SubjectID, max int) (things []func() error, err error) {
	at := v.place(id)
	keys, err := keysUnder(tx, bucketOwnSessionsOf.all(), at.key, 32, max)
	for _, key := range keys {
		things = append(things, func() error {
			s, err := v.sessionAt(tx, [32]byte(key[len(at.key):]))
			if s == nil || err != nil {
				return orElse(err, tx.Delete(bucketOwnSessionsOf.all(), key))
			}
			return v.dropSession(tx, s)
		})
	}
	return things, err
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// sweepSessions removes some of the sessions and codes whose time is over, and
// reports whether there may be more.
func (v *Vault) sweepSessions(ctx context.Context) (more bool, err error) {
	now, believed, _ := v.clock.now()
	if !believed {
		return false, nil
	}
	over, err := v.due(ctx, bucketOwnSessionsAt, now)
	if err != nil || len(over) == 0 {
		return false, err
	}
	return len(over) == sweepMost, v.update(ctx, func(tx store.Tx) error {
		for _, key := range over {
			if len(key) != 8+32 {
				return fmt.Errorf("reading when sessions end: %w", errIntegrity)
			}
			s, err := v.sessionAt(tx, [32]byte(key[8:]))
			if err == nil && s != nil {
				err = v.dropSession(tx, s)
			} else if err == nil {
				err = tx.Delete(bucketOwnSessionsAt, key)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// view is a session as it is listed.
func (s *ownSession) view() SubjectSession {
	return SubjectSession{ID: s.ID, Channel: s.Channel, Assurance: s.Assurance, How: s.How, Opened: s.Opened, Expires: s.Expires, For: s.For}
}

// actor is who acts in a session: who is named, or whom it was opened for, or else
// the person.
func (s *ownSession) actor(named *privacy.Actor) privacy.Actor {
	switch {
	case named != nil:
		return *named
	case s.For != nil:
		return *s.For
	}
	return privacy.Actor{Role: privacy.BySubject}
}

// another is who acts for a person, nil if they do themselves.
func another(who privacy.Actor) *privacy.Actor {
	if who == (privacy.Actor{Role: privacy.BySubject}) || who == (privacy.Actor{}) {
		return nil
	}
	return &who
}

// stands reports whether a session is good in a regime at a time: it has not
// ended, and the channel that opened it may still open some, with the secret that
// it opened this one with.
func (s *ownSession) stands(r *regime, now time.Time) bool {
	if !now.Before(s.Expires) || now.Before(s.Opened.Add(-aheadTolerance)) {
		return false
	}
	if s.Assurance != AssuranceChannel {
		return true
	}
	channel, ok := r.register.Channel(s.Channel)
	record := r.gov.Channels[s.Channel]
	return ok && channel.Sessions != register.NoSessions && record != nil && !record.Suspended && record.live(s.Secret)
}

// full reports whether a session shows and changes everything of the person, not
// only what the channel that opened it could.
func (s *ownSession) full(r *regime) bool {
	if s.Assurance == AssuranceVerified {
		return true
	}
	channel, ok := r.register.Channel(s.Channel)
	return ok && channel.Sessions == register.StepUpNone
}

// acts is the channel that what the person does in the session is recorded as: in
// one of their own nobody's but theirs, which may tell every field and say yes to
// every purpose. A channel's session that needs no login may as much, but on the
// channel's word: the record names it, because nobody else showed who that was.
func (s *ownSession) acts(r *regime) (*register.Channel, error) {
	if s.Subject == privacy.Nobody || !s.full(r) {
		channel, ok := r.register.Channel(s.Channel)
		if !ok {
			return nil, ErrInvalidClient
		}
		return channel, nil
	}
	own := &register.Channel{ID: SelfChannel, Kind: "privacy"}
	if s.Assurance != AssuranceVerified {
		own.ID = s.Channel
	}
	for i := range r.register.Fields {
		own.Captures = append(own.Captures, r.register.Fields[i].Name)
	}
	for i := range r.register.Purposes {
		own.Obtains = append(own.Obtains, r.register.Purposes[i].ID) // a yes takes back a no, also where nobody is asked
	}
	return own, nil
}

// there is the person unless there is nobody for a session: they are being erased,
// or all that is left of them is what a law demands.
func there(p *person) *person {
	if p == nil || !p.known() || p.standing.Phase != consent.Active || len(p.standing.Kept) > 0 && !p.standing.CameBack() {
		return nil
	}
	return p
}

// subjectPrefix begins the client IDs of people: that of an answer kept for a
// repeat, and of a line in the access log, names the session and not the person.
const subjectPrefix = "subject."

// Subject returns who calls with the token of a person's session, or
// ErrInvalidClient: it is unknown, over, ended, revoked, its channel may open none
// any more, or the person was erased. Which, nobody is told. It is asked at every
// request, so that whatever ends a session ends it at once.
func (v *Vault) Subject(ctx context.Context, token string) (Caller, error) {
	if !strings.HasPrefix(token, TokenPrefix) || len(token) > 64 {
		return Caller{}, ErrInvalidClient
	}
	var s *ownSession
	err := v.cfg.Store.View(ctx, func(r store.Snapshot) error {
		now, err := v.regime(ctx, r)
		if err != nil {
			return err
		}
		if s, err = v.sessionAt(r, v.ownSessionKey(token)); err != nil {
			return err
		}
		if s == nil || s.Code || !s.stands(now, v.latestNow()) {
			return ErrInvalidClient
		}
		if s.Subject == privacy.Nobody {
			return nil
		}
		p, err := v.load(ctx, r, s.Subject)
		if err == nil && there(p) == nil {
			err = ErrInvalidClient
		}
		return err
	})
	if err != nil {
		return Caller{}, v.refusal(err)
	}
	return Caller{Client: Client{ID: subjectPrefix + s.ID.String(), Role: RoleSubject, Channel: s.Channel}, session: s}, nil
}

// latestNow is now, or the later of what it could be while the clock is not
// believed: what ends then has ended.
func (v *Vault) latestNow() time.Time {
	now, believed, other := v.clock.now()
	if !believed {
		return latest(now, other)
	}
	return now
}

// endOwnSessions ends every session and code: after a restore, some may have ended
// since the copy was made.
func (v *Vault) endOwnSessions(tx store.Tx) error {
	for _, bucket := range []store.Bucket{bucketOwnSessions, bucketOwnSessionsAt, bucketOwnSessionsOf.all()} {
		var all [][]byte
		err := tx.Scan(bucket, nil, nil, func(key, _ []byte) error {
			all = append(all, slices.Clone(key))
			return nil
		})
		for _, key := range all {
			if err == nil {
				err = tx.Delete(bucket, key)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
