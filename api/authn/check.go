package authn

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// MaxToken is the size of the longest token, in bytes.
const MaxToken = 8 << 10

const (
	tokenType = "at+jwt"
	// ahead is how far a token's time of issue may lie ahead of the clock.
	ahead = time.Minute
)

// The errors of Check.
var (
	// ErrNoToken: the request carries no bearer token at all.
	ErrNoToken = errors.New("an access token is needed: get one at /oauth/token")
	// ErrToken: the token is not one of this vault's, is too old, or was got
	// with a secret that is no longer good. Which of these is not told.
	ErrToken = errors.New("the access token is not valid, or no longer")
)

// verified is what the signature on a token vouches for.
type verified struct {
	clientID, secretID string
	purposes           []privacy.PurposeID
	issued, expires    time.Time
}

// Check returns who makes the request, as the vault knows the client now. A
// suspended channel is returned as such; that its requests are refused is the
// caller's duty. It returns ErrNoToken or ErrToken, or another error if the
// vault cannot say.
func (a *Authority) Check(r *http.Request) (vault.Caller, error) {
	token, err := Bearer(r)
	if err != nil {
		return vault.Caller{}, err
	}
	v, known := a.seen.get(token)
	if known {
		a.hits.Add(1)
	} else {
		a.misses.Add(1)
		if v, err = a.verify(token); err != nil {
			return vault.Caller{}, err
		}
		a.seen.put(strings.Clone(token), v) // not the whole head of a request
	}
	if now := a.cfg.Now(); !now.Before(v.expires) || v.issued.After(now.Add(ahead)) {
		return vault.Caller{}, ErrToken
	}
	client, err := a.cfg.Clients.Client(v.clientID, v.secretID)
	if errors.Is(err, vault.ErrInvalidClient) {
		return vault.Caller{}, ErrToken
	}
	if err != nil {
		return vault.Caller{}, fmt.Errorf("looking up a client: %w", err)
	}
	return vault.Caller{Client: client, Purposes: v.purposes}, nil
}

// CacheStats tells how checks of tokens went.
type CacheStats struct {
	Hits   uint64 // the same token had been checked before
	Misses uint64 // its signature was checked, and may have been wrong
	Tokens int    // remembered
}

// Cache returns the numbers so far.
func (a *Authority) Cache() CacheStats {
	return CacheStats{Hits: a.hits.Load(), Misses: a.misses.Load(), Tokens: a.seen.len()}
}

// Bearer takes the token out of the one Authorization header. It returns
// ErrNoToken or ErrToken.
func Bearer(r *http.Request) (string, error) {
	headers := r.Header["Authorization"]
	if len(headers) == 0 {
		return "", ErrNoToken
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") { // RFC 9110 §11.1: in any case
		return "", ErrNoToken
	}
	if len(headers) > 1 || token == "" || len(token) > MaxToken {
		return "", ErrToken
	}
	return token, nil
}

// verify checks everything about a token that does not change: form, key,
// signature, issuer, audience, times.
func (a *Authority) verify(token string) (verified, error) {
	var c claims
	parsed, err := a.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		typ, _ := t.Header["typ"].(string)
		kid, _ := t.Header["kid"].(string)
		// A header of alg, typ and kid is all we make; a key or a "crit" that
		// a token brings along is nothing we would follow.
		if len(t.Header) != 3 || !sameType(typ) || kid != a.kid {
			return nil, ErrToken
		}
		return a.public, nil
	})
	if err != nil || !parsed.Valid {
		return verified{}, ErrToken
	}
	if len(c.Audience) != 1 || c.ClientID == "" || c.Subject != c.ClientID || c.SecretID == "" || c.ID == "" || c.IssuedAt == nil ||
		c.ExpiresAt.Sub(c.IssuedAt.Time) > MaxLifetime {
		return verified{}, ErrToken
	}
	v := verified{clientID: c.ClientID, secretID: c.SecretID, purposes: purposes(c.Details), issued: c.IssuedAt.Time, expires: c.ExpiresAt.Time}
	if len(c.Details) > 0 && len(v.purposes) == 0 {
		return verified{}, ErrToken
	}
	return v, nil
}

// cache remembers checked tokens in two generations: when the young one is full
// it becomes the old one, and what was not asked for since is forgotten.
type cache struct {
	half int

	mu         sync.RWMutex // guards young and old
	young, old map[string]verified
}

func newCache(size int) *cache {
	return &cache{half: max(size/2, 1), young: map[string]verified{}}
}

func (c *cache) get(token string) (verified, bool) {
	c.mu.RLock()
	v, ok := c.young[token]
	if ok {
		c.mu.RUnlock()
		return v, true
	}
	v, ok = c.old[token]
	c.mu.RUnlock()
	if ok {
		c.put(token, v)
	}
	return v, ok
}

func (c *cache) put(token string, v verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.young, c.old = map[string]verified{}, c.young
	}
	c.young[token] = v
}

// len returns how many tokens are remembered.
func (c *cache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.young) + len(c.old)
}
