package vault

import (
	"context"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Unread says which data is kept and how often anybody was shown it: what nobody
// reads need not be asked for (Art. 5(1)(c) GDPR).
type Unread struct {
	Reported
	People int           `json:"people" doc:"who are known now"`
	Fields []UnreadField `json:"fields" doc:"of the register in force, what nobody was shown first"`
}

// UnreadField is one field of the register.
type UnreadField struct {
	Field      privacy.FieldName   `json:"field"`
	Category   privacy.Category    `json:"category,omitempty"`
	Special    bool                `json:"special,omitempty"`
	Held       int                 `json:"held" doc:"people of whom there is a value now"`
	CapturedBy []privacy.ChannelID `json:"captured_by"`
	Shown      int                 `json:"shown" doc:"times it was shown, whole or masked"`
	Last       *time.Time          `json:"last,omitempty" doc:"the latest of them"`
	Purposes   []UnreadPurpose     `json:"purposes" doc:"those that list it"`
}

// UnreadPurpose is what was shown of a field for a purpose that lists it.
type UnreadPurpose struct {
	Purpose privacy.PurposeID `json:"purpose"`
	Shown   int               `json:"shown"`
}

// Unread tells officers what of the data that is kept was read in a time.
func (v *Vault) Unread(ctx context.Context, by Caller, req ReportRequest) (*Unread, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	out := &Unread{Reported: req.reported(), Fields: []UnreadField{}}
	type key struct {
		field   privacy.FieldName
		purpose privacy.PurposeID
	}
	shown, last := map[key]int{}, map[privacy.FieldName]time.Time{}
	err := v.eachQuestion(ctx, by, &req, &out.Reported, func(r *accessRecord) error {
		for _, f := range r.Released {
			shown[key{f, r.Purpose}]++
			shown[key{f, ""}]++
			last[f] = later(last[f], r.At)
		}
		for f := range r.Masked {
			shown[key{f, r.Purpose}]++
			shown[key{f, ""}]++
			last[f] = later(last[f], r.At)
		}
		return nil
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	held := map[privacy.FieldName]int{}
	at, _, _ := v.clock.now()
	err = v.eachStanding(ctx, by, func(p *person, reg *register.Register) {
		if p.standing.Phase != consent.Active {
			return
		}
		out.People++
		for i := range p.standing.Values {
			fact := &p.standing.Values[i]
			if f, ok := reg.Field(fact.Field); ok && !p.standing.Ended(reg, f, fact.Observed, at) {
				held[fact.Field]++
			}
		}
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	for i := range now.register.Fields {
		f := &now.register.Fields[i]
		row := UnreadField{Field: f.Name, Category: f.Category, Special: f.Special, Held: held[f.Name], Shown: shown[key{f.Name, ""}], CapturedBy: []privacy.ChannelID{}, Purposes: []UnreadPurpose{}}
		if t := last[f.Name]; !t.IsZero() {
			row.Last = &t
		}
		for _, c := range now.register.Channels {
			if contains(c.Captures, f.Name) {
				row.CapturedBy = append(row.CapturedBy, c.ID)
			}
		}
		for _, p := range now.register.Purposes {
			if contains(p.Fields, f.Name) {
				row.Purposes = append(row.Purposes, UnreadPurpose{Purpose: p.ID, Shown: shown[key{f.Name, p.ID}]})
			}
		}
		out.Fields = append(out.Fields, row)
	}
	slices.SortStableFunc(out.Fields, func(a, b UnreadField) int { return a.Shown - b.Shown })
	return out, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
