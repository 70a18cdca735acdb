package privacy

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func dataRoutes() []route {
	return []route{
		{"GET /privacy/data", showData, false},
		{"GET /privacy/data/{field}", showCorrection, false},
		{"POST /privacy/data/{field}", correct, false},
	}
}

// dataPage is all that is known.
type dataPage struct {
	Full   bool
	From   string
	Values []value
}

// value is one thing that is known, in words.
type value struct {
	Field    privacy.FieldName
	Title    string
	Lines    []string
	Masked   bool
	Special  bool
	Since    time.Time
	Origin   string // a sentence: who told it, or what worked it out
	Verified bool
	Until    time.Time
	For      []holding
}

type holding struct {
	Title string
	Why   string // the legal basis in words
	Until time.Time
}

func showData(v *visit) error {
	me, err := v.vault.Me(v.ctx, v.by)
	if err != nil {
		return err
	}
	p := dataPage{Full: me.Full, From: v.channel(v.by.Client.Channel)}
	for i := range me.Values {
		p.Values = append(p.Values, v.valueOf(&me.Values[i]))
	}
	return v.render(http.StatusOK, "data.html", p)
}

func (v *visit) valueOf(known *vault.OwnValue) value {
	one := value{Field: known.Field, Title: v.titles.field(known.Field), Lines: v.show(known.Value.Reveal()), Masked: known.Mask != "",
		Special: known.Special, Since: known.Recorded, Verified: known.Verified, Until: known.Until}
	from := v.channel(known.Channel)
	switch {
	case known.Inference != nil:
		one.Origin = v.say("origin.model", "model", known.Inference.Model, "channel", from)
	case known.Origin == privacy.Inferred:
		one.Origin = v.say("origin.inferred", "channel", from)
	case known.Origin == privacy.Observed:
		one.Origin = v.say("origin.observed", "channel", from)
	case known.Channel == vault.SelfChannel:
		one.Origin = v.say("origin.self")
	default:
		one.Origin = v.say("origin.declared", "channel", from)
	}
	for _, h := range known.For {
		one.For = append(one.For, holding{Title: v.titles.purpose(h.Purpose), Why: v.say("basis." + string(h.Basis)), Until: h.Until})
	}
	return one
}

// correctionPage is a form for one value.
type correctionPage struct {
	Field   privacy.FieldName
	Title   string
	Kind    string // of the input: text, email, tel, date, number, url, boolean, address; "" if it cannot be typed
	Now     []string
	Text    string            // what stands in the input
	Parts   []addressPart     // or in those of an address
	Problem string            // what is wrong with what was typed
	parts   map[string]string // of an address
}

type addressPart struct{ Name, Text, Autocomplete string }

// addressParts are the inputs of an address, in the order in which people write one.
var addressParts = []addressPart{
	{Name: "street_address", Autocomplete: "street-address"}, {Name: "postal_code", Autocomplete: "postal-code"},
	{Name: "locality", Autocomplete: "address-level2"}, {Name: "region", Autocomplete: "address-level1"}, {Name: "country", Autocomplete: "country"},
}

// inputs are the kinds of inputs by type of field.
var inputs = map[privacy.Type]string{
	privacy.TypeString: "text", privacy.TypeEmail: "email", privacy.TypePhone: "tel", privacy.TypeDate: "date", privacy.TypeNumber: "number",
	privacy.TypeBoolean: "boolean", privacy.TypeAddress: "address", privacy.TypeCountry: "text", privacy.TypeLanguage: "text", privacy.TypeURL: "url",
}

// correction finds the value that a page is about. What is not known, and what a
// session may not see, is not there.
func (v *visit) correction() (*correctionPage, error) {
	me, err := v.vault.Me(v.ctx, v.by)
	if err != nil {
		return nil, err
	}
	if !me.Full {
		return nil, &vault.Error{Code: vault.CodeStepUpRequired}
	}
	for i := range me.Values {
		known := &me.Values[i]
		if string(known.Field) != v.r.PathValue("field") {
			continue
		}
		raw := known.Value.Reveal()
		p := &correctionPage{Field: known.Field, Title: v.titles.field(known.Field), Kind: inputs[v.titles.fields[known.Field].Type], Now: v.show(raw)}
		switch p.Kind {
		case "address":
			if json.Unmarshal(raw, &p.parts) != nil {
				p.Kind = "" // it holds more than texts
			}
		case "number", "boolean":
			p.Text = string(raw)
		case "":
		default:
			if err := json.Unmarshal(raw, &p.Text); err != nil {
				return nil, errors.New("a value is not of its type")
			}
		}
		return p, nil
	}
	return nil, errNotFound
}

// ready fills in the parts of an address.
func (p *correctionPage) ready() *correctionPage {
	if p.Kind != "address" {
		return p
	}
	for _, part := range addressParts {
		part.Text = p.parts[part.Name]
		p.Parts = append(p.Parts, part)
	}
	return p
}

func showCorrection(v *visit) error {
	p, err := v.correction()
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, "correct.html", p.ready())
}

// correct keeps what the person says is right.
func correct(v *visit) error {
	p, err := v.correction()
	if err != nil {
		return err
	}
	var typed any
	switch p.Kind {
	case "":
		return errNotFound
	case "address":
		p.parts = map[string]string{}
		for _, part := range addressParts {
			if text := v.value(part.Name); text != "" {
				p.parts[part.Name] = text
			}
		}
		typed = p.parts
	case "number", "boolean":
		p.Text = strings.ReplaceAll(v.value("value"), ",", ".")
		typed = json.RawMessage(p.Text)
	default:
		p.Text = v.value("value")
		typed = p.Text
	}
	raw, err := json.Marshal(typed)
	if err == nil && (p.Text != "" || len(p.parts) > 0) {
		_, err = v.vault.Correct(v.ctx, v.by, []vault.CapturedField{{Field: p.Field, Value: privacy.NewSensitive(raw)}})
	} else {
		err = &vault.Error{Code: vault.CodeInvalidRequest}
	}
	switch {
	case isCode(err, vault.CodeInvalidRequest):
		p.Problem = "correct.problem"
	case isCode(err, vault.CodeIdentityConflict):
		p.Problem = "correct.taken"
	case err != nil:
		return err
	default:
		return v.done("/privacy/data#"+string(p.Field), "corrected", "field", p.Title)
	}
	return v.render(http.StatusUnprocessableEntity, "correct.html", p.ready())
}
