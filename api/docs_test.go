package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page shows every route and every code, all its links lead somewhere in
// it, and the browser is told to fetch and run nothing.
func TestTheDocsShowEveryRoute(t *testing.T) {
	b := newBench(t)
	a := b.call("GET", "/docs", "", "")
	if a.status != 200 || a.header.Get("Content-Type") != mediaHTML {
		t.Fatalf("got %d %s", a.status, a.header.Get("Content-Type"))
	}
	page := readPage(t, a.raw)
	for _, rt := range routes() {
		path := inPath.ReplaceAllString(rt.pattern, "{$1}")
		if at := page.sections[operationID(rt)]; !strings.Contains(at, rt.method+" "+path) || !strings.Contains(at, rt.summary) {
			t.Errorf("%s %s has no section that names it: %q", rt.method, path, at)
		}
	}
	for code := range refusals {
		if !slices.Contains(page.codes, code) {
			t.Errorf("the code %s is not shown", code)
		}
	}
	for _, link := range page.links {
		if id, local := strings.CutPrefix(link, "#"); local && !page.ids[id] || !local && link != "/openapi.json" {
			t.Errorf("the link %s leads nowhere", link)
		}
	}
	for _, foreign := range []string{"<script", "<img", "<link", "<iframe", "<object", " on", "url(", "@import", "style="} {
		if strings.Contains(regexp.MustCompile(`>[^<]*<`).ReplaceAllString(a.raw, "><"), foreign) {
			t.Errorf("the page has a %q", foreign)
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(a.raw)
	hash := sha256.Sum256([]byte(style[1]))
	policy := a.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy does not admit the page's own style and nothing else: %s", policy)
	}
}

// shownPage is what there is to see of a page.
type shownPage struct {
	ids      map[string]bool
	links    []string
	codes    []string          // texts of <code>
	sections map[string]string // id of the heading → text
}

func readPage(t *testing.T, html string) shownPage {
	t.Helper()
	p := shownPage{ids: map[string]bool{}, sections: map[string]string{}}
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta"}, xml.HTMLEntity
	var section, open string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatalf("reading the page: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			open = e.Name.Local
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "id":
					if p.ids[a.Value] {
						t.Errorf("two elements are called %s", a.Value)
					}
					p.ids[a.Value] = true
				case "href":
					p.links = append(p.links, a.Value)
				case "aria-labelledby":
					section = a.Value
				}
			}
		case xml.CharData:
			if open == "code" {
				p.codes = append(p.codes, strings.TrimSpace(string(e)))
			}
			if text := strings.Join(strings.Fields(string(e)), " "); section != "" && text != "" {
				p.sections[section] += " " + text
			}
		case xml.EndElement:
			open = ""
			if e.Name.Local == "section" {
				section = ""
			}
		}
	}
}
