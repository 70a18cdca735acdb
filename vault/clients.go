package vault

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Role is what a client may do.
type Role string

// The roles of clients.
const (
	RoleChannel Role = "channel"
	RoleOfficer Role = "officer"
	// RoleSubject is a person's own, in a session: see [Vault.Subject].
	RoleSubject Role = "subject"
)

// Client is a client as it is now.
type Client struct {
	ID        string
	Role      Role
	Channel   privacy.ChannelID // of a channel
	Officer   string            // of an officer
	SecretID  string
	Suspended bool
	Purposes  []privacy.PurposeID // the channel's in the register in force

	channel *register.Channel // as it was when this was looked up
}

// Credentials are a client's, shown once.
type Credentials struct {
	ClientID     string
	ClientSecret string
}

// ChannelCredentials are a channel's, shown once.
type ChannelCredentials struct {
	ID privacy.ChannelID
	Credentials
	SecretID string
}

// officerPrefix begins the client IDs of officers. A channel's client ID is its
// ID, which has no dot.
const officerPrefix = "officer."

// maxSecrets is how many secrets of a client can be live: the old and the new
// one of a rotation.
const maxSecrets = 2

func newSecret(v *Vault, clientID string, now time.Time) (secretInfo, string) {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	secret := "ss_" + base64.RawURLEncoding.EncodeToString(raw[:])
	id := privacy.ConsentID(privacy.NewID(now)).String()[len("con_")+10:]
	hash := v.keyring().SecretHash(clientID, secret)
	return secretInfo{ID: id, Hash: hash[:], Created: now}, secret
}

// Authenticate returns the client that these credentials are of, or
// ErrInvalidClient – for a suspended channel too.
func (v *Vault) Authenticate(clientID, secret string) (Client, error) {
	now, err := v.current()
	if err != nil {
		return Client{}, err
	}
	hash := v.keyring().SecretHash(clientID, secret)
	record, client := now.client(clientID)
	if record == nil || record.Suspended {
		return Client{}, ErrInvalidClient
	}
	for _, s := range record.Secrets {
		if s.kind() == CredentialSecret && subtle.ConstantTimeCompare(s.Hash, hash[:]) == 1 && s.Revoked.IsZero() {
			client.SecretID = s.ID
			return client, nil
		}
	}
	return Client{}, ErrInvalidClient
}

// Client returns the client that a token was issued to, as it is now, or
// ErrInvalidClient if the secret the token was got with is revoked or the
// client is gone. That it is suspended is told.
func (v *Vault) Client(clientID, secretID string) (Client, error) {
	now, err := v.current()
	if err != nil {
		return Client{}, err
	}
	record, client := now.client(clientID)
	if record == nil || !record.live(secretID) {
		return Client{}, ErrInvalidClient
	}
	client.SecretID = secretID
	return client, nil
}

// current returns what is in force now.
func (v *Vault) current() (now *regime, err error) {
	err = v.cfg.Store.View(context.Background(), func(s store.Snapshot) error {
		now, err = v.regime(context.Background(), s)
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return now, nil
}

// client returns what is known of a client ID, nil if nothing.
func (r *regime) client(clientID string) (*clientRecord, Client) {
	if name, ok := strings.CutPrefix(clientID, officerPrefix); ok {
		record := r.gov.Officers[name]
		return record, Client{ID: clientID, Role: RoleOfficer, Officer: name}
	}
	id := privacy.ChannelID(clientID)
	record := r.gov.Channels[id]
	channel, ok := r.register.Channel(id)
	if record == nil || !ok {
		return nil, Client{}
	}
	return record, Client{ID: clientID, Role: RoleChannel, Channel: id, Suspended: record.Suspended, Purposes: channel.Purposes, channel: channel}
}

// channelOf returns the caller's channel as it is in this regime. The caller
// was let in moments ago; what changed since counts.
func (r *regime) channelOf(by Caller) (*register.Channel, error) {
	if by.linked != "" {
		return r.linkedTo(by.linked), nil
	}
	if by.acts {
		return by.session.acts(r)
	}
	if by.Client.Role != RoleChannel {
		return nil, refuse(CodeForbidden, "this is for channels")
	}
	channel, ok := r.register.Channel(by.Client.Channel)
	record := r.gov.Channels[by.Client.Channel]
	if !ok || record == nil {
		return nil, refuse(CodeForbidden, "the register in force has no such channel")
	}
	if record.Suspended {
		return nil, refuse(CodeChannelSuspended, "an officer suspended this channel")
	}
	if !record.live(by.Client.SecretID) {
		return nil, ErrInvalidClient
	}
	return channel, nil
}

func (v *Vault) mustOfficer(by Caller) error {
	if by.Client.Role != RoleOfficer {
		return refuse(CodeForbidden, "this is for officers")
	}
	return nil
}

// AllowRequest counts a request against the limit of the caller's channel, as it
// was when the caller was looked up for this request.
func (v *Vault) AllowRequest(by Caller) error {
	if by.Client.Role != RoleChannel {
		return nil
	}
	channel := by.Client.channel
	if channel == nil {
		now, err := v.current()
		if err != nil {
			return err
		}
		var ok bool
		if channel, ok = now.register.Channel(by.Client.Channel); !ok {
			return nil
		}
	}
	return v.limits.request(channel)
}

// Whoami is what a client may do, as it is now.
type Whoami struct {
	Client   string                                    `json:"client"`
	Role     Role                                      `json:"role"`
	Channel  privacy.ChannelID                         `json:"channel,omitempty"`
	Kind     string                                    `json:"kind,omitempty"`
	Purposes []privacy.PurposeID                       `json:"purposes"`
	Fields   map[privacy.PurposeID][]privacy.FieldName `json:"fields"`
	Captures []privacy.FieldName                       `json:"captures"`
	Obtains  []privacy.PurposeID                       `json:"obtains"`
	// Identifiers are those of Captures by which a person is known again.
	Identifiers []privacy.FieldName `json:"identifiers"`
	Limits      []LimitState        `json:"limits"`
	Audiences   bool                `json:"audiences"` // whether it may ask for them
}

// Whoami tells a client what it may do.
func (v *Vault) Whoami(by Caller) (*Whoami, error) {
	w := &Whoami{Client: by.Client.ID, Role: by.Client.Role, Purposes: []privacy.PurposeID{}, Fields: map[privacy.PurposeID][]privacy.FieldName{},
		Captures: []privacy.FieldName{}, Obtains: []privacy.PurposeID{}, Identifiers: []privacy.FieldName{}, Limits: []LimitState{}}
	if by.Client.Role != RoleChannel {
		return w, nil
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	channel, err := now.channelOf(by)
	if err != nil {
		return nil, err
	}
	w.Channel, w.Kind, w.Limits, w.Audiences = channel.ID, channel.Kind, v.limits.left(channel), channel.Bulk.Audiences
	w.Captures = append(w.Captures, channel.Captures...)
	for _, name := range channel.Captures {
		if f, ok := now.register.Field(name); ok && f.Identifier == register.Unique {
			w.Identifiers = append(w.Identifiers, name)
		}
	}
	for _, id := range channel.Obtains {
		if by.Purposes == nil || contains(by.Purposes, id) {
			w.Obtains = append(w.Obtains, id)
		}
	}
	for _, id := range channel.Purposes {
		if p, ok := now.register.Purpose(id); ok && (by.Purposes == nil || contains(by.Purposes, id)) {
			w.Purposes = append(w.Purposes, id)
			w.Fields[id] = p.Fields
		}
	}
	return w, nil
}

// SecretView is a client's secret without the secret.
type SecretView struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Revoked bool      `json:"revoked"`
}

// ChannelView is a channel with its credentials' state.
type ChannelView struct {
	ID        privacy.ChannelID `json:"id"`
	Kind      string            `json:"kind"`
	ClientID  string            `json:"client_id"`
	Suspended bool              `json:"suspended"`
	Secrets   []SecretView      `json:"secrets"`
}

// Channels lists the channels of the register in force.
func (v *Vault) Channels(_ context.Context, by Caller) ([]ChannelView, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	views := []ChannelView{}
	for i := range now.register.Channels {
		views = append(views, *viewOf(now.register.Channels[i], now.gov.Channels[now.register.Channels[i].ID]))
	}
	return views, nil
}

func viewOf(ch register.Channel, record *clientRecord) *ChannelView {
	view := &ChannelView{ID: ch.ID, Kind: ch.Kind, ClientID: string(ch.ID), Secrets: secretViews(record)}
	if record != nil {
		view.Suspended = record.Suspended
	}
	return view
}

func secretViews(record *clientRecord) []SecretView {
	views := []SecretView{}
	if record != nil {
		for _, s := range record.Secrets {
			if s.kind() != CredentialSecret {
				continue
			}
			views = append(views, SecretView{ID: s.ID, Created: s.Created, Revoked: !s.Revoked.IsZero()})
		}
	}
	return views
}

// clientEvent is the log's record of a change to credentials.
type clientEvent struct {
	Format  int       `json:"v"`
	At      time.Time `json:"at"`
	Officer string    `json:"officer"`
	Client  string    `json:"client"`
	Act     string    `json:"act"`
	Secret  string    `json:"secret,omitempty"` // its ID

	Proposed string `json:"proposed,omitempty"` // by whom, if another officer had to approve it
	Reason   string `json:"reason,omitempty"`

	Governance rowDigest `json:"governance"`
}

// SuspendChannel ends a channel's access at once: its tokens, and new ones.
func (v *Vault) SuspendChannel(ctx context.Context, by Caller, id privacy.ChannelID) (*ChannelView, error) {
	return v.changeClient(ctx, by, id, "suspended", "", keepView, func(c *clientRecord) error { c.Suspended = true; return nil })
}

// ResumeChannel ends a suspension.
func (v *Vault) ResumeChannel(ctx context.Context, by Caller, id privacy.ChannelID) (*ChannelView, error) {
	return v.changeClient(ctx, by, id, "resumed", "", keepView, func(c *clientRecord) error { c.Suspended = false; return nil })
}

// NewSecret gives a channel another secret, shown once. Two can be live.
func (v *Vault) NewSecret(ctx context.Context, by Caller, id privacy.ChannelID) (*ChannelCredentials, error) {
	info, secret := newSecret(v, string(id), micro(v.cfg.Now()))
	_, err := v.changeClient(ctx, by, id, "secret added", info.ID, keepShown, func(c *clientRecord) error {
		if c.living() >= maxSecrets {
			return refuse(CodeWrongState, "the channel has two live secrets; revoke one first")
		}
		c.Secrets = append(c.Secrets, info)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ChannelCredentials{ID: id, Credentials: Credentials{ClientID: string(id), ClientSecret: secret}, SecretID: info.ID}, nil
}

// RevokeSecret ends a secret and the tokens that were got with it at once.
func (v *Vault) RevokeSecret(ctx context.Context, by Caller, id privacy.ChannelID, secretID string) error {
	now := micro(v.cfg.Now())
	_, err := v.changeClient(ctx, by, id, "secret revoked", secretID, keepDone, func(c *clientRecord) error {
		return c.revoke(secretID, now)
	})
	return err
}

// keepHow is how the answer to a change of a client is kept for a repeat.
type keepHow func(*Once, store.Tx, *ChannelView) error

func keepView(o *Once, tx store.Tx, view *ChannelView) error { return o.keep(tx, view) }
func keepShown(o *Once, tx store.Tx, _ *ChannelView) error   { return o.keepSecret(tx) }
func keepDone(o *Once, tx store.Tx, _ *ChannelView) error    { return o.keep(tx, nil) }

func (v *Vault) changeClient(ctx context.Context, by Caller, id privacy.ChannelID, what, secretID string, keep keepHow, change func(*clientRecord) error) (*ChannelView, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var view *ChannelView
	err := v.update(ctx, func(tx store.Tx) error {
		now, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		if err := now.gov.officerStill(by); err != nil {
			return err
		}
		channel, ok := now.register.Channel(id)
		if !ok {
			return refuse(CodeNotFound, "the register in force has no channel of this ID%s", didYouMean(string(id), channelIDs(now.register)))
		}
		digest, err := v.govern(tx, func(gov *governance) error {
			record := gov.Channels[id]
			if record == nil {
				record = &clientRecord{}
				gov.Channels[id] = record
			}
			if err := change(record); err != nil {
				return err
			}
			view = viewOf(*channel, record)
			return nil
		})
		if err != nil {
			return err
		}
		if err := keep(by.Once, tx, view); err != nil {
			return err
		}
		at := micro(v.cfg.Now())
		return v.note(tx, log.Client, privacy.NewID(at), clientEvent{Format: 1, At: at, Officer: by.Client.Officer, Client: string(id), Act: what, Secret: secretID, Governance: digest})
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}
