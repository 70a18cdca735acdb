package mail_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/api/authn/mail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a mail server that keeps what it got.
type box struct {
	got      chan letter
	password string // that it wants; "" for none
}

type letter struct {
	from, to string
	text     []byte
	tls      bool
}

type visit struct {
	*box
	conn   *smtp.Conn
	letter letter
	known  bool
}

func (b *box) NewSession(c *smtp.Conn) (smtp.Session, error) { return &visit{box: b, conn: c}, nil }

func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }
func (v *visit) AuthMechanisms() []string {
	if v.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, password string) error {
		if name != "vault" || password != v.password {
			return smtp.ErrAuthFailed
		}
		v.known = true
		return nil
	}), nil
}

func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	if v.password != "" && !v.known {
		return smtp.ErrAuthRequired
	}
	v.letter.from = from
	return nil
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "gone") {
		return &smtp.SMTPError{Code: 550, Message: "no " + to + " here"}
	}
	v.letter.to = to
	return nil
}

func (v *visit) Data(r io.Reader) (err error) {
	v.letter.text, err = io.ReadAll(r)
	_, v.letter.tls = v.conn.TLSConnectionState()
	v.got <- v.letter
	return err
}

// serves runs a mail server: on this machine, under the name localhost too.
func serves(t *testing.T, b *box, cert *tls.Certificate) string {
	t.Helper()
	b.got = make(chan letter, 8)
	server := smtp.NewServer(b)
	server.AllowInsecureAuth = cert == nil
	server.ReadTimeout, server.WriteTimeout = 30*time.Second, 30*time.Second
	if cert != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		l.Close() // where the server had not begun yet
		<-ended
	})
	return l.Addr().String()
}

func certificate(t *testing.T, host string) (*tls.Certificate, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// A code arrives over TLS, with who it is from, in the language it was written in.
func TestMailArrives(t *testing.T) {
	cert, believed := certificate(t, "127.0.0.1")
	b := &box{password: "a password"}
	at := serves(t, b, cert)
	sender, err := mail.New(mail.Config{Address: at, From: "Northgate <privacy@northgate.example>", Username: "vault", Password: "a password", TLS: believed})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), "zoë@example.org", "Ihr Code für Northgate", "Ihr Code: 1234 5678\n\nGrüße\n"); err != nil {
		t.Fatal(err)
	}
	got := <-b.got
	if !got.tls || got.from != "privacy@northgate.example" || got.to != "zoë@example.org" {
		t.Errorf("mail came from %q to %q, over TLS: %v", got.from, got.to, got.tls)
	}
	m, err := netmail.ReadMessage(bytes.NewReader(got.text))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || !strings.Contains(string(text), "1234 5678") || !strings.Contains(string(text), "Grüße") {
		t.Errorf("it says %q (%v)", text, err)
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || subject != "Ihr Code für Northgate" {
		t.Errorf("its subject is %q (%v)", subject, err)
	}
	if m.Header.Get("Auto-Submitted") != "auto-generated" || !strings.HasSuffix(m.Header.Get("Message-Id"), "@northgate.example>") {
		t.Errorf("its headers are %v", m.Header)
	}
}

// What does not arrive is told without to whom.
func TestMailThatDoesNotArrive(t *testing.T) {
	cert, believed := certificate(t, "127.0.0.1")
	_, stranger := certificate(t, "127.0.0.1")
	elsewhere, known := certificate(t, "mail.elsewhere.example")
	for _, c := range []struct {
		name string
		cert *tls.Certificate
		tls  *tls.Config
		pass string
		to   string
		want string
	}{
		{"a certificate nobody vouches for", cert, stranger, "a password", "mia@example.org", "certificate"},
		{"a certificate of another server", elsewhere, known, "a password", "mia@example.org", "certificate"},
		{"another password", cert, believed, "another", "mia@example.org", "did not"},
		{"somebody who is gone", cert, believed, "a password", "gone.mia@example.org", "refused (550)"},
		{"a line that would add a recipient", cert, believed, "a password", "mia@example.org\r\nBcc: eve@example.org", "not one that mail is sent to"},
		{"a name beside the address", cert, believed, "a password", "Mia <mia@example.org>", "not one that mail is sent to"},
	} {
		b := &box{password: "a password"}
		sender, err := mail.New(mail.Config{Address: serves(t, b, c.cert), From: "privacy@northgate.example", Username: "vault", Password: c.pass, TLS: c.tls})
		if err != nil {
			t.Fatal(err)
		}
		err = sender.Send(t.Context(), c.to, "subject", "Your code: 1234 5678")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "mia") || strings.Contains(err.Error(), "1234")) {
			t.Errorf("%s: the error tells %v", c.name, err)
		}
		select {
		case got := <-b.got:
			t.Errorf("%s: mail arrived at %q", c.name, got.to)
		default:
		}
	}
}

// Beyond this machine mail leaves over TLS or not at all; on it, a server need
// not speak TLS.
func TestMailIsNotSentInTheClear(t *testing.T) {
	b := &box{}
	at := serves(t, b, nil)
	sender, err := mail.New(mail.Config{Address: at, From: "privacy@northgate.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), "mia@example.org", "s", "t"); err != nil {
		t.Errorf("on this machine got %v", err)
	}
	<-b.got
	// The same server under a name that could be elsewhere.
	away, err := mail.New(mail.Config{Address: "smtp.northgate.example:587", From: "privacy@northgate.example", Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, at)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Send(t.Context(), "mia@example.org", "s", "t"); err == nil {
		t.Error("mail left in the clear")
	}
	select {
	case got := <-b.got:
		t.Errorf("mail arrived at %q", got.to)
	default:
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for want, cfg := range map[string]mail.Config{
		"not the address of a mail server": {Address: "smtp.example.org", From: "a@example.org"},
		"no port":                          {Address: "smtp.example.org:smtp", From: "a@example.org"},
		"not a mail address":               {Address: "smtp.example.org:587", From: "northgate"},
		"go together":                      {Address: "smtp.example.org:587", From: "a@example.org", Username: "vault"},
	} {
		if _, err := mail.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v got %v, want %q", cfg, err, want)
		}
	}
}
