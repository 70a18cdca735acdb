package vault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// A webhook is where a channel has events sent: a sealed record, how far it is in
// the outbox, and a letter for each event that it did not take or that waits for
// one about the same person. It is all on disk, so a process that is killed goes on
// where it was, and sends once more what it was about to note as sent.
const (
	bucketWebhooks store.Bucket = "webhooks"         // webhook(16) → version, sealed webhook
	bucketCursors  store.Bucket = "webhooks/at"      // webhook(16) → see cursor
	bucketLetters  store.Bucket = "webhooks/letters" // webhook(16), number(8) → see letter
)

// The bounds of webhooks.
const (
	webhooksMost  = 10 // of a channel
	secretOverlap = 24 * time.Hour
	urlMost       = 2048
)

// webhookRecord is a webhook as it is sealed.
type webhookRecord struct {
	Format   int                 `json:"v"`
	Version  uint64              `json:"version"`
	Channel  privacy.ChannelID   `json:"channel"`
	URL      string              `json:"url"`
	Types    []privacy.EventType `json:"types"`
	Purposes []privacy.PurposeID `json:"purposes,omitempty"` // what the token that made it was narrowed to
	Created  time.Time           `json:"created"`
	Secrets  []hookSecret        `json:"secrets"` // the newest first
	Disabled string              `json:"disabled,omitempty"`

	id privacy.ID
}

// hookSecret signs what is sent to a webhook.
type hookSecret struct {
	Key   []byte    `json:"key"`
	Until time.Time `json:"until,omitzero"` // of one that was replaced
}

// WebhookRequest asks for events to be sent.
type WebhookRequest struct {
	URL   string
	Types []privacy.EventType
}

// WebhookState says how a webhook is.
type WebhookState string

// The states of a webhook.
const (
	WebhookActive   WebhookState = "active"
	WebhookFailing  WebhookState = "failing"  // it takes nothing now, and is tried again
	WebhookPaused   WebhookState = "paused"   // what its channel may do now is in the way
	WebhookDisabled WebhookState = "disabled" // until it is replayed
)

// Webhook is where a channel has events sent, and how that goes.
type Webhook struct {
	ID         string
	URL        string
	Types      []privacy.EventType
	Created    time.Time
	State      WebhookState
	Detail     string // why it is not active
	Waiting    int    // events that were tried and are tried again
	Dead       int    // events that were given up
	LastStatus int    // what it answered last; 0: nothing
	Delivered  time.Time

	oldest time.Time // when the first was tried of those that wait
}

// WebhookSecret is a webhook with its secret, shown once.
type WebhookSecret struct {
	ID       string
	URL      string
	Types    []privacy.EventType
	Secret   string
	OldUntil time.Time // until when the secret before signs as well
}

// DeadLetter is an event that a webhook did not take all the time that it was tried.
type DeadLetter struct {
	Event    string
	Attempts int
	First    time.Time
	Last     time.Time
	Status   int
}

func webhookID(id privacy.ID) string {
	return "whk_" + strings.TrimPrefix(privacy.RequestID(id).String(), "req_")
}

func parseWebhookID(s string) (privacy.ID, error) {
	rest, ok := strings.CutPrefix(s, "whk_")
	id, err := privacy.ParseRequestID("req_" + rest)
	if !ok || err != nil {
		return privacy.ID{}, noWebhook()
	}
	return privacy.ID(id), nil
}

func noWebhook() error { return refuse(CodeNotFound, "this channel has no such webhook") }

// newHookSecret draws a secret as Standard Webhooks has them.
func newHookSecret() (hookSecret, string) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return hookSecret{Key: key}, "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// AddWebhook has events sent to a URL from now on, on a host that the register
// allows the caller's channel. The secret is shown once.
func (v *Vault) AddWebhook(ctx context.Context, by Caller, req WebhookRequest) (*WebhookSecret, error) {
	now, _, _ := v.clock.now()
	secret, shown := newHookSecret()
	h := &webhookRecord{Format: 1, URL: req.URL, Types: slices.Clone(req.Types), Purposes: by.Purposes, Created: now, Secrets: []hookSecret{secret}, id: privacy.NewID(now)}
	slices.Sort(h.Types)
	h.Types = slices.Compact(h.Types)
	err := v.changeWebhooks(ctx, by, func(tx store.Tx, ch *register.Channel) error {
		h.Channel = ch.ID
		if err := h.check(ch); err != nil {
			return err
		}
		hooks, err := v.webhooksOf(tx, by)
		if err != nil {
			return err
		}
		if len(hooks) >= webhooksMost {
			return refuse(CodeWrongState, "a channel may have at most %d webhooks; remove one first", webhooksMost)
		}
		last, err := lastEvent(tx)
		if err != nil {
			return err
		}
		if err := tx.Put(bucketCursors, h.id[:], (&cursor{at: last}).pack()); err != nil {
			return err
		}
		if err := v.putWebhook(tx, h); err != nil {
			return err
		}
		return by.Once.keepSecret(tx)
	})
	if err != nil {
		return nil, err
	}
	return &WebhookSecret{ID: webhookID(h.id), URL: h.URL, Types: h.Types, Secret: shown}, nil
}

// check refuses a URL that events must not be sent to.
func (h *webhookRecord) check(ch *register.Channel) error {
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || len(h.URL) > urlMost || !u.IsAbs() || u.Hostname() == "" || u.Opaque != "":
		return invalid("url", "invalid_value", "expected an address such as https://hooks.example.org/sayso")
	case u.User != nil || u.Fragment != "":
		return invalid("url", "invalid_value", "expected an address without credentials and fragment; the signature shows who sends")
	case u.Scheme != "https" && u.Scheme != "http":
		return invalid("url", "invalid_value", "expected https")
	case !h.mayUse(ch):
		return invalid("url", "host_not_allowed", "the register does not list this host under the channel's webhooks; it lists: %s", hostList(ch.Webhooks))
	}
	for _, t := range h.Types {
		if !slices.Contains(privacy.EventTypes, t) {
			return invalid("types", "invalid_value", "expected types of events that there are")
		}
	}
	if len(h.Types) == 0 {
		return invalid("types", "empty", "expected at least one type of event")
	}
	return nil
}

func hostList(hosts []string) string {
	if len(hosts) == 0 {
		return "none"
	}
	return strings.Join(hosts, ", ")
}

// mayUse reports whether the register allows the channel this host.
func (h *webhookRecord) mayUse(ch *register.Channel) bool {
	u, err := url.Parse(h.URL)
	return err == nil && slices.Contains(ch.Webhooks, strings.ToLower(u.Hostname()))
}

// changeWebhooks does something to a channel's webhooks, and has it take effect.
func (v *Vault) changeWebhooks(ctx context.Context, by Caller, do func(store.Tx, *register.Channel) error) error {
	err := v.update(ctx, func(tx store.Tx) error {
		r, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		ch, err := r.channelOf(by)
		if err != nil {
			return err
		}
		if err := do(tx, ch); err != nil {
			return err
		}
		return v.listened(tx)
	})
	if err != nil {
		return v.refusal(err)
	}
	v.outbox.wake()
	return nil
}

// Webhooks returns the webhooks of the caller's channel, the oldest first.
func (v *Vault) Webhooks(ctx context.Context, by Caller) (hooks []Webhook, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		hooks = []Webhook{}
		r, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		if _, err := r.channelOf(by); err != nil {
			return err
		}
		mine, err := v.webhooksOf(s, by)
		for _, h := range mine {
			view, err := v.viewWebhook(s, r, h)
			if err != nil {
				return err
			}
			hooks = append(hooks, *view)
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return hooks, nil
}

func (v *Vault) viewWebhook(r store.Reader, now *regime, h *webhookRecord) (*Webhook, error) {
	at, err := readCursor(r, h.id)
	if err != nil {
		return nil, err
	}
	view := &Webhook{ID: webhookID(h.id), URL: h.URL, Types: h.Types, Created: h.Created, State: WebhookActive, LastStatus: at.status, Delivered: at.delivered}
	err = eachLetter(r, h.id, func(l *letter) error {
		switch {
		case l.dead:
			view.Dead++
		case !l.first.IsZero(): // whether the channel may know of one that was never sent is not asked yet
			view.Waiting++
			if view.oldest.IsZero() || l.first.Before(view.oldest) {
				view.oldest = l.first
			}
		}
		return nil
	})
	switch why := now.pauses(h); {
	case h.Disabled != "":
		view.State, view.Detail = WebhookDisabled, h.Disabled
	case why != "":
		view.State, view.Detail = WebhookPaused, why
	case at.failures >= failuresStall:
		view.State, view.Detail = WebhookFailing, "it took nothing of what was sent lately"
	}
	return view, err
}

// pauses says why nothing is sent to a webhook now, "" if nothing is in the way.
func (r *regime) pauses(h *webhookRecord) string {
	ch, ok := r.register.Channel(h.Channel)
	record := r.gov.Channels[h.Channel]
	switch {
	case !ok || record == nil:
		return "the register in force has no such channel"
	case record.Suspended:
		return "an officer suspended the channel"
	case !h.mayUse(ch):
		return "the register does not list the host any more"
	}
	return ""
}

// RemoveWebhook ends a webhook, and what was to be sent to it.
func (v *Vault) RemoveWebhook(ctx context.Context, by Caller, id string) error {
	return v.changeWebhooks(ctx, by, func(tx store.Tx, _ *register.Channel) error {
		h, err := v.webhookOf(tx, by, id)
		if err != nil {
			return err
		}
		letters, err := keysUnder(tx, bucketLetters, h.id[:], 8, -1)
		if err != nil {
			return err
		}
		for _, key := range letters {
			if err := tx.Delete(bucketLetters, key); err != nil {
				return err
			}
		}
		if err := tx.Delete(bucketCursors, h.id[:]); err != nil {
			return err
		}
		if err := tx.Delete(bucketWebhooks, h.id[:]); err != nil {
			return err
		}
		return by.Once.keep(tx, nil)
	})
}

// RotateWebhook gives a webhook another secret, shown once. For a day the one before
// signs as well, and an older one not any more.
func (v *Vault) RotateWebhook(ctx context.Context, by Caller, id string) (*WebhookSecret, error) {
	now, _, _ := v.clock.now()
	secret, shown := newHookSecret()
	res := &WebhookSecret{ID: id, Secret: shown, OldUntil: now.Add(secretOverlap)}
	err := v.changeWebhooks(ctx, by, func(tx store.Tx, _ *register.Channel) error {
		h, err := v.webhookOf(tx, by, id)
		if err != nil {
			return err
		}
		before := h.Secrets[0]
		before.Until = res.OldUntil
		h.Secrets, res.URL, res.Types = []hookSecret{secret, before}, h.URL, h.Types
		if err := v.putWebhook(tx, h); err != nil {
			return err
		}
		return by.Once.keepSecret(tx)
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// DeadLetters returns events that were given up, the oldest first.
func (v *Vault) DeadLetters(ctx context.Context, by Caller, id string) (dead []DeadLetter, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		dead = []DeadLetter{}
		h, err := v.webhookOf(s, by, id)
		if err != nil {
			return err
		}
		ids, err := v.eventIDs()
		if err != nil {
			return err
		}
		return eachLetter(s, h.id, func(l *letter) error {
			if !l.dead {
				return nil
			}
			dead = append(dead, DeadLetter{Event: ids.ID(h.Channel, l.n), Attempts: l.attempts, First: l.first, Last: l.last, Status: l.status})
			return nil
		})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return dead, nil
}

// ReplayWebhook has events sent again that were given up, all or those named, and
// lets a disabled webhook go on from where it was. It returns how many are sent
// again.
func (v *Vault) ReplayWebhook(ctx context.Context, by Caller, id string, events []string) (replayed int, err error) {
	err = v.changeWebhooks(ctx, by, func(tx store.Tx, ch *register.Channel) error {
		replayed = 0
		h, err := v.webhookOf(tx, by, id)
		if err != nil {
			return err
		}
		ids, err := v.eventIDs()
		if err != nil {
			return err
		}
		var named []uint64
		for _, one := range events {
			n, ok := ids.Number(ch.ID, one)
			if !ok {
				return invalid("events", "invalid_value", "expected IDs of this channel's dead letters")
			}
			named = append(named, n)
		}
		var again []*letter
		err = eachLetter(tx, h.id, func(l *letter) error {
			if l.dead && (len(named) == 0 || slices.Contains(named, l.n)) {
				again = append(again, &letter{n: l.n})
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, l := range again {
			if err := tx.Put(bucketLetters, l.key(h.id), l.pack()); err != nil {
				return err
			}
		}
		if replayed = len(again); h.Disabled != "" {
			h.Disabled = ""
			if err := v.putWebhook(tx, h); err != nil {
				return err
			}
		}
		at, err := readCursor(tx, h.id)
		if err != nil {
			return err
		}
		at.failures, at.retry = 0, time.Time{}
		if err := tx.Put(bucketCursors, h.id[:], at.pack()); err != nil {
			return err
		}
		return by.Once.keep(tx, replayed)
	})
	return replayed, err
}

// webhookOf returns one of the caller's webhooks.
func (v *Vault) webhookOf(r store.Reader, by Caller, id string) (*webhookRecord, error) {
	raw, err := parseWebhookID(id)
	if err != nil {
		return nil, err
	}
	h, err := v.webhook(r, raw)
	if err != nil {
		return nil, err
	}
	if h == nil || h.Channel != by.Client.Channel || by.Client.Role != RoleChannel {
		return nil, noWebhook()
	}
	return h, nil
}

// webhooksOf returns the caller's webhooks.
func (v *Vault) webhooksOf(r store.Reader, by Caller) ([]*webhookRecord, error) {
	all, err := v.allWebhooks(r)
	return slices.DeleteFunc(all, func(h *webhookRecord) bool { return h.Channel != by.Client.Channel }), err
}

// allWebhooks returns every webhook.
func (v *Vault) allWebhooks(r store.Reader) (all []*webhookRecord, err error) {
	err = r.Scan(bucketWebhooks, nil, nil, func(key, row []byte) error {
		h, err := v.openWebhook(key, row)
		all = append(all, h)
		return err
	})
	return all, err
}

// webhook returns a webhook, nil if there is none.
func (v *Vault) webhook(r store.Reader, id privacy.ID) (*webhookRecord, error) {
	row, err := r.Get(bucketWebhooks, id[:])
	if row == nil || err != nil {
		return nil, err
	}
	return v.openWebhook(id[:], row)
}

func (v *Vault) openWebhook(key, row []byte) (*webhookRecord, error) {
	version, n := binary.Uvarint(row)
	if n <= 0 || len(key) != len(privacy.ID{}) {
		return nil, fmt.Errorf("reading a webhook: %w", errIntegrity)
	}
	h := &webhookRecord{id: privacy.ID(key)}
	plain, err := keys.Unseal(v.nobody.history, h.bind(v, version), row[n:])
	if err != nil {
		return nil, fmt.Errorf("opening a webhook: %w", err)
	}
	if err := json.Unmarshal(plain, h); err != nil || h.Format != 1 || h.Version != version || len(h.Secrets) == 0 {
		return nil, fmt.Errorf("reading a webhook: %w", errIntegrity)
	}
	return h, nil
}

func (h *webhookRecord) bind(v *Vault, version uint64) keys.Binding {
	return v.bind(privacy.Nobody, "webhook/"+webhookID(h.id), version)
}

func (v *Vault) putWebhook(tx store.Tx, h *webhookRecord) error {
	h.Version++
	plain, err := json.Marshal(h)
	if err != nil {
		return err
	}
	sealed, err := keys.Seal(v.nobody.history, h.bind(v, h.Version), plain)
	if err != nil {
		return err
	}
	return tx.Put(bucketWebhooks, slices.Clone(h.id[:]), append(binary.AppendUvarint(nil, h.Version), sealed...))
}

// signing returns the keys that sign what is sent to the webhook at a time.
func (h *webhookRecord) signing(now time.Time) (keys [][]byte) {
	for _, s := range h.Secrets {
		if s.Until.IsZero() || now.Before(s.Until) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}
