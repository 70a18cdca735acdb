// Package console is where officers govern in a browser: the register as a matrix,
// its purposes, fields and channels, who the officers are and what waits for them.
//
// A [Handler] is the family of pages; [New] makes one and Mount binds it below
// /console. Every page goes through visit.go, which knows the officer by the
// session, and calls the vault as that officer: what an officer may do, and what
// has to wait for another, the vault decides, for the console as for the API. So
// a page that forgot a check would show a refusal, not do the act.
//
// Pages show no personal values. They work without JavaScript; htmx and
// passkey.js only add to them.
package console
