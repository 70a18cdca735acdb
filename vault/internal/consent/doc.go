// Package consent holds what is known of a person's say-so: the [Standing] –
// one sealed, versioned record per subject with effective consents, grounds,
// restriction and what there is of values – and the rules by which acts change
// it and by which it covers a field (DESIGN §5, "A consent covers what was
// shown").
//
// Everything here is a pure function of a standing, an act and a register:
// [Standing.Record] folds a consent act in, [Standing.Covers] says whether a
// field is covered, [Standing.Encode] and [Decode] are its form on disk. Who
// may act, and what is durable when, is package vault's.
package consent
