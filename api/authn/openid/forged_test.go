package openid_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/sayso-vault/sayso/api/authn/openid"
)

// crooked is a provider that answers what a test wants.
type crooked struct {
	*httptest.Server
	key   *ecdsa.PrivateKey
	nonce string
	token func(claims map[string]any) string
	info  map[string]any
}

func newCrooked(t *testing.T) *crooked {
	t.Helper()
	c := &crooked{}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	keys := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: c.key.Public(), KeyID: "k", Algorithm: oidc.ES256}}}
	mux := http.NewServeMux()
	mux.Handle("/", keys)
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": c.URL, "authorization_endpoint": c.URL + "/auth", "token_endpoint": c.URL + "/token", "jwks_uri": c.URL + "/keys",
			"userinfo_endpoint": c.URL + "/info", "id_token_signing_alg_values_supported": []string{"ES256", "none"}})
	})
	mux.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		c.nonce = q.Get("nonce")
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now()
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": c.token(map[string]any{"iss": c.URL, "aud": "the-vault", "sub": "mia",
			"nonce": c.nonce, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})})
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.info) })
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

func (c *crooked) signed(key crypto.PrivateKey, claims map[string]any) string {
	text, _ := json.Marshal(claims)
	return oidctest.SignIDToken(key, "k", oidc.ES256, string(text))
}

// An answer that is not wholly the provider's, for this login, now, logs nobody in.
func TestAForgedAnswerLogsNobodyIn(t *testing.T) {
	c, s := newCrooked(t), newSite(t)
	s.uses(t, openid.Config{Issuer: c.URL})
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) func(map[string]any) string {
		return func(claims map[string]any) string {
			claims[name] = value
			return c.signed(c.key, claims)
		}
	}
	for _, forged := range []struct {
		name  string
		token func(map[string]any) string
	}{
		{"of another login", with("nonce", "another")},
		{"of no login", with("nonce", "")},
		{"for another client", with("aud", "another")},
		{"of another issuer", with("iss", "https://elsewhere.example")},
		{"that is over", with("exp", time.Now().Add(-time.Minute).Unix())},
		{"from the future", with("iat", time.Now().Add(time.Hour).Unix())},
		{"with another access token", with("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")},
		{"whose claim is no claim", with("email_verified", "perhaps")},
		{"signed by somebody else", func(claims map[string]any) string { return c.signed(other, claims) }},
		{"signed by nobody", func(claims map[string]any) string {
			text, _ := json.Marshal(claims)
			b := base64.RawURLEncoding
			return b.EncodeToString([]byte(`{"alg":"none","kid":"k"}`)) + "." + b.EncodeToString(text) + "."
		}},
		{"that is missing", func(map[string]any) string { return "" }},
	} {
		c.token, c.info = forged.token, map[string]any{"sub": "mia"}
		if who, err := browser(t).logsIn(s, "", nil); !errors.Is(err, openid.ErrAnswer) {
			t.Errorf("an ID token %s got %v, %v, want ErrAnswer", forged.name, who, err)
		}
	}
	honest := func(claims map[string]any) string { return c.signed(c.key, claims) }
	c.token, c.info = honest, map[string]any{"sub": "eve", "email": "eve@example.org", "email_verified": true}
	if who, err := browser(t).logsIn(s, "", nil); !errors.Is(err, openid.ErrAnswer) {
		t.Errorf("claims about somebody else got %v, %v", who, err)
	}
	// An address that the ID token names unverified is not verified by another beside it.
	c.token, c.info = with("email", "boss@example.org"), map[string]any{"sub": "mia", "email": "mia@example.org", "email_verified": "true"}
	if who, err := browser(t).logsIn(s, "", nil); err != nil || who.Email != "mia@example.org" || !who.EmailVerified {
		t.Errorf("an honest answer got %+v, %v", who, err)
	}
	// Who wants the person asked anew is not content with an answer that does not say so.
	c.token, c.info = honest, map[string]any{"sub": "mia"}
	if who, err := browser(t).logsIn(s, "?fresh", nil); !errors.Is(err, openid.ErrAnswer) {
		t.Errorf("a login that was to be fresh got %v, %v", who, err)
	}
	c.token = with("auth_time", time.Now().Add(-time.Hour).Unix())
	if who, err := browser(t).logsIn(s, "?fresh", nil); !errors.Is(err, openid.ErrAnswer) {
		t.Errorf("a login that was to be fresh, and is of an hour ago, got %v, %v", who, err)
	}
}

// What a provider says of itself is held against what is known of it.
func TestAProviderIsWhoItSays(t *testing.T) {
	var says string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, says)
	}))
	defer server.Close()
	for name, text := range map[string]string{
		"another name":         `{"issuer": "https://elsewhere.example"}`,
		"no PKCE":              `{"issuer": "` + server.URL + `", "authorization_endpoint": "https://a.example", "token_endpoint": "https://a.example", "code_challenge_methods_supported": ["plain"]}`,
		"secrets in the clear": `{"issuer": "` + server.URL + `", "authorization_endpoint": "https://a.example", "token_endpoint": "http://a.example/token"}`,
		"nothing":              `<p>mia@example.org`,
	} {
		says = text
		s := newSite(t)
		s.uses(t, openid.Config{Issuer: server.URL})
		_, err := browser(t).logsIn(s, "", nil)
		if _, ok := errors.AsType[*openid.UnavailableError](err); !ok {
			t.Errorf("a provider with %s got %v", name, err)
		}
	}
}
