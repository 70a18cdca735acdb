// Package backup keeps copies of a vault: what they consist of, how one is
// written so that nothing half done looks whole, and how it is checked before
// anything is done with it. It knows no engine and no keys; who makes a copy
// gives it the bytes, and the keyring's MAC.
//
// Data and keys are copied apart, each with a manifest of its own and for as
// long as it is to be kept: who has one without the other opens nothing, and
// what was erased can be opened only as long as a copy of the keys from before
// is kept. In a place they lie as
//
//	data/ID/vault.db  log  manifest.json
//	keys/ID/keys.db  keyring  manifest.json
//
// Start with [Receive], which keeps a copy in a [Place]: a [Folder], or an
// object store of package s3. [Verify] reads a copy to its end and names what is
// not as it was written; [Prune] removes copies whose time is over.
package backup
