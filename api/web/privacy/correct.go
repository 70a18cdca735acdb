package privacy

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// correctionPage is a form for one value, with an input for each of its parts.
type correctionPage struct {
	Field     privacy.FieldName
	Title     string
	Now       []string
	Parts     []part // none: it cannot be typed
	Problem   string // what is wrong with what was typed
	Countries []choice
	whole     func([]part) (any, error)
}

// part is one input of a form. Message keys name what most of them are called.
type part struct {
	Name         string
	Label        string // "": the value is this part alone
	Kind         string // text, lines, email, tel, date, number, url, boolean, country or language
	Text         string
	Autocomplete string
	Needed       bool // the value cannot be without it
	Wrong        bool
}

// inputs are the kinds of inputs by type of field.
var inputs = map[privacy.Type]string{
	privacy.TypeString: "text", privacy.TypeEmail: "email", privacy.TypePhone: "tel", privacy.TypeDate: "date", privacy.TypeNumber: "number",
	privacy.TypeBoolean: "boolean", privacy.TypeCountry: "country", privacy.TypeLanguage: "language", privacy.TypeURL: "url",
}

// errTyped is that something typed cannot be read.
var errTyped = errors.New("what was typed cannot be read")

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
	at := slices.IndexFunc(me.Values, func(known vault.OwnValue) bool { return string(known.Field) == v.r.PathValue("field") })
	if at < 0 {
		return nil, errNotFound
	}
	known := &me.Values[at]
	raw := known.Value.Reveal()
	p := &correctionPage{Field: known.Field, Title: v.titles.field(known.Field), Now: v.show(known.Field, raw)}
	switch typ := v.titles.fields[known.Field].Type; typ {
	case privacy.TypeAddress:
		err = p.asAddress(v, raw)
	case privacy.TypeObject:
		err = p.asObject(v, raw)
	default:
		err = p.asOne(v, inputs[typ], raw)
	}
	if err != nil {
		return nil, errors.New("a value is not of its type") // without it
	}
	if slices.ContainsFunc(p.Parts, func(one part) bool { return one.Kind == "country" }) {
		p.Countries = v.countries()
	}
	return p, nil
}

// asOne makes the form of a value in one piece.
func (p *correctionPage) asOne(v *visit, kind string, raw []byte) error {
	if kind == "" {
		return nil // the register declares it no more
	}
	one := part{Name: "value", Kind: kind, Needed: true}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	one.Text = v.typed(value)
	p.Parts = []part{one}
	p.whole = func(typed []part) (any, error) { return v.read(&typed[0]) }
	return nil
}

// typed is a single value as it stands in an input.
func (v *visit) typed(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		if value {
			return "true"
		}
		return "false"
	case float64:
		return v.number(value)
	}
	return ""
}

// read is what was typed into a part, nil if nothing was.
func (v *visit) read(one *part) (any, error) {
	switch {
	case one.Text == "":
		one.Wrong = one.Needed
	case one.Kind == "number":
		number := json.RawMessage(strings.Replace(strings.ReplaceAll(one.Text, " ", ""), v.say("decimal"), ".", 1))
		var n float64
		if json.Unmarshal(number, &n) == nil {
			return number, nil // to the last digit
		}
		one.Wrong = true
	case one.Kind == "boolean":
		if one.Text == "true" || one.Text == "false" {
			return one.Text == "true", nil
		}
		one.Wrong = true
	default:
		return one.Text, nil
	}
	if one.Wrong {
		return nil, errTyped
	}
	return nil, nil
}

// addressParts are the inputs of an address, in the order in which people write one.
var addressParts = []part{
	{Name: "street_address", Kind: "lines", Autocomplete: "street-address"}, {Name: "postal_code", Kind: "text", Autocomplete: "postal-code"},
	{Name: "locality", Kind: "text", Autocomplete: "address-level2"}, {Name: "region", Kind: "text", Autocomplete: "address-level1"},
	{Name: "country", Kind: "country", Autocomplete: "country"},
}

// asAddress makes the form of an address. One in a single piece gets an input of
// its own beside those of its parts; where parts are typed, they are the address.
func (p *correctionPage) asAddress(v *visit, raw []byte) error {
	var members map[string]string
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	for _, one := range addressParts {
		one.Label, one.Text = v.say("address."+one.Name), members[one.Name]
		p.Parts = append(p.Parts, one)
	}
	if whole := members["formatted"]; whole != "" && len(members) == 1 {
		p.Parts = slices.Insert(p.Parts, 0, part{Name: "formatted", Label: v.say("address.formatted"), Kind: "lines", Text: whole})
	}
	p.whole = func(typed []part) (any, error) {
		address := map[string]string{}
		for _, one := range typed {
			if one.Text != "" {
				address[one.Name] = one.Text
			}
		}
		if len(address) > 1 {
			delete(address, "formatted")
		}
		if len(address) == 0 {
			return nil, errTyped
		}
		return address, nil
	}
	return nil
}

// countries are those that a value may name, by what they are called.
func (v *visit) countries() []choice {
	var all []choice
	for _, code := range vault.Countries() {
		all = append(all, choice{Value: code, Title: v.country(code)})
	}
	order := collate.New(language.Make(v.lang))
	slices.SortFunc(all, func(a, b choice) int { return order.CompareString(a.Title, b.Title) })
	return all
}

func showCorrection(v *visit) error {
	p, err := v.correction()
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, "correct.html", p)
}

// correct keeps what the person says is right.
func correct(v *visit) error {
	p, err := v.correction()
	if err != nil {
		return err
	}
	if p.Parts == nil {
		return errNotFound
	}
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	for i := range p.Parts {
		if one := &p.Parts[i]; v.r.PostForm.Has(one.Name) { // what came since the form was shown stays
			one.Text = strings.ReplaceAll(v.value(one.Name), "\r\n", "\n")
		}
	}
	value, err := p.whole(p.Parts)
	if err == nil {
		var raw []byte
		if raw, err = json.Marshal(value); err != nil {
			return err
		}
		_, err = v.vault.Correct(v.ctx, v.by, []vault.CapturedField{{Field: p.Field, Value: privacy.NewSensitive(raw)}})
	}
	switch {
	case err == nil:
		return v.doneAt("/privacy/data", string(p.Field), "corrected", "field", p.Title)
	case errors.Is(err, errTyped), isCode(err, vault.CodeInvalidRequest):
		p.Problem = "correct.problem"
	case isCode(err, vault.CodeIdentityConflict):
		p.Problem = "correct.taken"
	default:
		return err
	}
	if len(p.Parts) == 1 {
		p.Parts[0].Wrong = true
	}
	return v.render(http.StatusUnprocessableEntity, "correct.html", p)
}
