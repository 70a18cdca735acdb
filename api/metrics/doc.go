// Package metrics counts what a served vault does and shows it to Prometheus.
//
// [New] makes the counters. They are given to the vault and to the server as
// their observer, to the server as what /metrics shows, and are told by
// [Metrics.Watch] whom to ask for numbers when somebody looks.
//
// Anybody who reaches the server may look, so /metrics answers no question about
// a person: it has counts, and IDs of purposes, codes, routes and stages, all of
// them bounded by the register and the program. And since a channel could look
// right before and right after it asks about somebody, nothing here may tell
// more of that one answer than the answer did: of a read that released nothing
// neither the time of deciding it nor whether it had been decided before is
// counted, codes are counted as they were told, and there is no count of people.
package metrics
