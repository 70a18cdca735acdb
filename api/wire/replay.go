package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// ReplayRequest says over which recorded decisions rules are run: From is in it,
// To is not. Left out, there is no bound.
type ReplayRequest struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Optional says that a request may come without a body.
func (*ReplayRequest) Optional() {}

// Replay is what a set of rules would have made of what really happened.
type Replay struct {
	Policy        string      `json:"policy,omitempty" doc:"of a set of rules"`
	Register      uint64      `json:"register,omitzero" doc:"of a register that waits: its number"`
	Status        string      `json:"status"`
	Decisions     int         `json:"decisions" doc:"decided again"`
	Changed       int         `json:"changed" doc:"of these, those in which a field changes"`
	People        int         `json:"people" doc:"whom a changed decision is about"`
	Gaining       int         `json:"gaining" doc:"of these, those of whom somebody would see more"`
	Losing        int         `json:"losing" doc:"and those of whom somebody would see less"`
	Failed        int         `json:"failed" doc:"in which the rules give no decision, so that the read would be denied"`
	NotReplayable int         `json:"not_replayable" doc:"of people erased since, or whose facts are not on record"`
	By            []ReplayRow `json:"by"`
}

// ReplayRow is one kind of change.
type ReplayRow struct {
	Channel   privacy.ChannelID    `json:"channel"`
	Purpose   privacy.PurposeID    `json:"purpose"`
	Field     privacy.FieldName    `json:"field"`
	From      string               `json:"from" enum:"release,mask,withhold"`
	To        string               `json:"to" enum:"release,mask,withhold"`
	FromMask  privacy.Mask         `json:"from_mask,omitempty"`
	ToMask    privacy.Mask         `json:"to_mask,omitempty"`
	Decisions int                  `json:"decisions"`
	People    int                  `json:"people"`
	Examples  []privacy.DecisionID `json:"examples" doc:"a few of the decisions"`
}

// ReplayLine is one line of a replay that is told while it runs: how far it is,
// then what it came to, or why it broke off.
type ReplayLine struct {
	Done   uint64  `json:"done,omitzero"`
	Of     uint64  `json:"of,omitzero"`
	End    bool    `json:"end,omitzero"`
	Replay *Replay `json:"replay,omitempty"`

	Status int    `json:"status,omitzero" doc:"of a problem, as are the next four"`
	Type   string `json:"type,omitempty"`
	Title  string `json:"title,omitempty"`
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
}
