package openid

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Config is what a [Provider] is made of. Issuer, ClientID and Redirect are
// required.
type Config struct {
	// Issuer is the provider's, exactly as it calls itself. It is https, or http
	// on this machine.
	Issuer string
	// ClientID and ClientSecret are what the provider knows this server by.
	// Without a secret it is a public client, and PKCE alone binds the code.
	ClientID, ClientSecret string
	// Redirect is the whole address that the provider sends browsers back to,
	// where Finish is called. The cookie of a login is sent there alone.
	Redirect string
	// Scopes are asked for besides openid. Default: email.
	Scopes []string
	// CookieKey seals the cookie of a login: 32 bytes, the same on each server
	// that answers for Redirect. Default: a fresh one, so that logins under way
	// end when the server does.
	CookieKey []byte
	// Lifetime is how long somebody may take at the provider. Default: 10 minutes.
	Lifetime time.Duration
	// Now tells the time that tokens and cookies are checked at. Default: time.Now.
	Now func() time.Time
	// Client speaks to the provider. Default: one that gives up after 10 seconds
	// and believes no more than a megabyte.
	Client *http.Client
}

// retryAfter is how long a provider that did not answer is left alone, so that
// its failure does not hold up everybody who comes.
const retryAfter = 3 * time.Second

// Provider is one provider of logins. It is safe for concurrent use.
type Provider struct {
	cfg      Config
	redirect *url.URL
	cookies  sealer

	mu    sync.Mutex // guards found, asked and failed
	found *discovered
	asked time.Time
	why   error
}

// discovered is what a provider says of itself.
type discovered struct {
	provider *oidc.Provider
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	// tellsIssuer is whether it promises its issuer in the answer (RFC 9207), so
	// that an answer without it is somebody else's.
	tellsIssuer bool
}

// New returns a Provider, or an error that says what is wrong with the
// configuration. It asks nobody anything.
func New(cfg Config) (*Provider, error) {
	if cfg.ClientID == "" {
		return nil, errors.New("the client ID at the provider is missing")
	}
	if err := address(cfg.Issuer); err != nil {
		return nil, fmt.Errorf("the issuer %w", err)
	}
	if err := address(cfg.Redirect); err != nil {
		return nil, fmt.Errorf("the address to come back to %w", err)
	}
	redirect, err := url.Parse(cfg.Redirect)
	if err != nil {
		return nil, err
	}
	if cfg.Scopes == nil {
		cfg.Scopes = []string{"email"}
	}
	if cfg.Lifetime <= 0 {
		cfg.Lifetime = 10 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Client == nil {
		cfg.Client = patientClient()
	}
	if cfg.CookieKey == nil {
		cfg.CookieKey = make([]byte, 32)
		_, _ = rand.Read(cfg.CookieKey) // it never fails
	}
	cookies, err := newSealer(cfg.CookieKey)
	if err != nil {
		return nil, err
	}
	return &Provider{cfg: cfg, redirect: redirect, cookies: cookies}, nil
}

// address says what is wrong with an address that secrets travel to.
func address(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not an address such as https://login.example.org", text)
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q is neither https nor on this machine", text)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// patientClient has limits for what a provider answers, and how long it takes.
func patientClient() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: bounded{&http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 10 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   2,
	}}}
}

// bounded cuts an answer off after a megabyte.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, 1<<20), res.Body}
	return res, nil
}

// UnavailableError says that the provider did not answer, or not as a provider
// does. Others' words are not in it.
type UnavailableError struct {
	Issuer string
	Err    error
}

// Error names the provider.
func (e *UnavailableError) Error() string {
	return "the login provider " + e.Issuer + " cannot be reached: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// discover asks the provider what it is, once it is needed and until it says.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.why != nil && p.cfg.Now().Sub(p.asked) < retryAfter && !p.cfg.Now().Before(p.asked) {
		return nil, &UnavailableError{p.cfg.Issuer, p.why}
	}
	found, err := p.ask(ctx)
	p.asked, p.why = p.cfg.Now(), err
	if err != nil && ctx.Err() != nil {
		p.why = nil // who asked went away, which says nothing of the provider
	}
	if err != nil {
		return nil, &UnavailableError{p.cfg.Issuer, err}
	}
	p.found = found
	return found, nil
}

func (p *Provider) ask(ctx context.Context) (*discovered, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.cfg.Client), p.cfg.Issuer)
	if err != nil {
		return nil, withoutWords(err)
	}
	var says struct {
		TellsIssuer bool     `json:"authorization_response_iss_parameter_supported"`
		PKCE        []string `json:"code_challenge_methods_supported"`
	}
	if err := provider.Claims(&says); err != nil {
		return nil, errors.New("what it says of itself cannot be read")
	}
	if says.PKCE != nil && !slices.Contains(says.PKCE, "S256") {
		return nil, errors.New("it does not know PKCE with S256")
	}
	at := provider.Endpoint()
	for _, text := range []string{at.AuthURL, at.TokenURL} {
		if err := address(strings.SplitN(text, "?", 2)[0]); err != nil {
			return nil, fmt.Errorf("its endpoint %w", err)
		}
	}
	return &discovered{
		provider: provider,
		oauth: oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: at,
			RedirectURL: p.cfg.Redirect, Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...)},
		verifier:    provider.Verifier(&oidc.Config{ClientID: p.cfg.ClientID, Now: p.cfg.Now}),
		tellsIssuer: says.TellsIssuer,
	}, nil
}

// withoutWords keeps of an error what is ours to say: a provider's own words may
// hold anything.
func withoutWords(err error) error {
	var mismatch *oidc.IssuerMismatchError
	var network *url.Error
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &mismatch):
		return errors.New("it calls itself by another name")
	case errors.As(err, &refused):
		return fmt.Errorf("it refused the code (%d)", refused.Response.StatusCode)
	case errors.As(err, &network):
		var refused *net.OpError
		if errors.As(err, &refused) {
			return fmt.Errorf("%s: %w", refused.Op, refused.Err)
		}
		return network.Err
	}
	return errors.New("its answer is not a provider's")
}
