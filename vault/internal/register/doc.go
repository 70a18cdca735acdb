// Package register holds the record of processing activities (GDPR Art. 30) as
// data: the fields a profile has, the purposes they are used for, the channels
// that capture and read, and the matrix that shows less of a field to some of
// them.
//
// Start with [Parse]: it reads the text of a register (YAML, or JSON, which is
// YAML too) and returns either a [Register] in which every name that is used
// is declared, or a [ProblemsError] with every problem of the text, each with
// file, line, column, key and what was expected. A key whose enforcement is not
// built is refused by name: what a register says, the vault does.
//
// A Register is never changed after Parse and safe for concurrent use.
// [Register.Canonical] is its one form for storing, comparing and hashing, and
// [Diff] tells a person what differs between two.
package register
