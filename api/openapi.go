package api

import (
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// describe makes the OpenAPI 3.1 document of a table of routes. huma only
// describes: it stands in front of no request.
func describe(table []route, issuer, version string) ([]byte, error) {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	for of, like := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[wire.Subject]():       reflect.TypeFor[subjectSchema](),
		reflect.TypeFor[wire.LookupRequest](): reflect.TypeFor[lookupSchema](),
		reflect.TypeFor[wire.PersonRequest](): reflect.TypeFor[personRequestSchema](),
		reflect.TypeFor[wire.HoldRequest]():   reflect.TypeFor[holdRequestSchema](),
		reflect.TypeFor[wire.CaptureLine]():   reflect.TypeFor[captureLineSchema](),
		reflect.TypeFor[wire.Values]():        reflect.TypeFor[map[string]any](),
		reflect.TypeFor[wire.Value]():         reflect.TypeFor[any](),
		reflect.TypeFor[wire.Words]():         reflect.TypeFor[wordsSchema](),
		reflect.TypeFor[privacy.Sensitive]():  reflect.TypeFor[any](),
	} {
		registry.RegisterTypeAlias(of, like)
	}
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "sayso", Version: version, License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			Description: "A profile vault: a person tells a company something once; every channel then reads only what the person's recorded say-so, or another legal basis, allows for the purpose it names."},
		Servers: []*huma.Server{{URL: issuer}},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{"client": {
				Type:  "oauth2",
				Flows: &huma.OAuthFlows{ClientCredentials: &huma.OAuthFlow{TokenURL: issuer + "/oauth/token", Scopes: map[string]string{}}},
			}, "session": {Type: "http", Scheme: "bearer", Description: "the token of a person's session"}},
		},
	}
	// Requests first: what only answers use may grow, so that clients ignore
	// members they do not know; what a request uses may not.
	for _, rt := range table {
		if rt.do.in != nil {
			registry.Schema(rt.do.in, true, "")
		}
	}
	closed := map[string]bool{}
	for name := range registry.Map() {
		closed[name] = true
	}
	for _, rt := range table {
		doc.AddOperation(operation(rt, registry))
	}
	for name, schema := range registry.Map() {
		if !closed[name] && schema.Properties != nil {
			schema.AdditionalProperties = nil
		}
		for _, member := range schema.Properties {
			member.Nullable = false
		}
	}
	return doc.MarshalJSON()
}

var inPath = regexp.MustCompile(`\{([a-z]+)(\.\.\.)?\}`)

func operation(rt route, registry huma.Registry) *huma.Operation {
	op := &huma.Operation{
		Method: rt.method, Path: inPath.ReplaceAllString(rt.pattern, "{$1}"),
		OperationID: operationID(rt), Summary: rt.summary, Tags: []string{tag(rt)},
		Responses: map[string]*huma.Response{},
	}
	if rt.role != anyone {
		op.Security = nil
		if rt.role != subjectRole {
			op.Security = append(op.Security, map[string][]string{"client": {}})
		}
		if rt.role.admits(vault.RoleSubject) {
			op.Security = append(op.Security, map[string][]string{"session": {}})
		}
	}
	for _, m := range inPath.FindAllStringSubmatch(rt.pattern, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, name := range rt.query {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Type: huma.TypeString}})
	}
	if rt.idempotent {
		least, most := 1, 255
		op.Parameters = append(op.Parameters, &huma.Param{Name: headerKey, In: "header", Description: "makes the write happen once: for 24 hours a repeat is answered as the first was, with " + headerReplayed + ": true",
			Schema: &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most}})
	}
	if rt.do.in != nil || rt.do.takes != nil {
		op.RequestBody = &huma.RequestBody{Required: !optional(rt.do.in), Content: map[string]*huma.MediaType{}}
		for _, media := range or(rt.do.takes, mediaJSON) {
			op.RequestBody.Content[media] = &huma.MediaType{Schema: schemaOf(registry, rt.do.in)}
		}
	}
	for _, status := range rt.do.statuses {
		response := &huma.Response{Description: http.StatusText(status)}
		if status != http.StatusNoContent {
			response.Content = map[string]*huma.MediaType{}
			if rt.do.out != nil {
				media := mediaJSON
				if slices.Contains(rt.do.gives, mediaNDJSON) {
					media = mediaNDJSON // the shape of a line
				}
				response.Content[media] = &huma.MediaType{Schema: schemaOf(registry, rt.do.out)}
			}
			for _, media := range rt.do.gives {
				media, _, _ = strings.Cut(media, ";")
				if response.Content[media] == nil {
					response.Content[media] = &huma.MediaType{Schema: &huma.Schema{}}
				}
			}
		}
		op.Responses[strconv.Itoa(status)] = response
	}
	refused, media := reflect.TypeFor[wire.Problem](), mediaProblem
	if rt.pattern == "/oauth/token" {
		refused, media = reflect.TypeFor[wire.OAuthError](), mediaJSON
	}
	op.Responses["default"] = &huma.Response{Description: "Refused", Content: map[string]*huma.MediaType{media: {Schema: schemaOf(registry, refused)}}}
	return op
}

// schemaName names a schema by its Go type; those of other packages than wire
// and vault, by their package too, so that none stands for two.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch _, pkg, _ := strings.Cut(t.PkgPath(), "/sayso/"); {
	case pkg == "" || pkg == "api/wire" || pkg == "vault":
		return name
	default:
		pkg = path.Base(pkg)
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
}

func schemaOf(registry huma.Registry, t reflect.Type) *huma.Schema {
	if t == nil {
		return &huma.Schema{}
	}
	return registry.Schema(t, true, "")
}

func or(list []string, fallback string) []string {
	if len(list) == 0 {
		return []string{fallback}
	}
	return list
}

// operationID names an operation after its method and path: post-v1-reads.
func operationID(rt route) string {
	in := inPath.ReplaceAllString(rt.pattern, "$1")
	return strings.ToLower(rt.method) + strings.NewReplacer("/", "-", ".", "-", "_", "-").Replace(in)
}

func tag(rt route) string {
	switch rt.role {
	case channelRole:
		return "channels"
	case officerRole:
		return "officers"
	case eitherRole, everyRole:
		return "clients"
	case subjectRole:
		return "people"
	case tellerRole:
		return "channels"
	}
	return "anyone"
}

// subjectSchema describes wire.Subject, which is one of two shapes.
type subjectSchema struct{}

// Schema is called by huma.
func (subjectSchema) Schema(huma.Registry) *huma.Schema {
	one := 1
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeString, Pattern: "^sub_[0-9a-hjkmnp-tv-z]{26}$"},
		{Type: huma.TypeObject, MinProperties: &one, MaxProperties: &one, AdditionalProperties: true, Description: "one identifier and its value"},
	}}
}

// wordsSchema describes wire.Words, which are one of two shapes.
type wordsSchema struct{}

// Schema is called by huma.
func (wordsSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString},
		{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString}, Description: "texts by language"}}}
}

// lookupSchema describes wire.LookupRequest: a reason and one identifier.
type lookupSchema struct{}

// Schema is called by huma.
func (lookupSchema) Schema(huma.Registry) *huma.Schema {
	two := 2
	return &huma.Schema{Type: huma.TypeObject, Required: []string{"reason"}, MinProperties: &two, MaxProperties: &two,
		Properties: map[string]*huma.Schema{"reason": {Type: huma.TypeString}}, AdditionalProperties: true}
}

// personRequestSchema describes wire.PersonRequest: beside kind a
// subject, or one identifier.
type personRequestSchema struct{}

// Schema is called by huma.
func (personRequestSchema) Schema(r huma.Registry) *huma.Schema {
	two, nine := 2, 9
	kinds := make([]any, len(wire.RequestKinds))
	for i, kind := range wire.RequestKinds {
		kinds[i] = kind
	}
	return &huma.Schema{Type: huma.TypeObject, Required: []string{"kind"}, MinProperties: &two, MaxProperties: &nine,
		Properties: map[string]*huma.Schema{"kind": {Type: huma.TypeString, Enum: kinds}, "reason": {Type: huma.TypeString},
			"purpose":       {Type: huma.TypeString, Description: "of an objection"},
			"field":         {Type: huma.TypeString, Description: "of a contest"},
			"received_at":   {Type: huma.TypeString, Format: "date-time"},
			"identity":      {Type: huma.TypeString, Enum: []any{wire.IdentityConfirmed, wire.IdentityAwaiting}},
			"by":            r.Schema(reflect.TypeFor[wire.Actor](), true, ""),
			"never_contact": {Type: huma.TypeBoolean, Description: "of an erasure: hashes stay, so that no advertising follows"},
			"subject":       r.Schema(reflect.TypeFor[wire.Subject](), true, "")}, AdditionalProperties: true}
}

// holdRequestSchema describes wire.HoldRequest, likewise.
type holdRequestSchema struct{}

// Schema is called by huma.
func (holdRequestSchema) Schema(r huma.Registry) *huma.Schema {
	two := 2
	return &huma.Schema{Type: huma.TypeObject, Required: []string{"reason"}, MinProperties: &two, MaxProperties: &two,
		Properties:           map[string]*huma.Schema{"reason": {Type: huma.TypeString}, "subject": r.Schema(reflect.TypeFor[wire.Subject](), true, "")},
		AdditionalProperties: true}
}

// captureLineSchema describes wire.CaptureLine, of which a refused line has the
// number and the status alone in common with the others.
type captureLineSchema struct{}

// Schema is called by huma.
func (captureLineSchema) Schema(r huma.Registry) *huma.Schema {
	line := huma.SchemaFromType(r, reflect.TypeFor[wire.CaptureLine]())
	line.Required = []string{"n", "status"}
	return line
}

// optional reports whether a request of this shape may come without a body.
func optional(in reflect.Type) bool {
	return in != nil && reflect.PointerTo(in).Implements(reflect.TypeFor[interface{ Optional() }]())
}
