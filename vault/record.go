package vault

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// entry makes a log entry about a person: a salted commitment that strangers
// see, and the record sealed under the person's history key.
func (v *Vault) entry(p *person, kind log.Kind, id privacy.ID, record any) ([]byte, error) {
	plain, err := text(record)
	if err != nil {
		return nil, err
	}
	return v.sealEntry(p, kind, id, plain)
}

func text(record any) ([]byte, error) {
	if w, ok := record.(written); ok {
		return w.append(make([]byte, 0, 640))
	}
	return json.Marshal(record)
}

// sealEntry is entry for a record that is written already.
func (v *Vault) sealEntry(p *person, kind log.Kind, id privacy.ID, plain []byte) ([]byte, error) {
	return log.Finish(append(log.Draft(nil), plain...), p.history, v.id, kind, p.id, id)
}

// noteOf records an act in the same commit as what it changes, and what channels are
// told of it.
func (v *Vault) noteOf(tx store.Tx, p *person, kind log.Kind, id privacy.ID, record any) error {
	e, err := v.entry(p, kind, id, record)
	if err != nil {
		return err
	}
	if err := tx.Record(e); err != nil {
		return err
	}
	v.raise(tx, p, record)
	return nil
}

// note records what is nobody's: the register, rules, clients, the clock.
func (v *Vault) note(tx store.Tx, kind log.Kind, id privacy.ID, record any) error {
	return v.noteOf(tx, v.nobody, kind, id, record)
}

// rowDigest ties a record of an act to the standing it led to, or to what was in
// force after it, so that either is found by log verify if it was put back.
type rowDigest struct {
	Version uint64 `json:"version"`
	Hash    []byte `json:"hash"`
}

func digestOf(version uint64, row []byte) rowDigest {
	sum := sha256.Sum256(row)
	return rowDigest{Version: version, Hash: sum[:]}
}

// entryRoom is enough for the record of most reads.
const entryRoom = 1 << 10

// spareEntry returns what an entry was written in, to be used again.
func (v *Vault) spareEntry() []byte {
	if b, ok := v.entries.Get().(*[entryRoom]byte); ok {
		return b[:0]
	}
	return make([]byte, 0, entryRoom)
}

// spare takes back what an entry was written in that is in the log by now.
func (v *Vault) spare(entry []byte) {
	if cap(entry) == entryRoom {
		v.entries.Put((*[entryRoom]byte)(entry[:entryRoom]))
	}
}

func (v *Vault) recordAccess(q *question, p *person, res *ReadResult, at time.Time, peek bool) ([]byte, error) {
	r := accessRecord{Format: 1, At: at, Decision: res.Decision, Channel: q.channel.ID, Granted: q.by.Purposes, Purpose: q.purpose,
		Policy: res.Policy, Register: res.Register, Standing: p.standing.Version, Asked: q.fields, Context: q.context, Peek: peek, Dealt: q.dealt}
	if q.regime.touches {
		touches := touchesOf(q.regime.register, p.dealings, at)
		r.Touches = &touches
	}
	draft, err := r.append(log.Draft(v.spareEntry()), res)
	if err != nil {
		return nil, err
	}
	return log.Finish(draft, p.history, v.id, log.Access, p.id, privacy.ID(res.Decision))
}

// recordRefusal records that a question was refused as a whole: about nobody
// where nobody was looked up.
func (v *Vault) recordRefusal(q *question, p *person, refused error) ([]byte, error) {
	at, _, _ := v.clock.now()
	id := privacy.NewDecisionID(at)
	code := CodeInvalidRequest
	var e *Error
	if errors.As(refused, &e) {
		code = e.Code
	}
	return v.entry(p, log.Access, privacy.ID(id), accessRecord{Format: 1, At: at, Decision: id, Channel: q.channel.ID, Granted: q.by.Purposes,
		Purpose: q.purpose, Policy: q.regime.gov.Policy, Register: q.regime.register.Revision, Asked: q.fields, Refused: code})
}
