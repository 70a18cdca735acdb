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
	Revision   uint64
	YAML       []byte
	At         time.Time
	By         string
	ApprovedBy string
	Pending    *PendingRegister // the one that waits for another officer, if one does
}

// PendingRegister is a register that waits, with what it would change.
type PendingRegister struct {
	Revision uint64
	YAML     []byte
	At       time.Time
	By       string
	Changes  []Change
}

// Register returns the register in force, and beside it the one that waits.
// Before any is in force its revision is 0.
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
		waiting := now.gov.waiting(isRegister)
		if now.gov.Register == 0 && waiting == nil {
			return refuse(CodeNotFound, "no register was applied yet")
		}
		view = &RegisterView{Revision: now.gov.Register}
		if now.gov.Register > 0 {
			rev, err := v.revision(s, now.gov.Register)
			if err != nil {
				return err
			}
			view.YAML, view.At, view.By, view.ApprovedBy = rev.YAML, rev.At, rev.By, rev.ApprovedBy
		}
		if waiting == nil {
			return nil
		}
		rev, err := v.readRevision(s, waiting.Revision)
		if err == nil {
			view.Pending = &PendingRegister{Revision: waiting.Revision, YAML: rev.YAML, At: waiting.At, By: waiting.By, Changes: now.changes(rev.register)}
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}

func isRegister(p *pending) bool { return p.Kind == pendingRegister }

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

// Change is one difference between two registers, and what it does.
type Change struct {
	Op   string `json:"op"`
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Widens says that it can let more out, Why in words what it does.
	Widens bool   `json:"widens,omitempty"`
	Why    string `json:"why,omitempty"`
}

// Applied is what became of a register.
type Applied struct {
	Revision uint64
	Status   string // active, pending or unchanged
	Changes  []Change
	Warnings []string
	Channels []ChannelCredentials // of channels that are new, shown once
}

// RevisionConflict is how a register is refused that was made from another
// revision than the one in force: with both sides, told from the revision it was
// made from.
type RevisionConflict struct {
	Revision uint64 // in force
	At       time.Time
	By       string
	Theirs   []Change // what others changed since
	Yours    []Change // what this would have changed
}

// Error names the revision in force.
func (e *RevisionConflict) Error() string {
	return fmt.Sprintf("the register in force is revision %d; look at it and apply again", e.Revision)
}

// registerRecord is the log's record of what became of a register revision.
type registerRecord struct {
	Format   int       `json:"v"`
	At       time.Time `json:"at"`
	Officer  string    `json:"officer"`
	Act      string    `json:"act"` // applied, proposed, replayed, approved or rejected
	Revision uint64    `json:"revision"`
	Changes  []Change  `json:"changes"`
	Proposed string    `json:"proposed,omitempty"` // by whom, if another officer had to approve it
	Replaced uint64    `json:"replaced,omitempty"` // the revision that waited before
	Reason   string    `json:"reason,omitempty"`

	Replay     *ReplaySummary `json:"replay,omitempty"`
	Governance rowDigest      `json:"governance,omitzero"` // none of a replay
}

// ApplyRegister puts a register in force as the next revision, or changes
// nothing if it says what the one in force says. One that can let more out waits
// for another officer, whole, if there is one; a later register takes its place.
// ifMatch, if not nil, is the revision the change was made from; if another one
// is in force it is refused with *RevisionConflict. With dryRun it only tells
// what it would do. A register that has anything wrong is refused with
// *RegisterProblems.
func (v *Vault) ApplyRegister(ctx context.Context, by Caller, file string, yaml []byte, ifMatch *uint64, dryRun bool) (*Applied, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	next, warnings, err := parseRegister(file, yaml)
	if err != nil {
		return nil, err
	}
	var applied *Applied
	rules, err := v.checkRules(ctx, next)
	if err != nil {
		return nil, err
	}
	err = v.update(ctx, func(tx store.Tx) error {
		now, err := v.regime(ctx, tx)
		if err != nil {
			return err
		}
		if err := now.gov.officerStill(by); err != nil {
			return err
		}
		if ifMatch != nil && *ifMatch != now.gov.Register {
			return v.conflict(tx, now, *ifMatch, next)
		}
		applied = &Applied{Revision: now.gov.Register, Status: StatusUnchanged, Warnings: warnings, Changes: now.changes(next)}
		if now.gov.Register > 0 && len(applied.Changes) == 0 {
			return errUnchanged
		}
		if now.gov.Policy != rules {
			return refuse(CodeWrongState, "the rules in force changed meanwhile; try again")
		}
		applied.Status, applied.Revision = StatusActive, max(now.gov.Numbered, now.gov.Register)+1
		if now.gov.waits(widens(applied.Changes)) {
			applied.Status = StatusPending
			if same, err := v.proposedBefore(tx, now.gov, next); err != nil || same > 0 {
				applied.Revision = same
				return errors.Join(err, errUnchanged)
			}
		}
		if dryRun {
			return errUnchanged
		}
		if applied.Status == StatusPending {
			err = v.proposeRegister(tx, by, yaml, applied)
		} else {
			err = v.putRegister(tx, next, revision{YAML: bytes.Clone(yaml), By: by.Client.Officer}, applied,
				registerRecord{Act: "applied", Officer: by.Client.Officer})
		}
		if err != nil {
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

// changes returns what changes from the register in force to another, and what
// that does under the rules in force.
func (r *regime) changes(next *register.Register) []Change { return changesUnder(r, r.register, next) }

func changesUnder(r *regime, old, next *register.Register) []Change {
	list := []Change{}
	for _, e := range register.Effects(old, next, r.rules.LooksAt) {
		list = append(list, Change{Op: e.Op, Path: e.Path, From: e.From, To: e.To, Widens: e.Widens, Why: e.Why})
	}
	return list
}

func widens(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool { return c.Widens })
}

// conflict tells both sides of a change that was made from a revision that is in
// force no more.
func (v *Vault) conflict(r store.Reader, now *regime, from uint64, yours *register.Register) error {
	e := &RevisionConflict{Revision: now.gov.Register, Theirs: []Change{}, Yours: []Change{}}
	if now.gov.Register > 0 {
		rev, err := v.revision(r, now.gov.Register)
		if err != nil {
			return err
		}
		e.At, e.By = rev.At, rev.By
	}
	base := &register.Register{}
	switch row, err := r.Get(bucketRegisters, revisionKey(from)); {
	case err != nil:
		return err
	case row == nil && from > 0: // no such revision: what is in force is all that can be told
		e.Yours = now.changes(yours)
		return e
	case row != nil:
		rev, err := v.readRevision(r, from)
		if err != nil {
			return err
		}
		base = rev.register
	}
	e.Theirs, e.Yours = changesUnder(now, base, now.register), changesUnder(now, base, yours)
	return e
}

// putRegister puts a revision in force and drops the one that waits: it was made
// from another register than is in force then.
func (v *Vault) putRegister(tx store.Tx, next *register.Register, rev revision, applied *Applied, record registerRecord) error {
	at := micro(v.cfg.Now())
	approved := rev.ApprovedBy != ""
	digest, err := v.govern(tx, func(gov *governance) error {
		rev.At, rev.Before, rev.Names = at, gov.Register, next.Names()
		if old := gov.waiting(isRegister); old != nil && old.Revision != applied.Revision {
			record.Replaced = old.Revision
		}
		gov.drop(isRegister)
		gov.Register, gov.Numbered = applied.Revision, max(gov.Numbered, applied.Revision)
		for i := range next.Channels {
			id := next.Channels[i].ID
			if gov.Channels[id] != nil {
				continue // known: it keeps its secrets, even if it was gone for a while
			}
			gov.Channels[id] = &clientRecord{}
			if approved { // what nobody asked for is shown to nobody: channel secret makes one
				continue
			}
			info, secret := newSecret(v, string(id), at)
			gov.Channels[id].Secrets = []secretInfo{info}
			applied.Channels = append(applied.Channels, ChannelCredentials{ID: id, SecretID: info.ID,
				Credentials: Credentials{ClientID: string(id), ClientSecret: secret}})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := v.putRevision(tx, applied.Revision, rev); err != nil {
		return err
	}
	for _, c := range applied.Channels {
		event := clientEvent{Format: 1, At: at, Officer: record.Officer, Client: string(c.ID), Act: "made", Secret: c.SecretID, Governance: digest}
		if err := v.note(tx, log.Client, privacy.NewID(at), event); err != nil {
			return err
		}
	}
	return v.noteRegister(tx, at, digest, applied, record)
}

func (v *Vault) noteRegister(tx store.Tx, at time.Time, digest rowDigest, applied *Applied, record registerRecord) error {
	record.Format, record.At, record.Revision, record.Changes, record.Governance = 1, at, applied.Revision, applied.Changes, digest
	return v.note(tx, log.Register, privacy.NewID(at), record)
}

// checkRules refuses a register that the rules in force could not be decided
// with, and returns which they are.
func (v *Vault) checkRules(ctx context.Context, next *register.Register) (rules string, err error) {
	var modules map[string]string
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		rules = now.gov.Policy
		modules, err = v.modules(s, rules)
		return err
	})
	if err != nil {
		return "", v.refusal(err)
	}
	_, err = policy.Compile(ctx, schemaOf(next), modules)
	var problems *policy.ProblemsError
	if errors.As(err, &problems) {
		told := &RegisterProblems{}
		for _, p := range problems.Problems {
			told.Problems = append(told.Problems, RegisterProblem{File: p.Module, Line: p.Line, Column: p.Column, Key: "rules in force",
				Detail: "would no longer compile with this register: " + p.Message})
		}
		return "", told
	}
	return rules, err
}

// names of the modules of a rule set, sorted.
func moduleNames(modules map[string]string) []string { return slices.Sorted(maps.Keys(modules)) }

// RegisterSince returns when the register in force was put in force, zero if none was
// yet.
func (v *Vault) RegisterSince(ctx context.Context) (at time.Time, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil || now.gov.Register == 0 {
			return err
		}
		rev, err := v.revision(s, now.gov.Register)
		if err == nil {
			at = rev.At
		}
		return err
	})
	return at, v.refusalOf(err)
}
