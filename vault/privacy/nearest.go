package privacy

import (
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Nearest returns the word that was probably meant by what was written, or "" if
// none is close. What is written may be anybody's input and never comes back:
// what is returned is one of the words, so they must be such as may be told.
func Nearest[T ~string](written string, words []T) (nearest T) {
	const (
		longest = 64 // of a name; more costs more and names nothing
		far     = 3  // two mistakes are a slip, three another word
	)
	if len(written) > longest {
		return ""
	}
	least := far
	for _, w := range words {
		if d := levenshtein.ComputeDistance(written, string(w)); d > 0 && d < least && d < utf8.RuneCountInString(string(w)) {
			least, nearest = d, w
		}
	}
	return nearest
}
