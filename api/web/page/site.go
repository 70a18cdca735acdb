package page

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"text/template/parse"
	"time"

	"golang.org/x/text/language"
)

//go:embed templates
var ownTemplates embed.FS

//go:embed messages
var ownMessages embed.FS

// Config is what a [Site] is made of. Templates and Messages are required.
type Config struct {
	// Templates holds the family's *.html. Each but those whose names begin with
	// "_" is a page: it defines "title" and "main", which the layout shows, and
	// may define "nav". Those that begin with "_" are there for all pages.
	Templates fs.FS
	// Messages holds a catalogue <language>.json for each language, or several
	// <part>.<language>.json. One more language is one more file: it says all that
	// the others say, and, if the layout does not speak it, what the layout says.
	Messages fs.FS
	// Funcs are further functions for the templates. Default: none.
	Funcs template.FuncMap
	// Location is where times are shown in. Default: UTC.
	Location *time.Location
	// KeepQuery is whether a page stays what was asked for when it is shown in
	// another language. It writes the query into the page, which is wrong for a
	// family that is asked with secrets there. Default: the path alone stays.
	KeepQuery bool
}

// Site is a family of pages in all its languages. It is safe for concurrent use.
type Site struct {
	languages []string // the first is shown to who asks for none of them
	names     []Language
	matcher   language.Matcher
	views     map[string]*view // by language
	keepQuery bool
}

// view is a family in one language.
type view struct {
	catalogue catalogue
	pages     map[string]*template.Template
}

// Page is what a layout and its page see.
type Page struct {
	// Data is what was given to Render.
	Data any
	// Lang is the language shown, Languages all there are.
	Lang      string
	Languages []Language
	// Path is the page's own.
	Path string
	// Query is what was asked of the page, where the family keeps it.
	Query url.Values
	// Fragment is whether htmx asked for the main part alone.
	Fragment bool
}

// In is the address of the page itself in another language.
func (p Page) In(code string) string {
	query := url.Values{}
	maps.Copy(query, p.Query)
	query.Set("lang", code)
	return p.Path + "?" + query.Encode()
}

// New parses templates and catalogues, or says what is wrong with them: a page
// that does not parse, a message that one language lacks or a template asks for
// in vain.
func New(cfg Config) (*Site, error) {
	if cfg.Templates == nil || cfg.Messages == nil {
		return nil, errors.New("templates and messages are required")
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	shared, err := fs.Sub(ownMessages, "messages")
	if err != nil {
		return nil, err
	}
	common, err := readCatalogues(shared)
	if err != nil {
		return nil, err
	}
	family, err := readCatalogues(cfg.Messages)
	if err != nil {
		return nil, err
	}
	for lang, c := range family { // a language the layout lacks brings the layout's messages, too
		family[lang] = common[lang].with(c)
	}
	if err := compareCatalogues(family); err != nil {
		return nil, err
	}
	if len(family) == 0 {
		return nil, errors.New("there is no catalogue of messages")
	}
	s := &Site{views: map[string]*view{}, keepQuery: cfg.KeepQuery, languages: slices.Sorted(maps.Keys(family))}
	if i := slices.Index(s.languages, "en"); i > 0 {
		s.languages[0], s.languages[i] = s.languages[i], s.languages[0]
	}
	var tags []language.Tag
	for _, lang := range s.languages {
		c := family[lang]
		tags = append(tags, c.tag)
		name, err := c.say("language")
		if err != nil {
			return nil, err
		}
		s.names = append(s.names, Language{Code: lang, Name: name})
		if s.views[lang], err = newView(cfg, c); err != nil {
			return nil, fmt.Errorf("in %q: %w", lang, err)
		}
	}
	s.matcher = language.NewMatcher(tags)
	return s, nil
}

func newView(cfg Config, c catalogue) (*view, error) {
	funcs := template.FuncMap{
		"t":      c.say,
		"words":  c.words,
		"asset":  assetPath,
		"day":    func(t time.Time) (string, error) { return c.day(t.In(cfg.Location)) },
		"moment": func(t time.Time) (string, error) { return c.moment(t.In(cfg.Location)) },
		"clock":  func(t time.Time) (string, error) { return c.clock(t.In(cfg.Location)) },
		"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}
	maps.Copy(funcs, cfg.Funcs)
	base, err := template.New("").Funcs(funcs).Option("missingkey=error").ParseFS(ownTemplates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(cfg.Templates, "*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name[0] == '_' {
			if base, err = base.ParseFS(cfg.Templates, name); err != nil {
				return nil, err
			}
		}
	}
	v := &view{catalogue: c, pages: map[string]*template.Template{}}
	for _, name := range names {
		if name[0] == '_' {
			continue
		}
		page, err := template.Must(base.Clone()).ParseFS(cfg.Templates, name)
		if err != nil {
			return nil, err
		}
		for _, part := range page.Templates() {
			if err := saysOnlyWhatIsThere(c, part.Tree); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		v.pages[name] = page
	}
	return v, nil
}

// saysOnlyWhatIsThere looks for {{t "key"}} whose message is missing.
func saysOnlyWhatIsThere(c catalogue, tree *parse.Tree) error {
	if tree == nil || tree.Root == nil {
		return nil
	}
	var missing error
	eachCommand(tree.Root, func(cmd *parse.CommandNode) {
		if len(cmd.Args) < 2 {
			return
		}
		name, ok := cmd.Args[0].(*parse.IdentifierNode)
		if !ok || name.Ident != "t" {
			return
		}
		if key, ok := cmd.Args[1].(*parse.StringNode); ok {
			if _, known := c.messages[key.Text]; !known {
				missing = fmt.Errorf("there is no message %q", key.Text)
			}
		}
	})
	return missing
}

// eachCommand calls do for every command below n, those in parentheses too.
func eachCommand(n parse.Node, do func(*parse.CommandNode)) {
	pipe := func(p *parse.PipeNode) {
		if p == nil {
			return
		}
		for _, cmd := range p.Cmds {
			do(cmd)
			for _, arg := range cmd.Args {
				if inner, ok := arg.(*parse.PipeNode); ok {
					eachCommand(&parse.ActionNode{Pipe: inner}, do)
				}
			}
		}
	}
	branch := func(b *parse.BranchNode) {
		pipe(b.Pipe)
		eachCommand(b.List, do)
		if b.ElseList != nil {
			eachCommand(b.ElseList, do)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, node := range n.Nodes {
				eachCommand(node, do)
			}
		}
	case *parse.ActionNode:
		pipe(n.Pipe)
	case *parse.TemplateNode:
		pipe(n.Pipe)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	}
}

// Render answers with the page called name, or with its main part alone where
// htmx asks for it. It is written whole or, if the template fails, not at all.
func (s *Site) Render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	lang := s.languageOf(w, r)
	page, ok := s.views[lang].pages[name]
	if !ok {
		return fmt.Errorf("there is no page %q", name)
	}
	p := Page{Data: data, Lang: lang, Languages: s.names, Path: r.URL.Path, Fragment: r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Target") != ""}
	if s.keepQuery && r.Method == http.MethodGet && status == http.StatusOK {
		p.Query = r.URL.Query()
	}
	part := "layout"
	if p.Fragment {
		part = "main"
	}
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, part, p); err != nil {
		return fmt.Errorf("rendering %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang)
	h.Add("Vary", "Accept-Language, Cookie, HX-Request")
	w.WriteHeader(status)
	_, err := body.WriteTo(w)
	return err
}

// Say is a message of the language that r is answered in, for what is not a
// page: a mail, a file's name.
func (s *Site) Say(w http.ResponseWriter, r *http.Request, key string, pairs ...any) (string, error) {
	return s.views[s.languageOf(w, r)].catalogue.say(key, pairs...)
}

// SayIn is a message in the language called lang, or in the first there is.
func (s *Site) SayIn(lang, key string, pairs ...any) (string, error) {
	v := s.views[lang]
	if v == nil {
		v = s.views[s.languages[0]]
	}
	return v.catalogue.say(key, pairs...)
}
