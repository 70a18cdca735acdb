package wire

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Value is a personal value on its way in or out. Unlike the Sensitive it
// holds, it marshals as itself with package json of go-json-experiment; with
// encoding/json, fmt and slog it stays "[sensitive]".
type Value struct{ privacy.Sensitive }

// Text is a value that is a string, as most are: a name, an address of e-mail, a
// date. What is no UTF-8 in it is replaced by U+FFFD.
func Text(s string) Value {
	b, _ := jsontext.AppendQuote(nil, s) // the error says that something was replaced
	return Value{privacy.NewSensitive(b)}
}

// RevealText returns the value as people write it: a string as itself, anything
// else as JSON. Like Reveal, whose JSON it reads, it is a way out.
func (v Value) RevealText() string {
	text, err := jsontext.AppendUnquote(nil, v.Reveal())
	if err != nil {
		return string(v.Reveal())
	}
	return string(text)
}

// MarshalJSONTo writes the value itself.
func (v Value) MarshalJSONTo(enc *jsontext.Encoder) error {
	if v.IsZero() {
		return enc.WriteToken(jsontext.Null)
	}
	return enc.WriteValue(v.Reveal())
}

// UnmarshalJSONFrom keeps the JSON as it was sent.
func (v *Value) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	v.Sensitive = privacy.NewSensitive(raw.Clone())
	return nil
}

// NamedValue is a field with its value.
type NamedValue struct {
	Name  privacy.FieldName
	Value Value
}

// Values is a JSON object of fields and their values, in the order they were
// sent.
type Values []NamedValue

var errNotObject = errors.New("an object was expected")

// MarshalJSONTo writes the object.
func (v Values) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, f := range v {
		if err := enc.WriteToken(jsontext.String(string(f.Name))); err != nil {
			return err
		}
		if err := f.Value.MarshalJSONTo(enc); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}

// UnmarshalJSONFrom reads the object. A name that comes twice is refused by the
// decoder.
func (v *Values) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return notThis(dec, errNotObject)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*v = Values{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		named := NamedValue{Name: privacy.FieldName(name.String())}
		if err := named.Value.UnmarshalJSONFrom(dec); err != nil {
			return err
		}
		*v = append(*v, named)
	}
	_, err := dec.ReadToken()
	return err
}

// Get returns the value of a field.
func (v Values) Get(name privacy.FieldName) (Value, bool) {
	for _, f := range v {
		if f.Name == name {
			return f.Value, true
		}
	}
	return Value{}, false
}

// notThis skips a value of the wrong kind, so that what is not JSON at all is
// told apart from what is not what was expected.
func notThis(dec *jsontext.Decoder, why error) error {
	if err := dec.SkipValue(); err != nil {
		return err
	}
	return why
}
