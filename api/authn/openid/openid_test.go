package openid_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/api/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a server that people log in to: /login begins, /back finishes.
type site struct {
	*httptest.Server
	provider *openid.Provider

	mu   sync.Mutex // guards what the last login came to
	who  *openid.Identity
	err  error
	mend func(*http.Request) // what an attacker changes of a browser's return
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		ask := openid.Ask{Return: r.URL.Query().Get("return"), Fresh: r.URL.Query().Has("fresh"), Language: "de"}
		if err := s.provider.Begin(w, r, ask); err != nil {
			s.end(w, nil, err)
		}
	})
	mux.HandleFunc("GET /back", func(w http.ResponseWriter, r *http.Request) {
		if s.mend != nil {
			s.mend(r)
		}
		who, err := s.provider.Finish(w, r)
		s.end(w, who, err)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *site) end(w http.ResponseWriter, who *openid.Identity, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.who, s.err = who, err
	io.WriteString(w, "the end")
}

// uses makes logins go to a provider.
func (s *site) uses(t *testing.T, cfg openid.Config) {
	t.Helper()
	cfg.ClientID, cfg.ClientSecret, cfg.Redirect = "the-vault", "a secret of the two", s.URL+"/back"
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg.Client = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	p, err := openid.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.provider = p
}

// person is somebody with a browser.
type person struct {
	t *testing.T
	*http.Client
}

func browser(t *testing.T) person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return person{t, &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
}

func (p person) get(at string) (string, *url.URL) {
	p.t.Helper()
	res, err := p.Get(at)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text), res.Request.URL
}

// logsIn goes to the site's login and, at the provider, gives a name.
func (p person) logsIn(s *site, query string, form url.Values) (*openid.Identity, error) {
	p.t.Helper()
	text, at := p.get(s.URL + "/login" + query)
	if strings.Contains(text, "The provider") {
		res, err := p.PostForm(at.String(), form)
		if err != nil {
			p.t.Fatal(err)
		}
		defer res.Body.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.who, s.err
}

func as(name string) url.Values { return url.Values{"name": {name}} }

// With a real provider: somebody logs in and is who the provider says, with an
// address only as verified as the provider says it is.
func TestSomebodyLogsIn(t *testing.T) {
	s := newSite(t)
	issuer := webtest.Provider{ClientID: "the-vault", Secret: "a secret of the two", Redirects: []string{s.URL + "/back"}, People: map[string]map[string]any{
		"mia": {"email": "mia@example.org", "email_verified": true, "phone_number": "+4915112345678", "phone_number_verified": true, "name": "Mia Muster", "groups": []string{"privacy"}},
		"eve": {"email": "mia@example.org", "email_verified": false},
	}}.Start(t)
	s.uses(t, openid.Config{Issuer: issuer, Scopes: []string{"email", "phone", "profile"}})

	mia := browser(t)
	who, err := mia.logsIn(s, "?return=/privacy/data", as("mia"))
	if err != nil {
		t.Fatal(err)
	}
	if who.Issuer != issuer || who.Subject != "mia" || who.Email != "mia@example.org" || !who.EmailVerified || who.Phone != "+4915112345678" || !who.PhoneVerified || who.Name != "Mia Muster" || who.Return != "/privacy/data" {
		t.Errorf("mia logged in as %+v", *who)
	}
	if text := fmt.Sprintf("%v %+v %#v", who, who, who); strings.Contains(text, "mia@") || strings.Contains(text, "Muster") {
		t.Errorf("an identity prints as %s", text)
	}
	var more struct {
		Groups []string `json:"groups"`
	}
	if err := who.Claims(&more); err != nil || len(more.Groups) != 1 {
		t.Errorf("the groups are %v (%v), want one", more.Groups, err)
	}
	if who, err = browser(t).logsIn(s, "", as("eve")); err != nil || who.EmailVerified {
		t.Errorf("eve, who says she is mia@example.org, got %+v, %v: want it not verified", who, err)
	}
	if _, err := browser(t).logsIn(s, "", url.Values{"decline": {"1"}}); !errors.Is(err, openid.ErrDeclined) {
		t.Errorf("who declined got %v, want ErrDeclined", err)
	}
	// Who is remembered is asked nothing – unless the site wants them asked anew.
	if text, _ := mia.get(s.URL + "/login"); text != "the end" {
		t.Errorf("mia, known at the provider, was shown %q", text)
	}
	if text, _ := mia.get(s.URL + "/login?fresh"); !strings.Contains(text, "The provider") {
		t.Errorf("mia was to prove again who she is, and was shown %q", text)
	}
	if who, err := mia.logsIn(s, "?fresh", as("mia")); err != nil || who.At.IsZero() {
		t.Errorf("mia, asked anew, got %v, %v, want when she proved it", who, err)
	}
}

// The way back from the provider is this browser's, this login's, once.
func TestAWayBackIsOneLogins(t *testing.T) {
	s := newSite(t)
	issuer := webtest.Provider{ClientID: "the-vault", Secret: "a secret of the two", Redirects: []string{s.URL + "/back"}, People: map[string]map[string]any{"mia": {}, "eve": {}}}.Start(t)
	now := time.Now()
	s.uses(t, openid.Config{Issuer: issuer, Now: func() time.Time { return now }})
	back := func(r *http.Request, name, value string) {
		q := r.URL.Query()
		q.Set(name, value)
		if value == "" {
			q.Del(name)
		}
		r.URL.RawQuery = q.Encode()
	}
	for _, c := range []struct {
		name string
		mend func(*http.Request)
		want error
	}{
		{"in a browser that began nothing", func(r *http.Request) { r.Header.Del("Cookie") }, openid.ErrNoLogin},
		{"with another state", func(r *http.Request) { back(r, "state", "another") }, openid.ErrNoLogin},
		{"without a state", func(r *http.Request) { back(r, "state", "") }, openid.ErrNoLogin},
		{"with a cookie that was changed", func(r *http.Request) {
			c, err := r.Cookie("sayso_login")
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Cookie", c.Name+"="+c.Value[:len(c.Value)-6]+"AAAAAA")
		}, openid.ErrNoLogin},
		{"after too long", func(*http.Request) { now = now.Add(11 * time.Minute) }, openid.ErrNoLogin},
		{"from another issuer", func(r *http.Request) { back(r, "iss", "https://elsewhere.example") }, openid.ErrAnswer},
		{"from no issuer", func(r *http.Request) { back(r, "iss", "") }, openid.ErrAnswer},
		{"with a code that is nobody's", func(r *http.Request) { back(r, "code", "made up") }, openid.ErrAnswer},
	} {
		s.mend = c.mend
		if who, err := browser(t).logsIn(s, "", as("mia")); !errors.Is(err, c.want) {
			t.Errorf("a return %s got %v, %v, want %v", c.name, who, err, c.want)
		}
		now = time.Now()
	}
	// Eve's code in Mia's browser: Mia would be logged in as Eve, and tell her what she types.
	var eves string
	s.mend = func(r *http.Request) { eves = r.URL.Query().Get("code"); back(r, "code", "made up") }
	if _, err := browser(t).logsIn(s, "", as("eve")); !errors.Is(err, openid.ErrAnswer) {
		t.Fatal(err)
	}
	s.mend = func(r *http.Request) { back(r, "code", eves) }
	if who, err := browser(t).logsIn(s, "", as("mia")); !errors.Is(err, openid.ErrAnswer) {
		t.Errorf("eve's code in mia's browser got %v, %v", who, err)
	}
	// A login is over when it is over.
	var again *http.Request
	s.mend = func(r *http.Request) { again = r.Clone(r.Context()) }
	if _, err := browser(t).logsIn(s, "", as("mia")); err != nil {
		t.Fatal(err)
	}
	if who, err := s.provider.Finish(httptest.NewRecorder(), again.WithContext(t.Context())); !errors.Is(err, openid.ErrAnswer) {
		t.Errorf("the same return a second time got %v, %v", who, err)
	}
}

// Nobody is led elsewhere by a login.
func TestALoginComesBackHere(t *testing.T) {
	for path, want := range map[string]bool{"/privacy": true, "/console/rules?x=1": true, "": false, "privacy": false, "//elsewhere.example": false,
		"https://elsewhere.example": false, `/\elsewhere.example`: false, "/a\nb": false, "/\t/elsewhere.example": false} {
		if got := openid.OwnPath(path); got != want {
			t.Errorf("whether %q is a path of this server: got %v, want %v", path, got, want)
		}
	}
}

// A vault starts while its provider is down; who wants to log in is told, and
// can when it is up.
func TestAProviderMayBeDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	s, now := newSite(t), time.Now()
	s.uses(t, openid.Config{Issuer: fmt.Sprintf("http://127.0.0.1:%d", port), Now: func() time.Time { return now }})
	_, err = browser(t).logsIn(s, "", as("mia"))
	if down, ok := errors.AsType[*openid.UnavailableError](err); !ok {
		t.Fatalf("a login with a provider that is down got %v", down)
	}
	webtest.Provider{Port: port, ClientID: "the-vault", Secret: "a secret of the two", Redirects: []string{s.URL + "/back"}, People: map[string]map[string]any{"mia": {}}}.Start(t)
	if _, err = browser(t).logsIn(s, "", as("mia")); err == nil {
		t.Error("a provider that did not answer was asked again at once")
	}
	now = now.Add(5 * time.Second)
	if _, err = browser(t).logsIn(s, "", as("mia")); err != nil {
		t.Errorf("when the provider was up again, a login got %v", err)
	}
}

func TestAConfigurationIsCheckedAtTheStart(t *testing.T) {
	good := openid.Config{Issuer: "https://login.example.org", ClientID: "vault", Redirect: "https://vault.example.org/privacy/login/back"}
	for _, c := range []struct {
		change func(*openid.Config)
		want   string
	}{
		{func(*openid.Config) {}, ""},
		{func(c *openid.Config) { c.ClientID = "" }, "client ID"},
		{func(c *openid.Config) { c.Issuer = "http://login.example.org" }, "neither https nor on this machine"},
		{func(c *openid.Config) { c.Issuer = "http://127.0.0.1:8080" }, ""},
		{func(c *openid.Config) { c.Redirect = "/back" }, "not an address"},
		{func(c *openid.Config) { c.CookieKey = []byte("short") }, "32 bytes"},
	} {
		cfg := good
		c.change(&cfg)
		_, err := openid.New(cfg)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v got %v, want %q", cfg, err, c.want)
		}
	}
}
