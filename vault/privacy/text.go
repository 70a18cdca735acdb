package privacy

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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

// Steers reports whether a character does something to what shows a text
// instead of being seen in it: control characters, among them those that begin a
// terminal's commands, line separators, and what turns the direction of what
// follows. One person's words with them would show another something else than
// what they are.
func Steers(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// Plain reports whether a text is UTF-8 and has no character that steers what
// shows it, but for line breaks.
func Plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return Steers(r) && r != '\n' })
}
