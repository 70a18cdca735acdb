// Package wire holds the shapes that travel over HTTP: what api decodes and
// encodes, and what api/client sends and reads. One Go type stands for one JSON
// shape of docs/api.md, and the OpenAPI document is made from them.
//
// Personal values are [Value]s: they marshal as themselves here, because this
// is where they leave and enter, but print "[sensitive]" everywhere else.
//
// The package decides nothing. A request's Check says what is missing or
// malformed in its shape; whether it is granted is the vault's to say.
package wire
