package page_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/api/web/webtest"
)

const visits = `{{define "title"}}{{t "title"}}{{end}}
{{define "main"}}<h1>{{t "title"}}</h1>
<p id="count">{{t "visits" "n" .Data.Count}}</p>
<p id="when">{{moment .Data.At}}</p>
<p id="name">{{.Data.Name}}</p>
<form method="post" action="/visit"><button data-hx-post="/visit" data-hx-target="main">{{t "again"}}</button></form>
{{template "bars" .Data.Bars}}{{end}}`

func files(texts map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, text := range texts {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

var (
	english = `{"title": "Visits", "visits": {"one": "{n} visit", "other": "{n} visits"}, "again": "Visit again"}`
	german  = `{"title": "Besuche", "visits": {"one": "{n} Besuch", "other": "{n} Besuche"}, "again": "Nochmal besuchen"}`
)

type visit struct {
	Count int
	At    time.Time
	Name  string
	Bars  page.Bars
}

// served is a family of one page, which counts visits.
func served(t *testing.T) *httptest.Server {
	t.Helper()
	site, err := page.New(page.Config{Templates: files(map[string]string{"visits.html": visits}), Messages: files(map[string]string{"en.json": english, "de.json": german})})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	mux := http.NewServeMux()
	show := func(w http.ResponseWriter, r *http.Request) {
		err := site.Render(w, r, http.StatusOK, "visits.html", visit{Count: count, At: time.Date(2026, 3, 7, 9, 5, 0, 0, time.UTC), Name: `<b id="bold">Zoë</b>`,
			Bars: page.Bars{Title: "By month", Label: "Month", Count: "Visits", Bars: []page.Bar{{Label: "March", Count: 3}, {Label: "April", Count: 1}}}})
		if err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /{$}", show)
	mux.HandleFunc("POST /visit", func(w http.ResponseWriter, r *http.Request) { count++; show(w, r) })
	outer := http.NewServeMux()
	outer.Handle(page.AssetsPath, page.Assets())
	outer.Handle("/", page.Guard(mux))
	server := httptest.NewServer(outer)
	t.Cleanup(server.Close)
	return server
}

// A page speaks the reader's language, counts in it, shows markup in a name as
// text, works by htmx and without it, is accessible, and trips over none of its
// own rules.
func TestAPageAsAPersonSeesIt(t *testing.T) {
	browser := webtest.Start(t)

	t.Run("in English, with JavaScript", func(t *testing.T) {
		server := served(t)
		tab := browser.Tab(t, webtest.Options{})
		tab.Go(server.URL)
		tab.See("0 visits")
		tab.See("7 March 2026, 09:05")
		tab.See(`<b id="bold">Zoë</b>`)
		tab.Accessible()
		tab.Click("button")
		tab.See("1 visit")
		tab.At("/") // htmx put the answer in the place of the main part
		tab.See("April")
		tab.Has(`.bars tr:nth-child(2) rect[width="33.3%"]`) // one of three
		tab.Accessible()
		tab.Shot("page")
	})
	t.Run("in German, on a phone, without JavaScript", func(t *testing.T) {
		server := served(t)
		tab := browser.Tab(t, webtest.Options{Language: "de-AT", Phone: true, NoScript: true})
		tab.Go(server.URL)
		tab.See("0 Besuche")
		tab.See("7. März 2026, 09:05 Uhr")
		tab.Click("main button")
		tab.See("1 Besuch")
		tab.At("/visit")
		tab.Shot("page-phone")
	})
	t.Run("in a language that is chosen", func(t *testing.T) {
		server := served(t)
		tab := browser.Tab(t, webtest.Options{Language: "fr"})
		tab.Go(server.URL)
		tab.See("Visits") // the first there is
		tab.Click(`footer a[lang="de"]`)
		tab.See("Besuche")
		tab.Go(server.URL)
		tab.See("Besuche")
	})
}

// In another language a page is what was asked for, where its family says that it
// may be written down; elsewhere it could be a secret.
func TestAPageInAnotherLanguageKeepsWhatWasAsked(t *testing.T) {
	for _, c := range []struct {
		keeps  bool
		method string
		status int
		want   string
	}{
		{true, http.MethodGet, http.StatusOK, `href="/?lang=de&of=Zo%C3%AB+%26+%22Co%22" lang="de"`},
		{false, http.MethodGet, http.StatusOK, `href="/?lang=de" lang="de"`},
		{true, http.MethodPost, http.StatusOK, `href="/?lang=de" lang="de"`},
		{true, http.MethodGet, http.StatusBadRequest, `href="/?lang=de" lang="de"`},
	} {
		site, err := page.New(page.Config{Templates: files(map[string]string{"visits.html": visits}), Messages: files(map[string]string{"en.json": english, "de.json": german}), KeepQuery: c.keeps})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), c.method, "/?lang=en&of="+url.QueryEscape(`Zoë & "Co"`), nil)
		w := httptest.NewRecorder()
		if err := site.Render(w, r, c.status, "visits.html", visit{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(html.UnescapeString(w.Body.String()), c.want) {
			t.Errorf("keeping the query %t, %s answered %d: the page has no %s: %s", c.keeps, c.method, c.status, c.want, w.Body)
		}
	}
}

// What another site sends is no visit, and nobody may frame or keep a page.
func TestPagesKeepToThemselves(t *testing.T) {
	server := served(t)
	ask := func(method, path string, headers ...string) (int, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode, res.Header
	}
	for _, foreign := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://elsewhere.example"}} {
		if status, _ := ask("POST", "/visit", foreign...); status != http.StatusForbidden {
			t.Errorf("a post with %v got %d, want 403", foreign, status)
		}
	}
	_, h := ask("GET", "/")
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the content policy is %q", policy)
	}
}

// What is wrong with a family is said at the start.
func TestAFamilyIsCheckedAtTheStart(t *testing.T) {
	for _, c := range []struct {
		name, page, en, de, want string
	}{
		{"a message that a template asks for in vain", strings.Replace(visits, `t "again"`, `t "afresh"`, 1), english, german, `no message "afresh"`},
		{"one within a condition", strings.Replace(visits, `{{t "again"}}`, `{{if .Data}}{{printf (t "afresh")}}{{end}}`, 1), english, german, `no message "afresh"`},
		{"a message that a language lacks", visits, english, strings.Replace(german, `"again"`, `"more"`, 1), `in "`},
		{"a name that differs between languages", visits, english, strings.ReplaceAll(german, "{n}", "{m}"), "names"},
		{"a count without its form other", visits, strings.Replace(english, `"other"`, `"many"`, 1), german, `"other"`},
		{"a page that does not parse", visits + "{{", english, german, "visits.html"},
	} {
		_, err := page.New(page.Config{Templates: files(map[string]string{"visits.html": c.page}), Messages: files(map[string]string{"en.json": c.en, "de.json": c.de})})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want it to say %s", c.name, err, c.want)
		}
	}
}

// A catalogue may be in several files, which must not contradict each other.
func TestACatalogueInParts(t *testing.T) {
	parts := map[string]string{"en.json": strings.Replace(english, `, "again": "Visit again"`, "", 1), "more.en.json": `{"again": "Visit again"}`, "de.json": german}
	if _, err := page.New(page.Config{Templates: files(map[string]string{"visits.html": visits}), Messages: files(parts)}); err != nil {
		t.Error(err)
	}
	parts["more.en.json"] = `{"again": "Visit again", "title": "Calls"}`
	if _, err := page.New(page.Config{Templates: files(map[string]string{"visits.html": visits}), Messages: files(parts)}); err == nil || !strings.Contains(err.Error(), `"title" is in two files`) {
		t.Errorf("got %v", err)
	}
}

// One more language is one more file, also where the layout does not speak it: the
// file brings the layout's messages, its own forms for counts and its own dates.
func TestOneMoreLanguageIsOneMoreFile(t *testing.T) {
	polish := `{"title": "Wizyty", "visits": {"one": "{n} wizyta", "few": "{n} wizyty", "many": "{n} wizyt", "other": "{n} wizyty"}, "again": "Jeszcze raz",
		"language": "Polski", "languages": "Język", "skip": "Do treści", "as_table": "Jako tabela", "date": "{day} {month} {year}", "clock": "{time}", "moment": "{date}, {clock}",
		"month.1": "stycznia", "month.2": "lutego", "month.3": "marca", "month.4": "kwietnia", "month.5": "maja", "month.6": "czerwca",
		"month.7": "lipca", "month.8": "sierpnia", "month.9": "września", "month.10": "października", "month.11": "listopada", "month.12": "grudnia"}`
	catalogues := map[string]string{"en.json": english, "de.json": german, "pl.json": polish}
	site, err := page.New(page.Config{Templates: files(map[string]string{"visits.html": visits}), Messages: files(catalogues)})
	if err != nil {
		t.Fatal(err)
	}
	for count, want := range map[int]string{1: "1 wizyta", 3: "3 wizyty", 5: "5 wizyt"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", "pl-PL, en;q=0.5")
		w := httptest.NewRecorder()
		if err := site.Render(w, r, http.StatusOK, "visits.html", visit{Count: count, At: time.Date(2026, 3, 7, 9, 5, 0, 0, time.UTC)}); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{want, `<html lang="pl">`, "7 marca 2026, 09:05", "Do treści", `href="/?lang=de"`, ">Polski<"} {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("with %d visits the page does not say %q", count, text)
			}
		}
	}
	catalogues["pl.json"] = strings.Replace(polish, `"skip": "Do treści", `, "", 1)
	if _, err := page.New(page.Config{Templates: files(map[string]string{"visits.html": visits}), Messages: files(catalogues)}); err == nil || !strings.Contains(err.Error(), `"skip"`) {
		t.Errorf("a language that lacks a message of the layout: %v", err)
	}
}
