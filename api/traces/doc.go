// Package traces sends what a served vault does to an OpenTelemetry collector:
// a span a request and, below it, one a question and one a stage.
//
// [New] makes what is given to the vault and to the server as their observer.
// Spans are made when all is over, from times that were taken anyway, so a
// request that is not sampled costs next to nothing.
//
// They carry what metrics may know – routes, status, codes, purposes, outcomes –
// and request and decision IDs: no person, no path, no value. Of what a client
// sends along, the trace it belongs to is taken over if it looks made by a
// machine; state and baggage are not.
package traces
