// Package client speaks to a vault over HTTP as one of its clients, a channel
// or an officer. Call [New] with the vault's address and the client's
// credentials; there is a method for each route that programs call, which takes and
// gives the shapes of package wire. [Client.Once] makes writes that may be tried
// again, [Client.ReadBatch] asks for many people while the answers come.
//
// A [Client] gets its access token when it first needs one and a fresh one
// before it runs out. What the vault refuses comes back as an [*Error] with the
// stable code that programs look at. Personal values travel in bodies only,
// never in an address.
package client
