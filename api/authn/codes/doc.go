// Package codes proves that somebody has an address: a code is sent there, and
// comes back from where it was asked for.
//
// [Desk.Ask] answers before anything is looked up, so neither what it says nor
// how long it takes tells whether anybody is known by the address; the look-up
// and the sending happen afterwards. [Desk.Check] takes the code once, within ten
// minutes, and few wrong ones. Both are throttled by where they come from.
//
// What is under way lives in memory: a restart ends it, and people ask again.
package codes
