package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// Config is what a Client is made of. URL, ClientID and ClientSecret are
// required.
type Config struct {
	// URL is where the vault is served, such as https://vault.example.org.
	URL string
	// ClientID and ClientSecret are the client's credentials.
	ClientID, ClientSecret string
	// HTTP sends the requests. Default: one of its own that gives up after a
	// minute and follows no redirect, so that no token goes where it was not
	// meant to.
	HTTP *http.Client
	// Patience is for how long a call is tried again when the vault cannot be
	// reached, is too busy or says that a limit is reached for now. Writes then go
	// with a key of their own, so that they happen once ([Client.Once]). Default: no
	// time; each call is tried once.
	Patience time.Duration
	// Now tells the time by which tokens run out. Default: time.Now.
	Now func() time.Time
	// Wait waits before a call is tried again, and returns early with an error if
	// the context ends. Default: by a timer.
	Wait func(context.Context, time.Duration) error
}

// Client speaks to one vault as one client. It is safe for concurrent use.
type Client struct {
	cfg    Config
	base   string
	tokens *tokens // of this client and of those made of it
	key    string  // see Once; "": none
	person *string // the token of a person's session, "" for none; nil: this is no person
}

// tokens is the access token at hand.
type tokens struct {
	mu      sync.Mutex // guards what follows
	token   string
	expires time.Time
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// New returns a Client, or an error that says what is wrong with the
// configuration. It asks nothing of the vault yet.
func New(cfg Config) (*Client, error) {
	u, err := addressOf(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.ClientID == "" || cfg.ClientSecret == "" {
		return nil, errors.New("the client's ID or secret is missing")
	}
	return newClient(cfg, u), nil
}

func newClient(cfg Config, u *url.URL) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{
			Timeout:       time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	return &Client{cfg: cfg, base: strings.TrimSuffix(u.String(), "/"), tokens: new(tokens)}
}

// addressOf reads the address of a vault.
func addressOf(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the vault's URL is not an address such as https://vault.example.org")
	}
	return u, nil
}

// Once returns a client whose next write happens once, however often it is tried
// with the same key: whoever does not know whether a write arrived sends the same
// again, and gets the answer to the first. The key is 1 to 255 visible ASCII
// characters that no other write has – that of an order, a random one – and
// names nobody. The vault knows it for 24 hours, for this client and each of its
// routes apart; another write under it is refused.
func (c *Client) Once(key string) *Client {
	once := *c
	once.key = key
	return &once
}

// URL returns where the vault is served, without a trailing slash.
func (c *Client) URL() string { return c.base }

// call is one request and where its answer goes.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	media        string        // of the body; default application/json
	in           any           // a []byte as it is, anything else as JSON; nil: no body
	out          any           // nil: not read; a *[]byte as it is, a *lastLine as it comes, anything else from JSON
	patience     time.Duration // at least, until the answer is there; 0: that of Config.HTTP
}

// do sends a call, again and again as far as the configuration says.
func (c *Client) do(ctx context.Context, what call) error {
	key := c.key
	if key == "" && c.cfg.Patience > 0 {
		key = rand.Text()
	}
	return c.patiently(ctx, func() error { return c.try(ctx, what, key) })
}

// try sends a call with a token. A token that the vault does not know any more,
// because it was restarted or the clocks disagree, is fetched anew once.
func (c *Client) try(ctx context.Context, what call, key string) error {
	if c.person != nil {
		return c.send(ctx, what, *c.person, key)
	}
	for first := true; ; first = false {
		token, err := c.accessToken(ctx)
		if err != nil {
			return err
		}
		err = c.send(ctx, what, token, key)
		var refused *Error
		if first && errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
			c.forget(token)
			continue
		}
		return err
	}
}

func (c *Client) send(ctx context.Context, what call, token, key string) error {
	r, err := c.request(ctx, what, token, key)
	if err != nil {
		return err
	}
	return c.exchange(r, what.out, what.patience)
}

// request makes the request of a call.
func (c *Client) request(ctx context.Context, what call, token, key string) (*http.Request, error) {
	body, err := what.body()
	if err != nil {
		return nil, err
	}
	target := c.base + what.path
	if len(what.query) > 0 {
		target += "?" + what.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, what.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	for name, values := range what.header {
		r.Header[name] = values
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" && what.method != http.MethodGet {
		r.Header.Set("Idempotency-Key", key)
	}
	if what.in != nil {
		r.Header.Set("Content-Type", what.media)
		if what.media == "" {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	return r, nil
}

func (w *call) body() ([]byte, error) {
	switch in := w.in.(type) {
	case nil:
		return nil, nil
	case []byte:
		return in, nil
	default:
		body, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("writing a request: %w", err)
		}
		return body, nil
	}
}

// exchange sends a request and reads the answer or the refusal.
func (c *Client) exchange(r *http.Request, out any, patience time.Duration) error {
	sender := *c.cfg.HTTP
	lines, _ := out.(*lastLine)
	switch {
	case lines != nil: // it may come for as long as it likes
		sender.Timeout = 0
	case sender.Timeout > 0:
		sender.Timeout = max(sender.Timeout, patience)
	}
	ctx, giveUp := context.WithCancel(r.Context())
	defer giveUp()
	quiet := time.AfterFunc(silence, giveUp)
	defer quiet.Stop()
	resp, err := sender.Do(r.WithContext(ctx))
	if err != nil {
		if at, ok := errors.AsType[*url.Error](err); ok { // the address may hold what opens something
			err = fmt.Errorf("%s://%s: %w", r.URL.Scheme, r.URL.Host, at.Err)
		}
		return fmt.Errorf("asking the vault: %w", &lost{err})
	}
	defer resp.Body.Close()
	if lines != nil && resp.StatusCode/100 == 2 {
		return stream(resp.Body, lines, quiet)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("reading the vault's answer: %w", &lost{err})
	}
	if len(body) > maxAnswer { // a part must not look like the whole
		return errors.New("reading the vault's answer: it is too large")
	}
	if resp.StatusCode/100 != 2 {
		return refusal(resp, body)
	}
	if out == nil {
		return nil
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = body
		return nil
	}
	// A client ignores members it does not know, or a newer vault would break it.
	if json.Unmarshal(body, out) != nil || !answers(body, out) {
		return errors.New("reading the vault's answer: not the shape that was expected")
	}
	return nil
}
