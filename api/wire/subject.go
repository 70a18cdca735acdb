package wire

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Subject is how a request names a person: "sub_…", or an object of exactly one
// identifier, such as {"email": "ana@example.org"}.
type Subject struct {
	ID    privacy.SubjectID
	Field privacy.FieldName
	Value Value
	// Strange is true of an ID that no vault made. It is of nobody, and to be
	// answered like any other of nobody; but nobody can be made of it.
	Strange bool
}

// ErrOneIdentifier is returned for a subject of no or several identifiers: the
// vault never guesses which of them was meant.
var ErrOneIdentifier = errors.New("a person is named by exactly one identifier")

// ErrNoSubject is returned for what neither is an ID nor an identifier.
var ErrNoSubject = errors.New(`"sub_…" or an object of one identifier was expected`)

// IsZero reports whether nobody is named.
func (s Subject) IsZero() bool { return s.ID == privacy.Nobody && s.Field == "" }

// MarshalJSONTo writes the ID or the object of one identifier.
func (s Subject) MarshalJSONTo(enc *jsontext.Encoder) error {
	if s.Field != "" {
		return Values{{Name: s.Field, Value: s.Value}}.MarshalJSONTo(enc)
	}
	return enc.WriteToken(jsontext.String(s.ID.String()))
}

// UnmarshalJSONFrom reads either form.
func (s *Subject) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"':
		text, err := dec.ReadToken()
		if err != nil {
			return err
		}
		id, strange, err := privacy.SubjectIDFrom(text.String())
		if err != nil {
			return ErrNoSubject
		}
		*s = Subject{ID: id, Strange: strange}
		return nil
	case '{':
		var by Values
		if err := by.UnmarshalJSONFrom(dec); err != nil {
			return err
		}
		if len(by) != 1 || by[0].Name == "" {
			return ErrOneIdentifier
		}
		*s = Subject{Field: by[0].Name, Value: by[0].Value}
		return nil
	default:
		return notThis(dec, ErrNoSubject)
	}
}

// of reads a subject from a value of its own.
func (s *Subject) of(value []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	return s.UnmarshalJSONFrom(dec)
}

// LookupRequest asks who holds an identifier: {"email": "…", "reason": "…"}.
// The person sees the reason.
type LookupRequest struct {
	Field  privacy.FieldName
	Value  Value
	Reason string
}

var errReason = errors.New("reason is a text of 1 to 500 characters, which the person will see")

// MarshalJSONTo writes the identifier and the reason.
func (l LookupRequest) MarshalJSONTo(enc *jsontext.Encoder) error {
	reason, err := jsontext.AppendQuote(nil, l.Reason)
	if err != nil {
		return err
	}
	return Values{{Name: l.Field, Value: l.Value}, {Name: "reason", Value: Value{privacy.NewSensitive(reason)}}}.MarshalJSONTo(enc)
}

// UnmarshalJSONFrom reads one identifier and the reason.
func (l *LookupRequest) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var members Values
	if err := members.UnmarshalJSONFrom(dec); err != nil {
		return err
	}
	*l = LookupRequest{}
	for _, m := range members {
		switch {
		case m.Name == "reason":
			reason, err := jsontext.AppendUnquote(nil, m.Value.Reveal())
			if err != nil || len(reason) == 0 || len(reason) > 500 {
				return errReason
			}
			l.Reason = string(reason)
		case l.Field != "" || m.Name == "":
			return ErrOneIdentifier
		default:
			l.Field, l.Value = m.Name, m.Value
		}
	}
	return nil
}

// Check names what is missing.
func (l *LookupRequest) Check() []FieldError {
	var c check
	c.must("reason", l.Reason != "")
	c.must("identifier", l.Field != "")
	return c.errs
}

// LookupAnswer is who was found.
type LookupAnswer struct {
	Subject privacy.SubjectID `json:"subject"`
}
