package privacy

import (
	"math"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func contestRoutes() []route {
	return []route{{"POST /privacy/data/{field}/contest", contest, false}}
}

// contested is what a program worked out and the person says is not right.
type contested struct {
	Since time.Time
	Due   time.Time // by when it is decided; zero: nobody is asked to
}

// guessOf adds to a value what there is to say of one that a program worked out.
func (v *visit) guessOf(one *value, known *vault.OwnValue) {
	if known.Origin != privacy.Inferred {
		return
	}
	one.Guess = true
	if known.Inference != nil {
		one.Sure = v.say("data.sure", "percent", strconv.Itoa(int(math.Round(known.Inference.Confidence*100))))
	}
	if c := known.Contested; c != nil {
		one.Contested = &contested{Since: c.Since, Due: c.Due}
	}
}

// contest says that what a program worked out is not right. In a session of a channel
// the value is not shown any more then, so that the words stand above all others.
func contest(v *visit) error {
	field := privacy.FieldName(v.r.PathValue("field"))
	made, err := v.vault.ContestOwn(v.ctx, v.by, field, v.value("reason"), nil)
	switch {
	case isCode(err, vault.CodeInvalidRequest):
		return errNotFound // no button leads here
	case err != nil:
		return err
	case made.Request == nil:
		return v.done("/privacy/data", "contested_there", "field", v.titles.field(field))
	}
	return v.doneAt("/privacy/data", string(field), "contested", "field", v.titles.field(field))
}
