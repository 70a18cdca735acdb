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
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api"
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

Beyond this machine it listens only with TLS, or behind a proxy that speaks it.`,
		Example: `  sayso serve --dir ./vault
  sayso serve --dir ./vault --listen :8650 --tls-cert cert.pem --tls-key key.pem --url https://vault.example.org`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dir, "dir", "", "folder of the vault")
	flags.StringVar(&o.listen, "listen", defaultListen, "address to listen on")
	flags.StringVar(&o.url, "url", "", "address under which clients reach the vault (default: the one it listens on)")
	flags.StringVar(&o.cert, "tls-cert", "", "file of the TLS certificate and its chain, PEM")
	flags.StringVar(&o.key, "tls-key", "", "file of the certificate's key, PEM")
	flags.BoolVar(&o.behindProxy, "behind-proxy", false, "a proxy before this server speaks TLS with the clients")
	flags.StringVar(&o.passphraseFile, "passphrase-file", "", "file that holds the passphrase (default: SAYSO_PASSPHRASE, else asked for)")
	return cmd
}

type serveOptions struct {
	dir, listen, url, cert, key, passphraseFile string
	behindProxy                                 bool
}

func (o *serveOptions) run(cmd *cobra.Command) (err error) {
	if o.dir == "" {
		return misuse("--dir is missing: where does the vault lie?")
	}
	config, err := o.tls(cmd.Context())
	if err != nil {
		return err
	}
	root, err := rootKey(cmd, o.passphraseFile, false)
	if err != nil {
		return err
	}
	logger := newLogger(cmd.ErrOrStderr())
	f, err := openFolder(cmd.Context(), o.dir, root, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	stopSocket, err := serveSocket(f, served{Listen: o.listen, URL: o.url, TLS: config != nil, Cert: o.cert, BehindProxy: o.behindProxy}, logger)
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
		if config != nil {
			issuer = "https://" + l.Addr().String()
		}
		if at, ok := l.Addr().(*net.TCPAddr); ok && at.IP.IsUnspecified() {
			logger.Warn("clients cannot reach the address that tokens are issued by: give --url", "url", issuer)
		}
	}
	return serveVault(cmd.Context(), f.vault, l, serving{issuer: issuer, tls: config, logger: logger, ready: func() error {
		return answer(cmd, map[string]string{"url": issuer}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Serving the vault in %s at %s\n", o.dir, issuer)
			return err
		})
	}})
}

// tls refuses to be heard by others without it.
func (o *serveOptions) tls(ctx context.Context) (*tls.Config, error) {
	if (o.cert == "") != (o.key == "") {
		return nil, misuse("--tls-cert and --tls-key go together")
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fmt.Errorf("loading the TLS certificate: %w", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
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
	issuer string      // the address clients use
	tls    *tls.Config // nil: plain
	logger *slog.Logger
	ready  func() error // called when requests are answered; may be nil
}

// serveVault answers requests on a listener until ctx ends, then lets running
// ones end. It closes the listener, but not the vault.
func serveVault(ctx context.Context, v *vault.Vault, l net.Listener, how serving) error {
	routes, err := api.New(api.Config{Vault: v, Issuer: how.issuer, Version: version(), Logger: how.logger})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server := routes.HTTP()
	ended := make(chan error, 1)
	go func() {
		if how.tls != nil {
			l = tls.NewListener(l, how.tls)
		}
		ended <- server.Serve(l)
	}()
	if how.ready != nil {
		if err := how.ready(); err != nil {
			return errors.Join(err, server.Close())
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
	if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// newLogger writes to a terminal for people, elsewhere JSON for machines.
func newLogger(w io.Writer) *slog.Logger {
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}
