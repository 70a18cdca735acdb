package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// PersonConfig is what a Person is made of. URL is required.
type PersonConfig struct {
	// URL is where the vault is served, such as https://vault.example.org.
	URL string
	// Session is the token of the person's session. Default: none yet; then only
	// Enter, AskCode, ConfirmCode and Status are of use.
	Session string
	// HTTP sends the requests. Default: as [Config.HTTP].
	HTTP *http.Client
}

// Person speaks to one vault as one person, in a session of theirs: it sees and
// steers what is known of them, and of nobody else. It is safe for concurrent use.
//
// A session that is over is an *Error "invalid_token"; what takes a login with a
// verified identifier, "step_up_required".
type Person struct{ c *Client }

// NewPerson returns a Person, or an error that says what is wrong with the
// configuration. It asks nothing of the vault yet.
func NewPerson(cfg PersonConfig) (*Person, error) {
	u, err := addressOf(cfg.URL)
	if err != nil {
		return nil, err
	}
	c := newClient(Config{HTTP: cfg.HTTP}, u)
	c.person = &cfg.Session
	return &Person{c}, nil
}

// Enter opens a session by the code of a channel's one-time link: once, within a
// minute.
func (p *Person) Enter(ctx context.Context, code string) (*wire.OwnSession, error) {
	return post[wire.OwnSession](ctx, p.c, "/v1/subject-sessions/enter", &wire.LinkCode{Code: code})
}

// AskCode has a code mailed to an identifier, if somebody can log in with it; what
// is answered does not say so. It names the attempt, for ConfirmCode.
func (p *Person) AskCode(ctx context.Context, to wire.Subject, language string) (attempt string, err error) {
	out, err := post[wire.LoginAttempt](ctx, p.c, "/v1/subject-sessions/codes", &wire.LoginCodeRequest{Subject: to, Language: language})
	if err != nil {
		return "", err
	}
	return out.Attempt, nil
}

// ConfirmCode logs in with the code that came: an *Error "wrong_code" lets another
// be tried, "code_over" none. The session of this Person, if it has one, ends.
func (p *Person) ConfirmCode(ctx context.Context, attempt, code string) (*wire.OwnSession, error) {
	return post[wire.OwnSession](ctx, p.c, "/v1/subject-sessions/codes/confirm", &wire.LoginCode{Attempt: attempt, Code: code})
}

// Status tells how far a request is, by what its status link ends in. It needs no
// session.
func (p *Person) Status(ctx context.Context, link string) (*wire.RequestStatus, error) {
	return get[wire.RequestStatus](ctx, p.c, "/v1/status/"+url.PathEscape(link), nil)
}

// Me returns what is known of the person, why, and until when. That it was shown is
// an access record.
func (p *Person) Me(ctx context.Context) (*wire.Me, error) {
	return get[wire.Me](ctx, p.c, "/v1/me", nil)
}

// Correct corrects values.
func (p *Person) Correct(ctx context.Context, in *wire.Correction) (*wire.Corrected, error) {
	out := new(wire.Corrected)
	if err := p.c.do(ctx, call{method: http.MethodPatch, path: "/v1/me", in: in, out: out}); err != nil {
		return nil, err
	}
	return out, nil
}

// Consents returns all that the person said to purposes, the latest first.
func (p *Person) Consents(ctx context.Context) ([]wire.OwnConsent, error) {
	return all(ctx, p.c, "/v1/me/consents", func(l *wire.OwnConsentList) ([]wire.OwnConsent, string) { return l.Consents, l.Next })
}

// Say records a yes or a no of the person's. The request names nobody.
func (p *Person) Say(ctx context.Context, in *wire.Consent) (*wire.ConsentAnswer, error) {
	return post[wire.ConsentAnswer](ctx, p.c, "/v1/consents", &wire.ConsentRequest{Consent: *in})
}

// Object objects to a purpose (Art. 21).
func (p *Person) Object(ctx context.Context, in *wire.ObjectionRequest) (*wire.Objection, error) {
	return post[wire.Objection](ctx, p.c, "/v1/me/objections", in)
}

// Contest says that what a model made of a field is not right.
func (p *Person) Contest(ctx context.Context, in *wire.ContestRequest) (*wire.Contest, error) {
	return post[wire.Contest](ctx, p.c, "/v1/me/contests", in)
}

// Receipt returns the receipt of a consent record of the person's again.
func (p *Person) Receipt(ctx context.Context, id privacy.ConsentID) (*wire.ReceiptAnswer, error) {
	return p.c.Receipt(ctx, id)
}

// AccessFilter is which accesses are asked for. The zero value is all.
type AccessFilter struct {
	Channel  privacy.ChannelID
	Purpose  privacy.PurposeID
	From, To time.Time // From is in it, To is not; zero is no bound
}

// accessPage is how many accesses are fetched at a time.
const accessPage = 1000

// Accesses returns who read what of the person, the latest first, from page to page
// until none is left, and how many there are about the person in all.
func (p *Person) Accesses(ctx context.Context, f AccessFilter) ([]wire.OwnAccess, uint64, error) {
	query := url.Values{"limit": {strconv.Itoa(accessPage)}}
	for name, text := range map[string]string{"channel": string(f.Channel), "purpose": string(f.Purpose)} {
		if text != "" {
			query.Set(name, text)
		}
	}
	for name, at := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	var accesses []wire.OwnAccess
	for {
		page, err := get[wire.OwnAccessList](ctx, p.c, "/v1/me/accesses", query)
		if err != nil {
			return nil, 0, err
		}
		accesses = append(accesses, page.Accesses...)
		if page.Next == "" {
			return accesses, page.Count, nil
		}
		query.Set("after", page.Next)
	}
}

// Proof returns the proof that the record of an access stands in the log, as it is:
// what sayso log prove --check takes.
func (p *Person) Proof(ctx context.Context, id privacy.DecisionID) (jsontext.Value, error) {
	out, err := get[jsontext.Value](ctx, p.c, "/v1/me/accesses/"+id.String()+"/proof", nil)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// Export returns the person's data as it is: scope access or portable, in format
// json, csv or schemaorg. by is who acts for them, nil for nobody.
func (p *Person) Export(ctx context.Context, scope, format string, by *wire.Actor) ([]byte, error) {
	var out []byte
	what := call{method: http.MethodGet, path: "/v1/me/export", query: url.Values{"scope": {scope}, "format": {format}}, out: &out}
	if by != nil {
		what.method, what.in = http.MethodPost, &wire.Acting{By: by}
	}
	err := p.c.do(ctx, what)
	return out, err
}

// Restrict restricts the processing of the person's data (Art. 18).
func (p *Person) Restrict(ctx context.Context, in *wire.Why) (*wire.Restriction, error) {
	return post[wire.Restriction](ctx, p.c, "/v1/me/restriction", in)
}

// Lift ends a restriction. by is who acts for the person, nil for nobody.
func (p *Person) Lift(ctx context.Context, by *wire.Actor) (*wire.Restriction, error) {
	out := new(wire.Restriction)
	if err := p.c.do(ctx, call{method: http.MethodDelete, path: "/v1/me/restriction", in: &wire.Acting{By: by}, out: out}); err != nil {
		return nil, err
	}
	return out, nil
}

// PreviewErasure tells what an erasure would leave, and why.
func (p *Person) PreviewErasure(ctx context.Context) (*wire.ErasurePreview, error) {
	return get[wire.ErasurePreview](ctx, p.c, "/v1/me/erasure", nil)
}

// Erase asks for the person's erasure (Art. 17). The session ends with it, unless
// the register grants a period of grace; StatusURL tells how far it is.
func (p *Person) Erase(ctx context.Context, in *wire.Leave) (*wire.OwnErasure, error) {
	return post[wire.OwnErasure](ctx, p.c, "/v1/me/erasure", in)
}

// TakeBackErasure takes back an erasure that has not begun. by is who acts for the
// person, nil for nobody.
func (p *Person) TakeBackErasure(ctx context.Context, by *wire.Actor) (*wire.RequestStatus, error) {
	out := new(wire.RequestStatus)
	if err := p.c.do(ctx, call{method: http.MethodDelete, path: "/v1/me/erasure", in: &wire.Acting{By: by}, out: out}); err != nil {
		return nil, err
	}
	return out, nil
}

// Requests returns the person's requests, and what became of them.
func (p *Person) Requests(ctx context.Context) ([]wire.Request, error) {
	out, err := get[wire.RequestList](ctx, p.c, "/v1/me/requests", nil)
	if err != nil {
		return nil, err
	}
	return out.Requests, nil
}

// Sessions returns the person's sessions, the latest first.
func (p *Person) Sessions(ctx context.Context) ([]wire.Session, error) {
	out, err := get[wire.SessionList](ctx, p.c, "/v1/me/sessions", nil)
	if err != nil {
		return nil, err
	}
	return out.Sessions, nil
}

// EndSession ends a session of the person's, this one or another.
func (p *Person) EndSession(ctx context.Context, id privacy.SessionID) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: "/v1/me/sessions/" + id.String()})
}

// enterPath is where a channel's one-time link leads.
const enterPath = "/privacy/enter"

var errNoLink = errors.New("this is no link of a vault's")

// LinkCode takes a channel's one-time link apart: where the vault is, and the code
// for Enter.
func LinkCode(link string) (vault, code string, err error) {
	u, err := linkOf(link)
	if err != nil || u.Query().Get("code") == "" || !strings.HasSuffix(u.Path, enterPath) {
		return "", "", errNoLink
	}
	return baseOf(u, enterPath), u.Query().Get("code"), nil
}

// StatusLink takes the link to the status of a request apart: where the vault is,
// and what Status wants of it. The privacy centre's own link is as good.
func StatusLink(link string) (vault, name string, err error) {
	u, err := linkOf(link)
	if err != nil {
		return "", "", errNoLink
	}
	for _, at := range []string{"/v1/status/", "/privacy/status/"} {
		if before, name, ok := strings.Cut(u.Path, at); ok && name != "" && !strings.Contains(name, "/") {
			u.Path = before + at
			return baseOf(u, at), name, nil
		}
	}
	return "", "", errNoLink
}

func linkOf(link string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return nil, errNoLink
	}
	return u, nil
}

// baseOf is the address of the vault that a link below it begins with.
func baseOf(u *url.URL, below string) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, below)}).String()
}
