package wire

import "github.com/sayso-vault/sayso/vault/privacy"

// MatchList is a page of who may be one person.
type MatchList struct {
	Matches []Match `json:"matches"`
	Next    string  `json:"next,omitempty"`
}

// Match is two people who were told to the vault with the same unique identifiers.
type Match struct {
	Subjects [2]privacy.SubjectID `json:"subjects"`
	Fields   []privacy.FieldName  `json:"fields" doc:"the identifiers, without their values"`
}
