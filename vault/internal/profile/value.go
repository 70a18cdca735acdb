package profile

import (
	"bytes"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Value is a normalised value.
type Value struct {
	// JSON is the canonical JSON of the value, as it is sealed and read back.
	JSON privacy.Sensitive
	// Lookup is the form the blind index is made of; "" for a field that is
	// no identifier. It is as personal as the value itself: index it, never
	// store, log or print it.
	Lookup string
}

// Equal reports whether two values are the same as read back. Values of one
// look-up form can differ: Ada@example.org and ada@example.org do.
func Equal(a, b Value) bool { return bytes.Equal(a.JSON.Reveal(), b.JSON.Reveal()) }

// FieldError says why a value was refused and what was expected. It never
// holds the value or any part of it.
type FieldError struct {
	Field  privacy.FieldName `json:"field"`
	Code   string            `json:"code"`
	Detail string            `json:"detail"`
}

// Error returns field, code and detail.
func (e *FieldError) Error() string { return string(e.Field) + ": " + e.Code + ": " + e.Detail }

// The codes of a FieldError.
const (
	InvalidEmail    = "invalid_email"
	InvalidPhone    = "invalid_phone"
	InvalidDate     = "invalid_date"
	InvalidCountry  = "invalid_country"
	InvalidLanguage = "invalid_language"
	InvalidURL      = "invalid_url"
	InvalidType     = "invalid_type"
	TooLong         = "too_long"
	Empty           = "empty"
)

// fault is a FieldError before it is known of which field.
type fault struct{ code, detail string }

func (f *fault) of(name privacy.FieldName) *FieldError {
	return &FieldError{Field: name, Code: f.code, Detail: f.detail}
}

// maxRaw bounds what is looked at at all.
const maxRaw = 64 << 10

// Normalise reads the JSON a channel sent as a value of field f. Telephone
// numbers without an international prefix are taken as numbers of country, an
// ISO 3166-1 alpha-2 code; "" takes none. A date of birth after tomorrow is
// refused, seen from now.
func Normalise(f *register.Field, raw []byte, country string, now time.Time) (Value, *FieldError) {
	json, lookup, wrong := read(f, raw, country, now)
	if wrong != nil {
		return Value{}, wrong.of(f.Name)
	}
	if f.Identifier == register.NotIdentifier {
		lookup = ""
	}
	return Value{JSON: privacy.NewSensitive(json), Lookup: lookup}, nil
}

// LookupForm returns the form in which an identifier asked about is looked up:
// the Lookup that Normalise gives for the same value. It refuses a field that
// is no identifier.
func LookupForm(f *register.Field, raw []byte, country string) (string, *FieldError) {
	if f.Identifier == register.NotIdentifier {
		return "", &FieldError{f.Name, InvalidType, "expected a field that is an identifier"}
	}
	_, lookup, wrong := read(f, raw, country, time.Time{})
	if wrong == nil && lookup == "" {
		wrong = &fault{InvalidType, "expected a field of a type that can be looked up"}
	}
	if wrong != nil {
		return "", wrong.of(f.Name)
	}
	return lookup, nil
}

// read returns the canonical JSON and, for the types that can be looked up,
// the look-up form.
func read(f *register.Field, raw []byte, country string, now time.Time) (json []byte, lookup string, wrong *fault) {
	value, wrong := parse(raw)
	if wrong != nil {
		return nil, "", wrong
	}
	switch f.Type {
	case privacy.TypeNumber:
		json, wrong = number(value)
		return json, "", wrong
	case privacy.TypeBoolean:
		if k := value.Kind(); k != 't' && k != 'f' {
			return nil, "", &fault{InvalidType, "expected true or false"}
		}
		return bytes.Clone(value), "", nil
	case privacy.TypeObject:
		json, wrong = object(value)
		return json, "", wrong
	case privacy.TypeAddress:
		json, wrong = address(value)
		return json, "", wrong
	}

	s, wrong := text(value)
	if wrong != nil {
		return nil, "", wrong
	}
	switch f.Type {
	case privacy.TypeString:
		s, lookup, wrong = line(s)
	case privacy.TypeEmail:
		s, lookup, wrong = email(s)
	case privacy.TypePhone:
		s, wrong = phone(s, country)
		lookup = s
	case privacy.TypeDate:
		s, wrong = date(s, isBirthdate(f), now)
	case privacy.TypeCountry:
		s, wrong = countryCode(s)
	case privacy.TypeLanguage:
		s, wrong = languageTag(s)
	case privacy.TypeURL:
		s, wrong = webAddress(s)
	default:
		wrong = &fault{InvalidType, "expected a field of a known type"}
	}
	if wrong != nil {
		return nil, "", wrong
	}
	return quote(s), lookup, nil
}

// parse checks that raw is one strict JSON value: valid UTF-8, no name twice.
func parse(raw []byte) (jsontext.Value, *fault) {
	if len(raw) > maxRaw {
		return nil, &fault{TooLong, "expected at most 64 KiB"}
	}
	value := jsontext.Value(bytes.Trim(raw, " \t\r\n"))
	if len(value) == 0 {
		return nil, &fault{Empty, "expected a value; leave the field out if there is none"}
	}
	if !value.IsValid() {
		return nil, &fault{InvalidType, "expected one JSON value, in UTF-8 and without a name twice"}
	}
	if value.Kind() == 'n' {
		return nil, &fault{Empty, "expected a value; leave the field out if there is none"}
	}
	return value, nil
}

// text returns what a JSON string says, composed, without white space at the
// ends, and never empty.
func text(value jsontext.Value) (string, *fault) {
	if value.Kind() != '"' {
		return "", &fault{InvalidType, "expected a string"}
	}
	b, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return "", &fault{InvalidType, "expected a string in UTF-8"}
	}
	s := clean(string(b))
	if s == "" {
		return "", &fault{Empty, "expected a value; leave the field out if there is none"}
	}
	return s, nil
}

// quote returns s as canonical JSON. Text is valid UTF-8 here, so quoting
// cannot fail.
func quote(s string) []byte {
	b, _ := jsontext.AppendQuote(nil, s)
	return b
}
