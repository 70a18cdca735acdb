package api

import (
	"net/http"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

func addWebhook(x *exchange, in *wire.WebhookRequest) (int, *wire.WebhookSecret, error) {
	if err := x.hooks.Check(in.URL); err != nil {
		return 0, nil, unprocessable("url", wire.CodeInvalid, err.Error())
	}
	return hookSecret(http.StatusCreated)(x.door.AddWebhook(x.ctx, x.once(noWords), vault.WebhookRequest{URL: in.URL, Types: in.Types}))
}

func rotateWebhook(x *exchange, _ *wire.Nothing) (int, *wire.WebhookSecret, error) {
	return hookSecret(http.StatusCreated)(x.door.RotateWebhook(x.ctx, x.once(noWords), x.r.PathValue("webhook")))
}

func hookSecret(status int) func(*vault.WebhookSecret, error) (int, *wire.WebhookSecret, error) {
	return func(out *vault.WebhookSecret, err error) (int, *wire.WebhookSecret, error) {
		if err != nil {
			return 0, nil, err
		}
		return status, &wire.WebhookSecret{Webhook: out.ID, URL: out.URL, Types: out.Types, Secret: out.Secret, OldUntil: pointer(out.OldUntil)}, nil
	}
}

func listWebhooks(x *exchange) (*wire.WebhookList, error) {
	all, err := x.door.Webhooks(x.ctx, x.caller)
	if err != nil {
		return nil, err
	}
	all, next, err := page(x, all, func(h vault.Webhook) string { return h.ID })
	if err != nil {
		return nil, err
	}
	list := wire.WebhookList{Webhooks: []wire.Webhook{}, Next: next}
	for _, h := range all {
		list.Webhooks = append(list.Webhooks, wire.Webhook{Webhook: h.ID, URL: h.URL, Types: h.Types, CreatedAt: h.Created, State: string(h.State),
			Detail: h.Detail, Waiting: h.Waiting, Dead: h.Dead, LastStatus: h.LastStatus, DeliveredAt: pointer(h.Delivered)})
	}
	return &list, nil
}

func listDeadLetters(x *exchange) (*wire.DeadLetterList, error) {
	all, err := x.door.DeadLetters(x.ctx, x.caller, x.r.PathValue("webhook"))
	if err != nil {
		return nil, err
	}
	all, next, err := page(x, all, func(d vault.DeadLetter) string { return d.Event })
	if err != nil {
		return nil, err
	}
	list := wire.DeadLetterList{DeadLetters: []wire.DeadLetter{}, Next: next}
	for _, d := range all {
		list.DeadLetters = append(list.DeadLetters, wire.DeadLetter{Event: d.Event, Attempts: d.Attempts, FirstAt: d.First, LastAt: d.Last, Status: d.Status})
	}
	return &list, nil
}

func replayWebhook(x *exchange, in *wire.WebhookReplay) (int, *wire.WebhookReplayed, error) {
	id := x.r.PathValue("webhook")
	by := once(x, func(n int) (int, *wire.WebhookReplayed) {
		return http.StatusOK, &wire.WebhookReplayed{Webhook: id, Replayed: n}
	})
	n, err := x.door.ReplayWebhook(x.ctx, by, id, in.Events)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, &wire.WebhookReplayed{Webhook: id, Replayed: n}, nil
}

var removeWebhookHandler = handler{
	statuses: []int{http.StatusNoContent},
	serve: func(x *exchange) error {
		by := x.once(func(any) (vault.Answer, error) { return vault.Answer{Status: http.StatusNoContent}, nil })
		if err := x.door.RemoveWebhook(x.ctx, by, x.r.PathValue("webhook")); err != nil {
			return err
		}
		x.write(http.StatusNoContent, "", nil)
		return nil
	},
}

func listNotices(x *exchange) (*wire.NoticeList, error) {
	id, err := x.person()
	if err != nil {
		return nil, err
	}
	all, err := x.door.Notices(x.ctx, x.caller, id)
	if err != nil {
		return nil, err
	}
	list := wire.NoticeList{Notices: []wire.Notice{}}
	for _, n := range all {
		list.Notices = append(list.Notices, wire.Notice{Type: n.Type, Time: n.Time, Purpose: n.Purpose, Fields: n.Fields, Channel: n.Channel, State: string(n.State)})
	}
	return &list, nil
}
