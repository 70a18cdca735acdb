package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// governance is the one record of what is in force besides the persons'
// standings: which register, which rules, which clients. Every access record is
// appended on the condition that it is unchanged.
type governance struct {
	Version  uint64                              `json:"version"`
	Register uint64                              `json:"register"`           // 0: none applied yet
	Numbered uint64                              `json:"numbered,omitempty"` // the highest revision number given, in force or not
	Policy   string                              `json:"policy"`
	Channels map[privacy.ChannelID]*clientRecord `json:"channels"`
	Officers map[string]*clientRecord            `json:"officers"`
	Pending  []pending                           `json:"pending,omitempty"` // changes that wait for a second officer

	// Lapsed is until when it is lost what people said no to, because a restore
	// had no complete ledger: consents from before count as none.
	Lapsed time.Time `json:"lapsed,omitzero"`
}

// clientRecord is what is known of a client's credentials.
type clientRecord struct {
	Suspended bool         `json:"suspended,omitempty"`
	Secrets   []secretInfo `json:"secrets"`
}

// live reports whether the secret of this ID is good.
func (c *clientRecord) live(secretID string) bool {
	return slices.ContainsFunc(c.Secrets, func(s secretInfo) bool { return s.ID == secretID && s.Revoked.IsZero() })
}

// living counts the secrets that are good.
func (c *clientRecord) living() (n int) {
	for _, s := range c.Secrets {
		if s.Revoked.IsZero() {
			n++
		}
	}
	return n
}

// revoke ends a secret, by its ID.
func (c *clientRecord) revoke(secretID string, at time.Time) error {
	for i := range c.Secrets {
		if s := &c.Secrets[i]; s.ID == secretID {
			if s.Revoked.IsZero() {
				s.Revoked = at
			}
			return nil
		}
	}
	return refuse(CodeNotFound, "the client has no secret of this ID")
}

type secretInfo struct {
	ID      string    `json:"id"`
	Hash    []byte    `json:"hash"`
	Created time.Time `json:"created"`
	Revoked time.Time `json:"revoked,omitzero"`

	// Of officers' other credentials: see CredentialKind.
	Kind    CredentialKind  `json:"kind,omitempty"` // "": a secret
	Label   string          `json:"label,omitempty"`
	Passkey json.RawMessage `json:"passkey,omitempty"`
	Issuer  string          `json:"issuer,omitempty"`
	Until   time.Time       `json:"until,omitzero"`
}

// Guardrails names the rule set that has no officer's rules: the first one.
const Guardrails = "pol_guardrails"

var keyCurrent = []byte("current")

// regime is the governance in force, with its register and rules ready to use.
// It is immutable.
type regime struct {
	raw      []byte // the governance record it was made from
	gov      *governance
	register *register.Register
	names    *consent.Names
	rules    *policy.Revision
	touches  bool // officers' rules look at touches
}

// sighting is a regime with a state in which it was in force.
type sighting struct {
	*regime
	state uint64
}

// regime returns what is in force as the reader sees it: in a state that was
// looked at before what was found then, otherwise what its record says.
func (v *Vault) regime(ctx context.Context, r store.Reader) (*regime, error) {
	s, ok := r.(store.Snapshot)
	if !ok {
		return v.regimeOf(ctx, r)
	}
	state := s.State()
	if seen := v.sighted.Load(); seen != nil && seen.state == state {
		return seen.regime, nil
	}
	now, err := v.regimeOf(ctx, r)
	if err == nil {
		v.sighted.Store(&sighting{now, state})
	}
	return now, err
}

func (v *Vault) regimeOf(ctx context.Context, r store.Reader) (*regime, error) {
	raw, err := r.Get(bucketGovernance, keyCurrent)
	if err != nil {
		return nil, err
	}
	if now := v.inForce.Load(); now != nil && bytes.Equal(now.raw, raw) {
		return now, nil
	}
	v.compiling.Lock()
	defer v.compiling.Unlock()
	if now := v.inForce.Load(); now != nil && bytes.Equal(now.raw, raw) {
		return now, nil
	}
	next, err := v.makeRegime(ctx, r, raw)
	if err != nil {
		return nil, err
	}
	v.inForce.Store(next)
	return next, nil
}

// stillInForce returns errAgain if something else is in force in the transaction.
func (r *regime) stillInForce(tx store.Tx) error {
	raw, err := tx.Get(bucketGovernance, keyCurrent)
	if err == nil && !bytes.Equal(raw, r.raw) {
		err = errAgain
	}
	return err
}

func (v *Vault) makeRegime(ctx context.Context, r store.Reader, raw []byte) (*regime, error) {
	gov, err := v.openGovernance(raw)
	if err != nil {
		return nil, err
	}
	next := &regime{raw: bytes.Clone(raw), gov: gov, register: &register.Register{}, names: consent.NoNames}
	if gov.Register > 0 {
		rev, err := v.revision(r, gov.Register)
		if err != nil {
			return nil, err
		}
		next.register, next.names = rev.register, rev.names
	}
	if now := v.inForce.Load(); now != nil && now.gov.Register == gov.Register && now.gov.Policy == gov.Policy {
		next.rules, next.touches = now.rules, now.touches
		return next, nil
	}
	modules, err := v.modules(r, gov.Policy)
	if err != nil {
		return nil, err
	}
	rules, err := policy.Compile(ctx, schemaOf(next.register), modules)
	if err != nil {
		return nil, fmt.Errorf("compiling the rules in force: %w", err)
	}
	next.rules, next.touches = rules.WithDeadline(v.cfg.DecisionDeadline), rules.LooksAt("touches")
	return next, nil
}

func (v *Vault) openGovernance(raw []byte) (*governance, error) {
	version, n := binary.Uvarint(raw)
	if n <= 0 {
		return nil, fmt.Errorf("reading what is in force: %w", errIntegrity)
	}
	var gov governance
	if err := v.unsealOwn("governance", version, raw[n:], &gov); err != nil {
		return nil, fmt.Errorf("opening what is in force: %w", err)
	}
	if gov.Version != version {
		return nil, fmt.Errorf("reading what is in force: %w", errIntegrity)
	}
	return &gov, nil
}

// govern changes what is in force, and returns what ties the record of the
// change to it.
func (v *Vault) govern(tx store.Tx, change func(*governance) error) (rowDigest, error) {
	raw, err := tx.Get(bucketGovernance, keyCurrent)
	if err != nil {
		return rowDigest{}, err
	}
	gov, err := v.openGovernance(raw)
	if err != nil {
		return rowDigest{}, err
	}
	before, err := v.openGovernance(raw)
	if err != nil {
		return rowDigest{}, err
	}
	if err := change(gov); err != nil {
		return rowDigest{}, err
	}
	gov.Version++
	v.ledger.willNote(gov.Version, ended(before, gov))
	return v.putGovernance(tx, gov)
}

func (v *Vault) putGovernance(tx store.Tx, gov *governance) (rowDigest, error) {
	sealed, err := v.sealOwn("governance", gov.Version, gov)
	if err != nil {
		return rowDigest{}, err
	}
	row := append(binary.AppendUvarint(nil, gov.Version), sealed...)
	return digestOf(gov.Version, row), tx.Put(bucketGovernance, keyCurrent, row)
}

// sealOwn seals a record of the vault itself, which is nobody's.
func (v *Vault) sealOwn(field string, version uint64, record any) ([]byte, error) {
	plain, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return keys.Seal(v.nobody.history, v.bind(privacy.Nobody, field, version), plain)
}

func (v *Vault) unsealOwn(field string, version uint64, sealed []byte, record any) error {
	plain, err := keys.Unseal(v.nobody.history, v.bind(privacy.Nobody, field, version), sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, record)
}

// revision is one revision of the register, kept for ever. Numbers are given
// when one is proposed, so not every number was in force: those that were name
// the one before.
type revision struct {
	YAML       []byte    `json:"yaml"`
	At         time.Time `json:"at"` // since when it is in force; of one that is not, when it was proposed
	By         string    `json:"by"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	Before     uint64    `json:"before,omitempty"` // the revision that it took the place of; 0: it was the first
	Rejected   *rejected `json:"rejected,omitempty"`
	Names      []string  `json:"names,omitempty"` // what standings have numbers of, as it was when the revision came in force
	register   *register.Register
	names      *consent.Names
}

// rejected says who did not want a change, and why.
type rejected struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

func revisionKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// revision returns a register revision that is or was in force.
func (v *Vault) revision(r store.Reader, n uint64) (*revision, error) {
	if rev, ok := v.registers.Load(n); ok {
		return rev.(*revision), nil
	}
	rev, err := v.readRevision(r, n)
	if err != nil {
		return nil, err
	}
	v.registers.Store(n, rev)
	return rev, nil
}

// readRevision reads a register revision, and keeps nothing in memory.
func (v *Vault) readRevision(r store.Reader, n uint64) (*revision, error) {
	rev, err := v.openRevision(r, n)
	if err != nil {
		return nil, err
	}
	if rev.register, _, err = register.Parse("register", rev.YAML); err != nil {
		return nil, fmt.Errorf("reading register revision %d: %w", n, err)
	}
	rev.register.Revision, rev.names = n, consent.NewNames(n, rev.Names)
	return rev, nil
}

// openRevision opens a register revision without reading its text.
func (v *Vault) openRevision(r store.Reader, n uint64) (*revision, error) {
	sealed, err := r.Get(bucketRegisters, revisionKey(n))
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		return nil, fmt.Errorf("register revision %d is missing: %w", n, errIntegrity)
	}
	rev := new(revision)
	if err := v.unsealOwn("register", n, sealed, rev); err != nil {
		return nil, fmt.Errorf("opening register revision %d: %w", n, err)
	}
	if rev.Before >= n {
		return nil, fmt.Errorf("register revision %d does not come after %d: %w", n, rev.Before, errIntegrity)
	}
	return rev, nil
}

// putRevision keeps a register revision.
func (v *Vault) putRevision(tx store.Tx, n uint64, rev revision) error {
	sealed, err := v.sealOwn("register", n, rev)
	if err != nil {
		return err
	}
	return tx.Put(bucketRegisters, revisionKey(n), sealed)
}

// names returns those that a standing was written with.
func (v *Vault) names(r store.Reader, revision uint64) (*consent.Names, error) {
	if revision == 0 {
		return consent.NoNames, nil
	}
	rev, err := v.revision(r, revision)
	if err != nil {
		return nil, err
	}
	return rev.names, nil
}

// namesNow returns names to write a person's standing with: those of the register
// last seen in force. Which they are, the standing says. The vault's own has none,
// since registers open with its keys.
func (v *Vault) namesNow(id privacy.SubjectID) *consent.Names {
	if now := v.inForce.Load(); now != nil && id != privacy.Nobody {
		return now.names
	}
	return consent.NoNames
}

// shown returns the purpose as a given at a time was shown it: in the last
// revision not after it that carries the notice version, else the earliest
// that does. The version "" means that of the current register.
func (v *Vault) shown(r store.Reader, now *regime, id privacy.PurposeID, version string, at time.Time) (*register.Purpose, uint64, error) {
	current, ok := now.register.Purpose(id)
	if !ok {
		return nil, 0, nil
	}
	if version == "" {
		if current.Consent == nil {
			return current, now.register.Revision, nil
		}
		version = current.Consent.Notice.Version
	}
	var earliest *register.Purpose
	var number uint64
	var before uint64
	for n := now.gov.Register; n > 0; n = before {
		rev, err := v.revision(r, n)
		if err != nil {
			return nil, 0, err
		}
		before = rev.Before
		p, ok := rev.register.Purpose(id)
		if !ok || p.Consent == nil || p.Consent.Notice.Version != version {
			continue
		}
		earliest, number = p, n
		if !rev.At.After(at) {
			break
		}
	}
	return earliest, number, nil
}

func schemaOf(reg *register.Register) policy.Schema {
	var s policy.Schema
	for _, f := range reg.Fields {
		s.Fields = append(s.Fields, policy.Field{Name: f.Name, Type: f.Type, Mask: f.Mask})
	}
	for _, p := range reg.Purposes {
		s.Purposes = append(s.Purposes, p.ID)
	}
	for _, c := range reg.Channels {
		s.Channels = append(s.Channels, c.ID)
	}
	for _, c := range reg.Context {
		s.Context = append(s.Context, policy.ContextKey{Name: c.Name, Type: c.Type, Enum: c.Enum})
	}
	return s
}
