package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// What ends a client's access lets less out, so the ledger knows of it too: that a
// channel was suspended, a secret revoked, an officer removed. A restore from an
// older copy would give them back what was taken from them.
//
// Here the state comes first, since only it knows what changes; the ledger follows
// before the change is answered.

// clientAct is one of them.
type clientAct struct {
	kind   ledgerKind
	client string
	secret string // its ID, of one that was revoked
}

func (l *ledger) client(id string) [16]byte {
	sum := l.v.keyring().MAC("ledger client", []byte(id))
	return [16]byte(sum[:16])
}

func (l *ledger) secret(id string) (none [16]byte) {
	if id == "" {
		return none
	}
	sum := l.v.keyring().MAC("ledger secret", []byte(id))
	return [16]byte(sum[:16])
}

// ended returns what of the access of before is there no more.
func ended(before, after *governance) (acts []clientAct) {
	clients := func(g *governance) map[string]*clientRecord {
		all := make(map[string]*clientRecord, len(g.Channels)+len(g.Officers))
		for id, c := range g.Channels {
			all[string(id)] = c
		}
		for name, c := range g.Officers {
			all[officerPrefix+name] = c
		}
		return all
	}
	was, is := clients(before), clients(after)
	for _, id := range slices.Sorted(maps.Keys(was)) {
		now := is[id]
		if now == nil {
			if strings.HasPrefix(id, officerPrefix) {
				acts = append(acts, clientAct{kind: ledgerRemoved, client: id})
			}
			continue
		}
		if now.Suspended && !was[id].Suspended {
			acts = append(acts, clientAct{kind: ledgerSuspended, client: id})
		}
		for _, s := range was[id].Secrets {
			if s.Revoked.IsZero() && !now.live(s.ID) {
				acts = append(acts, clientAct{ledgerRevoked, id, s.ID})
			}
		}
	}
	return acts
}

// willNote remembers what a change of what is in force ends, until it is
// committed. One that is tried again is remembered as it was tried last.
func (l *ledger) willNote(version uint64, acts []clientAct) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ending, version)
	if len(acts) > 0 && !l.finishing {
		if l.ending == nil {
			l.ending = map[uint64][]clientAct{}
		}
		l.ending[version] = acts
	}
}

// noteClients notes what committed changes ended. It is called after every commit
// and before its answer.
func (l *ledger) noteClients(ctx context.Context) error {
	l.mu.Lock()
	waits := len(l.ending) > 0
	l.mu.Unlock()
	if !waits {
		return nil
	}
	now, err := l.v.current()
	if err != nil {
		return err
	}
	l.mu.Lock()
	var acts []clientAct
	for _, version := range slices.Sorted(maps.Keys(l.ending)) {
		if version <= now.gov.Version {
			acts = append(acts, l.ending[version]...)
			delete(l.ending, version)
		}
	}
	l.mu.Unlock()
	at, _, _ := l.v.clock.now()
	ids := make([]privacy.ID, len(acts))
	for i, a := range acts {
		ids[i] = privacy.NewID(at)
		if err := l.append(ctx, ledgerEntry{Kind: a.kind, ID: ids[i], Written: at, At: at, Subject: l.client(a.client), Purpose: l.secret(a.secret)}); err != nil {
			return err
		}
	}
	_, err = l.v.cfg.Store.Update(ctx, func(tx store.Tx) error {
		for _, id := range ids {
			if err := l.kept(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// finishClients ends again what the ledger says was ended and the state has not.
func (l *ledger) finishClients(ctx context.Context, entries []ledgerEntry) error {
	if len(entries) == 0 {
		return nil
	}
	l.finishing = true
	defer func() { l.finishing = false }()
	v := l.v
	now, _, _ := v.clock.now()
	err := v.update(ctx, func(tx store.Tx) error {
		for _, e := range entries {
			if err := l.kept(tx, e.ID); err != nil {
				return err
			}
		}
		var done []clientAct
		digest, err := v.govern(tx, func(gov *governance) error {
			done = nil
			for _, e := range entries {
				done = append(done, l.end(gov, e, now)...)
			}
			if len(done) == 0 {
				return errUnchanged
			}
			return nil
		})
		if errors.Is(err, errUnchanged) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, a := range done {
			event := clientEvent{Format: 1, At: now, Client: a.client, Act: a.kind.word(), Secret: a.secret, Reason: "put back from the ledger", Governance: digest}
			if err := v.note(tx, log.Client, privacy.NewID(now), event); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ending what clients had: %w", err)
	}
	return nil
}

// end does one act to whoever it is about, and returns what it changed.
func (l *ledger) end(gov *governance, e ledgerEntry, now time.Time) (done []clientAct) {
	do := func(id string, c *clientRecord) {
		switch {
		case l.client(id) != e.Subject:
		case e.Kind == ledgerSuspended && !c.Suspended:
			c.Suspended = true
			done = append(done, clientAct{kind: e.Kind, client: id})
		case e.Kind == ledgerRevoked || e.Kind == ledgerRemoved:
			for i := range c.Secrets {
				if s := &c.Secrets[i]; s.Revoked.IsZero() && (e.Kind == ledgerRemoved || l.secret(s.ID) == e.Purpose) {
					s.Revoked = now
					done = append(done, clientAct{ledgerRevoked, id, s.ID})
				}
			}
		}
	}
	for id, c := range gov.Channels {
		do(string(id), c)
	}
	for name, c := range gov.Officers {
		before := len(done)
		do(officerPrefix+name, c)
		// The last officer stays, without a secret: `sayso officer --dir` mends it.
		if e.Kind == ledgerRemoved && l.client(officerPrefix+name) == e.Subject && len(gov.Officers) > 1 {
			delete(gov.Officers, name)
			done = append(done[:before], clientAct{kind: e.Kind, client: officerPrefix + name})
		}
	}
	return done
}

func (k ledgerKind) word() string {
	switch k {
	case ledgerSuspended:
		return "suspended"
	case ledgerRevoked:
		return "secret revoked"
	case ledgerRemoved:
		return "removed"
	}
	return ""
}
