package api

import (
	"net/http"
	"strings"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// headerGPC is Global Privacy Control, as the person's browser sent it and a channel
// forwards it with a capture.
const headerGPC = "Sec-Gpc"

// gpc reports whether the person's browser says no for them, also if something on the
// way doubled the header.
func (x *exchange) gpc() bool {
	for _, line := range x.r.Header.Values(headerGPC) {
		for said := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(said) == "1" {
				return true
			}
		}
	}
	return false
}

func gpcSupport(x *exchange) (*wire.GPCSupport, error) {
	since, err := x.door.RegisterSince(x.ctx)
	if err != nil {
		return nil, err
	}
	x.w.Header().Set("Cache-Control", "public, max-age=300")
	answer := &wire.GPCSupport{GPC: true}
	if !since.IsZero() {
		answer.LastUpdate = since.UTC().Format("2006-01-02")
	}
	return answer, nil
}

func recordReply(x *exchange, in *wire.ReplyRequest) (int, *wire.ReplyAnswer, error) {
	ask := vault.ReplyRequest{Subject: ref(in.Subject), Text: privacy.NewSensitive([]byte(in.Text.RevealText())), At: moment(in.At)}
	if in.By != nil {
		ask.By = &privacy.Actor{Role: in.By.Role, Ref: in.By.Ref}
	}
	out, err := x.door.Reply(x.ctx, once(x, replied), ask)
	if err != nil {
		return 0, nil, err
	}
	status, answer := replied(out)
	return status, answer, nil
}

func replied(out *vault.ReplyResult) (int, *wire.ReplyAnswer) {
	if !out.Stopped {
		return http.StatusOK, &wire.ReplyAnswer{}
	}
	recorded := wire.ConsentAnswer(out.ConsentResult)
	return http.StatusCreated, &wire.ReplyAnswer{Stopped: true, Purpose: out.Purpose, ConsentAnswer: &recorded}
}

// UnsubscribePath is where links in mails lead: the pages answer below it.
const UnsubscribePath = "/unsubscribe/"

func unsubscribeLink(x *exchange, in *wire.UnsubscribeLinkRequest) (int, *wire.UnsubscribeLink, error) {
	token, err := x.door.UnsubscribeToken(x.ctx, x.caller, in.Subject, in.Purpose)
	if err != nil {
		return 0, nil, err
	}
	url := x.tokens.Issuer() + UnsubscribePath + token
	return http.StatusCreated, &wire.UnsubscribeLink{URL: url, Headers: wire.UnsubscribeHeaders{Link: "<" + url + ">", Post: wire.OneClick}}, nil
}
