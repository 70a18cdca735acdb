package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func letterRoutes() []route {
	return []route{
		{pattern: "GET /console/requests/letters", do: func(v *visit) error { return v.renderLetter(letterPage{}) }},
		{pattern: "GET /console/requests/letters/new/{kind}", do: newLetter},
		{pattern: "POST /console/requests/letters/new/{kind}", do: enterLetter},
	}
}

// letterPage enters what somebody asked for by letter or phone: first of which kind it
// is, then the rest. What was typed comes back on the form alone, never in an address
// or a log.
type letterPage struct {
	Kinds       []vault.RequestKind
	Kind        vault.RequestKind // "": it is to be chosen
	Identifiers []fieldView
	By, Value   string // who it is about: a field that finds people, or "id"
	Reason      string
	Received    string // a day
	Awaiting    bool
	Roles       []string
	Role, Ref   string
	Never       bool

	Purposes []purposeView // of an objection
	Purpose  string
	Fields   []fieldView // of a contest
	Field    string

	Today  string
	Wrong  string // a message's key
	Detail string
}

func newLetter(v *visit) error {
	kind := vault.RequestKind(v.r.PathValue("kind"))
	if !slices.Contains(vault.RequestKinds, kind) {
		return errNotFound
	}
	return v.renderLetter(letterPage{Kind: kind})
}

func (v *visit) renderLetter(p letterPage) error {
	p.Kinds, p.Roles = vault.RequestKinds, []string{string(privacy.BySubject), string(privacy.ByGuardian), string(privacy.ByAgent)}
	p.Today = v.now().In(time.UTC).Format(time.DateOnly)
	d, _, err := v.register()
	if err != nil {
		return err
	}
	if d != nil {
		view := d.view()
		p.Fields, p.Purposes = view.Fields, view.Purposes
		for _, f := range view.Fields {
			if f.Identifier != "" {
				p.Identifiers = append(p.Identifiers, f)
			}
		}
	}
	status := http.StatusOK
	if p.Wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	return v.render(status, "letter.html", p)
}

// subject is whom a letter is about.
func (p *letterPage) subject() (vault.SubjectRef, error) {
	if p.By == "id" {
		id, err := privacy.ParseSubjectID(p.Value)
		return vault.SubjectRef{ID: id}, err
	}
	value, err := json.Marshal(p.Value)
	return vault.SubjectRef{Field: privacy.FieldName(p.By), Value: privacy.NewSensitive(value)}, err
}

// enterLetter asks the vault, which does by itself what needs nobody's decision.
func enterLetter(v *visit) error {
	p := letterPage{Kind: vault.RequestKind(v.r.PathValue("kind")), By: v.value("by"), Value: v.value("value"), Reason: v.value("reason"), Received: v.value("received"),
		Awaiting: v.value("awaiting") != "", Role: v.value("role"), Ref: v.value("ref"), Never: v.value("never") != "", Purpose: v.value("purpose"), Field: v.value("field")}
	if !slices.Contains(vault.RequestKinds, p.Kind) {
		return errNotFound
	}
	req := vault.EnterRequest{Kind: p.Kind, Reason: p.Reason, Awaiting: p.Awaiting, NeverContact: p.Never}
	switch p.Kind {
	case vault.RequestObjection:
		req.Purpose = privacy.PurposeID(p.Purpose)
	case vault.RequestContest:
		req.Field = privacy.FieldName(p.Field)
	}
	if p.Role != "" {
		req.By = &privacy.Actor{Role: privacy.Role(p.Role), Ref: p.Ref}
	}
	var err error
	if req.Subject, err = p.subject(); err != nil {
		p.Wrong = "letter.nobody"
		return v.renderLetter(p)
	}
	if p.Received != "" && p.Received != v.now().In(time.UTC).Format(time.DateOnly) { // today is now
		if req.Received, err = time.Parse(time.DateOnly, p.Received); err != nil {
			p.Wrong = "letter.day"
			return v.renderLetter(p)
		}
	}
	made, err := v.vault.EnterRequest(v.ctx, v.by, req)
	var refused *vault.Error
	switch {
	case errors.As(err, &refused) && refused.Code == vault.CodeUnknownSubject:
		p.Wrong = "letter.nobody"
	case errors.As(err, &refused) && (refused.Code == vault.CodeInvalidRequest || refused.Code == vault.CodeOneIdentifier):
		p.Wrong, p.Detail = "letter.wrong", refused.Detail
		if len(refused.Fields) > 0 {
			p.Detail = refused.Fields[0].Detail
		}
	case err != nil:
		return err
	default:
		return v.done("/console/requests/"+made.ID.String(), "letter_entered")
	}
	return v.renderLetter(p)
}
