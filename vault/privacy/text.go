package privacy

import (
	"maps"
	"slices"
)

// Text is what people read, by language (BCP 47). A text in one unnamed
// language stands under "".
type Text map[string]string

// In returns the text in the first of the languages it exists in, else the
// unnamed one, else English, else the first by language.
func (t Text) In(languages ...string) string {
	for _, l := range append(slices.Clone(languages), "", "en") {
		if s, ok := t[l]; ok {
			return s
		}
	}
	for _, l := range slices.Sorted(maps.Keys(t)) {
		return t[l]
	}
	return ""
}
