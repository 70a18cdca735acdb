package keys

import (
	"errors"
	"fmt"
	"log/slog"
)

const redacted = "[key]"

var errMarshal = errors.New("keys are never marshalled")

// hidden, embedded, makes a type that holds secrets safe to print and log by
// accident, and impossible to marshal. fmt does not ask the methods of a value
// in somebody's unexported field, so such types also keep their secrets behind
// pointers, of which it shows the address only.
type hidden struct{}

// String returns "[key]".
func (hidden) String() string { return redacted }

// GoString returns "[key]".
func (hidden) GoString() string { return redacted }

// Format writes "[key]" for every verb.
func (hidden) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[key]".
func (hidden) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText refuses.
func (hidden) MarshalText() ([]byte, error) { return nil, errMarshal }

// MarshalJSON refuses.
func (hidden) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalBinary refuses.
func (hidden) MarshalBinary() ([]byte, error) { return nil, errMarshal }
