package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Config is what a Sender is made of. Address and From are required.
type Config struct {
	// Address of the SMTP server, as host:port. Over port 465 it speaks TLS at
	// once; else it must offer STARTTLS, unless it is on this machine.
	Address string
	// From is who writes, such as "Northgate <privacy@northgate.example>".
	From string
	// Username and Password, if the server wants them. They are only said over
	// TLS, or to this machine.
	Username, Password string
	// TLS holds the certificates to believe. Default: the system's.
	TLS *tls.Config
	// Dial connects to the server. Default: as a net.Dialer does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout of each step. Default: 15 seconds.
	Timeout time.Duration
}

// Sender sends mail. It is safe for concurrent use.
type Sender struct {
	host    string
	from    *netmail.Address
	options []gomail.Option
}

// New returns a Sender, or an error that says what is wrong with the
// configuration. It connects to nothing.
func New(cfg Config) (*Sender, error) {
	host, text, err := net.SplitHostPort(cfg.Address)
	if err != nil || host == "" {
		return nil, fmt.Errorf("%q is not the address of a mail server such as smtp.example.org:587", cfg.Address)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("%q has no port such as 587", cfg.Address)
	}
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("%q is not a mail address to write from", cfg.From)
	}
	if (cfg.Username == "") != (cfg.Password == "") {
		return nil, errors.New("a mail server's user name and password go together")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.TLS == nil {
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.TLS = cfg.TLS.Clone()
	cfg.TLS.ServerName = host
	s := &Sender{host: host, from: from, options: []gomail.Option{gomail.WithPort(int(port)), gomail.WithTimeout(cfg.Timeout),
		gomail.WithTLSConfig(cfg.TLS), gomail.WithoutNoop()}}
	if cfg.Dial != nil {
		s.options = append(s.options, gomail.WithDialContextFunc(cfg.Dial))
	}
	switch {
	case port == 465:
		s.options = append(s.options, gomail.WithSSL())
	case here(host):
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if cfg.Username != "" {
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(cfg.Username), gomail.WithPassword(cfg.Password))
	}
	return s, nil
}

func here(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Send sends a text to one address. Its error names neither the address nor what
// was said: a server's own words may repeat both.
func (s *Sender) Send(ctx context.Context, to, subject, text string) error {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.from)
	at, err := netmail.ParseAddress(to)
	if err != nil || at.Name != "" {
		return errors.New("the address is not one that mail is sent to")
	}
	m.ToMailAddress(at)
	m.Subject(subject)
	m.SetDate()
	_, domain, _ := strings.Cut(s.from.Address, "@")
	m.SetMessageIDWithValue(rand.Text() + "@" + domain)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(gomail.TypeTextPlain, text)
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return errors.New("the mail server's settings do not work")
	}
	if err := client.DialAndSendWithContext(ctx, m); err != nil {
		return fmt.Errorf("sending mail by %s: %s", s.host, reason(err))
	}
	return nil
}

// reason is what is ours to say of an error.
func reason(err error) string {
	var sending *gomail.SendError
	var network *net.OpError
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return "its certificate is not believed"
	case errors.As(err, &network):
		return "it cannot be reached"
	case errors.As(err, &sending):
		return fmt.Sprintf("it refused (%d)", sending.ErrorCode())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "it took too long"
	}
	return "it did not take it"
}
