package privacy

import (
	"net/http"
	"slices"
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

// has says whether a field is on the page.
func (p dataPage) has(field string) bool {
	return slices.ContainsFunc(p.Values, func(one value) bool { return string(one.Field) == field })
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

	Guess     bool       // a program worked it out
	Sure      string     // a sentence: how sure it was
	Contested *contested // nil: the person does not say that it is not right
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
	one := value{Field: known.Field, Title: v.titles.field(known.Field), Lines: v.show(known.Field, known.Value.Reveal()), Masked: known.Mask != "",
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
	v.guessOf(&one, known)
	for _, h := range known.For {
		one.For = append(one.For, holding{Title: v.titles.purpose(h.Purpose), Why: v.say("basis." + string(h.Basis)), Until: h.Until})
	}
	return one
}
