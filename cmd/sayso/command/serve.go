package command

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/metrics"
	"github.com/sayso-vault/sayso/api/web/privacy"
	"github.com/sayso-vault/sayso/api/webhook"
	"github.com/sayso-vault/sayso/vault"
)

const defaultListen = "127.0.0.1:8650"

// drain is how long running requests may take to end when the server stops.
const drain = 20 * time.Second

func newServe() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve --dir D",
		Short: "Serve a vault over HTTP",
		Long: `serve opens the vault in a folder and answers HTTP for it, until SIGTERM or
SIGINT: then it lets running requests end and closes what it opened, in order.
A TLS certificate is loaded again when its files change, or at SIGHUP.

Beyond this machine it listens only with TLS, or behind a proxy that speaks it.`,
		Example: `  sayso serve --dir ./vault
  sayso serve --dir ./vault --listen :8650 --tls-cert cert.pem --tls-key key.pem --url https://vault.example.org`,
		Args:       cobra.NoArgs,
		SuggestFor: []string{"start", "run", "server"},
		RunE:       func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dir, "dir", "", "folder of the vault")
	flags.StringVar(&o.listen, "listen", defaultListen, "address to listen on")
	flags.StringVar(&o.url, "url", "", "address under which clients reach the vault (default: the one it listens on)")
	flags.StringVar(&o.cert, "tls-cert", "", "file of the TLS certificate and its chain, PEM")
	flags.StringVar(&o.key, "tls-key", "", "file of the certificate's key, PEM")
	flags.BoolVar(&o.behindProxy, "behind-proxy", false, "a proxy before this server speaks TLS with the clients")
	flags.BoolVar(&o.hooksHere, "webhooks-allow-loopback", false, "let webhooks be on this machine, also without TLS: for trying things out")
	flags.StringVar(&o.collector, "otlp-endpoint", "", "address of an OpenTelemetry collector to send traces to, such as http://127.0.0.1:4318 (default: "+envCollector+"; without either there are no traces)")
	flags.StringVar(&o.passphraseFile, "passphrase-file", "", "file that holds the passphrase (default: SAYSO_PASSPHRASE, else asked for)")
	flags.StringVar(&o.config, "config", "", "file of settings, YAML: these flags by their names, and how people log in to the privacy centre")
	return cmd
}

type serveOptions struct {
	dir, listen, url, cert, key, passphraseFile string
	behindProxy, hooksHere                      bool
	collector, config                           string
}

func (o *serveOptions) run(cmd *cobra.Command) (err error) {
	more := new(settings)
	if o.config != "" {
		if more, err = readSettings(cmd, o.config); err != nil {
			return err
		}
	}
	if o.dir == "" {
		return misuse("--dir is missing: where does the vault lie?")
	}
	collectLater()
	logger := newLogger(cmd.ErrOrStderr())
	cert, err := o.tls(cmd.Context(), logger)
	if err != nil {
		return err
	}
	if err := whole(o.dir); err != nil {
		return err
	}
	root, err := rootKey(cmd, o.passphraseFile, false)
	if err != nil {
		return err
	}
	w, err := watch(cmd.Context(), o.collector, logger)
	if err != nil {
		return err
	}
	f, err := openWatched(cmd.Context(), o.dir, root, logger, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	stopSocket, err := serveSocket(f, served{Listen: o.listen, URL: o.url, TLS: cert != nil, Cert: o.cert, BehindProxy: o.behindProxy}, logger)
	if err != nil {
		logger.Warn("the folder has no socket, so `sayso log` cannot ask this process", "err", err)
	} else {
		defer func() { err = errors.Join(err, stopSocket()) }()
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", o.listen, err)
	}
	issuer := o.url
	if issuer == "" {
		issuer = "http://" + l.Addr().String()
		if cert != nil {
			issuer = "https://" + l.Addr().String()
		}
		if at, ok := l.Addr().(*net.TCPAddr); ok && at.IP.IsUnspecified() {
			logger.Warn("clients cannot reach the address that tokens are issued by: give --url", "url", issuer)
		}
	}
	ctx, stop := hangups(cmd, cert, logger)
	defer stop()
	return serveVault(ctx, f, l, serving{issuer: issuer, cert: cert, logger: logger, hooksHere: o.hooksHere, behindProxy: o.behindProxy, settings: *more, ready: func() error {
		if err := notify("READY=1"); err != nil {
			logger.Warn("systemd cannot be told that the vault is served", "err", err)
		}
		return answer(cmd, map[string]string{"url": issuer}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Serving the vault in %s at %s\n", o.dir, issuer)
			return err
		})
	}})
}

// hangups says what SIGHUP means: the end, where a terminal was hung up; else
// that what can be loaded again is to be.
func hangups(cmd *cobra.Command, cert *liveCertificate, logger *slog.Logger) (context.Context, context.CancelFunc) {
	if isTerminal(cmd.ErrOrStderr()) {
		return signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
	}
	ctx, stop := context.WithCancel(cmd.Context())
	onHangup(ctx, func() {
		if cert == nil {
			logger.Info("SIGHUP: there is nothing to load again")
			return
		}
		cert.again()
	})
	return ctx, stop
}

// tls refuses to be heard by others without it.
func (o *serveOptions) tls(ctx context.Context, logger *slog.Logger) (*liveCertificate, error) {
	if (o.cert == "") != (o.key == "") {
		return nil, misuse("--tls-cert and --tls-key go together")
	}
	if o.cert != "" {
		return loadCertificate(o.cert, o.key, logger)
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return nil, misuse("--listen %s is not an address such as %s", o.listen, defaultListen)
	}
	if o.behindProxy || isLoopback(ctx, host) {
		return nil, nil
	}
	return nil, fmt.Errorf("%s can be reached from other machines, and personal data would travel in the clear: "+
		"give --tls-cert and --tls-key, or --behind-proxy if a proxy speaks TLS with the clients", o.listen)
}

func isLoopback(ctx context.Context, host string) bool {
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if host == "" || err != nil || len(addrs) == 0 {
		return false
	}
	for _, a := range addrs {
		if !a.IP.IsLoopback() {
			return false
		}
	}
	return true
}

// serving is how a vault is served.
type serving struct {
	issuer      string           // the address clients use
	cert        *liveCertificate // nil: plain
	logger      *slog.Logger
	hooksHere   bool         // webhooks may be on this machine
	behindProxy bool         // addresses are those that a proxy tells
	settings    settings     // from a file
	mail        privacy.Mail // instead of theirs; may be nil
	ready       func() error // called when requests are answered; may be nil
}

// serveVault answers requests on a listener until ctx ends, then lets running
// ones end. It closes the listener, but not the vault.
func serveVault(ctx context.Context, f *folder, l net.Listener, how serving) (err error) {
	families, people, closePages, err := pages(f, how)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, closePages()) }()
	hooks := webhook.New(webhook.Config{Source: how.issuer, AllowLoopback: how.hooksHere, Logger: how.logger})
	cfg := api.Config{Vault: f.vault, Issuer: how.issuer, Version: version(), Logger: how.logger, Pages: families, Webhooks: hooks}
	if people.SendsCodes() {
		cfg.Codes = people
	}
	if f.watched != nil {
		cfg.Observer, cfg.Metrics = f.watched.observer(), f.watched.metrics
	}
	routes, err := api.New(cfg)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if f.watched != nil {
		sources := metrics.Sources{Vault: f.vault.Stats, Outbox: f.vault.OutboxStats, Ready: func() bool { return len(f.vault.Ready()) == 0 }, Tokens: routes.TokenCache, Storage: f.stores.storage}
		if how.cert != nil {
			sources.Certificate = how.cert.ends
		}
		f.watched.metrics.Watch(sources)
	}
	defer deliver(ctx, f.vault, hooks)()
	server := routes.HTTP()
	drained := func(context.Context) error { return nil }
	if how.cert != nil {
		l = tls.NewListener(l, how.cert.config())
	} else {
		reads := routes.Lane(l, server)
		l, drained = reads, reads.Drain
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	if how.ready != nil {
		if err := how.ready(); err != nil {
			return errors.Join(err, server.Close(), drained(ctx))
		}
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err = server.Shutdown(stopping)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	_ = drained(stopping) // who is not answered by then is cut off, as by the server
	if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// deliver sends events to webhooks until what it returns is called.
func deliver(ctx context.Context, v *vault.Vault, hooks *webhook.Sender) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v.DeliverEvents(ctx, hooks.Send)
	}()
	return func() {
		cancel()
		<-ended
		hooks.Close()
	}
}

// newLogger writes to a terminal for people, elsewhere JSON for machines.
func newLogger(w io.Writer) *slog.Logger {
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}
