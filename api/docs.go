package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page and its style
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// docs is the page at /docs: what the OpenAPI document says, to be read.
type docs struct {
	page   []byte
	policy string // Content-Security-Policy: this page's own style and nothing else
}

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle string

// The parts of an OpenAPI document that the page shows.
type (
	openAPI struct {
		Info struct {
			Title, Version, Description string
		}
		Servers    []struct{ URL string }
		Paths      map[string]map[string]*openOperation
		Components struct{ Schemas map[string]*schema }
	}
	openOperation struct {
		ID          string `json:"operationId"`
		Summary     string
		Tags        []string
		Parameters  []struct{ Name, In string }
		RequestBody *struct {
			Required bool
			Content  content
		}
		Responses map[string]struct {
			Description string
			Content     content
		}
	}
	content map[string]struct{ Schema *schema }
)

// The page as its template sees it.
type (
	docsView struct {
		Title, Version, Description, Server string

		Style  template.CSS
		Groups []docsGroup
		Shapes []docsShape
		Codes  []docsCode
	}
	docsGroup struct {
		Name, Who string
		Routes    []docsRoute
	}
	docsRoute struct {
		ID, Method, Path, Summary string

		Parameters []docsParameter
		Optional   bool // the body
		Request    []docsBody
		Answers    []docsAnswer
	}
	docsParameter struct{ Name, In string }
	docsAnswer    struct {
		Status, Means string
		Bodies        []docsBody
	}
	docsBody struct {
		Media   string
		Type    template.HTML
		Example string
	}
	docsShape struct {
		Name    string
		Closed  bool // unknown members are refused
		Members []docsMember
	}
	docsMember struct {
		Name     string
		Type     template.HTML
		Required bool
		Note     string
	}
	docsCode struct {
		Code, Title string
		Status      int
	}
)

// callers are the groups of routes, in the order of the page.
var callers = []docsGroup{
	{Name: "channels", Who: "With a channel's access token."},
	{Name: "clients", Who: "With the access token of a channel or an officer."},
	{Name: "people", Who: "With the token of a person's session."},
	{Name: "officers", Who: "With an officer's access token."},
	{Name: "anyone", Who: "Without a token."},
}

// document renders the OpenAPI document of a table of routes, in its order.
func document(table []route, openapi []byte) (*docs, error) {
	var doc openAPI
	if err := json.Unmarshal(openapi, &doc); err != nil {
		return nil, err
	}
	page, err := template.New("docs").Parse(docsPage)
	if err != nil {
		return nil, err
	}
	view := docsView{Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description, Server: doc.Servers[0].URL,
		Style: template.CSS(docsStyle), Groups: slices.Clone(callers)} //nolint:gosec // G203: the style is ours
	for _, rt := range table {
		path := inPath.ReplaceAllString(rt.pattern, "{$1}")
		op := doc.Paths[path][strings.ToLower(rt.method)]
		if op == nil {
			return nil, fmt.Errorf("%s %s is not described", rt.method, path)
		}
		at := slices.IndexFunc(view.Groups, func(g docsGroup) bool { return slices.Contains(op.Tags, g.Name) })
		view.Groups[at].Routes = append(view.Groups[at].Routes, doc.route(rt.method, path, op))
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		view.Shapes = append(view.Shapes, doc.Components.Schemas[name].shape(name))
	}
	for _, code := range slices.Sorted(maps.Keys(refusals)) {
		view.Codes = append(view.Codes, docsCode{Code: code, Title: refusals[code].title, Status: refusals[code].status})
	}
	slices.SortStableFunc(view.Codes, func(a, b docsCode) int { return a.Status - b.Status })
	var out bytes.Buffer
	if err := page.Execute(&out, view); err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return &docs{page: out.Bytes(), policy: policy}, nil
}

func (d *openAPI) route(method, path string, op *openOperation) docsRoute {
	r := docsRoute{ID: op.ID, Method: method, Path: path, Summary: op.Summary}
	for _, p := range op.Parameters {
		r.Parameters = append(r.Parameters, docsParameter(p))
	}
	if op.RequestBody != nil {
		r.Request, r.Optional = d.bodies(op.RequestBody.Content), !op.RequestBody.Required
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		a := docsAnswer{Status: status, Means: op.Responses[status].Description, Bodies: d.bodies(op.Responses[status].Content)}
		if status == "default" {
			a.Status = "4xx, 5xx"
		}
		r.Answers = append(r.Answers, a)
	}
	return r
}

func (d *openAPI) bodies(c content) (bodies []docsBody) {
	for _, media := range slices.Sorted(maps.Keys(c)) {
		b := docsBody{Media: media, Type: c[media].Schema.words()}
		if strings.Contains(media, "json") && media != mediaProblem && c[media].Schema.Ref != "" {
			b.Example = d.example(c[media].Schema, media == mediaNDJSON)
		}
		bodies = append(bodies, b)
	}
	return bodies
}

var docsHandler = handler{
	gives: []string{mediaHTML}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		h := x.w.Header()
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Security-Policy", x.docs.policy)
		h.Set("Referrer-Policy", "no-referrer")
		x.write(http.StatusOK, mediaHTML, x.docs.page)
		return nil
	},
}
