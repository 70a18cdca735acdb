package api

import (
	"fmt"
	"net/http"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// mediaLinked is the media type of schema.org's JSON.
const mediaLinked = "application/ld+json"

// takeoutParams are the parameters of a person's export.
var takeoutParams = []string{"format", "scope"}

// exportMeHandler gives people their data.
var exportMeHandler = handler{
	out: reflect.TypeFor[wire.Takeout](), gives: []string{mediaCSV, mediaLinked}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		return x.takeout(func(scope vault.Scope) (*vault.Takeout, error) { return x.door.Export(x.ctx, x.caller, scope) })
	},
}

// exportForMeHandler gives it to who acts for them, whom the record names.
var exportForMeHandler = handler{
	in: reflect.TypeFor[wire.Acting](), out: reflect.TypeFor[wire.Takeout](), gives: []string{mediaCSV, mediaLinked}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		var in wire.Acting
		if err := x.decode(&in); err != nil {
			return err
		}
		by := x.caller
		by.For = who(in.By)
		return x.takeout(func(scope vault.Scope) (*vault.Takeout, error) { return x.door.Export(x.ctx, by, scope) })
	},
}

// exportPersonHandler gives an officer a person's data, for a reason.
var exportPersonHandler = handler{
	in: reflect.TypeFor[wire.TakeoutRequest](), out: reflect.TypeFor[wire.Takeout](), gives: []string{mediaCSV, mediaLinked}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		var in wire.TakeoutRequest
		if err := x.decode(&in); err != nil {
			return err
		}
		id, err := x.person()
		if err != nil {
			return err
		}
		by := x.caller
		by.For = who(in.By)
		return x.takeout(func(scope vault.Scope) (*vault.Takeout, error) {
			return x.door.ExportFor(x.ctx, by, id, scope, in.Reason)
		})
	},
}

func (x *exchange) takeout(take func(vault.Scope) (*vault.Takeout, error)) error {
	scope, format := vault.Scope(x.query.Get("scope")), x.query.Get("format")
	if scope == "" {
		scope = vault.ScopeAccess
	}
	if scope != vault.ScopeAccess && scope != vault.ScopePortable {
		return unprocessable("scope", wire.CodeInvalid, "is access or portable")
	}
	if format == "" {
		format = wire.FormatJSON
	}
	if _, known := takeouts[format]; !known {
		return unprocessable("format", wire.CodeInvalid, "is json, csv or schemaorg")
	}
	out, err := take(scope)
	if err != nil {
		return err
	}
	file, err := FormatTakeout(format, out)
	if err != nil {
		return err
	}
	x.w.Header().Set("Content-Disposition", `attachment; filename="`+file.Name+`"`)
	x.write(http.StatusOK, file.Media, file.Content)
	return nil
}

// TakeoutFile is a person's data as a file.
type TakeoutFile struct {
	Name, Media string
	Content     []byte
}

// FormatTakeout writes a person's data in a format: json, csv or schemaorg. The
// same data gives the same bytes.
func FormatTakeout(format string, t *vault.Takeout) (*TakeoutFile, error) {
	write, known := takeouts[format]
	if !known {
		return nil, fmt.Errorf("there is no format %q", format)
	}
	content, err := write.as(t)
	if err != nil {
		return nil, err
	}
	return &TakeoutFile{Name: "my-data-" + string(t.Scope) + "." + write.ending, Media: write.media, Content: content}, nil
}

// takeouts are the formats of a person's export.
var takeouts = map[string]struct {
	media, ending string
	as            func(*vault.Takeout) ([]byte, error)
}{
	wire.FormatJSON:      {mediaJSON, "json", takeoutJSON},
	wire.FormatCSV:       {mediaCSV, "csv", takeoutCSV},
	wire.FormatSchemaOrg: {mediaLinked, "jsonld", takeoutSchemaOrg},
}

func takeoutJSON(t *vault.Takeout) ([]byte, error) {
	out := &wire.Takeout{Format: wire.TakeoutFormat, Scope: string(t.Scope), Subject: t.Subject, Controller: wire.OwnController(t.Controller),
		Register: t.Register, RestrictedSince: pointer(t.Restricted), Values: []wire.OwnValue{}}
	for _, v := range t.Values {
		out.Values = append(out.Values, ownValue(v))
	}
	for _, p := range t.Past {
		out.Past = append(out.Past, wire.PastValue{Field: p.Field, Value: wire.Value{Sensitive: p.Value}, ObservedAt: p.Observed, Since: p.Recorded,
			Channel: p.Channel, Origin: p.Origin, Inference: p.Inference, By: acting(p.By)})
	}
	for _, p := range t.Purposes {
		out.Purposes = append(out.Purposes, ownPurpose(p))
	}
	for _, c := range t.Consents {
		out.Consents = append(out.Consents, ownConsent(c))
	}
	for _, g := range t.Grounds {
		out.Grounds = append(out.Grounds, wire.OwnGround{Purpose: g.Purpose, Ref: g.Ref, Since: g.Since, Until: pointer(g.Until)})
	}
	for _, o := range t.Touches {
		out.Touches = append(out.Touches, wire.OwnTouch{Kind: string(o.Kind), Topic: o.Topic, Medium: o.Medium, Purpose: o.Purpose, Ref: o.Ref,
			Channel: o.Channel, At: o.At, RecordedAt: o.Recorded, ExpiresAt: pointer(o.Expires), EndedAt: pointer(o.Ended)})
	}
	out.TouchesLater = t.TouchesLater
	for _, f := range t.Refusals {
		out.Refusals = append(out.Refusals, wire.OwnRefusal(f))
	}
	for i := range t.Requests {
		out.Requests = append(out.Requests, *requestNow(&t.Requests[i]))
	}
	for _, r := range t.Recipients {
		out.Recipients = append(out.Recipients, wire.Recipient{Channel: r.Channel, Title: wire.Words(r.Title), Recipient: r.Recipient,
			Purposes: listed(r.Purposes), Fields: listed(r.Fields), First: r.First, Last: r.Last, Reads: r.Reads})
	}
	out.RecipientsLater = later(t.Later)
	return json.Marshal(out, json.Deterministic(true), jsontext.Multiline(true))
}

// schemaOrg are the properties of schema.org's Person that fields stand for.
var schemaOrg = map[privacy.FieldName]string{
	"name": "name", "given_name": "givenName", "family_name": "familyName", "middle_name": "additionalName", "nickname": "alternateName",
	"email": "email", "phone_number": "telephone", "birthdate": "birthDate", "gender": "gender", "website": "url", "picture": "image",
}

// postal are the properties of a PostalAddress that members of an address stand
// for (OpenID Connect Core 5.1.1).
var postal = map[string]string{
	"street_address": "streetAddress", "locality": "addressLocality", "region": "addressRegion", "postal_code": "postalCode", "country": "addressCountry",
}

// takeoutSchemaOrg writes the values as a Person of schema.org. What it has no
// property for stands under additionalProperty, by the field's name.
func takeoutSchemaOrg(t *vault.Takeout) ([]byte, error) {
	person := map[string]any{"@context": "https://schema.org", "@type": "Person"}
	more := []any{}
	for _, v := range t.Values {
		raw := jsontext.Value(v.Value.Reveal())
		name, known := schemaOrg[v.Field]
		address, whole := postalAddress(raw)
		switch {
		case known && raw.Kind() == '"':
			person[name] = raw
		case v.Field == "address" && whole:
			person["address"] = address
		default:
			more = append(more, map[string]any{"@type": "PropertyValue", "propertyID": string(v.Field), "value": raw})
		}
	}
	if len(more) > 0 {
		person["additionalProperty"] = more
	}
	return json.Marshal(person, json.Deterministic(true), jsontext.Multiline(true))
}

// postalAddress is an address as a PostalAddress; it is not whole if some of it has
// no property there.
func postalAddress(raw jsontext.Value) (address map[string]any, whole bool) {
	var members map[string]any
	if raw.Kind() != '{' || json.Unmarshal(raw, &members) != nil {
		return nil, false
	}
	address = map[string]any{"@type": "PostalAddress"}
	for name, value := range members {
		property, known := postal[name]
		if _, text := value.(string); !known || !text {
			return nil, false
		}
		address[property] = value
	}
	return address, true
}
