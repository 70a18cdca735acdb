package console

import (
	"strings"

	"github.com/sayso-vault/sayso/vault"
)

// changeView is a line of a change of the register with what makes it readable:
// what a cell of the matrix shows before and after, and the reason in the reader's
// language, where that is known. The judgement is the vault's.
type changeView struct {
	vault.Change
	Cell bool   // From and To are what a cell of the matrix says
	Said string // Why, in the language of the page; "" if there are no words for it
}

// explain makes lines of a change readable. The texts of the register before and
// after are needed for cells alone, and may be nil.
func (v *visit) explain(changes []vault.Change, before, after []byte) []changeView {
	was, is := viewOf(before), viewOf(after)
	lang := v.say("lang")
	out := make([]changeView, 0, len(changes))
	for _, c := range changes {
		line := changeView{Change: c}
		if lang != "en" {
			if said, err := v.site.SayIn(lang, "why."+c.Why); err == nil {
				line.Said = said
			}
		}
		path, matrix := strings.CutPrefix(c.Path, "matrix.")
		if at := strings.SplitN(path, "/", 3); matrix && len(at) == 3 && was != nil && is != nil {
			field, _, _ := strings.Cut(at[2], ".")
			line.Cell, line.From, line.To = true, was.As(at[0], at[1], field), is.As(at[0], at[1], field)
		}
		out = append(out, line)
	}
	return out
}

// viewOf reads a register's text, nil if there is none.
func viewOf(text []byte) *registerView {
	d, err := parseDocument(text)
	if err != nil {
		return nil
	}
	return d.view()
}
