package vault

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Denials says why channels were not told what they asked for.
type Denials struct {
	Reported
	Asked  int      `json:"asked" doc:"questions, answered or not"`
	Denied int      `json:"denied" doc:"of these, those by which nothing was released"`
	Partly int      `json:"partly" doc:"and those by which something was withheld and something released"`
	By     []Denial `json:"by" doc:"what came most often first"`
}

// Denial is one reason in one channel for one purpose.
type Denial struct {
	Channel   privacy.ChannelID  `json:"channel"`
	Purpose   privacy.PurposeID  `json:"purpose,omitempty" doc:"absent: one the register does not know"`
	Code      string             `json:"code"`
	Decisions int                `json:"decisions"`
	Fields    int                `json:"fields" doc:"fields withheld in them"`
	Last      time.Time          `json:"last"`
	Example   privacy.DecisionID `json:"example" doc:"the latest of them"`
}

type denialKey struct {
	channel privacy.ChannelID
	purpose privacy.PurposeID
	code    string
}

// Denials counts denials of a time by reason, to officers.
func (v *Vault) Denials(ctx context.Context, by Caller, req ReportRequest) (*Denials, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	out := &Denials{Reported: req.reported(), By: []Denial{}}
	rows := map[denialKey]*Denial{}
	err := v.eachQuestion(ctx, by, &req, &out.Reported, func(r *accessRecord) error {
		out.Asked++
		codes := map[string]int{}
		for _, code := range r.Withheld {
			codes[string(code)]++
		}
		purpose := r.Purpose
		switch {
		case r.Refused == CodeUnknownPurpose:
			purpose = "" // what the client called it may be anything
			fallthrough
		case r.Refused != "":
			out.Denied++
			codes[r.Refused] = 0
		case r.Dealt != nil && r.Dealt.Code != "":
			out.Denied++
			codes[r.Dealt.Code] = max(codes[r.Dealt.Code], 0)
		case len(r.Asked) > 0 && len(r.Withheld) == len(r.Asked):
			out.Denied++
		case len(r.Withheld) > 0:
			out.Partly++
		}
		for code, fields := range codes {
			k := denialKey{r.Channel, purpose, code}
			row := rows[k]
			if row == nil {
				row = &Denial{Channel: r.Channel, Purpose: purpose, Code: code}
				rows[k] = row
			}
			row.Decisions++
			row.Fields += fields
			if !r.At.Before(row.Last) {
				row.Last, row.Example = r.At, r.Decision
			}
		}
		return nil
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	for _, row := range slices.SortedFunc(maps.Values(rows), func(a, b *Denial) int {
		return cmp.Or(cmp.Compare(b.Decisions, a.Decisions), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Code, b.Code))
	}) {
		out.By = append(out.By, *row)
	}
	return out, nil
}

// Gaps says what channels asked for that the register does not map: a field that
// the purpose does not list, a purpose that the channel does not hold.
type Gaps struct {
	Reported
	Gaps []Gap `json:"gaps" doc:"what was asked most often first"`
}

// Gap is one of them.
type Gap struct {
	Channel privacy.ChannelID  `json:"channel"`
	Purpose privacy.PurposeID  `json:"purpose,omitempty" doc:"absent: one the register does not know"`
	Field   privacy.FieldName  `json:"field,omitempty" doc:"absent: the purpose itself was refused"`
	Code    string             `json:"code" enum:"field_not_in_purpose,purpose_not_granted,unknown_purpose"`
	Asked   int                `json:"asked"`
	First   time.Time          `json:"first"`
	Last    time.Time          `json:"last"`
	Example privacy.DecisionID `json:"example" doc:"the latest decision"`
	Closed  bool               `json:"closed" doc:"the register in force maps it"`
}

type gapKey struct {
	denialKey
	field privacy.FieldName
}

// Gaps tells officers what channels asked for in vain because nothing maps it,
// whatever anybody says.
func (v *Vault) Gaps(ctx context.Context, by Caller, req ReportRequest) (*Gaps, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	out := &Gaps{Reported: req.reported(), Gaps: []Gap{}}
	rows := map[gapKey]*Gap{}
	declared := map[uint64]map[privacy.FieldName]bool{}
	err := v.eachQuestion(ctx, by, &req, &out.Reported, func(r *accessRecord) error {
		count := func(purpose privacy.PurposeID, field privacy.FieldName, code string) {
			k := gapKey{denialKey{r.Channel, purpose, code}, field}
			row := rows[k]
			if row == nil {
				row = &Gap{Channel: r.Channel, Purpose: purpose, Field: field, Code: code, First: r.At}
				rows[k] = row
			}
			row.Asked++
			if r.At.Before(row.First) {
				row.First = r.At
			}
			if !r.At.Before(row.Last) {
				row.Last, row.Example = r.At, r.Decision
			}
		}
		switch r.Refused {
		case CodeUnknownPurpose:
			count("", "", r.Refused)
		case CodePurposeNotGranted:
			count(r.Purpose, "", r.Refused)
		}
		for field, code := range r.Withheld {
			if code != privacy.CodeFieldNotInPurpose {
				continue
			}
			if declared[r.Register] == nil {
				known, err := v.declared(ctx, r.Register)
				if err != nil {
					return err
				}
				declared[r.Register] = known
			}
			if !declared[r.Register][field] {
				field = "…"
			}
			count(r.Purpose, field, string(code))
		}
		return nil
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		channel, held := now.register.Channel(row.Channel)
		purpose, known := now.register.Purpose(row.Purpose)
		row.Closed = held && known && contains(channel.Purposes, row.Purpose) && (row.Field == "" || contains(purpose.Fields, row.Field))
	}
	for _, row := range slices.SortedFunc(maps.Values(rows), func(a, b *Gap) int {
		return cmp.Or(cmp.Compare(b.Asked, a.Asked), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Code, b.Code))
	}) {
		out.Gaps = append(out.Gaps, *row)
	}
	return out, nil
}
