package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// CaptureRequest is what a person told a channel.
type CaptureRequest struct {
	Subject    *SubjectRef // nil: whoever the identifiers say, or somebody new
	Fields     []CapturedField
	Verified   []privacy.FieldName
	Purposes   []privacy.PurposeID // grounds to begin; none: see [Vault.Capture]
	Consents   []ConsentRequest    // about this person; their Subject is not looked at
	ObservedAt time.Time           // zero: now
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
	var c *capture
	for range attempts {
		var err error
		if c, err = v.prepareCapture(ctx, by, req); err != nil {
			return nil, v.refusal(err)
		}
		err = c.run(ctx)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return c.result, nil
	}
	return nil, unavailable("the people this capture is about kept changing; try again")
}

// errAgain ends an attempt whose preparation no longer fits.
var errAgain = errors.New("prepared on a state that has changed")

// capture is one attempt at a capture.
type capture struct {
	v        *Vault
	by       Caller
	regime   *regime
	channel  *register.Channel
	given    privacy.SubjectID // the subject the request names; zero: none
	values   []captured
	purposes []privacy.PurposeID
	acts     []*act
	now      time.Time
	observed time.Time

	fresh   *person // keys made before, in case somebody new is made
	counted bool    // against the channel's limit
	result  *CaptureResult
}

// captured is one field to keep.
type captured struct {
	field    *register.Field
	value    profile.Value
	verified bool
}

// prepareCapture checks the whole request before anybody is looked up, and
// makes keys if it looks as if somebody new will be made.
func (v *Vault) prepareCapture(ctx context.Context, by Caller, req CaptureRequest) (*capture, error) {
	now, believed, _ := v.clock.now()
	c := &capture{v: v, by: by, now: now, observed: now}
	anew := false
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		var err error
		if c.regime, err = v.regime(ctx, s); err != nil {
			return err
		}
		if c.channel, err = c.regime.channelOf(by); err != nil {
			return err
		}
		if err := c.check(s, req, believed); err != nil {
			return err
		}
		who, err := c.known(ctx, s)
		anew = who == nil
		return err
	})
	if err != nil || !anew {
		return c, err
	}
	if c.given != privacy.Nobody {
		c.fresh, err = v.keysOf(ctx, c.given)
	} else {
		c.fresh, err = v.makeKeys(ctx, privacy.NewSubjectID())
	}
	return c, err
}

// known returns whom the capture is about, nil for somebody new.
func (c *capture) known(ctx context.Context, r store.Reader) (*person, error) {
	if c.given == privacy.Nobody {
		return c.who(ctx, r)
	}
	p, err := c.v.load(ctx, r, c.given)
	return living(p), err
}

// check gathers everything that is wrong with the request.
func (c *capture) check(r store.Reader, req CaptureRequest, believed bool) error {
	var wrong []FieldError
	bad := func(field, code, format string, args ...any) {
		wrong = append(wrong, FieldError{Field: field, Code: code, Detail: fmt.Sprintf(format, args...)})
	}
	reg := c.regime.register
	fields := slices.Clone(req.Fields)
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
	if len(fields) == 0 && len(req.Consents) == 0 && len(req.Purposes) == 0 {
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
		c.values = append(c.values, captured{field: f, value: value, verified: contains(req.Verified, sent.Field)})
	}
	for _, name := range req.Verified {
		if !seen[name] {
			bad("verified", "not_captured", "expected only fields that this request captures")
		}
	}
	if !req.ObservedAt.IsZero() {
		if c.observed = micro(req.ObservedAt); c.observed.After(c.now.Add(aheadTolerance)) {
			bad("observed_at", "in_future", "expected a time at most 60 s ahead")
		}
	}
	c.purposes = c.grounds(req.Purposes, seen, bad)
	if len(c.purposes) > 0 && !believed {
		return unavailable("the clock is not believed, so no ground is begun until an officer confirms it")
	}
	for i, consent := range req.Consents {
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

// grounds returns the purposes for which this capture begins a ground.
func (c *capture) grounds(asked []privacy.PurposeID, seen map[privacy.FieldName]bool, bad func(field, code, format string, args ...any)) []privacy.PurposeID {
	held := func(id privacy.PurposeID) bool {
		return contains(c.channel.Purposes, id) && (c.by.Purposes == nil || contains(c.by.Purposes, id))
	}
	var begin []privacy.PurposeID
	if asked != nil {
		for _, id := range asked {
			p, ok := c.regime.register.Purpose(id)
			switch {
			case !ok || !held(id):
				bad("purposes", CodePurposeNotGranted, "expected purposes that this credential holds")
			case p.Basis == privacy.Consent || p.Basis == privacy.OptOut:
				bad("purposes", "needs_consent", "%s rests on %s: record it with consents", id, p.Basis)
			case !contains(begin, id):
				begin = append(begin, id)
			}
		}
		return begin
	}
	for _, id := range c.channel.Purposes {
		p, ok := c.regime.register.Purpose(id)
		if ok && held(id) && p.Basis != privacy.Consent && p.Basis != privacy.OptOut &&
			slices.ContainsFunc(p.Fields, func(f privacy.FieldName) bool { return seen[f] }) {
			begin = append(begin, id)
		}
	}
	return begin
}

// run does the capture in one transaction, narrowing acts first noted in the
// ledger.
func (c *capture) run(ctx context.Context) (err error) {
	used := false
	defer func() {
		if c.fresh != nil && !used && c.given == privacy.Nobody {
			c.v.dropKeys(ctx, c.fresh.id)
		}
	}()
	subject := c.given
	if subject == privacy.Nobody && c.fresh != nil {
		subject = c.fresh.id
	}
	if narrows(c.acts) && subject == privacy.Nobody { // somebody known: the ledger names them before the state changes
		err := c.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			p, err := c.known(ctx, s)
			if p != nil {
				subject = p.id
			}
			return err
		})
		if err != nil || subject == privacy.Nobody {
			return errors.Join(err, errAgain)
		}
	}
	if narrows(c.acts) { // what is promised is done, so what refuses comes before
		if err := c.count(subject); err != nil {
			return err
		}
	}
	for _, a := range c.acts {
		if err := c.v.ledger.promise(ctx, a, subject); err != nil {
			return err
		}
	}
	err = c.v.update(ctx, func(tx store.Tx) error {
		used = false
		if err := c.stillInForce(tx); err != nil {
			return err
		}
		p, err := c.person(ctx, tx)
		if err != nil {
			return err
		}
		if narrows(c.acts) && p.id != subject {
			return errAgain
		}
		used = c.fresh != nil && p.id == c.fresh.id
		if err := c.keep(ctx, tx, p); err != nil {
			return err
		}
		return c.by.Once.keep(tx, c.result, c.result.Subject)
	})
	if narrows(c.acts) {
		err = c.v.ledger.done(ctx, err)
	}
	return err
}

func (c *capture) stillInForce(tx store.Tx) error {
	raw, err := tx.Get(bucketGovernance, keyCurrent)
	if err == nil && string(raw) != string(c.regime.raw) {
		err = errAgain
	}
	return err
}

// person returns whom the capture is about, made new if nobody is known. An ID
// that nobody has becomes that person's: what was captured is never dropped,
// and the answer is the same for a person known or not.
func (c *capture) person(ctx context.Context, tx store.Tx) (*person, error) {
	p, err := c.known(ctx, tx)
	switch {
	case err != nil:
		return nil, err
	case p != nil:
		return p, nil
	case c.fresh == nil:
		return nil, errAgain
	}
	fresh := *c.fresh
	standing := *c.fresh.standing
	fresh.standing = &standing // fn can be called more than once
	return &fresh, nil
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
	Moved      privacy.FieldName   `json:"moved,omitempty"` // an identifier that finds somebody else from now on
	Standing   rowDigest           `json:"standing"`
}
