// Package privacy is where people see what is known of them, say what may be done
// with it, and take it or leave: the privacy centre.
//
// A [Handler] is the family of pages; [New] makes one and Mount binds it below
// /privacy. A person comes by a channel's one-time link, or logs in with a provider
// of OpenID Connect or with a code that is sent to them. Every page goes through
// visit.go, which knows the person by the session, and asks the vault as that
// person: whose data it is, and what the session may see and do, the vault decides,
// as for the routes below /v1/me. No page takes whom it is about from an address or
// a form.
//
// Pages work without JavaScript; htmx only spares them a reload.
package privacy
