package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// RegisterView is a register revision as it was applied.
type RegisterView struct {
	Revision uint64
	YAML     []byte
	At       time.Time
	By       string
}

// Register returns the register in force.
func (v *Vault) Register(ctx context.Context, by Caller) (*RegisterView, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	var view *RegisterView
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		if now.gov.Register == 0 {
			return refuse(CodeNotFound, "no register was applied yet")
		}
		rev, err := v.revision(s, now.gov.Register)
		if err == nil {
			view = &RegisterView{Revision: now.gov.Register, YAML: rev.YAML, At: rev.At, By: rev.By}
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}

// RegisterProblem is one thing wrong with a register, and where.
type RegisterProblem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Key    string `json:"key"`
	Detail string `json:"detail"`
}

// RegisterProblems is all that is wrong with a register that was refused.
type RegisterProblems struct{ Problems []RegisterProblem }

// Error names the problems, one a line.
func (e *RegisterProblems) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Key, p.Detail)
	}
	return strings.Join(lines, "\n")
}

// Change is one difference between two registers.
type Change struct {
	Op   string `json:"op"`
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Applied is what became of a register.
type Applied struct {
	Revision uint64
	Status   string // "active", or "unchanged"
	Changes  []Change
	Warnings []string
	Channels []ChannelCredentials // of channels that are new, shown once
}

// registerRecord is the log's record of a register revision.
type registerRecord struct {
	Format   int       `json:"v"`
	At       time.Time `json:"at"`
	Officer  string    `json:"officer"`
	Revision uint64    `json:"revision"`
	Changes  []Change  `json:"changes"`

	Governance rowDigest `json:"governance"`
}

// ApplyRegister puts a register in force as the next revision, or changes
// nothing if it says what the one in force says. ifMatch, if not nil, is the
// revision the change was made from. With dryRun it only tells what it would
// do. A register that has anything wrong is refused with *RegisterProblems.
func (v *Vault) ApplyRegister(ctx context.Context, by Caller, file string, yaml []byte, ifMatch *uint64, dryRun bool) (*Applied, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	next, warnings, err := parseRegister(file, yaml)
	if err != nil {
		return nil, err
	}
	var applied *Applied
	if err := v.checkRules(ctx, next); err != nil {
		return nil, err
	}
	err = v.update(ctx, func(tx store.Tx) error {
		now, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		if ifMatch != nil && *ifMatch != now.gov.Register {
			return refuse(CodeRevisionConflict, "the register in force is revision %d; look at it and apply again", now.gov.Register)
		}
		applied = &Applied{Revision: now.gov.Register, Status: "unchanged", Warnings: warnings, Changes: changes(now.register, next)}
		if now.gov.Register > 0 && len(applied.Changes) == 0 {
			return errUnchanged
		}
		applied.Status, applied.Revision = "active", now.gov.Register+1
		if dryRun {
			return errUnchanged
		}
		if err := v.putRegister(tx, by, next, yaml, applied); err != nil {
			return err
		}
		if len(applied.Channels) > 0 {
			return by.Once.keepSecret(tx)
		}
		return by.Once.keep(tx, applied)
	})
	if errors.Is(err, errUnchanged) {
		return applied, nil
	}
	if err != nil {
		return nil, v.refusal(err)
	}
	return applied, nil
}

// errUnchanged ends an update that has nothing to write.
var errUnchanged = errors.New("nothing to change")

func parseRegister(file string, yaml []byte) (*register.Register, []string, error) {
	next, warned, err := register.Parse(file, yaml)
	var problems *register.ProblemsError
	if errors.As(err, &problems) {
		told := &RegisterProblems{}
		for _, p := range problems.Problems {
			told.Problems = append(told.Problems, RegisterProblem(p))
		}
		return nil, nil, told
	}
	if err != nil {
		return nil, nil, err
	}
	warnings := []string{}
	for _, w := range warned {
		warnings = append(warnings, w.String())
	}
	return next, warnings, nil
}

func changes(old, next *register.Register) []Change {
	list := []Change{}
	for _, c := range register.Diff(old, next) {
		list = append(list, Change(c))
	}
	return list
}

func (v *Vault) putRegister(tx store.Tx, by Caller, next *register.Register, yaml []byte, applied *Applied) error {
	at := micro(v.cfg.Now())
	sealed, err := v.sealOwn("register", applied.Revision, revision{YAML: bytes.Clone(yaml), At: at, By: by.Client.Officer})
	if err != nil {
		return err
	}
	if err := tx.Put(bucketRegisters, revisionKey(applied.Revision), sealed); err != nil {
		return err
	}
	digest, err := v.govern(tx, func(gov *governance) error {
		gov.Register = applied.Revision
		for i := range next.Channels {
			id := next.Channels[i].ID
			if gov.Channels[id] != nil {
				continue // known: it keeps its secrets, even if it was gone for a while
			}
			info, secret := newSecret(v, string(id), at)
			gov.Channels[id] = &clientRecord{Secrets: []secretInfo{info}}
			applied.Channels = append(applied.Channels, ChannelCredentials{ID: id, SecretID: info.ID,
				Credentials: Credentials{ClientID: string(id), ClientSecret: secret}})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range applied.Channels {
		event := clientEvent{Format: 1, At: at, Officer: by.Client.Officer, Client: string(c.ID), Act: "made", Secret: c.SecretID, Governance: digest}
		if err := v.note(tx, log.Client, privacy.NewID(at), event); err != nil {
			return err
		}
	}
	return v.note(tx, log.Register, privacy.NewID(at), registerRecord{Format: 1, At: at, Officer: by.Client.Officer, Revision: applied.Revision, Changes: applied.Changes, Governance: digest})
}

// checkRules refuses a register that the rules in force could not be decided
// with.
func (v *Vault) checkRules(ctx context.Context, next *register.Register) error {
	var modules map[string]string
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		modules, err = v.modules(s, now.gov.Policy)
		return err
	})
	if err != nil {
		return v.refusal(err)
	}
	_, err = policy.Compile(ctx, schemaOf(next), modules)
	var problems *policy.ProblemsError
	if errors.As(err, &problems) {
		told := &RegisterProblems{}
		for _, p := range problems.Problems {
			told.Problems = append(told.Problems, RegisterProblem{File: p.Module, Line: p.Line, Column: p.Column, Key: "rules in force",
				Detail: "would no longer compile with this register: " + p.Message})
		}
		return told
	}
	return err
}

// names of the modules of a rule set, sorted.
func moduleNames(modules map[string]string) []string { return slices.Sorted(maps.Keys(modules)) }
