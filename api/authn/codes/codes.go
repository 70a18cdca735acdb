package codes

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Address is an identifier that a code is sent to.
type Address struct {
	Field privacy.FieldName
	Value privacy.Sensitive // as JSON
}

// Config is what a Desk is made of. Known and Send are required.
type Config struct {
	// Known tells whether somebody could log in with a code sent to an address.
	Known func(context.Context, Address) (bool, error)
	// Send sends a code, written as people read it, in a language.
	Send func(ctx context.Context, to Address, code, language string) error
	// Lifetime of a code. Default: 10 minutes.
	Lifetime time.Duration
	// Tries is how many codes may be wrong before a new one is needed. Default: 5.
	Tries int
	// Most is how many codes may be under way. Default: 10,000.
	Most int
	// Sending is how many are looked up and sent at once. Default: 4.
	Sending int
	// Logger is told what could not be sent, without to whom. Default: none.
	Logger *slog.Logger
	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// The errors of Ask and Check, besides *ThrottledError.
var (
	// ErrWrong: the code is not the one that was sent. Another may be tried.
	ErrWrong = errors.New("this is not the code")
	// ErrOver: there is no code to be had with: it is used, too old, or was wrong
	// too often.
	ErrOver = errors.New("this code is over; ask for another one")
)

// ThrottledError says when to come again.
type ThrottledError struct{ After time.Duration }

// Error says so.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many codes; try again in %v", e.After.Round(time.Second))
}

// Desk issues codes and checks them. It is safe for concurrent use.
type Desk struct {
	cfg  Config
	key  [32]byte
	asks *throttle // for codes, by origin
	told *throttle // codes typed, by origin

	queue   chan errand
	ctx     context.Context // of errands; ends with Close
	stop    context.CancelFunc
	errands sync.WaitGroup

	mu    sync.Mutex // guards under
	under map[string]*attempt
}

// attempt is one code under way.
type attempt struct {
	to    Address
	sum   [32]byte // of the code
	tries int
	until time.Time
}

type errand struct {
	to             Address
	code, language string
}

// New returns a Desk, whose errands run until Close.
func New(cfg Config) (*Desk, error) {
	if cfg.Known == nil || cfg.Send == nil {
		return nil, errors.New("who is known, and what sends, are required")
	}
	if cfg.Lifetime <= 0 {
		cfg.Lifetime = 10 * time.Minute
	}
	if cfg.Tries <= 0 {
		cfg.Tries = 5
	}
	if cfg.Most <= 0 {
		cfg.Most = 10_000
	}
	if cfg.Sending <= 0 {
		cfg.Sending = 4
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &Desk{cfg: cfg, asks: newThrottle(time.Minute, 10), told: newThrottle(20*time.Second, 20), queue: make(chan errand, 256), under: map[string]*attempt{}}
	_, _ = rand.Read(d.key[:]) // it never fails
	d.ctx, d.stop = context.WithCancel(context.Background())
	for range cfg.Sending {
		d.errands.Go(d.run)
	}
	return d, nil
}

// Close ends what is being sent.
func (d *Desk) Close() error {
	d.stop()
	d.errands.Wait()
	return nil
}

// Ask has a code sent to an address, if somebody could log in with it, and
// returns the name of the attempt, which belongs into a cookie of the browser
// that asks. It tells nothing about the address, and takes as long for any.
// Where the request comes from is counted: origin.
func (d *Desk) Ask(origin string, to Address, language string) (string, error) {
	now := d.cfg.Now()
	if err := d.asks.allow(origin, now); err != nil {
		return "", err
	}
	code := newCode()
	name := rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.under) >= d.cfg.Most {
		for name, a := range d.under {
			if !now.Before(a.until) {
				delete(d.under, name)
			}
		}
	}
	if len(d.under) >= d.cfg.Most {
		return "", &ThrottledError{After: time.Minute}
	}
	select {
	case d.queue <- errand{to, code, language}:
	default:
		return "", &ThrottledError{After: time.Minute}
	}
	d.under[name] = &attempt{to: to, sum: d.sum(name, code), tries: d.cfg.Tries, until: now.Add(d.cfg.Lifetime)}
	return name, nil
}

// Check takes the code of an attempt, as somebody typed it, and returns the
// address that they have: once. It returns ErrWrong, ErrOver or *ThrottledError.
func (d *Desk) Check(origin, name, code string) (Address, error) {
	now := d.cfg.Now()
	if err := d.told.allow(origin, now); err != nil {
		return Address{}, err
	}
	sum := d.sum(name, digits(code))
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.under[name]
	if a == nil || !now.Before(a.until) {
		delete(d.under, name)
		return Address{}, ErrOver
	}
	if subtle.ConstantTimeCompare(sum[:], a.sum[:]) == 1 {
		delete(d.under, name)
		return a.to, nil
	}
	if a.tries--; a.tries <= 0 {
		delete(d.under, name)
		return Address{}, ErrOver
	}
	return Address{}, ErrWrong
}

// run looks addresses up and sends codes until the desk is closed.
func (d *Desk) run() {
	for {
		select {
		case <-d.ctx.Done():
			return
		case e := <-d.queue:
			if err := d.send(e); err != nil && d.ctx.Err() == nil {
				d.cfg.Logger.Warn("a code for a login was not sent", "err", err)
			}
		}
	}
}

func (d *Desk) send(e errand) error {
	ctx, cancel := context.WithTimeout(d.ctx, time.Minute)
	defer cancel()
	known, err := d.cfg.Known(ctx, e.to)
	if err != nil {
		return fmt.Errorf("looking up who could log in: %w", err)
	}
	if !known {
		return nil
	}
	return d.cfg.Send(ctx, e.to, e.code[:4]+" "+e.code[4:], e.language)
}

func (d *Desk) sum(name, code string) [32]byte {
	mac := hmac.New(sha256.New, d.key[:])
	mac.Write([]byte(name + "\x00" + code))
	return [32]byte(mac.Sum(nil))
}

// newCode is eight digits: with five tries nobody guesses one in twenty million
// attempts.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1e8)) //nolint:forbidigo // it is crypto/rand
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return fmt.Sprintf("%08d", n)
}

// digits are those of what somebody typed.
func digits(typed string) string {
	if len(typed) > 64 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || '9' < r {
			return -1
		}
		return r
	}, typed)
}
