package profile

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// ErrMask is returned where a mask does not fit a value's type, or a value is
// not of that type: nothing may be shown then.
var ErrMask = errors.New("mask does not fit the value")

// Mask shows less of v, a normalised value of type t. Ages are those at now, in
// UTC. The result is canonical JSON again: true or false for over_16 and
// over_18, an object for city, else a string.
//
// Text that is too short to show a part of and still hide the rest is hidden
// as a whole.
func Mask(m privacy.Mask, t privacy.Type, v privacy.Sensitive, now time.Time) (privacy.Sensitive, error) {
	if !m.Fits(t) {
		return privacy.Sensitive{}, ErrMask
	}
	if m == privacy.MaskCity {
		return maskCity(v)
	}
	b, err := jsontext.AppendUnquote(nil, v.Reveal())
	if err != nil || len(b) == 0 {
		return privacy.Sensitive{}, ErrMask // the cause would quote the value
	}
	s := string(b)

	var masked string
	switch m {
	case privacy.MaskPartial:
		masked = maskPartial(s, t)
	case privacy.MaskInitial:
		masked = maskInitial(s, t)
	case privacy.MaskLast4:
		masked = maskLast4(s)
	default:
		return maskDate(m, s, now)
	}
	return privacy.NewSensitive(quote(masked)), nil
}

// maskPartial shows the first character of two or more, the last too of four
// or more, and an e-mail address's domain.
func maskPartial(s string, t privacy.Type) string {
	domain := ""
	if at := strings.LastIndexByte(s, '@'); t == privacy.TypeEmail && at >= 0 {
		s, domain = s[:at], s[at:]
	}
	c := characters(s)
	switch {
	case len(c) < 2:
		return stars(len(c)) + domain
	case len(c) < 4:
		return c[0] + stars(len(c)-1) + domain
	}
	return c[0] + stars(len(c)-2) + c[len(c)-1] + domain
}

// maskInitial shows the first letter where maskPartial would, and no more.
func maskInitial(s string, t privacy.Type) string {
	if at := strings.LastIndexByte(s, '@'); t == privacy.TypeEmail && at >= 0 {
		s = s[:at]
	}
	c := characters(s)
	first, _ := utf8.DecodeRuneInString(s)
	if len(c) < 2 || !unicode.IsLetter(first) || c[0]+"." == s {
		return "*"
	}
	return c[0] + "."
}

// maskLast4 shows the last four characters, or half of fewer than eight.
func maskLast4(s string) string {
	c := characters(s)
	show := min(4, len(c)/2)
	return stars(len(c)-show) + strings.Join(c[len(c)-show:], "")
}

// maskCity shows an address's locality and country.
func maskCity(v privacy.Sensitive) (privacy.Sensitive, error) {
	if jsontext.Value(v.Reveal()).Kind() != '{' {
		return privacy.Sensitive{}, ErrMask
	}
	members, ok := stringMembers(v.Reveal())
	if !ok {
		return privacy.Sensitive{}, ErrMask
	}
	var shown []string
	for _, name := range []string{"country", "locality"} {
		if s, ok := members[name]; ok {
			shown = append(shown, fmt.Sprintf("%s:%s", quote(name), quote(s)))
		}
	}
	return privacy.NewSensitive([]byte("{" + strings.Join(shown, ",") + "}")), nil
}

// maskDate shows a date's year, or what follows from a date of birth.
func maskDate(m privacy.Mask, s string, now time.Time) (privacy.Sensitive, error) {
	born, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return privacy.Sensitive{}, ErrMask // the cause would quote the value
	}
	show := func(s string) (privacy.Sensitive, error) { return privacy.NewSensitive([]byte(s)), nil }
	switch m {
	case privacy.MaskYear:
		return show(born.Format(`"2006"`))
	case privacy.MaskAgeBand:
		band, _ := ageBand(born, now)
		return show(string(quote(band)))
	case privacy.MaskOver16:
		return show(fmt.Sprint(isOver(born, 16, now)))
	case privacy.MaskOver18:
		return show(fmt.Sprint(isOver(born, 18, now)))
	}
	return privacy.Sensitive{}, ErrMask
}

// maxStars ends the row of stars, so that a mask does not grow with what it
// hides.
const maxStars = 12

func stars(hidden int) string { return strings.Repeat("*", min(hidden, maxStars)) }

// characters splits s into what a reader takes for characters: a letter stays
// with its marks.
func characters(s string) []string {
	var c []string
	for len(s) > 0 {
		end := norm.NFC.NextBoundaryInString(s, true)
		if end <= 0 {
			end = len(s)
		}
		c, s = append(c, s[:end]), s[end:]
	}
	return c
}
