package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
)

// early is how long before its end a token is replaced.
const early = 30 * time.Second

// accessToken returns a token that will still be good when the request arrives.
// Callers that need one at the same time share one fetch.
func (c *Client) accessToken(ctx context.Context) (string, error) {
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	if c.tokens.token != "" && c.cfg.Now().Before(c.tokens.expires) {
		return c.tokens.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("making a request: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// RFC 6749 §2.3.1: both are form-urlencoded before they are joined.
	r.SetBasicAuth(url.QueryEscape(c.cfg.ClientID), url.QueryEscape(c.cfg.ClientSecret))
	asked := c.cfg.Now()
	var granted wire.TokenAnswer
	if err := c.exchange(r, &granted, 0); err != nil {
		return "", fmt.Errorf("getting an access token: %w", err)
	}
	if granted.AccessToken == "" {
		return "", errors.New("getting an access token: the answer holds none")
	}
	life := time.Duration(granted.ExpiresIn) * time.Second
	c.tokens.token, c.tokens.expires = granted.AccessToken, asked.Add(life-min(early, life/2))
	return c.tokens.token, nil
}

// forget drops a token that was refused, unless another has taken its place.
func (c *Client) forget(token string) {
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	if c.tokens.token == token {
		c.tokens.token = ""
	}
}
