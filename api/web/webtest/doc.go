// Package webtest lets tests of pages look at them as a person does: in a real
// Chromium, on a desktop or a phone, with JavaScript or without, in a language –
// and, by axe, as somebody who cannot see them.
//
// What it needs is installed by make test: Chromium (Debian: chromium), and the
// npm packages of webtest/npm. Where something is missing a test is skipped,
// saying what, except under CI=true, where it fails.
package webtest
