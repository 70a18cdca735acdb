// Package client speaks to a vault over HTTP as one of its clients, a channel
// or an officer. Call [New] with the vault's address and the client's
// credentials; there is a method for each route that programs call, which takes and
// gives the shapes of package wire. [Client.Once] makes writes that may be tried
// again. [Client.ReadBatch] asks for many people while the answers come,
// [Client.Audience] gives everybody whom a channel may use for a purpose, and
// [Client.Events] what changes, as it happens; [Webhook] takes in what a vault sends.
//
// A [Person] speaks to the vault in a session of their own instead, and of nobody
// else: [NewPerson].
//
// With [Config.Patience] a call that fails for now is tried again, writes under a key
// by which they happen once. Package clienttest stands in for a vault in tests.
//
// A [Client] gets its access token when it first needs one and a fresh one
// before it runs out. What the vault refuses comes back as an [*Error] with the
// stable code that programs look at. Personal values travel in bodies only,
// never in an address.
package client
