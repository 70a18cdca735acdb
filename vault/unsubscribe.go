package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// An unsubscribe token says who says no to what, and by which channel's message:
//
//	format (1) ‖ subject (16) ‖ length (1), channel ‖ length (1), purpose ‖ zeroes
//
// always of one length, sealed under the vault's own key, as base64url. So it tells
// nothing to who has it, cannot be made or changed by anybody else, and needs no row:
// it is good for as long as the vault, because the mail it is in may be read whenever.
const (
	unsubscribeFormat = 1
	unsubscribeLen    = 1 + 16 + 2*(1+maxRegisterName)
	maxRegisterName   = 64
)

const methodLink = "list_unsubscribe"

// unsubscribe is what a token says.
type unsubscribe struct {
	subject privacy.SubjectID
	channel privacy.ChannelID
	purpose privacy.PurposeID
}

// UnsubscribeToken returns what lets a person say no to a purpose with one click in a
// mail, and nothing else. Nobody is looked up: it is made for any ID.
func (v *Vault) UnsubscribeToken(ctx context.Context, by Caller, id privacy.SubjectID, purpose privacy.PurposeID) (string, error) {
	var u unsubscribe
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		channel, err := now.channelOf(by)
		if err != nil {
			return err
		}
		p, ok := now.register.Purpose(purpose)
		if !ok {
			return unknownPurpose(purpose, channel)
		}
		if _, can := p.No(); !can {
			return invalid("purpose", "invalid_value", "expected a purpose that people can say no to; %s rests on %s", purpose, p.Basis)
		}
		u = unsubscribe{subject: id, channel: channel.ID, purpose: purpose}
		return nil
	})
	if err != nil {
		return "", v.refusal(err)
	}
	sealed, err := keys.Seal(v.nobody.history, v.bind(privacy.Nobody, "unsubscribe", unsubscribeFormat), u.pack())
	if err != nil {
		return "", v.refusal(fmt.Errorf("sealing an unsubscribe token: %w", err))
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (u unsubscribe) pack() []byte {
	b := append([]byte{unsubscribeFormat}, u.subject[:]...)
	b = append(append(b, byte(len(u.channel))), u.channel...)
	b = append(append(b, byte(len(u.purpose))), u.purpose...)
	return append(b, make([]byte, unsubscribeLen-len(b))...)
}

var errNoToken = refuse(CodeNotFound, "this link is not, or not whole, one that the vault made")

func parseUnsubscribe(b []byte) (u unsubscribe, err error) {
	if len(b) != unsubscribeLen || b[0] != unsubscribeFormat {
		return u, errNoToken
	}
	rest := b[1+copy(u.subject[:], b[1:]):]
	text := func() string {
		n := int(rest[0])
		if n == 0 || n > maxRegisterName || n >= len(rest) {
			err = errNoToken
			return ""
		}
		s := string(rest[1 : 1+n])
		rest = rest[1+n:]
		return s
	}
	u.channel = privacy.ChannelID(text())
	if err == nil {
		u.purpose = privacy.PurposeID(text())
	}
	if err == nil && !bytes.Equal(u.pack(), b) {
		err = errNoToken
	}
	return u, err
}

func (v *Vault) openUnsubscribe(token string) (u unsubscribe, err error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(token) > 1024 {
		return u, errNoToken
	}
	plain, err := keys.Unseal(v.nobody.history, v.bind(privacy.Nobody, "unsubscribe", unsubscribeFormat), sealed)
	if err != nil {
		return u, errNoToken
	}
	return parseUnsubscribe(plain)
}

// Unsubscription is what a link is about.
type Unsubscription struct {
	Purpose privacy.PurposeID
	Title   privacy.Text // of the purpose
	// Gone says that the register has no such purpose any more: nothing is done for it.
	Gone bool
}

// LookAtUnsubscribe says what a link is about, and does nothing: links are followed
// by programs that look for harm. A link that is none of this vault's is CodeNotFound.
func (v *Vault) LookAtUnsubscribe(_ context.Context, token string) (*Unsubscription, error) {
	u, err := v.openUnsubscribe(token)
	if err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	p, ok := now.register.Purpose(u.purpose)
	if !ok {
		return &Unsubscription{Purpose: u.purpose, Gone: true}, nil
	}
	return &Unsubscription{Purpose: u.purpose, Title: p.Title}, nil
}

// Unsubscribe does what a link says: the person's no, recorded as made in the channel
// whose mail it was in, suspended or gone as that may be by now. A no that stands
// already is not recorded again.
func (v *Vault) Unsubscribe(ctx context.Context, token string) (*Unsubscription, error) {
	u, err := v.openUnsubscribe(token)
	if err != nil {
		return nil, err
	}
	said, err := v.LookAtUnsubscribe(ctx, token)
	if err != nil || said.Gone {
		return said, err
	}
	var status privacy.ConsentStatus
	stands := false
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		p, ok := now.register.Purpose(u.purpose)
		if !ok {
			return errNoToken
		}
		if status, ok = p.No(); !ok {
			status = privacy.StatusWithdrawn // what it rests on was changed; the no is kept
		}
		who, err := v.find(ctx, s, &reference{id: u.subject})
		if err != nil || who == nil {
			return err
		}
		c := who.standing.Consent(u.purpose)
		stands = c != nil && c.Status == status
		return nil
	})
	if err != nil || stands {
		return said, v.refusalOf(err)
	}
	_, err = v.RecordConsent(ctx, Caller{linked: u.channel}, ConsentRequest{Subject: SubjectRef{ID: u.subject}, Purpose: u.purpose, Status: status, Method: methodLink})
	return said, err
}

// linkedTo is the channel that an act by a link is recorded as made in.
func (r *regime) linkedTo(id privacy.ChannelID) *register.Channel {
	if ch, ok := r.register.Channel(id); ok {
		return ch
	}
	return &register.Channel{ID: id}
}

func (v *Vault) refusalOf(err error) error {
	if err == nil {
		return nil
	}
	return v.refusal(err)
}
