package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/store"
)

// Level says how much a finding matters.
type Level string

// The levels of findings.
const (
	Fine    Level = "ok"
	Warning Level = "warning" // something will be missing, or missed, one day
	Problem Level = "problem" // something is broken, open to others, or lost
)

// Finding is what an examination says about one thing. It names IDs, fields and
// counts, never a value.
type Finding struct {
	Check string   `json:"check"`
	Level Level    `json:"level"`
	What  string   `json:"what"`
	Means string   `json:"means,omitempty"` // what follows from it
	Do    string   `json:"do,omitempty"`    // what to do about it
	About []string `json:"about,omitempty"` // the fields, purposes, channels, people or files
}

// LeftOut is a check that was not made, and why.
type LeftOut struct {
	Check string `json:"check"`
	Why   string `json:"why"`
}

// Examination is what was found, and what could not be looked at.
type Examination struct {
	Findings []Finding `json:"findings"`
	LeftOut  []LeftOut `json:"left_out"`
}

// Add adds findings.
func (x *Examination) Add(f ...Finding) { x.Findings = append(x.Findings, f...) }

// Skip says that checks were left out.
func (x *Examination) Skip(why string, checks ...string) {
	for _, c := range checks {
		x.LeftOut = append(x.LeftOut, LeftOut{c, why})
	}
}

// ExamineOptions say how closely to look.
type ExamineOptions struct {
	// Deep verifies the whole log and counts who read.
	Deep bool
	// NoKeyring says why there is no keyring, where there is none.
	NoKeyring string
	// Progress is told how far the long checks are. May be nil.
	Progress func(stage string, done, of uint64)
}

// Examine looks at a vault that is not open, also at one that Open refuses. It
// writes nothing, so stores that are open for reading will do. Of cfg any of
// Store, Keys, Ledger and Keyring may be nil: what needs them is left out.
//
// The error is that of a context that ended; whatever is wrong with the vault is
// a finding.
func Examine(ctx context.Context, cfg Config, o ExamineOptions) (*Examination, error) {
	cfg = cfg.withDefaults()
	v := &Vault{cfg: cfg}
	if cfg.Keyring != nil {
		v = newVault(cfg)
	}
	return examine(ctx, v, o, false)
}

// Examine looks at an open vault while it is used.
func (v *Vault) Examine(ctx context.Context, o ExamineOptions) (*Examination, error) {
	return examine(ctx, v, o, true)
}

// examiner looks at one vault.
type examiner struct {
	*Examination
	v    *Vault
	o    ExamineOptions
	open bool // the vault is in use
	has  need
	why  map[need]string // for what it has not

	ledger *ledger // as it was read now
	force  *regime
}

// need is what a check looks at.
type need byte

const (
	needStore need = 1 << iota
	needKeys
	needLedger
	needKeyring
	needOwn   // the vault's own keys opened
	needForce // and what is in force
)

func examine(ctx context.Context, v *Vault, o ExamineOptions, open bool) (*Examination, error) {
	if o.Progress == nil {
		o.Progress = func(string, uint64, uint64) {}
	}
	e := &examiner{Examination: &Examination{Findings: []Finding{}, LeftOut: []LeftOut{}}, v: v, o: o, open: open, why: map[need]string{
		needStore: "vault.db and its log cannot be opened", needKeys: "keys.db cannot be opened", needLedger: "the ledger cannot be opened",
		needKeyring: cmp.Or(o.NoKeyring, "the keyring is not open"), needOwn: "the vault's own keys do not open", needForce: "what is in force does not open",
	}}
	for n, there := range map[need]bool{needStore: v.cfg.Store != nil, needKeys: v.cfg.Keys != nil, needLedger: v.cfg.Ledger != nil, needKeyring: v.keyring() != nil} {
		if there {
			e.has |= n
		}
	}
	if !open && e.has&needStore != 0 && e.has&needKeyring != 0 {
		if name, err := v.readLogName(ctx, v.cfg.Store); err == nil { // else the log's head tells
			v.cfg.LogName = name
		}
	}
	for _, n := range []need{needStore, needKeys, needKeyring} {
		if e.has&n == 0 {
			e.why[needOwn], e.why[needForce] = e.why[n], e.why[n]
		}
	}
	for _, c := range []struct {
		checks string // the first of them is what a failure is told under
		needs  need
		do     func(context.Context) error
	}{
		{"format", needStore, e.format},
		{"ledger", needLedger, e.readLedger},
		{"backup", needLedger, e.backups},
		{"log-whole", needStore | needLedger, e.logWhole},
		{"ledger-whole", needStore | needLedger, e.ledgerWhole},
		{"log-head", needStore | needLedger | needKeyring, e.logHead},
		{"clock", needStore | needLedger, e.clockNow},
		{"key-age", needKeyring, e.keyAge},
		{"missing-keys", needStore | needKeys, e.missingKeys},
		{"orphan-keys", needStore | needKeys, e.orphanKeys},
		{"own-keys", needStore | needKeys | needKeyring, e.ownKeys},
		{"key-turn", needStore | needKeys | needKeyring, e.keyTurn},
		{"in-force", needStore | needOwn, e.inForce},
		{"register", needForce, e.register},
		{"credentials", needForce, e.credentials},
		{"retention", needForce, e.retention},
		{"requests", needStore | needOwn, e.requests},
		{"webhooks", needForce, e.outbox},
		{"log-verified channel-reads", needStore | needKeys | needLedger | needForce, e.verifyLog},
	} {
		checks := strings.Fields(c.checks)
		if lacks := c.needs &^ e.has; lacks != 0 {
			e.Skip(e.why[lacks&-lacks], checks...)
			continue
		}
		err := c.do(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, store.ErrClosed):
			e.Skip("the vault stopped meanwhile", checks...)
		case err != nil:
			e.damaged(checks[0], err)
		}
	}
	return e.Examination, nil
}

// damaged tells of something that could not be read.
func (e *examiner) damaged(check string, err error) {
	f := Finding{Check: check, Level: Problem, What: fmt.Sprintf("it cannot be read: %v", err),
		Means: "What is on disk is not what was written there. What it touches is refused, never served.", Do: doRestore}
	if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, keys.ErrIntegrity) && !errors.Is(err, store.ErrFormat) {
		f.Means, f.Do = "The disk or the system below refuses.", "Look at the system's log and at the disk, then look again."
	}
	e.Add(f)
}

const doRestore = "Keep a copy of the folder as it is, and bring the vault up from a backup with `sayso restore`."
