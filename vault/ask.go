package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// AskRequest asks to be the one who asks a person for fields that are missing.
type AskRequest struct {
	Subject privacy.SubjectID
	Purpose privacy.PurposeID
	Fields  []privacy.FieldName
	Context map[string]any
}

// AskResult is a lease: until then nobody else asks for these fields.
type AskResult struct {
	Fields []privacy.FieldName // of those asked for, the ones that are missing
	Until  time.Time
	New    bool // false: the channel had it, and it was prolonged
}

// checkAsking refuses fields that are not the channel's to ask for.
func (q *question) checkAsking(want look) error {
	if want != asking {
		return nil
	}
	var wrong []FieldError
	for _, f := range q.fields {
		name := string(f)
		if _, declared := q.regime.register.Field(f); !declared {
			name = "fields" // what is none may be anything
		}
		switch {
		case !contains(q.asked.Fields, f):
			wrong = append(wrong, FieldError{Field: name, Code: string(privacy.CodeFieldNotInPurpose), Detail: details[privacy.CodeFieldNotInPurpose]})
		case !contains(q.channel.Captures, f):
			wrong = append(wrong, fieldNotCapturable(f))
		}
	}
	if len(wrong) > 0 {
		return &Error{Code: CodeInvalidRequest, Detail: "nothing was leased; each field at fault is named", Fields: wrong}
	}
	return nil
}

func fieldNotCapturable(f privacy.FieldName) FieldError {
	return FieldError{Field: string(f), Code: CodeFieldNotCapturable, Detail: "this channel does not capture a field of this name; GET /v1/whoami lists those it does"}
}

// AskMissing takes a short lease on those of the fields that are missing, so that
// of all channels one asks the person. The holder's repeat prolongs it; for every
// other channel it is CodeAlreadyBeingAsked. An answer ends it, wherever it is
// given. It passes the same door as [Vault.Missing] and is recorded: where
// nothing is missing to this channel, or nobody is known and the purpose is
// silent, it is CodeAlreadyAnswered.
func (v *Vault) AskMissing(ctx context.Context, by Caller, req AskRequest) (*AskResult, error) {
	if len(req.Fields) == 0 {
		return nil, invalid("fields", "empty", "expected at least one field")
	}
	for range dealAttempts {
		res, err := v.askMissing(ctx, by, req)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return res, nil
	}
	return nil, unavailable("the person this is about kept changing; try again")
}

func (v *Vault) askMissing(ctx context.Context, by Caller, req AskRequest) (*AskResult, error) {
	a, err := v.decide(ctx, by, ReadRequest{Subject: SubjectRef{ID: req.Subject}, Purpose: req.Purpose, Fields: req.Fields, Context: req.Context}, asking)
	if err != nil || a.refused != nil || a.dealing.q.dealt.Code != "" {
		return nil, v.settleNo(ctx, a, err, func() error { return askRefused(a.dealing.q.dealt.Code) })
	}
	d := a.dealing
	var no error
	var res *AskResult
	err = v.update(ctx, func(tx store.Tx) error {
		no = nil
		dealings, err := d.current(v, tx)
		if err != nil {
			return err
		}
		if dealings.Version != d.p.dealings.Version && !d.stillMissing(dealings) {
			return errAgain
		}
		now, _, _ := v.clock.now()
		settings := d.q.regime.register.Settings.Asking
		res = &AskResult{Fields: fieldsOf(d.res.Missing), Until: settings.Leased().After(now)}
		fresh, ok := dealings.Lease(d.q.channel.ID, res.Fields, now, res.Until)
		dealt := &dealtRecord{Kind: dealtAsk}
		if !ok {
			dealt.Code = CodeAlreadyBeingAsked
		}
		entry, err := d.record(v, dealings, dealt, now)
		if err == nil {
			err = tx.Record(entry)
		}
		if err != nil {
			return err
		}
		if !ok {
			no = askRefused(CodeAlreadyBeingAsked)
			return nil
		}
		res.New = fresh
		record := touchRecord{Format: 1, At: now, Recorded: now, Channel: d.q.channel.ID, Kind: dealtAsk, Purpose: req.Purpose, Fields: res.Fields}
		if err := v.saveDealings(tx, d.q.regime.register, d.p, dealings, now, record); err != nil {
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

// stillMissing reports whether none of the fields that were missing was refused
// meanwhile.
func (d *dealing) stillMissing(now *contact.Dealings) bool {
	again := d.q.regime.register.Settings.Asking.Refused()
	return !slices.ContainsFunc(d.res.Missing, func(m Missing) bool { return now.Refused(d.q.purpose, m.Field, again, d.at[0]) })
}

// answered is why a channel is not to ask for what is missing, empty if it is.
func (p *person) answered(missing []Missing, ch privacy.ChannelID, at moments) string {
	if len(missing) == 0 {
		return contact.CodeAlreadyAnswered
	}
	for _, m := range missing {
		if other := p.dealings.Asked(m.Field, at[0]); other != "" && other != ch {
			return CodeAlreadyBeingAsked
		}
	}
	return ""
}

func askRefused(code string) error {
	if code == CodeAlreadyBeingAsked {
		return refuse(code, "another channel is asking for this now")
	}
	return refuse(contact.CodeAlreadyAnswered, "nothing of this is to be asked of this person now")
}

func fieldsOf(missing []Missing) []privacy.FieldName {
	fields := make([]privacy.FieldName, len(missing))
	for i, m := range missing {
		fields[i] = m.Field
	}
	return fields
}

// RecordRefusal records that a person would not tell fields for a purpose: for a
// while they are not missing any more, and nobody asks for them. The answer is
// the same for a person known or not.
func (v *Vault) RecordRefusal(ctx context.Context, by Caller, req AskRequest) error {
	if len(req.Fields) == 0 || len(req.Fields) > maxFields {
		return invalid("fields", "empty", "expected 1 to %d fields", maxFields)
	}
	began := time.Now()
	for range dealAttempts {
		err := v.recordRefusedFields(ctx, by, req)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return v.refusal(err)
		}
		onTheBeat(began)
		return nil
	}
	return unavailable("the person this is about kept changing; try again")
}

func (v *Vault) recordRefusedFields(ctx context.Context, by Caller, req AskRequest) error {
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
		q := question{by: by, channel: w.channel, regime: w.regime, purpose: req.Purpose, fields: req.Fields}
		if err := q.mayAsk(); err != nil {
			return err
		}
		return errors.Join(q.checkFields(), q.checkAsking(asking))
	})
	if err != nil {
		return err
	}
	record := touchRecord{Format: 1, At: now, Recorded: now, Channel: w.channel.ID, Kind: dealtRefusal, Purpose: req.Purpose, Fields: req.Fields}
	return v.update(ctx, func(tx store.Tx) error {
		if err := w.regime.stillInForce(tx); err != nil {
			return err
		}
		p, err := v.partner(ctx, tx, &reference{id: req.Subject})
		if err != nil {
			return err
		}
		d, err := v.dealings(tx, p)
		if err != nil {
			return err
		}
		d.Refuse(req.Purpose, req.Fields, now)
		record.Unknown = !p.known()
		if err := v.saveDealings(tx, w.regime.register, p, d, now, record); err != nil {
			return err
		}
		return by.Once.keep(tx, nil, p.others()...)
	})
}

// told ends what the channels ask for, and what was refused, by fields that the
// person told.
func (v *Vault) told(tx store.Tx, reg *register.Register, ch privacy.ChannelID, p *person, fields []privacy.FieldName, now time.Time) error {
	d, err := v.dealings(tx, p)
	if err != nil || !d.Answered(fields) {
		return err
	}
	return v.saveDealings(tx, reg, p, d, now, touchRecord{Format: 1, At: now, Recorded: now, Channel: ch, Kind: dealtTold, Fields: fields})
}
