package console

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func lookupRoutes() []route {
	return []route{
		{pattern: "GET /console/lookup", do: func(v *visit) error { return v.renderLookup(lookupPage{}) }},
		{pattern: "POST /console/lookup", do: lookUp},
	}
}

// lookupPage finds who holds an identifier. It shows an ID and no value; what was
// typed comes back on the form alone, never in an address or a log.
type lookupPage struct {
	Identifiers          []fieldView
	Field, Value, Reason string
	Subject              string
	Wrong                string // a message's key
	Detail               string
}

func (v *visit) renderLookup(p lookupPage) error {
	d, _, err := v.register()
	if err != nil {
		return err
	}
	if d != nil {
		for _, f := range d.view().Fields {
			if f.Identifier != "" {
				p.Identifiers = append(p.Identifiers, f)
			}
		}
	}
	status := http.StatusOK
	if p.Wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	return v.render(status, "lookup.html", p)
}

// lookUp asks the vault, which records it with the reason for the person to see.
func lookUp(v *visit) error {
	p := lookupPage{Field: v.value("field"), Value: v.value("value"), Reason: v.value("reason")}
	value, err := json.Marshal(p.Value)
	if err != nil {
		return err
	}
	ref := vault.SubjectRef{Field: privacy.FieldName(p.Field), Value: privacy.NewSensitive(value)}
	found, err := v.vault.Lookup(v.ctx, v.by, ref, p.Reason)
	var refused *vault.Error
	switch {
	case errors.As(err, &refused) && refused.Code == vault.CodeUnknownSubject:
		p.Wrong = "lookup.nobody"
	case errors.As(err, &refused) && (refused.Code == vault.CodeInvalidRequest || refused.Code == vault.CodeOneIdentifier):
		p.Wrong, p.Detail = "lookup.wrong", refused.Detail
		if len(refused.Fields) > 0 {
			p.Detail = refused.Fields[0].Detail
		}
	case err != nil:
		return err
	default:
		p.Subject = found.String()
	}
	return v.renderLookup(p)
}
