package wire

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// PersonRequest is what an officer asks for about a person, who is named by ID or by one
// identifier: {"kind": "erasure", "subject": "sub_…", "reason": "…"}, or
// {"kind": "erasure", "email": "…", "reason": "…"}.
type PersonRequest struct {
	Kind    string
	Subject Subject
	// All below may be left out: why, because a person need not say; the purpose of
	// an objection, the field of a contest, when the request came, whether it is known
	// that it is the person's, which it is unless it is said to be IdentityAwaiting, who
	// asked for the person, and of an erasure that they are never to be contacted again.
	Reason       string
	Purpose      privacy.PurposeID
	Field        privacy.FieldName
	ReceivedAt   *time.Time
	Identity     string
	By           *Actor
	NeverContact bool
}

// What is known of who asks.
const (
	IdentityConfirmed = "confirmed"
	IdentityAwaiting  = "awaiting"
)

// RequestKinds are what a person can ask for by letter or phone.
var RequestKinds = []string{"access", "rectification", "erasure", "restriction", "portability", "objection", "contest"}

// MarshalJSONTo writes the kind, the person as subject, and the reason.
func (a PersonRequest) MarshalJSONTo(enc *jsontext.Encoder) error {
	var more []jsontext.Token
	if a.Purpose != "" {
		more = append(more, jsontext.String("purpose"), jsontext.String(string(a.Purpose)))
	}
	if a.Field != "" {
		more = append(more, jsontext.String("field"), jsontext.String(string(a.Field)))
	}
	if a.ReceivedAt != nil {
		more = append(more, jsontext.String("received_at"), jsontext.String(a.ReceivedAt.Format(time.RFC3339Nano)))
	}
	if a.Identity != "" {
		more = append(more, jsontext.String("identity"), jsontext.String(a.Identity))
	}
	if a.NeverContact {
		more = append(more, jsontext.String("never_contact"), jsontext.True)
	}
	if a.By != nil {
		more = append(more, jsontext.String("by"), jsontext.BeginObject, jsontext.String("role"), jsontext.String(string(a.By.Role)))
		if a.By.Ref != "" {
			more = append(more, jsontext.String("ref"), jsontext.String(a.By.Ref))
		}
		more = append(more, jsontext.EndObject)
	}
	return about(enc, a.Kind, a.Subject, a.Reason, more...)
}

// UnmarshalJSONFrom reads the kind, the reason, and the person in either form.
func (a *PersonRequest) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*a = PersonRequest{}
	a.Kind, a.Subject, a.Reason, err = aboutOf(dec, true, func(name string, raw []byte) (bool, error) {
		unquoted, _ := jsontext.AppendUnquote(nil, raw)
		text := string(unquoted)
		switch name {
		case "never_contact":
			if err := json.Unmarshal(raw, &a.NeverContact); err != nil {
				return true, errNever
			}
		case "by":
			if json.Unmarshal(raw, &a.By, json.RejectUnknownMembers(true)) != nil || a.By == nil {
				return true, errBy
			}
		case "purpose":
			a.Purpose = privacy.PurposeID(text)
		case "field":
			a.Field = privacy.FieldName(text)
		case "identity":
			a.Identity = text
		case "received_at":
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return true, errWhen
			}
			a.ReceivedAt = &at
		default:
			return false, nil
		}
		return true, nil
	})
	return err
}

// Check names what is missing or not a kind of request.
func (a *PersonRequest) Check() []FieldError {
	var c check
	c.must("kind", a.Kind != "")
	c.valid("kind", a.Kind == "" || slices.Contains(RequestKinds, a.Kind), "is one of "+strings.Join(RequestKinds, ", "))
	c.valid("identity", slices.Contains([]string{"", IdentityConfirmed, IdentityAwaiting}, a.Identity), "is confirmed or awaiting")
	c.valid("purpose", (a.Kind == "objection") == (a.Purpose != ""), "goes with an objection, and an objection with one")
	c.valid("field", (a.Kind == "contest") == (a.Field != ""), "goes with a contest, and a contest with one")
	c.valid("never_contact", !a.NeverContact || a.Kind == "erasure", "goes with an erasure")
	a.By.check(&c, "by")
	c.must("subject", !a.Subject.IsZero())
	return c.errs
}

// ObjectionRequest objects to a purpose (Art. 21).
type ObjectionRequest struct {
	Purpose privacy.PurposeID `json:"purpose"`
	Reason  string            `json:"reason,omitempty"`
	By      *Actor            `json:"by,omitempty"`
}

// Check names what is missing.
func (r *ObjectionRequest) Check() []FieldError {
	var c check
	c.must("purpose", r.Purpose != "")
	r.By.check(&c, "by")
	return c.errs
}

// Objection is what became of an objection. One that is absolute stands; any other
// until an officer decided on the request.
type Objection struct {
	Consent  privacy.ConsentID     `json:"consent"`
	Status   privacy.ConsentStatus `json:"status"`
	Receipt  string                `json:"receipt"`
	Absolute bool                  `json:"absolute" doc:"it is to direct marketing, and nobody weighs it"`
	Request  *privacy.RequestID    `json:"request,omitempty"`
}

// ContestRequest says that what a model worked out of a field is not right (Arts. 16,
// 18(1)(a)).
type ContestRequest struct {
	Field  privacy.FieldName `json:"field"`
	Reason string            `json:"reason,omitempty"`
	By     *Actor            `json:"by,omitempty"`
}

// Check names what is missing.
func (r *ContestRequest) Check() []FieldError {
	var c check
	c.must("field", r.Field != "")
	r.By.check(&c, "by")
	return c.errs
}

// Contest is what became of a contest: nobody is shown what the model made until an
// officer decided on the request, which a session of a channel is not told.
type Contest struct {
	Field   privacy.FieldName  `json:"field"`
	Status  string             `json:"status" enum:"in_progress"`
	Request *privacy.RequestID `json:"request,omitempty"`
	Since   *time.Time         `json:"since,omitempty"`
	DueAt   *time.Time         `json:"due_at,omitempty"`
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
	_, h.Subject, h.Reason, err = aboutOf(dec, false, nil)
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
	errWhy   = errors.New("reason is a text of 1 to 500 bytes")
	errKind  = errors.New("kind is a text")
	errBy    = errors.New("by is an object with role and, if there is one, ref")
	errNever = errors.New("never_contact is true or false")
	errWhen  = errors.New("received_at is a time such as 2026-03-01T12:00:00Z")
)

func about(enc *jsontext.Encoder, kind string, who Subject, reason string, more ...jsontext.Token) error {
	tokens := []jsontext.Token{jsontext.BeginObject}
	if kind != "" {
		tokens = append(tokens, jsontext.String("kind"), jsontext.String(kind))
	}
	tokens = append(tokens, more...)
	if reason != "" {
		tokens = append(tokens, jsontext.String("reason"), jsontext.String(reason))
	}
	for _, t := range append(tokens, jsontext.String("subject")) {
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
// a subject, or one identifier, and what more knows of.
func aboutOf(dec *jsontext.Decoder, withKind bool, more func(name string, raw []byte) (bool, error)) (kind string, who Subject, reason string, err error) {
	var members Values
	if err := members.UnmarshalJSONFrom(dec); err != nil {
		return "", who, "", err
	}
	for _, m := range members {
		if more != nil {
			if known, err := more(string(m.Name), m.Value.Reveal()); known || err != nil {
				if err != nil {
					return "", who, "", err
				}
				continue
			}
		}
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
	Request     privacy.RequestID   `json:"request"`
	Kind        string              `json:"kind" enum:"access,rectification,erasure,restriction,portability,objection,contest,retention"`
	Status      string              `json:"status" enum:"received,awaiting_identity,in_progress,blocked,completed,refused,withdrawn"`
	Why         string              `json:"why,omitempty" doc:"what is in the way"`
	Subject     *privacy.SubjectID  `json:"subject,omitempty" doc:"as long as there is anybody to name"`
	By          string              `json:"by,omitempty" doc:"the officer who entered it"`
	Reason      string              `json:"reason,omitempty" doc:"gone with the person"`
	ReceivedAt  time.Time           `json:"received_at"`
	DueAt       time.Time           `json:"due_at"`
	Overdue     bool                `json:"overdue,omitzero" doc:"due_at is over, and it is not answered"`
	CompletedAt *time.Time          `json:"completed_at,omitempty"`
	BeginsAt    *time.Time          `json:"begins_at,omitempty" doc:"of an erasure that waits: until then the person can take it back"`
	People      uint64              `json:"people,omitzero" doc:"whom a retention run would touch"`
	Kept        []Kept              `json:"kept,omitempty" doc:"what an erasure leaves, and why"`
	Certificate string              `json:"certificate,omitempty" doc:"compact JWS, typ erasure-certificate+jwt"`
	Purpose     privacy.PurposeID   `json:"purpose,omitempty" doc:"of an objection"`
	Field       privacy.FieldName   `json:"field,omitempty" doc:"of a contest"`
	Outcome     string              `json:"outcome,omitempty" enum:"upheld,overruled,replaced" doc:"of a contest that is over"`
	Inference   *privacy.Inference  `json:"inference,omitempty" doc:"what made the value of an open contest"`
	Own         *Actor              `json:"own,omitempty" doc:"who asked: the person, or who acted for them"`
	EndedBy     *Actor              `json:"ended_by,omitempty" doc:"who took it back, or had the restriction lifted"`
	LiftedAt    *time.Time          `json:"lifted_at,omitempty" doc:"of a restriction, when it ended"`
	Corrected   []privacy.FieldName `json:"corrected,omitempty" doc:"of a correction, what was"`
	Told        []Told              `json:"told,omitempty" doc:"who was shown what it is about, and whether they heard (Art. 19); of one request, and of a person's own"`
	ToldLater   int                 `json:"told_later,omitzero" doc:"how many more there are that a law lets the person be shown later"`
	Never       bool                `json:"never_contact,omitzero" doc:"of an erasure: hashes stay, so that no advertising follows"`
	Extended    bool                `json:"extended,omitzero" doc:"two more months to answer (Art. 12(3))"`
	Identity    string              `json:"identity,omitempty" doc:"how it is known that it is the person; gone with them, like the next two"`
	Extension   string              `json:"extension,omitempty" doc:"why the time to answer is longer"`
	Answer      string              `json:"answer,omitempty" doc:"what was done, or why not"`
}

// Told is a channel that was shown what a request is about.
type Told struct {
	Channel   privacy.ChannelID   `json:"channel"`
	Title     Words               `json:"title,omitempty"`
	Recipient string              `json:"recipient,omitempty" doc:"the third party that reads there"`
	Type      privacy.EventType   `json:"type" doc:"of the event that tells it"`
	Fields    []privacy.FieldName `json:"fields" doc:"that it was shown"`
	State     string              `json:"state" enum:"taken,acknowledged,waiting,given_up,kept,missed,unreached"`
	At        *time.Time          `json:"at,omitempty" doc:"since when the event lies there for it"`
	HeardAt   *time.Time          `json:"heard_at,omitempty" doc:"when it acknowledged it, or its webhook took it"`
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
