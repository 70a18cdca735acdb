package vault

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Login is a login that somebody proved to have an identifier for: a provider
// vouched for a claim, or a code that was sent there came back.
type Login struct {
	Field privacy.FieldName
	Value privacy.Sensitive // as JSON
	// How it was proved: openid, code …
	How string
	// From is the token of the session that steps up, "" for none. It ends.
	From string
}

// Throttles of logins, per identifier and for all of them together. They count
// identifiers asked for, never whether somebody has them.
const (
	loginsEvery = 3 * time.Minute // and so many at once:
	loginsBurst = 10
	allLogins   = 50 // a second
	loginsKept  = 1 << 16
)

// logins throttles logins. Counts live in memory.
type logins struct {
	mu   sync.Mutex // guards the rest
	all  *rate.Limiter
	each map[[32]byte]*rate.Limiter
}

// allow counts one attempt at an identifier.
func (l *logins) allow(name [32]byte, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all, l.each = rate.NewLimiter(allLogins, allLogins), map[[32]byte]*rate.Limiter{}
	}
	if !l.all.AllowN(now, 1) {
		return &Error{Code: CodeRateLimited, Detail: "too many people log in; try again", RetryAfter: time.Second}
	}
	one := l.each[name]
	if one == nil {
		if len(l.each) >= loginsKept { // those that may try at full again are as good as new
			for key, other := range l.each {
				if other.TokensAt(now) >= loginsBurst {
					delete(l.each, key)
				}
			}
		}
		one = rate.NewLimiter(rate.Every(loginsEvery), loginsBurst)
		l.each[name] = one
	}
	if r := one.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		wait := r.DelayFrom(now)
		r.CancelAt(now)
		return &Error{Code: CodeRateLimited, Detail: "too many logins with this identifier; try again later", RetryAfter: wait}
	}
	return nil
}

var howForm = regexp.MustCompile(`^[a-z_]{1,32}$`)

// MayLogin says whether a code sent to an identifier could log somebody in: one
// person has it, verified. Whoever asked for a code must be answered the same
// either way, and after the same time: it is for who sends codes alone. It is
// throttled by identifier and returns an *Error rate_limited.
func (v *Vault) MayLogin(ctx context.Context, field privacy.FieldName, value privacy.Sensitive) (bool, error) {
	_, id, err := v.loginOf(ctx, Login{Field: field, Value: value, How: "code"})
	var refused *Error
	if errors.As(err, &refused) && refused.Code == CodeUnknownSubject {
		return false, nil
	}
	if err != nil {
		return false, v.refusal(err)
	}
	return id != privacy.Nobody, nil
}

// LoginByIdentifier opens a session of assurance verified for the one person who
// has an identifier that somebody proved to be theirs. It must be verified in the
// vault: a channel checked it when it captured it. One that is not is enough
// where the login steps up a session that is of the same person, who came with it
// and has none that is verified ([mayStepUp]): then the channel's word and the
// proof agree. A shared identifier is never enough.
//
// It returns an *Error unknown_subject if that is nobody, which only who proved to
// have the identifier may be told, and rate_limited.
func (v *Vault) LoginByIdentifier(ctx context.Context, login Login) (*OpenedSession, error) {
	if !howForm.MatchString(login.How) {
		return nil, invalid("how", "invalid_value", "expected one to 32 of a-z and _")
	}
	for range attempts {
		opened, err := v.login(ctx, login)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return opened, nil
	}
	return nil, unavailable("the person kept changing; try again")
}

func (v *Vault) login(ctx context.Context, login Login) (*OpenedSession, error) {
	now, believed, _ := v.clock.now()
	if !believed {
		return nil, unavailable("the clock is not believed, so nobody logs in until an officer confirms it")
	}
	r, id, err := v.loginOf(ctx, login)
	if err != nil {
		return nil, err
	}
	s := &ownSession{ID: privacy.NewSessionID(now), Subject: id, Assurance: AssuranceVerified, How: login.How, Opened: now, Expires: now.Add(SubjectSessionLasts)}
	opened, err := v.begin(ctx, s, r, 0, SessionLogin, nil)
	if err == nil && login.From != "" {
		if before, err := v.Subject(ctx, login.From); err == nil {
			_ = v.EndOwnSession(ctx, before, before.session.ID) // it ends by itself otherwise
		}
	}
	return opened, err
}

// loginOf finds whom a proved identifier logs in.
func (v *Vault) loginOf(ctx context.Context, login Login) (r *regime, id privacy.SubjectID, err error) {
	var steps *ownSession
	if login.From != "" {
		if by, err := v.Subject(ctx, login.From); err == nil {
			steps = by.session
		}
	}
	err = v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		if r, err = v.regime(ctx, snap); err != nil {
			return err
		}
		ref, err := v.reference(r.register, nil, SubjectRef{Field: login.Field, Value: login.Value})
		if err != nil {
			return err
		}
		if ref.field == nil || ref.field.Identifier != register.Unique {
			return invalid("identifier", "not_an_identifier", "expected a field that the register names a unique identifier")
		}
		if err := v.logins.allow(ref.hash(v), v.cfg.Now()); err != nil {
			return err
		}
		holders, err := v.holders(ctx, snap, ref.field, ref.value.Lookup)
		if err != nil {
			return err
		}
		if len(holders) != 1 || there(holders[0]) == nil {
			return errNobody
		}
		p := holders[0]
		fact := p.standing.Value(ref.field.Name)
		if !fact.Verified && (steps == nil || steps.Subject != p.id || !mayStepUp(p.standing, r.register, fact)) {
			return errNobody
		}
		id = p.id
		return nil
	})
	return r, id, err
}

var errNobody = refuse(CodeUnknownSubject, "nobody is known by this identifier who could log in with it")
