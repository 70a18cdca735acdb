package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

// An officer who logged in has a session: a row under the keyed hash of a token
// that only the browser has. It rests on the credential that was logged in with,
// so whatever ends that – the officer removed, a passkey revoked – ends it at
// once, and not when it would have ended.

// How long sessions of officers last: idle, and at all.
const (
	SessionIdle  = 30 * time.Minute
	SessionLasts = 12 * time.Hour
	// enrolmentLasts bounds a session that an enrolment link began, within which a
	// credential of one's own is to be made.
	enrolmentLasts = 30 * time.Minute

	maxSessions = 20 // of an officer; the one longest idle makes room
	// seenEvery is how exactly it is kept when a session was last used, so that
	// not every page is a commit.
	seenEvery = time.Minute
)

// SessionView is a session of an officer, for the officer to see.
type SessionView struct {
	ID          string
	Officer     string
	How         CredentialKind
	Agent       string // what the browser says it is
	Begun, Seen time.Time
	Ends        time.Time // at the latest
}

// sessionRow is a session as it is kept.
type sessionRow struct {
	Format     int            `json:"v"`
	ID         string         `json:"id"`
	Officer    string         `json:"officer"`
	Credential string         `json:"credential"`
	How        CredentialKind `json:"how"`
	Agent      string         `json:"agent,omitempty"`
	Begun      time.Time      `json:"begun"`
	Seen       time.Time      `json:"seen"`
	Ends       time.Time      `json:"ends"`
}

func (s *sessionRow) over(now time.Time) bool {
	return !now.Before(s.Ends) || !now.Before(s.Seen.Add(SessionIdle)) || now.Before(s.Begun.Add(-time.Minute))
}

func (s *sessionRow) view() SessionView {
	return SessionView{ID: s.ID, Officer: s.Officer, How: s.How, Agent: s.Agent, Begun: s.Begun, Seen: s.Seen, Ends: s.Ends}
}

func (v *Vault) sessionKey(token string) []byte {
	hash := v.keyring().SecretHash("session", token)
	return hash[:]
}

func sessionField(key []byte) string { return "session/" + hex.EncodeToString(key) }

func (v *Vault) putSession(tx store.Tx, key []byte, row *sessionRow) error {
	version := uint64(row.Seen.UnixMicro())
	sealed, err := v.sealOwn(sessionField(key), version, row)
	if err != nil {
		return err
	}
	return tx.Put(bucketSessions, key, append(binary.AppendUvarint(nil, version), sealed...))
}

func (v *Vault) openSession(key, raw []byte) (*sessionRow, error) {
	version, n := binary.Uvarint(raw)
	if n <= 0 {
		return nil, errIntegrity
	}
	row := new(sessionRow)
	if err := v.unsealOwn(sessionField(key), version, raw[n:], row); err != nil {
		return nil, err
	}
	return row, nil
}

// BeginSession begins a session of an officer who has just logged in with the
// credential that the client names, and returns its token: the one time that it
// is known.
func (v *Vault) BeginSession(ctx context.Context, client Client, agent string) (token string, err error) {
	if client.Role != RoleOfficer {
		return "", refuse(CodeForbidden, "this is for officers")
	}
	var random [32]byte
	_, _ = rand.Read(random[:])
	token = base64.RawURLEncoding.EncodeToString(random[:])
	now := micro(v.cfg.Now())
	row := &sessionRow{Format: 1, ID: namedID("ses_", now), Officer: client.Officer, Credential: client.SecretID,
		Agent: agentOf(agent), Begun: now, Seen: now, Ends: now.Add(SessionLasts)}
	err = v.update(ctx, func(tx store.Tx) error {
		current, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		by := Caller{Client: client}
		if err := current.gov.officerStill(by); err != nil {
			return err
		}
		row.How = current.gov.Officers[client.Officer].kindOf(client.SecretID)
		if row.How == CredentialEnrolment {
			row.Ends = now.Add(enrolmentLasts)
		}
		if err := v.clearSessions(tx, current.gov, client.Officer, now); err != nil {
			return err
		}
		return v.putSession(tx, v.sessionKey(token), row)
	})
	if err != nil {
		return "", v.refusal(err)
	}
	v.cfg.Logger.Info("an officer logged in", "officer", row.Officer, "how", row.How, "session", row.ID)
	return token, nil
}

// agentOf keeps what can be shown of what a browser says it is.
func agentOf(agent string) string {
	agent = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, agent)
	return agent[:min(len(agent), 200)]
}

// eachSession calls do with every session that is kept.
func (v *Vault) eachSession(r store.Reader, do func(key []byte, row *sessionRow) error) error {
	return r.Scan(bucketSessions, nil, nil, func(key, raw []byte) error {
		row, err := v.openSession(key, raw)
		if err != nil {
			return err
		}
		return do(slices.Clone(key), row)
	})
}

// clearSessions removes the sessions that are over, and of an officer as many as
// another needs room.
func (v *Vault) clearSessions(tx store.Tx, gov *governance, officer string, now time.Time) error {
	type held struct {
		key []byte
		row *sessionRow
	}
	var over [][]byte
	var own []held
	err := v.eachSession(tx, func(key []byte, row *sessionRow) error {
		switch record := gov.Officers[row.Officer]; {
		case row.over(now) || record == nil || !record.live(row.Credential):
			over = append(over, key)
		case row.Officer == officer:
			own = append(own, held{key, row})
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(own, func(a, b held) int { return cmp.Compare(a.row.Seen.UnixMicro(), b.row.Seen.UnixMicro()) })
	for len(own) >= maxSessions {
		over, own = append(over, own[0].key), own[1:]
	}
	for _, key := range over {
		if err := tx.Delete(bucketSessions, key); err != nil {
			return err
		}
	}
	return nil
}

// OfficerSession returns the officer that a session's token lets in, as they are
// now, or ErrInvalidClient if there is no such session, it is over, or what it
// rests on is gone. It counts as use.
func (v *Vault) OfficerSession(ctx context.Context, token string) (Caller, *SessionView, error) {
	key, now := v.sessionKey(token), micro(v.cfg.Now())
	row, client, err := v.session(ctx, key, now)
	if err != nil {
		return Caller{}, nil, err
	}
	if now.Sub(row.Seen) >= seenEvery {
		err := v.update(ctx, func(tx store.Tx) error {
			raw, err := tx.Get(bucketSessions, key)
			if err != nil || raw == nil { // ended meanwhile
				return errors.Join(err, errUnchanged)
			}
			row, err := v.openSession(key, raw)
			if err != nil {
				return err
			}
			row.Seen = now
			return v.putSession(tx, key, row)
		})
		if err != nil && !errors.Is(err, errUnchanged) {
			return Caller{}, nil, v.refusal(err)
		}
	}
	view := row.view()
	return Caller{Client: client}, &view, nil
}

func (v *Vault) session(ctx context.Context, key []byte, now time.Time) (row *sessionRow, client Client, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		raw, err := s.Get(bucketSessions, key)
		if err != nil {
			return err
		}
		if raw == nil {
			return ErrInvalidClient
		}
		if row, err = v.openSession(key, raw); err != nil {
			return err
		}
		current, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		record := current.gov.Officers[row.Officer]
		if row.over(now) || record == nil || !record.live(row.Credential) {
			return ErrInvalidClient
		}
		client = Client{ID: officerPrefix + row.Officer, Role: RoleOfficer, Officer: row.Officer, SecretID: row.Credential}
		return nil
	})
	if err != nil {
		return nil, Client{}, v.refusal(err)
	}
	return row, client, nil
}

// EndSession ends the session of a token. There may be none.
func (v *Vault) EndSession(ctx context.Context, token string) error {
	err := v.update(ctx, func(tx store.Tx) error { return tx.Delete(bucketSessions, v.sessionKey(token)) })
	if err != nil {
		return v.refusal(err)
	}
	return nil
}

// Sessions are an officer's own, the one used last first.
func (v *Vault) Sessions(ctx context.Context, by Caller) ([]SessionView, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	now, views := micro(v.cfg.Now()), []SessionView{}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		current, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		record := current.gov.Officers[by.Client.Officer]
		return v.eachSession(s, func(_ []byte, row *sessionRow) error {
			if row.Officer == by.Client.Officer && !row.over(now) && record != nil && record.live(row.Credential) {
				views = append(views, row.view())
			}
			return nil
		})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	slices.SortFunc(views, func(a, b SessionView) int { return b.Seen.Compare(a.Seen) })
	return views, nil
}

// RevokeSession ends one of an officer's own sessions.
func (v *Vault) RevokeSession(ctx context.Context, by Caller, id string) error {
	if err := v.mustOfficer(by); err != nil {
		return err
	}
	err := v.update(ctx, func(tx store.Tx) error {
		var found []byte
		err := v.eachSession(tx, func(key []byte, row *sessionRow) error {
			if row.ID == id && row.Officer == by.Client.Officer {
				found = key
				return store.ErrStop
			}
			return nil
		})
		if err != nil {
			return err
		}
		if found == nil {
			return refuse(CodeNotFound, "you have no session of this ID")
		}
		return tx.Delete(bucketSessions, found)
	})
	if err != nil {
		return v.refusal(err)
	}
	return nil
}

// endSessions ends every session.
func (v *Vault) endSessions(tx store.Tx) error {
	var all [][]byte
	err := tx.Scan(bucketSessions, nil, nil, func(key, _ []byte) error {
		all = append(all, slices.Clone(key))
		return nil
	})
	for _, key := range all {
		if err == nil {
			err = tx.Delete(bucketSessions, key)
		}
	}
	return err
}
