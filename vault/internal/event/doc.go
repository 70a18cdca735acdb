// Package event is what the outbox is made of: the record of an event as it lies
// there until it is told, the IDs under which channels know events, and when a
// webhook that does not answer is tried again. It knows no store, clock or HTTP.
package event
