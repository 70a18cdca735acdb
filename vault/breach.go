package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// BreachRequest asks what a channel was shown and did: From is in it, To is not.
type BreachRequest struct {
	Channel privacy.ChannelID
	ExportRequest
}

// BreachReport says what was exposed if a channel's credentials were in wrong
// hands: what a notification tells the authority (Art. 33(3) GDPR).
type BreachReport struct {
	Channel  privacy.ChannelID `json:"channel"`
	From     *time.Time        `json:"from,omitempty"`
	To       *time.Time        `json:"to,omitempty"`
	Asked    int               `json:"asked" doc:"questions, answered or not"`
	Answered int               `json:"answered" doc:"of these, those by which something was shown"`
	People   int               `json:"people" doc:"of whom something was shown"`
	Special  bool              `json:"special" doc:"special categories were among it (Art. 9)"`
	First    *time.Time        `json:"first,omitempty" doc:"when something was shown first, and last"`
	Last     *time.Time        `json:"last,omitempty"`
	Fields   []BreachField     `json:"fields"`
	Wrote    BreachWrote       `json:"wrote" doc:"what it changed: captures, consents, grounds"`
	Erased   int               `json:"erased" doc:"entries about people who were erased since, of which nobody can say whose they were"`
	Log      LogPlace          `json:"log" doc:"the record of this report; what came later is not in it"`
}

// BreachField is what was shown of one field for one purpose.
type BreachField struct {
	Purpose  privacy.PurposeID `json:"purpose"`
	Field    privacy.FieldName `json:"field"`
	Category privacy.Category  `json:"category,omitempty"`
	Special  bool              `json:"special,omitempty"`
	Released int               `json:"released" doc:"times it was shown whole"`
	Masked   int               `json:"masked"`
	People   int               `json:"people"`
}

// BreachWrote is what a channel changed.
type BreachWrote struct {
	Captures int `json:"captures"`
	Consents int `json:"consents"`
	Grounds  int `json:"grounds"`
	People   int `json:"people"`
}

// LogPlace is a place in a log.
type LogPlace struct {
	Name  string `json:"name"`
	Index uint64 `json:"index"`
}

// BreachLine is one person of whom something was shown: whom a controller may have
// to tell (Art. 34 GDPR).
type BreachLine struct {
	Subject   privacy.SubjectID   `json:"subject"`
	Decisions int                 `json:"decisions"`
	First     time.Time           `json:"first"`
	Last      time.Time           `json:"last"`
	Released  []privacy.FieldName `json:"released"`
	Masked    []privacy.FieldName `json:"masked"`
	Special   bool                `json:"special"`
}

// Breach tells an officer what a channel was shown and did in a period. That it
// was asked for is recorded before. some, which may be nil, is given the people of
// whom something was shown, a page at a time.
func (v *Vault) Breach(ctx context.Context, by Caller, req BreachRequest, some func([]BreachLine) error) (*BreachReport, error) {
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if _, known := now.register.Channel(req.Channel); !known && now.gov.Channels[req.Channel] == nil {
		return nil, invalid("channel", "invalid_value", "expected a channel that is or was in the register")
	}
	end, err := v.recordExport(ctx, by, "breach", req.ExportRequest)
	if err != nil {
		return nil, err
	}
	b := &breach{v: v, now: now, req: req, some: some, fields: map[breachKey]*BreachField{},
		report: &BreachReport{Channel: req.Channel, Log: LogPlace{Name: end.Log, Index: end.Record}}}
	if !req.From.IsZero() {
		b.report.From = &req.From
	}
	if !req.To.IsZero() {
		b.report.To = &req.To
	}
	walk := &peopleWalk{v: v, by: by, span: req.ExportRequest, kinds: []log.Kind{log.Access, log.Session, log.Capture, log.Consent, log.Ground}, workers: 1, nobody: b.nobody, person: b.person, end: end.Record}
	if err := walk.run(ctx); err != nil {
		return nil, v.refusal(err)
	}
	if err := b.page(); err != nil {
		return nil, err
	}
	b.report.Fields = slices.SortedFunc(maps.Values(b.flat()), func(a, c BreachField) int {
		return cmp.Or(cmp.Compare(c.People, a.People), cmp.Compare(a.Purpose, c.Purpose), cmp.Compare(a.Field, c.Field))
	})
	return b.report, nil
}

// breach is a report on its way.
type breach struct {
	v      *Vault
	now    *regime
	req    BreachRequest
	some   func([]BreachLine) error
	report *BreachReport
	fields map[breachKey]*BreachField
	lines  []BreachLine
}

type breachKey struct {
	purpose privacy.PurposeID
	field   privacy.FieldName
}

func (b *breach) flat() map[breachKey]BreachField {
	all := make(map[breachKey]BreachField, len(b.fields))
	for k, f := range b.fields {
		all[k] = *f
	}
	return all
}

// nobody counts a question about somebody unknown: nothing was shown.
func (b *breach) nobody(_ context.Context, e entry) error {
	if _, mine, _ := b.open(b.v.nobody, e); mine && e.Kind.Trailed() {
		b.report.Asked++
	}
	return nil
}

// open opens an entry's record, and says whether it is the channel's; it is not ok
// if it does not verify.
func (b *breach) open(p *person, e entry) (record []byte, mine, ok bool) {
	opening, err := e.Open(p.history, b.v.id)
	if err != nil {
		return nil, false, false
	}
	var of struct {
		Channel privacy.ChannelID `json:"channel"`
	}
	err = json.Unmarshal(opening.Record, &of)
	return opening.Record, of.Channel == b.req.Channel, err == nil
}

// person counts what was shown of one person, and changed.
func (b *breach) person(ctx context.Context, _ int, of []ref, rest func() error) error {
	p, err := b.v.loadKeys(ctx, of[0].subject)
	if err != nil && !errors.Is(err, errIntegrity) {
		return err
	}
	if p == nil {
		b.report.Erased += len(of)
		return nil
	}
	line, wrote := BreachLine{Subject: p.id, Released: []privacy.FieldName{}, Masked: []privacy.FieldName{}}, false
	seen := map[breachKey]bool{}
	for _, x := range of {
		raw, err := b.v.follower.Entry(ctx, x.index)
		if err != nil {
			return err
		}
		e := entry{Entry: raw, index: x.index}
		switch record, mine, ok := b.open(p, e); {
		case !ok: // of a life before this one
			b.report.Erased++
		case !mine:
		case e.Kind == log.Access, e.Kind == log.Session:
			var r accessRecord
			if err := json.Unmarshal(record, &r); err != nil {
				return fmt.Errorf("reading log entry %d: %w", x.index, errIntegrity)
			}
			b.shown(&r, &line, seen)
		default:
			wrote = true
			b.wrote(e.Kind)
		}
		if err := rest(); err != nil {
			return err
		}
	}
	if wrote {
		b.report.Wrote.People++
	}
	if line.Decisions == 0 {
		return nil
	}
	b.report.People++
	slices.Sort(line.Released)
	slices.Sort(line.Masked)
	if b.lines = append(b.lines, line); len(b.lines) >= pageRows {
		return b.page()
	}
	return nil
}

func (b *breach) page() error {
	if b.some == nil || len(b.lines) == 0 {
		b.lines = b.lines[:0]
		return nil
	}
	err := b.some(b.lines)
	b.lines = b.lines[:0]
	return err
}

// shown counts one question, and what was shown in answer.
func (b *breach) shown(r *accessRecord, line *BreachLine, seen map[breachKey]bool) {
	b.report.Asked++
	if len(r.Released)+len(r.Masked) == 0 {
		return
	}
	b.report.Answered++
	if line.Decisions++; line.Decisions == 1 {
		line.First = r.At
	}
	line.Last = r.At
	if b.report.First == nil || r.At.Before(*b.report.First) {
		b.report.First = &r.At
	}
	if b.report.Last == nil || r.At.After(*b.report.Last) {
		b.report.Last = &r.At
	}
	for _, f := range r.Released {
		b.field(r, f, seen, line).Released++
		if !slices.Contains(line.Released, f) {
			line.Released = append(line.Released, f)
		}
	}
	for f := range r.Masked {
		b.field(r, f, seen, line).Masked++
		if !slices.Contains(line.Masked, f) {
			line.Masked = append(line.Masked, f)
		}
	}
}

func (b *breach) field(r *accessRecord, name privacy.FieldName, seen map[breachKey]bool, line *BreachLine) *BreachField {
	k := breachKey{r.Purpose, name}
	f := b.fields[k]
	if f == nil {
		f = &BreachField{Purpose: r.Purpose, Field: name}
		if declared, ok := b.now.register.Field(name); ok {
			f.Category, f.Special = declared.Category, declared.Special
		}
		b.fields[k] = f
	}
	if !seen[k] {
		seen[k] = true
		f.People++
	}
	if f.Special {
		b.report.Special, line.Special = true, true
	}
	return f
}

func (b *breach) wrote(kind log.Kind) {
	switch kind {
	case log.Capture:
		b.report.Wrote.Captures++
	case log.Consent:
		b.report.Wrote.Consents++
	case log.Ground:
		b.report.Wrote.Grounds++
	}
}
