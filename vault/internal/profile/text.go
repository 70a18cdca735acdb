package profile

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// maxLine is the longest text of one line, in bytes.
const maxLine = 4096

// clean composes s (NFC) and takes white space off its ends, the invisible
// kinds that copying brings along included.
func clean(s string) string {
	return strings.TrimFunc(norm.NFC.String(s), func(r rune) bool {
		return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff'
	})
}

// line checks text of one line. Its look-up form takes compatible characters
// and any white space as one, and keeps letter case: customer numbers exist
// that differ in nothing else, and two persons must not become one.
func line(s string) (kept, lookup string, wrong *fault) {
	if len(s) > maxLine {
		return "", "", &fault{TooLong, "expected at most 4096 bytes"}
	}
	if strings.ContainsFunc(s, privacy.Steers) {
		return "", "", &fault{InvalidType, "expected one line of text without control characters"}
	}
	lookup = strings.Join(strings.Fields(norm.NFKC.String(s)), " ")
	if lookup == "" {
		lookup = s
	}
	return s, lookup, nil
}

// lines checks text that may have several lines, which end in "\n" afterwards.
func lines(s string) (string, bool) {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return s, !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && privacy.Steers(r) })
}

// invisible reports characters that are there without being seen.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// fold returns s for comparison without regard to case or compatible forms, so
// that folding what was folded changes nothing (Unicode 3.13, D146).
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	folder := cases.Fold()
	for range 2 {
		s = strings.Map(cherokee, folder.String(norm.NFKD.String(s)))
	}
	return norm.NFKC.String(s)
}

// cherokee turns the small letters of Cherokee into the large ones they fold
// to; folding by x/text swaps the two instead.
func cherokee(r rune) rune {
	switch {
	case r >= 0xab70 && r <= 0xabbf:
		return r - 0xab70 + 0x13a0
	case r >= 0x13f8 && r <= 0x13fd:
		return r - 8
	}
	return r
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}
