// Package contact holds what the channels of a company have to do with a person
// – the [Dealings], one sealed record per subject: touches, leases on questions
// and refusals to answer – and the rules by which the next contact may happen
// now, or until when not.
//
// Everything here is a pure function of dealings, a register and a time. Start
// with [RulesOf], which gathers what the register says of contacts for a
// purpose, and [Rules.Check], which answers for one [Plan]. [Dealings.Add]
// records a touch, [Dealings.Lease] takes a lease, [Dealings.Prune] drops what
// no rule can ask for any more. Who may ask, and what is durable when, is
// package vault's.
//
// What it promises:
//
//   - A cap holds in every period of its length, not only in the one that ends
//     now: contacts that are told of late count where they belong.
//   - What is not known narrows: a contact without a medium counts for every
//     medium, and somebody whose time zone nobody can tell has quiet hours all
//     day.
//   - Until is exact: a contact that is refused until a time is allowed at that
//     time, if nothing else happens, and at no time before.
package contact
