// Package privacy holds the words of the vault, a type each, so that a
// [SubjectID] and a [ChannelID] cannot be swapped and one thing has one name in
// code, JSON, pages and docs (docs/terms.md).
//
// Start with [Sensitive]: every personal value travels as one. It prints
// "[sensitive]" wherever it is logged, formatted or marshalled, and
// [Sensitive.Reveal] is the only way out, so that a search for Reveal lists
// every place where plaintext is seen.
//
// The package imports nothing of the project and holds no state.
package privacy
