// Package vaulttest is the public test kit: a working vault in a temporary
// folder, and words in which a test reads as a story about a person:
//
//	v := vaulttest.New(t, nil)
//	anahita := v.As("web").Capture(map[string]any{"email": "anahita@example.org"})
//	v.As("sms").For("sms-marketing").Read(anahita).Denied("no_consent")
//
// [New] fills it with the register of [Register] unless told otherwise.
package vaulttest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

// Register is a small shop's register: a web shop that fulfils orders, a store
// that obtains consent for text messages, and a sender that reads by it.
const Register = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:GivenName", mask: initial, retention: P3Y}
  - {name: family_name, type: string, category: "pd:FamilyName", mask: initial, retention: P3Y}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", mask: partial, retention: P3Y}
  - {name: phone_number, type: phone, identifier: unique, category: "pd:TelephoneNumber", mask: last4, retention: P3Y}
  - {name: birthdate, type: date, category: "pd:BirthDate", mask: year, retention: P3Y}
  - {name: address, type: address, category: "pd:PhysicalAddress", mask: city, retention: P3Y}
purposes:
  - {id: order-fulfilment, title: Deliver what you ordered, benefit: Your parcel reaches you, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name, family_name, email, phone_number, address], retention: P10Y}
  - {id: sms-marketing, title: Offers by text message, benefit: Early access to sales, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name, phone_number], retention: P1Y, consent: {valid_for: P1Y, notice: {version: "2026-03", text: "We text you offers."}}}
channels:
  - {id: web, kind: web, purposes: [order-fulfilment], captures: [given_name, family_name, email, phone_number, birthdate, address]}
  - {id: sms, kind: sms, purposes: [sms-marketing]}
  - {id: store, kind: store, purposes: [order-fulfilment, sms-marketing], captures: [given_name, phone_number, address], obtains: [sms-marketing]}
`

// Options change what New makes.
type Options struct {
	// Register to apply. Default: Register.
	Register string
	// Bare leaves the vault without any register.
	Bare bool
	// Dir to keep the vault in. Default: a temporary folder.
	Dir string
	// Store, if set, wraps the engine before the vault gets it, to fail or to
	// watch it.
	Store func(store.LogEngine) store.LogEngine
	// Keys, likewise.
	Keys func(store.Engine) store.Engine
	// Ledger, likewise.
	Ledger func(store.Ledger) store.Ledger
	// Synced is told the path of each file that was synced, while nobody writes
	// to it: what it holds is what a power cut would leave.
	Synced func(path string)
	// DecisionDeadline bounds one evaluation of the rules. Default: ten seconds, so
	// that no machine is too busy for a test; the vault's own is shorter.
	DecisionDeadline time.Duration
	// Now starts the vault's clock. Default: the real time.
	Now time.Time
	// Logger is the vault's. Default: none.
	Logger *slog.Logger
	// Observer is the vault's. Default: none.
	Observer vault.Observer
}

// Vault is a vault under test.
type Vault struct {
	*vault.Vault
	T       testing.TB
	Dir     string
	Keyring *keys.Keyring
	Officer vault.Caller
	Store   store.LogEngine
	Keys    store.Engine

	opts    Options
	secrets map[privacy.ChannelID]string
	closers []func() error

	mu  sync.Mutex // guards now
	now time.Time
}

// passphrase seals the keyrings of tests, with as little work as may be.
var passphrase = []byte("correct horse battery staple")

// Root is the root key of a test vault's keyring.
func Root() keys.Root {
	return keys.PassphraseWith(passphrase, keys.Argon2{Time: 1, Memory: 64, Threads: 1})
}

// New returns a working vault that is closed when the test ends.
func New(t testing.TB, o *Options) *Vault {
	t.Helper()
	v := &Vault{T: t, secrets: map[privacy.ChannelID]string{}}
	if o != nil {
		v.opts = *o
	}
	if v.opts.Register == "" {
		v.opts.Register = Register
	}
	if v.Dir = v.opts.Dir; v.Dir == "" {
		v.Dir = t.TempDir()
	}
	v.now = v.opts.Now
	var err error
	ring, err := keys.New(v.Now())
	if err == nil {
		err = v.SaveKeyring(ring)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := v.engines(true)
	if err != nil {
		v.closeEngines()
		t.Fatal(err)
	}
	officer, err := vault.Init(context.Background(), cfg)
	if err != nil {
		t.Fatalf("initialising a vault: %v", err)
	}
	if v.Vault, err = vault.Open(context.Background(), cfg); err != nil {
		t.Fatalf("opening a vault: %v", err)
	}
	t.Cleanup(v.Stop)
	client, err := v.Authenticate(officer.ClientID, officer.ClientSecret)
	if err != nil {
		t.Fatalf("authenticating the officer: %v", err)
	}
	v.Officer = vault.Caller{Client: client}
	if !v.opts.Bare {
		v.Apply(v.opts.Register)
	}
	return v
}

// engines opens the stores. What it opened is in closers, whatever it returns.
func (v *Vault) engines(create bool) (vault.Config, error) {
	data, err := bolt.Open(bolt.Config{Path: filepath.Join(v.Dir, "vault.db"), Log: filepath.Join(v.Dir, "log"), Create: create, Synced: v.opts.Synced})
	if err != nil {
		return vault.Config{}, fmt.Errorf("opening vault.db: %w", err)
	}
	v.closers = append(v.closers, data.Close)
	deks, err := bolt.Open(bolt.Config{Path: filepath.Join(v.Dir, "keys.db"), Create: create, Synced: v.opts.Synced})
	if err != nil {
		return vault.Config{}, fmt.Errorf("opening keys.db: %w", err)
	}
	v.closers = append(v.closers, deks.Close)
	file, err := bolt.OpenLedger(filepath.Join(v.Dir, "ledger"), create)
	if err != nil {
		return vault.Config{}, fmt.Errorf("opening the ledger: %w", err)
	}
	v.closers = append(v.closers, file.Close)
	v.Store = data
	if v.opts.Store != nil {
		v.Store = v.opts.Store(data)
	}
	v.Keys = deks
	if v.opts.Keys != nil {
		v.Keys = v.opts.Keys(deks)
	}
	var ledger store.Ledger = file
	if v.opts.Ledger != nil {
		ledger = v.opts.Ledger(file)
	}
	return vault.Config{Store: v.Store, Keys: v.Keys, Ledger: ledger, Keyring: v.Keyring, Now: v.Now, Logger: v.opts.Logger,
		DecisionDeadline: cmp.Or(v.opts.DecisionDeadline, 10*time.Second), Observer: v.opts.Observer, SaveKeyring: v.SaveKeyring}, nil
}

// SaveKeyring keeps the keyring in its file, sealed under Root, and for Reopen.
func (v *Vault) SaveKeyring(k *keys.Keyring) error {
	sealed, err := k.Seal(Root())
	if err != nil {
		return err
	}
	path := filepath.Join(v.Dir, "keyring")
	if err := os.WriteFile(path+".new", sealed, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	v.Keyring = k
	return nil
}

// Stop closes the vault and its engines. It may be called more than once.
func (v *Vault) Stop() {
	v.T.Helper()
	if v.Vault != nil {
		if err := v.Vault.Close(); err != nil {
			v.T.Errorf("closing the vault: %v", err)
		}
	}
	v.Vault = nil
	v.closeEngines()
}

func (v *Vault) closeEngines() {
	for _, closeIt := range v.closers {
		if err := closeIt(); err != nil {
			v.T.Errorf("closing an engine: %v", err)
		}
	}
	v.closers = nil
}

// Reopen brings a stopped vault up again and returns what Open said.
func (v *Vault) Reopen() error {
	v.T.Helper()
	cfg, err := v.engines(false)
	if err == nil {
		v.Vault, err = vault.Open(context.Background(), cfg)
	}
	if err != nil {
		v.Vault = nil
		v.closeEngines()
	}
	return err
}

// Mend gives the stores of a stopped vault to fn, to look at or to damage.
func (v *Vault) Mend(fn func(data store.LogEngine, deks store.Engine) error) {
	v.T.Helper()
	_, err := v.engines(false)
	if err == nil {
		err = fn(v.Store, v.Keys)
	}
	if err != nil {
		v.T.Errorf("a stopped vault: %v", err)
	}
	v.closeEngines()
}

// At is this vault, stopped, as it lies in another folder: a copy that was made
// of its files. The keyring, the credentials and the clock are the same, the
// wrappers of Options are not.
func (v *Vault) At(dir string) *Vault {
	v.T.Helper()
	at := &Vault{T: v.T, Dir: dir, Keyring: v.Keyring, Officer: v.Officer, secrets: v.secrets, now: v.Now()}
	at.opts = Options{Register: v.opts.Register, Logger: v.opts.Logger, DecisionDeadline: v.opts.DecisionDeadline}
	if v.opts.Now.IsZero() {
		at.now = time.Time{}
	}
	v.T.Cleanup(at.Stop)
	return at
}

// Now is the vault's clock: the real one, or what Options and Tick say.
func (v *Vault) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now.IsZero() {
		return time.Now()
	}
	v.now = v.now.Add(time.Microsecond)
	return v.now
}

// Tick moves the vault's clock, which needs Options.Now.
func (v *Vault) Tick(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = v.now.Add(d)
}

// Apply applies a register and remembers the credentials of new channels.
func (v *Vault) Apply(register string) *vault.Applied {
	v.T.Helper()
	applied, err := v.ApplyRegister(context.Background(), v.Officer, "register.yaml", []byte(register), nil, false)
	if err != nil {
		v.T.Fatalf("applying the register: %v", err)
	}
	for _, c := range applied.Channels {
		v.secrets[c.ID] = c.ClientSecret
	}
	return applied
}

// Activate drafts one module and puts it in force.
func (v *Vault) Activate(rego string) *vault.Policy {
	v.T.Helper()
	draft, err := v.DraftPolicy(context.Background(), v.Officer, map[string]string{"rules.rego": rego}, "")
	if err != nil {
		v.T.Fatalf("drafting rules: %v", err)
	}
	active, err := v.ActivatePolicy(context.Background(), v.Officer, draft.ID)
	if err != nil {
		v.T.Fatalf("activating rules: %v", err)
	}
	return active
}

// Second adds another officer and returns who they are as a caller.
func (v *Vault) Second(name string) vault.Caller {
	v.T.Helper()
	made, err := v.AddOfficer(context.Background(), v.Officer, name)
	if err != nil || made.Credentials == nil {
		v.T.Fatalf("adding officer %s: %+v, %v", name, made, err)
	}
	return v.Signed(*made.Credentials)
}

// Signed returns who comes with credentials.
func (v *Vault) Signed(c vault.Credentials) vault.Caller {
	v.T.Helper()
	client, err := v.Authenticate(c.ClientID, c.ClientSecret)
	if err != nil {
		v.T.Fatalf("authenticating %s: %v", c.ClientID, err)
	}
	return vault.Caller{Client: client}
}

// Person is somebody in a story: an ID, or one identifier.
type Person = vault.SubjectRef

// By refers to somebody by an identifier.
func By(field, value string) Person {
	raw, _ := json.Marshal(value)
	return Person{Field: privacy.FieldName(field), Value: privacy.NewSensitive(raw)}
}

// ID refers to somebody by subject ID.
func ID(id privacy.SubjectID) Person { return Person{ID: id} }
