package command

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// liveCertificate is the TLS certificate that is served. When its files change it is
// loaded again, so that who renews it need not stop the vault. One that cannot be
// loaded is told of, and the one before stays.
type liveCertificate struct {
	cert, key string // files
	logger    *slog.Logger
	now       func() time.Time

	mu     sync.Mutex // guards the rest
	loaded *tls.Certificate
	looked time.Time
	seen   [2]fileState // of the files when they were last loaded, or tried
}

// fileState is by what a change of a file is seen.
type fileState struct {
	changed time.Time
	size    int64
}

// lookAgain is how long a look at the files is good for.
const lookAgain = time.Second

func loadCertificate(cert, key string, logger *slog.Logger) (*liveCertificate, error) {
	c := &liveCertificate{cert: cert, key: key, logger: logger, now: time.Now}
	c.seen = c.files()
	c.looked = c.now()
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// config is how TLS is spoken with it.
func (c *liveCertificate) config() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}

// current returns the certificate to serve now.
func (c *liveCertificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= lookAgain {
		c.looked = now
		if files := c.files(); files != c.seen {
			c.reload(files)
		}
	}
	return c.loaded
}

// ends tells when the certificate that is served does.
func (c *liveCertificate) ends() time.Time { return c.current().Leaf.NotAfter }

// reload loads the files; mu is held. They may be half written, so what cannot
// be loaded is tried again when they change once more.
func (c *liveCertificate) reload(files [2]fileState) {
	c.seen = files
	if err := c.load(); err != nil {
		c.logger.Error("the TLS certificate cannot be loaded again; the one before is served", "err", err, "ends", c.loaded.Leaf.NotAfter)
		return
	}
	c.logger.Info("the TLS certificate was loaded again", "ends", c.loaded.Leaf.NotAfter)
}

func (c *liveCertificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("loading the TLS certificate: %w", err)
	}
	c.loaded = &pair
	return nil
}

func (c *liveCertificate) files() (now [2]fileState) {
	for i, name := range []string{c.cert, c.key} {
		if info, err := os.Stat(name); err == nil {
			now[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return now
}

// again loads the files now, whether they changed or not.
func (c *liveCertificate) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reload(c.files())
}

// onHangup calls fn whenever the process gets SIGHUP, until ctx ends.
func onHangup(ctx context.Context, fn func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				fn()
			}
		}
	}()
}
