package vault

import (
	"context"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ProcessingActivities is the record of processing activities (Art. 30(1) GDPR),
// as the register in force says it.
type ProcessingActivities struct {
	Register   uint64     `json:"register"`
	At         time.Time  `json:"at" doc:"since when this revision is in force"`
	Controller Controller `json:"controller"`
	Activities []Activity `json:"activities"`
	Security   []string   `json:"security" doc:"what the vault does to keep the data safe (Art. 30(1)(g))"`
}

// Controller is who answers for the processing (Art. 30(1)(a)).
type Controller struct {
	Name      string `json:"name"`
	Contact   string `json:"contact"`
	Address   string `json:"address,omitempty"`
	Country   string `json:"country"`
	Authority string `json:"authority,omitempty"`
	DPO       string `json:"dpo,omitempty"`
}

// Activity is one purpose of processing (Art. 30(1)(b) to (f)).
type Activity struct {
	Purpose       privacy.PurposeID  `json:"purpose"`
	Title         privacy.Text       `json:"title"`
	Benefit       privacy.Text       `json:"benefit,omitempty"`
	DPV           string             `json:"dpv,omitempty"`
	Basis         privacy.LegalBasis `json:"basis"`
	Article       string             `json:"article"`
	Jurisdictions []string           `json:"jurisdictions,omitempty" doc:"of opt_out: where it holds"`
	Broader       privacy.PurposeID  `json:"broader,omitempty"`
	Profiling     bool               `json:"profiling,omitempty" doc:"it may use what a model inferred"`
	Fields        []ActivityField    `json:"fields"`
	Categories    []privacy.Category `json:"categories"`
	Special       bool               `json:"special" doc:"special categories are among them (Art. 9)"`
	Recipients    []string           `json:"recipients"`
	Channels      []ActivityChannel  `json:"channels" doc:"who reads for it"`
	Retention     string             `json:"retention,omitempty" doc:"absent: no end"`
	Notice        string             `json:"notice_version,omitempty"`
	ConsentFor    string             `json:"consent_valid_for,omitempty"`
}

// ActivityField is one field that a purpose uses.
type ActivityField struct {
	Field     privacy.FieldName   `json:"field"`
	Title     privacy.Text        `json:"title,omitempty"`
	Category  privacy.Category    `json:"category,omitempty"`
	Special   bool                `json:"special,omitempty"`
	Retention string              `json:"retention,omitempty" doc:"its own, which caps the purpose's; absent: none"`
	Captured  []privacy.ChannelID `json:"captured_by"`
}

// ActivityChannel is a channel that reads for a purpose.
type ActivityChannel struct {
	Channel   privacy.ChannelID            `json:"channel"`
	Kind      string                       `json:"kind"`
	Title     privacy.Text                 `json:"title,omitempty"`
	Recipient string                       `json:"recipient,omitempty" doc:"a third party reads here"`
	Shown     map[privacy.FieldName]string `json:"shown,omitempty" doc:"fields that the matrix withholds or masks there"`
}

// articles name what makes a basis lawful.
var articles = map[privacy.LegalBasis]string{
	privacy.Consent: "Art. 6(1)(a)", privacy.Contract: "Art. 6(1)(b)", privacy.LegalObligation: "Art. 6(1)(c)", privacy.VitalInterests: "Art. 6(1)(d)",
	privacy.PublicTask: "Art. 6(1)(e)", privacy.LegitimateInterests: "Art. 6(1)(f)", privacy.OptOut: "opt-out where the law allows it, else Art. 6(1)(a)",
}

// ProcessingActivities tells an officer the record of processing activities.
func (v *Vault) ProcessingActivities(ctx context.Context, by Caller) (*ProcessingActivities, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var out *ProcessingActivities
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		if now.gov.Register == 0 {
			return refuse(CodeNotFound, "no register was applied yet")
		}
		rev, err := v.revision(s, now.gov.Register)
		if err == nil {
			out = activities(now.register, rev.At)
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return out, nil
}

func activities(reg *register.Register, at time.Time) *ProcessingActivities {
	out := &ProcessingActivities{Register: reg.Revision, At: at, Controller: Controller(reg.Controller), Activities: []Activity{}, Security: []string{
		"Every value is sealed with AES-256-GCM under a key of the person's own, and bound to person, field and version.",
		"Reading needs a purpose that comes with the credential and the person's recorded say-so or ground; without either nothing is released.",
		"Every read is recorded in an append-only log with signed checkpoints before it is answered.",
		"What can let more out is approved by a second officer, where there is one.",
		"Erasure destroys the person's keys, so that copies made before are unreadable too.",
	}}
	for i := range reg.Purposes {
		p := &reg.Purposes[i]
		a := Activity{Purpose: p.ID, Title: p.Title, Benefit: p.Benefit, DPV: p.DPV, Basis: p.Basis, Article: articles[p.Basis], Jurisdictions: p.Jurisdictions,
			Broader: p.Broader, Profiling: p.Profiling, Fields: []ActivityField{}, Categories: []privacy.Category{}, Recipients: slices.Clone(p.Recipients), Channels: []ActivityChannel{}, Retention: periodText(p.Retention)}
		if p.Consent != nil {
			a.Notice, a.ConsentFor = p.Consent.Notice.Version, periodText(p.Consent.ValidFor)
		}
		for _, name := range p.Fields {
			f, ok := reg.Field(name)
			if !ok {
				continue // Parse refuses such a register
			}
			field := ActivityField{Field: name, Title: f.Title, Category: f.Category, Special: f.Special, Retention: periodText(f.Retention), Captured: []privacy.ChannelID{}}
			for _, c := range reg.Channels {
				if contains(c.Captures, name) {
					field.Captured = append(field.Captured, c.ID)
				}
			}
			if a.Fields = append(a.Fields, field); f.Category != "" && !contains(a.Categories, f.Category) {
				a.Categories = append(a.Categories, f.Category)
			}
			a.Special = a.Special || f.Special
		}
		for _, c := range reg.Channels {
			if !contains(c.Purposes, p.ID) {
				continue
			}
			channel := ActivityChannel{Channel: c.ID, Kind: c.Kind, Title: c.Title, Recipient: c.Recipient, Shown: map[privacy.FieldName]string{}}
			for _, name := range p.Fields {
				if as := reg.As(p.ID, c.ID, name); as != "" {
					channel.Shown[name] = as
				}
			}
			a.Channels = append(a.Channels, channel)
		}
		out.Activities = append(out.Activities, a)
	}
	return out
}

// periodText is a period as a register writes it, "" for none.
func periodText(p privacy.Period) string {
	text, _ := p.MarshalText() // which cannot fail
	return string(text)
}
