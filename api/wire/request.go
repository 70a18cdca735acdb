package wire

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// PersonRequest is what an officer asks for about a person, who is named by ID or by one
// identifier: {"kind": "erasure", "subject": "sub_…", "reason": "…"}, or
// {"kind": "erasure", "email": "…", "reason": "…"}.
type PersonRequest struct {
	Kind    string
	Subject Subject
	Reason  string
}

// MarshalJSONTo writes the kind, the person as subject, and the reason.
func (a PersonRequest) MarshalJSONTo(enc *jsontext.Encoder) error {
	return about(enc, a.Kind, a.Subject, a.Reason)
}

// UnmarshalJSONFrom reads the kind, the reason, and the person in either form.
func (a *PersonRequest) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*a = PersonRequest{}
	a.Kind, a.Subject, a.Reason, err = aboutOf(dec, true)
	return err
}

// Check names what is missing or not a kind of request.
func (a *PersonRequest) Check() []FieldError {
	var c check
	c.must("kind", a.Kind != "")
	c.valid("kind", a.Kind == "" || a.Kind == "erasure", "is erasure")
	c.must("subject", !a.Subject.IsZero())
	c.must("reason", a.Reason != "")
	return c.errs
}

// HoldRequest forbids that a person is erased, who is named as in a PersonRequest.
type HoldRequest struct {
	Subject Subject
	Reason  string
}

// MarshalJSONTo writes the person as subject, and the reason.
func (h HoldRequest) MarshalJSONTo(enc *jsontext.Encoder) error {
	return about(enc, "", h.Subject, h.Reason)
}

// UnmarshalJSONFrom reads the reason, and the person in either form.
func (h *HoldRequest) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*h = HoldRequest{}
	_, h.Subject, h.Reason, err = aboutOf(dec, false)
	return err
}

// Check names what is missing.
func (h *HoldRequest) Check() []FieldError {
	var c check
	c.must("subject", !h.Subject.IsZero())
	c.must("reason", h.Reason != "")
	return c.errs
}

// Because is why something is done that its path says all else about.
type Because struct {
	Reason string `json:"reason"`
}

// Check names what is missing.
func (b *Because) Check() []FieldError {
	var c check
	c.must("reason", b.Reason != "")
	return c.errs
}

var (
	errWhy  = errors.New("reason is a text of 1 to 500 bytes")
	errKind = errors.New("kind is a text")
)

func about(enc *jsontext.Encoder, kind string, who Subject, reason string) error {
	tokens := []jsontext.Token{jsontext.BeginObject}
	if kind != "" {
		tokens = append(tokens, jsontext.String("kind"), jsontext.String(kind))
	}
	for _, t := range append(tokens, jsontext.String("reason"), jsontext.String(reason), jsontext.String("subject")) {
		if err := enc.WriteToken(t); err != nil {
			return err
		}
	}
	if err := who.MarshalJSONTo(enc); err != nil {
		return err
	}
	return enc.WriteToken(jsontext.EndObject)
}

// aboutOf reads what is asked about a person. Beside kind and reason it may have
// a subject, or one identifier.
func aboutOf(dec *jsontext.Decoder, withKind bool) (kind string, who Subject, reason string, err error) {
	var members Values
	if err := members.UnmarshalJSONFrom(dec); err != nil {
		return "", who, "", err
	}
	for _, m := range members {
		switch {
		case m.Name == "kind" && withKind:
			text, err := jsontext.AppendUnquote(nil, m.Value.Reveal())
			if err != nil {
				return "", who, "", errKind
			}
			kind = string(text)
		case m.Name == "reason":
			text, err := jsontext.AppendUnquote(nil, m.Value.Reveal())
			if err != nil || len(text) == 0 || len(text) > 500 {
				return "", who, "", errWhy
			}
			reason = string(text)
		case !who.IsZero() || m.Name == "":
			return "", who, "", ErrOneIdentifier
		case m.Name == "subject":
			if err := who.of(m.Value.Reveal()); err != nil {
				return "", who, "", err
			}
		default:
			who = Subject{Field: m.Name, Value: m.Value}
		}
	}
	return kind, who, reason, nil
}

// Request is a request of or about a person.
type Request struct {
	Request     privacy.RequestID  `json:"request"`
	Kind        string             `json:"kind" enum:"erasure,retention"`
	Status      string             `json:"status" enum:"received,awaiting_identity,in_progress,blocked,completed,refused"`
	Why         string             `json:"why,omitempty" doc:"what is in the way"`
	Subject     *privacy.SubjectID `json:"subject,omitempty" doc:"as long as there is anybody to name"`
	By          string             `json:"by,omitempty" doc:"the officer who asked"`
	Reason      string             `json:"reason,omitempty" doc:"gone with the person"`
	ReceivedAt  time.Time          `json:"received_at"`
	DueAt       time.Time          `json:"due_at"`
	CompletedAt *time.Time         `json:"completed_at,omitempty"`
	People      uint64             `json:"people,omitzero" doc:"whom a retention run would touch"`
	Kept        []Kept             `json:"kept,omitempty" doc:"what an erasure leaves, and why"`
	Certificate string             `json:"certificate,omitempty" doc:"compact JWS, typ erasure-certificate+jwt"`
}

// Kept is what an erasure leaves because a law demands it.
type Kept struct {
	Purpose privacy.PurposeID   `json:"purpose"`
	Basis   privacy.LegalBasis  `json:"basis"`
	Fields  []privacy.FieldName `json:"fields"`
	Until   *time.Time          `json:"until,omitempty"`
}

// RequestList is a page of requests, the latest first.
type RequestList struct {
	Requests []Request `json:"requests"`
	Next     string    `json:"next,omitempty"`
}

// Hold forbids that anything of a person is erased.
type Hold struct {
	Hold    privacy.HoldID    `json:"hold"`
	Subject privacy.SubjectID `json:"subject"`
	Since   time.Time         `json:"since"`
	By      string            `json:"by,omitempty"`
	Reason  string            `json:"reason"`
}

// HoldList is the holds on a person.
type HoldList struct {
	Holds []Hold `json:"holds"`
}
