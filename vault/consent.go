package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ConsentRequest is an act of say-so: given, refused, withdrawn, objected or
// opted out.
type ConsentRequest struct {
	Subject       SubjectRef
	Purpose       privacy.PurposeID
	Status        privacy.ConsentStatus
	Method        string // how it was made: web_form, key_press, letter …
	NoticeVersion string // what was shown; none: what the register in force shows
	Language      string
	Jurisdiction  string
	At            time.Time // zero: now, after the person's last act
	By            *privacy.Actor
	Evidence      map[string]any

	also     func(store.Tx, *person) error        // done with it, to whom it is answered about
	answered func(store.Tx, *ConsentResult) error // keeps the answer in its transaction
}

// ConsentResult is the record that was made of an act.
type ConsentResult struct {
	Consent   privacy.ConsentID
	Status    privacy.ConsentStatus
	Effective bool   // false only for a given that is not later than the latest narrowing act
	Receipt   string // compact JWS
}

// act is a checked ConsentRequest, bound to what was shown.
type act struct {
	id       privacy.ConsentID
	req      ConsentRequest
	at       time.Time // zero: to be set after the person's last act
	shown    *register.Purpose
	revision uint64
	regime   *regime
	// pseudonym stands in the receipt of an act by an identifier instead of the
	// subject's ID, which such an act must not tell.
	pseudonym string
}

func narrows(acts []*act) bool {
	return slices.ContainsFunc(acts, func(a *act) bool { return a.req.Status.Narrows() })
}

// RecordConsent records an act of say-so. Narrowing is accepted from every
// channel for every purpose, given only where the channel obtains it. An
// identifier nobody holds makes a new subject, so that a STOP from an unknown
// number is remembered; an ID nobody has is answered like any other.
//
// When it returns after a narrowing act, no read begun later releases what the
// act covered.
func (v *Vault) RecordConsent(ctx context.Context, by Caller, req ConsentRequest) (*ConsentResult, error) {
	began := time.Now()
	for range attempts {
		res, err := v.recordConsent(ctx, by, req)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		onTheBeat(began)
		return res, nil
	}
	return nil, unavailable("the person this act is about kept changing; try again")
}

func (v *Vault) recordConsent(ctx context.Context, by Caller, req ConsentRequest) (*ConsentResult, error) {
	now, believed, _ := v.clock.now()
	var a *act
	var channel *register.Channel
	w, err := v.aim(ctx, by, req.Subject, req.Status.Narrows(), func(s store.Snapshot, r *regime, ch *register.Channel) error {
		var err error
		channel = ch
		a, err = v.checkConsent(s, r, ch, by, req, now, believed)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer w.close(ctx)
	w.makes = !a.req.Status.Narrows()
	if w.ref.field != nil {
		a.pseudonym = v.pseudonym(channel, w.ref)
	}
	acts := []*act{a}
	for i, id := range w.everybody() {
		if i > 0 {
			other := *a
			other.id = privacy.NewConsentID(now)
			acts = append(acts, &other)
		}
		var sealed []byte
		if a.req.Status.Narrows() {
			sealed = w.noteIdentifiers(ctx, privacy.ID(acts[i].id), id)
		}
		if err := v.ledger.promise(ctx, acts[i], id, sealed); err != nil {
			return nil, err
		}
	}
	var res *ConsentResult
	err = v.update(ctx, func(tx store.Tx) error {
		people, err := w.hitAll(ctx, tx)
		if err != nil {
			return err
		}
		if people[0] == nil {
			if res, err = v.phantomConsent(tx, w.ref.id, channel, a); err != nil {
				return err
			}
			if req.answered != nil {
				return req.answered(tx, res)
			}
			return by.Once.keep(tx, res, w.ref.id)
		}
		for i, p := range people {
			record := v.fold(p, channel, acts[i], now)
			digest, err := v.saveDigest(tx, p)
			if err != nil {
				return err
			}
			if i == 0 {
				res = &ConsentResult{Consent: a.id, Status: a.req.Status, Effective: record.Effective}
				if res.Receipt, err = v.receipt(record); err != nil {
					return err
				}
			}
			if err := v.putConsent(tx, p, record, digest); err != nil {
				return err
			}
			if i == 0 && req.also != nil {
				if err := req.also(tx, p); err != nil {
					return err
				}
			}
		}
		if req.answered != nil {
			return req.answered(tx, res)
		}
		return by.Once.keep(tx, res, w.everybody()...)
	})
	if a.req.Status.Narrows() {
		err = v.ledger.done(ctx, err)
	}
	return res, err
}

var (
	methodForm   = regexp.MustCompile(`^[a-z_]{1,32}$`)
	languageForm = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)
	placeForm    = regexp.MustCompile(`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`)
)

// maxEvidence bounds the evidence of one act, as JSON.
const maxEvidence = 8 << 10

// checkConsent checks an act before anybody is looked up.
func (v *Vault) checkConsent(r store.Reader, now *regime, ch *register.Channel, by Caller, req ConsentRequest, t time.Time, believed bool) (*act, error) {
	a := &act{id: privacy.NewConsentID(t), req: req, regime: now}
	p, ok := now.register.Purpose(req.Purpose)
	if !ok {
		return nil, unknownPurpose(req.Purpose, ch)
	}
	a.shown, a.revision = p, now.register.Revision
	switch {
	case !slices.Contains(privacy.ConsentStatuses, req.Status):
		return nil, invalid("status", "invalid_value", "expected given, refused, withdrawn, objected or opted_out")
	case !methodForm.MatchString(req.Method):
		return nil, invalid("method", "invalid_value", "expected one to 32 of a-z and _, such as web_form")
	case req.Language != "" && !languageForm.MatchString(req.Language):
		return nil, invalid("language", "invalid_language", "expected a BCP 47 language tag, such as de or en-GB")
	case req.Jurisdiction != "" && !placeForm.MatchString(req.Jurisdiction):
		return nil, invalid("jurisdiction", "invalid_value", "expected a country or state, such as DE or US-CA")
	case req.By != nil && !slices.Contains([]privacy.Role{privacy.BySubject, privacy.ByGuardian, privacy.ByAgent}, req.By.Role):
		return nil, invalid("by.role", "invalid_value", "expected subject, guardian or agent")
	case req.By != nil && len(req.By.Ref) > 200:
		return nil, invalid("by.ref", "too_long", "expected at most 200 bytes")
	case len(req.NoticeVersion) > 64:
		return nil, invalid("notice_version", "too_long", "expected at most 64 bytes")
	}
	if b, err := json.Marshal(req.Evidence); err != nil || len(b) > maxEvidence {
		return nil, invalid("evidence", "too_long", "expected an object of at most 8 KiB")
	}
	if !req.At.IsZero() {
		a.at = micro(req.At)
		if a.at.After(t.Add(aheadTolerance)) {
			return nil, invalid("at", "in_future", "expected a time at most 60 s ahead")
		}
	}
	if req.Status.Narrows() {
		if shown, n, err := v.shown(r, now, req.Purpose, req.NoticeVersion, orNow(a.at, t)); err != nil {
			return nil, err
		} else if shown != nil {
			a.shown, a.revision = shown, n
		}
		return a, nil
	}
	if !contains(ch.Obtains, req.Purpose) || by.Purposes != nil && !contains(by.Purposes, req.Purpose) {
		return nil, refuse(CodeConsentNotObtainable, "this channel does not obtain consent for the purpose; GET /v1/whoami lists those it does")
	}
	if !believed {
		return nil, unavailable("the clock is not believed, so no grant is recorded until an officer confirms it")
	}
	shown, n, err := v.shown(r, now, req.Purpose, req.NoticeVersion, orNow(a.at, t))
	if err != nil {
		return nil, err
	}
	if shown == nil {
		return nil, invalid("notice_version", "unknown_notice", "expected the version of a notice that a revision of the register carries for this purpose")
	}
	a.shown, a.revision = shown, n
	return a, nil
}

func orNow(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}

// fold changes the person's standing by an act and returns the record of it.
func (v *Vault) fold(p *person, ch *register.Channel, a *act, now time.Time) consentRecord {
	at := p.standing.ActTime(a.at, now)
	effective := p.standing.Record(consent.Act{ID: a.id, Purpose: a.req.Purpose, Status: a.req.Status, At: at, Recorded: now, Shown: a.shown, Revision: a.revision})
	return v.consentRecord(p.id, ch, a, at, now, effective)
}

// phantomConsent answers an act about an ID that nobody has like any other. What
// makes the receipt is kept under the vault's key, which no erasure destroys: so
// nothing in the channel's own words is, the log names no ID, and whoever is known
// by that ID later takes the record along when they are erased.
func (v *Vault) phantomConsent(tx store.Tx, id privacy.SubjectID, ch *register.Channel, a *act) (*ConsentResult, error) {
	now, _, _ := v.clock.now()
	record := v.consentRecord(id, ch, a, orNow(a.at, now), now, true)
	receipt, err := v.receipt(record)
	if err != nil {
		return nil, err
	}
	record.Evidence, record.By.Ref = nil, ""
	if err := v.keepConsent(tx, v.nobody, record); err != nil {
		return nil, err
	}
	if err := tx.Put(bucketPhantoms, append(v.phantomKey(id), record.ID[:]...), []byte{}); err != nil {
		return nil, err
	}
	record.Subject = privacy.Nobody
	return &ConsentResult{Consent: a.id, Status: a.req.Status, Effective: true, Receipt: receipt},
		v.note(tx, log.Consent, privacy.ID(record.ID), consentEntry{record, rowDigest{}})
}

// phantomKey is under what acts about an ID stand that nobody had.
func (v *Vault) phantomKey(id privacy.SubjectID) []byte {
	sum := v.keyring().MAC("unknown subject", id[:])
	return sum[:16:16]
}

// consentRecord is a consent record with the fields of ISO/IEC TS 27560. It is
// appended and never changed.
type consentRecord struct {
	Format       int                   `json:"v"`
	ID           privacy.ConsentID     `json:"consent"`
	Subject      privacy.SubjectID     `json:"subject"`
	Pseudonym    string                `json:"pseudonym,omitempty"` // in the receipt, instead of the ID
	Purpose      privacy.PurposeID     `json:"purpose"`
	Status       privacy.ConsentStatus `json:"status"`
	Effective    bool                  `json:"effective"`
	At           time.Time             `json:"at"`
	Recorded     time.Time             `json:"recorded_at"`
	Register     uint64                `json:"register"`
	Notice       string                `json:"notice_version,omitempty"`
	NoticeHash   []byte                `json:"notice_hash"`
	Fields       []privacy.FieldName   `json:"fields"`
	Recipients   []string              `json:"recipients,omitempty"`
	Until        time.Time             `json:"until,omitzero"`
	Method       string                `json:"method"`
	Channel      privacy.ChannelID     `json:"channel"`
	Jurisdiction string                `json:"jurisdiction,omitempty"`
	Language     string                `json:"language,omitempty"`
	By           privacy.Actor         `json:"by"`
	Evidence     map[string]any        `json:"evidence,omitempty"`
	Controller   string                `json:"controller"`
}

func (v *Vault) consentRecord(id privacy.SubjectID, ch *register.Channel, a *act, at, now time.Time, effective bool) consentRecord {
	r := consentRecord{Format: 1, ID: a.id, Subject: id, Pseudonym: a.pseudonym, Purpose: a.req.Purpose, Status: a.req.Status, Effective: effective, At: at, Recorded: now,
		Register: a.revision, NoticeHash: v.noticeHash(a.shown), Fields: a.shown.Fields, Recipients: a.shown.Recipients, Method: a.req.Method, Channel: ch.ID,
		Jurisdiction: a.req.Jurisdiction, Language: a.req.Language, By: privacy.Actor{Role: privacy.BySubject}, Evidence: a.req.Evidence,
		Controller: a.regime.register.Controller.Name}
	if a.req.By != nil {
		r.By = *a.req.By
	}
	if terms := a.shown.Consent; terms != nil {
		r.Notice = terms.Notice.Version
		if a.req.Status == privacy.StatusGiven && !terms.ValidFor.IsZero() {
			r.Until = terms.ValidFor.After(consent.Act{At: at, Recorded: now}.Begins())
		}
	}
	return r
}

// consentEntry is the log's record of an act.
type consentEntry struct {
	consentRecord
	Standing rowDigest `json:"standing"`
}

// putConsent writes a consent record and its log entry.
func (v *Vault) putConsent(tx store.Tx, p *person, record consentRecord, digest rowDigest) error {
	if err := v.keepConsent(tx, p, record); err != nil {
		return err
	}
	return v.noteOf(tx, p, log.Consent, privacy.ID(record.ID), consentEntry{record, digest})
}

// keepConsent writes a consent record.
func (v *Vault) keepConsent(tx store.Tx, p *person, record consentRecord) error {
	plain, err := text(record)
	if err != nil {
		return err
	}
	sealed, err := keys.Seal(p.history, v.bind(p.id, "consent/"+record.ID.String(), 1), plain)
	if err != nil {
		return err
	}
	if err := bucketConsents.put(tx, p.at.with(record.ID[:]...), sealed); err != nil {
		return err
	}
	if err := tx.Put(bucketReceipts, bytes.Clone(record.ID[:]), bytes.Clone(p.id[:])); err != nil {
		return err
	}
	if !record.Status.Narrows() {
		return nil
	}
	return v.ledger.kept(tx, privacy.ID(record.ID))
}
