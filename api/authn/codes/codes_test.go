package codes_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/api/authn/codes"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post is what sends codes, and who is known.
type post struct {
	mu    sync.Mutex // guards now
	now   time.Time
	known chan bool // asked for each errand
	sent  chan string
}

func (p *post) time() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *post) later(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func desk(t *testing.T) (*codes.Desk, *post) {
	t.Helper()
	p := &post{now: time.Date(2026, 3, 7, 9, 0, 0, 0, time.UTC), known: make(chan bool, 64), sent: make(chan string, 64)}
	d, err := codes.New(codes.Config{Now: p.time, Sending: 1,
		Known: func(ctx context.Context, _ codes.Address) (bool, error) {
			select {
			case known := <-p.known:
				return known, nil
			case <-ctx.Done():
				return false, ctx.Err()
			}
		},
		Send: func(_ context.Context, to codes.Address, code, language string) error {
			p.sent <- fmt.Sprintf("%s %s %s", to.Value.Reveal(), language, code)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, p
}

func mail(address string) codes.Address {
	return codes.Address{Field: "email", Value: privacy.NewSensitive([]byte(address))}
}

// asks has a code sent and returns it.
func asks(t *testing.T, d *codes.Desk, p *post, address string) (attempt, code string) {
	t.Helper()
	attempt, err := d.Ask("here", mail(address), "de")
	if err != nil {
		t.Fatal(err)
	}
	p.known <- true
	select {
	case text := <-p.sent:
		return attempt, strings.TrimPrefix(text, address+" de ")
	case <-time.After(30 * time.Second):
		t.Fatal("no code was sent")
	}
	return "", ""
}

func TestACodeComesBackOnce(t *testing.T) {
	d, p := desk(t)
	attempt, code := asks(t, d, p, "mia")
	if len(code) != len("1234 5678") {
		t.Errorf("the code is written %q", code)
	}
	if _, err := d.Check("here", attempt, "0000 0000"); !errors.Is(err, codes.ErrWrong) {
		t.Errorf("a wrong code got %v", err)
	}
	other, _ := asks(t, d, p, "eve")
	if _, err := d.Check("here", other, code); !errors.Is(err, codes.ErrWrong) {
		t.Errorf("mia's code in eve's browser got %v", err)
	}
	to, err := d.Check("here", attempt, " "+strings.ReplaceAll(code, " ", "-")+"\n")
	if err != nil || string(to.Value.Reveal()) != "mia" || to.Field != "email" {
		t.Errorf("mia's code got %v, %v", to, err)
	}
	if _, err := d.Check("here", attempt, code); !errors.Is(err, codes.ErrOver) {
		t.Errorf("the same code again got %v", err)
	}
}

func TestACodeEnds(t *testing.T) {
	d, p := desk(t)
	attempt, code := asks(t, d, p, "mia")
	for try := range 4 {
		if _, err := d.Check("here", attempt, "0000 0000"); !errors.Is(err, codes.ErrWrong) {
			t.Errorf("wrong code %d got %v", try+1, err)
		}
	}
	if _, err := d.Check("here", attempt, "0000 0000"); !errors.Is(err, codes.ErrOver) {
		t.Errorf("the fifth wrong code got %v", err)
	}
	if _, err := d.Check("here", attempt, code); !errors.Is(err, codes.ErrOver) {
		t.Errorf("after five wrong ones the code got %v", err)
	}
	attempt, code = asks(t, d, p, "mia")
	p.later(10 * time.Minute)
	if _, err := d.Check("here", attempt, code); !errors.Is(err, codes.ErrOver) {
		t.Errorf("after ten minutes the code got %v", err)
	}
	if _, err := d.Check("here", "", ""); !errors.Is(err, codes.ErrOver) {
		t.Errorf("no attempt got %v", err)
	}
}

// Whoever asks is answered before anybody is looked up, so the answer tells
// nothing; to who is not known nothing is sent, and no code is theirs.
func TestAskingTellsNothing(t *testing.T) {
	d, p := desk(t)
	unknown, err := d.Ask("here", mail("nobody"), "de") // the look-up waits
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Check("here", unknown, "0000 0000"); !errors.Is(err, codes.ErrWrong) {
		t.Errorf("a code for somebody unknown got %v, want what a wrong one gets", err)
	}
	p.known <- false
	if _, code := asks(t, d, p, "mia"); code == "" {
		t.Error("mia got no code")
	}
	select {
	case text := <-p.sent:
		t.Errorf("somebody unknown was sent %q", text)
	default:
	}
}

func TestAskingIsThrottled(t *testing.T) {
	d, p := desk(t)
	var throttled *codes.ThrottledError
	for n := range 11 {
		p.known <- false
		_, err := d.Ask("here", mail("mia"), "de")
		if n < 10 && err != nil || n == 10 && !errors.As(err, &throttled) {
			t.Errorf("asking %d times got %v", n+1, err)
		}
	}
	if _, err := d.Ask("elsewhere", mail("mia"), "de"); err != nil {
		t.Errorf("from elsewhere got %v", err)
	}
	p.later(throttled.After)
	if _, err := d.Ask("here", mail("mia"), "de"); err != nil {
		t.Errorf("when it said to, got %v", err)
	}
	for n := range 21 {
		if _, err := d.Check("here", "made up", "1234 5678"); (n == 20) != errors.As(err, &throttled) {
			t.Errorf("guessing %d times got %v", n+1, err)
		}
	}
	p.known <- false
	p.known <- false
}
