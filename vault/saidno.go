package vault

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ReplyRequest is what a person sent or pressed in a channel: the text of a message, a
// key of a telephone.
type ReplyRequest struct {
	Subject SubjectRef
	Text    privacy.Sensitive // as it came; no JSON
	At      time.Time         // zero: now
	By      *privacy.Actor
}

// ReplyResult is what a reply meant.
type ReplyResult struct {
	// Stopped says whether it is one of the words by which the channel's people say
	// no. The rest is then what was recorded.
	Stopped bool
	Purpose privacy.PurposeID
	ConsentResult
}

// The methods of a no by word.
const (
	methodWord = "stop_word"
	methodKey  = "key_press"
)

// Reply records the no that a reply is, if its first word is one that the register
// names for the channel. Nothing of any other is kept or looked at further, and the
// answer is the same whoever sent it.
func (v *Vault) Reply(ctx context.Context, by Caller, req ReplyRequest) (*ReplyResult, error) {
	var stop *register.Stop
	var said string
	var status privacy.ConsentStatus
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		channel, err := now.channelOf(by)
		if err != nil {
			return err
		}
		if _, err := v.reference(now.register, channel, req.Subject); err != nil {
			return err
		}
		if stop, said = stopOf(channel, string(req.Text.Reveal())); stop == nil {
			return nil
		}
		p, ok := now.register.Purpose(stop.Purpose)
		if !ok {
			return unknownPurpose(stop.Purpose, channel)
		}
		status, _ = p.No()
		return nil
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	if stop == nil {
		return &ReplyResult{}, nil
	}
	method := methodWord
	if strings.Trim(said, "0123456789*#") == "" {
		method = methodKey
	}
	result := func(r *ConsentResult) *ReplyResult {
		return &ReplyResult{Stopped: true, Purpose: stop.Purpose, ConsentResult: *r}
	}
	if by.Once != nil {
		inner := by.Once.answer
		by.Once.answer = func(of any) (Answer, error) {
			if r, ok := of.(*ConsentResult); ok {
				of = result(r)
			}
			return inner(of)
		}
	}
	recorded, err := v.RecordConsent(ctx, by, ConsentRequest{Subject: req.Subject, Purpose: stop.Purpose, Status: status, Method: method,
		Language: stop.Language, At: req.At, By: req.By, Evidence: map[string]any{"said": said}})
	if err != nil {
		return nil, err
	}
	return result(recorded), nil
}

// stopOf finds the word of a channel that a text begins with: as it is, or else with
// what is lost on the way.
func stopOf(ch *register.Channel, text string) (*register.Stop, string) {
	first := register.FirstWord(text)
	if first == "" {
		return nil, ""
	}
	for _, as := range []func(string) string{func(word string) string { return word }, register.BareWord} {
		for i := range ch.Stops {
			for _, word := range ch.Stops[i].Words {
				if as(register.FirstWord(word)) == as(first) {
					return &ch.Stops[i], word
				}
			}
		}
	}
	return nil, ""
}

// methodGPC is the method of an opt-out by Global Privacy Control.
const methodGPC = "gpc"

// consents are the acts that a capture comes with, those last that the person's
// browser makes for them.
func (c *capture) consents(req CaptureRequest) []ConsentRequest {
	if !req.GPC {
		return req.Consents
	}
	all := slices.Clone(req.Consents)
	for i := range c.regime.register.Purposes {
		if p := &c.regime.register.Purposes[i]; p.Basis == privacy.OptOut {
			all = append(all, ConsentRequest{Purpose: p.ID, Status: privacy.StatusOptedOut, Method: methodGPC})
		}
	}
	return all
}
