package vault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// RequestStatus is where a request stands.
type RequestStatus string

// The statuses of a request.
const (
	RequestReceived   RequestStatus = "received"
	RequestAwaiting   RequestStatus = "awaiting_identity"
	RequestInProgress RequestStatus = "in_progress"
	RequestBlocked    RequestStatus = "blocked" // something that an officer decides is in the way
	RequestCompleted  RequestStatus = "completed"
	RequestRefused    RequestStatus = "refused"
	RequestWithdrawn  RequestStatus = "withdrawn" // taken back by the person
)

// RequestKind is what a request asks for.
type RequestKind string

// The kinds of requests.
const (
	RequestErasure   RequestKind = "erasure"   // Art. 17
	RequestRetention RequestKind = "retention" // a run that would touch many people
)

// Request is a request as officers see it. It names the person only as long as
// there is anybody to name.
type Request struct {
	ID          privacy.RequestID
	Kind        RequestKind
	Status      RequestStatus
	Why         string // what is in the way, in a sentence
	Subject     *privacy.SubjectID
	By          string         // the officer; "" if it was not one
	Own         *privacy.Actor // who asked: the person, or who acted for them; nil: an officer did not say
	EndedBy     *privacy.Actor // who took it back, or had the restriction lifted; nil: not the person
	Reason      string         // gone with the person
	ReceivedAt  time.Time
	DueAt       time.Time // Art. 12(3)
	Overdue     bool      // that is over, and it is not answered
	BeginsAt    time.Time // of an erasure that waits: it can be taken back until it begins; else zero
	CompletedAt time.Time
	Kept        []Stay
	People      uint64 // of a retention run: whom it would touch
	Certificate string // compact JWS, once an erasure is completed

	Purpose privacy.PurposeID // of an objection
	Field   privacy.FieldName // of a contest
	Outcome string            // of a contest that is over: upheld, overruled, replaced
	// Inference is what made the value that an open contest is about, to the officer
	// who looks at it; nil if there is none any more.
	Inference *privacy.Inference
	Extended  bool // the time to answer is two months longer
	// What officers said, gone with the person: how it is known that it is them, why
	// the time is longer, and what was done or why not.
	Identity, Extension, Answer string
	Fields                      []privacy.FieldName // of a correction that the person made
	LiftedAt                    time.Time           // of a restriction, when it ended; zero: it holds
	// Told are the channels that were shown what it is about, and whether they heard
	// (Art. 19); ToldLater how many more there are that the person is shown later, as a
	// law allows. Only one request by itself, and a person's own, have them.
	Told      []Told
	ToldLater int
	// Sent counts those to whom an event goes, and Confirmed those that heard.
	Sent, Confirmed int
	// NeverContact says that an erasure leaves hashes, so that no advertising follows.
	NeverContact bool
}

// answerWithin is the month within which a request is answered (Art. 12(3)).
var answerWithin = privacy.Period{Months: 1}

// step is how far a request has come. Each step leaves behind what the next
// needs, and can be done twice.
type step byte

const (
	stepAsked   step = iota // the person is there for nobody but whom a law demands it of
	stepDecided             // what stays is decided, and nothing is in the way any more
	stepKeys                // the key is destroyed
	stepRemoved             // the data is removed, and the log says so
	stepErased              // nothing of the person is left here; old copies wait for the keys to turn
	stepDone
)

// requestRecord is a request as it is kept, sealed with the vault's own key. Once
// nothing of the person is left, it does not name them either.
//
//	requests       request(16) → version(uvarint) envelope
//	requests/open  request(16) → nothing: those that are not completed or refused
//	requests/of    place → request(16): of those that still name somebody
type requestRecord struct {
	Format   int               `json:"v"`
	Version  uint64            `json:"version"`
	ID       privacy.RequestID `json:"request"`
	Kind     RequestKind       `json:"kind"`
	Status   RequestStatus     `json:"status"`
	Step     step              `json:"step"`
	Officer  string            `json:"officer,omitempty"`
	Own      *privacy.Actor    `json:"own,omitempty"`      // the person, or who acted for them, asked
	EndedBy  *privacy.Actor    `json:"ended_by,omitempty"` // who took it back, or had the restriction lifted
	Received time.Time         `json:"received_at"`
	Due      time.Time         `json:"due_at"`
	Begins   time.Time         `json:"begins_at,omitzero"` // an erasure that the person asked for, and that waits till then
	// Restricted is the restriction that came with such a request, and goes with it.
	Restricted time.Time `json:"restricted_at,omitzero"`
	Done       time.Time `json:"completed_at,omitzero"`

	Subject privacy.SubjectID `json:"subject,omitzero"`
	Reason  []byte            `json:"reason,omitempty"` // sealed with the person's history key

	Partly      bool              `json:"partly,omitempty"` // somebody stays, for a law or two
	Lost        bool              `json:"lost,omitempty"`   // their keys were gone when it began
	Stays       []Stay            `json:"stays,omitempty"`
	NeverAgain  bool              `json:"never_again,omitempty"`   // of one that has not begun: hashes are to be left
	Never       *neverNote        `json:"never,omitempty"`         // to be left by the person's choice
	Hashes      uint64            `json:"never_contact,omitempty"` // that were left
	Told        []told            `json:"told,omitempty"`          // who was shown what it is about (Art. 19)
	Erased      time.Time         `json:"erased_at,omitzero"`
	Removed     map[string]uint64 `json:"removed,omitempty"`
	Orphans     *orphans          `json:"orphans,omitempty"`
	KEKEpoch    uint32            `json:"kek_epoch,omitempty"` // the newest when the key was destroyed
	IndexEpoch  uint32            `json:"index_epoch,omitempty"`
	LogIndex    uint64            `json:"log_index,omitempty"`
	Certificate string            `json:"certificate,omitempty"`

	People   uint64 `json:"people,omitempty"` // of a retention run: whom it would touch
	Approved bool   `json:"approved,omitempty"`

	Purpose  privacy.PurposeID   `json:"purpose,omitempty"`  // of an objection
	Field    privacy.FieldName   `json:"field,omitempty"`    // of a contest
	Outcome  string              `json:"outcome,omitempty"`  // likewise, once it is over
	Fields   []privacy.FieldName `json:"fields,omitempty"`   // of a correction that the person made
	Lifted   time.Time           `json:"lifted_at,omitzero"` // of a restriction, when it ended
	Extended bool                `json:"extended,omitempty"` // the time to answer is longer (Art. 12(3))
	Words    []byte              `json:"words,omitempty"`    // what officers said, sealed with the person's history key

	// What channels are told of what is done with it now, and which were shown what it
	// is about; not kept.
	told privacy.EventType
	had  []shownTo
	only bool // nobody else is told
}

// Stay is what an erasure leaves, and why (Art. 17(3)(b)).
type Stay struct {
	Purpose privacy.PurposeID   `json:"purpose"`
	Basis   privacy.LegalBasis  `json:"basis"`
	Fields  []privacy.FieldName `json:"fields"`
	Until   time.Time           `json:"until,omitzero"` // the latest end; zero: the register sets none
}

const requestFormat = 1

func (r *requestRecord) open() bool {
	return r.Status != RequestCompleted && r.Status != RequestRefused && r.Status != RequestWithdrawn
}

// requestOf returns a request, nil if there is none of this ID.
func (v *Vault) requestOf(r store.Reader, id privacy.RequestID) (*requestRecord, error) {
	row, err := r.Get(bucketRequests, id[:])
	if row == nil || err != nil {
		return nil, err
	}
	version, n := binary.Uvarint(row)
	if n <= 0 {
		return nil, fmt.Errorf("reading request %s: %w", id, errIntegrity)
	}
	q := new(requestRecord)
	if err := v.unsealOwn("request/"+id.String(), version, row[n:], q); err != nil {
		return nil, fmt.Errorf("opening request %s: %w", id, err)
	}
	if q.Format != requestFormat || q.Version != version || q.ID != id {
		return nil, fmt.Errorf("reading request %s: %w", id, errIntegrity)
	}
	return q, nil
}

// runningFor returns the request that runs for somebody, nil if there is none.
func (v *Vault) runningFor(r store.Reader, id privacy.SubjectID) (*requestRecord, error) {
	request, err := bucketRequestsOf.get(r, v.place(id))
	if request == nil || err != nil {
		return nil, err
	}
	if len(request) != len(privacy.RequestID{}) {
		return nil, fmt.Errorf("reading whose requests run: %w", errIntegrity)
	}
	return v.requestOf(r, privacy.RequestID(request))
}

// runningNow is runningFor as of now.
func (v *Vault) runningNow(ctx context.Context, id privacy.SubjectID) (q *requestRecord, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		q, err = v.runningFor(s, id)
		return err
	})
	return q, err
}

// saveRequest writes a request as its next version.
func (v *Vault) saveRequest(tx store.Tx, q *requestRecord) error {
	before, err := v.requestOf(tx, q.ID)
	if err != nil {
		return err
	}
	q.Format, q.Version = requestFormat, 1
	if before != nil {
		q.Version = before.Version + 1
	}
	sealed, err := v.sealOwn("request/"+q.ID.String(), q.Version, q)
	if err != nil {
		return err
	}
	if err := tx.Put(bucketRequests, bytes.Clone(q.ID[:]), append(binary.AppendUvarint(nil, q.Version), sealed...)); err != nil {
		return err
	}
	if q.open() {
		err = tx.Put(bucketRequestsOpen, bytes.Clone(q.ID[:]), []byte{})
	} else {
		err = tx.Delete(bucketRequestsOpen, q.ID[:])
	}
	if err == nil {
		err = v.linkRequest(tx, before, q)
	}
	return err
}

// openRequests returns the requests that are not completed or refused, the
// oldest first.
func (v *Vault) openRequests(ctx context.Context) (all []*requestRecord, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		all = nil
		return s.Scan(bucketRequestsOpen, nil, nil, func(key, _ []byte) error {
			if len(key) != len(privacy.RequestID{}) {
				return fmt.Errorf("reading which requests are open: %w", errIntegrity)
			}
			q, err := v.requestOf(s, privacy.RequestID(key))
			if err == nil && q != nil {
				all = append(all, q)
			}
			return err
		})
	})
	return all, err
}

// Requests lists requests, the latest first: at most limit of those before one,
// which may be the zero ID.
func (v *Vault) Requests(ctx context.Context, by Caller, before privacy.RequestID, limit int) ([]Request, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var found []*requestRecord
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		var to []byte
		if before != (privacy.RequestID{}) {
			to = before[:]
		}
		var ids []privacy.RequestID // a scan goes one way only
		err := s.Scan(bucketRequests, nil, to, func(key, _ []byte) error {
			if len(key) != len(privacy.RequestID{}) {
				return fmt.Errorf("reading requests: %w", errIntegrity)
			}
			ids = append(ids, privacy.RequestID(key))
			return nil
		})
		if err != nil {
			return err
		}
		slices.Reverse(ids)
		for _, id := range ids[:min(limit, len(ids))] {
			q, err := v.requestOf(s, id)
			if err != nil {
				return err
			}
			found = append(found, q)
		}
		return nil
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	views := make([]Request, len(found))
	for i, q := range found {
		views[i] = v.viewRequest(ctx, q)
	}
	return views, nil
}

// OpenRequests lists requests that are not answered yet, the one due first first: at
// most limit of those behind one, which may be the zero ID.
func (v *Vault) OpenRequests(ctx context.Context, by Caller, after privacy.RequestID, limit int) ([]Request, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	all, err := v.openRequests(ctx)
	if err != nil {
		return nil, v.refusal(err)
	}
	slices.SortFunc(all, func(a, b *requestRecord) int {
		return cmp.Or(a.Due.Compare(b.Due), bytes.Compare(a.ID[:], b.ID[:]))
	})
	if after != (privacy.RequestID{}) {
		last, err := v.requestNow(ctx, after)
		if err != nil {
			return nil, v.refusal(err)
		}
		if last == nil {
			return nil, invalid("after", "invalid_value", "names no entry of this list")
		}
		// It may have been answered since, and is not in the list then.
		at := slices.IndexFunc(all, func(q *requestRecord) bool {
			return cmp.Or(q.Due.Compare(last.Due), bytes.Compare(q.ID[:], last.ID[:])) > 0
		})
		if at < 0 {
			at = len(all)
		}
		all = all[at:]
	}
	views := []Request{}
	for _, q := range all[:min(limit, len(all))] {
		views = append(views, v.viewRequest(ctx, q))
	}
	return views, nil
}

// requestNow returns a request, nil if there is none of this ID.
func (v *Vault) requestNow(ctx context.Context, id privacy.RequestID) (q *requestRecord, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		q, err = v.requestOf(s, id)
		return err
	})
	return q, err
}

// Request returns one request, to officers.
func (v *Vault) Request(ctx context.Context, by Caller, id privacy.RequestID) (*Request, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	q, err := v.requestNow(ctx, id)
	if err != nil {
		return nil, v.refusal(err)
	}
	if q == nil {
		return nil, refuse(CodeNotFound, "no request of this ID")
	}
	view := v.viewRequest(ctx, q)
	if view.Inference, err = v.inferenceOf(ctx, q); err != nil {
		return nil, v.refusal(err)
	}
	if err := v.viewTold(ctx, &view, q, false); err != nil {
		return nil, v.refusal(err)
	}
	return &view, nil
}

// viewTold adds to a request whom it tells, for an officer or the person.
func (v *Vault) viewTold(ctx context.Context, view *Request, q *requestRecord, person bool) error {
	if len(q.Told) == 0 {
		return nil
	}
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		r, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		view.Told, view.ToldLater, err = v.toldOfRequest(ctx, s, r.register, q, person)
		return err
	})
}

// viewRequest is a request as it is shown. Its reason is shown as long as the
// person's key opens it.
func (v *Vault) viewRequest(ctx context.Context, q *requestRecord) Request {
	view := Request{ID: q.ID, Kind: q.Kind, Status: q.Status, By: q.Officer, Own: q.Own, EndedBy: q.EndedBy, ReceivedAt: q.Received, DueAt: q.Due, CompletedAt: q.Done,
		Kept: q.Stays, People: q.People, Certificate: q.Certificate, Purpose: q.Purpose, Field: q.Field, Outcome: q.Outcome, Extended: q.Extended, Why: v.inTheWay(q)}
	now, _, _ := v.clock.now()
	view.Overdue = q.open() && !q.Due.IsZero() && now.After(q.Due)
	view.Fields, view.LiftedAt = q.Fields, q.Lifted
	view.Sent, view.Confirmed = confirmed(q.Told)
	view.NeverContact = q.NeverAgain || q.Never != nil || q.Hashes > 0
	if q.waits() {
		view.BeginsAt = q.Begins
	}
	if q.Subject != privacy.Nobody {
		view.Subject = &q.Subject
		if p, err := v.loadKeys(ctx, q.Subject); err == nil && p != nil {
			if q.Reason != nil {
				if plain, err := p.unsealReason(v, q); err == nil {
					view.Reason = string(plain)
				}
			}
			if w, err := p.words(v, q); err == nil {
				view.Identity, view.Extension, view.Answer = w.Identity, w.Extended, w.Answer
			}
		}
	}
	return view
}

// inTheWay says why a request is not completed yet.
func (v *Vault) inTheWay(q *requestRecord) string {
	switch {
	case !q.open():
		return ""
	case q.Status == RequestAwaiting:
		return "it is not known yet whether it is the person who asks: an officer confirms it"
	case q.waits():
		return v.whyItWaits()
	case q.Kind == RequestObjection:
		return "nothing is released for the purpose meanwhile; an officer decides, with reasons, whether the objection stands"
	case q.Kind == RequestContest:
		return "what a model made of the field is released to nobody meanwhile; an officer decides, with reasons, whether it stands"
	case q.Kind != RequestErasure && q.Kind != RequestRetention:
		return "an officer answers it"
	case q.Kind == RequestRetention && q.Approved:
		return "it is being done"
	case q.Kind == RequestRetention:
		return fmt.Sprintf("the limits of the register would touch %d people, more than one in twenty: an officer approves it or not", q.People)
	case q.Status == RequestBlocked:
		return "a hold forbids erasing this person; when the last is released, it goes on by itself"
	case q.Step == stepErased:
		return "nothing of the person is left here; it is completed when the keys have turned, so that old copies open nothing either"
	}
	if _, believed, _ := v.clock.now(); !believed {
		return "the clock is not believed, so nothing is removed until an officer confirms it; nothing is released either"
	}
	return "it is being done"
}
