package vault

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// TouchKind is what a touch is.
type TouchKind = contact.Kind

// The kinds of touches.
const (
	TouchContact = contact.Contact // somebody wrote, called or asked
	TouchOffer   = contact.Offer   // a contact that offers something
	TouchOrder   = contact.Order   // the person ordered
	TouchAnswer  = contact.Answer  // the person answered
	TouchEvent   = contact.Event   // something happened to the person
)

// The codes of a contact that may not happen; [privacy.CodeNoConsent] is another.
const (
	CodeContactCap      = contact.CodeCap
	CodeQuietHours      = contact.CodeQuietHours
	CodeAlreadyOrdered  = contact.CodeAlreadyOrdered
	CodeAlreadyAnswered = contact.CodeAlreadyAnswered
	CodeExpired         = contact.CodeExpired
	CodePolicy          = contact.CodePolicy
)

// TouchRequest is one thing that a channel has, or would have, to do with a
// person.
type TouchRequest struct {
	Subject SubjectRef
	Kind    TouchKind
	Topic   string
	Medium  string
	Purpose privacy.PurposeID
	Ref     string
	At      time.Time // zero: now
	Expires time.Time // zero: it does not
	Ended   bool      // it is over as of At
	// IfAllowed records it only if it may happen, as CheckTouch says.
	IfAllowed bool
	Context   map[string]any // for officers' rules, where it is asked
}

// TouchVerdict says whether a contact may happen.
type TouchVerdict struct {
	Allowed bool
	Code    string
	Detail  string
	Until   time.Time // when it may; zero: not known, or never
}

// TouchResult is a touch as it was recorded.
type TouchResult struct {
	At time.Time
}

var (
	topicForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)
	mediumForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
)

// check refuses what the request alone shows to be wrong.
func (req *TouchRequest) check(asks bool, now time.Time) error {
	switch {
	case !slices.Contains(contact.Kinds, req.Kind):
		return invalid("kind", "invalid_value", "expected contact, offer, order, answer or event")
	case !topicForm.MatchString(req.Topic):
		return invalid("topic", "invalid_value", "expected a name of 1 to 64 letters, digits and . _ : / -")
	case req.Medium != "" && !mediumForm.MatchString(req.Medium):
		return invalid("medium", "invalid_value", "expected a name such as sms: a to z first, then a-z 0-9 - _, at most 64")
	case len(req.Ref) > 200:
		return invalid("ref", "too_long", "expected at most 200 bytes")
	case micro(req.At).After(now.Add(aheadTolerance)):
		return invalid("at", "in_future", "expected a time at most 60 s ahead")
	case asks && req.Purpose == "":
		return invalid("purpose", "required", "who asks about a person says what for")
	case asks && req.Ended:
		return invalid("ended", "invalid_value", "what is over needs no leave; record it without if_allowed")
	}
	return nil
}

// CheckTouch asks whether a contact may happen, or until when not: whether the
// person may be reached for the purpose at all, and what the register says of
// caps, hours, cooldowns and of what is ordered, answered or over. It passes the
// same door as a read and is recorded like one, but opens no value.
//
// Where the purpose is silent, a person of whom nothing may be released is
// no_consent, like one unknown, whatever else speaks against it. Elsewhere an
// unknown person is refused as in a read.
func (v *Vault) CheckTouch(ctx context.Context, by Caller, req TouchRequest) (*TouchVerdict, error) {
	now, _, _ := v.clock.now()
	if err := req.check(true, now); err != nil {
		return nil, err
	}
	read := req.read()
	a, err := v.decide(ctx, by, read, contacts)
	if a, err = v.keepRecord(ctx, by, read, contacts, a, err); err != nil {
		return nil, err
	}
	var refused *Error
	if errors.As(a.refused, &refused) {
		return nil, refused
	}
	verdict := a.dealing.verdict
	return &TouchVerdict{Allowed: verdict.Allowed(), Code: verdict.Code, Detail: verdict.Detail, Until: verdict.Until}, nil
}

func (req *TouchRequest) read() ReadRequest {
	return ReadRequest{Subject: req.Subject, Purpose: req.Purpose, Context: req.Context, plan: req}
}

// RecordTouch records what a channel had to do with a person, once for all
// channels. The answer is the same for a person known or not; of somebody unknown
// nothing is remembered.
//
// With IfAllowed it asks first, as CheckTouch does, and records in the same
// transaction: of several who ask at once no more are let through than a cap has
// left. An *Error with the code says why not.
func (v *Vault) RecordTouch(ctx context.Context, by Caller, req TouchRequest) (*TouchResult, error) {
	began, do := time.Now(), v.recordTouch
	if req.IfAllowed {
		do = v.touchIfAllowed
	}
	now, _, _ := v.clock.now()
	if err := req.check(req.IfAllowed, now); err != nil {
		return nil, err
	}
	for range dealAttempts {
		res, err := do(ctx, by, req)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		if !req.IfAllowed {
			onTheBeat(began)
		}
		return res, nil
	}
	return nil, unavailable("the person this is about kept changing; try again")
}

// dealAttempts is how often a change of somebody's dealings is tried again: where
// officers' rules look at touches, each that gets through changes what the others
// were decided on.
const dealAttempts = 16

func (v *Vault) recordTouch(ctx context.Context, by Caller, req TouchRequest) (*TouchResult, error) {
	now, _, _ := v.clock.now()
	var w aimed
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		var err error
		if w.regime, err = v.regime(ctx, s); err != nil {
			return err
		}
		if w.channel, err = w.regime.channelOf(by); err != nil {
			return err
		}
		if err := checkHeld(w.regime, w.channel, by, req.Purpose); err != nil {
			return err
		}
		w.ref, err = v.reference(w.regime.register, w.channel, req.Subject)
		return err
	})
	if err != nil {
		return nil, err
	}
	at := orNow(micro(req.At), now)
	res := &TouchResult{At: at}
	return res, v.update(ctx, func(tx store.Tx) error {
		if err := w.regime.stillInForce(tx); err != nil {
			return err
		}
		p, err := v.partner(ctx, tx, w.ref)
		if err != nil {
			return err
		}
		d, err := v.dealings(tx, p)
		if err != nil {
			return err
		}
		if err := v.addTouch(tx, w.regime.register, w.channel.ID, p, d, &req, at, now); err != nil {
			return err
		}
		return by.Once.keep(tx, res, p.others()...)
	})
}

// partner returns whom a channel has to do with: the vault's own self where that is
// nobody, so that what is recorded takes the same steps. Nobody reads it.
func (v *Vault) partner(ctx context.Context, tx store.Tx, ref *reference) (*person, error) {
	p, err := v.find(ctx, tx, ref)
	if err != nil || p != nil && p.standing.Phase == consent.Active {
		return p, err
	}
	p, err = v.load(ctx, tx, privacy.Nobody)
	return p, errors.Join(err, missing(p, privacy.Nobody))
}

// others is the person, unless that is the vault itself.
func (p *person) others() []privacy.SubjectID {
	if !p.known() {
		return nil
	}
	return []privacy.SubjectID{p.id}
}

// checkHeld refuses a purpose that the channel does not hold; none is fine.
func checkHeld(r *regime, ch *register.Channel, by Caller, id privacy.PurposeID) error {
	if id == "" {
		return nil
	}
	if _, ok := r.register.Purpose(id); !ok {
		return unknownPurpose(id, ch)
	}
	if !contains(ch.Purposes, id) || by.Purposes != nil && !contains(by.Purposes, id) {
		return purposeNotGranted()
	}
	return nil
}

// addTouch changes a person's dealings by a touch and records it.
func (v *Vault) addTouch(tx store.Tx, reg *register.Register, ch privacy.ChannelID, p *person, d *contact.Dealings, req *TouchRequest, at, now time.Time) error {
	d.Add(contact.Touch{Kind: req.Kind, Topic: req.Topic, Medium: req.Medium, Purpose: req.Purpose, Ref: req.Ref, Channel: ch,
		At: at, Recorded: now, Expires: expiry(req.Expires)}, req.Ended)
	record := req.record(ch, at, now)
	record.Unknown = !p.known()
	return v.saveDealings(tx, reg, p, d, now, record)
}

func (req *TouchRequest) record(ch privacy.ChannelID, at, now time.Time) touchRecord {
	return touchRecord{Format: 1, At: at, Recorded: now, Channel: ch, Kind: string(req.Kind), Topic: req.Topic, Medium: req.Medium,
		Purpose: req.Purpose, Ref: req.Ref, Expires: expiry(req.Expires), Ended: req.Ended}
}

// expiry is a time in the vault's resolution; none stays none.
func expiry(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return micro(t)
}

// touchIfAllowed asks, and if the answer is yes records the touch on the
// condition that it still is.
func (v *Vault) touchIfAllowed(ctx context.Context, by Caller, req TouchRequest) (*TouchResult, error) {
	a, err := v.decide(ctx, by, req.read(), contacts)
	if err != nil || a.refused != nil || !a.dealing.verdict.Allowed() {
		return nil, v.settleNo(ctx, a, err, func() error { return touchRefused(a.dealing.verdict) })
	}
	d := a.dealing
	var no error
	res := &TouchResult{}
	err = v.update(ctx, func(tx store.Tx) error {
		no = nil
		dealings, err := d.current(v, tx)
		if err != nil {
			return err
		}
		now, believed, other := v.clock.now()
		if d.at = (moments{now}); !believed {
			d.at = moments{now, other}
		}
		verdict := v.contactAt(d.q, d.p, dealings, d.at, &req)
		entry, err := d.record(v, dealings, dealtOf(&req, verdict), now)
		if err == nil {
			err = tx.Record(entry)
		}
		if err != nil {
			return err
		}
		if !verdict.Allowed() {
			no = touchRefused(verdict)
			return nil
		}
		res.At = orNow(micro(req.At), now)
		if err := v.addTouch(tx, d.q.regime.register, d.q.channel.ID, d.p, dealings, &req, res.At, now); err != nil {
			return err
		}
		return by.Once.keep(tx, res, d.p.id)
	})
	if err == nil {
		v.tell(ctx, a, no)
		err = no
	}
	return res, err
}

// touchRefused is the answer to a contact that may not happen.
func touchRefused(verdict contact.Verdict) error {
	return &Error{Code: verdict.Code, Detail: verdict.Detail, Until: verdict.Until}
}

// settleNo makes durable that a question was answered with no, which why words,
// on the condition that it still is: errAgain if not.
func (v *Vault) settleNo(ctx context.Context, a *answer, err error, why func() error) error {
	if err == nil {
		err = v.appendRecord(ctx, a, a.began)
	}
	if errors.Is(err, store.ErrConflict) {
		return errAgain
	}
	if err != nil {
		err = v.refusal(err)
		v.tell(ctx, a, err)
		return err
	}
	v.tell(ctx, a, nil)
	var refused *Error
	if errors.As(a.refused, &refused) {
		return refused
	}
	return why()
}
