package authn

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
)

// MaxLifetime is the longest a token lives.
const MaxLifetime = 10 * time.Minute

// Clients is what the vault knows of its clients.
type Clients interface {
	// Authenticate returns the client of these credentials, or an error if
	// they are not, or no longer, good.
	Authenticate(clientID, secret string) (vault.Client, error)
	// Client returns the client as it is now, or an error if it or the secret
	// is gone. A suspended one is returned as such.
	Client(clientID, secretID string) (vault.Client, error)
}

// Config is what an Authority is made of. Clients, Key and Issuer are required.
type Config struct {
	// Clients are asked at every request.
	Clients Clients
	// Key signs the tokens: Ed25519.
	Key crypto.Signer
	// Issuer is the address under which this server is known; tokens are
	// issued by and for it. It has a scheme and a host, and no path.
	Issuer string
	// Lifetime of a token. Default and maximum: MaxLifetime.
	Lifetime time.Duration
	// Now tells the time. Default: time.Now.
	Now func() time.Time
	// CacheSize is how many checked tokens are remembered. Default: 4096.
	CacheSize int
}

// Authority issues and checks access tokens. It is safe for concurrent use.
type Authority struct {
	cfg    Config
	issuer string
	public ed25519.PublicKey
	kid    string
	parser *jwt.Parser
	seen   *cache

	hits, misses atomic.Uint64 // of seen
}

// New returns an Authority, or an error that says what is wrong with the
// configuration.
func New(cfg Config) (*Authority, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Lifetime <= 0 || cfg.Lifetime > MaxLifetime {
		cfg.Lifetime = MaxLifetime
	}
	if cfg.CacheSize <= 0 {
		cfg.CacheSize = 4096
	}
	if cfg.Key == nil {
		return nil, errors.New("the token key is missing")
	}
	public, ok := cfg.Key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the token key is not an Ed25519 key")
	}
	u, err := url.Parse(cfg.Issuer)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("the issuer %q is not an address such as https://vault.example.org", cfg.Issuer)
	}
	a := &Authority{cfg: cfg, issuer: u.Scheme + "://" + u.Host, public: public, kid: keys.Thumbprint(public), seen: newCache(cfg.CacheSize)}
	a.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(a.issuer),
		jwt.WithAudience(a.issuer),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(cfg.Now),
	)
	return a, nil
}

// Issuer returns the address tokens are issued by, without a trailing slash.
func (a *Authority) Issuer() string { return a.issuer }

// JWKS returns the key that tokens are signed with.
func (a *Authority) JWKS() wire.JWKS {
	return wire.JWKS{Keys: []wire.JWK{PublicJWK(a.public)}}
}

// PublicJWK returns an Ed25519 public key as JWK, its key ID the thumbprint.
func PublicJWK(public ed25519.PublicKey) wire.JWK {
	return wire.JWK{KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(public),
		KeyID: keys.Thumbprint(public), Algorithm: "EdDSA", Use: "sig"}
}

// Metadata describes the authorization server (RFC 8414).
func (a *Authority) Metadata() wire.Metadata {
	return wire.Metadata{
		Issuer:                    a.issuer,
		TokenEndpoint:             a.issuer + "/oauth/token",
		JWKSURI:                   a.issuer + "/.well-known/jwks.json",
		ResponseTypes:             []string{},
		GrantTypes:                []string{"client_credentials"},
		TokenEndpointAuthMethods:  []string{"client_secret_basic", "client_secret_post"},
		AuthorizationDetailsTypes: []string{wire.DetailType},
	}
}
