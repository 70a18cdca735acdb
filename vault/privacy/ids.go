package privacy

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// ID is the 16 bytes behind every identifier the vault makes: 48 bits of
// milliseconds since 1970, big endian, then 80 random bits. It is
// time-ordered, so that new records stand side by side on disk, and carries no
// personal data. Only a SubjectID is random throughout.
type ID [16]byte

// The kinds of ID, told apart by type in code and by prefix in text.
type (
	// SubjectID names a person: "sub_" and 26 characters.
	SubjectID ID
	// DecisionID names the outcome of one read: "dec_" and 26 characters.
	DecisionID ID
	// ConsentID names a consent record: "con_" and 26 characters.
	ConsentID ID
	// RequestID names a request of or about a person: "req_" and 26 characters.
	RequestID ID
	// HoldID names an officer's hold on a person: "hold_" and 26 characters.
	HoldID ID
	// SessionID names a session of a person: "ses_" and 26 characters. It opens
	// nothing: that is what the session's token is for.
	SessionID ID
)

// Nobody is the reserved subject that stands for the vault itself: its keys
// seal what is nobody's, and a read of an unknown person goes the whole way
// with it, so that unknown and unconsenting take the same steps.
var Nobody = SubjectID{}

// ErrID is returned for text that is not an ID of the wanted kind.
var ErrID = errors.New("not an identifier of this vault")

// encoding is Crockford's base32 in lower case: it sorts like the bytes, and
// has no i, l, o or u.
var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const idLen = 26

// NewID returns an ID of this millisecond.
func NewID(now time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(id[6:])
	return id
}

// NewSubjectID returns a subject ID that nobody has. Unlike the others it is
// random as a whole: a channel that is shown one must not learn since when the
// person is known. Those of people look like it, and are made by the keyring, so
// that their rows lie in the order of time all the same.
func NewSubjectID() (id SubjectID) {
	_, _ = rand.Read(id[:])
	return id
}

// NewDecisionID returns a fresh decision ID.
func NewDecisionID(now time.Time) DecisionID { return DecisionID(NewID(now)) }

// NewConsentID returns a fresh consent record ID.
func NewConsentID(now time.Time) ConsentID { return ConsentID(NewID(now)) }

// NewRequestID returns a fresh request ID.
func NewRequestID(now time.Time) RequestID { return RequestID(NewID(now)) }

// NewHoldID returns a fresh hold ID.
func NewHoldID(now time.Time) HoldID { return HoldID(NewID(now)) }

// NewSessionID returns a fresh session ID.
func NewSessionID(now time.Time) SessionID { return SessionID(NewID(now)) }

// String returns "sub_…".
func (id SubjectID) String() string { return format("sub_", ID(id)) }

// String returns "dec_…".
func (id DecisionID) String() string { return format("dec_", ID(id)) }

// String returns "con_…".
func (id ConsentID) String() string { return format("con_", ID(id)) }

// String returns "req_…".
func (id RequestID) String() string { return format("req_", ID(id)) }

// String returns "hold_…".
func (id HoldID) String() string { return format("hold_", ID(id)) }

// String returns "ses_…".
func (id SessionID) String() string { return format("ses_", ID(id)) }

// MarshalText returns "sub_…".
func (id SubjectID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText returns "dec_…".
func (id DecisionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText returns "con_…".
func (id ConsentID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText returns "req_…".
func (id RequestID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText returns "hold_…".
func (id HoldID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText returns "ses_…".
func (id SessionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText accepts exactly what MarshalText writes, or returns ErrID.
func (id *SubjectID) UnmarshalText(b []byte) error { return parse("sub_", b, (*ID)(id)) }

// UnmarshalText accepts exactly what MarshalText writes, or returns ErrID.
func (id *DecisionID) UnmarshalText(b []byte) error { return parse("dec_", b, (*ID)(id)) }

// UnmarshalText accepts exactly what MarshalText writes, or returns ErrID.
func (id *ConsentID) UnmarshalText(b []byte) error { return parse("con_", b, (*ID)(id)) }

// UnmarshalText accepts exactly what MarshalText writes, or returns ErrID.
func (id *RequestID) UnmarshalText(b []byte) error { return parse("req_", b, (*ID)(id)) }

// UnmarshalText accepts exactly what MarshalText writes, or returns ErrID.
func (id *HoldID) UnmarshalText(b []byte) error { return parse("hold_", b, (*ID)(id)) }

// UnmarshalText accepts exactly what MarshalText writes, or returns ErrID.
func (id *SessionID) UnmarshalText(b []byte) error { return parse("ses_", b, (*ID)(id)) }

// ParseSessionID reads "ses_…", or returns ErrID.
func ParseSessionID(s string) (id SessionID, err error) { return id, id.UnmarshalText([]byte(s)) }

// ParseSubjectID reads "sub_…", or returns ErrID.
func ParseSubjectID(s string) (id SubjectID, err error) { return id, id.UnmarshalText([]byte(s)) }

// SubjectIDFrom reads whom a client names by ID. To clients an ID is opaque: what
// has the looks of one, and is none that a vault makes, is no mistake of theirs but
// somebody unknown, and has to be answered like it. Such a text, and that of
// Nobody, gets an ID that no person has, always the same, and strange is true. Any
// other text is ErrID.
func SubjectIDFrom(text string) (id SubjectID, strange bool, err error) {
	if err = id.UnmarshalText([]byte(text)); err == nil && id != Nobody {
		return id, false, nil
	}
	rest, ok := strings.CutPrefix(text, "sub_")
	if !ok || rest == "" || len(rest) > 64 || strings.Trim(rest, opaque) != "" {
		return Nobody, false, ErrID
	}
	sum := sha256.Sum256([]byte("sayso: nobody's ID\x00" + text))
	return SubjectID(sum[:16]), true, nil
}

// opaque is what an ID of whatever making may consist of.
const opaque = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"

// ParseDecisionID reads "dec_…", or returns ErrID.
func ParseDecisionID(s string) (id DecisionID, err error) { return id, id.UnmarshalText([]byte(s)) }

// ParseRequestID reads "req_…", or returns ErrID.
func ParseRequestID(s string) (id RequestID, err error) { return id, id.UnmarshalText([]byte(s)) }

// ParseHoldID reads "hold_…", or returns ErrID.
func ParseHoldID(s string) (id HoldID, err error) { return id, id.UnmarshalText([]byte(s)) }

// ParseConsentID reads "con_…", or returns ErrID.
func ParseConsentID(s string) (id ConsentID, err error) { return id, id.UnmarshalText([]byte(s)) }

// Append appends what String returns.
func (id DecisionID) Append(b []byte) []byte { return appendID(b, "dec_", ID(id)) }

// Append appends "con_…".
func (id ConsentID) Append(b []byte) []byte { return appendID(b, "con_", ID(id)) }

// Append appends what String returns.
func (id SubjectID) Append(b []byte) []byte { return appendID(b, "sub_", ID(id)) }

func appendID(b []byte, prefix string, id ID) []byte {
	return encoding.AppendEncode(append(b, prefix...), id[:])
}

func format(prefix string, id ID) string {
	b := make([]byte, 0, len(prefix)+idLen)
	return string(encoding.AppendEncode(append(b, prefix...), id[:]))
}

func parse(prefix string, text []byte, id *ID) error {
	rest, ok := bytes.CutPrefix(text, []byte(prefix))
	if !ok || len(rest) != idLen {
		return ErrID
	}
	var out [17]byte
	n, err := encoding.Decode(out[:], rest)
	// 26 characters hold 130 bits: the two spare ones must be zero, or two
	// texts would name one person.
	if err != nil || n != len(id) || format("", ID(out[:16])) != string(rest) {
		return ErrID
	}
	*id = ID(out[:16])
	return nil
}
