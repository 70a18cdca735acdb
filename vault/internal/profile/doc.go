// Package profile knows what the values of a profile are: how what a person
// told is read ([Normalise]), in which form an identifier is looked up
// ([LookupForm]), how less of a value is shown ([Mask]), and which facts rules
// may know without seeing a value ([Derive]).
//
// A value is kept as the person gave it, as far as one meaning has one
// spelling: white space at the ends goes, Unicode is composed (NFC), a
// telephone number becomes E.164, a country its code. Normalising what was
// normalised changes nothing. What cannot be read is refused with a
// [FieldError] that says what was expected and never what was given; nothing
// is guessed, cut off or rounded.
//
// A look-up form is stricter about meaning and never leaves the vault: it is
// what the keyed blind index is made of. Two spellings of one e-mail address
// have one form; two addresses that a mail server may tell apart by a dot or a
// plus have two.
//
// All functions are pure and safe for concurrent use.
package profile
