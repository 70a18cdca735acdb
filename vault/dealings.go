package vault

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// What the channels had to do with a person is one sealed record beside their
// standing. Every change of it is a log entry of kind touch that names the row it
// led to, so that a person's dealings that were put back are found by log
// verify; what is over is dropped as its time comes (sweep.go).
//
//	dealings       place              → uvarint version, envelope
//	dealings/due   time(8, µs) place  → nothing: when something is over
const (
	bucketDealings personal     = "dealings"
	bucketDue      store.Bucket = "dealings/due"
)

// dealings returns what the channels had to do with a person, as the reader sees
// it: with nobody, nothing.
func (v *Vault) dealings(r store.Reader, p *person) (*contact.Dealings, error) {
	row, err := bucketDealings.get(r, p.at)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return &contact.Dealings{}, nil
	}
	version, n := binary.Uvarint(row)
	if n <= 0 {
		return nil, fmt.Errorf("reading the dealings with %s: %w", p.id, errIntegrity)
	}
	plain, err := keys.Unseal(p.history, v.bind(p.id, "dealings", version), row[n:])
	if err != nil {
		return nil, fmt.Errorf("opening the dealings with %s: %w", p.id, err)
	}
	d, err := contact.Decode(plain)
	if err != nil || d.Version != version {
		return nil, fmt.Errorf("reading the dealings with %s: %w", p.id, errIntegrity)
	}
	return d, nil
}

// readDealings reads a person's dealings for a decision, which then depends on
// them.
func (v *Vault) readDealings(s store.Snapshot, p *person, a *answer) (err error) {
	if p.dealings != nil {
		return nil
	}
	a.conditions = append(a.conditions, s.Unchanged(bucketDealings.all(), p.at.key))
	if p.dealings, err = v.dealings(s, p); !p.known() {
		p.dealings = &contact.Dealings{} // what is recorded of nobody is about nobody
	}
	return err
}

// dueWithin is how exactly it shows when something of a person's dealings is
// over: the time of a contact would tell who it was with.
const dueWithin = time.Hour

// saveDealings writes a person's dealings as their next version, without what is
// over, and records what changed them.
func (v *Vault) saveDealings(tx store.Tx, reg *register.Register, p *person, d *contact.Dealings, now time.Time, record touchRecord) error {
	if !d.Due.IsZero() {
		if err := tx.Delete(bucketDue, dueKey(d.Due, p.at)); err != nil {
			return err
		}
	}
	var due time.Time
	if _, believed, _ := v.clock.now(); believed {
		_, due = d.Prune(reg, now)
	} else { // nothing is deleted; the sweep looks again
		due = now.Add(dueWithin)
	}
	d.Due = time.Time{}
	if !due.IsZero() {
		d.Due = due.Add(dueWithin - 1).Truncate(dueWithin)
		if err := tx.Put(bucketDue, dueKey(d.Due, p.at), []byte{}); err != nil {
			return err
		}
	}
	d.Version++
	sealed, err := keys.Seal(p.history, v.bind(p.id, "dealings", d.Version), d.Encode())
	if err != nil {
		return err
	}
	row := append(binary.AppendUvarint(nil, d.Version), sealed...)
	if err := bucketDealings.put(tx, p.at, row); err != nil {
		return err
	}
	record.Dealings = digestOf(d.Version, row)
	return v.noteOf(tx, p, log.Touch, privacy.NewID(now), record)
}

func dueKey(due time.Time, at place) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(due.UnixMicro())), at.key...)
}

// touchRecord is the log's record of a change of somebody's dealings.
type touchRecord struct {
	Format   int                 `json:"v"`
	At       time.Time           `json:"at"`
	Recorded time.Time           `json:"recorded_at"`
	Channel  privacy.ChannelID   `json:"channel,omitempty"`
	Kind     string              `json:"kind"` // of a touch, or one of those below
	Topic    string              `json:"topic,omitempty"`
	Medium   string              `json:"medium,omitempty"`
	Purpose  privacy.PurposeID   `json:"purpose,omitempty"`
	Ref      string              `json:"ref,omitempty"`
	Expires  time.Time           `json:"expires_at,omitzero"`
	Ended    bool                `json:"ended,omitempty"`
	Fields   []privacy.FieldName `json:"fields,omitempty"`
	Unknown  bool                `json:"unknown,omitempty"`
	Dealings rowDigest           `json:"dealings"`
}

// What changes dealings beside touches.
const (
	dealtAsk     = "ask"     // a channel asks for fields
	dealtRefusal = "refusal" // the person would not tell them
	dealtTold    = "told"    // the person told them
	dealtOver    = "over"    // what was over was dropped
)

// touchesOf is what officers' rules may know of a person's dealings at a time.
func touchesOf(reg *register.Register, d *contact.Dealings, at time.Time) policy.Touches {
	purposes := make([]privacy.PurposeID, len(reg.Purposes))
	for i := range reg.Purposes {
		purposes[i] = reg.Purposes[i].ID
	}
	t := policy.NewTouches(purposes)
	if d == nil || len(d.Touches) == 0 {
		return t
	}
	t.Contacts = policy.Counts(d.Contacts("", at))
	for _, id := range purposes {
		t.ByPurpose[id] = policy.Counts(d.Contacts(id, at))
	}
	t.Ordered, t.Answered = d.Topics(contact.Order, at), d.Topics(contact.Answer, at)
	t.Offered, t.Events = d.Topics(contact.Offer, at), d.Topics(contact.Event, at)
	return t
}
