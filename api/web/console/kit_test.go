package console_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/web/console"
	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// first is the officer that a vault is made with.
const first = "first"

// desk is a vault with its console, served where a browser finds it.
type desk struct {
	*vaulttest.Vault
	T       testing.TB
	URL     string
	secrets map[string]string // of officers, by name
}

// open serves the console of a new vault, whose one officer is [first].
func open(t testing.TB, o *vaulttest.Options) *desk {
	t.Helper()
	return openWith(t, o, func(*console.Config) {})
}

// openWith serves a console that is configured otherwise.
func openWith(t testing.TB, o *vaulttest.Options, configure func(*console.Config)) *desk {
	t.Helper()
	v := vaulttest.New(t, o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{Vault: v, T: t, URL: "http://localhost:" + port, secrets: map[string]string{}} // a name, for passkeys
	cfg := console.Config{Vault: v.Vault, Origin: d.URL, Now: v.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	configure(&cfg)
	h, err := console.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	front, err := page.NewFront()
	if err != nil {
		t.Fatal(err)
	}
	routes, err := api.New(api.Config{Vault: v.Vault, Issuer: d.URL, Pages: []api.Pages{front, h}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(routes.Handler())
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	made, err := v.NewOfficerSecret(t.Context(), v.Officer, first)
	if err != nil {
		t.Fatal(err)
	}
	d.secrets[first] = made.Credentials.ClientSecret
	return d
}

// second makes another officer, at once, and returns who they are as a caller.
func (d *desk) second(name string) vault.Caller {
	d.T.Helper()
	made, err := d.AddOfficer(d.T.Context(), d.Officer, name)
	if err != nil || made.Credentials == nil {
		d.T.Fatalf("adding officer %s: %+v, %v", name, made, err)
	}
	d.secrets[name] = made.Credentials.ClientSecret
	return d.Signed(*made.Credentials)
}

// logIn logs an officer in by client ID and secret. The tab is at the overview
// afterwards.
func (d *desk) logIn(tab *webtest.Tab, name string) {
	d.T.Helper()
	tab.Go(d.URL + "/console/login")
	tab.Fill("[name=client_id]", "officer."+name)
	tab.Fill("[name=client_secret]", d.secrets[name])
	tab.Click("form[action='/console/login'] button")
	tab.At("/console")
	tab.Has("main .cards, main .empty")
}

// answered is what a page answered to who is no browser.
type answered struct {
	StatusCode int
	Header     http.Header
	Body       string
}

// ask asks for a page without a browser, as an officer or, with "", as nobody.
func (d *desk) ask(name, method, path string, header http.Header) answered {
	d.T.Helper()
	req, err := http.NewRequestWithContext(d.T.Context(), method, d.URL+path, nil)
	if err != nil {
		d.T.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	if name != "" {
		client, err := d.Authenticate("officer."+name, d.secrets[name])
		if err != nil {
			d.T.Fatal(err)
		}
		token, err := d.BeginSession(d.T.Context(), client, "test")
		if err != nil {
			d.T.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: "sayso_console_session", Value: token})
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		d.T.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		d.T.Fatal(err)
	}
	return answered{res.StatusCode, res.Header, string(body)}
}

// text is the register in force.
func (d *desk) text() string {
	d.T.Helper()
	view, err := d.Register(d.T.Context(), d.Officer)
	if err != nil {
		d.T.Fatal(err)
	}
	return string(view.YAML)
}

func contains(text, part string) bool { return strings.Contains(text, part) }
