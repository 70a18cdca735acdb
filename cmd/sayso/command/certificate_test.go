package command

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// renew writes a new certificate of this number into a folder.
func renew(t *testing.T, dir string, number int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(number), NotAfter: time.Unix(4e9+number, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1e9+number, 0) // file systems are not always as fast as tests
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// servedCertificate is a listener with a certificate, and a clock that the test moves.
type servedCertificate struct {
	*liveCertificate
	t    *testing.T
	dir  string
	at   string
	log  bytes.Buffer
	mu   sync.Mutex // guards time
	time time.Time
}

func serveCertificate(t *testing.T) *servedCertificate {
	t.Helper()
	s := &servedCertificate{t: t, dir: t.TempDir(), time: time.Now()}
	renew(t, s.dir, 1)
	var err error
	s.liveCertificate, err = loadCertificate(filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem"), slog.New(slog.NewTextHandler(&s.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.time
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.at = l.Addr().String()
	go func() {
		l := tls.NewListener(l, s.config())
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn); conn.Close() }()
		}
	}()
	return s
}

// later lets the files be looked at again.
func (s *servedCertificate) later() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time = s.time.Add(2 * lookAgain)
}

// shown is the number of the certificate that a client sees.
func (s *servedCertificate) shown() int64 {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.at, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// A certificate that was renewed is served without stopping; one that cannot be
// loaded is told of, and the one before stays until it can.
func TestARenewedCertificateIsServed(t *testing.T) {
	s := serveCertificate(t)
	if got := s.shown(); got != 1 {
		t.Fatalf("at first: got certificate %d, want 1", got)
	}
	renew(t, s.dir, 2)
	if got := s.shown(); got != 1 {
		t.Errorf("within a second of the last look: got %d, want still 1", got)
	}
	s.later()
	if got := s.shown(); got != 2 {
		t.Errorf("after renewal: got %d, want 2", got)
	}
	if ends := s.ends(); !ends.Equal(time.Unix(4e9+2, 0)) {
		t.Errorf("it ends: got %v, want the second's end", ends)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "cert.pem"), []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.later()
		if got := s.shown(); got != 2 {
			t.Errorf("one that is half written: got %d, want the one before", got)
		}
	}
	if n := strings.Count(s.log.String(), "cannot be loaded again"); n != 1 {
		t.Errorf("told %d times, want once: %s", n, s.log.String())
	}
	renew(t, s.dir, 3)
	s.later()
	if got := s.shown(); got != 3 {
		t.Errorf("once it is whole: got %d, want 3", got)
	}
}

// SIGHUP has it loaded at once, also if a file looks as it did.
func TestACertificateIsLoadedAgainAtSIGHUP(t *testing.T) {
	s := serveCertificate(t)
	onHangup(t.Context(), s.again)
	renew(t, s.dir, 2)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if s.shown() == 2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("got certificate %d, want 2", s.shown())
}

// What is older than TLS 1.2 is not spoken.
func TestOldTLSIsNotSpoken(t *testing.T) {
	s := serveCertificate(t)
	conn, err := tls.Dial("tcp", s.at, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// Without a certificate that can be loaded nothing is served at all.
func TestACertificateThatIsNoneIsRefused(t *testing.T) {
	if _, err := loadCertificate(filepath.Join(t.TempDir(), "none.pem"), "none.pem", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("got none loaded")
	}
}
