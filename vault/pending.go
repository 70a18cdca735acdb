package vault

import (
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// pending is a change that waits for another officer. It stands in the governance
// record, so that it survives a restart and nobody can put it there but an
// officer; the text of a register stands under its number beside it.
type pending struct {
	ID   string      `json:"id"` // chg_…
	Kind pendingKind `json:"kind"`
	By   string      `json:"by"`
	At   time.Time   `json:"at"`

	Revision uint64 `json:"revision,omitempty"` // of a register
	Policy   string `json:"policy,omitempty"`   // to put in force
	Base     string `json:"base,omitempty"`     // the rule set in the place of which
	Rollback bool   `json:"rollback,omitempty"`
	Alone    bool   `json:"alone,omitempty"`   // submitted, though its author could activate it alone
	Officer  string `json:"officer,omitempty"` // to add or to remove
	Invited  bool   `json:"invited,omitempty"` // to add with an enrolment link in the place of a secret
}

type pendingKind string

// The kinds of changes that can wait.
const (
	pendingRegister pendingKind = "register"
	pendingPolicy   pendingKind = "policy"
	pendingAdd      pendingKind = "officer_add"
	pendingRemove   pendingKind = "officer_remove"
)

// The states of a change that is not in force, beside those of rule sets.
const (
	StatusActive    = "active"
	StatusPending   = "pending" // waits for another officer
	StatusUnchanged = "unchanged"
	StatusRejected  = "rejected"
)

// maxPending bounds how many changes wait at once.
const maxPending = 64

func newChangeID(at time.Time) string { return namedID("chg_", at) }

// namedID returns a fresh ID of a kind that has no type of its own.
func namedID(prefix string, at time.Time) string {
	return prefix + privacy.NewDecisionID(at).String()[len("dec_"):]
}

// waits reports whether a change that widens waits for a second officer.
func (gov *governance) waits(widens bool) bool { return widens && len(gov.Officers) > 1 }

// waiting returns the change that waits and fits, nil if none does.
func (gov *governance) waiting(fits func(*pending) bool) *pending {
	if i := slices.IndexFunc(gov.Pending, func(p pending) bool { return fits(&p) }); i >= 0 {
		return &gov.Pending[i]
	}
	return nil
}

// drop takes the changes that fit from those that wait.
func (gov *governance) drop(fits func(*pending) bool) {
	gov.Pending = slices.DeleteFunc(gov.Pending, func(p pending) bool { return fits(&p) })
}

// propose lets a change wait.
func (gov *governance) propose(p pending) error {
	if len(gov.Pending) >= maxPending {
		return refuse(CodeWrongState, "%d changes wait already; approve or reject some first", maxPending)
	}
	gov.Pending = append(gov.Pending, p)
	return nil
}

// officerStill refuses an officer who was removed, or whose secret was revoked,
// since they were let in: what they do must not depend on when they came.
func (gov *governance) officerStill(by Caller) error {
	record := gov.Officers[by.Client.Officer]
	if record == nil || !record.live(by.Client.SecretID) {
		return ErrInvalidClient
	}
	return nil
}

// mayApprove refuses the author of a change.
func (p *pending) mayApprove(gov *governance, by Caller) error {
	if err := gov.officerStill(by); err != nil {
		return err
	}
	if p.By == by.Client.Officer {
		return refuse(CodeFourEyes, "you proposed this change; another officer approves it")
	}
	return nil
}

// wordsOf checks the words that an officer gives a decision: one line or more of
// text, which are kept and logged.
func wordsOf(field, words string) (string, error) {
	words = strings.TrimSpace(words)
	if len(words) > maxReason || !privacy.Plain(words) {
		return "", invalid(field, "too_long", "expected at most %d bytes of plain text", maxReason)
	}
	return words, nil
}
