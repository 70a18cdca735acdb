// Package log holds what makes the vault's record of itself checkable: entries
// with salted commitments, the Merkle tree over them, signed checkpoints,
// proofs, and the walk that verifies it all.
//
// Start with [New], which makes an entry of a record; the engine's Append or
// Record makes it durable. A [Follower] stays a moment behind: it hashes
// durable entries into the tree (RFC 6962, kept as C2SP tlog-tiles), indexes
// them by identifier and by person, extends each person's trail, and signs a
// checkpoint (C2SP tlog-checkpoint), all of a run in one update. [Verify] walks
// the log and names the first entry that is not what was written.
//
// What it promises:
//   - A leaf is a salted commitment. Who sees the tree, the tiles and the entry
//     bundles learns no value, person, purpose or pseudonym.
//   - A checkpoint covers only entries that are durable and hashed, is kept
//     before it is shown, and never goes back, over a restart neither.
//   - A proof is checked against the signed checkpoint before it is given out.
//   - Nothing is guessed: what does not add up is an error that says where.
package log
