package api

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

// maxDepth is how deep a body may nest.
const maxDepth = 32

// freeform are the members below which a null is the vault's to judge, because
// it stands in for a value; elsewhere it would silently mean "absent".
var freeform = []string{"fields", "context", "evidence", "subject", "modules"}

// strict is what the decoder's own strictness lacks: it already refuses names
// that come twice, that differ in case, and what is not UTF-8.
var strict = json.RejectUnknownMembers(true)

// decode reads a body strictly: it must be one JSON value in UTF-8 of the
// expected shape, without a member that is unknown, wrongly cased or given
// twice. What the shape alone shows to be wrong is refused by name.
func decode(body []byte, into any) error {
	if tooDeep(body) {
		return refusal{status: http.StatusBadRequest, code: vault.CodeInvalidRequest, detail: "the body nests too deep"}
	}
	if err := json.Unmarshal(body, into, strict); err != nil {
		return misread(err)
	}
	if bytes.Contains(body, []byte("null")) {
		if err := noNulls(body); err != nil {
			return err
		}
	}
	if c, ok := into.(interface{ Check() []wire.FieldError }); ok {
		if errs := c.Check(); len(errs) > 0 {
			return refusal{status: http.StatusUnprocessableEntity, code: vault.CodeInvalidRequest, detail: invalidDetail, fields: errs}
		}
	}
	return nil
}

const invalidDetail = "the request has members that cannot be accepted"

// tooDeep looks at brackets outside of strings only: it is run before anything
// is parsed.
func tooDeep(body []byte) bool {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// noNulls refuses null where a shape has a member of another type.
func noNulls(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return nil //nolint:nilerr // the end: it was decoded before
		}
		if token.Kind() != 'n' {
			continue
		}
		at := dec.StackPointer()
		if at == "" {
			return unprocessable("body", wire.CodeWrongType, "an object was expected")
		}
		if parents := slices.Collect(at.Parent().Tokens()); !slices.ContainsFunc(parents, func(p string) bool { return slices.Contains(freeform, p) }) {
			return unprocessable(fieldAt(at), wire.CodeWrongType, "must not be null: leave it out instead")
		}
	}
}

// misread makes a refusal of what the decoder says, without its words: they
// repeat what was sent.
func misread(err error) error {
	if errors.Is(err, wire.ErrOneIdentifier) {
		return refusal{status: http.StatusUnprocessableEntity, code: vault.CodeOneIdentifier, detail: wire.ErrOneIdentifier.Error()}
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName) {
		return unprocessable(fieldAt(syntax.JSONPointer), wire.CodeDuplicate, "comes more than once")
	}
	var shape *json.SemanticError
	if !errors.As(err, &shape) || syntax != nil {
		return refusal{status: http.StatusBadRequest, code: vault.CodeInvalidRequest, detail: "the body is not one JSON value in UTF-8"}
	}
	field := fieldAt(shape.JSONPointer)
	if errors.Is(err, json.ErrUnknownName) {
		return unprocessable(field, wire.CodeUnknownMember, "is no member of this request")
	}
	return unprocessable(field, wire.CodeWrongType, expected(shape))
}

// expected says what would have been right.
func expected(e *json.SemanticError) string {
	if errors.Is(e.Err, wire.ErrNoSubject) {
		return wire.ErrNoSubject.Error()
	}
	t := e.GoType
	if t == nil {
		return "has the wrong type"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.PkgPath() == "time":
		return "a time such as 2026-03-01T12:00:00Z was expected"
	case t.Kind() == reflect.String:
		return "a string was expected"
	case t == reflect.TypeFor[wire.Values](), t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "an object was expected"
	case t.Kind() == reflect.Slice:
		return "an array was expected"
	case t.Kind() == reflect.Bool:
		return "true or false was expected"
	}
	return "has the wrong type"
}

// fieldAt names the member a JSON pointer points to: consents[0].status. A field
// of a person is named as itself, as the vault does.
func fieldAt(at jsontext.Pointer) string {
	tokens := slices.Collect(at.Tokens())
	if len(tokens) == 2 && tokens[0] == "fields" && strings.Trim(tokens[1], "0123456789") != "" {
		tokens = tokens[1:]
	}
	name := ""
	for _, t := range tokens {
		switch {
		case t != "" && len(t) <= 9 && strings.Trim(t, "0123456789") == "":
			name += "[" + t + "]"
		case name == "":
			name = shown(t)
		default:
			name += "." + shown(t)
		}
	}
	return cmp.Or(name, "body")
}

// shown returns a name a client made up if it looks like one, so that a value
// put in the place of a name is not repeated.
func shown(name string) string {
	if name == "" || len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-") != "" {
		return "…"
	}
	return name
}
