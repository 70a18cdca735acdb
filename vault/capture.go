package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// CaptureRequest is what a person told a channel.
type CaptureRequest struct {
	Subject  *SubjectRef // nil: whoever the identifiers say, or somebody new
	Fields   []CapturedField
	Verified []privacy.FieldName
	// Observed are captured fields that the channel saw, Inferred those that a
	// model made; all others the person told.
	Observed []privacy.FieldName
	Inferred map[privacy.FieldName]privacy.Inference
	Purposes []privacy.PurposeID // grounds to begin; none: see [Vault.Capture]
	// Grounds are grounds to begin as of a time, with what they are of and until
	// when they last, if that is known. If it is not nil, none begins by default.
	Grounds []GroundTerm
	// Consents are about this person; their Subject is not looked at. What
	// narrows is done to everybody who has the same identifier, as by
	// [Vault.RecordConsent].
	Consents   []ConsentRequest
	ObservedAt time.Time // zero: now
	// GPC says that the person's browser sent Global Privacy Control: an opt-out of
	// every purpose that rests on opt_out, whichever channel holds it.
	GPC bool
	// NoReceipts leaves the receipts of the consents to be asked for later, by
	// [Vault.Receipt]: to sign one takes as long as all the rest.
	NoReceipts bool

	corrects *telling                             // it is a correction: who is told of it
	also     func(store.Tx, *CaptureResult) error // in the same transaction
}

// GroundTerm is a ground and how long it lasts.
type GroundTerm struct {
	Purpose privacy.PurposeID
	Ref     string    // an order, a contract, a case
	Since   time.Time // zero: now
	Until   time.Time // zero: still so
}

// CapturedField is one field as it was sent: Value is raw JSON.
type CapturedField struct {
	Field privacy.FieldName
	Value privacy.Sensitive
}

// CaptureResult is what became of a capture.
type CaptureResult struct {
	Subject    privacy.SubjectID
	Created    bool
	Accepted   []privacy.FieldName
	Unchanged  []privacy.FieldName
	Superseded []privacy.FieldName // fields of which one value lost to another and went to history
	Consents   []ConsentResult
}

// Capture keeps what a person told a channel, all of it or nothing. It begins
// grounds for the purposes named, by default those of the channel's that do not
// rest on consent and list a captured field.
//
// The answer is no oracle: unless the channel had captured for that person
// before or can read what it captures, joining somebody known looks like
// making somebody new.
func (v *Vault) Capture(ctx context.Context, by Caller, req CaptureRequest) (*CaptureResult, error) {
	for attempt := range attempts {
		b, err := v.prepareBatch(ctx, by, []CaptureRequest{req}, attempt)
		if err == nil {
			err = b.commit(ctx, func(tx store.Tx) error {
				if b.outcomes[0].Err != nil {
					return b.outcomes[0].Err
				}
				if req.also != nil {
					if err := req.also(tx, b.outcomes[0].Result); err != nil {
						return err
					}
				}
				return by.Once.keep(tx, b.outcomes[0].Result, b.about...)
			})
		}
		again, err := v.waited(ctx, err)
		if again || errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return b.outcomes[0].Result, nil
	}
	return nil, unavailable("the people this capture is about kept changing; try again")
}

// errAgain ends an attempt whose preparation no longer fits.
var errAgain = errors.New("prepared on a state that has changed")

// capture is one attempt at a capture. It is rehearsed and then played, or done
// again; see batch.go.
type capture struct {
	v        *Vault
	by       Caller
	regime   *regime
	channel  *register.Channel
	given    privacy.SubjectID // the subject the request names; zero: none
	values   []captured
	purposes []privacy.PurposeID
	terms    []GroundTerm
	acts     []*act
	corrects *telling       // it is a correction
	teller   *privacy.Actor // who told it for the person; nil: they did
	receipts bool           // the answer holds those of the acts
	now      time.Time
	observed time.Time
	recorded time.Time // now, but that those of a batch differ, in their order

	fresh   *person    // in case somebody new is made
	keyRow  []byte     // of keys that were made for them
	was     *tombstone // of who had the ID before
	counted bool       // against the channel's limit

	rehearsing bool
	notes      *rehearsed
	rehearsed  captureOutcome
	reached    map[reach]*act     // what is done to others, as it is promised in the ledger
	ends       map[int]privacy.ID // likewise the grounds that end by terms

	ended []privacy.FieldName // whose contest what was told ends
}

// captureOutcome is what one attempt came to.
type captureOutcome struct {
	result  *CaptureResult
	refused *Error
	about   privacy.SubjectID
}

// captured is one field to keep.
type captured struct {
	field    *register.Field
	value    profile.Value
	verified bool

	origin    privacy.Origin
	inference *privacy.Inference
}

// known returns whom the capture is about, nil for somebody new.
func (c *capture) known(ctx context.Context, r store.Reader) (*person, error) {
	if c.given == privacy.Nobody {
		return c.who(ctx, r)
	}
	p, err := c.v.load(ctx, r, c.given)
	if living(p) != nil || err != nil {
		return p, err
	}
	return nil, c.vacant(r)
}

// vacant lets the ID that the request names become somebody's: it is nobody's, or
// was, of whom everything is erased. Then nothing of before comes back with them.
// While they are being erased it is a *busyError; if they were since the keys for
// somebody new were looked for, errAgain: those may be gone.
func (c *capture) vacant(r store.Reader) error {
	row, err := bucketStanding.get(r, c.v.place(c.given))
	if err != nil {
		return err
	}
	if row != nil {
		return &busyError{c.given}
	}
	was, err := c.v.tombstone(r, c.given)
	switch {
	case err != nil:
		return err
	case c.rehearsing:
		c.was = was
	case (c.was == nil) != (was == nil) || was != nil && *c.was != *was:
		return errAgain
	}
	return nil
}

// check gathers everything that is wrong with the request.
func (c *capture) check(r store.Reader, req CaptureRequest, believed bool) error {
	var wrong []FieldError
	bad := func(field, code, format string, args ...any) {
		wrong = append(wrong, FieldError{Field: field, Code: code, Detail: fmt.Sprintf(format, args...)})
	}
	reg := c.regime.register
	fields := slices.Clip(req.Fields)
	if req.Subject != nil {
		c.given = req.Subject.ID
		if req.Subject.Field != "" { // an identifier says who, and is captured like any other
			fields = append(fields, CapturedField{Field: req.Subject.Field, Value: req.Subject.Value})
			if f, ok := reg.Field(req.Subject.Field); !ok || f.Identifier != register.Unique {
				bad("subject", "not_an_identifier", "expected a subject ID, or one field that the register names a unique identifier")
			}
		} else if c.given == privacy.Nobody {
			bad("subject", CodeInvalidRequest, "not a subject of this vault")
		}
	}
	consents := c.consents(req)
	if len(fields) == 0 && len(consents) == 0 && len(req.Purposes) == 0 && len(req.Grounds) == 0 {
		bad("fields", "empty", "expected at least one field")
	}
	seen := map[privacy.FieldName]bool{}
	for _, sent := range fields {
		f, ok := reg.Field(sent.Field)
		switch {
		case !ok || !contains(c.channel.Captures, sent.Field):
			bad(string(sent.Field), CodeFieldNotCapturable, "this channel does not capture a field of this name; GET /v1/whoami lists those it does%s", didYouMean(string(sent.Field), c.channel.Captures))
			continue
		case seen[sent.Field]:
			bad(string(sent.Field), "duplicate", "the field is given twice")
			continue
		}
		seen[sent.Field] = true
		value, fault := profile.Normalise(f, sent.Value.Reveal(), reg.Controller.Country, c.now)
		if fault != nil {
			bad(string(sent.Field), fault.Code, "%s", fault.Detail)
			continue
		}
		c.values = append(c.values, captured{field: f, value: value, verified: contains(req.Verified, sent.Field), origin: privacy.Declared})
	}
	for _, name := range req.Verified {
		if !seen[name] {
			bad("verified", "not_captured", "expected only fields that this request captures")
		}
	}
	c.checkOrigins(req, bad)
	if !req.ObservedAt.IsZero() {
		if c.observed = micro(req.ObservedAt); c.observed.After(c.now.Add(aheadTolerance)) {
			bad("observed_at", "in_future", "expected a time at most 60 s ahead")
		}
	}
	c.receipts, c.corrects = !req.NoReceipts, req.corrects
	if c.by.acts && c.by.session != nil {
		c.teller = another(c.by.session.actor(c.by.For))
	}
	c.checkTerms(req.Grounds, bad)
	if req.Grounds == nil || req.Purposes != nil {
		c.purposes = c.grounds(req.Purposes, func(f privacy.FieldName) bool { _, guess := req.Inferred[f]; return guess }, seen, bad)
	}
	if len(c.purposes)+len(c.terms) > 0 && !believed {
		return unavailable("the clock is not believed, so no ground is begun until an officer confirms it")
	}
	for i, consent := range consents {
		a, err := c.v.checkConsent(r, c.regime, c.channel, c.by, consent, c.now, believed)
		var refused *Error
		if errors.As(err, &refused) && len(refused.Fields) > 0 {
			for _, f := range refused.Fields {
				bad(fmt.Sprintf("consents[%d].%s", i, f.Field), f.Code, "%s", f.Detail)
			}
			continue
		}
		if err != nil {
			return err
		}
		c.acts = append(c.acts, a)
	}
	if len(wrong) > 0 {
		return &Error{Code: CodeInvalidRequest, Detail: "nothing was stored; each field at fault is named", Fields: wrong}
	}
	return nil
}

// holds reports whether this credential has the purpose.
func (c *capture) holds(id privacy.PurposeID) bool {
	return contains(c.channel.Purposes, id) && (c.by.Purposes == nil || contains(c.by.Purposes, id))
}

// mayBegin reports whether a ground of the purpose may begin, and names what is
// wrong.
func (c *capture) mayBegin(member string, id privacy.PurposeID, bad func(field, code, format string, args ...any)) bool {
	p, ok := c.regime.register.Purpose(id)
	switch {
	case !ok || !c.holds(id):
		bad(member, CodePurposeNotGranted, "expected purposes that this credential holds")
	case p.Basis == privacy.Consent || p.Basis == privacy.OptOut:
		bad(member, "needs_consent", "%s rests on %s: record it with consents", id, p.Basis)
	default:
		return true
	}
	return false
}

// checkTerms checks the grounds that begin as of a time.
func (c *capture) checkTerms(asked []GroundTerm, bad func(field, code, format string, args ...any)) {
	for i, g := range asked {
		member := fmt.Sprintf("grounds[%d]", i)
		g.Since, g.Until = micro(g.Since), micro(g.Until)
		switch {
		case !c.mayBegin(member+".purpose", g.Purpose, bad):
		case len(g.Ref) > maxRef:
			bad(member+".ref", "too_long", "expected at most %d bytes", maxRef)
		case g.Since.After(c.now.Add(aheadTolerance)):
			bad(member+".since", "in_future", "expected a time at most 60 s ahead")
		case !g.Until.IsZero() && g.Until.Before(orNow(g.Since, c.now)):
			bad(member+".until", "invalid_value", "expected a time not before it began")
		default:
			c.terms = append(c.terms, g)
		}
	}
}

// grounds returns the purposes for which this capture begins a ground now.
func (c *capture) grounds(asked []privacy.PurposeID, inferred func(privacy.FieldName) bool, seen map[privacy.FieldName]bool, bad func(field, code, format string, args ...any)) []privacy.PurposeID {
	var begin []privacy.PurposeID
	if asked != nil {
		for _, id := range asked {
			if c.mayBegin("purposes", id, bad) && !contains(begin, id) {
				begin = append(begin, id)
			}
		}
		return begin
	}
	for _, id := range c.channel.Purposes {
		p, ok := c.regime.register.Purpose(id)
		if ok && c.holds(id) && p.Basis != privacy.Consent && p.Basis != privacy.OptOut &&
			slices.ContainsFunc(p.Fields, func(f privacy.FieldName) bool { return seen[f] && !inferred(f) }) {
			begin = append(begin, id)
		}
	}
	return begin
}

// begin returns somebody new, with the keys that are there for them. An ID that
// nobody has becomes that person's: what was captured is never dropped, and the
// answer is the same for a person known or not.
func (c *capture) begin() *person {
	if c.fresh == nil {
		return nil
	}
	p := *c.fresh
	p.standing = &consent.Standing{}
	return &p
}

func (c *capture) names() []privacy.FieldName {
	names := make([]privacy.FieldName, len(c.values))
	for i, k := range c.values {
		names[i] = k.field.Name
	}
	return names
}

// captureRecord is the log's record of a capture.
type captureRecord struct {
	Format     int                 `json:"v"`
	At         time.Time           `json:"at"`
	Channel    privacy.ChannelID   `json:"channel"`
	Register   uint64              `json:"register,omitempty"`
	Accepted   []privacy.FieldName `json:"accepted,omitempty"`
	Unchanged  []privacy.FieldName `json:"unchanged,omitempty"`
	Superseded []privacy.FieldName `json:"superseded,omitempty"`
	Verified   []privacy.FieldName `json:"verified,omitempty"`
	Grounds    []privacy.PurposeID `json:"grounds,omitempty"`
	Terms      []termRecord        `json:"terms,omitempty"` // grounds as of a time
	By         *privacy.Actor      `json:"by,omitempty"`    // who told it for the person
	Moved      privacy.FieldName   `json:"moved,omitempty"` // an identifier that finds somebody else from now on
	Over       []privacy.FieldName `json:"over,omitempty"`  // values of the moment that were removed
	Standing   rowDigest           `json:"standing"`

	corrects *telling // not kept: whom it is told to
}

func (r captureRecord) requested() privacy.RequestID { return r.corrects.requested() }

// termRecord is what the record of a capture says of a ground as of a time.
type termRecord struct {
	Purpose privacy.PurposeID `json:"purpose"`
	Ref     string            `json:"ref,omitempty"`
	Since   time.Time         `json:"since"`
	Until   time.Time         `json:"until,omitzero"`
}
