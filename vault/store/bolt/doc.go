// Package bolt is the engine for one machine: buckets in one bbolt file, the
// log in preallocated segment files beside it, and the ledger in a file of its
// own. Start with [Open] and [OpenLedger]; what they promise stands in package
// store.
//
// # How one write becomes durable
//
// Updates queue for one writer, which runs all that wait in one bbolt
// transaction. Each runs on an overlay of its own, so one that fails leaves
// nothing. The entries they record go into an outbox bucket in the same
// transaction. When it is durable, one critical section gives the entries their
// place in the log, makes the new state the one that views see, and remembers
// which keys it changed. So state and record appear at one moment: whoever
// appends on a condition stands before them and was right, or comes after and
// gets ErrConflict. Nobody sees a state that is not durable.
//
// Appends go into the open group; the first of a group leads it, writes all its
// frames and syncs once. While one group is synced the next gathers; where many
// append, its leader waits until about as many have come as came before, but
// not once nobody comes. A lone appender waits for nobody.
//
// # After a crash
//
// [Open] changes no file. It checks lengths before anything is mapped, finds
// where the log ends, and refuses what was damaged or is older than its log.
// The first write then clears what was torn, and completes the log from the
// outbox. A failed write or sync ends the engine: what the disk holds is no
// longer known, and only a new Open can find out.
//
// # On disk
//
//	vault.db           bbolt; bucket "\x00engine" holds the format version
//	log/00000001.log   1 MiB of frames, then 2, 4 … 64 MiB a segment
//	ledger             frames, grown as needed
package bolt
