package vault

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// The kinds of register lines.
const (
	LineController = "controller"
	LineField      = "field"
	LineContext    = "context"
	LinePurpose    = "purpose"
	LineChannel    = "channel"
	LineCell       = "matrix"
)

// RegisterLine is one thing that a revision of the register declares. Which
// members it has depends on the kind.
type RegisterLine struct {
	Revision uint64       `json:"revision"`
	At       time.Time    `json:"at" doc:"when the revision came in force"`
	By       string       `json:"by" doc:"the officer who applied it"`
	Kind     string       `json:"kind" enum:"controller,field,context,purpose,channel,matrix"`
	ID       string       `json:"id,omitempty"`
	Title    privacy.Text `json:"title,omitempty"`

	Contact   string `json:"contact,omitempty"`
	Address   string `json:"address,omitempty"`
	Country   string `json:"country,omitempty"`
	Authority string `json:"authority,omitempty"`
	DPO       string `json:"dpo,omitempty"`

	Type       string           `json:"type,omitempty"`
	Identifier string           `json:"identifier,omitempty"`
	Category   privacy.Category `json:"category,omitempty"`
	Special    bool             `json:"special,omitzero"`
	Mask       privacy.Mask     `json:"mask,omitempty"`
	Retention  privacy.Period   `json:"retention,omitzero"`
	MaxAge     privacy.Period   `json:"max_age,omitzero"`
	History    privacy.Period   `json:"history,omitzero"`
	Enum       []string         `json:"enum,omitempty"`

	Benefit       privacy.Text        `json:"benefit,omitempty"`
	DPV           string              `json:"dpv,omitempty"`
	Basis         privacy.LegalBasis  `json:"basis,omitempty"`
	Fields        []privacy.FieldName `json:"fields,omitempty"`
	Broader       privacy.PurposeID   `json:"broader,omitempty"`
	Jurisdictions []string            `json:"jurisdictions,omitempty"`
	Recipients    []string            `json:"recipients,omitempty"`
	ValidFor      privacy.Period      `json:"valid_for,omitzero"`
	Explicit      bool                `json:"explicit,omitzero"`
	NoticeVersion string              `json:"notice_version,omitempty"`
	NoticeHash    string              `json:"notice_hash,omitempty" doc:"as in consent records given under it"`
	Notice        privacy.Text        `json:"notice,omitempty"`

	ChannelKind string              `json:"channel_kind,omitempty"`
	Purposes    []privacy.PurposeID `json:"purposes,omitempty"`
	Captures    []privacy.FieldName `json:"captures,omitempty"`
	Obtains     []privacy.PurposeID `json:"obtains,omitempty"`
	Limits      map[string]int      `json:"limits,omitempty"`

	Purpose privacy.PurposeID `json:"purpose,omitempty"`
	Channel privacy.ChannelID `json:"channel,omitempty"`
	Field   privacy.FieldName `json:"field,omitempty"`
	As      string            `json:"as,omitempty"`
}

// ExportRegister gives an officer every revision of the register that was in
// force at some time asked for, the first one first, each as it was written. That
// it was done is recorded before the first line is shown. some gets a revision at
// a time and keeps nothing of it.
func (v *Vault) ExportRegister(ctx context.Context, by Caller, req ExportRequest, some func([]RegisterLine) error) (*Exported, error) {
	end, err := v.recordExport(ctx, by, "register", req)
	if err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return end, err
	}
	numbers, err := v.inForceOnce(ctx, now.gov.Register)
	if err != nil {
		return end, v.refusal(err)
	}
	var before *revision // held back until it is known when it ended
	for i := range len(numbers) + 1 {
		if err := v.stillOfficer(by); err != nil {
			return end, err
		}
		var next *revision
		if i < len(numbers) {
			err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
				next, err = v.readRevision(s, numbers[i])
				return err
			})
			if err != nil {
				return end, v.refusal(err)
			}
		}
		if before != nil && req.overlaps(before, next) {
			lines := registerLines(before)
			end.Lines += uint64(len(lines))
			if err := some(lines); err != nil {
				return end, err
			}
		}
		before = next
	}
	return end, nil
}

// inForceOnce returns the numbers of the revisions that were in force up to one
// that is, the first one first.
func (v *Vault) inForceOnce(ctx context.Context, last uint64) (numbers []uint64, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		numbers = numbers[:0]
		for n := last; n > 0; {
			rev, err := v.openRevision(s, n)
			if err != nil {
				return err
			}
			numbers, n = append(numbers, n), rev.Before
		}
		slices.Reverse(numbers)
		return nil
	})
	return numbers, err
}

// overlaps reports whether a revision was in force at some time asked for.
func (r *ExportRequest) overlaps(rev, next *revision) bool {
	if !r.To.IsZero() && !rev.At.Before(r.To) {
		return false
	}
	return next == nil || next.At.After(r.From)
}

func registerLines(rev *revision) []RegisterLine {
	reg := rev.register
	var lines []RegisterLine
	add := func(kind, id string, l RegisterLine) {
		l.Revision, l.At, l.By, l.Kind, l.ID = reg.Revision, rev.At, rev.By, kind, id
		lines = append(lines, l)
	}
	c := reg.Controller
	add(LineController, c.Name, RegisterLine{Contact: c.Contact, Address: c.Address, Country: c.Country, Authority: c.Authority, DPO: c.DPO})
	for _, f := range reg.Fields {
		add(LineField, string(f.Name), RegisterLine{Title: f.Title, Type: string(f.Type), Identifier: string(f.Identifier), Category: f.Category,
			Special: f.Special, Mask: f.Mask, Retention: f.Retention, MaxAge: f.MaxAge, History: f.History})
	}
	for _, k := range reg.Context {
		add(LineContext, k.Name, RegisterLine{Type: k.Type, Enum: k.Enum})
	}
	for i := range reg.Purposes {
		p := &reg.Purposes[i]
		hash := register.NoticeHash(p)
		l := RegisterLine{Title: p.Title, Benefit: p.Benefit, DPV: p.DPV, Basis: p.Basis, Fields: p.Fields, Retention: p.Retention, Broader: p.Broader,
			Jurisdictions: p.Jurisdictions, Recipients: p.Recipients, NoticeHash: hex.EncodeToString(hash[:])}
		if t := p.Consent; t != nil {
			l.ValidFor, l.Explicit, l.NoticeVersion, l.Notice, l.Purposes = t.ValidFor, t.Explicit, t.Notice.Version, t.Notice.Text, t.Notice.Purposes
		}
		add(LinePurpose, string(p.ID), l)
	}
	for _, ch := range reg.Channels {
		l := RegisterLine{Title: ch.Title, ChannelKind: ch.Kind, Purposes: ch.Purposes, Captures: ch.Captures, Obtains: ch.Obtains, Limits: limitsOf(ch.Limits)}
		if ch.Recipient != "" {
			l.Recipients = []string{ch.Recipient}
		}
		add(LineChannel, string(ch.ID), l)
	}
	for _, m := range reg.Matrix {
		add(LineCell, "", RegisterLine{Purpose: m.Purpose, Channel: m.Channel, Field: m.Field, As: reg.As(m.Purpose, m.Channel, m.Field)})
	}
	return lines
}

func limitsOf(l register.Limits) map[string]int {
	set := map[string]int{}
	for name, n := range map[string]int{"requests_per_minute": l.RequestsPerMinute, "people_per_day": l.PeoplePerDay,
		"empty_answers_per_day": l.EmptyAnswersPerDay, "captures_per_person_per_day": l.CapturesPerPersonPerDay} {
		if n > 0 {
			set[name] = n
		}
	}
	return set
}
