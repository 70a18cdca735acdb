package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Ground begins what makes a legal basis other than consent true for a person,
// as of a time, and tells until when it lasts if that is known.
type Ground struct {
	Purpose privacy.PurposeID `json:"purpose"`
	Ref     string            `json:"ref,omitempty"`
	Since   *time.Time        `json:"since,omitempty"`
	Until   *time.Time        `json:"until,omitempty"`
}

func (g *Ground) check(c *check, at string) {
	c.must(at+"purpose", g.Purpose != "")
	c.valid(at+"ref", len(g.Ref) <= 200, "has more than 200 characters")
	c.valid(at+"since", g.Since == nil || !g.Since.IsZero(), "is no point in time")
	c.valid(at+"until", g.Until == nil || !g.Until.IsZero(), "is no point in time")
}

// Import is how far an import is: rows from 1 to next are done with.
type Import struct {
	Import    string    `json:"import" pattern:"^[0-9a-f]{64}$"`
	Rows      uint64    `json:"rows" doc:"of the whole file"`
	Next      uint64    `json:"next" doc:"rows that are done with"`
	Created   uint64    `json:"created"`
	Known     uint64    `json:"known"`
	Rejected  uint64    `json:"rejected"`
	BeganAt   time.Time `json:"began_at"`
	ChangedAt time.Time `json:"changed_at"`
}

// ImportAnswer is how far an import is after some of its rows, and what is wrong
// with those of them that were rejected.
type ImportAnswer struct {
	Import
	Rejects []Reject `json:"rejects"`
}

// Reject is what is wrong with one row of an import, counted from 1. It never
// holds a value.
type Reject struct {
	Row    uint64 `json:"row"`
	Field  string `json:"field,omitempty"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// Rejects is a page of what was rejected of an import, and after which row to
// ask for more.
type Rejects struct {
	Rejects []Reject `json:"rejects"`
	Next    uint64   `json:"next,omitzero"`
}
