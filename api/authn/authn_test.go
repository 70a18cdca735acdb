package authn

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// clients is a vault of two: the web channel and an officer. Their secrets hold
// what needs escaping.
type clients map[string]vault.Client

func (c clients) Authenticate(id, secret string) (vault.Client, error) {
	client, ok := c[id]
	if !ok || secret != "s+cret/%:"+id || client.Suspended {
		return vault.Client{}, vault.ErrInvalidClient
	}
	return client, nil
}

func (c clients) Client(id, secretID string) (vault.Client, error) {
	client, ok := c[id]
	if !ok || client.SecretID != secretID {
		return vault.Client{}, vault.ErrInvalidClient
	}
	return client, nil
}

const issuer = "https://vault.example.org"

var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))

func known() clients {
	return clients{
		"web":     {ID: "web", Role: vault.RoleChannel, Channel: "web", SecretID: "s1", Purposes: []privacy.PurposeID{"delivery", "marketing"}},
		"officer": {ID: "officer", Role: vault.RoleOfficer, SecretID: "s2"},
	}
}

func authority(t *testing.T, change func(*Config)) *Authority {
	t.Helper()
	cfg := Config{Clients: known(), Key: key, Issuer: issuer}
	if change != nil {
		change(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask is a token request of a client by Basic.
func ask(who string, form url.Values) *http.Request {
	if form == nil {
		form = url.Values{}
	}
	if !form.Has("grant_type") {
		form.Set("grant_type", "client_credentials")
	}
	r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if who != "" {
		r.SetBasicAuth(url.QueryEscape(who), url.QueryEscape("s+cret/%:"+who))
	}
	return r
}

func grant(t *testing.T, a *Authority, who string, form url.Values) *wire.TokenAnswer {
	t.Helper()
	answer, err := a.Grant(ask(who, form))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func with(token string) *http.Request {
	r := httptest.NewRequest("GET", "/v1/whoami", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func part(t *testing.T, token string, n int) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAClientGetsATokenAndIsKnownByIt(t *testing.T) {
	a := authority(t, nil)
	answer := grant(t, a, "web", nil)
	if answer.TokenType != "Bearer" || answer.ExpiresIn != 600 {
		t.Errorf("answer: %s for %d s", answer.TokenType, answer.ExpiresIn)
	}
	head, claims := part(t, answer.AccessToken, 0), part(t, answer.AccessToken, 1)
	if head["typ"] != "at+jwt" || head["alg"] != "EdDSA" || head["kid"] != a.JWKS().Keys[0].KeyID || len(head) != 3 {
		t.Errorf("header: %v", head)
	}
	if want := []string{"aud", "client_id", "exp", "iat", "iss", "jti", "secret_id", "sub"}; !slices.Equal(slices.Sorted(maps.Keys(claims)), want) {
		t.Errorf("claims: %v, want %v", claims, want)
	}
	if claims["iss"] != issuer || claims["sub"] != "web" || claims["client_id"] != "web" || claims["exp"].(float64)-claims["iat"].(float64) != 600 {
		t.Errorf("claims: %v", claims)
	}
	caller, err := a.Check(with(answer.AccessToken))
	if err != nil || caller.Client.Channel != "web" || caller.Purposes != nil {
		t.Errorf("caller: %+v, %v", caller, err)
	}
}

func TestTheFormCarriesCredentialsToo(t *testing.T) {
	a := authority(t, nil)
	grant(t, a, "", url.Values{"client_id": {"web"}, "client_secret": {"s+cret/%:web"}})
	grant(t, a, "web", url.Values{"client_id": {"web"}})
}

func TestRefusedGrants(t *testing.T) {
	wrong := ask("", nil)
	wrong.SetBasicAuth("web", "nope")
	unescaped := ask("", nil)
	unescaped.SetBasicAuth("web", "%zz")
	bearer := ask("", nil)
	bearer.Header.Set("Authorization", "Bearer x")
	asJSON := ask("web", nil)
	asJSON.Header.Set("Content-Type", "application/json")
	inURL := ask("web", nil)
	inURL.URL.RawQuery = "client_secret=x"
	twice := ask("web", url.Values{"grant_type": {"client_credentials", "client_credentials"}})
	large := ask("web", url.Values{"x": {strings.Repeat("x", MaxForm)}})
	details := func(who, text string) *http.Request { return ask(who, url.Values{"authorization_details": {text}}) }
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"wrong secret":          {wrong, 401, "invalid_client"},
		"unknown client":        {ask("nobody", nil), 401, "invalid_client"},
		"no client":             {ask("", nil), 401, "invalid_client"},
		"bad escapes":           {unescaped, 401, "invalid_client"},
		"another scheme":        {bearer, 401, "invalid_client"},
		"two ways":              {ask("web", url.Values{"client_id": {"web"}, "client_secret": {"s+cret/%:web"}}), 400, "invalid_request"},
		"another client_id":     {ask("web", url.Values{"client_id": {"officer"}}), 400, "invalid_request"},
		"no grant type":         {ask("web", url.Values{"grant_type": {""}}), 400, "invalid_request"},
		"another grant type":    {ask("web", url.Values{"grant_type": {"password"}}), 400, "unsupported_grant_type"},
		"a scope":               {ask("web", url.Values{"scope": {"all"}}), 400, "invalid_scope"},
		"JSON":                  {asJSON, 400, "invalid_request"},
		"parameters in the URL": {inURL, 400, "invalid_request"},
		"a parameter twice":     {twice, 400, "invalid_request"},
		"a huge form":           {large, 413, "invalid_request"},
		"beyond the grant":      {details("web", `[{"type":"sayso_profile","purposes":["delivery","loans"]}]`), 400, "invalid_authorization_details"},
		"officers have none":    {details("officer", `[{"type":"sayso_profile","purposes":["delivery"]}]`), 400, "invalid_authorization_details"},
		"no purposes":           {details("web", `[{"type":"sayso_profile","purposes":[]}]`), 400, "invalid_authorization_details"},
		"purposes missing":      {details("web", `[{"type":"sayso_profile"}]`), 400, "invalid_authorization_details"},
		"no details":            {details("web", `[]`), 400, "invalid_authorization_details"},
		"null":                  {details("web", `null`), 400, "invalid_authorization_details"},
		"an object":             {details("web", `{"type":"sayso_profile","purposes":["delivery"]}`), 400, "invalid_authorization_details"},
		"another type":          {details("web", `[{"type":"payment","purposes":["delivery"]}]`), 400, "invalid_authorization_details"},
		"an unknown member":     {details("web", `[{"type":"sayso_profile","purposes":["delivery"],"actions":["read"]}]`), 400, "invalid_authorization_details"},
		"a member twice":        {details("web", `[{"type":"sayso_profile","purposes":["delivery"],"purposes":["marketing"]}]`), 400, "invalid_authorization_details"},
		"not JSON":              {details("web", `delivery`), 400, "invalid_authorization_details"},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := authority(t, nil).Grant(c.r)
			var refused *GrantError
			if !errors.As(err, &refused) || refused.Status != c.status || refused.Code != c.code || answer != nil {
				t.Errorf("got %v %v, want %d %s", answer, err, c.status, c.code)
			}
		})
	}
	suspended := authority(t, func(c *Config) {
		web := known()["web"]
		web.Suspended = true
		c.Clients = clients{"web": web}
	})
	if _, err := suspended.Grant(ask("web", nil)); err == nil || err.(*GrantError).Code != "invalid_client" {
		t.Errorf("a suspended channel: got %v", err)
	}
}

func TestATokenCanBeNarrowed(t *testing.T) {
	a := authority(t, nil)
	answer := grant(t, a, "web", url.Values{"authorization_details": {`[{"type":"sayso_profile","purposes":["marketing"]},{"type":"sayso_profile","purposes":["marketing"]}]`}})
	if len(answer.AuthorizationDetails) != 1 || !slices.Equal(answer.AuthorizationDetails[0].Purposes, []privacy.PurposeID{"marketing"}) {
		t.Errorf("answer: %v", answer.AuthorizationDetails)
	}
	for range 2 { // checked, and remembered
		caller, err := a.Check(with(answer.AccessToken))
		if err != nil || !slices.Equal(caller.Purposes, []privacy.PurposeID{"marketing"}) {
			t.Errorf("caller: %+v, %v", caller, err)
		}
	}
}

// made signs what a forger wants to have signed.
func made(head, claims map[string]any, sign func([]byte) []byte) string {
	enc := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	body := enc(head) + "." + enc(claims)
	return body + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(body)))
}

func TestForgedTokens(t *testing.T) {
	a := authority(t, nil)
	good := grant(t, a, "web", nil).AccessToken
	p := strings.Split(good, ".")
	head, claims := part(t, good, 0), part(t, good, 1)
	change := func(m map[string]any, more ...any) map[string]any {
		m = maps.Clone(m)
		for i := 0; i < len(more); i += 2 {
			if m[more[i].(string)] = more[i+1]; more[i+1] == nil {
				delete(m, more[i].(string))
			}
		}
		return m
	}
	ours := func(b []byte) []byte { return ed25519.Sign(key, b) }
	theirs := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	hs := func(secret []byte) func([]byte) []byte {
		return func(b []byte) []byte { m := hmac.New(sha256.New, secret); m.Write(b); return m.Sum(nil) }
	}
	pub := key.Public().(ed25519.PublicKey)
	now := time.Now().Unix()
	bad := map[string]string{
		"unsigned":               made(change(head, "alg", "none"), claims, func([]byte) []byte { return nil }),
		"unsigned, capital":      made(change(head, "alg", "None"), claims, func([]byte) []byte { return nil }),
		"no signature":           p[0] + "." + p[1] + ".",
		"two parts":              p[0] + "." + p[1],
		"four parts":             good + ".x",
		"padded":                 good + "=",
		"hmac of the public key": made(change(head, "alg", "HS256"), claims, hs(pub)),
		"hmac of its text":       made(change(head, "alg", "HS256"), claims, hs([]byte(a.JWKS().Keys[0].X))),
		"hmac of nothing":        made(change(head, "alg", "HS256"), claims, hs(nil)),
		"another key":            made(head, claims, func(b []byte) []byte { return ed25519.Sign(theirs, b) }),
		"a key of its own":       made(change(head, "jwk", PublicJWK(theirs.Public().(ed25519.PublicKey))), claims, func(b []byte) []byte { return ed25519.Sign(theirs, b) }),
		"another's claims":       p[0] + "." + strings.Split(grant(t, a, "officer", nil).AccessToken, ".")[1] + "." + p[2],
		"empty":                  "", "garbage": "a.b.c", "long": strings.Repeat("x", MaxToken+1), "spaces": " " + good,
		// What follows is signed by us, and yet no access token of ours.
		"another type":       made(change(head, "typ", "consent-receipt+jwt"), claims, ours),
		"no type":            made(change(head, "typ", nil), claims, ours),
		"plain JWT":          made(change(head, "typ", "JWT"), claims, ours),
		"another key ID":     made(change(head, "kid", "x"), claims, ours),
		"no key ID":          made(change(head, "kid", nil), claims, ours),
		"a key in the head":  made(change(head, "jwk", "x"), claims, ours),
		"something critical": made(change(head, "crit", []string{"exp"}), claims, ours),
		"another issuer":     made(head, change(claims, "iss", "https://other.example.org"), ours),
		"another audience":   made(head, change(claims, "aud", "https://other.example.org"), ours),
		"two audiences":      made(head, change(claims, "aud", []string{issuer, "https://other.example.org"}), ours),
		"expired":            made(head, change(claims, "iat", now-700, "exp", now-100), ours),
		"without end":        made(head, change(claims, "exp", nil), ours),
		"too long a life":    made(head, change(claims, "exp", now+9999), ours),
		"from the future":    made(head, change(claims, "iat", now+300, "exp", now+600), ours),
		"without birth":      made(head, change(claims, "iat", nil), ours),
		"without ID":         made(head, change(claims, "jti", nil), ours),
		"another subject":    made(head, change(claims, "sub", "officer"), ours),
		"without client":     made(head, change(claims, "client_id", nil, "sub", ""), ours),
		"without secret":     made(head, change(claims, "secret_id", nil), ours),
		"another secret":     made(head, change(claims, "secret_id", "s9"), ours),
		"narrowed to none":   made(head, change(claims, "authorization_details", []map[string]any{{"type": "sayso_profile", "purposes": []string{}}}), ours),
		"claims in a list":   p[0] + "." + base64.RawURLEncoding.EncodeToString([]byte("[]")) + "." + p[2],
	}
	for i := range p[2] {
		if i%8 == 0 || i == len(p[2])-1 {
			other := "A"
			if p[2][i] == 'A' {
				other = "B"
			}
			bad[fmt.Sprintf("flip of %d", i)] = p[0] + "." + p[1] + "." + p[2][:i] + other + p[2][i+1:]
		}
	}
	remembered := a.seen.len()
	for name, token := range bad {
		for range 2 {
			if caller, err := a.Check(with(token)); !errors.Is(err, ErrToken) {
				t.Errorf("%s: got %+v, %v", name, caller, err)
			}
		}
	}
	if got := a.seen.len(); got > remembered+2 { // expired tokens and other secrets verify, and are refused all the same
		t.Errorf("%d forged tokens are remembered", got-remembered)
	}
	if _, err := a.Check(with(made(head, claims, ours))); err != nil {
		t.Errorf("the forger's tools do not even make a good one: %v", err)
	}
}

func TestTheSchemeIsBearerInAnyCase(t *testing.T) {
	a := authority(t, nil)
	good := grant(t, a, "web", nil).AccessToken
	for _, header := range []string{"", good, "Basic " + good, "Bearers " + good, " Bearer " + good, "Bearer\t" + good, "Token " + good} {
		r := with(good)
		r.Header.Set("Authorization", header)
		if _, err := a.Check(r); !errors.Is(err, ErrNoToken) {
			t.Errorf("%.12q: got %v", header, err)
		}
	}
	r := with(good)
	r.Header.Set("Authorization", "bEARER "+good)
	if caller, err := a.Check(r); err != nil {
		t.Errorf("in another case: got %+v, %v", caller, err)
	}
	r = with(good)
	r.Header.Add("Authorization", "Bearer "+good)
	if _, err := a.Check(r); !errors.Is(err, ErrToken) {
		t.Errorf("two of them: got %v", err)
	}
	r.Header.Del("Authorization")
	if _, err := a.Check(r); !errors.Is(err, ErrNoToken) {
		t.Errorf("none: got %v", err)
	}
}

// Only the signature is remembered: time goes on, and clients change.
func TestARememberedTokenIsStillAsked(t *testing.T) {
	now, all := time.Now(), known()
	a := authority(t, func(c *Config) { c.Now, c.Clients = func() time.Time { return now }, all })
	token := grant(t, a, "web", nil).AccessToken
	check := func() (vault.Caller, error) { return a.Check(with(token)) }
	if _, err := check(); err != nil || a.seen.len() != 1 {
		t.Fatalf("%v, %d remembered", err, a.seen.len())
	}
	web := all["web"]
	web.Suspended = true
	all["web"] = web
	if c, err := check(); err != nil || !c.Client.Suspended {
		t.Errorf("suspended: got %+v, %v", c, err)
	}
	web.SecretID = "s9"
	all["web"] = web
	if _, err := check(); !errors.Is(err, ErrToken) {
		t.Errorf("revoked: got %v", err)
	}
	all["web"] = known()["web"]
	now = now.Add(MaxLifetime - time.Second)
	if _, err := check(); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	now = now.Add(time.Second)
	if _, err := check(); !errors.Is(err, ErrToken) {
		t.Errorf("expired: got %v", err)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	a := authority(t, func(c *Config) { c.CacheSize = 8 })
	often := grant(t, a, "web", nil).AccessToken
	for range 50 {
		for _, token := range []string{grant(t, a, "web", nil).AccessToken, often} {
			if _, err := a.Check(with(token)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := a.seen.len(); n > 8 {
		t.Errorf("%d tokens are remembered, at most 8 should be", n)
	}
	if _, ok := a.seen.get(often); !ok {
		t.Error("what is asked for often is forgotten")
	}
}

func TestAnIssuerIsAnAddress(t *testing.T) {
	for _, bad := range []string{"", "vault.example.org", "ftp://vault.example.org", "https://vault.example.org/path", "https://vault.example.org?x", "https://a:b@vault.example.org"} {
		if _, err := New(Config{Clients: known(), Key: key, Issuer: bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	a := authority(t, func(c *Config) { c.Issuer = issuer + "/" })
	if m := a.Metadata(); m.Issuer != issuer || m.TokenEndpoint != issuer+"/oauth/token" || m.JWKSURI != issuer+"/.well-known/jwks.json" {
		t.Errorf("metadata: %+v", m)
	}
}

func BenchmarkCheck(b *testing.B) {
	a, err := New(Config{Clients: known(), Key: key, Issuer: issuer})
	if err != nil {
		b.Fatal(err)
	}
	answer, err := a.Grant(ask("web", nil))
	if err != nil {
		b.Fatal(err)
	}
	r := with(answer.AccessToken)
	for b.Loop() {
		if _, err := a.Check(r); err != nil {
			b.Fatal(err)
		}
	}
}
