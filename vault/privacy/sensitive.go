package privacy

import (
	"fmt"
	"log/slog"
)

const redacted = "[sensitive]"

// Sensitive is a personal value: the canonical JSON of what a person told. The
// zero Sensitive is no value.
//
// It is safe to log, print, compare with %v and marshal by accident: all of
// these show "[sensitive]". Only Reveal gives the value.
type Sensitive struct{ json []byte }

// NewSensitive wraps the canonical JSON of a value and takes it over.
func NewSensitive(json []byte) Sensitive { return Sensitive{json: json} }

// Reveal returns the canonical JSON of the value, which the caller must not
// change. It is the single way out of a Sensitive.
func (s Sensitive) Reveal() []byte { return s.json }

// IsZero reports whether there is no value at all.
func (s Sensitive) IsZero() bool { return s.json == nil }

// String returns "[sensitive]".
func (Sensitive) String() string { return redacted }

// GoString returns "[sensitive]".
func (Sensitive) GoString() string { return redacted }

// Format writes "[sensitive]" for every verb.
func (Sensitive) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[sensitive]".
func (Sensitive) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[sensitive]".
func (Sensitive) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[sensitive]" as a JSON string.
func (Sensitive) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
