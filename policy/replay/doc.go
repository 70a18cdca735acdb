// Package replay counts what other rules would have made of decisions that were
// really made. Start with a [Tally], give it every decision of one person after
// another by [Tally.Person] and [Tally.Add], and ask for the [Report].
//
// It knows no store and decides nothing: whoever calls it gives both outcomes, each
// with the facts of the moment it was decided at. What could not be decided again
// is counted by [Tally.Lost] and never guessed. A Tally holds no person, only
// counts, so that it stays small however many there are; tallies of different
// persons add up.
package replay
