package openid

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// The errors of Finish besides *UnavailableError. None holds what the browser
// or the provider sent.
var (
	// ErrNoLogin: no login is under way in this browser, or it took too long, or
	// the answer is that of another one. Nothing is wrong with the person: let
	// them begin again.
	ErrNoLogin = errors.New("no such login is under way in this browser")
	// ErrDeclined: the person, or the provider for them, said no.
	ErrDeclined = errors.New("the login was ended at the provider")
	// ErrAnswer: what the provider answered does not hold: its issuer, audience,
	// nonce, signature or times.
	ErrAnswer = errors.New("the provider's answer does not hold")
)

// login is one login under way: what its cookie holds.
type login struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Return   string    `json:"return,omitempty"`
	Fresh    bool      `json:"fresh,omitempty"`
	Until    time.Time `json:"until"`
}

// Ask is what a login is begun for.
type Ask struct {
	// Return is given back by Finish: a path of this server to go on at. What is
	// no such path is left out, so nobody is led elsewhere.
	Return string
	// Fresh asks the provider to let the person prove again who they are, and
	// Finish to see that they did, whatever the provider remembers.
	Fresh bool
	// Language is what the provider's pages should speak (ui_locales). Default:
	// what the browser asks for.
	Language string
}

// Begin sends the browser to the provider. It returns *UnavailableError, and
// answers nothing, if that cannot be asked. Call it for a GET: a page's
// form-action keeps forms from leading elsewhere.
func (p *Provider) Begin(w http.ResponseWriter, r *http.Request, ask Ask) error {
	found, err := p.discover(r.Context())
	if err != nil {
		return err
	}
	l := login{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Fresh: ask.Fresh, Until: p.cfg.Now().Add(p.cfg.Lifetime)}
	if OwnPath(ask.Return) {
		l.Return = ask.Return
	}
	sealed, err := p.cookies.seal(p.cookieName(), l)
	if err != nil {
		return err
	}
	http.SetCookie(w, p.cookie(sealed, int(p.cfg.Lifetime/time.Second)))
	options := []oauth2.AuthCodeOption{oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)}
	if ask.Fresh {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	if ask.Language != "" {
		options = append(options, oauth2.SetAuthURLParam("ui_locales", ask.Language))
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, found.oauth.AuthCodeURL(l.State, options...), http.StatusSeeOther)
	return nil
}

// OwnPath tells whether path is one of this server, and nothing that a browser
// would take for an address elsewhere.
func OwnPath(path string) bool {
	if len(path) > 512 || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return false
	}
	for _, c := range []byte(path) {
		if c <= ' ' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}

// Finish takes the browser's return from the provider: the login ends, whatever
// came of it. It returns ErrNoLogin, ErrDeclined, ErrAnswer or
// *UnavailableError.
func (p *Provider) Finish(w http.ResponseWriter, r *http.Request) (*Identity, error) {
	l, err := p.underWay(r)
	http.SetCookie(w, p.cookie("", -1))
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(l.State)) != 1 {
		return nil, ErrNoLogin
	}
	found, err := p.discover(r.Context())
	if err != nil {
		return nil, err
	}
	// Another provider's answer, mixed up with this one's (RFC 9207).
	if query.Has("iss") && query.Get("iss") != p.cfg.Issuer || found.tellsIssuer && !query.Has("iss") {
		return nil, fmt.Errorf("%w: it is another issuer's", ErrAnswer)
	}
	if query.Has("error") || query.Get("code") == "" {
		return nil, ErrDeclined
	}
	ctx := oidc.ClientContext(r.Context(), p.cfg.Client)
	token, err := found.oauth.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return nil, p.failed(err)
	}
	return p.identify(ctx, found, token, l)
}

// failed tells a code that was refused from a provider that did not answer.
func (p *Provider) failed(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError {
		return fmt.Errorf("%w: %w", ErrAnswer, withoutWords(err))
	}
	return &UnavailableError{p.cfg.Issuer, withoutWords(err)}
}

// identify checks the ID token and collects the claims.
func (p *Provider) identify(ctx context.Context, found *discovered, token *oauth2.Token, l login) (*Identity, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, fmt.Errorf("%w: it holds no ID token", ErrAnswer)
	}
	id, err := found.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: its ID token", ErrAnswer)
	}
	now := p.cfg.Now()
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(l.Nonce)) != 1:
		return nil, fmt.Errorf("%w: its ID token is that of another login", ErrAnswer)
	case id.IssuedAt.After(now.Add(time.Minute)):
		return nil, fmt.Errorf("%w: its ID token comes from the future", ErrAnswer)
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return nil, fmt.Errorf("%w: its ID token is that of another access token", ErrAnswer)
	}
	var text json.RawMessage
	if err := id.Claims(&text); err != nil {
		return nil, fmt.Errorf("%w: its ID token", ErrAnswer)
	}
	who := &Identity{Issuer: id.Issuer, Subject: id.Subject, Return: l.Return}
	if err := who.add(text); err != nil {
		return nil, err
	}
	if l.Fresh && (who.At.IsZero() || who.At.Before(l.Until.Add(-p.cfg.Lifetime-time.Minute))) {
		return nil, fmt.Errorf("%w: the person was not asked again who they are", ErrAnswer)
	}
	if found.provider.UserInfoEndpoint() == "" || !p.lacks(who) {
		return who, nil
	}
	// Many providers tell these claims only here.
	info, err := found.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, p.failed(err)
	}
	if info.Subject != id.Subject {
		return nil, fmt.Errorf("%w: its claims are those of somebody else", ErrAnswer)
	}
	if err := info.Claims(&text); err != nil {
		return nil, fmt.Errorf("%w: its claims", ErrAnswer)
	}
	return who, who.add(text)
}

// lacks tells whether something that was asked for did not come with the ID token.
func (p *Provider) lacks(who *Identity) bool {
	return slices.Contains(p.cfg.Scopes, "email") && !who.EmailVerified || slices.Contains(p.cfg.Scopes, "phone") && !who.PhoneVerified
}

// underWay is the login that the browser's cookie holds.
func (p *Provider) underWay(r *http.Request) (login, error) {
	c, err := r.Cookie(p.cookieName())
	if err != nil {
		return login{}, ErrNoLogin
	}
	var l login
	if err := p.cookies.open(p.cookieName(), c.Value, &l); err != nil {
		return login{}, ErrNoLogin
	}
	if now := p.cfg.Now(); !now.Before(l.Until) || l.Until.Sub(now) > p.cfg.Lifetime {
		return login{}, ErrNoLogin
	}
	return l, nil
}

// cookieName keeps other hosts and plain HTTP from setting the cookie; on this
// machine, without TLS, a browser would not take a Secure one.
func (p *Provider) cookieName() string {
	if p.redirect.Scheme == "https" {
		return "__Secure-sayso_login"
	}
	return "sayso_login"
}

// cookie is sent to Redirect alone, and comes along when the provider sends the
// browser there, which SameSite=Strict would prevent.
func (p *Provider) cookie(value string, age int) *http.Cookie {
	path := p.redirect.Path
	if path == "" {
		path = "/"
	}
	//nolint:gosec // without TLS, which only this machine may have, a Secure cookie would not come back
	return &http.Cookie{Name: p.cookieName(), Value: value, Path: path, MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: p.redirect.Scheme == "https"}
}
