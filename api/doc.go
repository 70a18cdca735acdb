// Package api is the HTTP face of the vault. It decides nothing: a handler
// decodes strictly, calls one method of the vault, and encodes what it says.
//
// Begin with the route table in routes.go: every route stands there with its
// method, who may call it, how large its body may be and how long it may take,
// and the OpenAPI document at /openapi.json is made from the same table.
// [New] returns a [Server], whose Handler is served, best by the http.Server
// that [Server.HTTP] sets up against slow and oversized clients.
//
// What the package promises: an answer never tells more of a person than the
// vault's own result; refusals are problem+json (RFC 9457) with a stable code,
// mapped in one table (errors.go); a denied read looks the same whoever was
// asked about; and neither the access log nor an error text ever holds a body,
// a query, a path with an ID in it, a token or a value.
package api
