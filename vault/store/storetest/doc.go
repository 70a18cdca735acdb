// Package storetest is the suite that every engine passes: it holds an engine to
// what package store promises, in concurrency, on reopening, on closing while
// busy and after a power cut. Start with [Run], and with [RunLedger] for a
// ledger.
//
// Its tests read as stories of keys and numbers, since an engine knows of
// nothing else. None depends on time.
package storetest
