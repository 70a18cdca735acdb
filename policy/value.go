package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// maxContext bounds a text of the context in bytes.
const maxContext = 4 << 10

// value checks the input against the schema and turns it into what rules are
// evaluated on. Nothing is filled in that could make a rule undefined or a
// condition true: what lacks is ErrInput.
func (r *Revision) value(in *Input) (ast.Value, error) {
	if err := r.fits(in); err != nil {
		return nil, err
	}
	context, err := r.contextTerm(in)
	if err != nil {
		return nil, err
	}
	consents, objected, err := r.purposeTerms(in)
	if err != nil {
		return nil, err
	}
	touches, err := r.touchesTerm(in)
	if err != nil {
		return nil, err
	}
	fields := make([]*ast.Term, len(in.Fields))
	facts := ast.NewObjectWithCapacity(len(in.Fields))
	for i, name := range in.Fields {
		f, known := in.Guard.Fields[name]
		if !known || !utf8.ValidString(string(name)) {
			return nil, fmt.Errorf("%w: an asked field has no facts or is no name", ErrInput)
		}
		fields[i] = str(name)
		facts.Insert(fields[i], r.schema.factsTerm(f))
	}
	return ast.NewObject(
		entry(keyChannel, object(entry(keyID, str(in.Channel.ID)), entry(keyKind, orUnknown(in.Channel.Kind)))),
		entry(keyPurpose, object(entry(keyID, str(in.Purpose.ID)), entry(keyDPV, orUnknown(in.Purpose.DPV)), entry(keyBasis, str(in.Purpose.Basis)))),
		entry(keySubject, object(entry(keyJurisdiction, orUnknown(in.Subject.Jurisdiction)), entry(keyAgeBand, orUnknown(in.Subject.AgeBand)),
			entry(keyStanding, orUnknown(string(in.Subject.Standing))))),
		entry(keyConsents, consents),
		entry(keyObjected, objected),
		entry(keyFields, ast.ArrayTerm(fields...)),
		entry(keyTouches, touches),
		entry(keyContext, context),
		entry(keyNow, str(in.Now)),
		entry(keyGuard, object(
			entry(keyGranted, ast.InternedTerm(in.Guard.Granted)),
			entry(keyGround, ast.InternedTerm(in.Guard.Ground)),
			entry(keyOptOut, ast.InternedTerm(in.Guard.OptOut)),
			entry(keyFields, ast.NewTerm(facts)),
		)),
	), nil
}

// said checks what the input says of every purpose: both must be whole.
func (r *Revision) said(in *Input) error {
	for p := range r.schema.purposes {
		if status, known := in.Consents[p]; !known || !validStatus(status) {
			return fmt.Errorf("%w: no consent status for purpose %q", ErrInput, p)
		}
		if _, known := in.Objected[p]; !known {
			return fmt.Errorf("%w: no objection entry for purpose %q", ErrInput, p)
		}
	}
	return nil
}

// purposeTerms returns what the input says of every purpose: consents and
// objections.
func (r *Revision) purposeTerms(in *Input) (consents, objected *ast.Term, err error) {
	if err := r.said(in); err != nil {
		return nil, nil, err
	}
	nothing := true
	for p := range r.schema.purposes {
		nothing = nothing && !in.Objected[p]
	}
	statuses := ast.NewObjectWithCapacity(len(r.schema.purposes))
	for p, term := range r.schema.purposes {
		statuses.Insert(term, str(in.Consents[p]))
	}
	if nothing {
		return ast.NewTerm(statuses), r.schema.noObjections, nil
	}
	flags := ast.NewObjectWithCapacity(len(r.schema.purposes))
	for p, term := range r.schema.purposes {
		flags.Insert(term, ast.InternedTerm(in.Objected[p]))
	}
	return ast.NewTerm(statuses), ast.NewTerm(flags), nil
}

// fits checks what does not depend on a map's order.
func (r *Revision) fits(in *Input) error {
	switch {
	case !r.schema.channels[in.Channel.ID]:
		return fmt.Errorf("%w: channel %q is not declared", ErrInput, in.Channel.ID)
	case r.schema.purposes[in.Purpose.ID] == nil:
		return fmt.Errorf("%w: purpose %q is not declared", ErrInput, in.Purpose.ID)
	case !slices.Contains(privacy.LegalBases, in.Purpose.Basis):
		return fmt.Errorf("%w: legal basis %q is not known", ErrInput, in.Purpose.Basis)
	case len(in.Fields) == 0:
		return fmt.Errorf("%w: no field is asked for", ErrInput)
	case !validTime(in.Now):
		return fmt.Errorf("%w: now is not in whole seconds UTC", ErrInput)
	}
	return nil
}

// contextTerm checks that the context has the keys rules look at, no undeclared
// ones, and values of the declared types.
func (r *Revision) contextTerm(in *Input) (*ast.Term, error) {
	for _, name := range r.looks.context {
		if _, ok := in.Context[name]; !ok {
			return nil, fmt.Errorf("%w: context key %q is required", ErrInput, name)
		}
	}
	o := ast.NewObjectWithCapacity(len(in.Context))
	for name, v := range in.Context {
		key, ok := r.schema.context[name]
		if !ok {
			return nil, fmt.Errorf("%w: a context key is not declared", ErrInput)
		}
		term := key.term(v)
		if term == nil {
			return nil, fmt.Errorf("%w: context key %q is not a declared %s", ErrInput, name, key.Type)
		}
		o.Insert(str(name), term)
	}
	return ast.NewTerm(o), nil
}

// term returns the value as the declared type, or nil if it is none.
func (k ContextKey) term(v any) *ast.Term {
	switch v := v.(type) {
	case string:
		if k.Type == "string" && (len(k.Enum) == 0 || slices.Contains(k.Enum, v)) && len(v) <= maxContext && utf8.ValidString(v) {
			return ast.StringTerm(v)
		}
	case bool:
		if k.Type == "boolean" {
			return ast.InternedTerm(v)
		}
	case int:
		return k.number(float64(v))
	case int64:
		return k.number(float64(v))
	case float64:
		return k.number(v)
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return k.number(f)
		}
	}
	return nil
}

// number returns a number in one notation, so that 1 and 1.0 decide alike, and
// none so large that computing with it would take memory.
func (k ContextKey) number(f float64) *ast.Term {
	if k.Type != "number" || math.IsNaN(f) || math.Abs(f) > maxNumber {
		return nil
	}
	return ast.NumberTerm(json.Number(strconv.FormatFloat(f, 'f', -1, 64)))
}

func validStatus(s privacy.ConsentStatus) bool {
	return s == privacy.StatusNone || s == privacy.StatusExpired || slices.Contains(privacy.ConsentStatuses, s)
}

func str[T ~string](s T) *ast.Term { return ast.StringTerm(string(s)) }

func orUnknown(s string) *ast.Term {
	if s == "" {
		s = Unknown
	}
	return ast.StringTerm(s)
}

func entry(key, v *ast.Term) [2]*ast.Term { return [2]*ast.Term{key, v} }

func object(entries ...[2]*ast.Term) *ast.Term { return ast.ObjectTerm(entries...) }

// The keys of the input. Terms are never changed, so all inputs share them.
var (
	keyChannel      = ast.StringTerm("channel")
	keyPurpose      = ast.StringTerm("purpose")
	keySubject      = ast.StringTerm("subject")
	keyConsents     = ast.StringTerm("consents")
	keyObjected     = ast.StringTerm("objected")
	keyFields       = ast.StringTerm("fields")
	keyTouches      = ast.StringTerm("touches")
	keyContext      = ast.StringTerm("context")
	keyNow          = ast.StringTerm("now")
	keyGuard        = ast.StringTerm("guard")
	keyID           = ast.StringTerm("id")
	keyKind         = ast.StringTerm("kind")
	keyDPV          = ast.StringTerm("dpv")
	keyBasis        = ast.StringTerm("basis")
	keyJurisdiction = ast.StringTerm("jurisdiction")
	keyAgeBand      = ast.StringTerm("age_band")
	keyStanding     = ast.StringTerm("standing")
	keyGranted      = ast.StringTerm("granted")
	keyGround       = ast.StringTerm("ground")
	keyOptOut       = ast.StringTerm("opt_out")
	noTouches       = ast.ObjectTerm()
)
