package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

// Config is what a Sender is made of.
type Config struct {
	// Source is the address of the vault, by which events say where they are from.
	Source string
	// AllowLoopback lets webhooks be on this machine, also without TLS: for trying
	// things out. Default: they must be https and public.
	AllowLoopback bool
	// TLS is how webhooks are trusted. Default: as the system does.
	TLS *tls.Config
	// Logger is told why webhooks do not take events: a host, never a URL, which may
	// hold a secret of the channel's. Default: none.
	Logger *slog.Logger
}

// The bounds of one delivery.
const (
	dialTime     = 5 * time.Second
	answerTime   = 10 * time.Second
	deliveryTime = 15 * time.Second
	answerMost   = 16 << 10 // bytes of an answer that are read, so that the connection serves again
)

// Sender sends events. It is safe for concurrent use.
type Sender struct {
	source string
	local  bool
	public *http.Client
	here   *http.Client // to this machine; nil: not allowed
	logger *slog.Logger
}

// New returns a Sender. Close ends what it keeps open.
func New(cfg Config) *Sender {
	s := &Sender{source: cfg.Source, local: cfg.AllowLoopback, logger: cfg.Logger, public: client(cfg.TLS, public)}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.local {
		s.here = client(cfg.TLS, loopback)
	}
	return s
}

// client connects to allowed addresses only. No proxy stands between, which would
// connect for it, and no redirect is followed.
func client(trust *tls.Config, allowed func(netip.Addr) bool) *http.Client {
	dialer := &net.Dialer{Timeout: dialTime, Control: guard(allowed)}
	return &http.Client{
		Timeout:       deliveryTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        trust.Clone(),
			TLSHandshakeTimeout:    dialTime,
			ResponseHeaderTimeout:  answerTime,
			MaxResponseHeaderBytes: answerMost,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		},
	}
}

// Close ends connections that nothing is sent over.
func (s *Sender) Close() {
	s.public.CloseIdleConnections()
	if s.here != nil {
		s.here.CloseIdleConnections()
	}
}

// Send sends one event. Any 2xx takes it; 410 says that no more are wanted.
func (s *Sender) Send(ctx context.Context, d vault.Delivery) vault.Delivered {
	status, after, err := s.post(ctx, d)
	out := vault.Delivered{Status: status, OK: err == nil && status >= 200 && status < 300, Gone: status == http.StatusGone, After: after}
	if !out.OK && ctx.Err() == nil {
		why := "it answered otherwise than with 2xx"
		if err != nil {
			why = reason(err)
		}
		s.logger.Warn("a webhook did not take an event", "host", hostOf(d.URL), "event", d.Event.ID, "status", status, "why", why)
	}
	return out
}

// reason says what went wrong without the URL, which errors of net/http repeat.
func reason(err error) string {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	switch {
	case errors.Is(err, ErrAddress):
		return "its name leads to an address that is not public"
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	}
	return err.Error()
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func (s *Sender) post(ctx context.Context, d vault.Delivery) (status int, after time.Duration, err error) {
	if err := s.Check(d.URL); err != nil { // the flag may have gone since
		return 0, 0, err
	}
	body, err := json.Marshal(EventOf(s.source, &d.Event), json.Deterministic(true))
	if err != nil {
		return 0, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	at := strconv.FormatInt(d.At.Unix(), 10)
	req.Header.Set("Content-Type", wire.MediaEvent)
	req.Header.Set("User-Agent", "sayso")
	req.Header.Set(wire.HeaderWebhookID, d.Event.ID)
	req.Header.Set(wire.HeaderWebhookTimestamp, at)
	req.Header.Set(wire.HeaderWebhookSignature, sign(d.Keys, d.Event.ID, at, body))
	by := s.public
	if host := req.URL.Hostname(); s.here != nil && (host == "localhost" || isLoopback(host)) {
		by = s.here
	}
	res, err := by.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, answerMost))
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		after = time.Duration(min(seconds, 1<<20)) * time.Second
	}
	return res.StatusCode, after, nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && loopback(a)
}

// sign returns the signatures of each key, as Standard Webhooks writes them.
func sign(keys [][]byte, id, at string, body []byte) string {
	var all []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + at + "."))
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}

// EventOf returns an event as it travels.
func EventOf(source string, e *vault.Event) *wire.Event {
	return &wire.Event{SpecVersion: "1.0", ID: e.ID, Source: source, Type: e.Type, Subject: e.Subject, Time: e.Time,
		DataContentType: "application/json", Data: wire.EventData{Purpose: e.Purpose, Fields: e.Fields}}
}
