package vault

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// accessRecord is the log's record of a decision: enough to make it again, and
// no value.
type accessRecord struct {
	Format   int                                `json:"v"`
	At       time.Time                          `json:"at"`
	Decision privacy.DecisionID                 `json:"decision"`
	Channel  privacy.ChannelID                  `json:"channel,omitempty"`
	Officer  string                             `json:"officer,omitempty"`
	Granted  []privacy.PurposeID                `json:"granted,omitempty"` // what the token was narrowed to
	Purpose  privacy.PurposeID                  `json:"purpose,omitempty"`
	Reason   string                             `json:"reason,omitempty"` // an officer's
	By       *privacy.Actor                     `json:"by,omitempty"`     // who asked the officer for the person
	Policy   string                             `json:"policy"`
	Register uint64                             `json:"register"`
	Standing uint64                             `json:"standing,omitempty"` // the version decided on
	Asked    []privacy.FieldName                `json:"asked,omitempty"`
	Context  map[string]any                     `json:"context,omitempty"`
	Peek     bool                               `json:"peek,omitempty"`    // only whether, no value
	Dealt    *dealtRecord                       `json:"dealt,omitempty"`   // whether to contact or to ask the person
	Touches  *policy.Touches                    `json:"touches,omitempty"` // where rules looked at them
	Session  *sessionNote                       `json:"session,omitempty"` // of a session: entries of kind session
	Refused  string                             `json:"refused,omitempty"`
	Released []privacy.FieldName                `json:"released,omitempty"`
	Masked   map[privacy.FieldName]privacy.Mask `json:"masked,omitempty"`
	Withheld map[privacy.FieldName]privacy.Code `json:"withheld,omitempty"`
	Missing  []privacy.FieldName                `json:"missing,omitempty"`
}

// append appends the record of an answer as encoding/json would write it, whose
// maps and reflection took a tenth of a read. What was released, masked, withheld
// or missing is res's to say.
func (r *accessRecord) append(b []byte, res *ReadResult) ([]byte, error) {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, int64(r.Format), 10)
	b = append(b, `,"at":"`...)
	b = r.At.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","decision":"`...)
	b = r.Decision.Append(b)
	b = append(b, '"')
	b = member(b, `,"channel":`, r.Channel)
	b = member(b, `,"officer":`, r.Officer)
	b = members(b, `,"granted":`, r.Granted)
	b = member(b, `,"purpose":`, r.Purpose)
	b = member(b, `,"reason":`, r.Reason)
	b = append(b, `,"policy":`...)
	b = appendText(b, r.Policy)
	b = append(b, `,"register":`...)
	b = strconv.AppendUint(b, r.Register, 10)
	if r.Standing != 0 {
		b = append(b, `,"standing":`...)
		b = strconv.AppendUint(b, r.Standing, 10)
	}
	b = members(b, `,"asked":`, r.Asked)
	if len(r.Context) > 0 {
		context, err := json.Marshal(r.Context)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"context":`...), context...)
	}
	if r.Peek {
		b = append(b, `,"peek":true`...)
	}
	for _, part := range []struct {
		name string
		of   any
		is   bool
	}{{`,"dealt":`, r.Dealt, r.Dealt != nil}, {`,"touches":`, r.Touches, r.Touches != nil}} {
		if part.is {
			text, err := json.Marshal(part.of)
			if err != nil {
				return nil, err
			}
			b = append(append(b, part.name...), text...)
		}
	}
	b = member(b, `,"refused":`, r.Refused)
	b = list(b, `,"released":`, res.Fields, func(f FieldValue) privacy.FieldName { return f.Field })
	b = object(b, `,"masked":`, res.Masked, func(m MaskedValue) (privacy.FieldName, privacy.Mask) { return m.Field, m.Mask })
	b = object(b, `,"withheld":`, res.Withheld, func(w Withheld) (privacy.FieldName, privacy.Code) { return w.Field, w.Code })
	b = list(b, `,"missing":`, res.Missing, func(m Missing) privacy.FieldName { return m.Field })
	return append(b, '}'), nil
}

// member appends a text that is left out if it is empty.
func member[T ~string](b []byte, name string, s T) []byte {
	if s == "" {
		return b
	}
	return appendText(append(b, name...), s)
}

func members[T ~string](b []byte, name string, all []T) []byte {
	return list(b, name, all, func(s T) T { return s })
}

func list[E any, T ~string](b []byte, name string, all []E, text func(E) T) []byte {
	for i, e := range all {
		if i == 0 {
			b = append(append(b, name...), '[')
		} else {
			b = append(b, ',')
		}
		b = appendText(b, text(e))
	}
	if len(all) > 0 {
		b = append(b, ']')
	}
	return b
}

// object appends what maps fields to texts: in the order of their names, each
// once.
func object[E any, T ~string](b []byte, name string, all []E, entry func(E) (privacy.FieldName, T)) []byte {
	if len(all) == 0 {
		return b
	}
	type pair struct {
		field privacy.FieldName
		text  T
	}
	var space [16]pair
	pairs := space[:0]
	for _, e := range all {
		field, text := entry(e)
		pairs = append(pairs, pair{field, text})
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.field, b.field) })
	b = append(append(b, name...), '{')
	for i, p := range pairs {
		if i+1 < len(pairs) && pairs[i+1].field == p.field {
			continue // the last word counts
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendText(append(appendText(b, p.field), ':'), p.text)
	}
	return append(b, '}')
}

// appendText appends a text as JSON. Names need no escapes; what does is left
// to encoding/json.
func appendText[T ~string](b []byte, s T) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, _ := json.Marshal(string(s)) // of a string there is no error
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
