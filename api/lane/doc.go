// Package lane answers a few kinds of requests without the general machinery of
// net/http, which takes a third of the processor's time of a governed read. Put a
// [Lane] between a listener and an http.Server.
//
// A connection begins in the lane. As long as its requests are of these kinds and
// as plain as programs send them, the lane answers them by the same handlers the
// server has for them. At the first that is anything else – another route, a
// body in chunks, a header twice, a line that ends differently, a head that is
// long – the connection is passed on to the server with every byte unread, and
// stays there. So the lane refuses nothing and repairs nothing: what it does not
// know at sight is net/http's to judge, and what it does take net/http would
// read the same, which a fuzz target holds.
//
// What differs for a handler: its request has the background context, so that it
// is not told when a client hangs up; the length of the body stands in
// ContentLength and in no header; and the answer leaves when it returns.
package lane
