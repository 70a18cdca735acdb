package api

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// The document is of the table: every route, with its shapes, and no reference
// that leads nowhere.
func TestTheOpenAPIDocumentTellsEveryRoute(t *testing.T) {
	b := newBench(t)
	a := b.call("GET", "/openapi.json", "", "")
	var doc struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Parameters  []struct {
				Name, In string
				Required bool
			}
			RequestBody *struct {
				Required bool
				Content  map[string]struct{ Schema json.RawMessage }
			}
			Responses map[string]struct {
				Description string
				Content     map[string]struct{ Schema json.RawMessage }
			}
			Security []map[string][]string
		}
		Components struct {
			Schemas         map[string]json.RawMessage
			SecuritySchemes map[string]struct{ Type string }
		}
	}
	if err := json.Unmarshal([]byte(a.raw), &doc); err != nil || a.status != 200 {
		t.Fatalf("%d %v", a.status, err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" || doc.Servers[0].URL != issuer {
		t.Errorf("head: %s %+v %+v", doc.OpenAPI, doc.Info, doc.Servers)
	}
	seen, table := map[string]bool{}, routes()
	for _, rt := range table {
		path := strings.ReplaceAll(rt.pattern, "...", "")
		op, ok := doc.Paths[path][strings.ToLower(rt.method)]
		if !ok {
			t.Errorf("%s %s is not in it", rt.method, path)
			continue
		}
		if op.OperationID == "" || seen[op.OperationID] || op.Summary == "" {
			t.Errorf("%s %s: operation %q, summary %q", rt.method, path, op.OperationID, op.Summary)
		}
		seen[op.OperationID] = true
		inPath, inHeader := 0, 0
		for _, p := range op.Parameters {
			if p.In == "header" {
				inHeader++
			}
			if p.In == "path" {
				inPath++
				if !p.Required || !strings.Contains(path, "{"+p.Name+"}") {
					t.Errorf("%s %s: parameter %+v", rt.method, path, p)
				}
			}
		}
		if inPath != strings.Count(path, "{") || len(op.Parameters) != inPath+inHeader+len(rt.query) || (inHeader == 1) != rt.idempotent {
			t.Errorf("%s %s: parameters %+v", rt.method, path, op.Parameters)
		}
		if (rt.role != anyone) != (len(op.Security) > 0) {
			t.Errorf("%s %s: security %v", rt.method, path, op.Security)
		}
		if (rt.body > 0) != (op.RequestBody != nil) {
			t.Errorf("%s %s: request body %v", rt.method, path, op.RequestBody)
		}
		for _, status := range rt.do.statuses {
			if r, ok := op.Responses[strconv.Itoa(status)]; !ok || r.Description == "" || len(r.Content) == 0 && status != 204 {
				t.Errorf("%s %s: no answer %d", rt.method, path, status)
			}
		}
		if _, ok := op.Responses["default"]; !ok {
			t.Errorf("%s %s: no refusal", rt.method, path)
		}
	}
	if len(seen) != len(table) {
		t.Errorf("%d operations for %d routes", len(seen), len(table))
	}
	const ref = `"$ref":"#/components/schemas/`
	for _, part := range strings.Split(a.raw, ref)[1:] {
		if name, _, _ := strings.Cut(part, `"`); doc.Components.Schemas[name] == nil {
			t.Errorf("reference to %q leads nowhere", name)
		}
	}
	for name, want := range map[string]string{
		"ReadRequest":    `"additionalProperties":false`,
		"ConsentRequest": `"required":["purpose","status","method"]`,
	} {
		if got := string(doc.Components.Schemas[name]); !strings.Contains(got, want) {
			t.Errorf("%s lacks %s: %s", name, want, got)
		}
	}
	if got := string(doc.Components.Schemas["ReadAnswer"]); strings.Contains(got, `"additionalProperties":false`) {
		t.Errorf("answers must be free to grow: %s", got)
	}
	if strings.Contains(a.raw, "[sensitive]") {
		t.Error("the document shows a Sensitive")
	}
}
