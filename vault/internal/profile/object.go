package profile

import (
	"bytes"
	"errors"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

const (
	maxObject = 16 << 10 // bytes of an object
	maxDepth  = 8        // objects and arrays within each other
	maxNumber = 64       // bytes of a number's spelling
)

// number returns a number in its canonical spelling (RFC 8785). One that would
// lose digits is refused, not rounded: it was an identifier, and belongs into
// a string.
func number(value jsontext.Value) ([]byte, *fault) {
	if value.Kind() != '0' {
		return nil, &fault{InvalidType, "expected a number"}
	}
	canonical, ok := canonicalNumber(value)
	if !ok {
		return nil, &fault{InvalidType, "expected a number of at most 15 digits, or a string of digits"}
	}
	return canonical, nil
}

func canonicalNumber(spelling []byte) ([]byte, bool) {
	if len(spelling) > maxNumber {
		return nil, false
	}
	f, err := strconv.ParseFloat(string(spelling), 64)
	if err != nil {
		return nil, false
	}
	canonical := jsontext.Value(bytes.Clone(spelling))
	if canonical.Canonicalize() != nil {
		return nil, false
	}
	if f == 0 { // an exponent of any size may follow: only the digits count
		digits, _, _ := strings.Cut(strings.ToLower(string(spelling)), "e")
		return canonical, !strings.ContainsAny(digits, "123456789")
	}
	// A float of this spelling is neither 0 nor infinite, so the exponent is
	// small enough to compare exactly.
	given, ok := new(big.Rat).SetString(string(spelling))
	kept, fine := new(big.Rat).SetString(string(canonical))
	return canonical, ok && fine && given.Cmp(kept) == 0
}

// object returns a JSON object in its canonical form (RFC 8785): names sorted,
// text composed, no digit of a number lost.
func object(value jsontext.Value) ([]byte, *fault) {
	if value.Kind() != '{' {
		return nil, &fault{InvalidType, "expected an object"}
	}
	var out bytes.Buffer
	if err := compose(jsontext.NewEncoder(&out), jsontext.NewDecoder(bytes.NewReader(value))); err != nil {
		return nil, &fault{InvalidType, "expected an object of at most 8 levels, without control characters, a name twice or a number of more than 15 digits"}
	}
	canonical := jsontext.Value(out.Bytes())
	if canonical.Canonicalize() != nil {
		return nil, &fault{InvalidType, "expected an object"}
	}
	if len(canonical) > maxObject {
		return nil, &fault{TooLong, "expected an object of at most 16 KiB"}
	}
	if string(canonical) == "{}" {
		return nil, &fault{Empty, "expected an object with members; leave the field out if there are none"}
	}
	return canonical, nil
}

var errObject = errors.New("not an object that can be kept")

// compose copies one JSON value token by token.
func compose(to *jsontext.Encoder, from *jsontext.Decoder) error {
	for {
		token, err := from.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errObject
		}
		switch token.Kind() {
		case '"':
			s, ok := lines(norm.NFC.String(token.String()))
			if !ok {
				return errObject
			}
			token = jsontext.String(s)
		case '0':
			canonical, ok := canonicalNumber([]byte(token.String()))
			if !ok {
				return errObject
			}
			if to.WriteValue(canonical) != nil {
				return errObject
			}
			continue
		}
		if from.StackDepth() > maxDepth || to.WriteToken(token) != nil {
			return errObject
		}
	}
}
