package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Answer is what a client was told of a write, in words that are not the
// vault's: it keeps them sealed and gives them back as they are.
type Answer struct {
	Status int
	Header map[string]string // those that belong to this answer alone
	Body   []byte
}

// OnceRequest is a write that a client named with an idempotency key.
type OnceRequest struct {
	Route string   // keys of one route have nothing to do with those of another
	Key   string   // the client's; other clients' have nothing to do with it
	Asked [][]byte // all that makes the request what it is
}

// Once is a write that happens once, however often it is asked for. It goes
// with the [Caller] into the method that does it, which keeps the answer in the
// transaction of the act: either both are durable or neither. So a repeat finds
// the answer, or finds nothing done.
type Once struct {
	v     *Vault
	scope [32]byte // names client, route and key, and says nothing of them
	asked [32]byte

	answer func(result any) (Answer, error)
	kept   atomic.Bool
}

// answersKept is how long a repeat finds its answer.
const answersKept = 24 * time.Hour

// Once begins a write with an idempotency key. It returns the answer instead if
// the write was done before, and refuses the key of a write that was another
// one, that is still running, or whose answer held a secret. A Once must be
// closed.
func (v *Vault) Once(ctx context.Context, by Caller, req OnceRequest) (*Once, *Answer, error) {
	o := &Once{v: v, scope: v.keyring().MAC("idempotency key", []byte(by.Client.ID), []byte(req.Route), []byte(req.Key)),
		asked: v.keyring().MAC("idempotent request", req.Asked...)}
	if err := v.running.begin(o); err != nil {
		return nil, nil, err
	}
	var row *answerRow
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		row, err = o.find(s)
		return err
	})
	if err == nil && row == nil {
		return o, nil, nil
	}
	o.Close()
	switch {
	case err != nil:
		return nil, nil, v.refusal(fmt.Errorf("looking for an answer: %w", err))
	case row.Gone:
		return nil, nil, refuse(CodeGone, "this was done; somebody whom its answer told of was erased since")
	case [32]byte(row.Asked) != o.asked:
		return nil, nil, errKeyReused
	case row.Secret:
		return nil, nil, refuse(CodeAlreadyDone, "this was done; its answer held a secret, which is shown once and not kept")
	}
	// The first time, the process may have ended between the act and this.
	if err := v.ledger.noteHead(ctx); err != nil {
		return nil, nil, v.refusal(err)
	}
	return nil, &Answer{Status: row.Status, Header: row.Header, Body: row.Body}, nil
}

// Answering is the same write with what its result is answered with. The result
// is what the vault's method returns, nil if that is only an error. It is called
// inside the transaction, maybe more than once: it must be quick and have no
// effect.
func (o *Once) Answering(answer func(result any) (Answer, error)) *Once {
	o.answer = answer
	return o
}

// Kept reports whether the act's own transaction kept the answer.
func (o *Once) Kept() bool { return o.kept.Load() }

// Keep keeps the answer to a request that did nothing: a refusal, or a write
// that had nothing to change.
func (o *Once) Keep(ctx context.Context, a Answer) error {
	err := o.v.update(ctx, func(tx store.Tx) error {
		if there, err := o.find(tx); err != nil || there != nil {
			return errors.Join(err, errUnchanged)
		}
		return o.put(tx, &answerRow{Status: a.Status, Header: a.Header, Body: a.Body})
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// Close lets the key be used again.
func (o *Once) Close() { o.v.running.end(o) }

// keep keeps the answer to an act in its transaction, once the result is known.
// about are the people the answer tells of. Without a key it does nothing.
func (o *Once) keep(tx store.Tx, result any, about ...privacy.SubjectID) error {
	if o == nil {
		return nil
	}
	a, err := o.answer(result)
	if err != nil {
		return fmt.Errorf("wording an answer: %w", err)
	}
	return o.keepRow(tx, &answerRow{Status: a.Status, Header: a.Header, Body: a.Body, About: about})
}

// keepSecret keeps that an act was done whose answer holds a secret, and
// nothing of the answer.
func (o *Once) keepSecret(tx store.Tx) error {
	if o == nil {
		return nil
	}
	return o.keepRow(tx, &answerRow{Secret: true})
}

func (o *Once) keepRow(tx store.Tx, row *answerRow) error {
	there, err := o.find(tx)
	if err != nil {
		return err
	}
	if there != nil { // by another node: this one's act is not done
		return errInProgress
	}
	if err := o.put(tx, row); err != nil {
		return err
	}
	o.kept.Store(true)
	return nil
}

var (
	errKeyReused  = refuse(CodeKeyReused, "this idempotency key was used for another request; take a new one")
	errInProgress = refuse(CodeInProgress, "the request with this idempotency key is still running; ask again for its answer")
)

// running are the writes with keys that are being done.
type running struct {
	mu     sync.Mutex // guards writes
	writes map[[32]byte]*Once
}

func (r *running) begin(o *Once) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.writes[o.scope]; other != nil {
		if other.asked != o.asked {
			return errKeyReused
		}
		return errInProgress
	}
	if r.writes == nil {
		r.writes = map[[32]byte]*Once{}
	}
	r.writes[o.scope] = o
	return nil
}

func (r *running) end(o *Once) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.writes, o.scope)
}

// answerRow is a kept answer. In the bucket it stands behind its format and the
// time it was kept, sealed with the vault's own key and bound to both:
//
//	answers      scope(32)               → 0x01 at(8, µs) envelope
//	answers/at   at(8, µs) scope(32)     → nothing: in the order in which they end
//	answers/of   subject(16) scope(32)   → nothing: whom they tell of, for erasure
type answerRow struct {
	Asked  []byte              `json:"asked"`
	Status int                 `json:"status,omitempty"`
	Header map[string]string   `json:"header,omitempty"`
	Body   []byte              `json:"body,omitempty"`
	Secret bool                `json:"secret,omitempty"`
	About  []privacy.SubjectID `json:"about,omitempty"`
	Gone   bool                `json:"gone,omitempty"` // all of it but that it was
}

const answerFormat = 1

// find returns the answer that was kept, nil if there is none or its time is
// over.
func (o *Once) find(r store.Reader) (*answerRow, error) {
	row, at, err := o.v.answerAt(r, o.scope[:])
	if row == nil || err != nil || o.v.answerEnded(at) {
		return nil, err
	}
	return row, nil
}

func (v *Vault) answerAt(r store.Reader, scope []byte) (*answerRow, time.Time, error) {
	raw, err := r.Get(bucketAnswers, scope)
	if raw == nil || err != nil {
		return nil, time.Time{}, err
	}
	if len(raw) < 9 || raw[0] != answerFormat {
		return nil, time.Time{}, fmt.Errorf("reading a kept answer: %w", errIntegrity)
	}
	at := binary.BigEndian.Uint64(raw[1:])
	row := new(answerRow)
	if err := v.unsealOwn("answer/"+hex.EncodeToString(scope), at, raw[9:], row); err != nil {
		return nil, time.Time{}, fmt.Errorf("opening a kept answer: %w", err)
	}
	if len(row.Asked) != 32 && !row.Gone {
		return nil, time.Time{}, fmt.Errorf("reading a kept answer: %w", errIntegrity)
	}
	return row, time.UnixMicro(int64(at)), nil
}

// answerEnded reports whether the time of an answer is over. While the clock is
// not believed, none is.
func (v *Vault) answerEnded(at time.Time) bool {
	now, believed, _ := v.clock.now()
	return believed && !now.Before(at.Add(answersKept))
}

func (o *Once) put(tx store.Tx, row *answerRow) error {
	if err := o.v.dropAnswer(tx, o.scope[:]); err != nil { // one whose time is over
		return err
	}
	now, _, _ := o.v.clock.now()
	at := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMicro()))
	row.Asked = o.asked[:]
	sealed, err := o.v.sealOwn("answer/"+hex.EncodeToString(o.scope[:]), uint64(now.UnixMicro()), row)
	if err != nil {
		return err
	}
	if err := tx.Put(bucketAnswers, o.scope[:], append(append([]byte{answerFormat}, at...), sealed...)); err != nil {
		return err
	}
	for _, id := range row.About {
		if err := tx.Put(bucketAnswersOf, append(id[:], o.scope[:]...), []byte{}); err != nil {
			return err
		}
	}
	return tx.Put(bucketAnswersAt, append(at, o.scope[:]...), []byte{})
}

// hollowAnswer leaves of an answer only that there was one.
func (v *Vault) hollowAnswer(tx store.Tx, scope []byte) error {
	row, at, err := v.answerAt(tx, scope)
	if row == nil || err != nil {
		return err
	}
	for _, id := range row.About {
		if err := tx.Delete(bucketAnswersOf, append(id[:], scope...)); err != nil {
			return err
		}
	}
	us := uint64(at.UnixMicro())
	sealed, err := v.sealOwn("answer/"+hex.EncodeToString(scope), us, &answerRow{Gone: true})
	if err != nil {
		return err
	}
	return tx.Put(bucketAnswers, bytes.Clone(scope), append(binary.BigEndian.AppendUint64([]byte{answerFormat}, us), sealed...))
}

// dropAnswer removes an answer if it is there, with all that points to it.
func (v *Vault) dropAnswer(tx store.Tx, scope []byte) error {
	row, at, err := v.answerAt(tx, scope)
	if row == nil || err != nil {
		return err
	}
	for _, id := range row.About {
		if err := tx.Delete(bucketAnswersOf, append(id[:], scope...)); err != nil {
			return err
		}
	}
	if err := tx.Delete(bucketAnswersAt, append(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro())), scope...)); err != nil {
		return err
	}
	return tx.Delete(bucketAnswers, scope)
}
