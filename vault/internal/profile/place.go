package profile

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/language"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The longest member of an address, and the longest address in one piece.
const (
	maxMember    = 500
	maxFormatted = 2000
)

// Members of an address claim (OIDC Core 5.1.1), sorted as they are kept.
var addressMembers = []string{"country", "formatted", "locality", "postal_code", "region", "street_address"}

// address reads an OIDC address claim: its members are strings, empty ones are
// left out, and the country becomes its code.
func address(value jsontext.Value) ([]byte, *fault) {
	wrong := &fault{InvalidType, "expected an object with some of the strings " + strings.Join(addressMembers, ", ")}
	if value.Kind() != '{' {
		return nil, wrong
	}
	members, ok := stringMembers(value)
	if !ok {
		return nil, wrong
	}
	out := []byte("{")
	for _, name := range addressMembers {
		s, given := members[name]
		delete(members, name)
		if s = clean(s); !given || s == "" {
			continue
		}
		limit := maxMember
		switch name {
		case "formatted":
			limit = maxFormatted
			fallthrough
		case "street_address":
			s, ok = lines(s)
		default:
			ok = !strings.ContainsFunc(s, privacy.Steers)
		}
		if len(s) > limit {
			return nil, &fault{TooLong, name + ": expected at most 500 bytes, or 2000 in formatted"}
		}
		if !ok {
			return nil, &fault{InvalidType, name + ": expected text without control characters"}
		}
		if name == "country" {
			if s, ok = countryNamed(s); !ok {
				return nil, &fault{InvalidCountry, "country: expected an ISO 3166-1 code such as DE, or the country's name in English"}
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quote(name)...), ':'), quote(s)...)
	}
	if len(members) > 0 {
		return nil, wrong
	}
	if len(out) == 1 {
		return nil, &fault{Empty, "expected an address with at least one member; leave the field out if there is none"}
	}
	return append(out, '}'), nil
}

// stringMembers returns the members of an object, and false if one of them is
// not a string.
func stringMembers(value []byte) (map[string]string, bool) {
	members := map[string]string{}
	from := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := from.ReadToken(); err != nil {
		return nil, false
	}
	for from.PeekKind() == '"' {
		token, err := from.ReadToken()
		if err != nil {
			return nil, false
		}
		name := token.String()
		if token, err = from.ReadToken(); err != nil || token.Kind() != '"' {
			return nil, false
		}
		members[name] = token.String()
	}
	return members, true
}

// countryCode checks an ISO 3166-1 alpha-2 code, in either case. Names are not
// guessed.
func countryCode(s string) (string, *fault) {
	code := strings.ToUpper(s)
	if !isCountry(code) {
		return "", &fault{InvalidCountry, "expected an ISO 3166-1 alpha-2 country code such as DE"}
	}
	return code, nil
}

// countryNamed returns the code of a country given by alpha-2 or alpha-3 code
// or by its name in English. What is none of these is no country: it is not
// guessed from something similar.
func countryNamed(s string) (string, bool) {
	if code := strings.ToUpper(s); isCountry(code) {
		return code, true
	}
	if len(s) == 3 {
		region, err := language.ParseRegion(s)
		if err == nil && strings.EqualFold(region.ISO3(), s) && isCountry(region.String()) {
			return region.String(), true
		}
	}
	code, ok := countryNames()[fold(strings.Join(strings.Fields(s), " "))]
	return code, ok
}
